import { expect, it } from 'vitest';
import { drill } from './r2-zombies.ts';

it('relays that stand still for longer than their leases write nothing twice and overwrite nothing newer', async () => {
  expect(await drill.run({ seed: 1, short: true, say: () => {} })).toMatchObject({
    passed: true,
    lost: 0,
    duplicated: 0,
    failed: 0,
    stale: 0,
  });
});
