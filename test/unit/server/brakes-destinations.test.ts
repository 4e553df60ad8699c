import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  destinationsOf,
  judge,
  type NumberingPlan,
  usualEmergencyNumbers,
} from '../../../server/src/brakes/destinations.ts';
import { digitPattern } from '../../../server/src/brakes/digit-pattern.ts';

const plan = (change: Partial<NumberingPlan> = {}): NumberingPlan => ({
  country: 'US',
  countries: ['US'],
  allowedPrefixes: [],
  refusedPrefixes: [],
  emergencyNumbers: usualEmergencyNumbers,
  outsideLine: '',
  internalDigits: [4],
  numberForm: 'as-dialled',
  ...change,
});
const us = destinationsOf(plan());
const de = destinationsOf(plan({ country: 'DE', countries: ['DE'] }));
const why = (rules: typeof us, dialled: string) => {
  const judgement = judge(rules, dialled);
  return judgement.kind === 'refused' ? judgement.why : judgement.kind;
};

describe('digit patterns', () => {
  it('say what a number may begin with, as the regular expression decides it', () => {
    const source = '(?:2(?:0[1-35-9]|1[02-9])|8(?:00|33)?)[2-9]\\d{2,3}';
    const pattern = digitPattern(source);
    const whole = new RegExp(`^(?:${source})$`);
    fc.assert(
      fc.property(fc.stringMatching(/^\d{0,8}$/), (digits) => {
        if (!whole.test(digits)) return;
        for (let length = 0; length <= digits.length; length += 1)
          expect(pattern.canBegin(digits.slice(0, length))).toBe(true);
      }),
    );
    expect(pattern.canBegin('204')).toBe(false);
    expect(pattern.canBegin('9')).toBe(false);
    expect(digitPattern('00|0?11').matches(10)).toEqual(['00', '11', '011']);
  });

  it('refuse a language they do not know instead of guessing', () => {
    expect(() => digitPattern('1(?!2)3')).toThrow(/not understood/);
    expect(() => digitPattern('1+')).toThrow(/not understood/);
  });
});

describe('destinations', () => {
  it('allow the own country and refuse every other one, also behind the same country code', () => {
    expect(judge(us, '+14155550101')).toEqual({ kind: 'allowed', e164: '+14155550101' });
    for (const number of [
      '+18765550101',
      '+16135550101',
      '+12425550101',
      '+4930123456',
      '+37167123456',
      '+447712345678',
    ]) {
      expect(why(us, number)).toBe('country');
    }
    const both = destinationsOf(plan({ countries: ['US', 'JM'] }));
    expect(why(both, '+18765550101')).toBe('allowed');
    expect(why(both, '+12425550101')).toBe('country');
  });

  it('refuse premium, shared-cost and personal numbers of the own country', () => {
    expect(why(us, '+19005550101')).toBe('premium');
    const gb = destinationsOf(plan({ country: 'GB', countries: ['GB'] }));
    for (const number of ['+449098790000', '+447012345678', '+448712345678']) expect(why(gb, number)).toBe('premium');
    expect(why(gb, '+442071234567')).toBe('allowed');
    for (const number of ['+499001234567', '+491805123456', '+4913771234567']) expect(why(de, number)).toBe('premium');
  });

  it('refuse satellite and international networks by name', () => {
    for (const number of [
      '+881612345678',
      '+8821612345',
      '+883510000000',
      '+870772001234',
      '+979112345678',
      '+888123456789',
    ])
      expect(why(us, number)).toBe('satellite');
  });

  it('never refuse an emergency number, with or without the outside line, and let extensions through', () => {
    const withLine = destinationsOf(plan({ outsideLine: '9' }));
    for (const number of ['911', '9911', '112', '9112']) expect(why(withLine, number)).toBe('emergency');
    expect(why(us, '1001')).toBe('internal');
    expect(why(us, '*97')).toBe('internal');
    expect(why(us, 'reception')).toBe('name');
  });

  it('read what people dial in their country', () => {
    for (const number of ['030 123456', '(030) 12-34-56', '0049 30 123456', '+49 30 123456', '49 30 123456'])
      expect(judge(de, number)).toEqual({ kind: 'allowed', e164: '+4930123456' });
    for (const number of ['4155550101', '14155550101', '0111 415 555 0101'])
      expect(judge(us, number)).toEqual({ kind: 'allowed', e164: '+14155550101' });
    const ru = destinationsOf(plan({ country: 'RU', countries: ['RU'] }));
    expect(judge(ru, '8 495 123 45 67')).toEqual({ kind: 'allowed', e164: '+74951234567' });
    expect(why(ru, '810 1 876 555 0101')).toBe('country');
  });

  it('refuse what can be read in two ways, or not at all', () => {
    expect(why(de, '37167123456')).toBe('incomplete');
    for (const number of [
      '+14155550101;phone-context=+1',
      '1415555٠101',
      '+1900abc',
      '++14155550101',
      '1415+5550101',
      '%zz',
      '',
    ])
      expect(why(us, number)).toBe('not-plain');
    expect(why(us, '*7219005550101')).toBe('service-code');
    expect(why(us, '411')).toBe('short-code');
    expect(why(us, '91876555010199')).toBe('country');
  });

  it('let the operator refuse a range and allow one inside it, the longer prefix winning', () => {
    const rules = destinationsOf(plan({ refusedPrefixes: ['1415'], allowedPrefixes: ['14155550', '19005550'] }));
    expect(why(rules, '+14155550101')).toBe('allowed');
    expect(why(rules, '+14155560101')).toBe('country');
    expect(why(rules, '+19005550101')).toBe('allowed');
    expect(why(rules, '+19005560101')).toBe('premium');
    expect(why(rules, '+12125550101')).toBe('allowed');
  });

  it('cannot be talked around by spelling: separators, escapes and prefixes change nothing', () => {
    const marks = ['', '-', '.', '(', ')', ' ', '%2D', '%20'];
    const forbidden = fc.tuple(
      fc.constantFrom('+', '011', '00', '%2B', '%30%31%31'),
      fc.constantFrom('1900', '1876', '8816', '371', '4470', '53'),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom(...marks)), { minLength: 5, maxLength: 10 }),
    );
    fc.assert(
      fc.property(forbidden, ([start, prefix, rest]) => {
        const dialled = `${start}${prefix}${rest.map(([digit, mark]) => `${mark}${digit}`).join('')}`;
        expect(judge(us, dialled).kind).toBe('refused');
      }),
      { numRuns: 2_000 },
    );
  });
});
