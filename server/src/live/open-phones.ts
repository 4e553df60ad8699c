/**
 * Which phones hold a live socket here, told to the store once a minute, and from when on this relay may conclude from such words that a phone
 * is gone. Owns the telling and that doubt; what becomes of a call is the sweep's business. Must never keep a socket waiting for the store.
 */
import { type Publisher, sourceOf } from '../call-log/record-events.ts';
import type { Log } from '../logging.ts';
import type { OpenPhoneStore } from '../store/contract.ts';

/**
 * A phone without a socket for this long, whose calls said nothing either, is gone. A panel connects again within seconds, after half a minute
 * at the latest; a relay that is replaced, a Wi-Fi that is changed and a laptop lid that was closed by mistake are over in two or three. A
 * browser that is cut off for longer has lost its media as well, nearly always: it takes the same way. Where it has not, and where the clocks
 * of two relays differ by a minute, being wrong is cheap: the phone's own word, whenever it comes, overrules the rule. Much longer, and agents
 * see a call "in progress" in the CRM that they know is over.
 */
export const phoneGoneMs = 5 * 60_000;
export const phonesToldMs = 60_000;
/** Phones that come are told together: after a restart of the relay they all do. */
const joinMs = 500;
/** More than this between two words, and something was wrong: the store away, this machine asleep, its clock moved. */
const longestGapMs = 3 * phonesToldMs;

interface OpenPhonesParts {
  readonly store: OpenPhoneStore;
  /** As this relay's heartbeats name it. */
  readonly relay: string;
  readonly log: Log;
  readonly now: () => number;
}

export class OpenPhones {
  readonly #parts: OpenPhonesParts;
  /** Sockets of each source. */
  readonly #open = new Map<string, number>();
  /** Came since the last word to the store, and may have left again: a phone that nobody saw is never missed. */
  readonly #fresh = new Set<string>();
  #freshAt = 0;
  #joining: NodeJS.Timeout | undefined;
  readonly #writing = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #watchingSince: number | null = null;
  #toldAt: number | null = null;
  #saidAway = false;

  constructor(parts: OpenPhonesParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => void this.tell(), phonesToldMs);
    this.#timer.unref();
    void this.tell();
  }

  /** Resolves when nothing of it needs the store any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#joining);
    await Promise.all(this.#writing);
  }

  /** A socket whose frame tells of this device's calls has opened; call the result when it is gone. */
  add(phone: Publisher): () => void {
    const source = sourceOf(phone);
    this.#open.set(source, (this.#open.get(source) ?? 0) + 1);
    this.#fresh.add(source);
    this.#freshAt = this.#parts.now();
    this.#joining ??= setTimeout(() => void this.#tellFresh(), joinMs).unref();
    let here = true;
    return () => {
      if (!here) return;
      here = false;
      const left = (this.#open.get(source) ?? 1) - 1;
      if (left === 0) this.#open.delete(source);
      else this.#open.set(source, left);
    };
  }

  /** Whether a phone holds a live socket, here or at another relay. @throws PatchcordError `store.unavailable` */
  async isOpen(source: string): Promise<boolean> {
    return this.#open.has(source) || (await this.#parts.store.isOpen(source));
  }

  /** Names all phones of this moment to the store. Never rejects: what was not told is told the next time. */
  async tell(): Promise<void> {
    const { store, relay, now } = this.#parts;
    const at = now();
    const fresh = this.#tellFresh();
    // Whoever came before this moment is in both, in this order.
    const sources = [...this.#open.keys()];
    await fresh;
    if (!(await this.#write(store.tell(relay, sources, at)))) return;
    const gapMs = at - (this.#toldAt ?? Number.NEGATIVE_INFINITY);
    // After a gap, phones that had to connect again get the time for it, here and at other relays.
    if (this.#watchingSince === null || gapMs > longestGapMs || gapMs < 0) this.#watchingSince = at;
    this.#toldAt = at;
  }

  /** Phones last seen before this are gone; null while this relay has not watched for long enough to say so. */
  goneBefore(): number | null {
    const now = this.#parts.now();
    if (this.#watchingSince === null || this.#toldAt === null || now - this.#toldAt > longestGapMs) return null;
    return now - this.#watchingSince < phoneGoneMs ? null : now - phoneGoneMs;
  }

  async #tellFresh(): Promise<void> {
    clearTimeout(this.#joining);
    this.#joining = undefined;
    if (this.#fresh.size === 0) return;
    const sources = [...this.#fresh];
    this.#fresh.clear();
    await this.#write(this.#parts.store.join(this.#parts.relay, sources, this.#freshAt));
  }

  async #write(work: Promise<void>): Promise<boolean> {
    const written = work.then(
      () => {
        this.#saidAway = false;
        return true;
      },
      (error: unknown) => {
        if (!this.#saidAway) this.#parts.log.warn({ err: error }, 'which phones are open could not be written');
        this.#saidAway = true;
        return false;
      },
    );
    const waiting = written.then(() => {});
    this.#writing.add(waiting);
    return await written.finally(() => this.#writing.delete(waiting));
  }
}
