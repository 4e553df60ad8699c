/**
 * Whether a call is recorded, who said so, and when nothing of it may be heard at all. Pure. Owns every refusal about it: each says why. A phone that
 * never records carries none of this (`OwnedPhone.useRecording`). Must never begin to record a far side that is to be asked before it agreed, nor end a
 * pause that nobody can see.
 */
import type { EventData, EventName, RecordingMode } from '@patchcord/call-protocol';
import { andThen, callOf, change, emit, inTurn, keep, refuse, type Transition } from './call-step.ts';
import type { CallState, Effect, Input, PhoneState } from './state.ts';

/** What the call machine asks of it. */
export interface RecordingSteps {
  /** What an input means that is about recording; null for any other. */
  take(state: PhoneState, input: Input): Transition | null;
  /** What begins by itself after any step: a call has been answered. */
  follow(state: PhoneState, at: number): Transition;
}

/** A pause that would have ended while the phone was away is seen for this long before it does, ms. */
const seenPauseMs = 10_000;

export const recordingSteps: RecordingSteps = {
  take(state, input) {
    switch (input.type) {
      case 'call.pause-sound':
      case 'call.record':
      case 'call.consent':
      case 'recording.rule':
      case 'timer.sound-resumes':
        break;
      default:
        return null;
    }
    const call = callOf(state, input.call);
    const isCommand = input.type.startsWith('call.');
    if (call === undefined || call.phase === 'ended') return isCommand ? null : keep(state);
    const { at } = input;
    switch (input.type) {
      case 'call.pause-sound':
        return input.paused ? pause(state, call, at) : goOn(state, call, 'agent', at);
      case 'timer.sound-resumes': {
        const due = call.soundResumesAt ?? Number.POSITIVE_INFINITY;
        return at < due ? keep(state) : goOn(state, call, 'timer', at);
      }
      case 'call.record':
        return input.on ? begin(state, call, at) : end(state, call, at);
      case 'call.consent':
        return consent(state, call, input.given, at);
      case 'recording.rule':
        return rule(state, call, input, at);
    }
  },
  follow(state, at) {
    const due = state.calls.filter((call) => isUp(call) && call.recordingRule !== undefined);
    return inTurn(state, due, (next, call) => {
      const { recording = 'off' } = call;
      if (call.recordingRule?.mode === 'ask' && call.recording === undefined)
        return change(next, call.id, { recording: 'asking' });
      const starts = call.recordingRule?.mode === 'always' && (recording === 'off' || recording === 'asking');
      return starts ? start(next, call, 'policy', at) : keep(next);
    });
  },
};

/** Sound flows, or did before the call was put on hold. */
const isUp = (call: CallState): boolean => call.phase === 'active' && !call.recovering && call.answeredAt !== null;

const isPaused = (call: CallState): boolean => call.soundPaused === true;

/** Ms from the answer. */
const msOf = (call: CallState, at: number): number => Math.max(0, at - (call.answeredAt ?? at));

type Told = Extract<EventName, `recording.${string}` | `consent.${string}`>;

function tell<N extends Told>(call: CallState, name: N, at: number, data: EventData<N>): Effect {
  return emit(name, at, data, call.id);
}

function pause(state: PhoneState, call: CallState, at: number): Transition {
  if (isPaused(call)) return keep(state);
  const lasts = call.recordingRule?.resumeAfterMs ?? 0;
  const patch = { soundPaused: true, soundResumesAt: lasts > 0 ? at + lasts : null };
  return change(state, call.id, patch, [
    ...(call.recording === 'on' ? [tell(call, 'recording.paused', at, { startMs: msOf(call, at) })] : []),
    ...resumesIn(call, lasts),
  ]);
}

const resumesIn = (call: CallState, ms: number): readonly Effect[] =>
  ms > 0 ? [{ type: 'timer.start', call: call.id, signal: 'timer.sound-resumes', ms }] : [];

function goOn(state: PhoneState, call: CallState, by: 'agent' | 'timer', at: number): Transition {
  if (!isPaused(call)) return keep(state);
  return change(
    state,
    call.id,
    { soundPaused: false, soundResumesAt: null },
    call.recording === 'on' ? [tell(call, 'recording.resumed', at, { startMs: msOf(call, at), by })] : [],
  );
}

/** Why this call's recording is not the agent's to begin or end; null where it is. */
function refusal(call: CallState): string | null {
  if (call.phase !== 'active') return 'Only a connected call can be recorded.';
  if (call.recovering) return 'The call is just being taken up again. Wait a moment.';
  const mode = call.recordingRule?.mode;
  if (mode === undefined) return 'This phone is still being told whether calls may be recorded. Try again in a moment.';
  return mode === 'never' ? 'This call may not be recorded: your administrator set that for it.' : null;
}

function begin(state: PhoneState, call: CallState, at: number): Transition {
  const no = (reason: string) => refuse(state, 'call.record', reason);
  const refused = refusal(call);
  if (refused !== null) return no(refused);
  // Nobody was asked yet, whatever else is not known of the call.
  switch (call.recording ?? (call.recordingRule?.mode === 'ask' ? 'asking' : 'off')) {
    case 'on':
      return keep(state);
    case 'refused':
      return no('The far side does not want to be recorded. Only if it agrees after all can the call be recorded.');
    case 'asking':
      return no('Ask the far side first whether it may be recorded.');
    default:
      return start(state, call, 'agent', at);
  }
}

function end(state: PhoneState, call: CallState, at: number): Transition {
  const refused = refusal(call);
  if (refused !== null) return refuse(state, 'call.record', refused);
  if (call.recording !== 'on') return keep(state);
  if (call.recordingRule?.mode === 'always')
    return refuse(state, 'call.record', 'Every call is recorded here. Pause it while nobody may hear what is said.');
  return stop(state, call, 'off', 'agent', at);
}

function consent(state: PhoneState, call: CallState, given: boolean, at: number): Transition {
  const refused = refusal(call);
  if (refused !== null) return refuse(state, 'call.consent', refused);
  if (call.recordingRule?.mode === 'always') {
    const reason = 'Every call is recorded here, and nobody is asked. Who does not want that has to hang up.';
    return refuse(state, 'call.consent', reason);
  }
  const told = tell(call, given ? 'consent.given' : 'consent.refused', at, { how: 'asked' });
  if (given) {
    if (call.recording === 'on') return keep(state);
    return andThen({ state, effects: [told] }, (next) => start(next, call, 'consent', at));
  }
  if (call.recording === 'refused') return keep(state);
  return andThen({ state, effects: [told] }, (next) => stop(next, call, 'refused', 'refusal', at));
}

/** A call that is paused is recorded from here on as well, and nothing of it kept before the pause is over. */
function start(state: PhoneState, call: CallState, by: 'agent' | 'policy' | 'consent', at: number): Transition {
  const startMs = msOf(call, at);
  return change(state, call.id, { recording: 'on', recordedFromMs: startMs }, [
    tell(call, 'recording.started', at, { startMs, by }),
    ...(isPaused(call) ? [tell(call, 'recording.paused', at, { startMs })] : []),
  ]);
}

function stop(
  state: PhoneState,
  call: CallState,
  becomes: Exclude<CallState['recording'], 'on' | undefined>,
  by: EventData<'recording.stopped'>['by'],
  at: number,
): Transition {
  const told = tell(call, 'recording.stopped', at, { startMs: msOf(call, at), by });
  return change(state, call.id, { recording: becomes }, call.recording === 'on' ? [told] : []);
}

/** The rule may change with the profile, and with the far side: whoever is new at the other end has agreed to nothing. */
function rule(
  state: PhoneState,
  call: CallState,
  input: Extract<Input, { readonly type: 'recording.rule' }>,
  at: number,
): Transition {
  const before = call.recordingRule;
  const next = { mode: input.mode, resumeAfterMs: input.resumeAfterMs, farSide: call.farSide.number };
  const isSame = JSON.stringify(before) === JSON.stringify(next);
  const known = isSame ? keep(state) : change(state, call.id, { recordingRule: next });
  const isOther = before !== undefined && before.farSide !== next.farSide;
  const becomes = before?.mode === next.mode && !isOther ? call.recording : under(next.mode, call, isOther);
  const settled =
    becomes === undefined || becomes === 'on' || becomes === call.recording
      ? known
      : andThen(known, (it) => stop(it, call, becomes, 'policy', at));
  return andThen(settled, (it) => againPaused(it, call, at));
}

/** What becomes of a recording under another mode, or with somebody else at the far side. */
function under(mode: RecordingMode, { recording }: CallState, isOther: boolean): CallState['recording'] {
  if (recording === undefined || (recording === 'refused' && !isOther)) return recording;
  if (mode === 'never') return 'off';
  if (mode === 'ask') return 'asking';
  return recording === 'on' ? 'on' : 'off';
}

/** The end of a pause is a deadline of the owner; a new one sets it anew, and lets it be seen. */
function againPaused(state: PhoneState, call: CallState, at: number): Transition {
  if (!isPaused(call) || call.soundResumesAt == null) return keep(state);
  const ms = Math.max(seenPauseMs, call.soundResumesAt - at);
  return change(state, call.id, { soundResumesAt: at + ms }, resumesIn(call, ms));
}
