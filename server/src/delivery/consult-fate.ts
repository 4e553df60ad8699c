/**
 * Whether a consult call needs a log of its own. Owns how long that may stay open: an attended transfer may be confirmed well after the consult
 * call is over, and then the conversation is one log. Must never hold back a log that was written before.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { CallStore, StoredCall } from '../store/contract.ts';

/** The call it was placed for is looked at again after this long. */
const lookAgainMs = 3_000;
/** A transfer that is not confirmed by then is not waited for any longer. */
export const fateCapMs = 120_000;

/**
 * When to look again, epoch ms; null when the log can be written. The fate is known once the call it was placed for ended without a transfer, or
 * its transfer failed after the consult call was over. A `call.joined` needs no looking: then there is no log to write.
 * @param heardAt Epoch ms by this relay's clock: when it heard that the consult call was over. A device's clock may be wrong.
 */
export async function waitForFate(
  consult: StoredCall,
  heardAt: number,
  parts: { readonly calls: CallStore; readonly now: () => number },
): Promise<number | null> {
  const { log, logId } = consult;
  if (log === null || log.consultFor === null || logId !== null) return null;
  const now = parts.now();
  const cap = heardAt + fateCapMs;
  if (now >= cap) return null;
  const first = (await parts.calls.readCalls([log.consultFor as CallId])).get(log.consultFor as CallId);
  const lookAgain = Math.min(cap, now + lookAgainMs);
  // What the phone said of the first call may still be on its way.
  if (first === undefined || first.call.log === null) return lookAgain;
  // Whoever names another agent's call has nothing to wait for.
  if (first.call.tenant !== consult.tenant || first.call.agent !== consult.agent) return null;
  if (first.call.log.stage !== 'live' && first.call.log.transferredTo === null) return null;
  const over = log.endedAt ?? 0;
  return first.events.some((event) => event.name === 'call.transfer-failed' && event.at >= over) ? null : lookAgain;
}
