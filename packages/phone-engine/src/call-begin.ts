/**
 * How a call of our own begins: dialling, picking up, a conference room. Pure. Nothing leaves here: a call that begins waits
 * (`PhoneState.waiting`) until no other is live.
 */
import type { CallId } from '@patchcord/call-protocol';
import { busyComingUp, transferRefusal } from './call-obstacles.ts';
import { type CommandOf, callOf, emit, isInProgress, refuse, type Transition, wasJustDialled } from './call-step.ts';
import type { CallState, Effect, PhoneState, Waiting } from './state.ts';

/** Why no call of our own can begin now, as a refusal; null when one can. */
function beginRefusal(
  state: PhoneState,
  input: CommandOf<'call.dial' | 'call.pick-up' | 'call.gather'>,
  number: string,
): Transition | null {
  const no = (reason: string, code?: 'line.not-ready') => refuse(state, input.type, reason, code);
  if (callOf(state, input.call) !== undefined) return no('This call was already placed.');
  if (state.line.status !== 'ready') return no(lineWords(state), 'line.not-ready');
  if (number.trim() === '') return no('There is no number to call.');
  const { mostCalls } = state.rules;
  if (state.calls.filter(isInProgress).length >= mostCalls) {
    return no(
      mostCalls === 1
        ? 'One call is the most at a time. End it first.'
        : `${numberWord(mostCalls)} calls are the most at a time. End one first.`,
    );
  }
  const busy = busyComingUp(state, null);
  return busy === null ? null : no(busy);
}

const numberWord = (count: number): string => ['', 'One', 'Two', 'Three', 'Four', 'Five', 'Six'][count] ?? `${count}`;

/** An outbound call enters the list and waits for its turn. */
function begin(state: PhoneState, call: CallState, waiting: Waiting, effects: readonly Effect[]): Transition {
  return { state: { ...state, calls: [...state.calls, { ...call, phase: 'dialing' }], waiting }, effects };
}

/** The call is the agent's from here on: outbound, though the far side may be the one who called somebody else. */
export function pickUp(state: PhoneState, input: CommandOf<'call.pick-up'>): Transition {
  const refused = beginRefusal(state, input, input.extension);
  if (refused !== null) return refused;
  const { farSide, extension, code } = input;
  const shown = state.watched.some((it) => it.extension === extension && it.canTake);
  if (code === null && !shown) {
    return refuse(state, input.type, 'There is nothing to pick up there any more.');
  }
  const call = { ...newCall(input.call, 'outbound', farSide, input.at), pickedUpFrom: extension };
  return begin(state, call, { act: 'pick-up', call: call.id, extension, code }, [
    emit('call.started', input.at, { direction: 'outbound', farSide, pickedUpFrom: extension }, call.id),
  ]);
}

/** The room is dialled first; the calls follow when it has answered, so that nobody is sent where nobody is. */
export function gather(state: PhoneState, input: CommandOf<'call.gather'>): Transition {
  const refused = beginRefusal(state, input, input.target);
  if (refused !== null) return refused;
  const calls = input.calls.map((id) => callOf(state, id));
  if (calls.length === 0 || calls.some((it) => it === undefined || transferRefusal(state, it) !== null)) {
    return refuse(state, input.type, 'Only connected calls can go into a conference room.');
  }
  const { farSide } = input;
  const call = { ...newCall(input.call, 'outbound', farSide, input.at), room: { members: [], gathers: input.calls } };
  const target = input.target.trim();
  return begin(state, call, { act: 'dial', call: call.id, target, callerId: null }, [
    emit('call.started', input.at, { direction: 'outbound', farSide }, call.id),
  ]);
}

export function dial(state: PhoneState, input: CommandOf<'call.dial'>): Transition {
  const no = (reason: string) => refuse(state, input.type, reason);
  if (input.fromPage === true && wasJustDialled(state, input.farSide.number, input.at)) {
    return no('This number is being called already.');
  }
  const refused = beginRefusal(state, input, input.target);
  if (refused !== null) return refused;
  const first = input.consultFor === undefined ? undefined : callOf(state, input.consultFor);
  if (input.consultFor !== undefined && first?.phase !== 'active') {
    return no('The call to consult for is not connected any more.');
  }
  const call: CallState = {
    ...newCall(input.call, 'outbound', input.farSide, input.at),
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
  const callerId = input.callerId ?? null;
  return begin(state, call, { act: 'dial', call: call.id, target: input.target.trim(), callerId }, effects);
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
    diverted: null,
    verified: null,
    phase: direction === 'outbound' ? 'dialing' : 'incoming',
    recovering: false,
    recovery: null,
    hold: 'off',
    farHold: false,
    muted: false,
    earlyMedia: false,
    transfer: null,
    consultFor: null,
    replaces: null,
    ignored: false,
    answersAt: null,
    inConference: false,
    silenced: false,
    room: null,
    pickedUpFrom: null,
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
