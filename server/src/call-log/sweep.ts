/**
 * Finishes calls whose phone fell silent: a laptop that ran out of power, a window that was killed, sends no `call.ended`. A long call is silent
 * too, so silence alone must last; a phone that has no live socket any more at any relay is gone, and once the agent has no session left,
 * nobody can report. Owns when; how a call ends by rule is the recorder's business. Runs on every relay: what one has finished, the others find finished.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { Log } from '../logging.ts';
import type { CallStore } from '../store/contract.ts';
import type { EventRecorder } from './record-events.ts';

/** After this long without a word from its phone a call is over, whatever is open. */
export const silentMs = 12 * 3_600_000;
/** After this long when its agent has no session left: for phones that nobody saw with a live socket. */
export const unattendedMs = 10 * 60_000;
const page = 100;

/** Finishes every call that was silent for too long; returns how many. One that cannot be finished holds no other back. */
export async function finishSilentCalls(parts: {
  readonly store: CallStore;
  readonly recorder: EventRecorder;
  readonly log: Log;
  readonly now: () => number;
  /** Phones without a live socket since before this are gone; null while nobody can tell. */
  readonly goneBefore: number | null;
}): Promise<number> {
  let finished = 0;
  /** Seen in this sweep and still open: asked for on top of a page, so that they never fill it. */
  const left = new Set<CallId>();
  for (;;) {
    const now = parts.now();
    const silent = await parts.store.silentCalls({
      now,
      silentBefore: now - silentMs,
      unattendedBefore: now - unattendedMs,
      goneBefore: parts.goneBefore,
      limit: page + left.size,
    });
    const unseen = silent.filter((callId) => !left.has(callId));
    if (unseen.length === 0) return finished;
    for (const callId of unseen) {
      try {
        if (await parts.recorder.finishByRule(callId)) {
          finished += 1;
          parts.log.warn({ callId }, 'a call ended by rule: its phone stopped reporting');
        } else {
          left.add(callId);
        }
      } catch (error) {
        left.add(callId);
        parts.log.error(
          { err: error, callId },
          'a silent call could not be ended by rule; it is tried again next time',
        );
      }
    }
  }
}
