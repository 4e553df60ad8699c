/**
 * Where an agent may call. Owns the reading of dialled digits into an E.164 number, and the decision about it; `deploy/kamailio` carries out
 * the same steps in the same order from what `edge-rules.ts` sends there. Must never read a number more kindly than a PBX might: what can be
 * read in two ways is refused unless it is plain.
 */
import metadata from 'libphonenumber-js/max/metadata';
import { type DigitPattern, digitPattern } from './digit-pattern.ts';
import { forwardedTo, freeCodeLength, isOwn, type OwnNumbers } from './own-numbers.ts';

export interface NumberingPlan {
  /** Country of digits without a country code. */
  readonly country: string;
  readonly countries: readonly string[];
  readonly allowedPrefixes: readonly string[];
  readonly refusedPrefixes: readonly string[];
  readonly emergencyNumbers: readonly string[];
  readonly outsideLine: string;
  readonly internalDigits: readonly number[];
  readonly numberForm: 'as-dialled' | 'e164';
  /** What the phone system takes for its own beyond extensions and short codes. */
  readonly own?: OwnNumbers | undefined;
}

/** All that a decision needs, as lists of prefixes: short enough to be sent to an edge, plain enough to be compared there. */
export interface Destinations {
  /** Numbers (E.164 digits) that begin with one of these are allowed. */
  readonly allowed: readonly string[];
  /** `<digits in all>.<country code>`: how long a number of that country may be. */
  readonly lengths: readonly string[];
  /** Begin premium, shared-cost and personal numbers; only says why a call is refused. */
  readonly premium: readonly string[];
  /** Dialled before a country code. */
  readonly international: readonly string[];
  readonly callingCode: string;
  /** Dialled before a national number; empty where national numbers stand for themselves. */
  readonly trunk: string;
  /** Whether a national number may come without `trunk` (North America). */
  readonly trunkOptional: boolean;
  readonly emergencyNumbers: readonly string[];
  readonly outsideLine: string;
  readonly internalDigits: readonly number[];
  readonly numberForm: 'as-dialled' | 'e164';
  /** Absent where there is nothing: the lists then have the name they had before there was such a thing. */
  readonly own?: OwnNumbers;
}

export type Judgement =
  | { readonly kind: 'emergency' | 'internal' | 'name' }
  | { readonly kind: 'allowed'; readonly e164: string }
  | { readonly kind: 'refused'; readonly why: Refusal; readonly e164: string | null };

/** Why a destination is refused; `refusals` says it in words. */
export type Refusal = 'country' | 'premium' | 'satellite' | 'not-plain' | 'short-code' | 'incomplete' | 'service-code';

/** The words the edge puts into its answer and the panel shows. */
export const refusals: Readonly<Record<Refusal, string>> = {
  country: 'Calls to this country are not allowed',
  premium: 'Calls to premium-rate numbers are not allowed',
  satellite: 'Calls to satellite and international networks are not allowed',
  'not-plain': 'This number cannot be read, dial plain digits',
  'short-code': 'Calls to this short number are not allowed',
  incomplete: 'Dial with + and the country code',
  'service-code': 'This service code is not allowed',
};

/** Satellite and international networks, and what is billed like them (ITU-T E.164 assigned codes): no country, prices of their own. */
export const networkCodes: readonly string[] = ['870', '878', '881', '882', '883', '888', '979'];

/** Police, fire and ambulance around the world; three digits that are free or nearly so everywhere. */
export const usualEmergencyNumbers: readonly string[] = [
  ...['000', '100', '101', '102', '103', '104', '108', '110', '111', '112', '113', '114', '115', '116', '117', '118'],
  ...['119', '120', '122', '123', '133', '144', '150', '155', '158', '190', '191', '192', '193', '195', '197', '198'],
  ...['199', '911', '933', '988', '995', '997', '998', '999', '116117', '116111'],
];

/** Codes in the order of libphonenumber's type list. */
const types = [
  'fixed',
  'mobile',
  'toll-free',
  'premium',
  'personal',
  'voicemail',
  'uan',
  'pager',
  'voip',
  'shared-cost',
] as const;
type NumberType = (typeof types)[number];
const plain: ReadonlySet<NumberType> = new Set(['fixed', 'mobile', 'toll-free', 'uan', 'voip']);

interface CountryPlan {
  readonly callingCode: string;
  readonly international: string;
  readonly trunk: string;
  readonly lengths: readonly number[];
  readonly patterns: ReadonlyMap<NumberType, DigitPattern>;
}

type RawCountry = readonly unknown[];
const all = metadata as unknown as {
  readonly country_calling_codes: Readonly<Record<string, readonly string[]>>;
  readonly countries: Readonly<Record<string, RawCountry>>;
};
const plans = new Map<string, CountryPlan | null>();

function planOf(country: string): CountryPlan | null {
  const known = plans.get(country);
  if (known !== undefined) return known;
  const raw = all.countries[country];
  const made = raw === undefined ? null : readPlan(raw);
  plans.set(country, made);
  return made;
}

function readPlan(raw: RawCountry): CountryPlan {
  const patterns = new Map<NumberType, DigitPattern>();
  for (const [index, entry] of ((raw[11] ?? []) as readonly unknown[]).entries()) {
    const type = types[index];
    const source = Array.isArray(entry) ? entry[0] : undefined;
    if (type !== undefined && typeof source === 'string' && source !== '') patterns.set(type, digitPattern(source));
  }
  return {
    callingCode: String(raw[0]),
    international: String(raw[1]),
    trunk: typeof raw[5] === 'string' ? raw[5] : '',
    lengths: raw[3] as readonly number[],
    patterns,
  };
}

/** National digits that still have to be looked at before a range counts as premium or foreign. */
const deepest = 5;

/**
 * Works out the lists for a plan.
 * @throws Error for a country that the number metadata does not know; the configuration checks that before
 */
export function destinationsOf(plan: NumberingPlan): Destinations {
  const home = planOf(plan.country);
  if (home === null) throw new Error(`The number metadata knows no country ${plan.country}.`);
  const countries = new Set(plan.countries.filter((country) => planOf(country) !== null));
  const codes = new Set([...countries].map((country) => planOf(country)?.callingCode ?? ''));
  const allowed: string[] = [];
  const premium: string[] = [];
  const lengths = new Set<string>();
  for (const code of codes) {
    const members = all.country_calling_codes[code] ?? [];
    const own = members
      .flatMap((country) => (countries.has(country) ? [planOf(country)] : []))
      .filter((one) => one !== null);
    const first = members.findIndex((country) => countries.has(country));
    const others = (from: number, to: number) =>
      members
        .slice(from, to)
        .flatMap((country) => (countries.has(country) ? [] : [planOf(country)]))
        .filter((one) => one !== null);
    const found = split(own, others(0, Math.max(0, first)), others(Math.max(0, first), members.length));
    allowed.push(...found.allowed.map((digits) => `${code}${digits}`));
    premium.push(...found.premium.map((digits) => `${code}${digits}`));
    for (const one of own) for (const length of one.lengths) lengths.add(`${length + code.length}.${code}`);
  }
  const given = [...plan.allowedPrefixes, ...plan.refusedPrefixes];
  for (const prefix of plan.allowedPrefixes) {
    for (let length = prefix.length; length <= 15; length += 1) lengths.add(`${length}.${prefix}`);
  }
  return {
    allowed: withGiven(allowed, plan.allowedPrefixes, plan.refusedPrefixes, given).sort(),
    lengths: [...lengths].sort(),
    premium: premium.sort(),
    international: [...new Set(['00', ...digitPattern(home.international.replaceAll('~', '')).matches(64)])].sort(),
    callingCode: home.callingCode,
    trunk: home.trunk,
    trunkOptional: home.trunk !== '' && home.trunk === home.callingCode,
    emergencyNumbers: plan.emergencyNumbers,
    outsideLine: plan.outsideLine,
    internalDigits: plan.internalDigits,
    numberForm: plan.numberForm,
    ...(plan.own === undefined ? {} : { own: plan.own }),
  };
}

interface Ranges {
  readonly allowed: readonly string[];
  readonly premium: readonly string[];
}

/** Walks the digits of one country code until each range is all allowed or all refused. What nobody was given is refused: it is where stolen calls go. */
function split(own: readonly CountryPlan[], before: readonly CountryPlan[], behind: readonly CountryPlan[]): Ranges {
  const can = (plan: CountryPlan, digits: string, fits: (type: NumberType) => boolean): boolean =>
    [...plan.patterns].some(([type, pattern]) => fits(type) && pattern.canBegin(digits));
  const walk = (digits: string): Ranges => {
    const good = own.some((plan) => can(plan, digits, (type) => plain.has(type)));
    const costly = own.some((plan) => can(plan, digits, (type) => !plain.has(type)));
    // A number belongs to the first country of its code that knows it: the ones before ours can claim what ours knows, too.
    const claimed = before.some((plan) => can(plan, digits, (type) => type !== 'toll-free'));
    const mixed = behind.some((plan) => can(plan, digits, (type) => type !== 'toll-free'));
    if (!good) return { allowed: [], premium: costly ? [digits] : [] };
    if (!costly && !claimed && (!mixed || digits.length >= deepest)) return { allowed: [digits], premium: [] };
    if (digits.length >= deepest) return { allowed: [], premium: costly ? [digits] : [] };
    const parts = [...'0123456789'].map((digit) => walk(`${digits}${digit}`));
    const allowed = parts.flatMap((part) => part.allowed);
    const premium = parts.flatMap((part) => part.premium);
    const whole = (list: readonly string[]) =>
      list.length === 10 && list.every((one) => one.length === digits.length + 1);
    return { allowed: whole(allowed) ? [digits] : allowed, premium: whole(premium) ? [digits] : premium };
  };
  return walk('');
}

/** Lays the operator's prefixes over the list, so that "begins with one of these" stays the whole rule: a refused one inside an allowed range splits it. */
function withGiven(
  allowed: readonly string[],
  more: readonly string[],
  less: readonly string[],
  given: readonly string[],
): string[] {
  const verdict = (digits: string): boolean => {
    const longest = given.filter((one) => digits.startsWith(one)).sort((a, b) => b.length - a.length)[0];
    if (longest !== undefined) return !less.includes(longest) && more.includes(longest);
    return allowed.some((one) => digits.startsWith(one));
  };
  const result: string[] = [];
  const walk = (digits: string): void => {
    const below = [...given, ...allowed].some((one) => one.length > digits.length && one.startsWith(digits));
    if (!below) {
      if (verdict(digits)) result.push(digits);
      return;
    }
    // Whole ranges without anything special in them stay one entry.
    const special = given.some((one) => one.length > digits.length && one.startsWith(digits));
    if (!special && verdict(digits)) {
      result.push(digits);
      return;
    }
    for (let digit = 0; digit < 10; digit += 1) walk(`${digits}${digit}`);
  };
  for (let digit = 1; digit < 10; digit += 1) walk(`${digit}`);
  return result;
}

/** Reads what was dialled (the user part of a SIP address) and decides. */
export function judge(rules: Destinations, dialled: string): Judgement {
  const text = unescaped(dialled).replace(/[-. ()]/g, '');
  if (!/^[\w+*#~!=]+$/.test(text)) return refused('not-plain');
  // A name; but one that begins like a number might be cut to it by a PBX.
  if (/[^0-9+*#]/.test(text)) return /^(?:[+*#]|\d{7})/.test(text) ? refused('not-plain') : { kind: 'name' };
  if (isEmergency(rules, text)) return { kind: 'emergency' };
  if (isInside(rules, text)) return { kind: 'internal' };
  const target = forwardedTo(rules.own, text);
  // What is called in the end is what is judged; an emergency is nothing to forward to.
  if (target !== null) return forwarded(rules, target);
  if (/^[*#]/.test(text)) return text.length <= freeCodeLength ? { kind: 'internal' } : refused('service-code');
  return /^\+?\d+$/.test(text) ? toOutside(rules, text) : refused('not-plain');
}

function forwarded(rules: Destinations, target: string): Judgement {
  const number = /^(\+?\d+)#?$/.exec(target)?.[1];
  if (number === undefined) return refused('service-code');
  if (isInside(rules, number)) return { kind: 'internal' };
  return isEmergency(rules, number) ? refused('service-code') : toOutside(rules, number);
}

function isEmergency(rules: Destinations, text: string): boolean {
  return rules.emergencyNumbers.includes(text) || rules.emergencyNumbers.includes(withoutOutsideLine(rules, text));
}

function isInside(rules: Destinations, text: string): boolean {
  return (/^\d+$/.test(text) && rules.internalDigits.includes(text.length)) || isOwn(rules.own, text);
}

function withoutOutsideLine({ outsideLine }: Destinations, text: string): string {
  return text.startsWith(outsideLine) ? text.slice(outsideLine.length) : text;
}

/** @param text digits, `+` before them or not */
function toOutside(rules: Destinations, text: string): Judgement {
  const digits = toInternational(rules, withoutOutsideLine(rules, text));
  if (typeof digits !== 'string') return digits;
  const long = `${digits.length}.${digits}`;
  if (rules.allowed.some((prefix) => digits.startsWith(prefix)) && rules.lengths.some((one) => long.startsWith(one))) {
    return { kind: 'allowed', e164: `+${digits}` };
  }
  if (networkCodes.some((code) => digits.startsWith(code))) return refused('satellite', digits);
  return refused(rules.premium.some((prefix) => digits.startsWith(prefix)) ? 'premium' : 'country', digits);
}

/** E.164 digits of dialled digits that have lost their separators, or why they can't be read. */
function toInternational(rules: Destinations, text: string): string | Judgement {
  if (text.startsWith('+')) return text.slice(1);
  for (let length = 7; length >= 2; length -= 1) {
    if (rules.international.includes(text.slice(0, length))) return text.slice(length);
  }
  if (text.length <= 6) return refused('short-code');
  if (rules.trunk === '') return `${rules.callingCode}${text}`;
  if (text.startsWith(rules.trunk)) return `${rules.callingCode}${text.slice(rules.trunk.length)}`;
  if (rules.trunkOptional) return `${rules.callingCode}${text}`;
  // Without the trunk prefix it is a local number or one with its country code: only the second can be judged.
  return rules.allowed.some((prefix) => text.startsWith(prefix)) ? text : refused('incomplete');
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '%';
  }
}

function refused(why: Refusal, digits?: string): Judgement {
  return { kind: 'refused', why, e164: digits === undefined ? null : `+${digits}` };
}
