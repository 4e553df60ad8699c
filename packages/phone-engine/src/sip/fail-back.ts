/**
 * Owns when a line on a later server of its list looks whether a better one is there again. Must never do so while a call is being set up.
 */
import type { ClockPort } from '../ports.ts';
import { lookAgainMs } from './line-move.ts';

export interface FailBackOptions {
  /** 0: not before the server in use fails. */
  readonly seconds: number;
  readonly clock: ClockPort;
  readonly random: () => number;
  readonly settingUp: () => boolean;
  /** The servers that are better than the one in use and may be asked now, best first. */
  readonly better: () => readonly string[];
  /** True: the line is on that server now, and plans anew by itself. */
  readonly moveTo: (server: string) => Promise<boolean>;
}

export class FailBack {
  readonly #options: FailBackOptions;
  #timer: unknown;
  #plans = 0;

  constructor(options: FailBackOptions) {
    this.#options = options;
  }

  plan(): void {
    const { seconds, random } = this.#options;
    this.cancel();
    // Spread, so that a server that is back does not get everybody in one instant.
    if (seconds > 0) this.#lookIn(seconds * 1_000 * (0.9 + random() * 0.2));
  }

  cancel(): void {
    this.#plans += 1;
    this.#options.clock.clearTimeout(this.#timer);
  }

  #lookIn(ms: number): void {
    this.#timer = this.#options.clock.setTimeout(() => void this.#look(), ms);
  }

  async #look(): Promise<void> {
    const { settingUp, better, moveTo } = this.#options;
    if (settingUp()) {
      this.#lookIn(lookAgainMs);
      return;
    }
    const plan = this.#plans;
    for (const server of better()) {
      if ((await moveTo(server)) || plan !== this.#plans) return;
    }
    this.plan();
  }
}
