/** A call whose page went, in the next page: that it goes on once, what the agent sees of it, and what is said when the page goes. */
import type { LineLease, LineLeaseListener } from '@patchcord/phone-engine';
import { describe, expect, it } from 'vitest';
import { textOfKept } from '../../../packages/softphone-ui/src/kept-calls.ts';
import { stateWords } from '../../../packages/softphone-ui/src/parts/call-words.ts';
import { texts } from '../../../packages/softphone-ui/src/texts.ts';
import { ada, type LabFrame, onlyCall, openLab, openReady, type PanelLab, settle, talk, until } from './panel-lab.ts';

const waits = ({ sip }: LabFrame): void => {
  sip.recovers = 'wait';
};
const count = (lab: PanelLab, name: string): number => lab.relay.names.filter((it) => it === name).length;

/** A page with a call, that says with its last word that it goes. */
async function leftIn(lab: PanelLab, gapMs = 0): Promise<LabFrame['panel']> {
  const frame = await openReady(lab);
  await talk(frame);
  await until(() => onlyCall(frame).record !== null);
  await settle();
  frame.panel.leave();
  await settle();
  frame.die();
  lab.clock.advance(gapMs);
  return frame.panel;
}

describe('a call in the page after its own', () => {
  it('is up again, with its record and its note, opens nothing, rings nowhere, and is logged as one call', async () => {
    const lab = openLab();
    const first = await openReady(lab);
    const call = await talk(first);
    await until(() => first.host.told('opened').length === 1);
    await first.phone().send({ type: 'call.write-note', call, note: 'Wants a quote' });
    await first.model().toggleMute(onlyCall(first));
    await settle();
    first.die();
    const next = await openReady(lab);
    await until(() => onlyCall(next).phase === 'active' && !onlyCall(next).recovering);
    expect(onlyCall(next)).toMatchObject({ id: call, note: 'Wants a quote', muted: true, record: ada.record });
    expect(next.sip.sent('take-up').flatMap(({ dialogs }) => dialogs.map((it) => [it.call, it.muted]))).toEqual([
      [call, true],
    ]);
    await settle();
    expect(next.host.told('opened')).toEqual([]);
    next.sip.end(call);
    await until(() => onlyCall(next).phase === 'ended');
    await next.model().submitWrapUp(onlyCall(next));
    await until(() => lab.relay.names.includes('wrap-up.submitted'));
    for (const name of ['call.started', 'call.answered', 'call.recovered', 'call.ended'])
      expect(count(lab, name), name).toBe(1);
    expect((await lab.kept()).calls).toEqual([]);
  });

  it('is taken up before the line comes up, once, and by one of two pages that open together', async () => {
    const lab = openLab();
    await leftIn(lab);
    const frames = [lab.frame(), lab.frame()];
    for (const { panel } of frames) void panel.start();
    await until(() => frames.every(({ panel }) => panel.stage.value.kind === 'ready'));
    await until(() => frames.every((frame) => frame.model().phone.value.calls[0]?.phase === 'active'));
    const commands = frames.flatMap(({ sip }) => sip.commands.map(({ type }) => type));
    expect(commands.filter((type) => type === 'take-up')).toHaveLength(1);
    expect(commands.indexOf('take-up')).toBeLessThan(commands.indexOf('start'));
    await until(() => lab.relay.names.includes('call.recovered'));
    expect(count(lab, 'call.started')).toBe(1);
  });

  it('says so while it is taken up, and afterwards how long the gap was, where that is known', async () => {
    const lab = openLab();
    await leftIn(lab, 2_000);
    const next = await openReady(lab, false, waits);
    await until(() => next.model().phone.value.calls.length === 1);
    const { id } = onlyCall(next);
    expect(stateWords(onlyCall(next))).toBe(texts.takingUp);
    await next.model().toggleHold(onlyCall(next));
    expect(next.model().notice.value?.text).toBe(texts.takingUpWhy);
    next.sip.recover(id);
    await until(() => !onlyCall(next).recovering);
    expect(next.model().notice.value).toMatchObject({ tone: 'info', text: texts.callGoesOn(2) });
    expect(next.model().announcement.value?.text).toBe(texts.announceTakenUp(ada.record.name ?? ''));
  });

  it('says nothing of a gap that nobody knows: the page was killed', async () => {
    const lab = openLab();
    const first = await openReady(lab);
    await talk(first);
    await settle();
    first.die();
    lab.clock.advance(2_000);
    const next = await openReady(lab);
    await until(() => next.model().notice.value !== null);
    expect(next.model().notice.value?.text).toBe('The call goes on.');
  });

  it('is over after two minutes without a sign of life, and is not taken up', async () => {
    const lab = openLab();
    await leftIn(lab, 121_000);
    const next = await openReady(lab);
    await until(() => onlyCall(next).phase === 'ended');
    expect(next.sip.sent('take-up')).toEqual([]);
    expect(onlyCall(next).end).toMatchObject({ outcome: 'answered', by: 'network' });
    await until(() => lab.relay.names.includes('call.ended'));
    await settle();
    expect(count(lab, 'call.ended')).toBe(1);
  });

  it('that can’t be taken up is over with a reason, once, and the wrap-up has what was noted', async () => {
    const lab = openLab();
    await leftIn(lab);
    const next = await openReady(lab, false, ({ sip }) => {
      sip.recovers = 'refuse';
    });
    await until(() => next.model().layout.value.screen.kind === 'wrap-up');
    expect(onlyCall(next).end?.reason).toContain('could not be taken up');
    await until(() => lab.relay.names.includes('call.ended'));
    await settle();
    expect(count(lab, 'call.ended')).toBe(1);
    // One click calls again.
    await next.model().redial(onlyCall(next));
    await until(() => next.sip.sent('dial').length === 1);
  });

  it('comes from another device with the lease, as that one left it, and is kept for the next', async () => {
    const lab = openLab();
    await leftIn(lab);
    const kept = await lab.kept();
    const [only] = kept.calls;
    if (only === undefined) throw new Error('nothing was kept');
    const there = { ...only, call: { ...only.call, note: 'Written on the other computer' } };
    const left = textOfKept({ calls: [there], dialogs: kept.dialogs }, lab.clock.now());
    const told: string[] = [];
    let listener: LineLeaseListener | null = null;
    const lease: LineLease = {
      listen(heard) {
        listener = heard;
        return () => undefined;
      },
      ask: () => listener?.yours(7, left),
      leave: () => undefined,
      keep: (text) => void told.push(text),
      say: () => true,
    };
    const next = await openReady(openLab({ lease }));
    await until(() =>
      next.model().phone.value.calls.some(({ phase, recovering }) => phase === 'active' && !recovering),
    );
    expect(onlyCall(next).note).toBe('Written on the other computer');
    await until(() => told.length > 0);
    expect(told.at(-1)).toContain('Written on the other computer');
  });
});

describe('a consultation in the page after its own', () => {
  it('that ends brings the agent back to the call it was for', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const call = await talk(frame);
    frame.model().typeNumber('204');
    await frame.model().consultTyped(call);
    await until(() => frame.model().phone.value.calls.length === 2);
    const consult = frame.model().phone.value.calls[1]?.id ?? expect.fail('no consultation');
    frame.sip.answered(consult);
    await settle();
    frame.panel.leave();
    await settle();
    frame.die();
    const next = await openReady(lab);
    const calls = () => next.model().phone.value.calls;
    await until(() => calls().length === 2 && calls().every((it) => it.phase === 'active' && !it.recovering));
    expect(calls().find(({ id }) => id === call)?.hold).toBe('on');
    next.sip.end(consult);
    await until(() => calls().find(({ id }) => id === call)?.hold === 'off');
    expect(next.sip.sent('hold').map((sent) => [sent.call, sent.on])).toEqual([[call, false]]);
  });
});

describe('a page that opens beside a call', () => {
  it('mints no credential: the phone is in another', async () => {
    const lab = openLab();
    const owner = await openReady(lab);
    await talk(owner);
    await settle();
    const minted = () => lab.relay.requests.filter((one) => one.endsWith('/v1/credentials')).length;
    const before = minted();
    const beside = lab.frame();
    void beside.panel.start();
    await until(() => beside.panel.stage.value.kind === 'ready' && beside.phone().role() === 'mirror');
    await settle();
    expect(before).toBeGreaterThan(0);
    expect(minted()).toBe(before);
  });
});

describe('a page that goes', () => {
  it('takes back a call that nobody has answered, and says nothing of one that is up', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const up = await talk(frame);
    await frame.model().toggleHold(onlyCall(frame));
    await frame.model().dial('204');
    await until(() => frame.model().phone.value.calls.length === 2);
    const dialled = frame.model().phone.value.calls.find(({ id }) => id !== up)?.id;
    frame.panel.leave();
    await settle();
    expect(frame.sip.sent('hang-up').map(({ call }) => call)).toEqual([dialled]);
    expect(frame.sip.commands.map(({ type }) => type)).not.toContain('stop');
  });

  it('is asked about only where the next page would not have the call', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    expect(frame.model().wouldLoseCall.value).toBe(false);
    await frame.model().dial('204');
    await until(() => onlyCall(frame).phase === 'dialing');
    expect(frame.model().wouldLoseCall.value).toBe(true);
    frame.sip.answered(onlyCall(frame).id);
    await until(() => onlyCall(frame).phase === 'active');
    expect([frame.model().wouldEndCall.value, frame.model().wouldLoseCall.value]).toEqual([true, false]);
    frame.sip.end(onlyCall(frame).id);
    await until(() => onlyCall(frame).phase === 'ended');
    expect(frame.model().wouldEndCall.value).toBe(false);
  });
});
