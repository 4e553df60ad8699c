/**
 * Which one-time proofs were used, on every relay: the store is the one judge, since a proof may be replayed at any of them. Owns asking it for
 * all proofs that arrive while it answers in one commit, so that a proof costs a share of a disk write and not one of its own.
 */
import type { IdentityStore } from '../store/contract.ts';

interface Waiting {
  readonly key: string;
  readonly expiresAt: number;
  resolve(fresh: boolean): void;
  reject(error: unknown): void;
}

/** Keys in one statement. */
const largestBatch = 200;

export class ProofLedger {
  readonly #store: Pick<IdentityStore, 'useProofs'>;
  /** What the store was or will be asked: the same key again is a replay, without asking. */
  readonly #pending = new Set<string>();
  #queue: Waiting[] = [];
  #writing = false;

  constructor(store: Pick<IdentityStore, 'useProofs'>) {
    this.#store = store;
  }

  /**
   * Uses a proof up; false when it was used before. Remembered until `expiresAt` (epoch ms), when its age alone refuses it.
   * @throws PatchcordError `store.unavailable`: what can't be remembered is not taken
   */
  use(key: string, expiresAt: number): Promise<boolean> {
    if (this.#pending.has(key)) return Promise.resolve(false);
    this.#pending.add(key);
    return new Promise<boolean>((resolve, reject) => {
      this.#queue.push({ key, expiresAt, resolve, reject });
      if (!this.#writing) void this.#write();
    });
  }

  async #write(): Promise<void> {
    this.#writing = true;
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, largestBatch);
      try {
        const fresh = await this.#store.useProofs(batch);
        for (const { key, resolve } of batch) resolve(fresh.has(key));
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      for (const { key } of batch) this.#pending.delete(key);
    }
    this.#writing = false;
  }
}
