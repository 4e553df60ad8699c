/** The end of a call for its agent: what it was about, the time for the wrap-up, and that nothing typed is lost. */
import type { CallId, RecordRef } from '@patchcord/call-protocol';
import type { CallState } from '@patchcord/phone-engine';
import { describe, expect, it } from 'vitest';
import { offersFor } from '../../../packages/softphone-ui/src/later/about-offers.ts';
import { createLeftNotes, giveBackNotes } from '../../../packages/softphone-ui/src/left-notes.ts';
import { isSubject, shownSubject } from '../../../packages/softphone-ui/src/related-records.ts';
import { relatedToAda } from '../../panel/sample-profile.ts';
import { ada, type LabFrame, onlyCall, openLab, openReady, type PanelLab, settle, talk, until } from './panel-lab.ts';

const case1 = relatedToAda[0]?.record ?? ada.record;
const salesforce = (object: string, id = 'x'): RecordRef => ({ crm: 'salesforce', object, id });

/** A call with Ada that is over. */
async function wrapUp(frame: LabFrame): Promise<CallId> {
  const call = await talk(frame);
  await until(() => callOf(frame, call).record !== null);
  await frame.model().hangUp(call);
  await until(() => callOf(frame, call).phase === 'ended');
  return call;
}

function callOf(frame: LabFrame, id: CallId): CallState {
  const call = frame.model().phone.value.calls.find((other) => other.id === id);
  if (call === undefined) throw new Error('this call is gone');
  return call;
}

function related(lab: PanelLab): number {
  return lab.relay.requests.filter((request) => request === 'GET /v1/records/related').length;
}

describe('what a call is about', () => {
  it('is asked of the relay once for the record of the call, and again only after a failure', async () => {
    const lab = openLab();
    lab.relay.related = { [ada.record.id]: relatedToAda };
    const frame = await openReady(lab);
    await talk(frame);
    await until(() => onlyCall(frame).record !== null);
    const model = frame.model();
    lab.relay.failures.set('/v1/records/related', { status: 502, code: 'crm.unavailable', message: 'Away.' });
    await model.related.ask(ada.record);
    expect(model.related.of(ada.record)).toBe('failed');
    await model.related.ask(ada.record);
    expect(related(lab)).toBe(1);
    lab.relay.failures.clear();
    const again = model.related.ask(ada.record, true);
    expect(model.related.of(ada.record)).toBe('loading');
    await again;
    expect(model.related.of(ada.record)).toEqual(relatedToAda);
    await Promise.all([model.related.ask(ada.record), model.related.ask(ada.record, true)]);
    expect(related(lab)).toBe(2);
  });

  it('is asked afresh for the next call', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    await wrapUp(frame);
    const model = frame.model();
    await model.related.ask(ada.record);
    await model.submitWrapUp(onlyCall(frame));
    expect(model.related.of(ada.record)).toBeNull();
  });

  it('is chosen, changed and cleared by the agent, from any tab, and told to the relay', async () => {
    const lab = openLab();
    const owner = await openReady(lab);
    const mirror = await openReady(lab);
    const call = await talk(owner);
    await mirror.model().associate(call, case1);
    await until(() => onlyCall(mirror).about !== null);
    expect(onlyCall(owner)).toMatchObject({ about: case1 });
    await owner.model().associate(call, null);
    await until(() => onlyCall(mirror).about === null);
    const told = () => lab.relay.received.filter(({ type }) => type.includes('record.associated'));
    await until(() => told().length === 2);
    expect(told().map(({ data }) => data.record)).toEqual([case1, null]);
  });

  it('is the case it was dialled from; whom it is with is found by the number', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    frame.host.clickNumber({ number: ada.number, record: case1 });
    await until(() => onlyCall(frame).record !== null);
    expect(onlyCall(frame)).toMatchObject({ about: case1, record: ada.record });
    expect(onlyCall(frame).farSide.name).toBeUndefined();
    await until(() => lab.relay.names.includes('record.associated'));
    expect(lab.relay.received.some(({ data }) => data.by === 'dialled-from')).toBe(false);
  });

  it('stays nobody’s choice but the agent’s: what is in front of them is only offered', async () => {
    const frame = await openReady(openLab());
    frame.host.show(case1);
    await wrapUp(frame);
    expect(onlyCall(frame).about).toBeNull();
    expect(shownSubject(onlyCall(frame), frame.model().recordShown.value)).toEqual(case1);
  });

  it('offers each record once: what is in front of the agent, their choice, then what the CRM says', async () => {
    const frame = await openReady(openLab());
    await talk(frame);
    await until(() => onlyCall(frame).record !== null);
    const call = { ...onlyCall(frame), about: salesforce('Case', 'chosen') };
    const ids = (shown: RecordRef | null, list = relatedToAda) =>
      offersFor(call, shown, list).map(({ record }) => record.id);
    expect(ids(null)).toEqual(['chosen', ...relatedToAda.map(({ record }) => record.id)]);
    expect(ids(relatedToAda[1]?.record ?? null)).toEqual([relatedToAda[1]?.record.id, 'chosen', case1.id]);
    expect(ids(ada.record)).not.toContain(ada.record.id);
    expect(offersFor(call, null, 'loading').map(({ record }) => record.id)).toEqual(['chosen']);
  });

  it('can be an account only where the call is with somebody else', async () => {
    const frame = await openReady(openLab());
    await talk(frame);
    await until(() => onlyCall(frame).record !== null);
    const account = salesforce('Account');
    expect(shownSubject(onlyCall(frame), account)).toEqual(account);
    expect(shownSubject({ ...onlyCall(frame), record: account }, account)).toBeNull();
    expect(shownSubject({ ...onlyCall(frame), record: null }, account)).toBeNull();
  });

  it('knows people from cases, and takes the people of a page of one’s own as they are called', () => {
    for (const object of ['Contact', 'Lead', 'contact', 'User', 'Account', 'company'])
      expect(isSubject(salesforce(object))).toBe(false);
    for (const object of ['Case', 'Opportunity', 'Invoice__c']) expect(isSubject(salesforce(object))).toBe(true);
    expect(isSubject({ crm: 'hubspot', object: 'deal', id: '1' })).toBe(true);
    expect(isSubject({ crm: 'page', object: 'Patient', id: '1' })).toBe(false);
    expect(isSubject({ crm: 'page', object: 'Ticket', id: '1' })).toBe(true);
  });
});

describe('the time for the wrap-up', () => {
  const seconds = (wrapUpSeconds: number, more = {}) => openLab({ profile: { wrapUpSeconds, ...more } });

  it('ends it with what is there, down to the last letter', async () => {
    const lab = seconds(30);
    const frame = await openReady(lab);
    const call = await wrapUp(frame);
    lab.clock.advance(29_900);
    frame.model().writeNote(call, 'Wants a call on Friday');
    expect(onlyCall(frame).note).toBe('');
    lab.clock.advance(100);
    await until(() => frame.model().phone.value.calls.length === 0);
    await until(() => lab.relay.names.includes('wrap-up.submitted'));
    expect(lab.relay.received.findLast(({ type }) => type.includes('wrap-up.submitted'))?.data).toEqual({
      note: 'Wants a call on Friday',
    });
    expect(frame.model().notice.value?.text).toContain('Time is up');
  });

  it('is told at the start, when little is left, and not in between', async () => {
    const lab = seconds(60);
    const frame = await openReady(lab);
    const words: string[] = [];
    frame.model().wrapUpWords.subscribe((said) => void words.push(said));
    await wrapUp(frame);
    for (let second = 0; second < 59; second += 1) lab.clock.advance(1_000);
    expect(words).toEqual(['', '60 seconds for the wrap-up.', '10 seconds left for the wrap-up.']);
    lab.clock.advance(1_000);
    await until(() => frame.model().phone.value.calls.length === 0);
    expect(words.at(-1)).toBe('');
  });

  it('can be had again, three times', async () => {
    const lab = seconds(30);
    const frame = await openReady(lab);
    const call = await wrapUp(frame);
    lab.clock.advance(25_000);
    for (let press = 0; press < 4; press += 1) await frame.model().moreTime(call);
    expect(onlyCall(frame).moreTime).toBe(3);
    expect(frame.model().notice.value?.text).toContain('no more time');
    lab.clock.advance(94_000);
    expect(onlyCall(frame).phase).toBe('ended');
    lab.clock.advance(1_000);
    await until(() => frame.model().phone.value.calls.length === 0);
  });

  it('leaves it open where a needed outcome is missing, says so, and lets the agent choose in peace', async () => {
    const lab = seconds(30, { dispositionRequired: true });
    const frame = await openReady(lab);
    const call = await wrapUp(frame);
    lab.clock.advance(30_000);
    expect(frame.model().wrapUpProblem.value).toMatchObject({ call, text: expect.stringContaining('Time is up') });
    expect(frame.host.told('state').at(-1)?.state).toBe('wrap-up');
    await frame.model().setDisposition(call, 'reached');
    lab.clock.advance(60_000);
    expect(onlyCall(frame).disposition).toBe('reached');
    expect(await frame.model().submitWrapUp(onlyCall(frame))).toBe(true);
  });

  it('ends it in time where the needed outcome is chosen', async () => {
    const lab = seconds(30, { dispositionRequired: true });
    const frame = await openReady(lab);
    await frame.model().setDisposition(await wrapUp(frame), 'reached');
    lab.clock.advance(30_000);
    await until(() => frame.model().phone.value.calls.length === 0);
  });

  it('lets a caller knock, keeps the agent available, and begins anew after a talk in between', async () => {
    const lab = seconds(30);
    const frame = await openReady(lab);
    const first = await wrapUp(frame);
    lab.clock.advance(20_000);
    const second = frame.sip.invite({ number: '+4930901820' });
    await until(() => frame.model().layout.value.knocking.length === 1);
    expect(frame.model().layout.value.screen).toMatchObject({ kind: 'wrap-up', call: { id: first } });
    expect(frame.model().phone.value.available).toBe(true);
    await frame.model().answer(second);
    await until(() => frame.model().phone.value.calls.some(({ phase }) => phase === 'active'));
    lab.clock.advance(600_000);
    expect(frame.model().phone.value.calls).toHaveLength(2);
    frame.sip.end(second);
    await until(() => frame.model().phone.value.calls.every(({ phase }) => phase === 'ended'));
    lab.clock.advance(29_000);
    expect(frame.model().phone.value.calls).toHaveLength(2);
    lab.clock.advance(1_000);
    await until(() => frame.model().phone.value.calls.length === 0);
  });

  it('is ended by the tab that is looked at, with the draft that is typed there', async () => {
    const lab = seconds(30);
    const owner = await openReady(lab);
    const mirror = await openReady(lab);
    const call = await wrapUp(owner);
    mirror.look();
    await until(() => mirror.phone().isForemost());
    lab.clock.advance(29_900);
    mirror.model().writeNote(call, 'typed in the other tab');
    lab.clock.advance(100);
    await until(() => lab.relay.names.includes('wrap-up.submitted'));
    const submitted = lab.relay.received.filter(({ type }) => type.includes('wrap-up.submitted'));
    expect(submitted.map(({ data }) => data)).toEqual([{ note: 'typed in the other tab' }]);
    lab.clock.advance(5_000);
    expect(owner.model().notice.value?.tone).not.toBe('warning');
  });

  it('submits nothing while the note can’t be saved, says so once, and tries again some seconds later', async () => {
    const lab = seconds(30);
    const frame = await openReady(lab);
    const call = await wrapUp(frame);
    const notices: string[] = [];
    frame.model().notice.subscribe((notice) => void (notice !== null && notices.push(notice.text)));
    frame.model().writeNote(call, 'x'.repeat(32_001));
    for (let second = 0; second < 42; second += 1) {
      lab.clock.advance(1_000);
      await settle();
    }
    expect(onlyCall(frame).phase).toBe('ended');
    expect(frame.model().noteOf(onlyCall(frame))).toHaveLength(32_001);
    expect(notices.filter((text) => text.includes('Shorten it'))).toHaveLength(1);
    frame.model().writeNote(call, 'shorter');
    lab.clock.advance(5_000);
    await until(() => lab.relay.names.includes('wrap-up.submitted'));
    expect(lab.relay.received.findLast(({ type }) => type.includes('wrap-up.submitted'))?.data).toEqual({
      note: 'shorter',
    });
  });

  it('that is up for one wrap-up says nothing on another, nor after another tab chose the outcome', async () => {
    const lab = seconds(30, { dispositionRequired: true });
    const owner = await openReady(lab);
    const mirror = await openReady(lab);
    const first = await wrapUp(owner);
    owner.model().postponeWrapUp(first);
    const second = await wrapUp(owner);
    await until(() => mirror.model().phone.value.calls.length === 2);
    lab.clock.advance(30_000);
    await settle();
    await owner.model().submitWrapUp(callOf(owner, first));
    expect(owner.model().wrapUpProblem.value?.call).toBe(first);
    await mirror.model().setDisposition(second, 'reached');
    await until(() => callOf(owner, second).disposition === 'reached');
    expect(owner.model().wrapUpProblem.value?.call).toBe(first);
    await mirror.model().setDisposition(first, 'reached');
    await until(() => callOf(owner, first).disposition === 'reached');
    expect(owner.model().wrapUpProblem.value).toBeNull();
  });

  it('is taken as long as it takes where the tenant sets none', async () => {
    const lab = seconds(0);
    const frame = await openReady(lab);
    await wrapUp(frame);
    lab.clock.advance(3_600_000);
    expect(onlyCall(frame).phase).toBe('ended');
  });
});

describe('a wrap-up submitted by hand', () => {
  it('is not taken without the note that was typed: the draft stays until the phone has it', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const call = await wrapUp(frame);
    frame.model().writeNote(call, 'x'.repeat(32_001));
    expect(await frame.model().submitWrapUp(onlyCall(frame))).toBe(false);
    expect(frame.model().notice.value).toMatchObject({ tone: 'warning', text: expect.stringContaining('Shorten it') });
    expect(frame.model().noteOf(onlyCall(frame))).toHaveLength(32_001);
    expect(lab.relay.names).not.toContain('wrap-up.submitted');
    frame.model().writeNote(call, 'short');
    expect(await frame.model().submitWrapUp(onlyCall(frame))).toBe(true);
  });

  it('takes what was typed while the note was on its way', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const call = await wrapUp(frame);
    frame.model().writeNote(call, 'first');
    const submitting = frame.model().submitWrapUp(onlyCall(frame));
    frame.model().writeNote(call, 'first and last');
    await submitting;
    await until(() => lab.relay.names.includes('wrap-up.submitted'));
    expect(lab.relay.received.findLast(({ type }) => type.includes('wrap-up.submitted'))?.data).toEqual({
      note: 'first and last',
    });
  });
});

describe('a note that was typed when the page went', () => {
  const storage = () => {
    const kept = new Map<string, string>();
    return {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
      removeItem: (key: string) => void kept.delete(key),
    } as Storage;
  };

  it('reaches the log when the call went with the page', async () => {
    const lab = openLab();
    const before = await openReady(lab);
    const call = await talk(before);
    const view = new EventTarget() as Window;
    const own = storage();
    const left = createLeftNotes(view, () => own, 'notes');
    left.keep(before.model().unsavedNotes);
    before.model().writeNote(call, 'half a sen');
    view.dispatchEvent(new Event('pagehide'));
    const journal: unknown[] = [];
    const alone = { role: () => 'owner' as const, onRole: () => () => undefined, state: () => ({ calls: [] }) };
    giveBackNotes(left, alone as never, () => undefined, {
      append: (event) => {
        journal.push(event);
        return Promise.resolve({} as never);
      },
    });
    expect(journal).toMatchObject([{ name: 'wrap-up.saved', call, data: { note: 'half a sen' } }]);
    expect(left.take()).toBeNull();
  });

  it('goes back to the call when that lives on in another tab', async () => {
    const lab = openLab();
    const owner = await openReady(lab);
    const call = await talk(owner);
    const own = storage();
    own.setItem('notes', JSON.stringify({ at: 1, notes: [[call, 'from the tab that went']] }));
    const mirror = await openReady(lab);
    const left = createLeftNotes(new EventTarget() as Window, () => own, 'notes');
    giveBackNotes(left, mirror.phone(), mirror.model().writeNote, {
      append: () => Promise.reject(new Error('not its')),
    });
    lab.clock.advance(1_000);
    await until(() => onlyCall(owner).note === 'from the tab that went');
  });

  it('is not given twice after a page that was only put aside, and whatever else is stored is left alone', () => {
    const view = new EventTarget() as Window;
    const own = storage();
    const left = createLeftNotes(view, () => own, 'notes');
    left.keep(() => [['00000000-0000-4000-8000-00000000000a' as CallId, 'x']]);
    view.dispatchEvent(new Event('pagehide'));
    view.dispatchEvent(new Event('pageshow'));
    expect(left.take()).toBeNull();
    own.setItem('notes', '{"at":"never"}');
    expect(left.take()).toBeNull();
    const refused = createLeftNotes(
      view,
      () => {
        throw new Error('storage is blocked');
      },
      'notes',
    );
    expect(refused.take()).toBeNull();
  });
});
