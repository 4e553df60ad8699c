/** The panel's own reader of numbering plans says what libphonenumber says, of real numbers and of what people mistype. */

import parsePhoneNumber, { validatePhoneNumberLength } from 'libphonenumber-js/core';
import { type CountryCode, getCountries, getExampleNumber, type MetadataJson } from 'libphonenumber-js/max';
import metadata from 'libphonenumber-js/min/metadata';
import examples from 'libphonenumber-js/mobile/examples';
import { expect, it } from 'vitest';
import { readNumberingPlans } from '../../../packages/softphone-ui/src/numbering-plan.ts';
import { numberMetadata } from '../../../server/src/number-metadata.ts';

const world = numberMetadata(getCountries());
const plans = readNumberingPlans(world);
const library = world as unknown as MetadataJson;

/** A small generator with a seed (Park and Miller), so that every run asks the same. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

const problems: Readonly<Record<string, string>> = {
  TOO_SHORT: 'too-short',
  TOO_LONG: 'too-long',
  INVALID_LENGTH: 'no-such-length',
};

function libraryOn(digits: string, defaultCountry: CountryCode) {
  const parsed = parsePhoneNumber(digits, { defaultCountry, extract: false }, library);
  const length = validatePhoneNumberLength(digits, { defaultCountry }, library);
  if (parsed === undefined) return problems[length ?? ''] ?? null;
  return {
    number: parsed.number,
    country: parsed.country,
    valid: parsed.isValid(),
    lengthProblem: problems[length ?? ''] ?? null,
    national: parsed.formatNational(),
    international: parsed.formatInternational(),
  };
}

function oursOn(digits: string, country: string) {
  const parsed = plans?.parse(digits, country) ?? null;
  if (parsed === null || typeof parsed === 'string') return parsed;
  const { number, valid, lengthProblem } = parsed;
  return {
    number,
    country: parsed.country,
    valid,
    lengthProblem,
    national: parsed.formatNational(),
    international: parsed.formatInternational(),
  };
}

/** Numbers of a country as somebody there, somebody abroad and somebody in a hurry types them. */
function* typedIn(country: CountryCode, any: (below: number) => number): Generator<string> {
  const example = getExampleNumber(country, examples);
  if (example === undefined) return;
  const { countryCallingCode: code, nationalNumber } = example;
  const [, wayOut = '00', , , , prefix] = (library.countries[country] ?? []) as unknown as readonly string[];
  const plainWayOut = /^\d+$/.test(wayOut) ? wayOut : '00';
  for (let n = 0; n < 24; n += 1) {
    const digits = [...nationalNumber];
    // The last digits are any, in the end all of them are; now and then one too many or too few.
    for (let at = Math.max(0, digits.length - 2 - n); at < digits.length; at += 1) digits[at] = String(any(10));
    const national = n % 5 === 3 ? digits.slice(0, -1).join('') : digits.join('') + (n % 5 === 4 ? any(10) : '');
    yield `+${code}${national}`;
    yield national;
    yield `${prefix || '0'}${national}`;
    yield `${plainWayOut}${code}${national}`;
    yield `${code}${national}`;
  }
  for (const odd of [
    '',
    '1',
    '12',
    '+1',
    '+',
    `+${code}`,
    `+${code}0`,
    `+0${code}123`,
    '+999123456',
    '112',
    '0'.repeat(18),
  ])
    yield odd;
  yield `+${code}${'1234567890'.repeat(2)}`;
}

it('says of 30,000 numbers typed in every country what libphonenumber says of them', () => {
  const any = chance(7);
  const different: unknown[] = [];
  let asked = 0;
  for (const country of getCountries())
    for (const digits of typedIn(country, any)) {
      asked += 1;
      const [ours, theirs] = [oursOn(digits, country), libraryOn(digits, country)];
      if (JSON.stringify(ours) !== JSON.stringify(theirs)) different.push({ digits, country, ours, theirs });
    }
  expect(asked).toBeGreaterThan(25_000);
  expect(different.slice(0, 3), `${different.length} are different`).toEqual([]);
});

it('takes nothing that is not metadata it understands', () => {
  expect(readNumberingPlans({})).toBeNull();
  expect(readNumberingPlans({ ...world, version: 5 })).toBeNull();
  expect(readNumberingPlans({ ...world, countries: null })).toBeNull();
  expect(readNumberingPlans({ ...world, country_calling_codes: 'codes' })).toBeNull();
  expect((metadata as { version: unknown }).version, 'the library that the relay cuts from').toBe(4);
});
