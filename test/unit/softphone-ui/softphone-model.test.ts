import { describe, expect, it } from 'vitest';
import { texts } from '../../../packages/softphone-ui/src/texts.ts';
import { profile } from '../../panel/sample-profile.ts';
import { ada, onlyCall, openLab, openReady, settle, sharers, talk, until } from './panel-lab.ts';

const onRing = profile.screenPop;

describe('an inbound call', () => {
  it('with exactly one match: the record is chosen and opened by the foremost frame, once', async () => {
    const lab = openLab();
    const first = await openReady(lab);
    const second = await openReady(lab);
    second.look();
    await settle();
    first.sip.invite({ number: ada.number });
    await until(() => second.host.told('opened').length === 1);
    await settle();
    expect(first.host.told('opened')).toEqual([]);
    expect(onlyCall(first).record).toEqual(ada.record);
    await until(() => lab.relay.names.includes('record.chosen'));
    expect(lab.relay.requests.filter((request) => request === 'GET /v1/matches')).toHaveLength(1);
  });

  it('whose record was opened is journalled by the frame that opened it', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    frame.sip.invite({ number: ada.number });
    await until(() => lab.relay.names.includes('record.opened'));
  });

  it('with several matches: nothing is opened until the agent chooses, and the choice is logged', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const call = frame.sip.invite({ number: sharers[0]?.number ?? '' });
    await until(() => onlyCall(frame).matches.length === 3);
    await settle();
    expect(frame.host.told('opened')).toEqual([]);
    expect(onlyCall(frame).record).toBeNull();
    const choice = sharers[1]?.record ?? ada.record;
    await frame.model().chooseRecord(call, choice);
    expect(frame.host.told('opened')).toEqual([{ type: 'opened', record: choice }]);
    await until(() =>
      lab.relay.received.some(({ type, data }) => type.includes('record.chosen') && data.by === 'agent'),
    );
  });

  it('of nobody: says so and opens nothing', async () => {
    const frame = await openReady(openLab());
    const call = frame.sip.invite({ number: '+4930901820' });
    await until(() => frame.model().lookups.value.get(call) === 'none');
    expect(frame.host.told('opened')).toEqual([]);
  });

  it('with a withheld number asks no CRM', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const call = frame.sip.invite({ number: '' });
    await until(() => frame.model().lookups.value.get(call) === 'unasked');
    expect(lab.relay.requests).not.toContain('GET /v1/matches');
  });

  it('pops on answer when the profile says so, and never when it says never', async () => {
    const onAnswer = await openReady(openLab({ profile: { screenPop: { ...onRing, inbound: 'answer' } } }));
    const call = onAnswer.sip.invite({ number: ada.number });
    await until(() => onlyCall(onAnswer).record !== null);
    await settle();
    expect(onAnswer.host.told('opened')).toEqual([]);
    await onAnswer.model().answer(call);
    await until(() => onAnswer.host.told('opened').length === 1);

    const never = await openReady(openLab({ profile: { screenPop: { ...onRing, inbound: 'never' } } }));
    await talk(never);
    await until(() => onlyCall(never).record !== null);
    await settle();
    expect(never.host.told('opened')).toEqual([]);
  });

  it('is not popped again by a frame that opens while it rings', async () => {
    const lab = openLab();
    const first = await openReady(lab);
    first.sip.invite({ number: ada.number });
    await until(() => first.host.told('opened').length === 1);
    const second = await openReady(lab);
    second.look();
    await settle();
    expect(second.host.told('opened')).toEqual([]);
  });

  it('is looked up again when the relay comes back', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    lab.relay.goAway();
    const call = await talk(frame);
    await until(() => frame.model().lookups.value.get(call) === 'failed');
    lab.relay.comeBack();
    frame.panel.nudge();
    await until(() => onlyCall(frame).record !== null);
  });

  it('joins what the host found to what the relay found', async () => {
    const frame = await openReady(openLab());
    const call = frame.sip.invite({ number: '+4930901820' });
    await until(() => frame.model().lookups.value.get(call) === 'none');
    const found = { crm: 'hubspot', object: 'contact', id: '51', name: 'Dora' } as const;
    frame.host.find(call, [found, found]);
    await until(() => onlyCall(frame).matches.length > 0);
    expect(onlyCall(frame).matches[0]?.reason).toContain('CRM');
  });

  it('that stops ringing leaves a word and no wrap-up', async () => {
    const frame = await openReady(openLab());
    const call = frame.sip.invite({ number: ada.number });
    await until(() => onlyCall(frame).record !== null);
    frame.sip.end(call);
    await until(() => frame.model().phone.value.calls.length === 0);
    expect(frame.model().notice.value?.text).toContain('Ada Lindqvist');
    expect(frame.model().layout.value.screen.kind).toBe('ready');
  });

  it('comes as a card, not as a new screen, while the agent types a number', async () => {
    const frame = await openReady(openLab());
    frame.model().typeNumber('415');
    const call = frame.sip.invite({ number: ada.number });
    await until(() => frame.model().phone.value.calls.length === 1);
    expect(frame.model().layout.value).toMatchObject({ screen: { kind: 'ready' }, knocking: [{ id: call }] });
    frame.model().typeNumber('');
    expect(frame.model().layout.value.screen.kind).toBe('incoming');
  });
});

describe('dialling', () => {
  it('from the field: normalised target, far side in E.164, field cleared', async () => {
    const frame = await openReady(openLab());
    frame.model().typeNumber('(415) 555-0101');
    expect(await frame.model().dialTyped()).toBe(true);
    expect(frame.sip.sent('dial')[0]?.target).toBe('+14155550101');
    expect(onlyCall(frame).farSide).toMatchObject({ e164: '+14155550101' });
    expect(frame.model().dialText.value).toBe('');
  });

  it('a number that can’t be: the reason under the field, nothing dialled', async () => {
    const frame = await openReady(openLab());
    frame.model().typeNumber('1-800-FLOWERS');
    expect(await frame.model().dialTyped()).toBe(false);
    expect(frame.model().dialProblem.value).toContain('Letters');
    expect(frame.sip.sent('dial')).toEqual([]);
    frame.model().typeNumber('1-800');
    expect(frame.model().dialProblem.value).toBeNull();
  });

  it('without a line: the engine’s reason, the number stays', async () => {
    const frame = await openReady(openLab());
    frame.sip.lose();
    frame.model().typeNumber('4155550101');
    expect(await frame.model().dialTyped()).toBe(false);
    expect(frame.model().dialProblem.value).not.toBeNull();
    expect(frame.model().dialText.value).toBe('4155550101');
  });

  it('digits after the number are sent once the far side answers', async () => {
    const frame = await openReady(openLab());
    await frame.model().dial('+1 415 555 0101 x12');
    const { id } = onlyCall(frame);
    expect(frame.sip.sent('send-digits')).toEqual([]);
    frame.sip.answered(id);
    await until(() => frame.sip.sent('send-digits').length === 1);
    expect(frame.sip.sent('send-digits')[0]?.digits).toBe(',12');
  });

  it('by a click on the page: at once, with the record it came from and without a pop', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    frame.host.clickNumber({ number: '030 901820', country: 'DE', record: ada.record });
    await until(() => frame.sip.sent('dial').length === 1);
    expect(frame.sip.sent('dial')[0]?.target).toBe('+4930901820');
    expect(onlyCall(frame).record).toEqual(ada.record);
    await until(() => lab.relay.received.some(({ data }) => data.by === 'dialled-from'));
    expect(frame.host.told('opened')).toEqual([]);
  });

  it('by a double click: one call', async () => {
    const frame = await openReady(openLab());
    frame.host.clickNumber({ number: '4155550101' });
    frame.host.clickNumber({ number: '4155550101' });
    expect(frame.model().notice.value).toBeNull();
    await until(() => frame.sip.sent('dial').length === 1);
    await settle();
    expect(frame.sip.sent('dial')).toHaveLength(1);
  });

  it('by a click on another number right after: that one waits, and is not lost', async () => {
    const frame = await openReady(openLab());
    frame.host.clickNumber({ number: '4155550101' });
    frame.host.clickNumber({ number: '+4930901820' });
    await until(() => frame.sip.sent('dial').length === 1);
    await settle();
    expect(frame.sip.sent('dial')).toHaveLength(1);
    expect(frame.model().notice.value?.text).toBe(texts.hostNumberWaitsForCall);
    expect(frame.model().dialText.value).toBe('+49 30 901820');
  });

  it('by a click on something that is no number: a plain word', async () => {
    const frame = await openReady(openLab());
    frame.host.clickNumber({ number: 'call me' });
    await until(() => frame.model().notice.value !== null);
    expect(frame.model().notice.value?.text).toContain('call me');
  });

  it('by a click during a call: the number waits for the agent, with its record', async () => {
    const frame = await openReady(openLab());
    await talk(frame);
    frame.host.clickNumber({ number: '+4930901820', record: ada.record });
    await until(() => frame.model().sheet.value === 'new-call');
    expect(frame.sip.sent('dial')).toEqual([]);
    await frame.model().dialTyped();
    const second = frame.model().phone.value.calls[1];
    expect(second?.record).toEqual(ada.record);
    expect(frame.sip.sent('hold')[0]?.on).toBe(true);
  });

  it('again from the history, with the record of then', async () => {
    const lab = openLab();
    lab.relay.calls = (await import('../../panel/sample-profile.ts')).recentCalls(lab.clock.now());
    const frame = await openReady(lab);
    await frame.model().history.reload();
    expect(frame.model().history.missed.value).toBe(2);
    frame.model().showTab('recent');
    await until(() => frame.model().history.missed.value === 0);
    const first = frame.model().history.calls.value[0];
    if (first === undefined) throw new Error('no history');
    await frame.model().redial(first);
    expect(onlyCall(frame)).toMatchObject({ record: ada.record, farSide: { name: 'Ada Lindqvist' } });
  });
});

describe('during a call', () => {
  it('mute, hold, resume, digits and hang-up reach the line', async () => {
    const frame = await openReady(openLab());
    const call = await talk(frame);
    const model = frame.model();
    await model.toggleMute(onlyCall(frame));
    await model.toggleHold(onlyCall(frame));
    expect(onlyCall(frame)).toMatchObject({ muted: true, hold: 'on' });
    await model.toggleHold(onlyCall(frame));
    await model.sendDigits(call, '5#');
    await model.hangUp(call);
    expect(frame.sip.sent('mute')).toHaveLength(1);
    expect(frame.sip.sent('hold').map(({ on }) => on)).toEqual([true, false]);
    expect(frame.sip.sent('send-digits')).toHaveLength(1);
    expect(frame.sip.sent('hang-up')).toHaveLength(1);
  });

  it('the note is what is typed, reaches the phone half a second later, and at once on leaving the field', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const call = await talk(frame);
    const model = frame.model();
    model.writeNote(call, 'Wants');
    model.writeNote(call, 'Wants pallets');
    expect(model.noteOf(onlyCall(frame))).toBe('Wants pallets');
    expect(model.noteIsSaved(onlyCall(frame))).toBe(false);
    lab.clock.advance(499);
    expect(onlyCall(frame).note).toBe('');
    lab.clock.advance(1);
    await until(() => onlyCall(frame).note === 'Wants pallets');
    expect(model.noteIsSaved(onlyCall(frame))).toBe(true);
    model.writeNote(call, 'Wants 40 pallets');
    await model.flushNote(call);
    expect(onlyCall(frame).note).toBe('Wants 40 pallets');
    await until(() => lab.relay.names.includes('wrap-up.saved'));
  });

  it('a refused transfer gives the call back and says why', async () => {
    const frame = await openReady(openLab());
    const call = await talk(frame);
    const model = frame.model();
    model.showSheet('transfer');
    model.typeNumber('abc');
    await model.transferTyped(call);
    expect(model.dialProblem.value).not.toBeNull();
    model.typeNumber('204');
    await model.transferTyped(call);
    expect(model.sheet.value).toBe('none');
    frame.sip.refuseTransfer(call);
    expect(onlyCall(frame)).toMatchObject({ phase: 'active', transfer: null });
    expect(onlyCall(frame).trouble).toContain('486');
  });

  it('asking first holds the call; coming back resumes it and leaves no wrap-up of the consultation', async () => {
    const frame = await openReady(openLab());
    const call = await talk(frame);
    const model = frame.model();
    model.showSheet('transfer');
    model.typeNumber('204');
    await model.consultTyped(call);
    await until(() => model.phone.value.calls.length === 2);
    const consult = model.phone.value.calls[1];
    if (consult === undefined) throw new Error('no consultation');
    expect(model.layout.value).toMatchObject({
      screen: { kind: 'call', call: { id: consult.id } },
      beside: [{ id: call }],
    });
    frame.sip.answered(consult.id);
    const now = model.phone.value.calls[1];
    if (now !== undefined) await model.cancelConsult(now);
    await until(() => model.phone.value.calls.length === 1 && onlyCall(frame).hold === 'off');
    expect(onlyCall(frame).id).toBe(call);
  });

  it('asking first and completing joins the two', async () => {
    const frame = await openReady(openLab());
    const call = await talk(frame);
    const model = frame.model();
    model.showSheet('transfer');
    model.typeNumber('204');
    await model.consultTyped(call);
    const consult = model.phone.value.calls[1];
    if (consult === undefined) throw new Error('no consultation');
    frame.sip.answered(consult.id);
    await model.completeTransfer(consult.id);
    expect(frame.sip.sent('transfer-attended')[0]).toMatchObject({ call, consult: consult.id });
    frame.sip.acceptTransfer(call);
    await until(() => model.layout.value.screen.kind === 'wrap-up' && model.phone.value.calls.length === 1);
    expect(onlyCall(frame).id).toBe(call);
  });

  it('a second caller is answered and the first goes on hold; swap changes places', async () => {
    const frame = await openReady(openLab());
    const first = await talk(frame);
    const second = await talk(frame, '+4930901820');
    const model = frame.model();
    expect(model.layout.value).toMatchObject({ screen: { call: { id: second } }, beside: [{ id: first, hold: 'on' }] });
    await model.swap(first);
    await until(() => model.layout.value.beside[0]?.id === second);
  });

  it('leaving the page would end it only in the frame that holds it', async () => {
    const lab = openLab();
    const owner = await openReady(lab);
    const mirror = await openReady(lab);
    expect(owner.model().wouldEndCall.value).toBe(false);
    await talk(owner);
    await until(() => mirror.model().phone.value.calls.length === 1);
    expect(owner.model().wouldEndCall.value).toBe(true);
    expect(mirror.model().wouldEndCall.value).toBe(false);
  });

  it('a refusal of the engine is a notice, not silence', async () => {
    const frame = await openReady(openLab());
    const call = await talk(frame);
    await frame.model().swap(call);
    expect(frame.model().notice.value).toMatchObject({ tone: 'warning' });
    frame.model().dismissNotice();
    expect(frame.model().notice.value).toBeNull();
  });
});

describe('after a call', () => {
  it('the wrap-up waits for an outcome that is needed, then closes the call', async () => {
    const lab = openLab({ profile: { dispositionRequired: true } });
    const frame = await openReady(lab);
    const call = await talk(frame);
    const model = frame.model();
    await model.hangUp(call);
    await until(() => model.layout.value.screen.kind === 'wrap-up');
    model.writeNote(call, 'Done.');
    await model.submitWrapUp(onlyCall(frame));
    expect(model.wrapUpProblem.value?.text).toContain('outcome');
    await model.setDisposition(call, 'reached');
    expect(model.wrapUpProblem.value).toBeNull();
    await model.submitWrapUp(onlyCall(frame));
    expect(model.layout.value.screen.kind).toBe('ready');
    await until(() => lab.relay.names.includes('wrap-up.submitted'));
    const submitted = lab.relay.received.find(({ type }) => type.includes('wrap-up.submitted'));
    expect(submitted?.data).toMatchObject({ note: 'Done.', disposition: 'reached' });
  });

  it('the wrap-up can wait: the phone is free, the call is kept', async () => {
    const frame = await openReady(openLab());
    const call = await talk(frame);
    const model = frame.model();
    await model.hangUp(call);
    model.postponeWrapUp(call);
    expect(model.layout.value).toMatchObject({ screen: { kind: 'ready' }, unfinished: [{ id: call }] });
    model.resumeWrapUp(call);
    expect(model.layout.value.screen.kind).toBe('wrap-up');
  });
});

describe('the host', () => {
  it('hears each step of a call once, from the owner alone', async () => {
    const lab = openLab();
    const owner = await openReady(lab);
    const mirror = await openReady(lab);
    const call = await talk(owner);
    await owner.model().hangUp(call);
    await owner.model().submitWrapUp(onlyCall(owner));
    await until(() => owner.host.told('completed').length === 1);
    const life = owner.host.facts.filter(({ type }) => ['started', 'answered', 'ended', 'completed'].includes(type));
    expect(life).toEqual([
      { type: 'started', call },
      { type: 'answered', call },
      { type: 'ended', call, outcome: 'answered' },
      { type: 'completed', call },
    ]);
    expect(mirror.host.told('started')).toEqual([]);
    expect(mirror.host.told('state').map(({ state }) => state)).toEqual(
      expect.arrayContaining(['ringing', 'in-call', 'wrap-up', 'ready']),
    );
  });

  it('hears that a call nobody answered was missed, and that it is over', async () => {
    const frame = await openReady(openLab());
    const call = frame.sip.invite({ number: ada.number });
    await until(() => frame.host.told('started').length === 1);
    frame.sip.end(call);
    await until(() => frame.host.told('completed').length === 1);
    expect(frame.host.told('ended')).toEqual([{ type: 'ended', call, outcome: 'missed' }]);
  });

  it('may end the call in front', async () => {
    const frame = await openReady(openLab());
    await talk(frame);
    frame.host.hangUp();
    await until(() => frame.sip.sent('hang-up').length === 1);
  });

  it('sees the agent go away and come back', async () => {
    const frame = await openReady(openLab());
    await frame.model().setAvailable(false);
    await until(() => frame.host.told('availability').at(-1)?.available === false);
    frame.sip.invite({ number: ada.number });
    await settle();
    expect(frame.model().phone.value.calls).toEqual([]);
    await frame.model().setAvailable(true);
    await until(() => frame.host.told('availability').at(-1)?.available === true);
  });

  it('shows a record; a call of nobody can be linked to it', async () => {
    const frame = await openReady(openLab());
    frame.host.show(ada.record);
    const call = await talk(frame, '+4930901820');
    expect(frame.model().recordShown.value).toEqual(ada.record);
    await frame.model().chooseRecord(call, ada.record);
    expect(onlyCall(frame).record).toEqual(ada.record);
  });
});

describe('a screen reader', () => {
  it('is told that a call comes in, who it is, and how it went', async () => {
    const frame = await openReady(openLab());
    const model = frame.model();
    const call = frame.sip.invite({ number: ada.number });
    await until(() => model.announcement.value !== null);
    expect(model.announcement.value).toMatchObject({ manner: 'assertive', text: expect.stringContaining('Incoming') });
    await until(() => model.announcement.value?.text.includes('Ada Lindqvist') === true);
    await model.answer(call);
    await until(() => model.announcement.value?.text.startsWith('Connected') === true);
    await model.toggleHold(onlyCall(frame));
    expect(model.announcement.value?.text).toContain('on hold');
    frame.sip.end(call);
    await until(() => model.announcement.value?.text.includes('ended') === true);
    expect(model.announcement.value?.manner).toBe('polite');
  });
});
