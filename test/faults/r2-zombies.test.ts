import { expect, it } from 'vitest';
import { runShort } from '../drill.ts';
import { drill } from './r2-zombies.ts';

it('relays that stand still for longer than their leases write nothing twice and overwrite nothing newer', async () => {
  expect(await runShort(drill)).toMatchObject({
    passed: true,
    lost: 0,
    duplicated: 0,
    failed: 0,
    stale: 0,
  });
});
