/**
 * Calls that hear each other: merging and splitting those that are mixed here, and what a room at the phone system was told of. Pure. Owns who is a
 * member; the sound is mixed from `mixOf` (selectors).
 */
import { liftHold, muteOne, placeHold } from './call-hold.ts';
import { transferOf } from './call-obstacles.ts';
import { andThen, change, emit, inTurn, isLive, refuse, type Transition } from './call-step.ts';
import type { CallState, PhoneState } from './state.ts';

export function merge(state: PhoneState, call: CallState): Transition {
  const no = (reason: string) => refuse(state, 'call.merge', reason);
  const { mostMembers } = state.rules;
  if (mostMembers < 2) return no('This phone makes no conferences. Ask your administrator.');
  if (call.inConference) return no('This call is in the conference already.');
  if (call.phase !== 'active' || call.hold !== 'on')
    return no('Only a call on hold can be brought into the conversation.');
  const live = state.calls.filter(isLive);
  if (live.length === 0) return no('There is no live call to bring it into. Resume one first.');
  if (live.length + 1 > mostMembers) return no(`A conference holds ${mostMembers} others at most.`);
  if (state.waiting !== null) return no('Another call is just being put on hold. Wait a moment.');
  if ([call, ...live].some((it) => transferOf(state, it) !== null)) {
    return no('A call is being transferred. Wait for the answer.');
  }
  // Nobody is consulted behind the other's back any more.
  const together = { inConference: true, consultFor: null } as const;
  const joined = inTurn(state, [call, ...live], (next, it) => change(next, it.id, together));
  const muted = live.some((it) => it.muted);
  const alike = call.muted === muted ? joined : andThen(joined, (next) => muteOne(next, call, muted));
  return andThen(alike, (next) => liftHold(next, call));
}

export function split(state: PhoneState, call: CallState, at: number): Transition {
  if (!call.inConference) return refuse(state, 'call.split', 'This call is in no conference.');
  if (call.hold === 'placing' || call.hold === 'lifting') {
    return refuse(state, 'call.split', 'The hold is just being changed. Wait a moment.');
  }
  const out = change(state, call.id, { inConference: false, silenced: false }, [emit('call.split', at, {}, call.id)]);
  return call.hold === 'on' ? out : andThen(out, (next) => placeHold(next, call));
}
