/**
 * Puts frames onto the clock of their call: number and start. Owns the measuring of one clock by the other: the audio device counts samples, the call
 * milliseconds, and they drift apart. Nothing is cut from what is heard: silence takes up the difference. Pure.
 */
import { soundFrameMs } from '@patchcord/call-protocol';
import { tapSamples } from './tap-frame.ts';

/** So many looks at both clocks; the one that was least late counts. */
const looks = 8;
/** Less than that is the measuring itself. */
const exactMs = 8;
/** The audio was away: what lies between was not heard. */
const lostMs = 100;
/** Samples. */
const perMs = 16;

export interface FramePlace {
  readonly number: number;
  /** From the answer, ms. */
  readonly startMs: number;
  readonly samples: number;
}

export class FrameClock {
  readonly #offsets: number[] = [];
  #next = 0;
  /** End of the last frame; null before the first. */
  #endMs: number | null = null;

  /** One of the clocks was moved, or stood still: what was measured says nothing of what comes. */
  forget(): void {
    this.#offsets.length = 0;
  }

  /**
   * The place of the next frame.
   * @param heardMs when its first sample was heard, by the audio's clock
   * @param audioMs @param callMs what both clocks say at this moment
   * @param silent nothing is to be heard in it
   */
  place(heardMs: number, audioMs: number, callMs: number, silent: boolean): FramePlace {
    this.#offsets.push(callMs - audioMs);
    if (this.#offsets.length > looks) this.#offsets.shift();
    const realMs = Math.max(0, heardMs + Math.min(...this.#offsets));
    const lateMs = this.#endMs === null ? Number.POSITIVE_INFINITY : realMs - this.#endMs;
    if (lateMs > lostMs) return this.#begin(realMs);
    const end = this.#endMs ?? 0;
    const samples =
      silent && Math.abs(lateMs) > exactMs ? Math.max(perMs * 10, tapSamples + Math.round(lateMs * perMs)) : tapSamples;
    return this.#put(end, samples);
  }

  #begin(startMs: number): FramePlace {
    // By the clock alone a page that is loaded anew finds a number that none before it had.
    this.#next = Math.max(this.#next, Math.floor(startMs / soundFrameMs));
    return this.#put(startMs, tapSamples);
  }

  #put(startMs: number, samples: number): FramePlace {
    this.#endMs = startMs + samples / perMs;
    this.#next += 1;
    return { number: this.#next - 1, startMs: Math.round(startMs), samples };
  }
}
