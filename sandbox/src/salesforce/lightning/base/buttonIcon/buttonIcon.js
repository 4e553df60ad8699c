/** Stands in for `lightning-button-icon`. */
import { api, LightningElement } from 'lwc';

export default class ButtonIcon extends LightningElement {
  @api iconName = '';
  @api variant = 'border';
  @api size = 'medium';
  @api alternativeText = '';
  @api disabled = false;

  get className() {
    const small = this.size === 'small' ? ' slds-button_icon-small' : '';
    return `slds-button slds-button_icon slds-button_icon-${this.variant}${small}`;
  }

  get link() {
    return `/slds/utility.svg#${this.iconName.replace('utility:', '')}`;
  }

  @api focus() {
    this.template.querySelector('button').focus();
  }
}
