/**
 * Numbering plans as they travel in a profile: libphonenumber's metadata (the compact form of libphonenumber-js, version 4), read for what a panel asks: is this
 * a number, of which country, and how is it written. Takes digits with or without "+" only; what a person types is cleaned in numbers.ts. Must
 * answer as the library does (a test compares them), in a fifth of its weight; numbers of no country ("non-geographic") are left to the switch.
 */

/** One country's plan; the library's positions: [calling code, way out, number, lengths, formats, prefix, prefix rule, prefix when read, its rewriting, …] */
type Plan = readonly [
  code: string,
  wayOut: string | undefined,
  pattern: string,
  lengths?: readonly number[] | 0,
  formats?: readonly Format[] | 0,
  prefix?: string | 0,
  prefixRule?: string | 0,
  prefixWhenRead?: string | 0,
  rewriting?: string | 0,
  prefixOptional?: unknown,
  leadingDigits?: string | 0,
  types?: readonly (readonly [pattern: string, lengths?: readonly number[]] | 0)[] | 0,
];
type Format = readonly [
  pattern: string,
  national: string,
  leadingDigits?: readonly string[] | 0,
  prefixRule?: string | 0,
  prefixOptional?: unknown,
  international?: string | 0,
];
interface Metadata {
  readonly version: unknown;
  readonly countries: Readonly<Record<string, Plan>>;
  readonly country_calling_codes: Readonly<Record<string, readonly string[]>>;
}

/** A number that some plan is responsible for; it need not be one that is in use. */
export interface PlannedNumber {
  /** "+", calling code and digits. */
  readonly number: string;
  /** ISO 3166-1 alpha-2; undefined where countries share a calling code and none of them claims it. */
  readonly country: string | undefined;
  readonly valid: boolean;
  /** What its length says: null when some number of the country is as long. */
  readonly lengthProblem: LengthProblem | null;
  formatNational(): string;
  formatInternational(): string;
}

type LengthProblem = 'too-short' | 'too-long' | 'no-such-length';

interface NumberingPlans {
  knows(country: string): boolean;
  /** Whether `international` ("+…") begins with a calling code that is here. */
  knowsCodeOf(international: string): boolean;
  /** What one dials in `country` before a foreign number: a pattern. */
  wayOutOf(country: string): string;
  /** Reads "+" and digits, or digits as dialled in `country`; what is wrong when no plan can be asked, null when there is none. */
  parse(digits: string, country: string): PlannedNumber | LengthProblem | null;
}

const longestCode = 3;
const fewestDigits = 2;
const mostDigits = 17;

/** Takes what came with a profile; null when it is not metadata that is understood: then numbers stay as typed. */
export function readNumberingPlans(value: Readonly<Record<string, unknown>>): NumberingPlans | null {
  const { version, countries, country_calling_codes: codes } = value as unknown as Metadata;
  if (version !== 4 || typeof (countries ?? 0) !== 'object' || typeof (codes ?? 0) !== 'object') return null;

  const planOf = (country: string | undefined): Plan | undefined =>
    country !== undefined && Object.hasOwn(countries, country) ? countries[country] : undefined;
  const mainPlanOf = (code: string) => (Object.hasOwn(codes, code) ? planOf(codes[code]?.[0]) : undefined);

  function countryOf(code: string, national: string): string | undefined {
    const sharing = codes[code] ?? [];
    if (sharing.length === 1) return sharing[0];
    return sharing.find((country) => {
      const plan = planOf(country);
      return plan && (plan[10] ? begins(plan[10], national) : isOfSomeType(plan, national));
    });
  }

  /** Without the digit that is dialled before a number inside its country, where it is one. */
  function withoutPrefix(dialled: string, plan: Plan): string {
    const prefix = plan[7] || plan[5];
    const begin = new RegExp(`^(?:${prefix})`);
    const found = prefix && begin.exec(dialled);
    if (!found) return dialled;
    const rewritten = plan[8] && found.length > 1 && found.at(-1);
    const national = rewritten ? dialled.replace(begin, plan[8] || '') : dialled.slice(found[0].length);
    if (is(plan[2], dialled) && !is(plan[2], national)) return dialled;
    const problem = plan[3] && lengthProblem(national, planOf(countryOf(plan[0], national)) ?? plan);
    return problem && problem !== 'too-long' ? dialled : national;
  }

  /** The calling code that "+…" begins with, and the rest. */
  function splitCode(international: string): readonly [plan: Plan, rest: string] | null {
    for (let length = 1; length <= longestCode; length += 1) {
      const plan = mainPlanOf(international.slice(1, 1 + length));
      if (plan) return [plan, international.slice(1 + length)];
    }
    return null;
  }

  /** Dialled inside a country, and yet with the way out of it, or with its own calling code and no "+". */
  function splitDialled(dialled: string, plan: Plan): readonly [plan: Plan, rest: string] | null | undefined {
    const [code, wayOut] = plan;
    const out = wayOut && new RegExp(`^(?:${wayOut})`).exec(dialled)?.[0];
    if (out && dialled.length > out.length && dialled[out.length] !== '0')
      return splitCode(`+${dialled.slice(out.length)}`);
    if (!dialled.startsWith(code)) return undefined;
    const rest = dialled.slice(code.length);
    const national = withoutPrefix(dialled, plan);
    return (!is(plan[2], national) && is(plan[2], withoutPrefix(rest, plan))) ||
      lengthProblem(national, plan) === 'too-long'
      ? [mainPlanOf(code) ?? plan, rest]
      : undefined;
  }

  function parse(digits: string, country: string): PlannedNumber | LengthProblem | null {
    if (!/^(?:\d\d|\+?\d{3,})$/.test(digits)) return /^\+?\d/.test(digits) ? 'too-short' : null;
    const home = planOf(country);
    const split = digits[0] === '+' ? splitCode(digits) : home && splitDialled(digits, home);
    if (split === null || (!split && !home)) return null;
    const [plan, dialled] = split ?? [home as Plan, digits];
    const [code] = plan;
    const national = withoutPrefix(dialled, plan);
    const owner = countryOf(code, national) ?? (split ? undefined : country);
    if (national.length < fewestDigits) return 'too-short';
    if (national.length > mostDigits) return 'too-long';
    const own = planOf(owner) ?? plan;
    const main = mainPlanOf(code) ?? own;
    const format = (own[4] || main[4] || []).find(
      ([pattern, , leading]) => (!leading || begins(leading.at(-1) ?? '', national)) && is(pattern, national),
    );
    const written = (as: string) => (format ? national.replace(new RegExp(format[0]), as) : national);
    return {
      number: `+${code}${national}`,
      country: owner,
      valid: own[11] && own[11].length > 0 ? isOfSomeType(own, national) : is(own[2], national),
      lengthProblem: lengthProblem(national, own),
      formatNational() {
        const rule = format?.[3] || own[6] || main[6];
        return written(rule ? (format?.[1].replace(/(\$\d)/, rule) ?? '') : (format?.[1] ?? ''));
      },
      formatInternational: () =>
        `+${code} ${
          format
            ? written(format[5] || format[1])
                .replaceAll(/[-\s/.()[\]~]+/g, ' ')
                .trim()
            : national
        }`,
    };
  }

  return {
    knows: (country) => planOf(country) !== undefined,
    knowsCodeOf: (international) => splitCode(international) !== null,
    wayOutOf: (country) => planOf(country)?.[1] ?? '00',
    parse,
  };
}

function is(pattern: string, digits: string): boolean {
  return new RegExp(`^(?:${pattern})$`).test(digits);
}

function begins(pattern: string, digits: string): boolean {
  return new RegExp(`^(?:${pattern})`).test(digits);
}

/** Landline, mobile, toll-free …: where a country has its types here, a number is of one of the first ten. */
function isOfSomeType(plan: Plan, national: string): boolean {
  const types = plan[11] || [];
  return (
    is(plan[2], national) &&
    types.slice(0, 10).some((type) => {
      if (!type) return false;
      const [pattern, lengths = plan[3]] = type;
      return (!lengths || lengths.includes(national.length)) && pattern !== '' && is(pattern, national);
    })
  );
}

function lengthProblem(national: string, plan: Plan): LengthProblem | null {
  const lengths = plan[3];
  if (!lengths || lengths.includes(national.length)) return null;
  if (national.length < (lengths[0] ?? 0)) return 'too-short';
  return national.length > (lengths.at(-1) ?? 0) ? 'too-long' : 'no-such-length';
}
