/**
 * Handing a call over: to a number, to whoever was consulted, to a park slot, into a room. Pure. Owns what a transfer means for the calls that
 * take part; the far side's answer comes as a signal.
 */

import type { CallId } from '@patchcord/call-protocol';
import { transferRefusal } from './call-obstacles.ts';
import {
  andThen,
  type CommandOf,
  callOf,
  change,
  emit,
  endingMs,
  isInProgress,
  keep,
  refuse,
  type SignalOf,
  type Transition,
} from './call-step.ts';
import type { CallState, PhoneState, TransferPurpose } from './state.ts';

export function transfer(state: PhoneState, call: CallState, input: CommandOf<'call.transfer'>): Transition {
  const to = input.to.trim();
  const no = to === '' ? 'There is no number to transfer to.' : transferRefusal(state, call);
  if (no !== null) return refuse(state, input.type, no);
  return send(state, call, to, input.purpose ?? 'transfer');
}

function send(state: PhoneState, call: CallState, to: string, purpose: TransferPurpose): Transition {
  return change(
    state,
    call.id,
    { transfer: { kind: 'blind', to, status: 'asked', purpose }, recovery: null, trouble: null },
    [{ type: 'sip.transfer', call: call.id, to }],
  );
}

/** Sends a call into a conference room; null when it can't go. */
function sendInto(state: PhoneState, call: CallState, room: string): Transition | null {
  return transferRefusal(state, call) === null ? send(state, call, room, 'room') : null;
}

export function cancelTransfer(state: PhoneState, call: CallState): Transition {
  const { transfer } = call;
  if (call.phase !== 'active' || transfer === null) {
    return refuse(state, 'call.cancel-transfer', 'This call is not being transferred.');
  }
  if (transfer.status === 'cancelling') return keep(state);
  return change(state, call.id, { transfer: { ...transfer, status: 'cancelling' } }, [
    { type: 'sip.cancel-transfer', call: call.id },
  ]);
}

export function completeTransfer(state: PhoneState, call: CallState): Transition {
  const no = (reason: string) => refuse(state, 'call.complete-transfer', reason);
  const consult =
    call.consultFor === null ? state.calls.find((it) => it.consultFor === call.id && isInProgress(it)) : call;
  const first = consult?.consultFor ? callOf(state, consult.consultFor) : undefined;
  if (consult === undefined || first === undefined) return no('No one was consulted for this call.');
  const refusal = transferRefusal(state, first) ?? transferRefusal(state, consult);
  if (refusal !== null) return no(refusal);
  return change(
    state,
    first.id,
    {
      transfer: { kind: 'attended', to: consult.farSide.number, consult: consult.id, status: 'asked' },
      recovery: null,
      trouble: null,
    },
    [{ type: 'sip.transfer-attended', call: first.id, consult: consult.id }],
  );
}

/** The target took the call: ours are over as soon as the port has ended them. Told on the call that was transferred. */
export function transferred(state: PhoneState, call: CallState, at: number): Transition {
  const { transfer } = call;
  if (call.phase !== 'active' || transfer === null) return keep(state);
  const purpose = transfer.kind === 'blind' && transfer.purpose !== 'transfer' ? { purpose: transfer.purpose } : {};
  const told = emit('call.transferred', at, { to: transfer.to, kind: transfer.kind, ...purpose }, call.id);
  const over = (next: PhoneState, it: CallState, to: string): Transition =>
    change(next, it.id, { phase: 'ending', transfer: { ...transfer, to }, trouble: null }, [
      { type: 'timer.start', call: it.id, signal: 'timer.ending-expired', ms: endingMs },
    ]);
  const first = andThen({ state: forRoom(state, call.id, call.farSide), effects: [told] }, (next) =>
    over(next, call, transfer.to),
  );
  if (transfer.kind === 'blind') return first;
  // The far end may have ended the consult call already: taking over its dialog does that.
  const joined = emit('call.joined', at, { with: call.id }, transfer.consult);
  const both = andThen(first, (next) => ({ state: next, effects: [joined] }));
  const consult = callOf(state, transfer.consult);
  return consult === undefined || !isInProgress(consult)
    ? both
    : andThen(both, (next) => over(next, consult, call.farSide.number));
}

/** What a room was told of a call that should go there: it went (who), or it did not. */
export function forRoom(state: PhoneState, call: CallId, member: CallState['farSide'] | null): PhoneState {
  const at = state.calls.find((it) => it.room?.gathers.includes(call));
  if (at?.room == null) return state;
  const room = {
    members: member === null ? at.room.members : [...at.room.members, member],
    gathers: at.room.gathers.filter((id) => id !== call),
  };
  return { ...state, calls: state.calls.map((it) => (it.id === at.id ? { ...it, room } : it)) };
}

/** Sends one more call into the room that has answered; one that can't go stays. */
export const sendMember =
  (room: CallState) =>
  (state: PhoneState, id: CallId): Transition => {
    const call = callOf(state, id);
    const sent = call === undefined ? null : sendInto(state, call, room.farSide.number);
    return sent ?? keep(forRoom(state, id, null));
  };

/** The call is the agent's again. Of one that was taken back the port says what that means: SIP knows no way back for all of them. */
export function transferRefused(
  state: PhoneState,
  call: CallState,
  { reason, at }: SignalOf<'sip.transfer-refused'>,
): Transition {
  if (call.phase !== 'active' || call.transfer === null) return keep(state);
  const { to, status } = call.transfer;
  const trouble = status === 'cancelling' ? reason : `The transfer failed: ${reason}`;
  const failed = emit('call.transfer-failed', at, { to, reason }, call.id);
  const back = change(state, call.id, { transfer: null, trouble }, [failed]);
  return { ...back, state: forRoom(back.state, call.id, null) };
}
