/**
 * Owns which of an account's servers is tried next: the first of the list is the best, one that asked for peace is left in peace, and a round goes
 * over all of them. Pure but for what it remembers; must never open anything.
 */

export class ServerList {
  readonly #servers: readonly string[];
  /** Server → epoch ms before which it does not want to be asked (Retry-After). */
  readonly #notBefore = new Map<string, number>();
  #tried = new Set<string>();
  #preferred: string | undefined;

  /** @param servers best first; at least one */
  constructor(servers: readonly string[]) {
    this.#servers = servers;
  }

  /** How many there are: whoever is alone is given more time. */
  get size(): number {
    return this.#servers.length;
  }

  /**
   * The next one of this round, null when the round is over. The one that worked last comes first, then the list in its order.
   * @param now epoch ms
   */
  next(now: number): string | null {
    const inOrder = [...new Set([...(this.#preferred === undefined ? [] : [this.#preferred]), ...this.#servers])];
    const found = inOrder.find((server) => !this.#tried.has(server) && now >= (this.#notBefore.get(server) ?? 0));
    if (found !== undefined) this.#tried.add(found);
    return found ?? null;
  }

  /** Starts a new round. */
  startRound(): void {
    this.#tried = new Set();
  }

  /** How long until the first of them may be asked again, in ms; 0 when one may now. */
  peaceMs(now: number): number {
    return Math.max(0, Math.min(...this.#servers.map((server) => (this.#notBefore.get(server) ?? 0) - now)));
  }

  /** The server answered the registration: it comes first when it is lost. */
  works(server: string): void {
    this.#preferred = server;
    this.#notBefore.delete(server);
    this.startRound();
  }

  /** The server failed; it is not asked again in this round, and not before `retryAfterMs` is over. */
  fails(server: string, now: number, retryAfterMs: number): void {
    this.#tried.add(server);
    if (this.#preferred === server) this.#preferred = undefined;
    if (retryAfterMs > 0) this.#notBefore.set(server, now + retryAfterMs);
  }

  /** The servers before this one in the list that may be asked now, best first. */
  betterThan(server: string, now: number): readonly string[] {
    const rank = this.#servers.indexOf(server);
    return this.#servers.slice(0, Math.max(0, rank)).filter((one) => now >= (this.#notBefore.get(one) ?? 0));
  }
}
