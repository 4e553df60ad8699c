/**
 * Makes the calls of before an update findable by their records. Owns when: page by page once the relay has started, and again while relays of the
 * version before may have written beside it. Must never hold a start or a stop up.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CallId } from '@patchcord/call-protocol';
import type { CallStore } from '../store/contract.ts';

const atOnce = 200;
/** After the start, ms: at once, and when a rolling update is over for certain, also a slow one. */
const passesAfterMs = [0, 3_600_000, 86_400_000];

export class RecordKeys {
  readonly #store: Pick<CallStore, 'keyRecords'>;
  readonly #stopping: () => boolean;
  readonly #startedAt: number;
  #passes = 0;
  #after: CallId | null = null;

  constructor(options: {
    readonly store: Pick<CallStore, 'keyRecords'>;
    /** Epoch ms. */
    readonly now: number;
    readonly stopping: () => boolean;
  }) {
    this.#store = options.store;
    this.#startedAt = options.now;
    this.#stopping = options.stopping;
  }

  /** One pass, if one is due; one that was broken off goes on where it was. */
  async run(now: number): Promise<void> {
    const due = passesAfterMs[this.#passes];
    if (due === undefined || (due > 0 && now - this.#startedAt < due)) return;
    while (!this.#stopping()) {
      this.#after = await this.#store.keyRecords(this.#after, atOnce);
      if (this.#after === null) {
        this.#passes += 1;
        return;
      }
      // Calls come first.
      await nextTurn();
    }
  }
}
