/**
 * What became of our calls' logs while the live link was away. Owns which calls are still owed an answer and up to which number their events
 * are known; asks for the rest after each new connection. Must never tell an event twice, nor an older one after a newer one.
 */
import { type CallEvents, type Envelope, parseEvent, type WireEvent } from '@patchcord/call-protocol';

export interface LiveGaps {
  /** These events went up: their calls are owed an answer. */
  published(events: readonly Envelope[]): void;
  /** An event came down; false when it is known already. */
  heard(event: WireEvent, seq: number | undefined): boolean;
  /** The link stands again: asks for what was missed, in the background. */
  joined(): void;
}

interface Owed {
  /** Number of the newest event that was told of this call. */
  seq: number;
  settled: boolean;
  reading: boolean;
}

/** Calls that are remembered; older ones the history shows. */
const mostCalls = 50;

/** @param tell Called with each event that was missed, in order */
export function createLiveGaps(
  read: (call: string, after: number) => Promise<CallEvents>,
  tell: (event: WireEvent) => void,
): LiveGaps {
  const calls = new Map<string, Owed>();

  function owed(call: string): Owed {
    const one = calls.get(call) ?? { seq: 0, settled: false, reading: false };
    calls.delete(call);
    calls.set(call, one);
    const [oldest] = calls.keys();
    if (calls.size > mostCalls && oldest !== undefined) calls.delete(oldest);
    return one;
  }

  function take(one: Owed, event: WireEvent, seq: number): boolean {
    if (seq <= one.seq) return false;
    one.seq = seq;
    if (event.name === 'log.saved') one.settled = true;
    return true;
  }

  async function fill(call: string, one: Owed): Promise<void> {
    if (one.reading) return;
    one.reading = true;
    try {
      let after = one.seq;
      for (let more = true; more; ) {
        const page = await read(call, after);
        for (const { seq, event } of page.events) {
          after = seq;
          // Our own events come back too; only the relay's are news.
          if (!/\.log\.(?:saved|failed)\./.test(event.type)) continue;
          const known = parseEvent(event);
          if (take(one, known, seq)) tell(known);
        }
        more = page.more && page.events.length > 0;
      }
    } catch {
      // Not there, or not readable: the next connection asks again, and the history shows it anyway.
    } finally {
      one.reading = false;
    }
  }

  return {
    published(events) {
      for (const { subject } of events) if (subject !== undefined) owed(subject).settled = false;
    },
    heard(event, seq) {
      if (event.call === undefined || seq === undefined) return true;
      return take(owed(event.call), event, seq);
    },
    joined() {
      for (const [call, one] of calls) if (!one.settled) void fill(call, one);
    },
  };
}
