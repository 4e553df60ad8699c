/** Stands in for `lightning-click-to-dial`: a number that is a link once the phone has enabled click-to-dial. */
import { api, LightningElement } from 'lwc';

export default class ClickToDial extends LightningElement {
  @api value = '';
  @api recordId = '';

  enabled = document.body.dataset.clickToDial === 'enabled';

  connectedCallback() {
    this.follow = () => {
      this.enabled = document.body.dataset.clickToDial === 'enabled';
    };
    window.addEventListener('sandbox-click-to-dial', this.follow);
  }

  disconnectedCallback() {
    window.removeEventListener('sandbox-click-to-dial', this.follow);
  }

  get isOff() {
    return !this.enabled;
  }

  get title() {
    return this.enabled ? `Call ${this.value}` : 'Click to dial is disabled until the phone is ready';
  }

  handleClick() {
    window.dispatchEvent(
      new CustomEvent('sandbox-dial', { detail: { number: this.value, recordId: this.recordId ?? '' } }),
    );
  }
}
