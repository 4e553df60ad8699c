/** Which call a phone system's recording belongs to. Owns that choice among the calls of one leg; must never find another customer's. */
import { type CallId, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { isReportedCall, reportedCallId } from '../call-log/call-report.ts';
import { sipCallIdsOf } from '../call-log/change.ts';
import type { CallWithEvents, Store, StoredCall } from '../store/contract.ts';

/** How a phone system names a call. */
export type CallName = { readonly callId: CallId } | { readonly sipCallId: string };

/**
 * Of several calls on one leg (each phone that rang, the phone system's own) the one that was answered and that goes up in no other.
 * @throws PatchcordError `call.unknown`, retryable: its phone may tell of it later
 */
export async function recordedCall(
  store: Pick<Store, 'recordings' | 'calls'>,
  tenant: TenantId,
  name: CallName,
): Promise<StoredCall> {
  const ids = 'callId' in name ? [name.callId] : await store.recordings.callsOfSip(tenant, name.sipCallId);
  const found = [...(await store.calls.readCalls(ids)).values()]
    .map(({ call }) => call)
    .filter((call) => call.tenant === tenant && call.log !== null)
    .sort((a, b) => rank(a) - rank(b) || (a.callId < b.callId ? -1 : 1));
  const [call] = found;
  if (call === undefined) {
    throw new PatchcordError(
      'call.unknown',
      'The relay does not know this call (yet): a phone or a call record tells of it first. Send the recording again in a minute.',
      { retryable: true, retryAfterMs: 60_000 },
    );
  }
  return call;
}

/** The calls that a phone system reported and that go up in this one: a recording that came before its phone spoke is with them. */
export async function joinedLegs(store: Pick<Store, 'calls'>, found: CallWithEvents): Promise<readonly CallId[]> {
  const { callId, tenant, agent } = found.call;
  if (isReportedCall(callId)) return [];
  const legs = sipCallIdsOf(found, []).map((sipCallId) => reportedCallId(tenant, agent, sipCallId));
  const calls = legs.length === 0 ? [] : [...(await store.calls.readCalls(legs)).values()];
  return calls.filter(({ call }) => call.log?.joinedWith === callId).map(({ call }) => call.callId);
}

/** The lower, the more it is the call that was recorded. */
function rank({ callId, log }: StoredCall): number {
  return (log?.joinedWith == null ? 0 : 4) + (log?.answeredAt == null ? 2 : 0) + (isReportedCall(callId) ? 1 : 0);
}
