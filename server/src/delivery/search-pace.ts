/**
 * How fast one account is searched: so many searches in any second, counted one by one, because a caller's look-up is two of them and five a second
 * are few. Owns no clock and no queue: `crm-limits.ts` asks it.
 */

/** A second, and what requests may overtake one another on their way. */
const spanMs = 1_100;

export class SearchPace {
  readonly #perSecond: number;
  #most: number;
  /** When searches went out within the last span, oldest first; epoch ms. */
  #tookAt: readonly number[] = [];
  #pausedUntil = 0;

  /** @param perSecond what the CRM grants, `Infinity` for no limit */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#most = perSecond;
  }

  /** This relay's part of what all relays together may search; one at least. */
  share(part: number): void {
    this.#most =
      this.#perSecond === Number.POSITIVE_INFINITY ? this.#perSecond : Math.max(1, Math.floor(this.#perSecond * part));
  }

  get pausedUntil(): number {
    return this.#pausedUntil;
  }

  pause(until: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, until);
  }

  endPause(): void {
    this.#pausedUntil = 0;
  }

  took(now: number): void {
    if (this.#most !== Number.POSITIVE_INFINITY) this.#tookAt = [...this.#within(now), now];
  }

  /** How long until one more search may go, ms; 0 at once. */
  untilNext(now: number): number {
    const recent = this.#within(now);
    const oldest = recent[recent.length - this.#most];
    return Math.max(0, this.#pausedUntil - now, oldest === undefined ? 0 : oldest + spanMs - now);
  }

  #within(now: number): readonly number[] {
    return this.#tookAt.filter((at) => at > now - spanMs && at <= now);
  }
}
