/**
 * What an agent may ask of a call, when, and what follows. Pure. Owns every refusal: each says in plain words why, and what to do instead.
 * Answering, dialling and resuming are never done here: they wait (`PhoneState.waiting`) until no other call is live.
 */
import type { CallId } from '@patchcord/call-protocol';
import {
  callOf,
  change,
  emit,
  endCall,
  finishCall,
  isComingUp,
  isInProgress,
  isNotDialled,
  keep,
  maxCalls,
  refuse,
  type Transition,
  wasJustDialled,
} from './call-step.ts';
import { type CallState, type Command, mostMoreTime, type PhoneState, type Waiting } from './state.ts';

export type CallCommand = Extract<Command, { readonly call: CallId }> & { readonly at: number };
type Of<T extends CallCommand['type']> = Extract<CallCommand, { readonly type: T }>;

/** Longest note the CRMs take, in characters; the events check the same. */
const longestNote = 32_000;

export function commandCall(state: PhoneState, input: CallCommand): Transition {
  if (input.type === 'call.dial') return dial(state, input);
  const call = callOf(state, input.call);
  if (call === undefined) return refuse(state, input.type, 'This call is no longer there.', 'call.unknown');
  switch (input.type) {
    case 'call.answer':
      return answer(state, call);
    case 'call.decline':
      if (call.phase !== 'incoming') return refuse(state, input.type, 'Only a call that is ringing can be declined.');
      return decline(state, call);
    case 'call.hang-up':
      return hangUp(state, call, input);
    case 'call.hold':
      return hold(state, call);
    case 'call.resume':
    case 'call.swap':
      return resume(state, call, input.type);
    case 'call.mute':
      if (call.phase !== 'active' && !isComingUp(call)) {
        return refuse(state, input.type, 'Only a call in progress can be muted.');
      }
      if (call.muted === input.muted) return keep(state);
      return mute(state, call, input.muted);
    case 'call.send-digits':
      return sendDigits(state, call, input);
    case 'call.transfer':
      return transfer(state, call, input);
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
    case 'call.more-time':
      if (call.phase !== 'ended') return refuse(state, input.type, 'The call has not ended yet. Hang up first.');
      if (call.moreTime >= mostMoreTime) {
        return refuse(state, input.type, 'There is no more time to be had for this call. Save and finish it.');
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

/** Makes the act wait; the transition lets it go on in the same step when nothing is in its way. */
function wait(state: PhoneState, waiting: Waiting): Transition {
  return keep({ ...state, waiting });
}

/** Why no other call may come up now, or null. */
function busyComingUp(state: PhoneState, except: CallState | null): string | null {
  if (state.waiting !== null) return 'Another call is just being put on hold. Wait a moment.';
  const other = state.calls.find((it) => it.id !== except?.id && isComingUp(it));
  if (other === undefined) return null;
  return other.direction === 'outbound'
    ? 'A call is being placed. End it first, or wait until it is answered.'
    : 'Another call is just being answered. Wait a moment.';
}

function dial(state: PhoneState, input: Of<'call.dial'>): Transition {
  const no = (reason: string, code?: 'line.not-ready') => refuse(state, input.type, reason, code);
  if (callOf(state, input.call) !== undefined) return no('This call was already placed.');
  if (input.fromPage === true && wasJustDialled(state, input.farSide.number, input.at)) {
    return no('This number is being called already.');
  }
  if (state.line.status !== 'ready') return no(lineWords(state), 'line.not-ready');
  if (input.target.trim() === '') return no('There is no number to call.');
  if (state.calls.filter(isInProgress).length >= maxCalls) {
    return no('Two calls are the most at a time. End one first.');
  }
  const busy = busyComingUp(state, null);
  if (busy !== null) return no(busy);
  const first = input.consultFor === undefined ? undefined : callOf(state, input.consultFor);
  if (input.consultFor !== undefined && first?.phase !== 'active') {
    return no('The call to consult for is not connected any more.');
  }
  const call: CallState = {
    ...newCall(input.call, 'outbound', input.farSide, input.at),
    phase: 'dialing',
    consultFor: input.consultFor ?? null,
    record: input.record ?? null,
    about: input.about ?? null,
  };
  const { record, about, consultFor } = input;
  const from = record ?? about;
  const effects = [
    emit('dial.requested', input.at, { number: input.farSide.number, ...(from ? { record: from } : {}) }, call.id),
    emit(
      'call.started',
      input.at,
      { direction: 'outbound', farSide: input.farSide, ...(consultFor ? { consultFor } : {}) },
      call.id,
    ),
    ...(record ? [emit('record.chosen', input.at, { record, by: 'dialled-from' }, call.id)] : []),
    ...(about ? [emit('record.associated', input.at, { record: about }, call.id)] : []),
  ];
  const waiting = { act: 'dial', call: call.id, target: input.target.trim() } as const;
  return { state: { ...state, calls: [...state.calls, call], waiting }, effects };
}

/** A call that has just begun, before anything happened to it. */
export function newCall(
  id: CallId,
  direction: CallState['direction'],
  farSide: CallState['farSide'],
  at: number,
): CallState {
  return {
    id,
    direction,
    farSide,
    phase: direction === 'outbound' ? 'dialing' : 'incoming',
    hold: 'off',
    farHold: false,
    muted: false,
    earlyMedia: false,
    transfer: null,
    consultFor: null,
    replaces: null,
    sipCallId: null,
    digits: '',
    startedAt: at,
    answeredAt: null,
    endedAt: null,
    end: null,
    trouble: null,
    matches: [],
    record: null,
    about: null,
    note: '',
    disposition: null,
    wrapUpSince: null,
    moreTime: 0,
  };
}

function answer(state: PhoneState, call: CallState): Transition {
  if (call.phase !== 'incoming') return refuse(state, 'call.answer', 'This call is not ringing any more.');
  if (state.waiting?.call === call.id) return keep(state);
  const busy = busyComingUp(state, call);
  return busy === null ? wait(state, { act: 'answer', call: call.id }) : refuse(state, 'call.answer', busy);
}

/** 486 and not 603: a 6xx would make a forking PBX stop ringing everyone else too (RFC 3261 section 16.7). */
function decline(state: PhoneState, call: CallState): Transition {
  return endCall(state, call, { type: 'sip.decline', call: call.id, code: 486 });
}

function hangUp(state: PhoneState, call: CallState, input: Of<'call.hang-up'>): Transition {
  if (call.phase === 'ended') return refuse(state, input.type, 'This call has already ended.');
  if (call.phase === 'ending') return keep(state);
  if (call.phase === 'incoming') return decline(state, call);
  // Nobody was told of this call yet.
  if (isNotDialled(state, call.id)) return finishCall(state, call, { by: 'agent', code: 0, reason: '' }, input.at);
  return endCall(state, call, { type: 'sip.hang-up', call: call.id });
}

function hold(state: PhoneState, call: CallState): Transition {
  if (call.phase !== 'active') return refuse(state, 'call.hold', 'Only a connected call can be put on hold.');
  if (call.hold === 'on') return keep(state);
  if (call.hold !== 'off') return refuse(state, 'call.hold', 'The hold is just being changed. Wait a moment.');
  return change(state, call.id, { hold: 'placing', trouble: null }, [{ type: 'sip.hold', call: call.id, on: true }]);
}

function resume(state: PhoneState, call: CallState, command: 'call.resume' | 'call.swap'): Transition {
  const no = (reason: string) => refuse(state, command, reason);
  if (call.phase !== 'active') return no('Only a connected call can be resumed.');
  if (call.hold === 'off') return command === 'call.resume' ? keep(state) : no('This call is not on hold.');
  if (call.hold !== 'on') return no('The hold is just being changed. Wait a moment.');
  if (transferOf(state, call) !== null) return no('The call is being transferred. Wait for the answer.');
  const busy = busyComingUp(state, call);
  return busy === null ? wait(state, { act: 'resume', call: call.id }) : no(busy);
}

/** The port hears of it when it knows the call. */
function mute(state: PhoneState, call: CallState, muted: boolean): Transition {
  return change(
    state,
    call.id,
    { muted },
    isNotDialled(state, call.id) ? [] : [{ type: 'sip.mute', call: call.id, muted }],
  );
}

function sendDigits(state: PhoneState, call: CallState, input: Of<'call.send-digits'>): Transition {
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

/** The transfer that this call takes part in, as the one transferred or as the one consulted. */
function transferOf(state: PhoneState, call: CallState): CallState['transfer'] {
  const partner = state.calls.find((it) => it.transfer?.kind === 'attended' && it.transfer.consult === call.id);
  return call.transfer ?? partner?.transfer ?? null;
}

/** Why this call can't be transferred now, or null. */
function transferRefusal(state: PhoneState, call: CallState): string | null {
  if (call.phase !== 'active') return 'Only a connected call can be transferred.';
  if (call.hold === 'placing' || call.hold === 'lifting') return 'The hold is just being changed. Wait a moment.';
  if (state.waiting !== null) return 'Another call is just being put on hold. Wait a moment.';
  if (transferOf(state, call) !== null) return 'The call is already being transferred.';
  return null;
}

function transfer(state: PhoneState, call: CallState, input: Of<'call.transfer'>): Transition {
  const to = input.to.trim();
  const no = to === '' ? 'There is no number to transfer to.' : transferRefusal(state, call);
  if (no !== null) return refuse(state, input.type, no);
  return change(state, call.id, { transfer: { kind: 'blind', to, status: 'asked' }, trouble: null }, [
    { type: 'sip.transfer', call: call.id, to },
  ]);
}

function completeTransfer(state: PhoneState, call: CallState): Transition {
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
      trouble: null,
    },
    [{ type: 'sip.transfer-attended', call: first.id, consult: consult.id }],
  );
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

function lineWords(state: PhoneState): string {
  const { status, reason } = state.line;
  switch (status) {
    case 'offline':
      return 'The phone is offline. Go online first.';
    case 'connecting':
      return 'The phone is still connecting. Try again in a moment.';
    case 'rejected':
      return `The phone is not signed in. ${reason}`;
    default:
      return 'The connection to the phone system was lost and is being restored. Try again in a moment.';
  }
}
