/** Answers that are kept in memory for a while, by key. Owns their age and their number; a failure is not kept, and who asks meanwhile shares the question. */
export class Remembered<T> {
  readonly #forMs: number;
  readonly #most: number;
  readonly #now: () => number;
  readonly #kept = new Map<string, { readonly until: number; readonly value: T }>();
  readonly #asking = new Map<string, Promise<T>>();

  /** @param most Answers that are kept at once; the oldest goes first */
  constructor(forMs: number, most: number, now: () => number) {
    this.#forMs = forMs;
    this.#most = most;
    this.#now = now;
  }

  /** What is kept, if it still counts. */
  known(key: string): T | undefined {
    const kept = this.#kept.get(key);
    return kept !== undefined && kept.until > this.#now() ? kept.value : undefined;
  }

  /** What is kept, or what is asked now. @throws whatever `ask` throws */
  async get(key: string, ask: () => Promise<T>): Promise<T> {
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.until > this.#now()) return kept.value;
    const under = this.#asking.get(key);
    if (under !== undefined) return await under;
    const asked = ask();
    this.#asking.set(key, asked);
    try {
      const value = await asked;
      this.#kept.delete(key);
      this.#kept.set(key, { until: this.#now() + this.#forMs, value });
      for (const oldest of this.#kept.keys()) {
        if (this.#kept.size <= this.#most) break;
        this.#kept.delete(oldest);
      }
      return value;
    } finally {
      this.#asking.delete(key);
    }
  }
}
