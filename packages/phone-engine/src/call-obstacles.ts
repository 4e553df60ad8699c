/** What may stand in the way of an act on a call, in plain words. Pure: asks, changes nothing but who waits. */
import { isComingUp, keep, type Transition } from './call-step.ts';
import type { CallState, PhoneState, Waiting } from './state.ts';

/** Why no other call may come up now, or null. */
export function busyComingUp(state: PhoneState, except: CallState | null): string | null {
  if (state.waiting !== null) return 'Another call is just being put on hold. Wait a moment.';
  const other = state.calls.find((it) => it.id !== except?.id && isComingUp(it));
  if (other === undefined) return null;
  return other.direction === 'outbound'
    ? 'A call is being placed. End it first, or wait until it is answered.'
    : 'Another call is just being answered. Wait a moment.';
}

/** The transfer that this call takes part in, as the one transferred or as the one consulted. */
export function transferOf(state: PhoneState, call: CallState): CallState['transfer'] {
  const partner = state.calls.find((it) => it.transfer?.kind === 'attended' && it.transfer.consult === call.id);
  return call.transfer ?? partner?.transfer ?? null;
}

/** Why this call can't be transferred now, or null. */
export function transferRefusal(state: PhoneState, call: CallState): string | null {
  if (call.phase !== 'active') return 'Only a connected call can be transferred.';
  if (call.recovering) return 'The call is just being taken up again. Wait a moment.';
  if (call.hold === 'placing' || call.hold === 'lifting') return 'The hold is just being changed. Wait a moment.';
  if (state.waiting !== null) return 'Another call is just being put on hold. Wait a moment.';
  if (transferOf(state, call) !== null) return 'The call is already being transferred.';
  return null;
}

/** Makes the act wait; the transition lets it go on in the same step when nothing is in its way. */
export function wait(state: PhoneState, waiting: Waiting): Transition {
  return keep({ ...state, waiting });
}
