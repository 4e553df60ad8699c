/**
 * Brings sound of any rate to another one: a polyphase low-pass (Kaiser window), so that what the new rate can't hold is gone instead of folded
 * back. Owns the filter and the few milliseconds it must remember. Runs in the audio thread: after the constructor it allocates nothing.
 */

/** Up to here nothing is lost, as a share of half the lower rate; from that half on nothing is left. */
const passes = 0.85;
/** What the filter leaves of it, dB below. */
const stopDb = 72;
/** The most samples that come at once; a render quantum is 128. */
const mostAtOnce = 1_024;

export class Resampler {
  /** Rate from and rate to, without what they have in common. */
  readonly #step: number;
  readonly #phases: number;
  readonly #taps: number;
  /** The filter, one row for each phase, for samples from the oldest to the newest. */
  readonly #rows: Float32Array;
  /** The last samples of before, oldest first, and then those that come. */
  readonly #line: Float32Array;
  /** Where the next sample out lies: on which of the samples to come, and how many phases past it. */
  #ahead = 0;
  #phase = 0;

  /** @param from @param to in Hz, whole numbers above 0 */
  constructor(from: number, to: number) {
    const common = greatestCommon(from, to);
    this.#step = from / common;
    this.#phases = to / common;
    const inner = from * this.#phases;
    const stop = Math.min(from, to) / 2;
    const width = stop * (1 - passes);
    // Kaiser's own estimate of the length for this width and depth.
    this.#taps = Math.ceil(((stopDb - 7.95) * inner) / (14.36 * width) / this.#phases);
    this.#rows = filterRows(this.#taps, this.#phases, (stop - width / 2) / inner);
    this.#line = new Float32Array(this.#taps + mostAtOnce);
  }

  /**
   * Takes samples and writes what they make.
   * @param input null: so much silence
   * @param count samples of it, at most 1,024
   * @param output has room for `count` × to / from + 1 samples
   * @returns how many were written
   */
  push(input: Float32Array | null, count: number, output: Float32Array): number {
    const line = this.#line;
    const rows = this.#rows;
    const taps = this.#taps;
    for (let n = 0; n < count; n += 1) line[taps + n] = input === null ? 0 : (input[n] as number);
    let written = 0;
    while (this.#ahead < count) {
      const row = this.#phase * taps;
      const first = this.#ahead + 1;
      let sum = 0;
      for (let n = 0; n < taps; n += 1) sum += (rows[row + n] as number) * (line[first + n] as number);
      output[written] = sum;
      written += 1;
      this.#phase += this.#step;
      while (this.#phase >= this.#phases) {
        this.#phase -= this.#phases;
        this.#ahead += 1;
      }
    }
    this.#ahead -= count;
    line.copyWithin(0, count, count + taps);
    return written;
  }
}

/** @param cut middle of the slope, as a share of the inner rate */
function filterRows(taps: number, phases: number, cut: number): Float32Array {
  const length = taps * phases;
  const middle = (length - 1) / 2;
  const beta = 0.1102 * (stopDb - 8.7);
  const rows = new Float32Array(length);
  for (let k = 0; k < length; k += 1) {
    const x = k - middle;
    const ideal = x === 0 ? 2 * cut : Math.sin(2 * Math.PI * cut * x) / (Math.PI * x);
    const window = bessel(beta * Math.sqrt(1 - (x / middle) ** 2)) / bessel(beta);
    // Of the samples that go in, all but one of each `phases` are zeros put between.
    rows[(k % phases) * taps + taps - 1 - Math.floor(k / phases)] = ideal * window * phases;
  }
  return rows;
}

/** The modified Bessel function of order zero. */
function bessel(x: number): number {
  let sum = 1;
  let term = 1;
  for (let n = 1; term > sum * 1e-12; n += 1) {
    term *= (x / (2 * n)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommon(one: number, other: number): number {
  return other === 0 ? one : greatestCommon(other, one % other);
}
