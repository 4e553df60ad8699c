import { expect, it } from 'vitest';
import { fuzzParsers, fuzzRelay } from '../attack/s6-fuzz.ts';

it('parsers never crash, hang or throw what is not theirs, whatever they are given', () => {
  const { crashes, first } = fuzzParsers(6, 6_000);
  expect({ crashes, first: crashes === 0 ? null : first }).toEqual({ crashes: 0, first: null });
});

it('routes and socket answer malformed input without a fault of the relay', async () => {
  expect(await fuzzRelay(6, 150)).toMatchObject({ crashes: 0, unhandled: 0 });
});
