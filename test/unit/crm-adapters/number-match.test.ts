import { type E164, toE164 as strictE164 } from '@patchcord/call-protocol';
import { isExtension, isNumber, sameNumber, searchForms, toE164 } from '@patchcord/crm-adapters/relay';
import fc from 'fast-check';
import { getCountries, getExampleNumber } from 'libphonenumber-js/max';
import examples from 'libphonenumber-js/mobile/examples';
import { describe, expect, it } from 'vitest';
import { countryIn } from '../../../packages/crm-adapters/src/country-names.ts';

const example = fc
  .constantFrom(...getCountries())
  .map((country) => ({ country, number: getExampleNumber(country, examples) }))
  .filter((one) => one.number?.isValid() === true && one.number.number.length >= 8)
  // A few islands dial five digits at home: those are read as extensions, on purpose.
  .filter((one) => (one.number?.nationalNumber.length ?? 0) > 6);

describe('reading a number as a person typed it', () => {
  it.each([
    ['(415) 555-0101', 'US', '+14155550101'],
    ['415.555.0103', 'us', '+14155550103'],
    ['+1 (415) 555 0104', 'DE', '+14155550104'],
    ['tel:+14155550101', 'US', '+14155550101'],
    ['(415) 555-0101 x12', 'US', '+14155550101'],
    ['020 7946 0958', 'GB', '+442079460958'],
    ['+44 (0)20 7946 0958', 'US', '+442079460958'],
    ['0049 30 23125 007', 'DE', '+493023125007'],
    ['011 44 20 7946 0958', 'US', '+442079460958'],
    ['+493023125007', 'nowhere', '+493023125007'],
  ])('reads %s in %s as %s', (typed, country, e164) => {
    expect(toE164(typed, country)).toBe(e164);
  });

  it.each([
    ['200', 'US'],
    ['112', 'DE'],
    ['911', 'US'],
    ['', 'US'],
    ['anonymous', 'US'],
    ['1-800-FLOWERS', 'US'],
    ['555-0101', 'US'],
    ['020 7946 0958', 'nowhere'],
    ['4'.repeat(65), 'US'],
    ['+14155550101; +14155550102', 'US'],
  ])('does not guess at %s in %s', (typed, country) => {
    expect(toE164(typed, country)).toBeNull();
  });

  it('reads a national number of another country only when it is none at home', () => {
    const london = strictE164('+442079460958');
    expect(isNumber('020 7946 0958', london, 'US')).toBe(true);
    expect(isNumber('+44 20 7946 0958', london, 'US')).toBe(true);
    // (207) 946-0958 is complete in Maine: it is not the London number that has the same digits.
    expect(isNumber('(207) 946-0958', london, 'US')).toBe(false);
    expect(isNumber('(207) 946-0958', strictE164('+12079460958'), 'US')).toBe(true);
    expect(isNumber('030 23125007', london, 'US')).toBe(false);
  });

  it('never reads a local number as one of the caller’s country', () => {
    expect(isNumber('581-2345', strictE164('+3545812345'), 'US')).toBe(false);
    expect(isNumber('2345 6789', strictE164('+4523456789'), 'US')).toBe(false);
    expect(isNumber('+354 581 2345', strictE164('+3545812345'), 'US')).toBe(true);
    expect(isNumber('612 345 678', strictE164('+34612345678'), 'US')).toBe(true);
  });

  it('reads a text in the country of its record before any other', () => {
    const french = strictE164('+33612345678');
    const dutch = strictE164('+31612345678');
    expect(isNumber('06 12345678', french, 'US', 'NL')).toBe(false);
    expect(isNumber('06 12345678', dutch, 'US', 'NL')).toBe(true);
    expect(isNumber('581-2345', strictE164('+3545812345'), 'US', 'IS')).toBe(true);
    // Complete in neither the record's country nor at home: as if the record said nothing.
    expect(isNumber('020 7946 0958', strictE164('+442079460958'), 'US', 'US')).toBe(true);
  });

  it.each([
    ['Netherlands', 'NL'],
    [' the netherlands ', 'NL'],
    ['Nederland', 'NL'],
    ['nl', 'NL'],
    ['Deutschland', 'DE'],
    ['España', 'ES'],
    ['Espana', 'ES'],
    ['USA', 'US'],
    ['U.S.A.', 'US'],
    ['United States', 'US'],
    ['UK', 'GB'],
    ['England', 'GB'],
    ['Côte d’Ivoire', 'CI'],
    ['Türkiye', 'TR'],
    ['日本', 'JP'],
    ['', null],
    ['Atlantis', null],
    ['zz', null],
    ['x'.repeat(5_000), null],
  ])('reads the country "%.20s" as %s', (name, code) => {
    expect(countryIn(name)).toBe(code);
  });

  it('reads several numbers of one field, and never makes one of two ends', () => {
    const is = (text: string, number: string, country = 'US') => isNumber(text, strictE164(number), country);
    expect(is('415 555 0133 / 415 555 0134', '+14155550133')).toBe(true);
    expect(is('415 555 0133 / 415 555 0134', '+14155550134')).toBe(true);
    expect(is('415-555-0133; (415) 555-0134 or 415.555.0135', '+14155550135')).toBe(true);
    expect(is('415 555 0133 / 0134', '+14155550133')).toBe(true);
    expect(is('415 555 0133 / 0134', '+14155550134')).toBe(false);
    // One number in two parts: the second alone would be somebody in Dortmund.
    expect(is('030 / 23125007', '+493023125007', 'DE')).toBe(true);
    expect(is('030 / 23125007', '+4923125007', 'DE')).toBe(false);
    expect(is('030 23125007 / 23125008', '+4923125008', 'DE')).toBe(false);
  });

  it('reads the ways out of other countries, and Mexico as it was until 2019', () => {
    expect(toE164('0044 20 7946 0958', 'US')).toBe('+442079460958');
    expect(toE164('001 415 555 0101', 'US')).toBe('+14155550101');
    expect(toE164('+52 1 55 1234 5678', 'MX')).toBe('+525512345678');
    expect(toE164('01 55 1234 5678', 'MX')).toBe('+525512345678');
    expect(toE164('0000 1234', 'US')).toBeNull();
  });

  it('knows an extension before it parses anything', () => {
    for (const text of ['1', '101', '112', ' 4711 ', '123456']) expect(isExtension(text)).toBe(true);
    for (const text of ['', '1234567', '+101', '10a', '1 0 1']) expect(isExtension(text)).toBe(false);
    expect(sameNumber('101', '101', 'US')).toBe(false);
  });

  it('reads every printed form of every country’s example back to the same number', () => {
    fc.assert(
      fc.property(
        example,
        fc.constantFrom('formatNational', 'formatInternational', 'getURI'),
        ({ country, number }, form) => {
          const printed = number?.[form as 'formatNational' | 'formatInternational' | 'getURI']() ?? '';
          expect(toE164(printed, country), `${country} ${printed}`).toBe(number?.number);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('never takes two different numbers for one', () => {
    fc.assert(
      fc.property(example, example, (one, other) => {
        fc.pre(one.number?.number !== other.number?.number);
        expect(sameNumber(one.number?.number ?? '', other.number?.number ?? '', one.country)).toBe(false);
      }),
    );
  });

  it('answers null or a number in strict E.164 for any text at all', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom('US', 'GB', 'DE', '??'), (text, country) => {
        const number = toE164(text, country);
        if (number !== null) expect(strictE164(number)).toBe(number);
      }),
    );
  });
});

describe('the spellings to search for', () => {
  it('has the trunk form of a country that dials one', () => {
    expect(searchForms('+442079460958' as E164)).toEqual({
      e164: '+442079460958',
      full: '442079460958',
      national: '2079460958',
      trunk: '02079460958',
      international: '00442079460958',
      printed: '020 7946 0958',
      others: ['4402079460958', '02079460958', '011442079460958'],
    });
  });

  it('has digits even for a number no country knows', () => {
    expect(searchForms('+99912345678' as E164)).toMatchObject({ full: '99912345678', national: '99912345678' });
  });
});
