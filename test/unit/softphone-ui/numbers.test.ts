import { describe, expect, it } from 'vitest';
import { createNumbers } from '../../../packages/softphone-ui/src/numbers.ts';
import { metadataOf } from '../../panel/sample-profile.ts';

const american = createNumbers({ country: 'US', metadata: metadataOf('US', 'DE', 'GB') });
const german = createNumbers({ country: 'DE', metadata: metadataOf('DE') });
const bare = createNumbers({ country: 'US', metadata: {} });

function target(typed: string, numbers = american, country?: string): string {
  const read = numbers.read(typed, country);
  return read.ok ? read.target : `refused: ${read.reason}`;
}

describe('what a person types becomes what is dialled', () => {
  it.each([
    ['(415) 555-0101', '+14155550101'],
    ['415.555.0101', '+14155550101'],
    ['1 415 555 0101', '+14155550101'],
    ['+1 415 555 0101', '+14155550101'],
    ['  +49 30 901820 ', '+4930901820'],
    ['tel:+1-415-555-0101;isub=12', '+14155550101'],
    ['tel:+1%20415%20555%200101', '+14155550101'],
    ['sip:+14155550101@sip.example.test;user=phone', '+14155550101'],
    ['\u202a+1 415\u2011555\u20110101\u202c', '+14155550101'],
    ['+1 ٤١٥ ٥٥٥ ٠١٠١', '+14155550101'],
    ['＋１４１５５５５０１０１', '+14155550101'],
  ])('reads %s', (typed, dialled) => {
    expect(target(typed)).toBe(dialled);
  });

  it('takes a national number of the profile’s country, and of the country the page names', () => {
    expect(target('030 901820', german)).toBe('+4930901820');
    expect(target('030 901820', american, 'DE')).toBe('+4930901820');
    expect(target('030 901820', american, 'de')).toBe('+4930901820');
  });

  it.each(['201', '112', '911', '116123', '*97', '#31#', '**411', '0'])(
    'leaves the extension, short number or feature code %s as it is',
    (typed) => {
      const read = american.read(typed);
      expect(read).toMatchObject({ ok: true, target: typed, e164: null });
    },
  );

  it('never makes an extension a foreign number: 200 is not +1200, 112 is not +49112', () => {
    expect(american.toE164('200')).toBeNull();
    expect(german.toE164('112')).toBeNull();
  });

  it.each([
    ['+1 415 555 0101 x12', ',12'],
    ['+1 415 555 0101 ext. 4004', ',4004'],
    ['+1 415 555 0101 #7', ',7'],
    ['+14155550101,,12#', ',,12#'],
    ['tel:+14155550101;ext=33', ',33'],
  ])('keeps what follows the answer apart: %s', (typed, afterAnswer) => {
    expect(american.read(typed)).toMatchObject({ ok: true, target: '+14155550101', afterAnswer });
  });
});

describe('a number that can’t be dialled says why', () => {
  it.each([
    ['', 'Type a number'],
    ['   ', 'Type a number'],
    ['1-800-FLOWERS', 'Letters'],
    ['415;555', 'digits'],
    ['4+155550101', 'digits'],
    ['41555501', 'too short'],
    ['+1 415 555 0101 0101 01', 'too long'],
    ['+4', 'too short'],
    ['+1 115 555 0101', 'does not exist'],
    ['115 555 0101', 'US'],
  ])('%j', (typed, why) => {
    const read = american.read(typed);
    expect(read).toMatchObject({ ok: false });
    expect(read.ok ? '' : read.reason).toContain(why);
  });
});

describe('a country whose numbering plan did not travel along', () => {
  it('dials its number as typed with a +', () => {
    expect(german.read('+81 3 1234 5678')).toMatchObject({ ok: true, target: '+81312345678', e164: '+81312345678' });
  });

  it('reads what stands behind the country’s own way out', () => {
    expect(german.toE164('0044 20 7946 0958')).toBe('+442079460958');
    expect(american.toE164('01181312345678')).toBe('+81312345678');
    expect(german.toE164('030 901820')).toBe('+4930901820');
    // Out of Germany one dials 00, and out of America 011.
    expect(german.toE164('01181312345678')).not.toBe('+81312345678');
    expect(american.toE164('0044 20 7946 0958')).toBeNull();
  });

  it('dials national digits as typed when there is no plan at all', () => {
    expect(bare.read('(415) 555-0101')).toMatchObject({ ok: true, target: '4155550101', e164: null });
    expect(bare.read('+14155550101')).toMatchObject({ ok: true, target: '+14155550101', e164: '+14155550101' });
  });

  it('still refuses what no numbering plan can hold', () => {
    expect(bare.read('12345678901234567')).toMatchObject({ ok: false });
    expect(bare.read('+12')).toMatchObject({ ok: false });
  });
});

describe('a number for the eye', () => {
  it.each([
    ['+14155550101', '(415) 555-0101'],
    ['+4930901820', '+49 30 901820'],
    ['201', '201'],
    ['', 'Withheld number'],
    ['anonymous', 'Withheld number'],
    ['Restricted', 'Withheld number'],
    ['alice', 'alice'],
  ])('shows %j as %j', (number, shown) => {
    expect(american.format(number)).toBe(shown);
  });

  it('prefers the name, but not one that is only a number or a word for withheld', () => {
    expect(american.nameOf({ number: '+14155550101', name: 'Ada' })).toBe('Ada');
    expect(american.nameOf({ number: '+14155550101', name: '14155550101' })).toBe('(415) 555-0101');
    expect(american.nameOf({ number: 'anonymous', name: 'Anonymous' })).toBe('Withheld number');
  });
});
