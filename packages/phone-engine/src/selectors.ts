/**
 * Questions about a phone's state, for the panel and for what follows the state by itself (ringtone, label, leave-page warning). Pure.
 * What is allowed is asked of the transition itself, so that a button and a refusal can't disagree.
 */
import type { CallId } from '@patchcord/call-protocol';
import { callOf, isComingUp, isInProgress, isLive, membersOf } from './call-step.ts';
import type { CallState, Command, MixedCall, PhoneState, Tone } from './state.ts';
import { transition } from './transition.ts';

export { callOf, isInProgress, isLive, membersOf, wasJustDialled } from './call-step.ts';

/** The call whose sound flows; null when there is none. */
export const liveCall = (state: PhoneState): CallState | null => state.calls.find(isLive) ?? null;

/**
 * The call the panel shows first: the live one, else one that is coming up or being hung up, else one that rings, else one on hold, else the
 * oldest in wrap-up.
 */
export function mainCall(state: PhoneState): CallState | null {
  const { calls } = state;
  return (
    calls.find(isLive) ??
    calls.find((it) => isComingUp(it) || (it.phase === 'active' && it.hold === 'placing')) ??
    calls.find((it) => it.recovering && it.phase === 'active' && it.hold === 'off') ??
    calls.find((it) => it.phase === 'active' && it.hold === 'lifting') ??
    calls.find((it) => it.phase === 'incoming') ??
    calls.find((it) => it.phase === 'active') ??
    calls.find((it) => it.phase === 'ending') ??
    callInWrapUp(state)
  );
}

/** Calls on hold or on their way there or back. */
export const heldCalls = (state: PhoneState): readonly CallState[] =>
  state.calls.filter((it) => it.phase === 'active' && it.hold !== 'off');

/** Inbound calls the agent has not answered yet, oldest first; one that waits to be answered is not among them. */
export const ringingCalls = (state: PhoneState): readonly CallState[] =>
  state.calls.filter((it) => it.phase === 'incoming' && state.waiting?.call !== it.id);

/** The oldest call that has ended and waits for its wrap-up. */
export const callInWrapUp = (state: PhoneState): CallState | null =>
  state.calls.find((it) => it.phase === 'ended') ?? null;

/** The call in progress that was placed to consult for this one. */
export const consultOf = (state: PhoneState, call: CallId): CallState | null =>
  state.calls.find((it) => it.consultFor === call && isInProgress(it)) ?? null;

/** Whether leaving the page would end a call. */
export const hasCallInProgress = (state: PhoneState): boolean => state.calls.some((it) => it.phase !== 'ended');

/** The calls whose sound is mixed: members that are not on hold. Fewer than two need no mixing. */
export function mixOf(state: PhoneState): readonly MixedCall[] {
  const live = membersOf(state).filter(isLive);
  return live.length < 2 ? [] : live.map(({ id, silenced }) => ({ call: id, silenced }));
}

/**
 * What the agent should hear besides the calls. Local ringback is silent while the far side sends its own sound, the ring of a call that is
 * ignored always, and that of one which is just being fetched back until it rings here again.
 */
export function tone(state: PhoneState): Tone {
  const ringing = ringingCalls(state).filter((it) => !it.ignored && !it.recovering);
  if (ringing.some((it) => it.answersAt !== null)) return 'auto-answer';
  if (ringing.length > 0) {
    return state.calls.some((it) => isInProgress(it) && !ringing.includes(it)) ? 'call-waiting' : 'ring';
  }
  return state.calls.some((it) => it.phase === 'ringing' && !it.earlyMedia) ? 'ringback' : 'none';
}

export type Condition = 'offline' | 'ready' | 'ringing' | 'in-call' | 'wrap-up';

/** The phone in one word, for the label outside the panel. A call outweighs a lost line. */
export function condition(state: PhoneState): Condition {
  if (ringingCalls(state).length > 0) return 'ringing';
  if (state.calls.some((it) => it.phase !== 'ended')) return 'in-call';
  if (state.line.status !== 'ready') return 'offline';
  return state.calls.length > 0 ? 'wrap-up' : 'ready';
}

/** A few words for the label outside the panel: what keeps the agent busy, or that nothing does. */
export function busyLabel(state: PhoneState): string {
  const who = (call: CallState | null | undefined): string => call?.farSide.name || call?.farSide.number || 'unknown';
  switch (condition(state)) {
    case 'ringing':
      return `Call from ${who(ringingCalls(state)[0])}`;
    case 'in-call': {
      const main = mainCall(state);
      return main !== null && main.phase !== 'active' && main.direction === 'outbound'
        ? `Calling ${who(main)}`
        : `In call with ${who(main)}`;
    }
    case 'wrap-up':
      return `Wrap-up: ${who(callInWrapUp(state))}`;
    case 'offline':
      return state.line.status === 'offline' ? 'Offline' : 'Connecting';
    case 'ready':
      return state.available ? 'Ready' : 'Unavailable';
  }
}

/** Milliseconds since the call was answered, or its whole talk time once it ended; 0 while nobody answered. */
export function elapsed(call: CallState, now: number): number {
  return call.answeredAt === null ? 0 : Math.max(0, (call.endedAt ?? now) - call.answeredAt);
}

/** Commands on a call that a button may stand for. */
export type CallAct =
  | 'call.answer'
  | 'call.decline'
  | 'call.redirect'
  | 'call.ignore'
  | 'call.hang-up'
  | 'call.hold'
  | 'call.resume'
  | 'call.swap'
  | 'call.mute'
  | 'call.send-digits'
  | 'call.transfer'
  | 'call.cancel-transfer'
  | 'call.complete-transfer'
  | 'call.merge'
  | 'call.split'
  | 'call.silence'
  | 'call.submit-wrap-up';

/** What can be asked of this call now and would do something. Empty for a call that is not there. */
export function allowed(state: PhoneState, id: CallId): ReadonlySet<CallAct> {
  const call = callOf(state, id);
  const acts: readonly Extract<Command, { type: CallAct }>[] = [
    { type: 'call.answer', call: id },
    { type: 'call.decline', call: id },
    { type: 'call.redirect', call: id, to: '1' },
    { type: 'call.ignore', call: id },
    { type: 'call.hang-up', call: id },
    { type: 'call.hold', call: id },
    { type: 'call.resume', call: id },
    { type: 'call.swap', call: id },
    { type: 'call.mute', call: id, muted: call?.muted !== true },
    { type: 'call.send-digits', call: id, digits: '1' },
    { type: 'call.transfer', call: id, to: '1' },
    { type: 'call.cancel-transfer', call: id },
    { type: 'call.complete-transfer', call: id },
    { type: 'call.merge', call: id },
    { type: 'call.split', call: id },
    { type: 'call.silence', call: id, silenced: call?.silenced !== true },
    { type: 'call.submit-wrap-up', call: id },
  ];
  return new Set(acts.filter((act) => transition(state, { ...act, at: 0 }).state !== state).map((act) => act.type));
}

/** Why no call can be placed now, in plain words; null when one can. `consultFor` asks for a consult call. */
export function dialRefusal(state: PhoneState, consultFor?: CallId): string | null {
  const probe = transition(state, {
    type: 'call.dial',
    // An identifier no call has.
    call: '' as CallId,
    target: '1',
    farSide: { number: '1' },
    ...(consultFor === undefined ? {} : { consultFor }),
    at: 0,
  });
  const refused = probe.effects.find((effect) => effect.type === 'refuse');
  return refused === undefined ? null : refused.reason;
}
