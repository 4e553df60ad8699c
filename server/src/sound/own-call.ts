/**
 * Whether a call is the agent's whose page sends its sound. A stream may begin before the first event of its call: they come over two connections, and
 * sound waits for nothing; then somebody looks again. Must not tell an agent of calls of others, not even that they exist.
 */
import { type CallId, PatchcordError } from '@patchcord/call-protocol';
import type { SessionOwner } from '../identity/sessions.ts';
import type { Store } from '../store/contract.ts';

/** Sound may come after the end of its call, from a page that was cut off; not for longer. */
const lateMs = 120_000;

/**
 * @returns false while nobody told of this call
 * @throws PatchcordError `call.unknown` for a call of somebody else's, and for one that is over; `store.unavailable`
 */
export async function isOwnCall(
  { store, now }: { readonly store: Pick<Store, 'calls'>; readonly now: () => number },
  owner: SessionOwner,
  callId: CallId,
): Promise<boolean> {
  const found = (await store.calls.readCalls([callId])).get(callId)?.call;
  if (found === undefined) return false;
  if (found.tenant !== owner.tenant || found.agent !== owner.agent) throw notOwn();
  const endedAt = found.log?.endedAt ?? null;
  if (endedAt !== null && now() - Math.max(endedAt, found.touchedAt) > lateMs)
    throw notHere('This call is over. Nothing was taken.');
  return true;
}

export function notHere(message: string): PatchcordError {
  return new PatchcordError('call.unknown', message);
}

/** The same for every call of others: whether it exists is not for this agent to know. */
export function notOwn(): PatchcordError {
  return notHere('This call is none of this agent’s. Nothing was taken.');
}
