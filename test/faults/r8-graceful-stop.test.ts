import { expect, it } from 'vitest';
import { drill } from './r8-graceful-stop.ts';

it('a relay that stops while phones publish loses nothing that it acknowledged', async () => {
  expect(await drill.run({ seed: 1, short: true, say: () => {} })).toMatchObject({ passed: true, lost: 0 });
});
