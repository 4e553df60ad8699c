import { expect, it } from 'vitest';
import { runShort } from '../drill.ts';
import { drill } from './r1-exactly-once.ts';

it('every call is logged exactly once, through kills of relay and database and whatever a CRM can do wrong', async () => {
  expect(await runShort(drill)).toMatchObject({
    passed: true,
    lost: 0,
    duplicated: 0,
    failed: 0,
    stale: 0,
  });
});
