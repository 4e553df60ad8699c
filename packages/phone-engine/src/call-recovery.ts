/**
 * What becomes of the calls of an owner that went: which come back and as what, what may be asked of them meanwhile, and how their absence ends.
 * Pure. Owns the table of phases (docs/adr/0016-a-call-outlives-its-page.md); how a dialog is taken up is the SIP port's.
 */
import {
  andThen,
  type CallCommand,
  callOf,
  change,
  emit,
  endReplaced,
  finishCall,
  inTurn,
  keep,
  type SignalOf,
  type Transition,
} from './call-step.ts';
import { forRoom } from './call-transfer.ts';
import type { CallState, Effect, OwnerInput, PhoneState, SipSignal } from './state.ts';

/**
 * How long a call is waited for. Two ways of a few seconds each fit in after a line that needs half a minute to come up (a phone system that is
 * being restarted); nobody stays with a silent telephone for longer, and after that the call would be a ghost in the list.
 */
export const recoveryMs = 40_000;

/** A transfer that was under way can go on for so long without us: the target's telephone rings, and then somebody answers. */
const transferPatienceMs = 90_000;

/** A caller who comes back after the warning of an intercom call was over is not connected without one. */
const warningMs = 1_000;

type TakeUp = Extract<OwnerInput, { readonly type: 'calls.take-up' }> & { readonly at: number };
type Ended = Omit<Extract<SipSignal, { readonly type: 'sip.ended' }>, 'type' | 'call'>;

/** The calls of an earlier owner. Those that are here already are left out. */
export function takeUp(state: PhoneState, input: TakeUp): Transition {
  const { at, resumable } = input;
  const ids = new Set(state.calls.map(({ id }) => id));
  const known = new Set(ids);
  const inherited = input.calls.filter(({ id }) => !ids.has(id) && ids.add(id));
  const hasDialog = (id: CallState['id']): boolean => resumable.includes(id);
  const lost = inherited.filter((it) => it.phase !== 'ended' && !hasDialog(it.id));
  const up = inherited.filter((it) => it.phase !== 'ended' && hasDialog(it.id));
  // A dialog whose call is over, or of which nothing is known: somebody may still be at the other end.
  const ghosts = [...new Set(resumable)].filter((id) => !known.has(id) && !up.some((it) => it.id === id));
  const taken = [...up.map(({ id }) => id), ...ghosts];
  const calls = inherited.map((it) => (it.phase === 'ended' ? it : interrupted(it, input)));
  const here: Transition = keep(calls.length === 0 ? state : { ...state, calls: [...calls, ...state.calls] });
  const settled = andThen(here, (next) =>
    inTurn(next, lost, (it, { id }) => {
      const call = callOf(it, id);
      return call === undefined ? keep(it) : finishCall(it, call, noDialog, lastSeen(call, at));
    }),
  );
  const hangUps = [...up.filter(({ phase }) => phase === 'ending').map(({ id }) => id), ...ghosts];
  const effects: readonly Effect[] = [
    ...(taken.length === 0 ? [] : [{ type: 'sip.take-up', calls: taken } as const]),
    ...hangUps.map((call) => ({ type: 'sip.hang-up', call }) as const),
    ...up.map(
      ({ id }) => ({ type: 'timer.start', call: id, signal: 'timer.recovery-expired', ms: recoveryMs }) as const,
    ),
  ];
  return andThen(settled, (next) => ({ state: wrapUpFromNow(next, lost, inherited, at), effects }));
}

const noDialog: Ended = { by: 'network', code: 0, reason: '' };

/** A call as it comes back. A dial is taken back: whoever answered it would answer nobody. */
function interrupted(call: CallState, { seenAt, at }: TakeUp): CallState {
  const began = call.answeredAt ?? call.startedAt;
  // One that was being taken up already was not alive since.
  const before = call.recovering ? call.recovery : null;
  const earlier = call.recovery?.transfer ?? null;
  const recovery = before ?? {
    from: call.phase,
    seenAt: Math.min(at, Math.max(began, seenAt)),
    transfer: call.phase === 'active' ? (call.transfer ?? earlier) : null,
  };
  const dialled = call.phase === 'dialing' || call.phase === 'ringing';
  return {
    ...call,
    phase: dialled ? 'ending' : call.phase,
    // Silent until the agent says otherwise: whoever waits may hear something that is not for them.
    hold: call.hold === 'lifting' ? 'on' : call.hold,
    recovering: true,
    recovery,
    // Of one that was being hung up it says why.
    transfer: call.phase === 'ending' ? call.transfer : null,
    trouble: null,
  };
}

/** The time for the wrap-up of a call that ended meanwhile begins when somebody can see it; that of the others is as it was. */
function wrapUpFromNow(
  state: PhoneState,
  lost: readonly CallState[],
  before: readonly CallState[],
  at: number,
): PhoneState {
  if (lost.length === 0) return state;
  const since = (it: CallState): number | null =>
    lost.some(({ id }) => id === it.id) ? at : (before.find(({ id }) => id === it.id)?.wrapUpSince ?? at);
  return {
    ...state,
    calls: state.calls.map((it) => (it.phase === 'ended' ? { ...it, wrapUpSince: since(it) } : it)),
  };
}

/** When the call was alive last, as far as anybody knows. */
const lastSeen = (call: CallState, at: number): number => call.recovery?.seenAt ?? at;

/** Why this can't be asked of a call that is just being taken up, or null: what needs no far side goes on. */
export function recoveringRefusal(call: CallState, command: CallCommand['type']): string | null {
  if (!call.recovering || !needFarSide.includes(command)) return null;
  return call.phase === 'incoming'
    ? 'The call is just being fetched back to this phone. Wait until it rings again.'
    : 'The call is just being taken up again. Wait a moment, or hang up.';
}

const needFarSide: readonly CallCommand['type'][] = [
  'call.answer',
  'call.redirect',
  'call.hold',
  'call.resume',
  'call.swap',
  'call.merge',
  'call.split',
  'call.silence',
  'call.send-digits',
  'call.transfer',
  'call.cancel-transfer',
  'call.complete-transfer',
];

/**
 * A call is up again. Of one that this owner never missed (its connection was changed under it) there is nothing to tell; one that is on its way
 * out stays so.
 */
export function recovered(state: PhoneState, call: CallState, input: SignalOf<'sip.recovered'>): Transition {
  if (!call.recovering || call.phase === 'ending') return keep(state);
  const { at, way } = input;
  const afterMs = Math.max(0, at - lastSeen(call, at));
  const told = emit('call.recovered', at, { way, peer: input.peer.slice(0, longestPeer), afterMs }, call.id);
  if (way === 'rung-again') {
    if (call.phase === 'active') return keep(state);
    const { state: next } = change(state, call.id, { phase: 'incoming', recovering: false, recovery: null });
    return { state: next, effects: [told, ...deadlines(state, call, at)] };
  }
  // Nobody here said yes to it: the port is wrong, and the deadline will end it.
  if (call.phase === 'incoming') return keep(state);
  // It was being answered, and is up now: the answer was told by nobody, and the far side has waited since the page was there last.
  const answeredAt = lastSeen(call, at);
  const held = call.hold === 'placing';
  const transfer = call.recovery?.transfer ?? null;
  const up = change(
    state,
    call.id,
    {
      phase: 'active',
      replaces: null,
      recovering: false,
      answeredAt: call.answeredAt ?? answeredAt,
      answersAt: null,
      hold: held ? 'on' : call.hold,
      recovery: transfer === null ? null : (call.recovery ?? null),
      trouble: transfer === null ? null : unknownFate(transfer.to),
    },
    [
      ...(call.answeredAt === null ? [emit('call.answered', answeredAt, {}, call.id)] : []),
      told,
      ...(held ? [emit('call.held', at, {}, call.id)] : []),
      // What was asked of it before it was there is good now.
      { type: 'sip.mute', call: call.id, muted: call.muted },
    ],
  );
  return andThen(up, (next) => endReplaced(next, call));
}

const longestPeer = 120;

const unknownFate = (to: string): string =>
  `While the call was being sent to ${to || 'the other call'}, its page went away: nobody knows whether that succeeded. Ask the far side, or send it again.`;

/** The deadlines of a call that rings here once more. */
function deadlines(state: PhoneState, call: CallState, at: number): readonly Effect[] {
  if (call.answersAt !== null) {
    const ms = Math.max(warningMs, call.answersAt - at);
    return [{ type: 'timer.start', call: call.id, signal: 'timer.answers', ms }];
  }
  if (state.forwarding?.when !== 'no-answer') return [];
  const ms = Math.max(0, call.startedAt + state.forwarding.afterSeconds * 1_000 - at);
  return [{ type: 'timer.start', call: call.id, signal: 'timer.unanswered', ms }];
}

/**
 * What is learned of the far side. Of a call that this owner never missed only a failure says something: it would be told at every change of the
 * connection otherwise.
 */
export function recoveryTried(state: PhoneState, call: CallState, input: SignalOf<'sip.recovery-tried'>): Transition {
  const { at, way, worked } = input;
  if (!call.recovering && worked) return keep(state);
  const peer = input.peer.slice(0, longestPeer);
  return { state, effects: [emit('call.recovery-tried', at, { way, peer, worked }, call.id)] };
}

/** The end of a call that was interrupted, or that may have been transferred meanwhile; null where it ends like any other. */
export function interruptedEnd(state: PhoneState, call: CallState, ended: SignalOf<'sip.ended'>): Transition | null {
  const transfer = call.recovery?.transfer ?? null;
  if (transfer !== null && ended.by === 'far-side' && ended.at - lastSeen(call, ended.at) <= transferPatienceMs) {
    return goneToTarget(state, call, transfer, ended);
  }
  // Nobody here heard anything since.
  return call.recovering && ended.by === 'network' && call.phase !== 'ending'
    ? finishCall(state, call, ended, lastSeen(call, ended.at))
    : null;
}

/** The far side left within the patience of the transfer: it went where it was sent. */
function goneToTarget(
  state: PhoneState,
  call: CallState,
  transfer: NonNullable<CallState['transfer']>,
  ended: SignalOf<'sip.ended'>,
): Transition {
  const { to, kind } = transfer;
  const purpose = transfer.kind === 'blind' && transfer.purpose !== 'transfer' ? { purpose: transfer.purpose } : {};
  const consult = transfer.kind === 'attended' ? callOf(state, transfer.consult) : undefined;
  const told = [
    emit('call.transferred', ended.at, { to, kind, ...purpose }, call.id),
    ...(consult === undefined ? [] : [emit('call.joined', ended.at, { with: call.id }, consult.id)]),
  ];
  const over: CallState = { ...call, phase: 'ending', transfer };
  return andThen({ state: forRoom(state, call.id, call.farSide), effects: told }, (next) =>
    finishCall(next, over, ended, ended.at),
  );
}

/** Nothing brought it back: it is over, and whoever may still be there is told so. */
export function recoveryExpired(state: PhoneState, call: CallState, at: number): Transition {
  if (!call.recovering || call.phase === 'ended') return keep(state);
  const by = call.phase === 'ending' ? 'agent' : 'network';
  const ended: Ended = { by, code: 0, reason: 'the phone system could not be reached in time' };
  const hangUp: readonly Effect[] = by === 'agent' ? [] : [{ type: 'sip.hang-up', call: call.id }];
  return andThen({ state, effects: hangUp }, (next) =>
    finishCall(next, call, ended, by === 'agent' ? at : lastSeen(call, at)),
  );
}
