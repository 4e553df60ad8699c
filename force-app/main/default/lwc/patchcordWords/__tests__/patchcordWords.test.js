import { clock, duration, moment, reasonOf } from 'c/patchcordWords';

const noon = Date.parse('2026-11-20T20:00:00.000Z');

describe('durations', () => {
  it.each([
    [0, '0 s'],
    [48.4, '48 s'],
    [120, '2 min'],
    [125, '2 min 5 s'],
    [3840, '1 h 4 min'],
    [undefined, '0 s'],
    [-3, '0 s'],
  ])('%s seconds read as %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });

  it.each([
    [5, '0:05'],
    [760, '12:40'],
    [3723, '1:02:03'],
    [-1, '0:00'],
  ])('a clock shows %s seconds as %s', (seconds, text) => {
    expect(clock(seconds)).toBe(text);
  });
});

describe('moments', () => {
  it('today is a word, in the zone of the user', () => {
    expect(moment('2026-11-20T08:30:00.000Z', noon)).toBe('Today, 12:30 AM');
    expect(moment('2026-11-20T07:30:00.000Z', noon)).toBe('Nov 19, 11:30 PM');
  });

  it('another year is named', () => {
    expect(moment('2025-11-20T20:00:00.000Z', noon)).toBe('Nov 20, 2025, 12:00 PM');
  });

  it('nothing reads as nothing', () => {
    expect([moment(null), moment(undefined), moment('')]).toEqual(['', '', '']);
  });
});

describe('reasons', () => {
  it.each([
    [{ body: { message: 'Not yours.' } }, 'Not yours.'],
    [{ body: [{ message: 'First.' }, { message: 'Second.' }] }, 'First.'],
    [new Error('Broken.'), 'Broken.'],
    [undefined, 'Salesforce did not say why. Try again in a moment.'],
  ])('are taken from where the platform put them', (error, text) => {
    expect(reasonOf(error)).toBe(text);
  });
});
