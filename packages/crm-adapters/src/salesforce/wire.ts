/**
 * Owns the reading of what comes from Salesforce's page (Salesforce contract, sections 1.4 and 1.5). Everything is untrusted and leaves here
 * checked, or as null. Functions only, so that the panel's bundle holds no more than it uses. Must never call Open CTI (opencti.ts does).
 */
import type { RecordRef } from '@patchcord/call-protocol';
import type { DialRequest } from '../panel-contract.ts';

/** What one Open CTI call came to. */
export type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string };

/** `{ success, returnValue, errors }`; two pages of the documentation spell the last one `error`, old code sends texts. */
export function readOutcome(response: unknown): Outcome {
  const answer = objectOf(response);
  if (answer.success === true) return { ok: true, value: answer.returnValue };
  const errors = answer.errors ?? answer.error;
  const first: unknown = Array.isArray(errors) ? errors[0] : errors;
  const { code, description } = objectOf(first);
  const said =
    typeof first === 'string' ? first : [code, description].filter((part) => typeof part === 'string').join(': ');
  return { ok: false, reason: said.slice(0, 300) || 'no reason given' };
}

/** The call centre's items by path ("/section/item"), or null for what is not such a map. */
export function readSettings(value: unknown): ReadonlyMap<string, string> | null {
  if (Array.isArray(value)) return null;
  const items = Object.entries(objectOf(value)).filter(
    (item): item is [string, string] => item[0].startsWith('/') && typeof item[1] === 'string',
  );
  return items.length === 0 ? null : new Map(items.slice(0, 500));
}

/** The first whole number in a setting ("560", "560.0", "560 (tel:560)"), within its bounds; null when there is none. */
export function readPixels(setting: string | undefined, least: number, most: number): number | null {
  const digits = /\d{1,6}/.exec(setting ?? '')?.[0];
  return digits === undefined ? null : Math.min(most, Math.max(least, Number(digits)));
}

/**
 * A click on a number. The number is as typed in the record, with whatever follows it; the record is the one the number stands on; `params` is
 * what the component on the page added.
 */
export function readClick(payload: unknown): DialRequest | null {
  const { number, params } = objectOf(payload);
  const typed = typeof number === 'string' || typeof number === 'number' ? String(number).trim() : '';
  if (typed === '' || typed.length > 128) return null;
  const record = readShown(payload);
  const added = typeof params === 'string' ? params.slice(0, 1_000) : '';
  return { number: typed, ...(record === null ? {} : { record }), ...(added === '' ? {} : { params: added }) };
}

/** The record a page shows, or null when it shows none. A person account is called by its contact: a Task takes no other. */
export function readShown(payload: unknown): RecordRef | null {
  const view = objectOf(payload);
  const person = view.personAccount === true && isId(view.contactId);
  const id = person ? view.contactId : view.recordId;
  const object = person ? 'Contact' : view.objectType;
  if (!isId(id) || typeof object !== 'string' || !/^\w{1,80}$/.test(object)) return null;
  const name = typeof view.recordName === 'string' ? view.recordName.slice(0, 255) : '';
  return { crm: 'salesforce', object, id: longId(id), ...(name === '' ? {} : { name }) };
}

/** The assertion out of what `runApex` returned: `{ runApex: '{"assertion":"…"}' }`. */
export function readAssertion(value: unknown): string | null {
  const { runApex } = objectOf(value);
  let answer: unknown = runApex;
  if (typeof runApex === 'string')
    try {
      answer = JSON.parse(runApex);
    } catch {
      return null;
    }
  const { assertion } = objectOf(answer);
  return typeof assertion === 'string' && assertion !== '' && assertion.length <= 8_192 ? assertion : null;
}

/** 15 or 18 letters and digits. */
export function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$/.test(value);
}

/**
 * An id with its suffix, as the API gives it: one letter for every five characters says which of them are capitals, so that ids differ where
 * case does not count.
 */
export function longId(id: string): string {
  if (id.length !== 15) return id;
  const suffix = [0, 5, 10].map((start) => {
    const capitals = [...id.slice(start, start + 5)].reduce(
      (bits, character, place) => (/[A-Z]/.test(character) ? bits + 2 ** place : bits),
      0,
    );
    return 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345'[capitals];
  });
  return id + suffix.join('');
}

/** The fields of anything; none when it is no object. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
