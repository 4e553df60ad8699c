/** Calls of a page that can make the logs itself: who is asked, what the host hears and in which order, and who goes on after a change of owner. */
import { describe, expect, it } from 'vitest';
import type { FakeHost } from '../../panel/fake-host.ts';
import { ada, type LabFrame, onlyCall, openLab, openReady, type PanelLab, settle, talk, until } from './panel-lab.ts';

type Step = 'started' | 'answered' | 'transferred' | 'ended' | 'completed';
const steps: readonly string[] = ['started', 'answered', 'transferred', 'ended', 'completed'] satisfies Step[];

/** What the host heard of calls, in order. */
const heard = ({ facts }: FakeHost) => facts.filter(({ type }) => steps.includes(type));

/** A frame inside a page that makes logs. */
async function openMaker(lab: PanelLab, change: (frame: LabFrame) => void = () => undefined): Promise<LabFrame> {
  const frame = lab.frame();
  frame.host.can = { ...frame.host.can, createsLogs: true };
  frame.sip.recovers = 'refuse';
  change(frame);
  void frame.panel.start();
  await until(() => frame.panel.stage.value.kind === 'ready');
  await until(() => frame.model().phone.value.line.status === 'ready' && lab.relay.joined > 0);
  return frame;
}

function held(): { readonly gate: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { gate, open: () => open() };
}

const asked = (lab: PanelLab) => lab.relay.requests.filter((request) => request.endsWith('/log-creator'));
const logEvents = (lab: PanelLab) =>
  lab.relay.received
    .filter(({ type }) => /\.log\.(not-)?created\.v1$/.test(type))
    .map(({ type, subject, data }) => [type.split('.').at(-2), subject, data]);

describe('a call that begins', () => {
  it('is told with the relay’s word on who makes the log, which is asked once', async () => {
    const lab = openLab();
    const frame = await openMaker(lab);
    const call = await talk(frame);
    await until(() => heard(frame.host).length === 2);
    expect(asked(lab)).toEqual([`PUT /v1/calls/${call}/log-creator`]);
    expect(heard(frame.host)).toEqual([
      { type: 'started', call, pageCreatesLog: true },
      { type: 'answered', call, pageCreatesLog: true },
    ]);
  });

  it('never waits: the host hears of it all in order when the relay’s word comes late', async () => {
    const lab = openLab();
    const frame = await openMaker(lab);
    const { gate, open } = held();
    lab.relay.logCreatorGate = gate;
    const call = await talk(frame);
    frame.sip.end(call);
    await until(() => onlyCall(frame).phase === 'ended');
    await frame.model().submitWrapUp(onlyCall(frame));
    expect(heard(frame.host)).toEqual([]);
    open();
    await until(() => heard(frame.host).length === 4);
    expect(heard(frame.host).map(({ type }) => type)).toEqual(['started', 'answered', 'ended', 'completed']);
    // The page names the log when the call is long over.
    frame.host.makeLog(call, { logId: '77' });
    await until(() => logEvents(lab).length === 1);
  });

  it.each([
    ['the relay makes it', { creator: 'relay', logId: null }, undefined],
    ['there is one already', { creator: 'page', logId: '51' }, '51'],
  ] as const)('asks the page for no log where %s', async (_, answer, logId) => {
    const lab = openLab();
    lab.relay.logCreator = answer;
    const frame = await openMaker(lab);
    const call = frame.sip.invite({ number: ada.number });
    await until(() => heard(frame.host).length === 1);
    expect(heard(frame.host)).toEqual([
      { type: 'started', call, pageCreatesLog: false, ...(logId === undefined ? {} : { logId }) },
    ]);
    // That it made none is what it was asked.
    frame.host.makeLog(call, { reason: 'HubSpot made no engagement.', certain: true });
    await settle();
    expect(logEvents(lab)).toEqual([]);
  });

  it('is told after 1.5 s without an answer, asks the page for no log, and the relay hears that there is none', async () => {
    const lab = openLab();
    const frame = await openMaker(lab);
    lab.relay.logCreatorGate = new Promise(() => undefined);
    const call = frame.sip.invite({ number: ada.number });
    await until(() => asked(lab).length === 1);
    lab.clock.advance(1_400);
    await settle();
    expect(heard(frame.host)).toEqual([]);
    lab.clock.advance(100);
    await until(() => heard(frame.host).length === 1);
    expect(heard(frame.host)).toEqual([{ type: 'started', call, pageCreatesLog: false }]);
    await until(() => logEvents(lab).length === 1);
    expect(logEvents(lab)[0]?.[0]).toBe('not-created');
    expect(asked(lab)).toHaveLength(1);
  });

  it('is told without a log while the relay is away, and what the page says of one reaches it later, once', async () => {
    const lab = openLab();
    const frame = await openMaker(lab);
    lab.relay.goAway();
    const call = frame.sip.invite({ number: ada.number });
    await until(() => heard(frame.host).length === 1);
    expect(heard(frame.host)).toEqual([{ type: 'started', call, pageCreatesLog: false }]);
    for (const logId of ['77', '77']) frame.host.makeLog(call, { logId });
    frame.host.makeLog('00000000-0000-4000-8000-000000000000', { logId: '99' });
    lab.relay.comeBack();
    frame.panel.nudge();
    await until(() => logEvents(lab).some(([name]) => name === 'created'));
    await settle();
    expect(logEvents(lab).filter(([name]) => name === 'created')).toEqual([['created', call, { logId: '77' }]]);
  });

  it('has its page’s silence told as such, and a refusal after it for certain, once each', async () => {
    const lab = openLab();
    const frame = await openMaker(lab);
    const call = await talk(frame);
    await until(() => heard(frame.host).length === 2);
    for (const certain of [false, false, true, true, false]) frame.host.makeLog(call, { reason: 'None.', certain });
    await until(() => logEvents(lab).length >= 2);
    frame.host.makeLog(call, { logId: '77' });
    await until(() => logEvents(lab).some(([name]) => name === 'created'));
    expect(logEvents(lab)).toEqual([
      ['not-created', call, { reason: 'None.', certain: false }],
      ['not-created', call, { reason: 'None.', certain: true }],
      ['created', call, { logId: '77' }],
    ]);
  });

  it('of a page that makes no logs asks nobody', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const call = await talk(frame);
    expect(heard(frame.host)).toEqual([
      { type: 'started', call },
      { type: 'answered', call },
    ]);
    expect(asked(lab)).toEqual([]);
  });
});

describe('the log the page made', () => {
  it('goes along with every later step, a transfer among them, and to the relay', async () => {
    const lab = openLab();
    const frame = await openMaker(lab);
    const call = await talk(frame);
    await until(() => heard(frame.host).length === 2);
    frame.host.makeLog(call, { logId: '77' });
    await until(() => logEvents(lab).length === 1);
    expect(logEvents(lab)).toEqual([['created', call, { logId: '77' }]]);
    await frame.phone().send({ type: 'call.transfer', call, to: '1002' });
    frame.sip.acceptTransfer(call);
    await until(() => onlyCall(frame).phase === 'ended');
    await frame.model().submitWrapUp(onlyCall(frame));
    const log = { call, pageCreatesLog: true, logId: '77' };
    expect(heard(frame.host).slice(2)).toEqual([
      { type: 'transferred', ...log },
      { type: 'ended', outcome: 'answered', ...log },
      { type: 'completed', ...log },
    ]);
  });
});

describe('a change of owner', () => {
  it('in a call that goes on: the next one starts nothing again and tells its end, with the log', async () => {
    const lab = openLab();
    const first = await openMaker(lab);
    const call = await talk(first);
    await until(() => heard(first.host).length === 2);
    first.host.makeLog(call, { logId: '77' });
    await until(() => logEvents(lab).length === 1);
    first.die();
    const next = await openMaker(lab, ({ sip }) => {
      sip.recovers = 'at-once';
    });
    await until(() => onlyCall(next).phase === 'active' && !onlyCall(next).recovering);
    await settle();
    expect(heard(next.host)).toEqual([]);
    next.sip.end(call);
    await until(() => heard(next.host).length === 1);
    const log = { call, pageCreatesLog: true, logId: '77' };
    expect(heard(next.host)).toEqual([{ type: 'ended', outcome: 'answered', ...log }]);
    await next.model().submitWrapUp(onlyCall(next));
    expect(heard(next.host).slice(1)).toEqual([{ type: 'completed', ...log }]);
    expect(asked(lab)).toHaveLength(1);
    await until(() => lab.relay.names.includes('wrap-up.submitted'));
    expect(lab.relay.names.filter((name) => name === 'call.started')).toHaveLength(1);
    expect(lab.relay.names.filter((name) => name === 'call.ended')).toHaveLength(1);
  });

  it('in a call that goes on and the host has not heard of: the next one tells it from the beginning', async () => {
    const lab = openLab();
    const first = await openMaker(lab);
    lab.relay.logCreatorGate = new Promise(() => undefined);
    const call = await talk(first);
    first.die();
    lab.relay.logCreatorGate = Promise.resolve();
    const next = await openMaker(lab, ({ sip }) => {
      sip.recovers = 'at-once';
    });
    await until(() => heard(next.host).length === 2);
    expect(heard(next.host)).toMatchObject([
      { type: 'started', call },
      { type: 'answered', call },
    ]);
  });

  it('in a call: the next one starts nothing again and tells the rest, with the log', async () => {
    const lab = openLab();
    const first = await openMaker(lab);
    const call = await talk(first);
    await until(() => heard(first.host).length === 2);
    first.host.makeLog(call, { logId: '77' });
    first.die();
    const next = await openMaker(lab);
    await until(() => heard(next.host).length === 1);
    const log = { call, pageCreatesLog: true, logId: '77' };
    expect(heard(next.host)).toEqual([{ type: 'ended', outcome: 'answered', ...log }]);
    await next.model().submitWrapUp(onlyCall(next));
    expect(heard(next.host).slice(1)).toEqual([{ type: 'completed', ...log }]);
    next.die();
    const last = await openMaker(lab);
    await settle();
    expect(heard(last.host)).toEqual([]);
    expect(last.model().phone.value.calls).toEqual([]);
  });

  it('in the wrap-up: the next one tells that it is done, and nothing twice', async () => {
    const lab = openLab();
    const first = await openMaker(lab);
    const call = await talk(first);
    first.sip.end(call);
    await until(() => heard(first.host).length === 3);
    first.die();
    const next = await openMaker(lab);
    await until(() => next.model().layout.value.screen.kind === 'wrap-up');
    await settle();
    expect(heard(next.host)).toEqual([]);
    await next.model().submitWrapUp(onlyCall(next));
    expect(heard(next.host).map(({ type }) => type)).toEqual(['completed']);
  });

  it('while it rings: the next one tells that it was missed, and opens no wrap-up', async () => {
    const lab = openLab();
    const first = await openMaker(lab);
    const call = first.sip.invite({ number: ada.number });
    await until(() => heard(first.host).length === 1);
    first.die();
    const next = await openMaker(lab);
    await until(() => next.model().phone.value.calls.length === 1);
    next.sip.failRecovery(call);
    await until(() => heard(next.host).length === 2);
    expect(heard(next.host)).toMatchObject([
      { type: 'ended', call, outcome: 'missed' },
      { type: 'completed', call },
    ]);
    expect(next.model().phone.value.calls).toEqual([]);
    next.die();
    const last = await openMaker(lab);
    await settle();
    expect(heard(last.host)).toEqual([]);
  });

  it('before the host heard of the call: it hears nothing of it afterwards either', async () => {
    const lab = openLab();
    const first = await openMaker(lab);
    lab.relay.logCreatorGate = new Promise(() => undefined);
    const call = await talk(first);
    first.die();
    const next = await openMaker(lab);
    await until(() => onlyCall(next).id === call);
    await next.model().submitWrapUp(onlyCall(next));
    await settle();
    expect(heard(next.host)).toEqual([]);
  });

  it('a mirror of the same page tells the host nothing', async () => {
    const lab = openLab();
    const owner = await openMaker(lab);
    const mirror = await openMaker(lab);
    const call = await talk(owner);
    mirror.host.makeLog(call, { logId: '77' });
    await settle();
    expect(heard(mirror.host)).toEqual([]);
    expect(logEvents(lab)).toEqual([]);
    expect(asked(lab)).toHaveLength(1);
  });

  it('long after: a wrap-up nobody came back to is not opened again', async () => {
    const lab = openLab();
    const first = await openMaker(lab);
    await talk(first);
    first.die();
    lab.clock.advance(3_700_000);
    const next = await openMaker(lab);
    await settle();
    expect(next.model().phone.value.calls).toEqual([]);
    expect(heard(next.host)).toEqual([]);
  });
});
