/**
 * How much of everything one address or agent may ask for. Owns the numbers. These protect the relay, in memory and per relay; what stops toll
 * fraud is in `brakes/`, and the same for all relays.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { RateLimiterMemory } from 'rate-limiter-flexible';

const rules = {
  /** Requests of one address, whatever they ask. An office shares one address. */
  requests: { points: 3_000, duration: 60 },
  /** Refused pairing codes of one address: none can be guessed in the five minutes it lives. The other proofs are beyond guessing. */
  'refused-proofs': { points: 20, duration: 300 },
  /** Signatures of one address that were none of HubSpot's, in pieces of 64 kB hashed in vain: 200 MB a minute. HubSpot's own addresses are shared. */
  'refused-signatures': { points: 3_000, duration: 60 },
  /** Sign-ins of one address, refused or not: each costs a slow hash. */
  'sign-ins': { points: 120, duration: 60 },
  /** Sign-in windows of one address, on their way out and back. Apart from the sign-ins: any page may send a browser here. */
  'sign-in-windows': { points: 120, duration: 60 },
  /** Pairing codes for one agent. */
  'pairing-codes': { points: 10, duration: 300 },
  /** Credentials of one agent. */
  credentials: { points: 60, duration: 60 },
  /** Look-ups of one agent; each asks the CRM. */
  matches: { points: 120, duration: 60 },
  /** Changes of one agent's call-backs and dial list. */
  'to-call': { points: 240, duration: 60 },
  /** Messages that the phone system of one tenant hands over. */
  voicemails: { points: 600, duration: 60 },
  /** What one agent asks of their messages. */
  'voicemail-boxes': { points: 240, duration: 60 },
  /** Numbers of which one agent asks whether they may be called. */
  'may-call': { points: 120, duration: 60 },
  /** What one person asks on cards of the CRM. */
  cards: { points: 240, duration: 60 },
  /** Calls of which one agent's phones ask who logs them. */
  'log-creators': { points: 120, duration: 60 },
  /** Pages that are not there: nobody but a scanner asks for many. */
  'not-found': { points: 60, duration: 60 },
  /** Live sockets opened by one address. */
  sockets: { points: 600, duration: 60 },
  /** Events published by one agent. A panel that was offline for a day may send its journal at once. */
  events: { points: 6_000, duration: 60 },
  /** What one agent's devices ask of their line and keep of it. */
  lines: { points: 1_200, duration: 60 },
  /** What one agent's devices say to each other, in pieces of 4 kB: 24 MB a minute. */
  frames: { points: 6_000, duration: 60 },
} as const;

export type LimitName = keyof typeof rules;

export class Limits {
  readonly #limiters = new Map<string, RateLimiterMemory>();
  /** Tries under way, by limit and key, and who waits for one of them to end. */
  readonly #trying = new Map<string, { count: number; readonly waiting: (() => void)[] }>();

  constructor() {
    for (const [name, rule] of Object.entries(rules)) {
      this.#limiters.set(name, new RateLimiterMemory({ keyPrefix: name, ...rule }));
    }
  }

  /** Takes `points`; false when there are none left. */
  async take(name: LimitName, key: string, points = 1): Promise<boolean> {
    try {
      await this.#limiters.get(name)?.consume(bounded(key), points);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Runs a try that counts only when it is refused. No more of them run at once than may still be refused, so that a thousand sent together
   * get no further than one after the other; the rest wait for their turn.
   * @throws PatchcordError `request.too-many` when there are no tries left; whatever `work` rejects with
   */
  async whileNotRefused<T>(
    name: LimitName,
    key: string,
    work: () => Promise<T>,
    isRefusal: (error: unknown) => boolean,
  ): Promise<T> {
    const place = `${name} ${bounded(key)}`;
    const trying = this.#trying.get(place) ?? { count: 0, waiting: [] };
    this.#trying.set(place, trying);
    for (;;) {
      const left = await this.#left(name, key);
      if (left <= 0) {
        // Nobody who waits has a better chance.
        for (const wake of trying.waiting.splice(0)) wake();
        throw new PatchcordError('request.too-many', 'Too many requests. Wait a moment and try again.', {
          retryable: true,
          retryAfterMs: await this.waitMs(name, key),
        });
      }
      if (trying.count < left) break;
      await new Promise<void>((resolve) => trying.waiting.push(resolve));
    }
    trying.count += 1;
    try {
      return await work();
    } catch (error) {
      if (isRefusal(error)) await this.take(name, key);
      throw error;
    } finally {
      trying.count -= 1;
      trying.waiting.shift()?.();
      if (trying.count === 0 && trying.waiting.length === 0) this.#trying.delete(place);
    }
  }

  async #left(name: LimitName, key: string): Promise<number> {
    const state = await this.#limiters.get(name)?.get(bounded(key));
    return state?.remainingPoints ?? rules[name].points;
  }

  /** How long until something may be taken again, ms; 0 when it may now. Takes nothing. */
  async waitMs(name: LimitName, key: string): Promise<number> {
    const state = await this.#limiters.get(name)?.get(bounded(key));
    return state === null || state === undefined || (state.remainingPoints ?? 1) > 0 ? 0 : (state.msBeforeNext ?? 0);
  }
}

/** An IPv6 customer has a whole /64: the last half of the address is theirs to change. */
function bounded(key: string): string {
  if (!key.includes(':') || key.includes(' ') || key.startsWith('::ffff:')) return key;
  const [head = '', tail] = key.split('::');
  const groups = head.split(':');
  if (tail !== undefined) while (groups.length + tail.split(':').length < 8) groups.push('0');
  return groups.slice(0, 4).join(':');
}
