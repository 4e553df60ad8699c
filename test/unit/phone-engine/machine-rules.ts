/** The rules of the call machine, checked on one step, and the inputs that can happen to a call. Shared by the walk and the random test. */
import { type CallId, recordingModes } from '@patchcord/call-protocol';
import {
  type CallPhase,
  type CallState,
  type Input,
  isInProgress,
  isLive,
  mixOf,
  type PhoneState,
  type Transition,
} from '@patchcord/phone-engine';
import { ada, bob } from './phone-fixture.ts';

const at = 1_700_000_000_000;
const recordOfAda = { crm: 'salesforce', object: 'Contact', id: '003' } as const;
const caseOfAda = { crm: 'salesforce', object: 'Case', id: '500' } as const;

export const lineInputs: readonly Input[] = [
  { type: 'line.connect', at },
  { type: 'line.disconnect', at },
  { type: 'agent.set-available', available: true, at },
  { type: 'agent.set-available', available: false, at },
  { type: 'sip.connecting', server: 's', at },
  { type: 'sip.registered', server: 's', at },
  { type: 'sip.lost', reason: 'r', at },
  { type: 'sip.rejected', code: 403, reason: 'Forbidden', at },
  { type: 'sip.stopped', at },
];

/** Everything that can be asked of `call` or happen to it; `other` is a call it may have to do with. */
export function callInputs(call: CallId, other: CallId): readonly Input[] {
  return [
    { type: 'call.dial', call, target: '1', farSide: ada, at },
    { type: 'call.dial', call, target: '1', farSide: bob, consultFor: other, at },
    { type: 'call.dial', call, target: '1', farSide: ada, about: caseOfAda, at },
    { type: 'call.answer', call, at },
    { type: 'call.decline', call, at },
    { type: 'call.redirect', call, to: '1', at },
    { type: 'call.ignore', call, at },
    { type: 'call.pick-up', call, extension: '1', code: '**1', farSide: ada, at },
    { type: 'call.gather', call, target: '1', farSide: ada, calls: [other], at },
    { type: 'call.cancel-transfer', call, at },
    { type: 'call.merge', call, at },
    { type: 'call.split', call, at },
    { type: 'call.silence', call, silenced: true, at },
    { type: 'call.hang-up', call, at },
    { type: 'call.hold', call, at },
    { type: 'call.resume', call, at },
    { type: 'call.swap', call, at },
    { type: 'call.mute', call, muted: true, at },
    { type: 'call.mute', call, muted: false, at },
    { type: 'call.send-digits', call, digits: '1', at },
    { type: 'call.transfer', call, to: '1', at },
    { type: 'call.complete-transfer', call, at },
    { type: 'call.found', call, matches: [], at },
    { type: 'call.choose-record', call, record: recordOfAda, by: 'agent', at },
    { type: 'call.associate', call, record: caseOfAda, at },
    { type: 'call.associate', call, record: null, at },
    { type: 'call.pause-sound', call, paused: true, at },
    { type: 'call.pause-sound', call, paused: false, at },
    { type: 'call.record', call, on: true, at },
    { type: 'call.record', call, on: false, at },
    { type: 'call.consent', call, given: true, at },
    { type: 'call.consent', call, given: false, at },
    { type: 'call.more-time', call, at },
    { type: 'call.write-note', call, note: 'n', at },
    { type: 'call.set-disposition', call, disposition: 'd', at },
    { type: 'call.submit-wrap-up', call, at },
    { type: 'sip.invited', call, from: ada, sipCallId: 'i', at },
    { type: 'sip.invited', call, from: ada, sipCallId: 'i', replaces: other, at },
    { type: 'sip.invited', call, from: ada, sipCallId: 'i', answersAfterMs: 0, at },
    { type: 'sip.dialing', call, sipCallId: 'i', at },
    { type: 'sip.ringing', call, earlyMedia: false, at },
    { type: 'sip.ringing', call, earlyMedia: true, at },
    { type: 'sip.answered', call, at },
    { type: 'sip.identified', call, farSide: bob, at },
    { type: 'sip.held', call, at },
    { type: 'sip.resumed', call, at },
    { type: 'sip.hold-refused', call, reason: 'r', at },
    { type: 'sip.far-held', call, at },
    { type: 'sip.far-resumed', call, at },
    { type: 'sip.transfer-ringing', call, at },
    { type: 'sip.transferred', call, at },
    { type: 'sip.transfer-refused', call, reason: 'r', at },
    { type: 'sip.digits-refused', call, reason: 'r', at },
    { type: 'sip.ended', call, by: 'agent', code: 0, reason: '', at },
    { type: 'sip.ended', call, by: 'far-side', code: 0, reason: '', at },
    { type: 'sip.ended', call, by: 'far-side', code: 486, reason: 'Busy Here', at },
    { type: 'sip.ended', call, by: 'far-side', code: 0, reason: '', elsewhere: true, at },
    { type: 'sip.ended', call, by: 'network', code: 0, reason: 'r', at },
    { type: 'timer.ending-expired', call, at },
    { type: 'timer.answers', call, at },
    { type: 'timer.unanswered', call, at },
    { type: 'timer.recovery-expired', call, at },
    { type: 'timer.sound-resumes', call, at },
    { type: 'sip.recovered', call, way: 'resume', peer: 'p', at },
    { type: 'sip.recovered', call, way: 'rung-again', peer: 'p', at },
    { type: 'sip.recovery-tried', call, way: 'replaces', peer: 'p', worked: false, at },
  ];
}

/** What only a phone that records is told of a call. */
export const recordingInputs = (call: CallId): readonly Input[] => [
  ...recordingModes.map((mode): Input => ({ type: 'recording.rule', call, mode, resumeAfterMs: 120_000, at })),
  { type: 'call.pause-sound', call, paused: false, at },
  { type: 'timer.sound-resumes', call, at: at + 120_000 },
];

/** The rule of recording that this step breaks, in words; null when it keeps them all. */
export function checkRecording(before: PhoneState, input: Input, { state: after, effects }: Transition): string | null {
  for (const is of after.calls) {
    const was = before.calls.find(({ id }) => id === is.id);
    if (was === undefined) continue;
    const told = effects.flatMap((it) => (it.type === 'emit' && it.event.call === is.id ? [it.event.name] : []));
    const count = (name: string): number => told.filter((one) => one === name).length;
    const [on, wasOn] = [is.recording === 'on', was.recording === 'on'];
    const mode = is.recordingRule?.mode;
    const asked = input.type === 'call.consent' && input.given && input.call === is.id;
    if (count('recording.started') !== (on && !wasOn ? 1 : 0)) return 'a recording starts once, and is told';
    if (count('recording.stopped') !== (wasOn && !on ? 1 : 0)) return 'a recording stops once, and is told';
    if (on && !wasOn) {
      if (is.phase !== 'active' || is.recovering || is.answeredAt === null) return 'a call is recorded that is not up';
      if (mode === undefined || mode === 'never') return 'a call is recorded that may not be';
      if (mode === 'ask' && !asked && was.recording !== 'off') return 'a far side is recorded that did not agree';
      const isSame = was.recordingRule?.farSide === is.recordingRule?.farSide;
      if (was.recording === 'refused' && !asked && isSame) return 'a far side is recorded that refused';
    }
    if (on && mode === 'never') return 'a call is still recorded that may not be';
    if (count('consent.given') + count('consent.refused') > (input.type === 'call.consent' ? 1 : 0))
      return 'somebody answered whom nobody asked';
    const [paused, wasPaused] = [is.soundPaused === true, was.soundPaused === true];
    const goesOn = input.type === 'call.pause-sound' || input.type === 'timer.sound-resumes';
    if (wasPaused && !paused && !goesOn) return 'a pause ends by itself';
    if (input.type === 'timer.sound-resumes' && wasPaused && !paused && input.at < (was.soundResumesAt ?? Infinity))
      return 'a pause ends before its time';
    if (!paused && is.soundResumesAt != null) return 'a pause ends that never began';
    if (count('recording.paused') !== (on && paused && !(wasOn && wasPaused) ? 1 : 0)) return 'a pause is told once';
    if (count('recording.resumed') !== (on && wasPaused && !paused ? 1 : 0)) return 'the end of a pause is told once';
    const timed = effects.some((it) => it.type === 'timer.start' && it.signal === 'timer.sound-resumes');
    if (paused && is.soundResumesAt !== was.soundResumesAt && is.soundResumesAt != null && !timed)
      return 'a pause has no deadline';
  }
  return null;
}

/** The next owner takes these calls up: those in `resumable` with their dialogs. */
export const takeUpOf = (calls: readonly CallState[], resumable: readonly CallId[]): Input => ({
  type: 'calls.take-up',
  calls,
  resumable,
  seenAt: at - 1_000,
  at,
});

/** Where each phase may lead in one step; `gone` is off the list. */
const ways: Record<CallPhase | 'absent', readonly (CallPhase | 'gone')[]> = {
  absent: ['dialing', 'incoming', 'answering'],
  dialing: ['dialing', 'ringing', 'active', 'ending', 'ended'],
  ringing: ['ringing', 'active', 'ending', 'ended'],
  incoming: ['incoming', 'answering', 'ending', 'gone'],
  answering: ['answering', 'active', 'incoming', 'ending', 'gone'],
  active: ['active', 'ending', 'ended'],
  ending: ['ending', 'ended', 'gone'],
  ended: ['ended', 'gone'],
};

/** The rule that this step breaks, in words; null when it keeps them all. */
export function checkStep(before: PhoneState, input: Input, { state: after, effects }: Transition): string | null {
  const refusals = effects.filter((effect) => effect.type === 'refuse');
  if (refusals.length > 0) {
    if (after !== before) return 'a refused command changed the state';
    if (effects.length !== 1) return 'a refused command has other effects';
    if (input.type.startsWith('sip.') || input.type.startsWith('timer.')) return 'a signal was refused';
    if (refusals[0]?.type !== 'refuse' || refusals[0].reason.length < 10) return 'a refusal does not say why';
  }
  const live = after.calls.filter(isLive);
  if (live.length > 1 && !live.every((it) => it.inConference)) return 'two calls are live outside a conference';
  const members = after.calls.filter((it) => it.inConference);
  if (members.length === 1) return 'a conference of one';
  if (members.some((it) => it.phase !== 'active')) return 'a member of the conference is not connected';
  if (after.calls.some((it) => it.silenced && !it.inConference)) return 'a call is silenced outside a conference';
  const mixed = mixOf(after);
  if (mixed.length === 1 || mixed.some(({ call }) => !live.some((it) => it.id === call))) return 'a wrong mix';
  if (new Set(after.calls.map((it) => it.id)).size !== after.calls.length) return 'a call is there twice';

  const events = effects.flatMap((effect) => (effect.type === 'emit' ? [effect.event] : []));
  const count = (name: string, call: CallId): number =>
    events.filter((event) => event.name === name && event.call === call).length;
  const ids = new Set([...before.calls, ...after.calls].map((it) => it.id));
  if ('call' in input) ids.add(input.call);
  for (const id of ids) {
    const was = before.calls.find((it) => it.id === id);
    const is = after.calls.find((it) => it.id === id);
    // A call that is taken up enters with the phase it had; that it has an end is asked where its whole life is known.
    if (input.type === 'calls.take-up' && was === undefined) continue;
    const broken =
      checkCall(input, was, is, (name) => count(name, id)) ?? checkRecovery(was, is, (name) => count(name, id));
    if (broken !== null) return `${broken} (call ${id})`;
    const timers = effects.filter(
      (effect) => effect.type === 'timer.start' && effect.signal === 'timer.ending-expired' && effect.call === id,
    ).length;
    if (timers !== (is?.phase === 'ending' && was?.phase !== 'ending' ? 1 : 0)) return 'an ending call has no deadline';
  }
  const taken = input.type === 'calls.take-up' ? checkTakeUp(input.calls, before, after, effects) : null;
  return taken ?? checkWaiting(after) ?? checkEffects(before, after, effects, input);
}

/** Every call of the earlier owner is there, or has ended; what comes back has a deadline. */
function checkTakeUp(
  calls: readonly CallState[],
  before: PhoneState,
  after: PhoneState,
  effects: Transition['effects'],
): string | null {
  for (const call of calls) {
    if (before.calls.some((it) => it.id === call.id)) continue;
    const is = after.calls.find((it) => it.id === call.id);
    const ends = effects.filter(
      (it) => it.type === 'emit' && it.event.name === 'call.ended' && it.event.call === call.id,
    ).length;
    const ended = call.phase !== 'ended' && (is === undefined || is.phase === 'ended') ? 1 : 0;
    if (ends !== ended) return `a call that was taken up ended ${ends} times instead of ${ended}`;
    if (is === undefined) {
      if (call.direction === 'outbound' || call.answeredAt !== null) return 'a call was lost without its wrap-up';
      continue;
    }
    if (is.recovering !== (is.phase !== 'ended')) return 'a call of an earlier owner is up before it was taken up';
    if (is.phase === 'dialing' || is.phase === 'ringing') return 'a call that nobody waits for is still dialled';
    const deadline = effects.some(
      (it) => it.type === 'timer.start' && it.signal === 'timer.recovery-expired' && it.call === call.id,
    );
    if (is.recovering !== deadline) return 'a call that is taken up has no deadline';
  }
  return null;
}

function checkRecovery(
  was: CallState | undefined,
  is: CallState | undefined,
  count: (name: string) => number,
): string | null {
  if (is?.recovering === true && was?.recovering !== true) return 'a call is taken up out of nothing';
  if (is?.phase === 'ended' && is.recovering) return 'a call that is over is still taken up';
  const back = was?.recovering === true && is !== undefined && is.phase !== 'ended' && !is.recovering ? 1 : 0;
  if (count('call.recovered') !== back) return 'a call is recovered once';
  return null;
}

function checkCall(
  input: Input,
  was: CallState | undefined,
  is: CallState | undefined,
  count: (name: string) => number,
): string | null {
  const turnedDown = was === undefined && is === undefined && count('call.started') === 1;
  if (turnedDown) return count('call.ended') === 1 ? null : 'a call that was turned down has no end';
  if (was === undefined && is === undefined) return null;
  const leads = ways[was?.phase ?? 'absent'];
  if (!leads.includes(is?.phase ?? 'gone'))
    return `a call went from ${was?.phase ?? 'absent'} to ${is?.phase ?? 'gone'}`;

  const began = was === undefined ? 1 : 0;
  if (count('call.started') !== began) return 'a call starts once';
  const isOver = is === undefined || is.phase === 'ended';
  const ended = was !== undefined && was.phase !== 'ended' && isOver ? 1 : 0;
  if (count('call.ended') !== ended) return `call.ended was told ${count('call.ended')} times instead of ${ended}`;
  const cameUp = was !== undefined && was.answeredAt === null && is?.answeredAt ? 1 : 0;
  if (count('call.answered') !== cameUp) return 'a call is answered once';

  if (was?.phase === 'ended') {
    if (is === undefined) return input.type === 'call.submit-wrap-up' ? null : 'an ended call left without its wrap-up';
    const { note, disposition, matches, unknown, record, about, moreTime, wrapUpSince, ...rest } = is;
    const {
      note: n,
      disposition: d,
      matches: m,
      unknown: u,
      record: r,
      about: a,
      moreTime: t,
      wrapUpSince: s,
      ...restBefore
    } = was;
    if (JSON.stringify(rest) !== JSON.stringify(restBefore)) return 'ended is not final';
  }
  if (is?.phase === 'ended' && (is.end === null || is.endedAt === null)) return 'an ended call does not say how';
  if (is !== undefined && (is.phase === 'ended') !== (is.wrapUpSince !== null)) return 'a wrap-up begins with the end';
  const associated =
    JSON.stringify(was?.about ?? null) !== JSON.stringify(is?.about ?? null) && is !== undefined ? 1 : 0;
  if (count('record.associated') !== associated) return 'what a call is about is told once whenever it changes';
  if (is !== undefined && is.phase !== 'active' && is.phase !== 'ending' && is.hold !== 'off')
    return 'a hold without a call';
  return null;
}

function checkWaiting({ calls, waiting }: PhoneState): string | null {
  if (waiting === null) return null;
  const call = calls.find((it) => it.id === waiting.call);
  const phase = { answer: 'incoming', dial: 'dialing', 'pick-up': 'dialing', resume: 'active' }[waiting.act];
  if (call?.phase !== phase) return 'what waits is not there any more';
  if (waiting.act === 'resume' && call.hold !== 'on') return 'what waits to be resumed is not on hold';
  const changing = calls.some(
    (it) => it.id !== call.id && it.phase === 'active' && (it.recovering || ['placing', 'lifting'].includes(it.hold)),
  );
  return changing ? null : 'something waits for nothing';
}

const begins = ({ type }: Transition['effects'][number]): boolean => type === 'sip.dial' || type === 'sip.pick-up';

function checkEffects(
  before: PhoneState,
  after: PhoneState,
  effects: Transition['effects'],
  input: Input,
): string | null {
  for (const effect of effects) {
    if (begins(effect) || !effect.type.startsWith('sip.') || !('call' in effect)) continue;
    const untold = ['dial', 'pick-up'].includes(after.waiting?.act ?? '') && after.waiting?.call === effect.call;
    if (untold) return `the port is asked for ${effect.type} on a call it does not know`;
    const known = [...before.calls, ...after.calls].some((it) => it.id === effect.call && isInProgress(it));
    // What an earlier owner was just hanging up, or left behind, is hung up again.
    if (!known && input.type === 'calls.take-up') continue;
    if (!known && effect.type !== 'sip.decline' && effect.type !== 'sip.redirect')
      return `the port is asked for ${effect.type} on a call that is over`;
  }
  const dialled = effects.filter(begins).length;
  return dialled > 1 ? 'two INVITEs leave in one step' : null;
}
