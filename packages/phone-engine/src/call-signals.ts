/**
 * What the far side or the network did to a call, as the SIP port tells it. Pure. A signal that fits no call, or comes too late, changes
 * nothing: the port may be slower than the agent.
 */
import type { CallId } from '@patchcord/call-protocol';
import { newCall } from './call-commands.ts';
import {
  andThen,
  callOf,
  change,
  emit,
  endCall,
  endingMs,
  failDial,
  finishCall,
  isComingUp,
  isInProgress,
  isNotDialled,
  keep,
  maxCalls,
  type Transition,
} from './call-step.ts';
import type { CallState, Effect, PhoneState, SipSignal } from './state.ts';

export type CallSignal = Extract<SipSignal, { readonly call: CallId }> & { readonly at: number };
type Of<T extends CallSignal['type']> = Extract<CallSignal, { readonly type: T }>;

export function signalCall(state: PhoneState, input: CallSignal): Transition {
  if (input.type === 'sip.invited') return invited(state, input);
  const call = callOf(state, input.call);
  if (call === undefined || call.phase === 'ended' || isNotDialled(state, call.id)) return keep(state);
  switch (input.type) {
    case 'sip.dialing':
      return change(state, call.id, { sipCallId: input.sipCallId });
    case 'sip.ringing':
      return ringing(state, call, input);
    case 'sip.answered':
      return answered(state, call, input.at);
    case 'sip.held':
      if (call.phase !== 'active' || call.hold !== 'placing') return keep(state);
      return change(state, call.id, { hold: 'on' }, [emit('call.held', input.at, {}, call.id)]);
    case 'sip.resumed':
      if (call.phase !== 'active' || call.hold !== 'lifting') return keep(state);
      return change(state, call.id, { hold: 'off' }, [emit('call.resumed', input.at, {}, call.id)]);
    case 'sip.hold-refused':
      return holdRefused(state, call, input);
    case 'sip.far-held':
    case 'sip.far-resumed': {
      const farHold = input.type === 'sip.far-held';
      return call.phase !== 'active' || call.farHold === farHold ? keep(state) : change(state, call.id, { farHold });
    }
    case 'sip.transfer-ringing':
      if (call.phase !== 'active' || call.transfer === null || call.transfer.status === 'ringing') return keep(state);
      return change(state, call.id, { transfer: { ...call.transfer, status: 'ringing' } });
    case 'sip.transferred':
      return transferred(state, call, input.at);
    case 'sip.transfer-refused': {
      if (call.phase !== 'active' || call.transfer === null) return keep(state);
      const { to } = call.transfer;
      return change(state, call.id, { transfer: null, trouble: `The transfer failed: ${input.reason}` }, [
        emit('call.transfer-failed', input.at, { to, reason: input.reason }, call.id),
      ]);
    }
    case 'sip.digits-refused':
      if (call.phase !== 'active') return keep(state);
      return change(state, call.id, { trouble: `The digits could not be sent: ${input.reason}` });
    case 'sip.ended':
      return finishCall(state, call, input, input.at);
  }
}

/**
 * A call comes in. With two calls already, or while the agent is away, it is turned down at once and logged as missed. A call that takes the
 * place of a connected one (RFC 3891 section 3) needs no answer by the agent: they are already talking.
 */
function invited(state: PhoneState, input: Of<'sip.invited'>): Transition {
  if (callOf(state, input.call) !== undefined) return keep(state);
  const replaced = input.replaces === undefined ? undefined : callOf(state, input.replaces);
  const replaces = replaced?.phase === 'active' ? replaced.id : null;
  const call: CallState = {
    ...newCall(input.call, 'inbound', input.from, input.at),
    sipCallId: input.sipCallId,
    replaces,
  };
  const started = emit(
    'call.started',
    input.at,
    { direction: 'inbound', farSide: input.from, sipCallId: input.sipCallId },
    call.id,
  );
  const others = state.calls.filter((it) => isInProgress(it) && it.id !== replaces);
  if (others.length >= maxCalls) return turnedDown(state, call, started, 486, 'You were already on two calls.');
  if (!state.available && replaces === null) {
    return turnedDown(state, call, started, 480, 'You were set to unavailable.');
  }
  const calls = [...state.calls, call];
  const free =
    state.waiting === null && !others.some((it) => isComingUp(it) || (it.phase === 'active' && it.hold !== 'on'));
  if (replaces !== null && free) {
    return { state: { ...state, calls, waiting: { act: 'answer', call: call.id } }, effects: [started] };
  }
  return { state: { ...state, calls }, effects: [started, emit('call.ringing', input.at, {}, call.id)] };
}

/** Never enters the list of calls; its `sip.ended` finds no call and says nothing a second time. */
function turnedDown(state: PhoneState, call: CallState, started: Effect, code: 486 | 480, reason: string): Transition {
  return {
    state,
    effects: [
      started,
      emit('call.ended', call.startedAt, { outcome: 'missed', reason, sipCode: code, by: 'agent' }, call.id),
      { type: 'sip.decline', call: call.id, code },
    ],
  };
}

function ringing(state: PhoneState, call: CallState, input: Of<'sip.ringing'>): Transition {
  if (call.phase !== 'dialing' && call.phase !== 'ringing') return keep(state);
  const earlyMedia = call.earlyMedia || input.earlyMedia;
  if (call.phase === 'ringing') {
    return call.earlyMedia === earlyMedia ? keep(state) : change(state, call.id, { earlyMedia });
  }
  return change(state, call.id, { phase: 'ringing', earlyMedia }, [
    emit('call.ringing', input.at, call.sipCallId === null ? {} : { sipCallId: call.sipCallId }, call.id),
  ]);
}

/** An answer that crosses our hang-up is the port's to undo; the call stays on its way out. */
function answered(state: PhoneState, call: CallState, at: number): Transition {
  if (!isComingUp(call)) return keep(state);
  const up = change(state, call.id, { phase: 'active', answeredAt: at, replaces: null }, [
    emit('call.answered', at, {}, call.id),
  ]);
  const replaced = call.replaces === null ? undefined : callOf(state, call.replaces);
  if (replaced === undefined || !isInProgress(replaced)) return up;
  return andThen(up, (next) => endCall(next, replaced, { type: 'sip.hang-up', call: replaced.id }));
}

/** A call that could not be put on hold stays live, and what waited for it does not happen: both calls say so. */
function holdRefused(state: PhoneState, call: CallState, input: Of<'sip.hold-refused'>): Transition {
  if (call.phase !== 'active' || (call.hold !== 'placing' && call.hold !== 'lifting')) return keep(state);
  if (call.hold === 'lifting') {
    return change(state, call.id, { hold: 'on', trouble: `The call could not be resumed: ${input.reason}` });
  }
  const stillLive = change(state, call.id, {
    hold: 'off',
    trouble: `The call could not be put on hold: ${input.reason}`,
  });
  const { waiting } = state;
  if (waiting === null) return stillLive;
  return andThen(stillLive, (next) => {
    const freed = { ...next, waiting: null };
    const reason = 'The other call could not be put on hold';
    if (waiting.act === 'dial') return failDial(freed, waiting.call, reason, input.at);
    const act = waiting.act === 'answer' ? 'answered' : 'resumed';
    return change(freed, waiting.call, { trouble: `Not ${act}: ${reason.toLowerCase()}.` });
  });
}

/** The target took the call: ours are over as soon as the port has ended them. Told on the call that was transferred. */
function transferred(state: PhoneState, call: CallState, at: number): Transition {
  const { transfer } = call;
  if (call.phase !== 'active' || transfer === null) return keep(state);
  const told = emit('call.transferred', at, { to: transfer.to, kind: transfer.kind }, call.id);
  const over = (next: PhoneState, it: CallState, to: string): Transition =>
    change(next, it.id, { phase: 'ending', transfer: { ...transfer, to }, trouble: null }, [
      { type: 'timer.start', call: it.id, ms: endingMs },
    ]);
  const first = andThen({ state, effects: [told] }, (next) => over(next, call, transfer.to));
  if (transfer.kind === 'blind') return first;
  // The far end may have ended the consult call already: taking over its dialog does that.
  const joined = emit('call.joined', at, { with: call.id }, transfer.consult);
  const both = andThen(first, (next) => ({ state: next, effects: [joined] }));
  const consult = callOf(state, transfer.consult);
  return consult === undefined || !isInProgress(consult)
    ? both
    : andThen(both, (next) => over(next, consult, call.farSide.number));
}
