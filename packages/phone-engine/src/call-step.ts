/**
 * The smallest moves of the call machine, shared by commands and signals: change one call, refuse, hang up, end. Pure.
 * Must never decide whether a move is allowed; that is asked in `call-commands.ts` and `call-signals.ts`.
 */
import type { CallId, EventData, EventName, PhoneEvent } from '@patchcord/call-protocol';
import { outcomeOf, reasonOf } from './call-outcome.ts';
import type { CallState, Command, Effect, PhoneState, SipSignal } from './state.ts';

/** What one input does: the state after it, and what the runtime must do, in order. */
export interface Transition {
  readonly state: PhoneState;
  readonly effects: readonly Effect[];
}

/** How long a call may take to confirm its end before it is taken as ended: a lost BYE leaves no ghost. */
export const endingMs = 8_000;

/** Sound flows, or would if nobody is muted: at most one call at a time is live, or the calls of one conference. */
export const isLive = (call: CallState): boolean => call.phase === 'active' && call.hold === 'off' && !call.recovering;

/** The call is neither over nor being hung up. */
export const isInProgress = (call: CallState): boolean => call.phase !== 'ended' && call.phase !== 'ending';

/** The call is on its way up; once it is up it will be live. */
export const isComingUp = (call: CallState): boolean =>
  call.phase === 'dialing' || call.phase === 'ringing' || call.phase === 'answering';

/** A call that waits to be dialled: no INVITE has left, the port does not know it. */
export const isNotDialled = (state: PhoneState, id: CallId): boolean =>
  (state.waiting?.act === 'dial' || state.waiting?.act === 'pick-up') && state.waiting.call === id;

/** The same number twice within this time is one click that two frames of the phone heard. */
const sameClickMs = 2_000;

/** Whether this number was dialled a moment ago, whatever became of it. */
export const wasJustDialled = (state: PhoneState, number: string, at: number): boolean =>
  state.calls.some(
    (it) => it.direction === 'outbound' && it.farSide.number === number && Math.abs(at - it.startedAt) < sameClickMs,
  );

/** A command on a call, with its time. */
export type CallCommand = Extract<Command, { readonly call: CallId }> & { readonly at: number };
export type CommandOf<T extends CallCommand['type']> = Extract<CallCommand, { readonly type: T }>;
/** What happened to a call, with its time. */
export type CallSignal = Extract<SipSignal, { readonly call: CallId }> & { readonly at: number };
export type SignalOf<T extends CallSignal['type']> = Extract<CallSignal, { readonly type: T }>;

export const keep = (state: PhoneState): Transition => ({ state, effects: [] });

export const callOf = (state: PhoneState, id: CallId): CallState | undefined => state.calls.find((it) => it.id === id);

export function emit<N extends EventName>(name: N, at: number, data: EventData<N>, call?: CallId): Effect {
  return { type: 'emit', event: { name, at, ...(call === undefined ? {} : { call }), data } as PhoneEvent };
}

export function change(
  state: PhoneState,
  id: CallId,
  patch: Partial<CallState>,
  effects: readonly Effect[] = [],
): Transition {
  return { state: { ...state, calls: state.calls.map((it) => (it.id === id ? { ...it, ...patch } : it)) }, effects };
}

export function refuse(
  state: PhoneState,
  command: Command['type'],
  reason: string,
  code: 'call.unknown' | 'call.not-allowed' | 'line.not-ready' = 'call.not-allowed',
): Transition {
  return { state, effects: [{ type: 'refuse', command, code, reason }] };
}

/** Runs `next` on the outcome of `first`, and keeps the effects of both in order. */
export function andThen(first: Transition, next: (state: PhoneState) => Transition): Transition {
  const second = next(first.state);
  return { state: second.state, effects: [...first.effects, ...second.effects] };
}

/** From any phase in progress to `ending`, by the effect that this phase wants. */
export function endCall(state: PhoneState, call: CallState, how: Effect): Transition {
  return change(state, call.id, { phase: 'ending', transfer: null, trouble: null }, [
    how,
    { type: 'timer.start', call: call.id, signal: 'timer.ending-expired', ms: endingMs },
  ]);
}

/** A call that is up now has taken the place of the one it replaces. */
export function endReplaced(state: PhoneState, call: CallState): Transition {
  const replaced = call.replaces === null ? undefined : callOf(state, call.replaces);
  if (replaced === undefined || !isInProgress(replaced)) return keep(state);
  return endCall(state, replaced, { type: 'sip.hang-up', call: replaced.id });
}

/**
 * Ends a call for good, with its one `call.ended`. A call that was answered, or that the agent placed, stays for its wrap-up; an inbound
 * call that was never answered leaves. Whoever consulted for it goes on as an ordinary call. Nobody could wrap up another call meanwhile:
 * the time for that begins anew.
 */
export function finishCall(
  state: PhoneState,
  call: CallState,
  ended: Omit<Extract<SipSignal, { type: 'sip.ended' }>, 'type' | 'call'>,
  at: number,
): Transition {
  const outcome = outcomeOf(call, ended);
  const reason = reasonOf(call, outcome, ended);
  const over: CallState = {
    ...call,
    phase: 'ended',
    recovering: false,
    recovery: null,
    hold: 'off',
    farHold: false,
    transfer: null,
    inConference: false,
    silenced: false,
    answersAt: null,
    // Nobody follows into a room that the agent has left.
    room: call.room === null ? null : { ...call.room, gathers: [] },
    trouble: null,
    endedAt: at,
    wrapUpSince: at,
    end: { outcome, reason, by: ended.by },
  };
  const leaves = call.direction === 'inbound' && call.answeredAt === null;
  const calls = state.calls
    .filter((it) => !(leaves && it.id === call.id))
    .map((it) => {
      if (it.id === call.id) return over;
      if (it.phase !== 'ended' && it.consultFor === call.id) return { ...it, consultFor: null };
      if (it.phase === 'ended' && !leaves) return { ...it, wrapUpSince: at };
      return it.replaces === call.id ? { ...it, replaces: null } : it;
    });
  return {
    state: { ...state, calls },
    effects: [
      emit(
        'call.ended',
        at,
        {
          outcome,
          reason,
          by: ended.by,
          ...(ended.code > 0 ? { sipCode: ended.code } : {}),
          ...(call.sipCallId === null ? {} : { sipCallId: call.sipCallId }),
        },
        call.id,
      ),
    ],
  };
}

/** Several acts on one phone, one after the other. */
export function inTurn<T>(
  state: PhoneState,
  items: readonly T[],
  act: (state: PhoneState, item: T) => Transition,
): Transition {
  return items.reduce((step, item) => andThen(step, (next) => act(next, item)), keep(state));
}

/** The calls that hear each other, or would if they were not on hold. */
export const membersOf = (state: PhoneState): readonly CallState[] => state.calls.filter((it) => it.inConference);

/** A conference is two calls and more, all connected: a member that is left alone is an ordinary call again. */
export function settleConference(state: PhoneState): PhoneState {
  const members = membersOf(state);
  if (members.length === 0) return state;
  const stay = members.filter((it) => it.phase === 'active');
  if (stay.length === members.length && stay.length > 1) return state;
  const alone = stay.length < 2;
  const calls = state.calls.map((it) =>
    it.inConference && (alone || it.phase !== 'active') ? { ...it, inConference: false, silenced: false } : it,
  );
  return { ...state, calls };
}

/** Ends a call whose INVITE can't leave; `reason` is a clause without a full stop. */
export function failDial(state: PhoneState, id: CallId, reason: string, at: number): Transition {
  const call = callOf(state, id);
  return call === undefined ? keep(state) : finishCall(state, call, { by: 'network', code: 0, reason }, at);
}
