import { expect, it } from 'vitest';
import { redactCards, withoutCards } from '../../../server/src/call-log/card-numbers.ts';
import { cardNumbers, phoneNumbers } from '../../attack/card-samples.ts';

it('takes card numbers out of a note, however they are grouped, and keeps the last four digits [ASVS 14.2.4]', () => {
  expect(redactCards('paid with 4111111111111111 today')).toBe('paid with [card …1111] today');
  expect(redactCards('4111 1111 1111 1111')).toBe('[card …1111]');
  expect(redactCards('Amex 3782-822463-10005.')).toBe('Amex [card …0005].');
  expect(redactCards('order 12 5555 5555 5555 4444')).toBe('order 12 [card …4444]');
  expect(redactCards('٤١١١ ١١١١ ١١١١ ١١١١')).toBe('[card …1111]');
  expect(redactCards('one 4111111111111111 two 5555555555554444')).toBe('one [card …1111] two [card …4444]');
});

it('takes the security code out with it', () => {
  expect(redactCards('4111 1111 1111 1111 12/26 123')).toBe('[card …1111] 12/26 [removed]');
  expect(redactCards('CVV: 123, call back')).toBe('CVV: [removed], call back');
  expect(redactCards('security code is 9876')).toBe('security code is [removed]');
});

it('leaves alone what is no card: telephone numbers, order numbers, other digits', () => {
  for (const text of [
    '+49 151 1234 5678 90',
    '+4411112222333344',
    'order 4111111111111112',
    'call 415-555-0101 or 415-555-0102',
    'id 12345678901234567890123',
  ]) {
    expect(redactCards(text)).toBe(text);
  }
});

it('finds at least 999 of 1,000 generated cards and takes at most 1 of 1,000 telephone numbers for one', () => {
  const cards = cardNumbers(4_000, 7);
  const missed = cards.filter(({ text, digits }) =>
    redactCards(`note ${text} end`).replace(/\D/g, '').includes(digits),
  );
  expect(missed.length / cards.length).toBeLessThanOrEqual(0.001);
  const phones = phoneNumbers(4_000, 7);
  const taken = phones.filter((phone) => redactCards(phone) !== phone);
  expect(taken.length / phones.length).toBeLessThanOrEqual(0.001);
});

it('changes the note of an event and nothing else', () => {
  const event = {
    id: 'a:1',
    source: 's',
    name: 'wrap-up.saved',
    at: 1,
    call: 'a',
    data: { note: '4111111111111111', disposition: 'sold' },
  } as const;
  expect(withoutCards(event as never)).toEqual({ ...event, data: { note: '[card …1111]', disposition: 'sold' } });
});

it('is done with a note of 32,000 digits at once', () => {
  for (const text of [
    '1'.repeat(32_000),
    '1 '.repeat(16_000),
    `${'4 '.repeat(15_999)}x`,
    '4111111111111111 '.repeat(1_800),
  ]) {
    const begun = performance.now();
    redactCards(text);
    expect(performance.now() - begun).toBeLessThan(1_000);
  }
});
