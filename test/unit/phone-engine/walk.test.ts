/**
 * Every state two calls can reach, and every input in each of them: the rules of the call machine hold everywhere. Times, notes, digits and
 * words are abstracted away, because no rule looks at them.
 */
import type { CallId } from '@patchcord/call-protocol';
import {
  allowed,
  busyLabel,
  type CallPhase,
  type CallState,
  condition,
  emptyPhone,
  type Input,
  isInProgress,
  isLive,
  mainCall,
  type PhoneState,
  recordingSteps,
  tone,
  transition,
} from '@patchcord/phone-engine';
import { deepFreeze } from '@patchcord/phone-engine/testing';
import { expect, it } from 'vitest';
import { callInputs, checkRecording, checkStep, lineInputs, recordingInputs, takeUpOf } from './machine-rules.ts';
import { ada } from './phone-fixture.ts';

const a = 'a' as CallId;
const b = 'b' as CallId;

/** The same state with everything gone that no rule looks at. */
function abstract(state: PhoneState): PhoneState {
  return {
    ...state,
    available: true,
    forwarding: null,
    // A dial asks whether the line is ready, a connect whether it is off; the rest is one.
    line: { status: ['offline', 'ready'].includes(state.line.status) ? state.line.status : 'reconnecting', reason: '' },
    calls: state.calls.map((call) => ({
      ...call,
      farSide: ada,
      // A transfer of an earlier owner makes one event more, and changes no state.
      recovery: call.recovering ? { from: call.phase, seenAt: call.startedAt, transfer: null } : null,
      answersAt: call.answersAt === null ? null : 0,
      room: call.room === null || !isComingUp(call) ? null : { ...call.room, members: [] },
      silenced: false,
      pickedUpFrom: null,
      ignored: false,
      farHold: false,
      muted: false,
      soundPaused: false,
      earlyMedia: false,
      sipCallId: null,
      digits: '',
      trouble: null,
      matches: [],
      unknown: false,
      record: null,
      about: null,
      note: '',
      disposition: null,
      moreTime: 0,
      transfer: canonical(call.transfer),
      end: call.end === null ? null : { outcome: 'answered', reason: '', by: 'agent' },
    })),
  };
}

function canonical(transfer: CallState['transfer']): CallState['transfer'] {
  if (transfer === null) return null;
  const same = { to: '1', status: 'asked' } as const;
  return transfer.kind === 'blind' ? { ...transfer, ...same, purpose: 'transfer' } : { ...transfer, ...same };
}

/** What waits for a room to answer matters until it does. */
const isComingUp = ({ phase }: CallState): boolean => phase === 'dialing' || phase === 'ringing';

/** Which of the two came first is all that their names say: the first of the list is always `a`. It halves the walk. */
function canonicalText(state: PhoneState): string {
  const text = JSON.stringify(state);
  return state.calls[0]?.id === b ? text.replace(/"[ab]"/g, (id) => (id === '"a"' ? '"b"' : '"a"')) : text;
}

/** A call that begins is always the other one, and what begins like another input is tried on that alone. */
const isNot =
  (type: Input['type']) =>
  (input: Input): boolean =>
    input.type !== type;

const lineNews: readonly Input['type'][] = ['sip.connecting', 'sip.registered', 'sip.lost', 'sip.rejected'];

/** The same phone while its agent wants no calls, or wants them elsewhere. */
const away = (state: PhoneState): readonly PhoneState[] => [
  deepFreeze({ ...state, available: false }),
  ...(['always', 'busy', 'no-answer'] as const).map((when) =>
    deepFreeze({ ...state, forwarding: { to: '2009', when, afterSeconds: 15 } }),
  ),
];

it('keeps every rule in every state two calls can reach, whatever comes', () => {
  const inputs: readonly Input[] = [
    ...lineInputs,
    ...callInputs(a, b).filter(isNot('call.gather')).filter(isNot('call.pick-up')),
    ...callInputs(b, a),
  ];
  const start = deepFreeze<PhoneState>({
    ...emptyPhone,
    rules: { ...emptyPhone.rules, mostCalls: 2, autoAnswer: 'always' },
  });
  const seen = new Map<string, PhoneState>([[JSON.stringify(start), start]]);
  const phases = new Set<CallPhase>();
  let steps = 0;
  const fresh = deepFreeze<PhoneState>({ ...start, line: { status: 'ready', reason: '' } });
  const arrive = (state: PhoneState): void => {
    const key = canonicalText(abstract(state));
    if (!seen.has(key)) seen.set(key, deepFreeze(JSON.parse(key) as PhoneState));
  };
  // A Map is walked in the order it grows: breadth first.
  for (const state of seen.values()) {
    for (const call of state.calls) phases.add(call.phase);
    // Its owner goes at this moment, and the next one takes up what can be. That it happens twice, or to
    // calls of which some have no dialog, is left to the random lives.
    if (state.calls.length > 0 && !state.calls.some(({ recovering }) => recovering)) {
      const input = takeUpOf(
        state.calls,
        state.calls.map(({ id }) => id),
      );
      const step = transition(fresh, input);
      const broken = checkStep(fresh, input, step);
      if (broken !== null) throw new Error(`${broken}\ntaken up from ${JSON.stringify(state)}`);
      steps++;
      arrive(step.state);
    }
    const waits = state.calls.some(({ recovering }) => recovering);
    for (const input of inputs) {
      // How the line is matters to nothing that is just being taken up.
      if (waits && (input.type.startsWith('line.') || lineNews.includes(input.type))) continue;
      // Availability and forwarding matter to nothing but a call that comes in.
      const comesIn = input.type === 'sip.invited' || input.type === 'timer.unanswered';
      for (const from of comesIn ? [state, ...away(state)] : [state]) {
        const step = transition(from, input);
        const broken = checkStep(from, input, step);
        if (broken !== null)
          throw new Error(`${broken}\ninput ${JSON.stringify(input)}\nstate ${JSON.stringify(from)}`);
        steps++;
        if (step.state === from) continue;
        arrive(step.state);
      }
    }
  }
  expect(phases).toEqual(new Set(['dialing', 'ringing', 'incoming', 'answering', 'active', 'ending', 'ended']));
  // Enough to know that the walk went somewhere: both calls connected, one held, a consult, a transfer, a waiting act.
  const reached = (what: (state: PhoneState) => boolean): boolean => [...seen.values()].some(what);
  expect(reached((it) => it.calls.filter((call) => call.phase === 'active').length === 2)).toBe(true);
  expect(reached((it) => it.calls.some(isLive) && it.calls.some((call) => call.hold === 'on'))).toBe(true);
  expect(reached((it) => it.calls.some((call) => call.transfer?.kind === 'attended'))).toBe(true);
  expect(reached((it) => it.calls.filter((call) => call.inConference && isLive(call)).length === 2)).toBe(true);
  expect(reached((it) => it.calls.some((call) => call.inConference && call.hold === 'on'))).toBe(true);
  expect(reached((it) => it.calls.some((call) => call.answersAt !== null))).toBe(true);
  expect(reached((it) => it.calls.some((call) => call.room !== null && call.phase === 'ringing'))).toBe(true);
  for (const act of ['answer', 'dial', 'resume', 'pick-up'])
    expect(reached((it) => it.waiting?.act === act)).toBe(true);
  expect(reached((it) => it.calls.some((call) => call.replaces !== null && call.phase === 'answering'))).toBe(true);
  expect(reached((it) => it.calls.filter((call) => call.recovering).length === 2)).toBe(true);
  expect(reached((it) => it.waiting !== null && it.calls.some((call) => call.recovering))).toBe(true);
  expect(steps).toBeGreaterThan(seen.size * 50);
  for (const state of seen.values()) {
    // No selector stumbles over a state that can happen, and what is shown has a call to show.
    tone(state);
    busyLabel(state);
    expect(mainCall(state) === null).toBe(state.calls.length === 0);
    if (state.calls.some(isInProgress)) expect(['ringing', 'in-call']).toContain(condition(state));
    for (const call of state.calls) {
      const acts = allowed(state, call.id);
      // The agent is never stuck: a call in progress can be ended, an ended one wrapped up.
      if (call.phase === 'ended') expect([...acts]).toEqual(['call.submit-wrap-up']);
      else expect(acts.has('call.hang-up')).toBe(isInProgress(call));
    }
  }
}, 600_000);

it('keeps every rule of recording in every state one call can reach', () => {
  const inputs: readonly Input[] = [...lineInputs, ...callInputs(a, b), ...recordingInputs(a)].filter(
    (input) => !('call' in input) || input.call === a,
  );
  const start = deepFreeze<PhoneState>({ ...emptyPhone, rules: { ...emptyPhone.rules, mostCalls: 1 } });
  const seen = new Map<string, PhoneState>([['', start]]);
  const fresh = deepFreeze<PhoneState>({ ...start, line: { status: 'ready', reason: '' } });
  const reached = new Set<string>();
  const arrive = (state: PhoneState): void => {
    // With whom it is, and whether it is paused, matters to nothing else.
    const calls = abstract(state).calls.map((call, n) => {
      const { farSide = ada, soundPaused = false } = state.calls[n] ?? {};
      return { ...call, farSide, soundPaused };
    });
    const kept = { ...abstract(state), calls };
    const key = JSON.stringify(kept);
    if (!seen.has(key)) seen.set(key, deepFreeze(kept));
  };
  for (const state of seen.values()) {
    for (const call of state.calls) reached.add(`${call.recordingRule?.mode} ${call.recording} ${call.soundPaused}`);
    const takeUp = takeUpOf(state.calls, [a]);
    for (const [from, input] of [[fresh, takeUp] as const, ...inputs.map((one) => [state, one] as const)]) {
      if (input === takeUp && state.calls.some(({ recovering }) => recovering)) continue;
      const step = transition(from, input, recordingSteps);
      const broken = checkStep(from, input, step) ?? checkRecording(from, input, step);
      if (broken !== null) throw new Error(`${broken}\ninput ${JSON.stringify(input)}\nstate ${JSON.stringify(from)}`);
      if (step.state !== from) arrive(step.state);
    }
  }
  for (const state of [
    'ask asking',
    'ask on',
    'ask off',
    'ask refused',
    'always on',
    'on-demand on',
    'on-demand refused',
  ])
    for (const paused of [true, false]) expect(reached).toContain(`${state} ${paused}`);
}, 600_000);
