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

/** Calls an agent can have at once, the ringing ones included. */
export const maxCalls = 2;

/** Sound flows, or would if nobody is muted: at most one call at a time is live. */
export const isLive = (call: CallState): boolean => call.phase === 'active' && call.hold === 'off';

/** The call is neither over nor being hung up. */
export const isInProgress = (call: CallState): boolean => call.phase !== 'ended' && call.phase !== 'ending';

/** The call is on its way up; once it is up it will be live. */
export const isComingUp = (call: CallState): boolean =>
  call.phase === 'dialing' || call.phase === 'ringing' || call.phase === 'answering';

/** A call that waits to be dialled: no INVITE has left, the port does not know it. */
export const isNotDialled = (state: PhoneState, id: CallId): boolean =>
  state.waiting?.act === 'dial' && state.waiting.call === id;

/** The same number twice within this time is one click that two frames of the phone heard. */
const sameClickMs = 2_000;

/** Whether this number was dialled a moment ago, whatever became of it. */
export const wasJustDialled = (state: PhoneState, number: string, at: number): boolean =>
  state.calls.some(
    (it) => it.direction === 'outbound' && it.farSide.number === number && Math.abs(at - it.startedAt) < sameClickMs,
  );

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
    { type: 'timer.start', call: call.id, ms: endingMs },
  ]);
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
    hold: 'off',
    farHold: false,
    transfer: null,
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
      ...(call.phase === 'ending' ? ([{ type: 'timer.cancel', call: call.id }] as const) : []),
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

/** Ends a call whose INVITE can't leave; `reason` is a clause without a full stop. */
export function failDial(state: PhoneState, id: CallId, reason: string, at: number): Transition {
  const call = callOf(state, id);
  return call === undefined ? keep(state) : finishCall(state, call, { by: 'network', code: 0, reason }, at);
}
