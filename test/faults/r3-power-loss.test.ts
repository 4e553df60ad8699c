import { expect, it } from 'vitest';
import { runShort } from '../drill.ts';
import { drill } from './r3-power-loss.ts';

it('nothing is acknowledged before the disk has it, and what the disk has is enough', async () => {
  const result = await runShort(drill);
  expect(result).toMatchObject({ passed: true, lost: 0, failed: 0, snapshots: 20 });
});
