/** Where a player goes on when nobody speaks. */
import { describe, expect, it } from 'vitest';
import { pastSilence, silencesOf } from '../../../packages/softphone-ui/src/later/silence.ts';

/** A second of each level. */
const seconds = (...levels: readonly number[]): number[] =>
  levels.flatMap((level) => Array(10).fill(level) as number[]);

describe('the silences of a recording', () => {
  it('are where no side is heard for two seconds, less a margin', () => {
    const agent = seconds(200, 0, 0, 0, 0, 90, 0, 200);
    const farSide = seconds(0, 120, 5, 10, 25, 0, 0, 0);
    const silences = silencesOf([agent, farSide], 8_000);
    expect(silences).toEqual([{ fromMs: 2_300, toMs: 4_700 }]);
    expect([2_200, 2_300, 4_000, 4_700, 7_000].map((ms) => pastSilence(silences, ms))).toEqual([
      null,
      4_700,
      4_700,
      null,
      null,
    ]);
  });

  it('are longer where only one side is heard, and reach to the end', () => {
    const silences = silencesOf([seconds(0, 120, 5, 10, 25, 0, 0, 0)], 8_000);
    expect(silences).toEqual([{ fromMs: 2_300, toMs: 7_700 }]);
  });

  it('are none where nothing is known of it, and everything where nobody is heard', () => {
    expect(silencesOf([], 8_000)).toEqual([]);
    expect(silencesOf([seconds(0, 0, 0)], 3_000)).toEqual([{ fromMs: 300, toMs: 2_700 }]);
  });
});
