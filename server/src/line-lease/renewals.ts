/**
 * Holders say every few seconds that they are there: what comes within a moment is written together. Owns that gathering; must never tell a holder that
 * it goes on before the store says so.
 */
import type { LineGrant, LineLeaseStore } from '../store/contract.ts';
import { leaseTiming } from './rules.ts';

/** Renewals that come closer together than this are one transaction, ms. */
const gatherMs = 25;

interface Waiting {
  readonly grant: LineGrant;
  readonly resolve: (renewed: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export class Renewals {
  readonly #store: Pick<LineLeaseStore, 'renew'>;
  #waiting: Waiting[] = [];

  readonly #now: () => number;

  constructor(store: Pick<LineLeaseStore, 'renew'>, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  /** Whether this holder goes on. @throws PatchcordError `store.unavailable` */
  renew(grant: LineGrant): Promise<boolean> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setTimeout(() => void this.#write(), gatherMs).unref();
      this.#waiting.push({ grant, resolve, reject });
    });
  }

  async #write(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      const renewed = await this.#store.renew(
        waiting.map(({ grant }) => grant),
        this.#now() - leaseTiming.wishMs,
      );
      for (const [index, { resolve }] of waiting.entries()) resolve(renewed[index] ?? false);
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}
