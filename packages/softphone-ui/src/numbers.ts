/**
 * Telephone numbers as the panel meets them: from what a person typed to what is dialled, from what the line says to what is shown.
 * Owns the order of decisions: feature codes, short and emergency numbers and extensions first, the numbering plan after. A parse counts
 * only when the number is valid in its country: `200` would parse to +1200. Must never guess a country that nobody named.
 */
import { type E164, E164Schema, type Party, type Profile } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { type PlannedNumber, readNumberingPlans } from './numbering-plan.ts';
import { texts } from './texts.ts';

/** What a typed number turned out to be. `target` is the Request-URI's user part; `afterAnswer` are digits to send once answered. */
export type ReadNumber =
  | {
      readonly ok: true;
      readonly target: string;
      readonly e164: E164 | null;
      readonly display: string;
      readonly afterAnswer: string;
    }
  | { readonly ok: false; readonly reason: string };

export interface Numbers {
  /** Reads what a person or a page gave. `country` (ISO 3166-1 alpha-2) beats the profile's for a number without a country code. */
  read(typed: string, country?: string): ReadNumber;
  /** The number in E.164, or null when it is an extension, a short number, withheld, or not valid. */
  toE164(number: string, country?: string): E164 | null;
  /** A number for the eye: national inside the profile's country, international outside, as given when it is neither. */
  format(number: string): string;
  /** Who is on the far side, in one line: the name, else the number, else that it is withheld. */
  nameOf(party: Party): string;
  /** The number of the far side for the eye, or that it is withheld. */
  numberOf(party: Party): string;
}

/** Up to this many digits a number without "+" belongs to the PBX or the emergency services, not to a numbering plan. */
const shortNumberDigits = 6;
const featureCode = /^[*#][\d*#]{0,31}$/;
const withheldNames = new Set(['', 'anonymous', 'restricted', 'unavailable', 'unknown', 'private', 'withheld']);

/** Reads numbers by the rules of one profile. */
export function createNumbers(settings: Profile['numbers']): Numbers {
  const plans = readNumberingPlans(settings.metadata);
  const home = settings.country.toUpperCase();

  function parse(digits: string, country: string): PlannedNumber | null {
    try {
      const parsed = plans?.parse(digits, country);
      return typeof parsed === 'object' ? parsed : null;
    } catch {
      // Metadata that is not what it should be: then the number is taken as typed.
      return null;
    }
  }

  function read(typed: string, country = home): ReadNumber {
    const { main, afterAnswer } = splitAfterAnswer(stripUri(typed));
    const trimmed = main.trim();
    if (trimmed === '') return refuse(texts.numberEmpty);
    if (/\p{L}/u.test(trimmed)) return refuse(texts.numberLetters);
    const compact = toAsciiDigits(trimmed).replace(
      /[\s().\-/\u2010-\u2015\u2212\u00a0\u202a-\u202e\u2066-\u2069]/g,
      '',
    );
    if (featureCode.test(compact)) return accept(compact, null, compact, afterAnswer);
    if (!/^\+?\d+$/.test(compact)) return refuse(texts.numberCharacters);
    const international = compact.startsWith('+');
    if (!international && compact.length <= shortNumberDigits) return accept(compact, null, compact, afterAnswer);

    const zone = country.toUpperCase();
    const parsed = parse(compact, zone);
    // "0044…": the way out of the country, and then a number whose plan did not travel along.
    const abroad = international || parsed?.valid ? null : behindWayOut(compact, zone);
    if (abroad !== null) return read(`+${abroad}${afterAnswer}`, country);
    if (parsed?.valid) {
      const e164 = readE164(parsed.number);
      if (e164 !== null) return accept(e164, e164, format(e164), afterAnswer);
    }
    if (parsed === null && !refusedByPlan(compact, zone)) {
      // No numbering plan for this country travelled with the profile: digits as typed.
      const e164 = international ? readE164(compact) : null;
      if (e164 !== null) return accept(e164, e164, e164, afterAnswer);
      if (!international && compact.length <= 15) return accept(compact, null, compact, afterAnswer);
    }
    return refuse(whyInvalid(compact, zone));
  }

  /** What stands behind the digits with which one dials out of a country; null when it does not begin with them. */
  function behindWayOut(compact: string, zone: string): string | null {
    return new RegExp(`^(?:${plans?.wayOutOf(zone) ?? '00'})([1-9]\\d{6,14})$`).exec(compact)?.[1] ?? null;
  }

  /** Whether a numbering plan is at hand for this text and says no. */
  function refusedByPlan(compact: string, country: string): boolean {
    if (plans === null) return false;
    return compact.startsWith('+') ? plans.knowsCodeOf(compact) : plans.knows(country);
  }

  function whyInvalid(compact: string, country: string): string {
    if (plans === null) return texts.numberLength;
    const parsed = plans.parse(compact, country);
    if (parsed === null) return texts.numberUnknownCountry;
    const problem = typeof parsed === 'string' ? parsed : parsed.lengthProblem;
    if (problem === 'too-short') return texts.numberTooShort;
    if (problem === 'too-long' || digitCount(compact) > 15) return texts.numberTooLong;
    return compact.startsWith('+') ? texts.numberNotInPlan : texts.numberNotInCountry(country);
  }

  function toE164(number: string, country?: string): E164 | null {
    const result = read(number, country);
    return result.ok ? result.e164 : null;
  }

  function format(number: string): string {
    if (withheldNames.has(number.trim().toLowerCase())) return texts.withheldNumber;
    if (!number.startsWith('+') && digitCount(number) <= shortNumberDigits) return number;
    const parsed = parse(number.replaceAll(/[\s().\-/]/g, ''), home);
    if (!parsed?.valid) return number;
    return parsed.country === home ? parsed.formatNational() : parsed.formatInternational();
  }

  function numberOf(party: Party): string {
    return format(party.e164 ?? party.number);
  }

  function nameOf(party: Party): string {
    const name = party.name?.trim() ?? '';
    return withheldNames.has(name.toLowerCase()) || digitCount(name) === name.length ? numberOf(party) : name;
  }

  return { read, toE164, format, nameOf, numberOf };
}

function accept(target: string, e164: E164 | null, display: string, afterAnswer: string): ReadNumber {
  return { ok: true, target, e164, display, afterAnswer };
}

function refuse(reason: string): ReadNumber {
  return { ok: false, reason };
}

/** `tel:` (RFC 3966) and `sip:` prefixes and their parameters say nothing a person would type. */
function stripUri(text: string): string {
  const uri = /^\s*(?:tel|sip|sips|callto):([^;?]*)(.*)$/i.exec(text);
  if (uri === null) return text;
  const extension = /;ext=(\d+)/i.exec(uri[2] ?? '')?.[1];
  const number = decodeUri(uri[1] ?? '').split('@')[0] ?? '';
  return extension === undefined ? number : `${number},${extension}`;
}

function decodeUri(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** "+1 415 555 0100 x12", "… ext. 12" and "…,,12" ask for digits after the answer; each comma waits two seconds. */
function splitAfterAnswer(text: string): { main: string; afterAnswer: string } {
  const match = /^(.*?\d.*?)(?:\s*(?:extension|ext\.?|x|#)\s*(\d{1,12})|(,[\d*#,]+))\s*$/i.exec(text);
  if (match === null || featureCode.test(text.trim())) return { main: text, afterAnswer: '' };
  return { main: match[1] ?? '', afterAnswer: match[3] ?? `,${match[2] ?? ''}` };
}

function toAsciiDigits(text: string): string {
  return text
    .normalize('NFKC')
    .replace(/[\u0660-\u0669]/g, (digit) => String(digit.charCodeAt(0) - 0x0660))
    .replace(/[\u06f0-\u06f9]/g, (digit) => String(digit.charCodeAt(0) - 0x06f0))
    .replace(/[\u0966-\u096f]/g, (digit) => String(digit.charCodeAt(0) - 0x0966));
}

function digitCount(text: string): number {
  return text.replace(/\D/g, '').length;
}

function readE164(text: string): E164 | null {
  const result = v.safeParse(E164Schema, text);
  return result.success ? result.output : null;
}
