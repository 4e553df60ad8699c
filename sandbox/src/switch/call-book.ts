/**
 * The book of calls: who spoke with whom, live and finished, for tests and for the demo's pages.
 * Records what it is told; must never influence a call.
 */
import type { EndCause, Party } from './party.ts';

export type CallDescription = {
  /** SIP Call-ID of the agent's call; an id of its own for two callers joined by a transfer. */
  id: string;
  /** From the agent's point of view; `transferred` for two far sides that a transfer has joined. */
  direction: 'outbound' | 'inbound' | 'transferred';
  /** The agent's extension; absent when no agent is left in the call. */
  extension?: string;
  /** The far side: its number, or its extension when it is an agent too. */
  number: string;
  name?: string;
  /** Both numbers of a `transferred` call. */
  joined?: [string, string];
  state: 'ringing' | 'answered' | 'ended';
  heldByAgent: boolean;
  heldByFarSide: boolean;
  /** Keys the agent has pressed. */
  digits: string;
  transferredTo?: string;
  /** The caller ID that the agent asked for (P-Preferred-Identity, RFC 3325) and that the far side was shown. */
  callerId?: string;
  /** The sound codec that was agreed on, once it is: `PCMU` or `PCMA`. */
  codec?: string;
  /** Epoch milliseconds. */
  startedAt: number;
  answeredAt?: number;
  endedAt?: number;
  ended?: EndCause;
};

/** A description that is still being written, with the two ends that only the exchange may touch. */
export type CallEntry = {
  readonly description: CallDescription;
  /** Further Call-IDs under which the same call is known, after an INVITE with Replaces. */
  readonly aliases: string[];
  /** The agent; in a `transferred` call the second of the two joined far sides. */
  near: Party | undefined;
  far: Party | undefined;
  /** The agent's devices that ring for it now. */
  ringing?: ReadonlySet<Party>;
};

const MOST_ENTRIES = 500;

export class CallBook {
  readonly #entries: CallEntry[] = [];

  open(entry: CallEntry): CallEntry {
    this.#entries.push(entry);
    if (this.#entries.length > MOST_ENTRIES) this.#entries.splice(0, this.#entries.length - MOST_ENTRIES);
    return entry;
  }

  /** Copies, oldest first. */
  all(): CallDescription[] {
    return this.#entries.map((entry) => ({ ...entry.description }));
  }

  live(): CallEntry[] {
    return this.#entries.filter((entry) => entry.description.state !== 'ended');
  }

  /** The call with this id, or the newest one with this far-side number (live ones first). */
  find(reference: string): CallEntry | undefined {
    const byId = this.#entries.findLast(
      (entry) => entry.description.id === reference || entry.aliases.includes(reference),
    );
    if (byId) return byId;
    const involved = this.#entries.filter((entry) =>
      [entry.description.number, ...(entry.description.joined ?? [])].some((number) => sameNumber(number, reference)),
    );
    return involved.findLast((entry) => entry.description.state !== 'ended') ?? involved.at(-1);
  }

  /** The newest live entry in which this party is the agent's end. */
  ofAgent(agent: Party): CallEntry | undefined {
    return this.#entries.findLast((entry) => entry.near === agent && entry.description.state !== 'ended');
  }

  /** The newest entry, live or not, in which this party is any end. */
  lastOf(party: Party): CallEntry | undefined {
    return this.#entries.findLast((entry) => entry.near === party || entry.far === party);
  }

  /** Live entries in which this party is any end. */
  of(party: Party): CallEntry[] {
    return this.live().filter((entry) => entry.near === party || entry.far === party);
  }
}

/** Equal by digits: `+49 30 23125001` and `+493023125001`. */
export function sameNumber(first: string, second: string): boolean {
  return dialled(first) === dialled(second);
}

/** A dialled string without its decoration: separators gone, leading 00 as plus. */
export function dialled(text: string): string {
  return text.replace(/[\s().\-/]/g, '').replace(/^00(?=[1-9])/, '+');
}
