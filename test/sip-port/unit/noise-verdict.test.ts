/** When noise suppression may be heard, and when it must go. */
import { beforeEach, describe, expect, it } from 'vitest';
import { NoiseJudge, type NoiseReport } from '../../../packages/phone-engine/src/noise/noise-verdict.ts';

const speech = { dry: 0.2, wet: 0.1 };
const broken = { dry: 0.2, wet: 0 };
const silence = { dry: 0, wet: 0 };

let judge: NoiseJudge;
let wallMs = 0;
let audioMs = 0;
beforeEach(() => {
  judge = new NoiseJudge();
  wallMs = 1_000_000;
  audioMs = 0;
});

/** So many reports of 100 ms, each of which took `tookMs`. @returns the first verdict and how many reports it took */
function hears(peaks: Pick<NoiseReport, 'dry' | 'wet'>, count: number, tookMs = 100): [string, number] | undefined {
  for (let n = 1; n <= count; n += 1) {
    wallMs += tookMs;
    audioMs += 100;
    const verdict = judge.hear({ ...peaks, wallMs, audioMs });
    if (verdict) return [verdict, n];
  }
  return undefined;
}

describe('noise suppression', () => {
  it('begins with the first sound that comes out, once', () => {
    expect(hears(silence, 20)).toBeUndefined();
    expect(hears(broken, 2)).toBeUndefined();
    expect(hears(speech, 1)).toEqual(['begin', 1]);
    expect(hears(speech, 100)).toBeUndefined();
  });

  it('is silent after half a second in which sound goes in and none comes out, at first or later', () => {
    expect(hears(broken, 10)).toEqual(['silent', 5]);
    judge = new NoiseJudge();
    hears(speech, 1);
    expect(hears(broken, 4)).toBeUndefined();
    expect(hears(silence, 50)).toBeUndefined();
    expect(hears(broken, 1)).toEqual(['silent', 1]);
  });

  it('is an overload after ten seconds that are each a tenth late, even with two good ones among them', () => {
    hears(speech, 1);
    const [verdict, reports = 0] = hears(speech, 200, 113) ?? [];
    expect(verdict).toBe('overload');
    expect(reports * 113).toBeGreaterThan(9_500);
    expect(reports * 113).toBeLessThan(11_500);
    judge = new NoiseJudge();
    hears(speech, 1);
    expect(hears(speech, 32, 125)).toBeUndefined();
    expect(hears(speech, 20)).toBeUndefined();
    expect(hears(speech, 60, 125)).toEqual(['overload', 48]);
  });

  it('is one after ten seconds also where sound comes at half its speed', () => {
    hears(speech, 1);
    const from = wallMs;
    expect(hears(speech, 200, 200)?.[0]).toBe('overload');
    expect(wallMs - from).toBeLessThan(11_500);
  });

  it('is none while a machine is busy for eight seconds, and again after a while', () => {
    hears(speech, 1);
    for (let round = 0; round < 20; round += 1) {
      // Two in three milliseconds of sound are lost.
      expect(hears(speech, 27, 300)).toBeUndefined();
      expect(hears(speech, 60)).toBeUndefined();
    }
  });

  it('is none for a clock that was set, or while it is being compiled', () => {
    expect(hears(silence, 120, 300)).toBeUndefined();
    hears(speech, 1);
    expect(hears(speech, 20)).toBeUndefined();
    wallMs += 3_600_000;
    expect(hears(speech, 30)).toBeUndefined();
    wallMs -= 3_600_000;
    expect(hears(speech, 30)).toBeUndefined();
  });

  it('forgets what it measured when the sound stood still', () => {
    hears(speech, 1);
    for (let round = 0; round < 10; round += 1) {
      expect(hears(speech, 25, 330)).toBeUndefined();
      judge.stoodStill();
    }
  });
});
