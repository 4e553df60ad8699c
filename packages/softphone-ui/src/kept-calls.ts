/**
 * The owner's calls and what the host has heard of each, put down in this partition's storage while they last: whoever owns the phone next (the
 * same page loaded anew, another frame) opens their wrap-ups again and goes on telling the host where the one before stopped. Owns that one
 * entry, and that those of others go. Must never keep a call whose wrap-up is submitted, nor of a call what its wrap-up does not need: not the
 * digits that were sent (a PIN, a card), not its dialog, not the matches nobody chose.
 */
import type { CallOutcome } from '@patchcord/call-protocol';
import { type CallState, readCalls } from '@patchcord/phone-engine';
import { texts } from './texts.ts';

/** `started`, `answered`, `ended`: the last step the host has heard. */
export type ToldStep = 'started' | 'answered' | 'ended';

export interface KeptCall {
  readonly call: CallState;
  /** null: the host knows nothing of it. */
  readonly told: ToldStep | null;
  readonly pageCreatesLog: boolean;
  /** The log of the call, where somebody named it. */
  readonly logId: string | null;
}

export interface KeptCalls {
  /** What the owner before left, and when it was last seen alive (epoch ms); empty when that is long ago. */
  read(): { readonly at: number; readonly calls: readonly KeptCall[] };
  write(calls: readonly KeptCall[]): void;
  /** Whoever wrote it, nothing stays: the agent leaves. */
  clear(): void;
}

/** A wrap-up nobody came back to for this long is not opened again, ms: its log is written without it. */
const keptMs = 3_600_000;

/** Every key begins so; the agent follows. */
const prefix = 'patchcord-calls:';

/** At the start of the page, whoever signs in: what nobody came back to goes. `isOver`: instead of its age. */
export function sweepKeptCalls(
  storage: () => Storage,
  now: number,
  isOver: (key: string, at: unknown) => boolean = (_, at) => !isYoung(at, now),
): void {
  try {
    const stored = storage();
    for (const key of Object.keys(stored)) {
      if (key.startsWith(prefix) && isOver(key, timeOf(stored.getItem(key)))) stored.removeItem(key);
    }
  } catch {
    // Storage that can't be read keeps nothing either.
  }
}

function timeOf(text: string | null): unknown {
  try {
    return (JSON.parse(text ?? '') as { at?: unknown } | null)?.at;
  } catch {
    return undefined;
  }
}

function isYoung(at: unknown, now: number): at is number {
  return typeof at === 'number' && Math.abs(now - at) < keptMs;
}

/** For one agent, known by `agent`; whoever had this phone before is gone, and so are their calls. Where storage is refused nothing is kept. */
export function createKeptCalls(storage: () => Storage, agent: string, now: () => number): KeptCalls {
  const key = prefix + agent;
  let written = false;
  function clear(): void {
    written = false;
    try {
      storage().removeItem(key);
    } catch {
      // Nothing was kept.
    }
  }
  sweepKeptCalls(storage, now(), (other) => other !== key);
  return {
    clear,
    read() {
      try {
        const { at, calls } = JSON.parse(storage().getItem(key) ?? '{}') as { at?: unknown; calls?: unknown };
        if (isYoung(at, now()) && Array.isArray(calls)) {
          written = true;
          return { at, calls: calls.flatMap(readKept) };
        }
        storage().removeItem(key);
      } catch {
        // Nothing to read is nothing left.
      }
      return { at: 0, calls: [] };
    },
    write(calls) {
      if (calls.length === 0) {
        if (written) clear();
        return;
      }
      written = true;
      try {
        storage().setItem(key, JSON.stringify({ at: now(), calls: calls.map(reduced) }));
      } catch {
        // Full or forbidden: the next owner starts without.
      }
    },
  };
}

/** What the wrap-up needs. The note is among it: saved without, the log would lose it. */
function reduced(kept: KeptCall): KeptCall {
  return { ...kept, call: { ...kept.call, digits: '', sipCallId: null, matches: [], transfer: null, trouble: null } };
}

function readKept(value: unknown): readonly KeptCall[] {
  const { call, told, pageCreatesLog, logId } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const [known] = readCalls([call]);
  if (known === undefined) return [];
  const step = (['started', 'answered', 'ended'] as const).find((one) => one === told) ?? null;
  const log = typeof logId === 'string' && logId.length <= 80 ? logId : null;
  return [{ call: known, told: step, pageCreatesLog: pageCreatesLog === true, logId: log }];
}

/** A call as it is once the page that had it is gone: over, its time for the wrap-up beginning now. */
export function overWithItsPage(call: CallState, endedAt: number, now: number): CallState {
  if (call.phase === 'ended') return { ...call, wrapUpSince: now };
  const end = { outcome: outcomeOfLeft(call.answeredAt !== null, call.direction), reason: texts.pageClosedInCall };
  return {
    ...call,
    phase: 'ended',
    hold: 'off',
    farHold: false,
    transfer: null,
    trouble: null,
    endedAt: Math.max(endedAt, call.answeredAt ?? call.startedAt),
    wrapUpSince: now,
    end: { ...end, by: 'network' },
  };
}

/** What became of a call whose page went, as far as that can be known. */
export function outcomeOfLeft(answered: boolean, direction: CallState['direction']): CallOutcome {
  if (answered) return 'answered';
  return direction === 'inbound' ? 'missed' : 'cancelled';
}
