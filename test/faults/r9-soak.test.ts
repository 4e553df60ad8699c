import { expect, it } from 'vitest';
import { soak } from './r9-soak.ts';

it('a relay that works for a day keeps its memory and its files (short form: its files)', async () => {
  expect(await soak({ cycles: 45 })).toMatchObject({ passed: true });
});
