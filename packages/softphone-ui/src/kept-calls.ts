/**
 * What the next owner of the phone has to know of the calls, as text: whoever owns it next (the same page loaded anew, another frame, another
 * device) takes up what is still up, opens the wrap-ups of the rest, and goes on telling the host where the one before stopped. Owns that shape,
 * and the check of what comes back. Must never hold the digits that were sent (a PIN, a card), nor of a call that is over what its wrap-up does
 * not need. With a dialog in it the text takes the call: it is sealed wherever it is kept, never shown or logged.
 */
import type { CallOutcome } from '@patchcord/call-protocol';
import { type CallState, type KeptDialog, readCalls, readDialogs } from '@patchcord/phone-engine';

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

export interface Kept {
  /** When an owner was last seen alive with them, epoch ms. */
  readonly at: number;
  /** That was the moment at which its page went. */
  readonly leaves: boolean;
  /** The device that wrote it; null: an earlier version did, which did not say. */
  readonly by: string | null;
  readonly calls: readonly KeptCall[];
  readonly dialogs: readonly KeptDialog[];
}

export const nothingKept: Kept = { at: 0, leaves: false, by: null, calls: [], dialogs: [] };

/** A wrap-up nobody came back to for this long is not opened again, ms: its log is written without it. */
export const keptMs = 3_600_000;

/**
 * A call is taken up this long after an owner of it was last seen alive, ms. The far end keeps it: FreeSWITCH held a bridged call for all of the
 * 100 s that were watched, rtpengine and Asterisk go by the sound of the far side, which flows on, and a session timer (RFC 4028) runs 90 s at
 * least. But nobody holds a silent line for two minutes, and a microphone must not open by itself on a call the agent gave up.
 */
export const takeUpMs = 120_000;

/** What a message to the relay carries of it, in characters (`line.keep`). */
export const mostKeptText = 48_000;

/** As text. `most`: names that were found and not chosen are left out where it would be longer; they are looked for again. */
export function textOfKept(
  { by, calls, dialogs }: Pick<Kept, 'calls' | 'dialogs'> & Partial<Pick<Kept, 'by'>>,
  at = 0,
  most = Number.POSITIVE_INFINITY,
): string {
  const text = JSON.stringify({ at, by, calls: calls.map(reduced), dialogs });
  if (text.length <= most) return text;
  const bare = calls.map((kept) => ({ ...kept, call: { ...kept.call, matches: [] } }));
  return JSON.stringify({ at, by, calls: bare.map(reduced), dialogs });
}

/**
 * What such a text says at `now`; empty for what is no such text, or too old. Dialogs that are too old to be taken up are left out.
 * @param seen when its owner was seen last; absent: the text says so
 */
export function readKept(
  text: string | null,
  now: number,
  seen?: { readonly at: number; readonly leaves?: boolean },
): Kept {
  try {
    const { at: said, by, calls, dialogs } = JSON.parse(text ?? '{}') as Partial<Record<keyof Kept, unknown>>;
    const at = seen?.at ?? said;
    if (!isYoung(at, now) || !Array.isArray(calls)) return nothingKept;
    const young = Math.abs(now - at) < takeUpMs;
    return {
      at,
      leaves: seen?.leaves === true,
      by: typeof by === 'string' ? by : null,
      calls: calls.flatMap(readKeptCall),
      dialogs: young ? readDialogs(dialogs) : [],
    };
  } catch {
    return nothingKept;
  }
}

export function isYoung(at: unknown, now: number): at is number {
  return typeof at === 'number' && Math.abs(now - at) < keptMs;
}

/** The note is among it: saved without, the log would lose it. */
function reduced(kept: KeptCall): KeptCall {
  const call = { ...kept.call, digits: '', trouble: null };
  if (call.phase !== 'ended') return { ...kept, call };
  return { ...kept, call: { ...call, sipCallId: null, matches: [], transfer: null } };
}

function readKeptCall(value: unknown): readonly KeptCall[] {
  const { call, told, pageCreatesLog, logId } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const [known] = readCalls([call]);
  if (known === undefined) return [];
  const step = (['started', 'answered', 'ended'] as const).find((one) => one === told) ?? null;
  const log = typeof logId === 'string' && logId.length <= 80 ? logId : null;
  return [{ call: known, told: step, pageCreatesLog: pageCreatesLog === true, logId: log }];
}

/** What became of a call whose page went, as far as that can be known. */
export function outcomeOfLeft(answered: boolean, direction: CallState['direction']): CallOutcome {
  if (answered) return 'answered';
  return direction === 'inbound' ? 'missed' : 'cancelled';
}
