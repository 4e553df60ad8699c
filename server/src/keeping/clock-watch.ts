/**
 * Notices when the machine's clock jumps. Everything in the store is dated by that clock, so a jump forward must not make the relay forget what
 * may still count, and a jump back must not leave work waiting for a time that has become far. Owns the comparison with a clock that can't jump.
 */

/** Clocks are corrected by little all the time; only more than this is a jump. */
const toleranceMs = 2_000;

export class ClockWatch {
  readonly #now: () => number;
  readonly #steady: () => number;
  /** Wall clock minus steady clock: as last seen, and the least ever seen. */
  #offset: number;
  #least: number;

  /**
   * @param now The wall clock, epoch ms
   * @param steady A clock that only runs, ms from anywhere
   */
  constructor(now: () => number, steady: () => number = () => performance.now()) {
    this.#now = now;
    this.#steady = steady;
    this.#offset = now() - steady();
    this.#least = this.#offset;
  }

  /** How far the clock was set back since the last look, ms; 0 when it was not. */
  look(): number {
    const offset = this.#now() - this.#steady();
    const back = this.#offset - offset;
    this.#offset = offset;
    this.#least = Math.min(this.#least, offset);
    return back > toleranceMs ? back : 0;
  }

  /**
   * The latest time that has passed for certain: what was over by then is over, also when the clock was ahead for a while. A clock that was
   * put right forwards makes it late by as much until the relay starts again, which costs room and nothing else.
   */
  passed(): number {
    const [now, steady] = [this.#now(), this.#steady()];
    this.#least = Math.min(this.#least, now - steady);
    return steady + this.#least;
  }
}
