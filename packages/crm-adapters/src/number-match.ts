/**
 * Owns the question "is this the same telephone number?" on the relay side: reads what people typed, and answers in E.164.
 * A CRM's search only finds candidates; `toE164` of each candidate decides. Must never reach the panel (the metadata is large)
 * and must never guess: what is not a valid number is null, never "probably".
 */
import type { E164 } from '@patchcord/call-protocol';
import {
  type CountryCode,
  isSupportedCountry,
  type PhoneNumber,
  parsePhoneNumberFromString,
} from 'libphonenumber-js/max';

/** Longest text that is read as a number; CRM phone fields hold 40 characters and may carry an extension. */
const longestText = 64;
/** ITU-T E.164 section 6.2.1: fewer digits than this is a local or internal number. */
const fewestDigits = 7;
/** Digits of a national number that is nobody's local number. */
const fewestAbroad = 9;

/**
 * The number in E.164, or null when the text is no complete telephone number (an extension, an emergency number, a vanity number, a
 * typing error). An extension behind the number is ignored: `(415) 555-0101 x12` is reached by dialling the number.
 * @param text as a person typed it or as a network gave it; `tel:` and `sip:` are taken off
 * @param country ISO 3166-1 alpha-2 country of a number without a country code
 */
export function toE164(text: string, country: string): E164 | null {
  const parsed = read(text, country);
  return parsed === null ? null : (parsed.number as string as E164);
}

/** Whether two texts are the same telephone number. Two extensions are never the same number: they belong to their PBX. */
export function sameNumber(one: string, other: string, country: string): boolean {
  const number = toE164(one, country);
  return number !== null && number === toE164(other, country);
}

/**
 * Whether a text that stands in a record is this number. A text without a country code is read in the record's own country, else at home:
 * where it is complete it is that number, whatever else it could be. One that is complete in neither is read in the country of the number
 * itself ("020 7946 0958" in a London contact of an American company), but only with a trunk zero or nine digits: "581-2345" is somebody's
 * local number, not one in Iceland. So digits of two countries are never mixed up.
 * @param country ISO 3166-1 alpha-2 home country of the tenant
 * @param ownCountry ISO 3166-1 alpha-2 country of the record, where that is known
 */
export function isNumber(text: string, number: E164, country: string, ownCountry: string | null = null): boolean {
  for (const where of [ownCountry, country]) {
    const complete = where === null ? [] : numbersIn(text, where);
    if (complete.length > 0) return complete.includes(number);
  }
  const { country: abroad, nationalNumber = '' } = parsePhoneNumberFromString(number) ?? {};
  if (abroad === undefined || (nationalNumber.length < fewestAbroad && !/^\D*0/.test(text))) return false;
  return numbersIn(text, abroad).includes(number);
}

/** What people put between two numbers of one field. A slash without spaces, as in `030/23125007`, belongs to one number. */
const betweenNumbers = /\s+\/\s+|\s*[;|\n]\s*|,\s+|\s+(?:or|and|oder|und|&)\s+/i;

/**
 * The numbers in one text, mostly one. Several are read only where the first is complete by itself (`030 / 23125007` is one number), and of
 * what follows only what is as long as a whole number: `415 555 0131 / 0132` ends in another number's last digits, which are none.
 */
function numbersIn(text: string, country: string): readonly E164[] {
  const [first = '', ...others] = text.length > longestText ? [] : text.split(betweenNumbers);
  const own = others.length === 0 ? null : read(first, country);
  if (own === null) {
    const whole = toE164(text, country);
    return whole === null ? [] : [whole];
  }
  const whole = others
    .filter((other) => other.replace(/\D/g, '').length >= own.nationalNumber.length)
    .map((other) => toE164(other, country));
  return [own.number as string as E164, ...whole.filter((one) => one !== null)];
}

/** Whether this can only be an internal number: one to six digits, nothing else. Decided before any parsing. */
export function isExtension(text: string): boolean {
  return /^\d{1,6}$/.test(text.trim());
}

/** The spellings under which a search index may hold one number. */
export interface SearchForms {
  /** `+14155550101` */
  readonly e164: string;
  /** Country code and national number: `14155550101`. */
  readonly full: string;
  /** National significant number: `4155550101`. */
  readonly national: string;
  /** As dialled inside the country, with its trunk prefix: `02079460958`; equal to `national` where there is none. */
  readonly trunk: string;
  /** International with the common `00` prefix: `00442079460958`. */
  readonly international: string;
  /** As printed inside the country: `(415) 555-0101`. */
  readonly printed: string;
  /** Digits of spellings that mix: `+44 (0)20 …` is `44020…`, dialled from America `01144…`, with a zero nobody needs `011 98765…`. */
  readonly others: readonly string[];
}

/**
 * How a number in E.164 may have been typed. Search for all of them: an index looks through punctuation, but not through country codes
 * and trunk zeros.
 */
export function searchForms(number: E164): SearchForms {
  const full = number.slice(1);
  const parsed = parsePhoneNumberFromString(number);
  if (parsed === undefined)
    return { e164: number, full, national: full, trunk: full, international: `00${full}`, printed: number, others: [] };
  const printed = parsed.formatNational();
  return {
    e164: number,
    full,
    national: parsed.nationalNumber,
    trunk: printed.replace(/\D/g, ''),
    international: `00${full}`,
    printed,
    others: mixedSpellings(parsed.countryCallingCode, parsed.nationalNumber),
  };
}

function mixedSpellings(code: string, national: string): readonly string[] {
  if (code === '1') return [];
  const withZero = national.startsWith('0') ? [] : [`${code}0${national}`, `0${national}`];
  // Until 2019 a Mexican mobile was reached from abroad with a 1, and everybody inside the country with 01.
  const mexican = code === '52' ? [`521${national}`, `01${national}`] : [];
  return [...withZero, ...mexican, `011${code}${national}`];
}

function read(text: string, country: string): PhoneNumber | null {
  const bare = text.trim().replace(/^(tel|sips?):/i, '');
  if (bare === '' || bare.length > longestText || isExtension(bare)) return null;
  const code = country.toUpperCase();
  const home: CountryCode | undefined = isSupportedCountry(code) ? code : undefined;
  const options = home === undefined ? {} : { defaultCountry: home };
  const parsed = parsePhoneNumberFromString(bare, options);
  if (parsed?.isValid()) return parsed.number.length > fewestDigits ? parsed : null;
  const repaired = fromOldMexico(bare, parsed?.number ?? '', code) ?? fromWayOut(bare);
  const again = repaired === null ? undefined : parsePhoneNumberFromString(repaired);
  return again?.isValid() ? again : null;
}

/** Mexico until 2019: a mobile had a 1 behind the country code, and everybody was dialled with 01, 044 or 045 inside the country. */
function fromOldMexico(text: string, number: string, country: string): string | null {
  if (/^\+521\d{10}$/.test(number)) return `+52${number.slice(4)}`;
  const inside = country === 'MX' ? /^0(?:1|44|45)(\d{10})$/.exec(text.replace(/\D/g, '')) : null;
  return inside === null ? null : `+52${inside[1]}`;
}

/** `0044 …` is written in countries whose own way out is another one. */
function fromWayOut(text: string): string | null {
  return /^[\s(]*00\s*[1-9]/.test(text) ? text.replace(/00/, '+') : null;
}
