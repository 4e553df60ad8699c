import { expect, it } from 'vitest';
import { drainOnce } from '../bench/drain.ts';

it('what waited through an outage is written without a refusal for the limit, each log once', async () => {
  expect(await drainOnce({ logs: 300, outageMs: 3_000, seed: 1 })).toMatchObject({
    logs: 300,
    refusals: 0,
    lost: 0,
    duplicated: 0,
  });
});
