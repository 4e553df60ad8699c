/** The short form of `npm run chaos`: ten random sequences of calls and faults with the real panel, on the sandbox switch. */
import { expect, test } from 'vitest';
import { chaos } from '../chaos/chaos.ts';
import { planOf } from '../chaos/plan.ts';
import { switchSystem } from '../chaos/system.ts';

test('ten random sequences of calls and faults leave every call with one log and nobody behind', async () => {
  const said: string[] = [];
  const result = await chaos({
    seed: 1,
    sequences: 10,
    agents: 1,
    system: switchSystem,
    say: (text) => said.push(text),
  });
  expect(said.filter((it) => it.startsWith('✘'))).toEqual([]);
  expect(result).toMatchObject({ failed: 0, sequences: 10 });
  // Something happened.
  expect(result.calls).toBeGreaterThanOrEqual(8);
  expect(result.steps).toBeGreaterThanOrEqual(20);
}, 240_000);

test('the same seed and index are the same sequence, others are others', () => {
  expect(planOf(7, 3)).toEqual(planOf(7, 3));
  expect(new Set([planOf(7, 3), planOf(7, 4), planOf(8, 3)].map((it) => JSON.stringify(it.steps))).size).toBe(3);
});
