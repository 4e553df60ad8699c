import { expect, it } from 'vitest';
import { runShort } from '../drill.ts';
import { drill } from './r4-disk-trouble.ts';

it('a disk that takes nothing gets no acknowledgement, and the relay goes on when it takes again', async () => {
  expect(await runShort(drill)).toMatchObject({ passed: true, lost: 0, failed: 0 });
});
