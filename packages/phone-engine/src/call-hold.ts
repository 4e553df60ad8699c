/** Hold, resume and mute; a conference is held as one. Pure. Resuming waits until no other call is live. */
import { busyComingUp, transferOf, wait } from './call-obstacles.ts';
import {
  change,
  inTurn,
  isComingUp,
  isLive,
  isNotDialled,
  keep,
  membersOf,
  refuse,
  type Transition,
} from './call-step.ts';
import type { CallState, PhoneState } from './state.ts';

export function hold(state: PhoneState, call: CallState): Transition {
  if (call.phase !== 'active') return refuse(state, 'call.hold', 'Only a connected call can be put on hold.');
  if (call.hold === 'on') return keep(state);
  if (call.hold !== 'off') return refuse(state, 'call.hold', 'The hold is just being changed. Wait a moment.');
  // A conference is held as one: else the others would go on talking behind the agent's back, through the agent's phone.
  return inTurn(state, call.inConference ? membersOf(state).filter(isLive) : [call], placeHold);
}

/** Puts a live call on hold. */
export function placeHold(state: PhoneState, call: CallState): Transition {
  return change(state, call.id, { hold: 'placing', trouble: null }, [{ type: 'sip.hold', call: call.id, on: true }]);
}

/** Takes a call off hold; whether another is live has been asked. */
export function liftHold(state: PhoneState, call: CallState): Transition {
  return change(state, call.id, { hold: 'lifting', trouble: null }, [{ type: 'sip.hold', call: call.id, on: false }]);
}

export function resume(state: PhoneState, call: CallState, command: 'call.resume' | 'call.swap'): Transition {
  const no = (reason: string) => refuse(state, command, reason);
  if (call.phase !== 'active') return no('Only a connected call can be resumed.');
  if (call.hold === 'off') return command === 'call.resume' ? keep(state) : no('This call is not on hold.');
  if (call.hold !== 'on') return no('The hold is just being changed. Wait a moment.');
  if (transferOf(state, call) !== null) return no('The call is being transferred. Wait for the answer.');
  const busy = busyComingUp(state, call);
  return busy === null ? wait(state, { act: 'resume', call: call.id }) : no(busy);
}

/** In a conference the agent is silent to all or to none. */
export function mute(state: PhoneState, call: CallState, muted: boolean): Transition {
  if (call.phase !== 'active' && !isComingUp(call)) {
    return refuse(state, 'call.mute', 'Only a call in progress can be muted.');
  }
  if (call.muted === muted) return keep(state);
  return inTurn(state, call.inConference ? membersOf(state) : [call], (next, it) => muteOne(next, it, muted));
}

/** The port hears of it when it knows the call. */
export function muteOne(state: PhoneState, call: CallState, muted: boolean): Transition {
  const known = !isNotDialled(state, call.id);
  return change(state, call.id, { muted }, known ? [{ type: 'sip.mute', call: call.id, muted }] : []);
}
