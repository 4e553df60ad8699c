/**
 * How much a page may send: a call's sound comes as fast as time passes, and at once what a broken connection held up. Owns that arithmetic,
 * nothing else. A page is not trusted: without it one page could have a whole day transcribed in a minute.
 */

/** A bucket that fills with time. Units are the caller's own. */
export class Allowance {
  readonly #most: number;
  readonly #perMs: number;
  #left: number;
  #at: number;

  /** @param most What may be taken at once @param perMs What comes back in a millisecond */
  constructor(most: number, perMs: number, now: number) {
    this.#most = most;
    this.#perMs = perMs;
    this.#left = most;
    this.#at = now;
  }

  /** Takes it; false, and nothing is taken, when there is not that much left. */
  take(amount: number, now: number): boolean {
    // A clock that is set back gives nothing, and takes nothing away.
    this.#left = Math.min(this.#most, this.#left + Math.max(0, now - this.#at) * this.#perMs);
    this.#at = now;
    if (amount > this.#left) return false;
    this.#left -= amount;
    return true;
  }
}
