import { expect, it } from 'vitest';
import { runShort } from '../drill.ts';
import { drill } from './r8-graceful-stop.ts';

it('a relay that stops while phones publish loses nothing that it acknowledged', async () => {
  expect(await runShort(drill)).toMatchObject({ passed: true, lost: 0 });
});
