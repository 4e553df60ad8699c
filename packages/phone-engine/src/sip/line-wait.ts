/** Owns a line's waits between two tries, which may end early: the network came back, a new credential is here. Must never know what is waited for. */
import type { ClockPort } from '../ports.ts';

export class LineWait {
  readonly #clock: ClockPort;
  #end: (() => void) | undefined;
  #skipNext = false;

  constructor(clock: ClockPort) {
    this.#clock = clock;
  }

  /** Ends the wait of now, if there is one. */
  end(): void {
    this.#end?.();
  }

  /** @param skipNext the next pause is not needed either; false takes an earlier such word back */
  hurry(skipNext: boolean): void {
    this.#skipNext = skipNext;
    this.end();
  }

  /** Waits so long, or until it is ended. */
  pause(ms: number): Promise<void> {
    const skipped = this.#skipNext;
    this.#skipNext = false;
    if (ms <= 0 || skipped) return Promise.resolve();
    return this.#until((done) => {
      const timer = this.#clock.setTimeout(done, ms);
      return () => this.#clock.clearTimeout(timer);
    });
  }

  /** Waits until it is ended. */
  forWord(): Promise<void> {
    return this.#until(() => () => {});
  }

  async #until(begin: (done: () => void) => () => void): Promise<void> {
    let undo = (): void => {};
    await new Promise<void>((resolve) => {
      this.#end = resolve;
      undo = begin(resolve);
    });
    this.#end = undefined;
    undo();
  }
}
