/**
 * Who a person is to us: a telephone number. Owns finding a number in what we keep, however it was written, and blanking it. Pure; must never
 * decide what is erased.
 */
import { type CallLog, type E164, parseEvent } from '@patchcord/call-protocol';
import { isNumber, searchForms } from '@patchcord/crm-adapters/relay';

export const blank = '[erased]';

/** Whether this call was with the person. A text is read as the tenant's country writes numbers. */
export function isWith(log: CallLog, number: E164, country: string): boolean {
  return isPerson(log.farSide, number, country);
}

/** Whether this is the person, as a network or a phone system names them. */
export function isPerson(
  party: { readonly number: string; readonly e164?: E164 | null | undefined },
  number: E164,
  country: string,
): boolean {
  if (party.e164 === number || isNumber(party.number, number, country)) return true;
  // A network hands numbers over in spellings that nobody would dial: 001… inside of America, a SIP address.
  const bare = party.number
    .replace(/^(?:sips?|tel):/i, '')
    .replace(/@.*$/, '')
    .trim();
  return new RegExp(`^(?:${mentionsOf(number).source})$`).test(bare);
}

/**
 * Finds a number in any text: with or without country code or trunk zero, with the usual punctuation between the digits. Digits of a longer
 * number are not taken for it; the same national number of another country may be, since a text seldom says which.
 */
export function mentionsOf(number: E164): RegExp {
  const { full, national, trunk } = searchForms(number);
  const between = '[\\s().\\-\\/\\u00a0]{0,3}';
  const spread = (digits: string): string => [...digits].join(between);
  const countryCode = full.slice(0, full.length - national.length);
  const trunkPrefix = trunk.endsWith(national) ? trunk.slice(0, trunk.length - national.length) : '';
  const before = [
    `(?:(?:\\+|00|011)${between})?${spread(countryCode)}${between}(?:\\(0\\)${between})?`,
    ...(trunkPrefix === '' ? [] : [`${spread(trunkPrefix)}${between}`]),
  ].join('|');
  return new RegExp(`(?<!\\d)\\(?(?:${before})?\\(?${spread(national)}(?!\\d)`, 'g');
}

/** Whether the text holds the number. */
export function holds(text: string, mentions: RegExp): boolean {
  mentions.lastIndex = 0;
  return mentions.test(text);
}

/** The text without the number. Text that is JSON stays JSON; where only a number may stand, the field goes. */
export function withoutPerson(text: string, mentions: RegExp): string {
  const value = json(text);
  return value === undefined ? text.replace(mentions, blank) : JSON.stringify(walk(value, mentions));
}

/** Whether an event can still be read after it was blanked; one that can't be is better gone. */
export function isReadable(envelope: string): boolean {
  try {
    parseEvent(JSON.parse(envelope));
    return true;
  } catch {
    return false;
  }
}

function walk(value: unknown, mentions: RegExp): unknown {
  if (typeof value === 'string') return holds(value, mentions) ? withoutPerson(value, mentions) : value;
  if (typeof value === 'number') return holds(String(value), mentions) ? null : value;
  if (Array.isArray(value)) return value.map((item) => walk(item, mentions));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      // A field that must be a number can't be blank.
      .filter(([key, item]) => !(key === 'e164' && typeof item === 'string' && holds(item, mentions)))
      // Whose number it is goes with the number.
      .map(([key, item]) => [
        key.replace(mentions, blank),
        key === 'name' && isParty(value) && partyIs(value, mentions) ? blank : walk(item, mentions),
      ]),
  );
}

function isParty(value: object): value is { readonly number: string } {
  return 'number' in value && typeof value.number === 'string';
}

function partyIs(party: { readonly number: string; readonly e164?: unknown }, mentions: RegExp): boolean {
  return holds(party.number, mentions) || (typeof party.e164 === 'string' && holds(party.e164, mentions));
}

function json(text: string): object | undefined {
  if (!/^\s*[{[]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}
