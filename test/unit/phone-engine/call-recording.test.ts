/** Whether a call is recorded: who begins it, who ends it, what a pause is, and what none of them may do. */
import type { CallId, RecordingMode } from '@patchcord/call-protocol';
import { type Command, emptyPhone, type OwnerInput, recordingSteps } from '@patchcord/phone-engine';
import { deepFreeze } from '@patchcord/phone-engine/testing';
import { expect, it } from 'vitest';
import { a, b, consulting, dial, ended, ready, Stepping } from './stepping.ts';

const ruled = (call: CallId, mode: RecordingMode, resumeAfterMs = 120_000): OwnerInput => ({
  type: 'recording.rule',
  call,
  mode,
  resumeAfterMs,
});
const record = (on: boolean): Command => ({ type: 'call.record', call: a, on });
const consent = (given: boolean): Command => ({ type: 'call.consent', call: a, given });
const pause = (paused: boolean): Command => ({ type: 'call.pause-sound', call: a, paused });
const answered = { type: 'sip.answered', call: a } as const;

/** An outbound call `a` that rings, on a phone that records in this way. */
function ringing(mode: RecordingMode, resumeAfterMs?: number): Stepping {
  const phone = ready();
  phone.recording = recordingSteps;
  return phone.take(
    dial(a),
    ruled(a, mode, resumeAfterMs),
    { type: 'sip.dialing', call: a, sipCallId: 'sip-a' },
    { type: 'sip.ringing', call: a, earlyMedia: false },
  );
}

const talking = (mode: RecordingMode, resumeAfterMs?: number): Stepping => ringing(mode, resumeAfterMs).take(answered);
const recordingOf = (phone: Stepping) => phone.events.filter(({ name }) => /^(?:recording|consent)\./.test(name));
const toldOf = (phone: Stepping) => recordingOf(phone).map(({ name, data }) => [name, data]);

it('records from the answer on where every call is recorded, and nobody here can end that', () => {
  const phone = ringing('always');
  expect(phone.call(a).recording).toBeUndefined();
  phone.take(answered);
  expect(phone.call(a)).toMatchObject({ recording: 'on', recordedFromMs: 0 });
  expect(toldOf(phone)).toEqual([['recording.started', { startMs: 0, by: 'policy' }]]);
  expect(recordingOf(phone)[0]).toMatchObject({ call: a, at: phone.now });
  expect(phone.take(record(false)).refusal).toContain('Every call is recorded');
  expect(phone.take(consent(false)).refusal).toContain('Every call is recorded');
  expect(phone.take(record(true)).effects).toEqual([]);
});

it('keeps nothing before the far side agreed', () => {
  const phone = talking('ask');
  expect([phone.call(a).recording, toldOf(phone)]).toEqual(['asking', []]);
  expect(phone.take(record(true)).refusal).toContain('Ask the far side first');
  phone.take(consent(true));
  expect(phone.call(a)).toMatchObject({ recording: 'on', recordedFromMs: 2_000 });
  expect(toldOf(phone)).toEqual([
    ['consent.given', { how: 'asked' }],
    ['recording.started', { startMs: 2_000, by: 'consent' }],
  ]);
  // It may be stopped, and go on: the far side has agreed.
  phone.take(record(false));
  expect(phone.call(a).recording).toBe('off');
  expect(phone.take(record(true)).call(a)).toMatchObject({ recording: 'on', recordedFromMs: 4_000 });
});

it('stops when the far side changes its mind, and begins again only when it agrees', () => {
  const phone = talking('ask').take(consent(true), consent(false));
  expect(phone.call(a).recording).toBe('refused');
  expect(toldOf(phone).slice(2)).toEqual([
    ['consent.refused', { how: 'asked' }],
    ['recording.stopped', { startMs: 2_000, by: 'refusal' }],
  ]);
  expect(phone.take(record(true)).refusal).toContain('does not want to be recorded');
  expect(phone.take(consent(false)).effects).toEqual([]);
  expect(phone.take(consent(true)).call(a).recording).toBe('on');
});

it('records when the agent says so where that is theirs to say', () => {
  const phone = talking('on-demand');
  expect(phone.call(a).recording).toBeUndefined();
  phone.take(record(true), record(false));
  expect(toldOf(phone)).toEqual([
    ['recording.started', { startMs: 1_000, by: 'agent' }],
    ['recording.stopped', { startMs: 2_000, by: 'agent' }],
  ]);
});

it('refuses with words what may not be recorded', () => {
  for (const command of [record(true), record(false), consent(true), consent(false)]) {
    expect(talking('never').take(command).refusal).toContain('administrator');
    expect(ringing('always').take(command).refusal).toContain('Only a connected call');
    const unruled = ready();
    unruled.recording = recordingSteps;
    expect(unruled.take(dial(a), answered, command).refusal).toContain('still being told');
    expect(ready().take(dial(a), answered, command).refusal).toContain('this phone records none');
    expect(talking('always').take(ended(a), command).refusal).toContain('it is over');
    expect(ready().take(command).refusal).toContain('no longer there');
  }
});

it('pauses for as long as the customer says, and tells both ends of it', () => {
  const phone = talking('always').take(pause(true));
  expect(phone.call(a)).toMatchObject({ soundPaused: true, soundResumesAt: phone.now + 120_000, recording: 'on' });
  expect(phone.acts).toEqual([{ type: 'timer.start', call: a, signal: 'timer.sound-resumes', ms: 120_000 }]);
  expect(phone.take(pause(true)).effects).toEqual([]);
  // A deadline of a pause that is over by now, or of none at all.
  expect(phone.take({ type: 'timer.sound-resumes', call: a }).call(a).soundPaused).toBe(true);
  phone.now += 120_000;
  expect(phone.take({ type: 'timer.sound-resumes', call: a }).call(a)).toMatchObject({
    soundPaused: false,
    soundResumesAt: null,
  });
  phone.take(pause(true), pause(false));
  expect(toldOf(phone).slice(1)).toEqual([
    ['recording.paused', { startMs: 1_000 }],
    ['recording.resumed', { startMs: 124_000, by: 'timer' }],
    ['recording.paused', { startMs: 125_000 }],
    ['recording.resumed', { startMs: 126_000, by: 'agent' }],
  ]);
  expect(phone.take({ type: 'timer.sound-resumes', call: a }).effects).toEqual([]);
});

it('lets the agent end a pause where the customer set no time, and tells nobody of one that kept nothing from being recorded', () => {
  const phone = talking('on-demand', 0).take(pause(true));
  expect([phone.call(a).soundResumesAt, phone.effects]).toEqual([null, []]);
  phone.take(record(true));
  expect(toldOf(phone).map(([name]) => name)).toEqual(['recording.started', 'recording.paused']);
  expect(phone.take(pause(false)).names(a).at(-1)).toBe('recording.resumed');
});

it('lets the next owner go on with what is recorded, and shows a pause before it ends', () => {
  const before = talking('always').take(pause(true));
  const next = new Stepping();
  next.recording = recordingSteps;
  next.now = before.now + 300_000;
  next.state = deepFreeze({ ...emptyPhone, line: { status: 'ready', reason: '' } });
  next.take({ type: 'calls.take-up', calls: [before.call(a)], resumable: [a], seenAt: before.now });
  expect(next.call(a)).toMatchObject({ recovering: true, recording: 'on', soundPaused: true });
  next.take({ type: 'sip.recovered', call: a, way: 'resume', peer: 'p' }, ruled(a, 'always'));
  // It would have been over long ago: it is seen for a while, and then it ends.
  expect(next.call(a)).toMatchObject({ soundPaused: true, soundResumesAt: next.now + 10_000 });
  expect(next.acts).toEqual([{ type: 'timer.start', call: a, signal: 'timer.sound-resumes', ms: 10_000 }]);
  expect(toldOf(next)).toEqual([]);
  next.now += 10_000;
  expect(next.take({ type: 'timer.sound-resumes', call: a }).names(a).at(-1)).toBe('recording.resumed');
});

it('records nothing of a call that is just being taken up, and asks for it as for any other', () => {
  const before = talking('ask').call(a);
  const { recording: _, ...unasked } = before;
  const next = new Stepping();
  next.recording = recordingSteps;
  next.state = deepFreeze({ ...emptyPhone, line: { status: 'ready', reason: '' } });
  next.take({ type: 'calls.take-up', calls: [unasked], resumable: [a], seenAt: next.now }, ruled(a, 'ask'));
  for (const command of [record(true), consent(true)]) expect(next.take(command).refusal).toContain('taken up again');
  next.take({ type: 'sip.recovered', call: a, way: 'resume', peer: 'p' });
  expect(next.call(a).recording).toBe('asking');
});

it('asks whoever is new at the far side, and obeys the stricter rule of another country', () => {
  const other = { type: 'sip.identified', call: a, farSide: { number: '+4930901820' } } as const;
  const asked = talking('ask').take(consent(true), other, ruled(a, 'ask'));
  expect(asked.call(a).recording).toBe('asking');
  expect(recordingOf(asked).at(-1)?.data).toEqual({ startMs: 3_000, by: 'policy' });
  expect(talking('ask').take(consent(false), other, ruled(a, 'ask')).call(a).recording).toBe('asking');
  expect(talking('always').take(other, ruled(a, 'never')).call(a).recording).toBe('off');
  expect(talking('ask').take(consent(false), other, ruled(a, 'always')).call(a).recording).toBe('on');
  // The same far side is not asked twice, and one that refused is not recorded because a rule changed.
  expect(talking('ask').take(consent(true), ruled(a, 'ask')).call(a).recording).toBe('on');
  expect(talking('ask').take(consent(false), ruled(a, 'always')).call(a).recording).toBe('refused');
});

it('goes on through a hold, a consultation and a conference, each call by itself', () => {
  const phone = consulting();
  phone.recording = recordingSteps;
  phone.take(ruled(a, 'always'), ruled(b, 'ask'));
  expect([phone.call(a).recording, phone.call(b).recording]).toEqual(['on', 'asking']);
  phone.take({ type: 'call.merge', call: a }, { type: 'sip.resumed', call: a });
  expect(phone.call(a)).toMatchObject({ recording: 'on', inConference: true });
  expect(phone.call(b).recording).toBe('asking');
  expect(phone.take({ type: 'call.consent', call: b, given: false }).call(a).recording).toBe('on');
});
