import { expect, it } from 'vitest';
import { drill } from './r5-redis-away.ts';

it('Redis away costs no call, no log and no board anything', async () => {
  expect(await drill.run({ seed: 1, short: true, say: () => {} })).toMatchObject({ passed: true, lost: 0 });
});
