/**
 * The call machine: `transition(state, input)` says what the phone is next and what must be done about it. Pure: no clock, no SIP, no DOM,
 * no identifier of its own making. Owns the line, the agent's availability, and the rule that one call at most is live: an act that would
 * make a second one live waits here until the first is on hold. What a command may do is in `call-commands.ts`, what a SIP outcome means
 * in `call-signals.ts`.
 */
import { commandCall } from './call-commands.ts';
import { liftHold, placeHold } from './call-hold.ts';
import { answerBy, forwardUnanswered } from './call-inbound.ts';
import type { RecordingSteps } from './call-recording.ts';
import { recoveryExpired, takeUp } from './call-recovery.ts';
import { signalCall } from './call-signals.ts';
import {
  andThen,
  type CallCommand,
  type CallSignal,
  callOf,
  change,
  emit,
  failDial,
  finishCall,
  inTurn,
  isInProgress,
  isLive,
  keep,
  membersOf,
  refuse,
  settleConference,
  type Transition,
} from './call-step.ts';
import type { CallState, Effect, Forwarding, Input, LineState, PhoneState } from './state.ts';

export type { Transition } from './call-step.ts';

/**
 * One step of the phone. A refused command returns the same state object and one `refuse` effect; a command that asks for what already is, or
 * a signal that comes too late, returns the same state object and no effect. Never throws.
 * @param recording the rules of recording; null: nothing is recorded
 */
export function transition(state: PhoneState, input: Input, recording: RecordingSteps | null = null): Transition {
  const step = recording?.take(state, input) ?? take(state, input);
  if (step.state === state) return step;
  const settled = { ...step, state: settleConference(step.state) };
  const gone = andThen(settled, (next) => goOnWaiting(next, input.at));
  return recording === null ? gone : andThen(gone, (next) => recording.follow(next, input.at));
}

function take(state: PhoneState, input: Input): Transition {
  switch (input.type) {
    case 'line.connect':
      if (state.line.status !== 'offline' && state.line.status !== 'rejected') return keep(state);
      return { state: { ...state, line: { status: 'connecting', reason: '' } }, effects: [{ type: 'sip.start' }] };
    case 'line.disconnect':
      if (state.line.status === 'offline') return keep(state);
      return andThen(lineBecomes(state, 'offline', '', 'You signed out.', input.at), (next) => ({
        state: next,
        effects: [{ type: 'sip.stop' }],
      }));
    case 'agent.set-available':
      if (state.available === input.available) return keep(state);
      return {
        state: { ...state, available: input.available },
        effects: [
          emit(input.available ? 'agent.available' : 'agent.unavailable', input.at, {}),
          ...tellCode(state.rules.codes.doNotDisturb, !input.available, ''),
        ],
      };
    case 'agent.forward':
      return forward(state, input.forwarding, input.at);
    case 'rules.set':
      return JSON.stringify(state.rules) === JSON.stringify(input.rules)
        ? keep(state)
        : keep({ ...state, rules: input.rules });
    case 'calls.take-up':
      return takeUp(state, input);
    case 'sip.watched':
      return keep({ ...state, watched: input.watched });
    case 'sip.mailbox':
      return keep({ ...state, mailbox: input.mailbox });
    case 'sip.watch-trouble':
      return state.featureTrouble === input.reason ? keep(state) : keep({ ...state, featureTrouble: input.reason });
    case 'sip.code-done':
      return state.featureTrouble === '' ? keep(state) : keep({ ...state, featureTrouble: '' });
    case 'sip.code-refused':
      return keep({
        ...state,
        featureTrouble: `The phone system did not take the code ${input.code}: ${input.reason}`,
      });
    case 'sip.connecting':
      // A line that was up stays `reconnecting`, with its reason, until it is up again; only a refused one starts afresh.
      if (state.line.status !== 'rejected') return keep(state);
      return lineBecomes(state, 'connecting', '', '', input.at);
    case 'sip.registered':
      // After a sign-out a late answer of the registrar means nothing.
      if (state.line.status === 'offline' || state.line.status === 'ready') return keep(state);
      return {
        state: { ...state, line: { status: 'ready', reason: '' } },
        effects: [emit('line.ready', input.at, { server: input.server })],
      };
    case 'sip.lost':
      if (state.line.status === 'offline' || state.line.status === 'rejected') return keep(state);
      return lineBecomes(
        state,
        state.line.status === 'connecting' ? 'connecting' : 'reconnecting',
        input.reason,
        input.reason,
        input.at,
      );
    case 'sip.rejected': {
      if (state.line.status === 'offline') return keep(state);
      const reason = `The phone system refused the sign-in (${input.code} ${input.reason}).`;
      return lineBecomes(state, 'rejected', reason, reason, input.at);
    }
    case 'sip.stopped':
      return stopped(state, input.at);
    case 'recording.rule':
    case 'timer.sound-resumes':
      return keep(state);
    case 'timer.ending-expired': {
      const call = callOf(state, input.call);
      if (call?.phase !== 'ending') return keep(state);
      return finishCall(state, call, { by: 'agent', code: 0, reason: '' }, input.at);
    }
    case 'timer.answers': {
      const call = callOf(state, input.call);
      return call?.answersAt == null ? keep(state) : answerBy(state, call);
    }
    case 'timer.unanswered': {
      const call = callOf(state, input.call);
      return call === undefined ? keep(state) : forwardUnanswered(state, call, input.at);
    }
    case 'timer.recovery-expired': {
      const call = callOf(state, input.call);
      return call === undefined ? keep(state) : recoveryExpired(state, call, input.at);
    }
    default:
      return isCallSignal(input) ? signalCall(state, input) : commandCall(state, input);
  }
}

function isCallSignal(input: CallSignal | CallCommand): input is CallSignal {
  return input.type.startsWith('sip.');
}

/** The feature code that tells the phone system, where there is one. */
function tellCode(
  codes: null | { readonly on: string; readonly off: string },
  on: boolean,
  number: string,
): readonly Effect[] {
  if (codes === null) return [];
  return [{ type: 'sip.send-code', code: (on ? codes.on : codes.off).replace('{number}', number) }];
}

function forward(state: PhoneState, forwarding: Forwarding | null, at: number): Transition {
  const before = state.forwarding;
  if (JSON.stringify(before) === JSON.stringify(forwarding)) return keep(state);
  if (forwarding !== null && !/^[0-9A-Za-z*#+._-]{1,64}$/.test(forwarding.to)) {
    return refuse(state, 'agent.forward', 'This is not a number that calls can be sent to.');
  }
  const always = (it: Forwarding | null): string | null => (it?.when === 'always' ? it.to : null);
  // The phone system is told of what it does for us: calls to nobody's phone. The rest is done here.
  const tell = always(before) === always(forwarding) ? [] : [always(forwarding)];
  return {
    state: { ...state, forwarding },
    effects: [
      emit('forwarding.changed', at, { to: forwarding?.to ?? null }),
      ...tell.flatMap((to) => tellCode(state.rules.codes.forwarding, to !== null, to ?? '')),
    ],
  };
}

/** `line.lost` is told when a line that was up goes away, once. */
function lineBecomes(
  state: PhoneState,
  status: LineState['status'],
  reason: string,
  lost: string,
  at: number,
): Transition {
  if (state.line.status === status && state.line.reason === reason) return keep(state);
  return {
    state: { ...state, line: { status, reason } },
    effects: state.line.status === 'ready' ? [emit('line.lost', at, { reason: lost })] : [],
  };
}

/** The port is closed: no call can still be up, whatever the port forgot to say. */
function stopped(state: PhoneState, at: number): Transition {
  const ended = { by: 'agent', code: 0, reason: 'The phone was signed out' } as const;
  let step = keep(state);
  for (const { id } of state.calls) {
    const call = callOf(step.state, id);
    if (call !== undefined && call.phase !== 'ended') step = andThen(step, (next) => finishCall(next, call, ended, at));
  }
  // A line that is connecting belongs to a later start.
  if (state.line.status === 'connecting' || state.line.status === 'offline') return step;
  return andThen(step, (next) => lineBecomes(next, 'offline', '', 'The phone was signed out.', at));
}

/**
 * Lets the waiting act go on once no other call is live, and puts on hold what still is. A call whose hold is just being placed or lifted is
 * waited for, and so is one that is just being taken up again. The call that the waiting one replaces need not be held: it ends.
 */
function goOnWaiting(state: PhoneState, at: number): Transition {
  const { waiting } = state;
  if (waiting === null) return keep(state);
  const call = callOf(state, waiting.call);
  const done = { ...state, waiting: null };
  if (call === undefined || !isInProgress(call)) return keep(done);
  const together = (it: CallState): boolean => it.id === call.id || (call.inConference && it.inConference);
  const inTheWay = state.calls.filter(
    (it) => it.phase === 'active' && it.hold !== 'on' && !together(it) && it.id !== call.replaces,
  );
  if (inTheWay.length > 0) return inTurn(state, inTheWay.filter(isLive), placeHold);
  switch (waiting.act) {
    case 'dial':
      if (state.line.status !== 'ready') return failDial(done, call.id, 'The phone lost its connection', at);
      return {
        state: done,
        effects: [
          { type: 'sip.dial', call: call.id, target: waiting.target, callerId: waiting.callerId },
          ...muteFromTheStart(call),
        ],
      };
    case 'pick-up':
      if (state.line.status !== 'ready') return failDial(done, call.id, 'The phone lost its connection', at);
      return {
        state: done,
        effects: [
          { type: 'sip.pick-up', call: call.id, extension: waiting.extension, code: waiting.code },
          ...muteFromTheStart(call),
        ],
      };
    case 'answer':
      return change(done, call.id, { phase: 'answering', trouble: null }, [{ type: 'sip.answer', call: call.id }]);
    case 'resume':
      return inTurn(
        done,
        (call.inConference ? membersOf(done) : [call]).filter((it) => it.hold === 'on'),
        liftHold,
      );
  }
}

const muteFromTheStart = (call: CallState): readonly Effect[] =>
  call.muted ? [{ type: 'sip.mute', call: call.id, muted: true }] : [];
