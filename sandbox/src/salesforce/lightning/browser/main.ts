/**
 * Owns putting Lightning components on the sandbox page: `window.lightning.create(name, properties)`. The entry of `/lightning.js`. Must
 * never know a record or a tab: the page does.
 */
import './design-system.ts';
import Board from 'c/patchcordBoard';
import CallHistory from 'c/patchcordCallHistory';
import LiveCall from 'c/patchcordLiveCall';
import Setup from 'c/patchcordSetup';
import { createElement } from 'lwc';

const components = {
  patchcordBoard: ['c-patchcord-board', Board],
  patchcordCallHistory: ['c-patchcord-call-history', CallHistory],
  patchcordLiveCall: ['c-patchcord-live-call', LiveCall],
  patchcordSetup: ['c-patchcord-setup', Setup],
} as const;

/** A component by its bundle's name, with its public properties set. */
function create(name: keyof typeof components, properties: Readonly<Record<string, unknown>>): HTMLElement {
  const [tag, is] = components[name];
  return Object.assign(createElement(tag, { is }), properties);
}

Object.assign(window, { lightning: { create } });
window.dispatchEvent(new CustomEvent('lightning-ready'));
