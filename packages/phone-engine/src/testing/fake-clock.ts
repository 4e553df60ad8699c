/** A clock that stands still until it is told to move. */
import type { ClockPort } from '../ports.ts';

interface Timer {
  readonly due: number;
  readonly run: () => void;
}

export class FakeClock implements ClockPort {
  #now: number;
  #next = 1;
  readonly #timers = new Map<number, Timer>();

  /** @param now epoch ms to start from */
  constructor(now = 1_700_000_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  setTimeout(run: () => void, ms: number): number {
    const handle = this.#next++;
    this.#timers.set(handle, { due: this.#now + Math.max(0, ms), run });
    return handle;
  }

  clearTimeout(handle: unknown): void {
    this.#timers.delete(handle as number);
  }

  /** Pedal: timers that are still to fire. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Pedal: the machine sleeps. Time passes and nothing fires; what fell due fires late, in the moment of waking. */
  sleep(ms: number): void {
    this.#now += ms;
    this.advance(0);
  }

  /** Pedal: moves time on and fires what falls due, in order, also what is set on the way. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      let handle: number | null = null;
      let due = Number.POSITIVE_INFINITY;
      for (const [candidate, timer] of this.#timers) {
        if (timer.due <= until && timer.due < due) {
          handle = candidate;
          due = timer.due;
        }
      }
      if (handle === null) break;
      const timer = this.#timers.get(handle);
      this.#timers.delete(handle);
      this.#now = Math.max(this.#now, due);
      timer?.run();
    }
    this.#now = until;
  }
}
