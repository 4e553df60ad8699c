/** Stands in for `lightning-icon`: a symbol of the design system's sprites. */
import { api, LightningElement } from 'lwc';

export default class Icon extends LightningElement {
  @api iconName = '';
  @api size = 'medium';
  @api alternativeText = '';

  get parts() {
    const [sprite = 'utility', symbol = ''] = this.iconName.split(':');
    return { sprite, symbol };
  }

  get isShown() {
    return this.parts.symbol !== '';
  }

  get link() {
    return `/slds/${this.parts.sprite}.svg#${this.parts.symbol}`;
  }

  get holderClass() {
    const { sprite, symbol } = this.parts;
    return sprite === 'utility'
      ? 'slds-icon_container'
      : `slds-icon_container slds-icon-${sprite}-${symbol.replaceAll('_', '-')}`;
  }

  get svgClass() {
    const colour = this.parts.sprite === 'utility' ? 'slds-icon-text-default' : '';
    return `slds-icon slds-icon_${this.size} ${colour}`;
  }
}
