/** Why a command was not carried out, or the phone did not come, in words for the agent: what happened, and what to do. Owns no decision. */
import type { CommandResult } from './phone.ts';

export const lost = (reason: string): CommandResult => ({ ok: false, code: 'line.not-ready', reason });
export const closed = 'This phone was closed. Open it again.';
export const noAnswer = 'The window that holds the phone does not answer. Look for it, or reload this page.';
export const ownerLeft = 'The window that held the phone was closed. Try again.';
export const noOwner = 'The phone window is not open. Open it, then try again.';
export const relayAway =
  'The phone is on another device, and the relay between the two can’t be reached. Try again in a moment, or use that device.';
export const takeLate = 'The phone did not come here in time. Try again.';
export const staysThere = (place: string): string =>
  `The phone stays on ${place}, which just took it. Try again to use it here.`;
export const framesApart =
  'This browser keeps the frames of the phone apart, so that this one can’t reach the phone window. Use the phone in its own window, or allow this site to keep data.';
