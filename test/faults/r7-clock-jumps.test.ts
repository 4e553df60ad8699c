import { expect, it } from 'vitest';
import { runShort } from '../drill.ts';
import { drill } from './r7-clock-jumps.ts';

it('a clock that jumps by more than a day and back makes nothing valid again and leaves nothing waiting', async () => {
  expect(await runShort(drill)).toMatchObject({ passed: true, failed: 0 });
});
