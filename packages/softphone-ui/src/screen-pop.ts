/**
 * Opens the caller's record in the CRM: on ring or on answer as the profile says, in the foremost frame only, once per call. Must never pop
 * for a call that was there before this frame (a new tab, a hand-over), for an outbound call (the agent came from a record), nor for a
 * record the agent picked: the frame of the click opens that one.
 */
import type { CallId, Profile, RecordRef } from '@patchcord/call-protocol';
import type { CallState, SharedPhone } from '@patchcord/phone-engine';
import { sameRecord } from './call-duties.ts';

export interface ScreenPopOptions {
  readonly phone: Pick<SharedPhone, 'state' | 'onState' | 'isForemost'>;
  readonly policy: () => Profile['screenPop'];
  readonly open: (call: CallId, record: RecordRef) => void;
}

/** Watches until the returned function is called. */
export function startScreenPop(options: ScreenPopOptions): () => void {
  const { phone } = options;
  const done = new Set<CallId>(phone.state().calls.map((call) => call.id));
  return phone.onState((state) => {
    for (const call of state.calls) {
      if (done.has(call.id) || !isDue(call, options.policy())) continue;
      // Due now, for every frame alike: only the foremost acts, and none of them acts again.
      done.add(call.id);
      if (call.record !== null && phone.isForemost()) options.open(call.id, call.record);
    }
    for (const id of done) if (!state.calls.some((call) => call.id === id)) done.delete(id);
  });
}

function isDue(call: CallState, policy: Profile['screenPop']): boolean {
  if (policy.inbound === 'never' || call.direction !== 'inbound' || call.phase === 'ended' || call.record === null)
    return false;
  const only = call.matches.length === 1 ? call.matches[0] : undefined;
  if (only === undefined || !sameRecord(only.record, call.record)) return false;
  return policy.inbound === 'ring' || call.answeredAt !== null;
}
