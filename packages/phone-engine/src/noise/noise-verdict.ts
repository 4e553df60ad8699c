/**
 * Whether noise suppression may be heard: it gives sound while sound goes in, and the audio thread keeps up with it. Owns the thresholds. Pure: told of
 * one report after the other. Must never call some seconds of trouble an overload: a machine that wakes up, loads a page or starts a program has them.
 */

/** What the audio thread says ten times a second. */
export interface NoiseReport {
  /** Highest sample since the last report, 1 for full scale: before RNNoise, and behind it. */
  readonly dry: number;
  readonly wet: number;
  /** Two clocks at the same moment, ms: the wall's, and that of the sound that was rendered. */
  readonly wallMs: number;
  readonly audioMs: number;
}

/** `begin`: it works, let it be heard. `silent`: sound goes in and none comes out. `overload`: for ten seconds the thread was late. */
export type NoiseVerdict = 'begin' | 'silent' | 'overload';

/** -60 dB: somebody speaks, or the room hums. */
const alive = 1e-3;
/** -120 dB: RNNoise leaves more than that of any noise. */
const dead = 1e-6;
/** Half a second of reports. */
const silentReports = 5;
const windowMs = 1_000;
/** Of each window, so much was not rendered in time: it is heard as crackling. */
const lateMs = 100;
/** So many of the last ones are late: longer than a machine is busy with a page or a program that starts. */
const lateWindows = 10;
const lastWindows = 12;

export class NoiseJudge {
  #heard = false;
  #deadReports = 0;
  #start: NoiseReport | undefined;
  /** Of the last windows, whether each was late. */
  #late: readonly boolean[] = [];

  /** @returns what follows from it, if anything; after `silent` and `overload` nothing does any more */
  hear(report: NoiseReport): NoiseVerdict | undefined {
    if (report.dry > alive) {
      if (report.wet > dead) {
        this.#deadReports = 0;
        if (!this.#heard) {
          this.#heard = true;
          this.#start = report;
          return 'begin';
        }
      } else if (++this.#deadReports === silentReports) return 'silent';
    }
    return this.#keepsUp(report) ? undefined : 'overload';
  }

  /** The sound stood still, or goes on: what was measured says nothing of what comes. */
  stoodStill(): void {
    this.#start = undefined;
    this.#late = [];
  }

  #keepsUp(report: NoiseReport): boolean {
    const start = this.#start;
    // While it is being compiled the thread may be late.
    if (!this.#heard) return true;
    if (!start) {
      this.#start = report;
      return true;
    }
    const audioMs = report.audioMs - start.audioMs;
    const wallMs = report.wallMs - start.wallMs;
    // By whichever is ahead: the wall's clock may have been put back.
    if (Math.max(audioMs, wallMs) < windowMs) return true;
    this.#start = report;
    this.#late = [...this.#late, wallMs - audioMs > lateMs].slice(-lastWindows);
    return this.#late.filter((late) => late).length < lateWindows;
  }
}
