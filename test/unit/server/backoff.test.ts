import fc from 'fast-check';
import { expect, it } from 'vitest';
import { retryDelayMs } from '../../../server/src/delivery/backoff.ts';
import { retryAfter } from '../../../server/src/delivery/deliver-webhook.ts';

const limits = { firstMs: 1_000, longestMs: 900_000 };

it('doubles, half of it random, up to the longest', () => {
  expect(retryDelayMs(1, limits, undefined, 0)).toBe(500);
  expect(retryDelayMs(1, limits, undefined, 0.999999)).toBe(1_000);
  expect(retryDelayMs(4, limits, undefined, 0)).toBe(4_000);
  expect(retryDelayMs(60, limits, undefined, 0)).toBe(450_000);
});

it('never comes back earlier than it was asked to, nor later than the longest and that', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000 }),
      fc.option(fc.integer({ min: 0, max: 3_600_000 }), { nil: undefined }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (attempts, asked, random) => {
        const delay = retryDelayMs(attempts, limits, asked, random);
        expect(delay).toBeGreaterThanOrEqual(Math.max(500, asked ?? 0));
        expect(delay).toBeLessThanOrEqual(limits.longestMs + (asked ?? 0));
      },
    ),
  );
});

it('reads Retry-After in seconds and as a date, within an hour', () => {
  const now = Date.parse('2026-11-21T12:00:00Z');
  expect(retryAfter(null, now)).toBeUndefined();
  expect(retryAfter('7', now)).toBe(7_000);
  expect(retryAfter('Sat, 21 Nov 2026 12:00:30 GMT', now)).toBe(30_000);
  expect(retryAfter('Sat, 21 Nov 2026 11:00:00 GMT', now)).toBe(0);
  expect(retryAfter('99999999', now)).toBe(3_600_000);
  expect(retryAfter('soon', now)).toBeUndefined();
});
