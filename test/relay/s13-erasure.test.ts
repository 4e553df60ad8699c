import { expect, it } from 'vitest';
import { drill } from '../attack/s13-erasure.ts';
import { runShort } from '../drill.ts';

it('a person who is erased leaves no trace, and what is held or others’ stays', async () => {
  expect(await runShort(drill)).toMatchObject({
    passed: true,
    succeeded: 0,
    failed: 0,
  });
  // Ten commands as processes of their own and two databases: seconds by itself, minutes on a machine that is busy.
}, 300_000);
