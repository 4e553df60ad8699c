/**
 * What becomes of a call that comes in: it rings, is answered by itself, forwarded or turned down; and what the agent may do while it rings. Pure.
 * Owns the order of these rules.
 */
import { newCall } from './call-begin.ts';
import { busyComingUp, wait } from './call-obstacles.ts';
import {
  andThen,
  type CommandOf,
  callOf,
  change,
  emit,
  endCall,
  finishCall,
  isComingUp,
  isInProgress,
  keep,
  refuse,
  type SignalOf,
  type Transition,
} from './call-step.ts';
import type { CallState, DeclineCode, Effect, PhoneState } from './state.ts';

/**
 * A call comes in. With as many calls as the profile allows, or while the agent is away, it is forwarded or turned down at once and logged as
 * missed. A call that takes the place of a connected one (RFC 3891 section 3) needs no answer by the agent: they are already talking.
 */
export function invited(state: PhoneState, input: SignalOf<'sip.invited'>): Transition {
  if (callOf(state, input.call) !== undefined) return keep(state);
  const replaced = input.replaces === undefined ? undefined : callOf(state, input.replaces);
  const replaces = replaced?.phase === 'active' ? replaced.id : null;
  let call: CallState = {
    ...newCall(input.call, 'inbound', input.from, input.at),
    sipCallId: input.sipCallId,
    replaces,
    diverted: input.diverted ?? null,
    verified: input.verified ?? null,
  };
  const divertedFrom = input.diverted?.from;
  const started = emit(
    'call.started',
    input.at,
    {
      direction: 'inbound',
      farSide: input.from,
      sipCallId: input.sipCallId,
      ...(divertedFrom === undefined ? {} : { divertedFrom }),
    },
    call.id,
  );
  const others = state.calls.filter((it) => isInProgress(it) && it.id !== replaces);
  const away = replaces === null ? turnedAway(state, others.length) : null;
  if (away !== null) return turnedDown(state, call, started, away);
  if (others.length >= state.rules.mostCalls) {
    return turnedDown(state, call, started, { code: state.rules.busyCode, reason: tooManyCalls(others.length) });
  }
  const deadlines: Effect[] = [];
  if (replaces === null && answersItself(state, others.length, input)) {
    const ms = Math.max(warningMs, input.answersAfterMs ?? 0);
    call = { ...call, answersAt: input.at + ms };
    deadlines.push({ type: 'timer.start', call: call.id, signal: 'timer.answers', ms });
  } else if (replaces === null && state.forwarding?.when === 'no-answer') {
    const ms = state.forwarding.afterSeconds * 1_000;
    deadlines.push({ type: 'timer.start', call: call.id, signal: 'timer.unanswered', ms });
  }
  const calls = [...state.calls, call];
  const free =
    state.waiting === null && !others.some((it) => isComingUp(it) || (it.phase === 'active' && it.hold !== 'on'));
  if (replaces !== null && free) {
    return { state: { ...state, calls, waiting: { act: 'answer', call: call.id } }, effects: [started] };
  }
  return {
    state: { ...state, calls },
    effects: [started, emit('call.ringing', input.at, {}, call.id), ...deadlines],
  };
}

/** How long the warning before an intercom call opens the microphone takes, at least. */
const warningMs = 1_000;

const tooManyCalls = (calls: number): string =>
  calls === 1 ? 'You were already on a call.' : `You were already on ${calls} calls.`;

/** What becomes of a call that shall not ring here, or null when it shall. */
function turnedAway(state: PhoneState, others: number): Away | null {
  const { rules, forwarding } = state;
  // A phone system that was told by its code forwards by itself; what comes here all the same is for us.
  if (forwarding?.when === 'always' && rules.codes.forwarding === null) return { to: forwarding.to };
  const full = others >= rules.mostCalls || (!rules.callWaiting && others > 0);
  if (!full && state.available) return null;
  if (forwarding?.when === 'busy') return { to: forwarding.to };
  return full
    ? { code: rules.busyCode, reason: tooManyCalls(others) }
    : { code: 480, reason: 'You were set to unavailable.' };
}

/** The caller asks for it, and the profile allows it. */
function answersItself(state: PhoneState, others: number, input: SignalOf<'sip.invited'>): boolean {
  const { autoAnswer } = state.rules;
  return input.answersAfterMs !== undefined && (autoAnswer === 'always' || (autoAnswer === 'idle' && others === 0));
}

/** Never enters the list of calls; its `sip.ended` finds no call and says nothing a second time. */
function turnedDown(state: PhoneState, call: CallState, started: Effect, away: Away): Transition {
  const forwarded = 'to' in away;
  const code = forwarded ? 302 : away.code;
  const reason = forwarded ? forwardedWords(away.to) : away.reason;
  return {
    state,
    effects: [
      started,
      ...(forwarded ? [emit('call.redirected', call.startedAt, { to: away.to, by: 'rule' }, call.id)] : []),
      emit('call.ended', call.startedAt, { outcome: 'missed', reason, sipCode: code, by: 'agent' }, call.id),
      forwarded
        ? { type: 'sip.redirect', call: call.id, to: away.to }
        : { type: 'sip.decline', call: call.id, code: away.code },
    ],
  };
}

const forwardedWords = (to: string): string => `Forwarded to ${to}.`;

/** Nobody answered in time, and the agent wants such calls elsewhere. */
export function forwardUnanswered(state: PhoneState, call: CallState, at: number): Transition {
  const { forwarding } = state;
  const rings = call.phase === 'incoming' && !call.recovering && state.waiting?.call !== call.id;
  if (!rings || forwarding?.when !== 'no-answer') return keep(state);
  const { to } = forwarding;
  const redirected = { state, effects: [...redirectedTo(call, to, 'rule', at)] };
  return andThen(redirected, (next) =>
    finishCall(next, call, { by: 'agent', code: 302, reason: forwardedWords(to) }, at),
  );
}

type Away = { readonly to: string } | { readonly code: DeclineCode; readonly reason: string };

export function redirect(state: PhoneState, call: CallState, input: CommandOf<'call.redirect'>): Transition {
  const to = input.to.trim();
  if (call.phase !== 'incoming') return refuse(state, input.type, 'Only a call that is ringing can be sent on.');
  if (to === '') return refuse(state, input.type, 'There is no number to send the call to.');
  const [told, sent] = redirectedTo(call, to, 'agent', input.at);
  const step = endCall(state, call, sent);
  // Kept for the words at the end.
  const transfer = { kind: 'blind', to, status: 'asked', purpose: 'transfer' } as const;
  const { state: next } = change(step.state, call.id, { transfer });
  return { state: next, effects: [told, ...step.effects] };
}

/** The caller is sent somewhere else: what is told of it, and what is done. */
export function redirectedTo(call: CallState, to: string, by: 'agent' | 'rule', at: number): readonly [Effect, Effect] {
  return [emit('call.redirected', at, { to, by }, call.id), { type: 'sip.redirect', call: call.id, to }];
}

/** The warning is over: an intercom call answers itself, unless another call is just coming up. */
export function answerBy(state: PhoneState, call: CallState): Transition {
  if (call.phase !== 'incoming' || call.recovering || state.waiting?.call === call.id) return keep(state);
  const ringing = change(state, call.id, { answersAt: null });
  return busyComingUp(state, call) === null
    ? andThen(ringing, (next) => wait(next, { act: 'answer', call: call.id }))
    : ringing;
}

export function answer(state: PhoneState, call: CallState): Transition {
  if (call.phase !== 'incoming') return refuse(state, 'call.answer', 'This call is not ringing any more.');
  if (state.waiting?.call === call.id) return keep(state);
  const busy = busyComingUp(state, call);
  return busy === null ? wait(state, { act: 'answer', call: call.id }) : refuse(state, 'call.answer', busy);
}

/** By default 486 and not 603: a 6xx would make a forking PBX stop ringing everyone else too (RFC 3261 section 16.7). */
export function decline(state: PhoneState, call: CallState): Transition {
  const { id } = call;
  // One that is still to ring here again has nothing to decline yet: the port lets go of it in whatever way is left.
  if (call.recovering) return endCall(state, call, { type: 'sip.hang-up', call: id });
  return endCall(state, call, { type: 'sip.decline', call: id, code: state.rules.declineCode });
}
