/**
 * The last 30 s of a call's sound, 120 s while it is recorded, until the relay needs it no more. Owns what is kept and what is forgotten; the oldest
 * goes first. Kept in memory only: sound is never stored in a page.
 */
import { recordedSoundKeptMs, type SoundFrame, soundKeptMs } from '@patchcord/call-protocol';

const samplesPerMs = 16;

export class SoundRing {
  #frames: SoundFrame[] = [];
  /** It is recorded, or was: what is lost is missing for ever. */
  recorded = false;

  get size(): number {
    return this.#frames.length;
  }

  /** The first frame that is kept, or of those from a number on. */
  first(from = 0): SoundFrame | undefined {
    return this.#frames.find(({ number }) => number >= from);
  }

  /** The newest; what is too old beside it is forgotten. */
  add(frame: SoundFrame): void {
    this.#frames.push(frame);
    const oldest = frame.startMs - (this.recorded ? recordedSoundKeptMs : soundKeptMs);
    while ((this.#frames[0]?.startMs ?? oldest) < oldest) this.#frames.shift();
  }

  /** Frames before this number are needed no more. */
  settle(next: number): void {
    while ((this.#frames[0]?.number ?? next) < next) this.#frames.shift();
  }

  /** What was heard at this time of the call and after it is forgotten, and frames that reach beyond it with it. */
  forgetFrom(atMs: number): void {
    this.#frames = this.#frames.filter(({ startMs, samples }) => startMs + samples / samplesPerMs <= atMs);
  }

  /** All of it was later than it was thought to be. */
  shift(frames: number, ms: number): void {
    this.#frames = this.#frames.map((frame) => ({
      ...frame,
      number: frame.number + frames,
      startMs: frame.startMs + ms,
    }));
  }
}
