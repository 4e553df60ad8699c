/** Stands in for `lightning-button`. */
import { api, LightningElement } from 'lwc';

export default class Button extends LightningElement {
  @api label = '';
  @api variant = 'neutral';
  @api iconName = '';
  @api disabled = false;

  get className() {
    return `slds-button slds-button_${this.variant}`;
  }

  get link() {
    return `/slds/utility.svg#${this.iconName.replace('utility:', '')}`;
  }

  @api focus() {
    this.template.querySelector('button').focus();
  }
}
