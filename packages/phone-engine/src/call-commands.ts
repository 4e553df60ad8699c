/**
 * What an agent may ask of a call, when, and what follows. Pure. Owns every refusal: each says in plain words why, and what to do instead.
 * Answering, dialling and resuming are never done here: they wait (`PhoneState.waiting`) until no other call is live.
 */
import { dial, gather, pickUp } from './call-begin.ts';
import { merge, split } from './call-conference.ts';
import { hold, mute, resume } from './call-hold.ts';
import { answer, decline, redirect } from './call-inbound.ts';
import { recoveringRefusal } from './call-recovery.ts';
import {
  type CallCommand,
  type CommandOf,
  callOf,
  change,
  emit,
  endCall,
  finishCall,
  isNotDialled,
  keep,
  refuse,
  type Transition,
} from './call-step.ts';
import { cancelTransfer, completeTransfer, transfer } from './call-transfer.ts';
import { type CallState, mostMoreTime, type PhoneState } from './state.ts';

/** Longest note the CRMs take, in characters; the events check the same. */
const longestNote = 32_000;

export function commandCall(state: PhoneState, input: CallCommand): Transition {
  if (input.type === 'call.dial') return dial(state, input);
  if (input.type === 'call.pick-up') return pickUp(state, input);
  if (input.type === 'call.gather') return gather(state, input);
  const call = callOf(state, input.call);
  if (call === undefined) return refuse(state, input.type, 'This call is no longer there.', 'call.unknown');
  const notYet = recoveringRefusal(call, input.type);
  if (notYet !== null) return refuse(state, input.type, notYet);
  switch (input.type) {
    case 'call.answer':
      return answer(state, call);
    case 'call.decline':
      if (call.phase !== 'incoming') return refuse(state, input.type, 'Only a call that is ringing can be declined.');
      return decline(state, call);
    case 'call.redirect':
      return redirect(state, call, input);
    case 'call.ignore':
      if (call.phase !== 'incoming') return refuse(state, input.type, 'Only a call that is ringing can be ignored.');
      return call.ignored ? keep(state) : change(state, call.id, { ignored: true });
    case 'call.hang-up':
      return hangUp(state, call, input);
    case 'call.hold':
      return hold(state, call);
    case 'call.merge':
      return merge(state, call);
    case 'call.split':
      return split(state, call, input.at);
    case 'call.silence':
      if (!call.inConference) return refuse(state, input.type, 'Only a member of a conference can be silenced.');
      return call.silenced === input.silenced ? keep(state) : change(state, call.id, { silenced: input.silenced });
    case 'call.resume':
    case 'call.swap':
      return resume(state, call, input.type);
    case 'call.mute':
      return mute(state, call, input.muted);
    case 'call.send-digits':
      return sendDigits(state, call, input);
    case 'call.transfer':
      return transfer(state, call, input);
    case 'call.cancel-transfer':
      return cancelTransfer(state, call);
    case 'call.complete-transfer':
      return completeTransfer(state, call);
    case 'call.found':
      if (input.matches.length === 0) return change(state, call.id, { matches: [], unknown: true });
      return change(state, call.id, { matches: input.matches, unknown: false }, [
        emit('record.matched', input.at, { matches: [...input.matches] }, call.id),
      ]);
    case 'call.choose-record':
      // The same record again says something new only when it brings its name, or when the agent wants to see it.
      if (call.record?.crm === input.record.crm && call.record.id === input.record.id) {
        const sameName = input.record.name === call.record.name;
        if (sameName ? input.by !== 'agent' : input.record.name === undefined) return keep(state);
      }
      return change(state, call.id, { record: input.record }, [
        emit('record.chosen', input.at, { record: input.record, by: input.by }, call.id),
      ]);
    case 'call.associate':
      // As with the record: its name makes a difference, nothing else does.
      if (JSON.stringify(call.about) === JSON.stringify(input.record)) return keep(state);
      return change(state, call.id, { about: input.record }, [
        emit('record.associated', input.at, { record: input.record }, call.id),
      ]);
    case 'call.write-note':
      if (input.note.length > longestNote) {
        return refuse(state, input.type, `A note holds ${longestNote} characters at most. Shorten it.`);
      }
      if (call.note === input.note) return keep(state);
      return saveWrapUp(state, { ...call, note: input.note }, input.at);
    case 'call.set-disposition':
      if (call.disposition === input.disposition) return keep(state);
      return saveWrapUp(state, { ...call, disposition: input.disposition }, input.at);
    case 'call.pause-sound':
      return call.phase === 'ended' ? keep(state) : change(state, call.id, { soundPaused: input.paused });
    case 'call.record':
    case 'call.consent':
      // Else the rules of recording have answered it.
      return refuse(state, input.type, 'This call can’t be recorded: it is over, or this phone records none.');
    case 'call.more-time':
      if (call.phase !== 'ended') return refuse(state, input.type, 'The call has not ended yet. Hang up first.');
      if (call.moreTime >= mostMoreTime) {
        return refuse(state, input.type, 'There is no more time for this call. Save and finish it.');
      }
      return change(state, call.id, { moreTime: call.moreTime + 1 });
    case 'call.submit-wrap-up':
      if (call.phase !== 'ended') return refuse(state, input.type, 'The call has not ended yet. Hang up first.');
      return {
        state: { ...state, calls: state.calls.filter((it) => it.id !== call.id) },
        effects: [emit('wrap-up.submitted', input.at, wrapUpOf(call), call.id)],
      };
  }
}

function hangUp(state: PhoneState, call: CallState, input: CommandOf<'call.hang-up'>): Transition {
  if (call.phase === 'ended') return refuse(state, input.type, 'This call has already ended.');
  if (call.phase === 'ending') return keep(state);
  if (call.phase === 'incoming') return decline(state, call);
  // Nobody was told of this call yet.
  if (isNotDialled(state, call.id)) return finishCall(state, call, { by: 'agent', code: 0, reason: '' }, input.at);
  return endCall(state, call, { type: 'sip.hang-up', call: call.id });
}

function sendDigits(state: PhoneState, call: CallState, input: CommandOf<'call.send-digits'>): Transition {
  const digits = input.digits.toUpperCase();
  if (call.phase !== 'active') return refuse(state, input.type, 'Digits can be sent once the call is connected.');
  if (call.hold !== 'off') return refuse(state, input.type, 'The call is on hold. Resume it first.');
  if (!/^[0-9*#A-D,]{1,64}$/.test(digits)) {
    return refuse(state, input.type, 'Digits are 0 to 9, *, #, A to D, and "," for a pause; 64 at most.');
  }
  return change(state, call.id, { digits: call.digits + digits, trouble: null }, [
    { type: 'sip.send-digits', call: call.id, digits },
  ]);
}

const wrapUpOf = (call: CallState) => ({
  ...(call.note === '' ? {} : { note: call.note }),
  ...(call.disposition === null ? {} : { disposition: call.disposition }),
});

/** An emptied note is told too, so that the log can be emptied. */
function saveWrapUp(state: PhoneState, call: CallState, at: number): Transition {
  return change(state, call.id, { note: call.note, disposition: call.disposition }, [
    emit('wrap-up.saved', at, { ...wrapUpOf(call), note: call.note }, call.id),
  ]);
}
