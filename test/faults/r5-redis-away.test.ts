import { expect, it } from 'vitest';
import { runShort } from '../drill.ts';
import { drill } from './r5-redis-away.ts';

it('Redis away costs no call, no log and no board anything', async () => {
  expect(await runShort(drill)).toMatchObject({ passed: true, lost: 0 });
});
