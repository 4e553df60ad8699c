import type { CallId } from '@patchcord/call-protocol';
import { expect, it } from 'vitest';
import { RecordKeys } from '../../../server/src/call-log/record-keys.ts';

const hourMs = 3_600_000;

/** A store of three pages. */
function keysOf(options: { stopsAfter?: number } = {}) {
  const asked: (string | null)[] = [];
  const pages = new Map<string | null, string | null>([
    [null, 'a'],
    ['a', 'b'],
    ['b', null],
  ]);
  let fails = false;
  const keys = new RecordKeys({
    store: {
      keyRecords: (after) => {
        if (fails) return Promise.reject(new Error('away'));
        asked.push(after);
        return Promise.resolve((pages.get(after) ?? null) as CallId | null);
      },
    },
    now: 1_000,
    stopping: () => asked.length >= (options.stopsAfter ?? Number.POSITIVE_INFINITY),
  });
  return {
    asked,
    run: (afterMs: number) => keys.run(1_000 + afterMs),
    fail: (is: boolean) => {
      fails = is;
    },
  };
}
const all = [null, 'a', 'b'];

it('all calls are keyed after the start, once more an hour and a day later, and never again', async () => {
  const { asked, run } = keysOf();
  for (const afterMs of [0, 60_000, hourMs - 1]) await run(afterMs);
  expect(asked).toEqual(all);
  for (const afterMs of [hourMs, 2 * hourMs, 23 * hourMs]) await run(afterMs);
  expect(asked).toEqual([...all, ...all]);
  for (const hours of [24, 48, 500]) await run(hours * hourMs);
  expect(asked).toEqual([...all, ...all, ...all]);
});

it('a relay that stops does not wait for it, and a store that is away is gone on with where it was', async () => {
  const stopped = keysOf({ stopsAfter: 1 });
  await stopped.run(0);
  expect(stopped.asked).toEqual([null]);
  const { asked, run, fail } = keysOf();
  fail(true);
  await expect(run(0)).rejects.toThrow('away');
  fail(false);
  await run(60_000);
  expect(asked).toEqual(all);
});
