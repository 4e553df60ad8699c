/** Call-backs, the dial list and wishes to dial in the whole panel on fakes. */
import type { EventData, ToCall } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import { laterTimes, whenWords } from '../../../packages/softphone-ui/src/later/to-call-times.ts';
import {
  ada,
  type LabFrame,
  onlyCall,
  openLab,
  openReady,
  type PanelLab,
  passTime,
  settle,
  sharers,
  until,
} from './panel-lab.ts';

const minute = 60_000;

function entryOf(lab: PanelLab, change: Partial<ToCall> = {}): ToCall {
  return {
    id: crypto.randomUUID(),
    kind: 'call-back',
    number: '(415) 555-0101',
    name: 'Ada Lindqvist',
    record: ada.record,
    note: null,
    dueAt: lab.clock.now() + minute,
    askedBy: 'Maria Santos',
    createdAt: 1,
    doneAt: null,
    ...change,
  };
}

/** A phone whose list is loaded. */
async function withList(...changes: readonly Partial<ToCall>[]): Promise<{ lab: PanelLab; frame: LabFrame }> {
  const lab = openLab();
  lab.relay.toCall = changes.map((change) => entryOf(lab, change));
  const frame = await openReady(lab);
  await until(() => frame.model().toCall.entries.value.length === changes.length);
  return { lab, frame };
}

/** The newest outbound call is answered, and ended by us. */
async function talkAndHangUp(frame: LabFrame): Promise<void> {
  await until(() => frame.sip.live.length > 0);
  const call = onlyCall(frame);
  frame.sip.answered(call.id);
  await until(() => onlyCall(frame).phase === 'active');
  await frame.model().hangUp(call.id);
  await until(() => onlyCall(frame).phase === 'ended');
}
const isDone = (lab: PanelLab, index = 0): boolean => lab.relay.toCall[index]?.doneAt !== null;

describe('what there is to call', () => {
  it('is loaded at the start and whenever the relay tells of a change, in every frame', async () => {
    const { lab, frame } = await withList({});
    const mirror = lab.frame();
    await mirror.panel.start();
    lab.relay.toCall = [...lab.relay.toCall, entryOf(lab, { kind: 'dial-list', dueAt: null })];
    lab.relay.tell({ name: 'to-call.changed', at: 1, data: {} });
    await until(() => frame.model().toCall.entries.value.length === 2);
    await until(() => mirror.model().toCall.entries.value.length === 2);
  });

  it('is announced when it becomes due, once, and again after it was put off', async () => {
    const { lab, frame } = await withList({}, { dueAt: null, kind: 'dial-list' });
    const { toCall } = frame.model();
    expect(toCall.words.value).toBe('');
    lab.clock.advance(minute);
    expect(toCall.words.value).toBe('Time to call back Ada Lindqvist.');
    const [entry] = toCall.entries.value;
    if (entry === undefined) throw new Error('no entry');
    expect(whenWords(entry, lab.clock.now())).toBe('due now');
    expect(whenWords(entry, lab.clock.now() + 12 * minute)).toBe('12 min late');
    expect(whenWords(entry, lab.clock.now() + 180 * minute)).toBe('3 h late');
    expect(whenWords(entry, lab.clock.now() + 3_000 * minute)).toBe('2 days late');
    const [, inAnHour] = laterTimes(lab.clock.now());
    await toCall.postpone(entry, inAnHour?.at ?? 0);
    await until(() => toCall.entries.value[0]?.dueAt === inAnHour?.at);
    expect(frame.model().notice.value?.text).toMatch(/^Call-back: /);
  });

  it('is done when the call from the list was answered, and that can be taken back', async () => {
    const { lab, frame } = await withList({ dueAt: Date.now() * 2 });
    const { toCall } = frame.model();
    const [entry] = toCall.entries.value;
    if (entry === undefined) throw new Error('no entry');
    await toCall.call(entry);
    expect(onlyCall(frame).record).toMatchObject({ id: ada.record.id });
    await talkAndHangUp(frame);
    await until(() => isDone(lab));
    expect(toCall.entries.value).toEqual([]);
    expect(toCall.undo.value?.id).toBe(entry.id);
    await toCall.takeBack();
    await until(() => toCall.entries.value.length === 1);
    expect(isDone(lab)).toBe(false);
  });

  it('stays when nobody answered, when it is for another day, or when somebody else was called', async () => {
    const { lab, frame } = await withList({}, { dueAt: Date.now() * 2, number: sharers[0]?.number ?? '' });
    const model = frame.model();
    const [entry] = model.toCall.entries.value;
    if (entry === undefined) throw new Error('no entry');
    await model.toCall.call(entry);
    await model.hangUp(onlyCall(frame).id);
    await until(() => model.phone.value.calls.every(({ phase }) => phase === 'ended'));
    for (const call of model.phone.value.calls) await model.submitWrapUp(call);
    await until(() => model.phone.value.calls.length === 0);
    expect(await model.dial(sharers[0]?.number ?? '')).toBe(true);
    await talkAndHangUp(frame);
    await settle();
    expect(lab.relay.toCall.map(({ doneAt }) => doneAt)).toEqual([null, null]);
    expect(model.toCall.entries.value).toHaveLength(2);
  });

  it('is done by one frame alone, and shown as done by all', async () => {
    const { lab, frame } = await withList({ dueAt: 1 });
    const mirror = lab.frame();
    await mirror.panel.start();
    await until(() => mirror.model().toCall.entries.value.length === 1);
    await frame.model().dial('+14155550101');
    await talkAndHangUp(frame);
    await until(() => isDone(lab) && mirror.model().toCall.undo.value !== null);
    expect(lab.relay.requests.filter((it) => it.startsWith('PATCH /v1/to-call'))).toHaveLength(1);
  });

  it('says why a change was not taken, and shows what the relay has', async () => {
    const { lab, frame } = await withList({});
    const { toCall } = frame.model();
    const [entry] = toCall.entries.value;
    if (entry === undefined) throw new Error('no entry');
    lab.relay.failures.set(`/v1/to-call/${entry.id}`, { status: 503, code: 'store.unavailable', message: 'Not now.' });
    await toCall.done(entry);
    expect(frame.model().notice.value?.text).toBe('Not now.');
    await until(() => toCall.entries.value.length === 1);
    expect(toCall.undo.value).toBeNull();
  });

  it('gets a call-back from the wrap-up, with the record and the note', async () => {
    const { lab, frame } = await withList();
    const model = frame.model();
    await model.dial('+14155550101', { record: ada.record });
    await talkAndHangUp(frame);
    model.writeNote(onlyCall(frame).id, 'Ask for the boss');
    const at = lab.clock.now() + 15 * minute;
    await model.toCall.plan(onlyCall(frame), at, 'Ada Lindqvist', model.noteOf(onlyCall(frame)));
    expect(lab.relay.toCall).toMatchObject([
      { kind: 'call-back', number: ada.number, record: { id: ada.record.id }, note: 'Ask for the boss', dueAt: at },
    ]);
    await until(() => model.toCall.entries.value.length === 1);
    await model.submitWrapUp(onlyCall(frame));
    await settle();
    expect(lab.relay.toCall).toHaveLength(1);
  });

  it('gets one call-back from a wrap-up, in whichever frames it is planned, moved, taken back and planned again', async () => {
    const { lab, frame } = await withList();
    const mirror = lab.frame();
    await mirror.panel.start();
    await frame.model().dial('+14155550101');
    await talkAndHangUp(frame);
    const { id } = onlyCall(frame);
    const soon = lab.clock.now() + 15 * minute;
    await frame.model().toCall.plan(onlyCall(frame), soon, 'Ada', '');
    await frame.model().toCall.plan(onlyCall(frame), soon + minute, 'Ada', '');
    expect(frame.model().toCall.planned.value.get(id)).toBe(soon + minute);
    await mirror.model().toCall.plan(onlyCall(mirror), soon + 2 * minute, 'Ada', '');
    expect(lab.relay.toCall).toMatchObject([{ dueAt: soon + 2 * minute, doneAt: null }]);
    await frame.model().toCall.unplan(id);
    expect(frame.model().toCall.planned.value.size).toBe(0);
    expect(isDone(lab)).toBe(true);
    await frame.model().toCall.plan(onlyCall(frame), soon, 'Ada', '');
    expect(lab.relay.toCall).toMatchObject([{ dueAt: soon, doneAt: null }]);
  });

  it('gives the call-back the note that the wrap-up is saved with', async () => {
    const { lab, frame } = await withList();
    const model = frame.model();
    await model.dial('+14155550101');
    await talkAndHangUp(frame);
    const at = lab.clock.now() + 15 * minute;
    await model.toCall.plan(onlyCall(frame), at, 'Ada', '');
    model.writeNote(onlyCall(frame).id, 'Ask for the boss');
    await model.submitWrapUp(onlyCall(frame));
    await until(() => isDone(lab));
    expect(lab.relay.toCall.filter(({ doneAt }) => doneAt === null)).toMatchObject([
      { note: 'Ask for the boss', dueAt: at, name: 'Ada' },
    ]);
    await until(() => model.toCall.entries.value.length === 1);
  });

  it('lets what is done be taken back for 30 s, and not once it is there again', async () => {
    const { lab, frame } = await withList({}, {});
    const { toCall } = frame.model();
    const [first, second] = toCall.entries.value;
    if (first === undefined || second === undefined) throw new Error('no entry');
    await toCall.done(first);
    lab.clock.advance(29_000);
    expect(toCall.undo.value?.id).toBe(first.id);
    lab.clock.advance(1_000);
    expect(toCall.undo.value).toBeNull();
    await toCall.done(second);
    lab.relay.toCall = lab.relay.toCall.map((entry) => ({ ...entry, doneAt: null }));
    await toCall.reload();
    expect([toCall.undo.value, toCall.entries.value.length]).toEqual([null, 2]);
  });

  it('is done also when it was for next week and was called from a frame without the line', async () => {
    const { lab, frame } = await withList({ dueAt: Date.now() * 2 });
    const mirror = lab.frame();
    await mirror.panel.start();
    await until(() => mirror.model().toCall.entries.value.length === 1);
    const [entry] = mirror.model().toCall.entries.value;
    if (entry === undefined) throw new Error('no entry');
    await mirror.model().toCall.call(entry);
    await talkAndHangUp(frame);
    await until(() => isDone(lab));
  });
});

describe('a wish to dial from a card', () => {
  const wish = (change: Partial<EventData<'dial.asked'>> = {}) =>
    ({
      name: 'dial.asked',
      at: 1,
      data: { wish: crypto.randomUUID(), number: '(415) 555-0101', record: ada.record, ...change },
    }) as const;

  it('is dialled once by the frame that has the line, with its record, however often it is told', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const mirror = lab.frame();
    await mirror.panel.start();
    const asked = wish();
    lab.relay.tell(asked);
    lab.relay.tell(asked);
    await passTime(lab, () => frame.model().phone.value.calls.length > 0);
    lab.clock.advance(3_000);
    lab.relay.tell(asked);
    await settle();
    lab.clock.advance(3_000);
    await settle();
    expect(onlyCall(frame)).toMatchObject({ direction: 'outbound', record: { id: ada.record.id } });
    expect(lab.relay.claimed.size).toBe(1);
    expect(mirror.sip.live).toEqual([]);
  });

  it('is left to the phone that took it first', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const asked = wish();
    lab.relay.claimed.add(`/v1/dial-wishes/${asked.data.wish}/claim`);
    lab.relay.tell(asked);
    await settle();
    lab.clock.advance(3_000);
    await settle();
    expect(lab.relay.requests).toContain(`POST /v1/dial-wishes/${asked.data.wish}/claim`);
    expect(frame.model().phone.value.calls).toEqual([]);
    expect(frame.model().dialText.value).toBe('');
  });

  it('is put before the agent in a frame that is looked at while no window holds the phone', async () => {
    const lab = openLab();
    const frame = lab.frame();
    frame.host.line = 'never';
    void frame.panel.start();
    await passTime(lab, () => frame.panel.stage.value.kind === 'ready' && frame.phone().role() === 'ownerless');
    lab.relay.tell(wish());
    await passTime(lab, () => frame.model().dialText.value !== '');
    expect(frame.model().dialText.value).toContain('555-0101');
    expect(frame.model().notice.value?.text).toContain('window');
    expect(lab.relay.claimed.size).toBe(1);
  });

  it('becomes an offer while a call is on, with its record', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const model = frame.model();
    await model.dial('+14155550102');
    lab.relay.tell(wish({ record: { ...ada.record, name: 'Ada' } }));
    await passTime(lab, () => model.dialText.value !== '');
    expect(model.phone.value.calls).toHaveLength(1);
    expect(model.sheet.value).toBe('new-call');
    expect(model.notice.value?.text).toContain('You are in a call');
  });
});
