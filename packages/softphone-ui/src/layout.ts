/**
 * What the panel shows for a given phone state: which screen, which call on it, which calls beside it. Pure. Owns precedence, and the names of
 * what can be open.
 * An incoming call takes the whole panel while nothing else is going on; else it is a card above, so that nobody is torn from what they type.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { CallState, PhoneState } from '@patchcord/phone-engine';

export type Tab = 'keypad' | 'recent' | 'colleagues' | 'voicemail' | 'settings';
/** What lies over the call: its keypad, a transfer, a second call. */
export type Sheet = 'none' | 'keypad' | 'transfer' | 'new-call' | 'more';

export type Screen =
  | { readonly kind: 'ready' }
  | { readonly kind: 'incoming'; readonly call: CallState }
  | { readonly kind: 'call'; readonly call: CallState }
  | { readonly kind: 'wrap-up'; readonly call: CallState };

export interface Layout {
  readonly screen: Screen;
  /** Ringing calls shown as cards above the screen. */
  readonly knocking: readonly CallState[];
  /** Other calls in progress, shown as strips under the current one. */
  readonly beside: readonly CallState[];
  /** Ended calls whose wrap-up waits. */
  readonly unfinished: readonly CallState[];
}

/** `composing`: the agent is in the middle of typing a number. `postponed`: wrap-ups put off for later. */
export function layoutOf(state: PhoneState, postponed: ReadonlySet<CallId>, composing: boolean): Layout {
  const ringing = state.calls.filter((call) => call.phase === 'incoming');
  const talking = talkingIn(state);
  const over = state.calls.filter((call) => call.phase === 'ended');
  const front = foremost(talking);
  if (front !== null) {
    // The members of the conference in front are shown together.
    const beside = talking.filter((call) => call.id !== front.id && !(front.inConference && call.inConference));
    return { screen: { kind: 'call', call: front }, knocking: ringing, beside, unfinished: over };
  }
  const due = over.filter((call) => !postponed.has(call.id)).at(-1);
  if (due !== undefined) {
    const unfinished = over.filter((call) => call.id !== due.id);
    return { screen: { kind: 'wrap-up', call: due }, knocking: ringing, beside: [], unfinished };
  }
  const first = ringing[0];
  if (first !== undefined && !composing)
    return { screen: { kind: 'incoming', call: first }, knocking: ringing.slice(1), beside: [], unfinished: over };
  return { screen: { kind: 'ready' }, knocking: ringing, beside: [], unfinished: over };
}

/** A call is on the screen, or would be. */
export function isCallInFront(state: PhoneState): boolean {
  return talkingIn(state).length > 0;
}

function talkingIn({ calls }: PhoneState): readonly CallState[] {
  return calls.filter((call) => call.phase !== 'incoming' && call.phase !== 'ended' && !isBeingDeclined(call));
}

/** A declined call is over for the agent, whatever the far side still has to say. */
function isBeingDeclined(call: CallState): boolean {
  return call.phase === 'ending' && call.direction === 'inbound' && call.answeredAt === null;
}

/** The call the agent hears, or is about to hear; of several on hold, the newest. */
function foremost(calls: readonly CallState[]): CallState | null {
  const newestFirst = [...calls].reverse();
  return (
    newestFirst.find((call) => call.phase === 'active' && (call.hold === 'off' || call.hold === 'lifting')) ??
    newestFirst.find((call) => call.phase === 'dialing' || call.phase === 'ringing' || call.phase === 'answering') ??
    newestFirst.find((call) => call.phase === 'active') ??
    newestFirst[0] ??
    null
  );
}
