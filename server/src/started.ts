/**
 * What a start has set going so far. Owns taking it down again, the last first, when the rest of the start fails; a relay that runs is stopped by
 * its own `close`. Must never hide why the start failed.
 */
import type { Log } from './logging.ts';

export class Started {
  readonly #log: Log;
  readonly #parts: { readonly name: string; readonly stop: () => unknown }[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  /** From here on this has to be stopped too. */
  with(name: string, stop: () => unknown): void {
    this.#parts.push({ name, stop });
  }

  /** Stops everything, each part after those that use it. Never rejects. */
  async stop(): Promise<void> {
    for (const { name, stop } of this.#parts.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        this.#log.error({ err: error, part: name }, 'a part of the relay could not be stopped');
      }
    }
  }
}
