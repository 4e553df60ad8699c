/**
 * Calls that an earlier page began and left: a reload or a crash took the page before it could tell their end. Owns what becomes of them when
 * a frame becomes the owner of the phone; a new owner has no calls but those it takes up, so every other call its journal still knows as open is
 * such a one. Must run in the owner only, before its line is supplied: a mirror's open calls live in another frame.
 */
import type { ClockPort, SharedPhone } from '@patchcord/phone-engine';
import type { Journal } from './journal.ts';
import { type KeptCall, outcomeOfLeft } from './kept-calls.ts';
import { texts } from './texts.ts';

/** How often the journal hears that the page with the calls is alive, ms: the end of a left call is known this well. */
export const seenEveryMs = 5_000;

/** Keeps the journal, and whoever else keeps calls, knowing that this owner is alive, until the returned function is called. */
export function watchOwnCalls(
  phone: Pick<SharedPhone, 'state'>,
  journal: Journal,
  clock: ClockPort,
  alive: () => void,
): () => void {
  let timer: unknown = null;
  function plan(): void {
    timer = clock.setTimeout(() => {
      if (phone.state().calls.length > 0) {
        void journal.sawOpenCalls();
        alive();
      }
      plan();
    }, seenEveryMs);
  }
  plan();
  return () => clock.clearTimeout(timer);
}

/**
 * Tells the end of every left call, as events like any other; the log need not wait for the relay's own deadline. Resolves to their count.
 * @param kept calls the new owner was given: the phone itself tells the end of one that was still up, by its own event
 */
export async function endLeftCalls(journal: Journal, now: () => number, kept: readonly KeptCall[]): Promise<number> {
  const given = new Map<string, KeptCall['call']>(kept.map(({ call }) => [call.id, call]));
  const left = (await journal.openCalls()).filter(({ id }) => (given.get(id) ?? { end: true }).end !== null);
  for (const call of left) {
    const over = given.get(call.id);
    await journal.append({
      name: 'call.ended',
      // A browser that stays closed overnight must not make it a call of twelve hours.
      at: over?.endedAt ?? Math.min(now(), call.seenAt + seenEveryMs),
      call: call.id,
      data: over?.end ?? {
        outcome: outcomeOfLeft(call.answered, call.direction),
        reason: texts.pageClosedInCall,
        by: 'network',
      },
    });
  }
  return left.length;
}
