/** Hears keys that are pressed as sound (ITU-T Q.23 pairs of tones). Owns the detection of one call; must never act on a key. */
import { levelAt } from './sound.ts';

const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477, 1633];
const KEYS = ['123A', '456B', '789C', '*0#D'];
/** Amplitude of each tone, as a part of full scale, and how far it must stand out from the others of its group. */
const LEAST_LEVEL = 0.02;
const LEAST_LEAD = 2.5;
const LEAST_FRAMES = 2;
/** A key is over when it is not heard for so many frames; a lost packet is no pause. */
const LEAST_GAP = 2;

export class DigitEar {
  #key: string | undefined;
  #heard = 0;
  #missed = 0;
  #before: Int16Array | undefined;

  /** 20 ms of sound; gives the key once, in the moment in which it is certain. */
  hear(frame: Int16Array | undefined): string | undefined {
    if (!frame) return undefined;
    // 20 ms cannot tell 697 Hz from 770 Hz, 40 ms can.
    const key = this.#before && keyIn(Int16Array.from([...this.#before, ...frame]));
    this.#before = frame;
    if (key !== undefined && key === this.#key) {
      this.#missed = 0;
      this.#heard += 1;
      return this.#heard === LEAST_FRAMES ? key : undefined;
    }
    this.#missed += 1;
    if (this.#key === undefined || this.#missed >= LEAST_GAP) {
      this.#key = key;
      this.#heard = 1;
      this.#missed = 0;
    }
    return undefined;
  }
}

function keyIn(samples: Int16Array): string | undefined {
  const row = strongest(samples, ROWS);
  const column = strongest(samples, COLUMNS);
  return row === undefined || column === undefined ? undefined : KEYS[row]?.[column];
}

function strongest(samples: Int16Array, tones: readonly number[]): number | undefined {
  const levels = tones.map((hz) => levelAt(samples, hz));
  const [best = 0, second = 0] = [...levels].sort((first, other) => other - first);
  return best >= LEAST_LEVEL && best >= second * LEAST_LEAD ? levels.indexOf(best) : undefined;
}
