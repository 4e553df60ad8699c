/**
 * What the far side or the network did to a call, as the SIP port tells it. Pure. A signal that fits no call, or comes too late, changes
 * nothing: the port may be slower than the agent.
 */
import { invited } from './call-inbound.ts';
import { interruptedEnd, recovered, recoveryTried } from './call-recovery.ts';
import {
  andThen,
  type CallSignal,
  callOf,
  change,
  emit,
  endReplaced,
  failDial,
  finishCall,
  inTurn,
  isComingUp,
  isNotDialled,
  keep,
  membersOf,
  type SignalOf,
  type Transition,
} from './call-step.ts';
import { sendMember, transferRefused, transferred } from './call-transfer.ts';
import type { CallState, PhoneState } from './state.ts';

export function signalCall(state: PhoneState, input: CallSignal): Transition {
  if (input.type === 'sip.invited') return invited(state, input);
  const call = callOf(state, input.call);
  if (call === undefined || call.phase === 'ended' || isNotDialled(state, call.id)) return keep(state);
  if (call.recovering && !whileRecovering.includes(input.type)) return keep(state);
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
      return resumed(state, call, input.at);
    case 'sip.hold-refused':
      return holdRefused(state, call, input);
    case 'sip.far-held':
    case 'sip.far-resumed': {
      const farHold = input.type === 'sip.far-held';
      return call.phase !== 'active' || call.farHold === farHold ? keep(state) : change(state, call.id, { farHold });
    }
    case 'sip.identified':
      return identified(state, call, input);
    case 'sip.transfer-ringing':
      if (call.phase !== 'active' || call.transfer?.status !== 'asked') return keep(state);
      return change(state, call.id, { transfer: { ...call.transfer, status: 'ringing' } });
    case 'sip.transferred':
      return transferred(state, call, input.at);
    case 'sip.transfer-refused':
      return transferRefused(state, call, input);
    case 'sip.digits-refused':
      if (call.phase !== 'active') return keep(state);
      return change(state, call.id, { trouble: `The digits could not be sent: ${input.reason}` });
    case 'sip.recovered':
      return recovered(state, call, input);
    case 'sip.recovery-tried':
      return recoveryTried(state, call, input);
    case 'sip.ended':
      return interruptedEnd(state, call, input) ?? finishCall(state, call, input, input.at);
  }
}

/** What can happen to a call before it is up again. */
const whileRecovering: readonly CallSignal['type'][] = [
  'sip.recovered',
  'sip.recovery-tried',
  'sip.ended',
  'sip.identified',
  'sip.far-held',
  'sip.far-resumed',
];

/** A member that is back tells whom it hears. */
function resumed(state: PhoneState, call: CallState, at: number): Transition {
  const others = call.inConference ? membersOf(state).filter((it) => it.id !== call.id) : [];
  const merged = others.length === 0 ? [] : [emit('call.merged', at, { with: others.map(({ id }) => id) }, call.id)];
  return change(state, call.id, { hold: 'off' }, [emit('call.resumed', at, {}, call.id), ...merged]);
}

/** The same number in another form is the same far side. */
function identified(state: PhoneState, call: CallState, { farSide, at }: SignalOf<'sip.identified'>): Transition {
  const same = farSide.number === '' || sameNumber(call.farSide.number, farSide.number);
  if (same && (farSide.name === undefined || call.farSide.name !== undefined)) return keep(state);
  const known = same ? { ...call.farSide, ...(farSide.name === undefined ? {} : { name: farSide.name }) } : farSide;
  return change(state, call.id, same ? { farSide: known } : { farSide: known, matches: [], unknown: false }, [
    emit('call.identified', at, { farSide: known }, call.id),
  ]);
}

/** Equal as far as both go: the network may leave out the country, or add it. Short numbers are extensions and must be equal. */
function sameNumber(one: string, other: string): boolean {
  const [a, b] = [one, other].map((it) => it.replace(/\D/g, '')) as [string, string];
  if (a === b) return true;
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return short.length >= 7 && long.endsWith(short.replace(/^0+/, ''));
}

function ringing(state: PhoneState, call: CallState, input: SignalOf<'sip.ringing'>): Transition {
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
  if (call.room !== null) return andThen(up, (next) => inTurn(next, call.room?.gathers ?? [], sendMember(call)));
  return andThen(up, (next) => endReplaced(next, call));
}

/** A call that could not be put on hold stays live, and what waited for it does not happen: both calls say so. */
function holdRefused(state: PhoneState, call: CallState, input: SignalOf<'sip.hold-refused'>): Transition {
  if (call.phase !== 'active' || (call.hold !== 'placing' && call.hold !== 'lifting')) return keep(state);
  if (call.hold === 'lifting') {
    return change(state, call.id, {
      hold: 'on',
      trouble: `The call could not be resumed: ${input.reason}`,
      inConference: false,
      silenced: false,
    });
  }
  const trouble = `The call could not be put on hold: ${input.reason}`;
  const freed = change(state, call.id, { hold: 'off', trouble });
  // A member that could not leave the conference is still in it.
  const live = freed.state.calls.filter((it) => it.phase === 'active' && (it.hold === 'off' || it.hold === 'lifting'));
  const stillLive =
    live.length < 2
      ? freed
      : andThen(freed, (next) => inTurn(next, live, (it, { id }) => change(it, id, { inConference: true })));
  const { waiting } = state;
  if (waiting === null) return stillLive;
  return andThen(stillLive, (next) => {
    const done = { ...next, waiting: null };
    const reason = 'The other call could not be put on hold';
    if (waiting.act === 'dial' || waiting.act === 'pick-up') return failDial(done, waiting.call, reason, input.at);
    const act = waiting.act === 'answer' ? 'answered' : 'resumed';
    return change(done, waiting.call, { trouble: `Not ${act}: ${reason.toLowerCase()}.` });
  });
}
