/** Stands in for `lightning-card`: a title with an icon, actions beside it, and a body. */
import { api, LightningElement } from 'lwc';

export default class Card extends LightningElement {
  @api title = '';
  @api iconName = '';
}
