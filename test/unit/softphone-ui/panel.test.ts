import { type Agent, type AgentId, PatchcordError, SpokenWordsSchema } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import {
  ada,
  type LabFrame,
  onlyCall,
  openLab,
  openReady,
  type PanelLab,
  passTime,
  settle,
  talk,
  until,
} from './panel-lab.ts';

describe('opening', () => {
  it('signs in by the host’s proof, supplies the line and is ready', async () => {
    const frame = await openReady(openLab());
    const [start] = frame.sip.sent('start');
    expect(start?.account).toMatchObject({ domain: 'sip.example.test', extension: '201', displayName: 'Maria Santos' });
    expect(frame.host.facts).toContainEqual({ type: 'state', state: 'ready', label: 'Patchcord: ready' });
    expect(frame.host.facts).toContainEqual({ type: 'availability', available: true });
    expect(frame.panel.troubles.value).toEqual([]);
  });

  it('explains a page that is not the CRM', async () => {
    const frame = openLab().frame();
    frame.host.refuseToStart('Open the phone from the CRM.');
    await frame.panel.start();
    expect(frame.panel.stage.value).toEqual({ kind: 'outside', message: 'Open the phone from the CRM.' });
  });

  it('asks a page that is silent again, says so meanwhile, and goes on when it answers', async () => {
    const lab = openLab();
    const frame = lab.frame();
    frame.host.startFault = new PatchcordError('host.silent', 'The page did not answer.', { retryable: true });
    const started = frame.panel.start();
    const waiting = { kind: 'opening', step: 'host', problem: 'The page did not answer.' };
    await passTime(lab, () => JSON.stringify(frame.panel.stage.value) === JSON.stringify(waiting));
    expect(frame.panel.selfTestSubject.startProblem()).toBe('The page did not answer.');
    frame.host.startFault = null;
    await passTime(lab, () => frame.panel.stage.value.kind === 'ready');
    await started;
  });

  it.each(['host.absent', 'host.not-authentic'] as const)('takes %s for the last word at once', async (code) => {
    const frame = openLab().frame();
    frame.host.startFault = new PatchcordError(code, 'Not here.');
    await frame.panel.start();
    expect(frame.panel.stage.value).toEqual({ kind: 'outside', message: 'Not here.' });
  });

  it('asks for a code where the host has no proof, says why a code is wrong, and goes on with the right one', async () => {
    const lab = openLab();
    const frame = lab.frame();
    frame.host.proof = null;
    const started = frame.panel.start();
    await passTime(lab, () => frame.panel.stage.value.kind === 'code');
    await started;
    await frame.panel.submitCode('  ');
    expect(frame.panel.codeProblem.value).toContain('Type the code');
    await frame.panel.submitCode('WRONG');
    expect(frame.panel.codeProblem.value).toContain('not known');
    await frame.panel.submitCode(` ${lab.relay.pairingCode} `);
    expect(frame.panel.stage.value.kind).toBe('ready');
  });

  it('waits for a relay that is away and goes on when it is back', async () => {
    const lab = openLab();
    const frame = lab.frame();
    lab.relay.away = true;
    const started = frame.panel.start();
    await passTime(lab, () => {
      const stage = frame.panel.stage.value;
      return stage.kind === 'opening' && stage.problem !== null;
    });
    lab.relay.away = false;
    await passTime(lab, () => frame.panel.stage.value.kind === 'ready');
    await started;
  });

  it('halts with the relay’s words when the agent is not known, and with the field when the profile is wrong', async () => {
    const lab = openLab();
    const frame = lab.frame();
    lab.relay.failures.set('/v1/sessions', { status: 403, code: 'identity.refused', message: 'No phone for you.' });
    const started = frame.panel.start();
    await passTime(lab, () => frame.panel.stage.value.kind === 'halted');
    await started;
    expect(frame.panel.stage.value).toEqual({ kind: 'halted', message: 'No phone for you.' });

    const wrong = openLab({ profile: { iceTransportPolicy: 'some' as never } });
    const other = wrong.frame();
    const opening = other.panel.start();
    await passTime(wrong, () => other.panel.stage.value.kind === 'halted');
    await opening;
    expect(other.panel.stage.value).toMatchObject({ message: expect.stringContaining('iceTransportPolicy') });
  });

  it('offers the other ways to sign in when the CRM does not vouch for the agent, and halts with its words when there are none', async () => {
    const refusal = new PatchcordError('host.refused', 'Salesforce did not say who you are.');
    const lab = openLab();
    const frame = lab.frame();
    frame.host.proofFault = refusal;
    const started = frame.panel.start();
    await passTime(lab, () => frame.panel.stage.value.kind === 'halted');
    await started;
    expect(frame.panel.stage.value).toEqual({ kind: 'halted', message: 'Salesforce did not say who you are.' });

    const other = openLab();
    const way = { label: 'Sign in', path: '/v1/sign-in/acme/oidc' };
    other.relay.ways = [way];
    const helped = other.frame();
    helped.host.proofFault = refusal;
    const opening = helped.panel.start();
    await passTime(other, () => helped.panel.stage.value.kind === 'code');
    await opening;
    expect(helped.panel.ways.value).toEqual([way]);
  });

  it('a second frame is signed in by the first one, without a code, and mirrors its phone', async () => {
    const lab = openLab();
    const first = await openReady(lab);
    const second = lab.frame();
    second.host.proof = null;
    const started = second.panel.start();
    await passTime(lab, () => second.panel.stage.value.kind === 'ready');
    await started;
    await until(() => second.model().role.value === 'mirror');
    expect(second.sip.commands).toEqual([]);
    const call = first.sip.invite({ number: ada.number });
    await until(() => second.model().phone.value.calls[0]?.id === call);
    await second.model().answer(call);
    await until(() => second.model().phone.value.calls[0]?.phase === 'active');
    expect(first.sip.sent('answer')).toHaveLength(1);
  });

  it('a mirror takes over when the owner is gone: it supplies the line and sends what the owner could not', async () => {
    const lab = openLab();
    const owner = await openReady(lab);
    const mirror = await openReady(lab);
    expect(mirror.model().role.value).toBe('mirror');
    lab.relay.acknowledges = false;
    const call = owner.sip.invite({ number: '204' });
    await until(() => lab.relay.names.includes('call.started'));
    lab.relay.acknowledges = true;
    const before = lab.relay.received.length;
    await owner.panel.close();
    await until(() => mirror.model().role.value === 'owner');
    await until(() => mirror.model().phone.value.line.status === 'ready');
    expect(mirror.sip.sent('start')).toHaveLength(1);
    await until(() => lab.relay.received.slice(before).some(({ subject }) => subject === call));
  });

  it('a page that only plays takes the line from nobody, not even when nobody has it, and shares the session', async () => {
    const lab = openLab();
    const owner = await openReady(lab);
    await talk(owner);
    const page = lab.frame(true, true);
    page.host.proof = null;
    const started = page.panel.start();
    await passTime(lab, () => page.panel.stage.value.kind === 'player');
    await started;
    page.look();
    await settle();
    expect(owner.model().role.value).toBe('owner');
    expect(page.phone).toThrow('has not joined');
    // What the other frames were given for it is theirs as well, and the other way round.
    lab.relay.forgetTokens();
    const { stage } = page.panel;
    const model = stage.value.kind === 'player' ? stage.value.model : null;
    await model?.read('/v1/calls/c1/transcript', SpokenWordsSchema).catch(() => undefined);
    await until(() => stage.value.kind === 'code');
    await page.panel.submitCode(lab.relay.pairingCode);
    expect(stage.value.kind).toBe('player');
    await until(() => owner.client.session()?.token === page.client.session()?.token);
    await owner.panel.close();
    lab.clock.advance(60_000);
    await settle();
    expect(page.sip.commands).toEqual([]);
    expect(lab.relay.joined).toBe(0);
  });

  it('frames that all ask for a code are all in with one', async () => {
    const lab = openLab();
    const [first, second] = [lab.frame(), lab.frame()];
    first.host.proof = null;
    second.host.proof = null;
    const started = [first.panel.start(), second.panel.start()];
    await passTime(lab, () => first.panel.stage.value.kind === 'code' && second.panel.stage.value.kind === 'code');
    await Promise.all(started);
    await first.panel.submitCode(lab.relay.pairingCode);
    await until(() => second.panel.stage.value.kind === 'ready');
    expect(lab.relay.requests.filter((request) => request === 'POST /v1/sessions')).toHaveLength(1);
  });
});

describe('somebody else who signs in', () => {
  function bobOf(lab: PanelLab): Agent {
    const bob: Agent = { ...lab.relay.profile.agent, id: 'bob' as AgentId, name: 'Bob Novak', extension: '202' };
    lab.relay.otherCodes.set('B0B', bob);
    return bob;
  }

  /** A panel whose sign-in ran out, with an event that waits. */
  async function lapsed(lab: PanelLab): Promise<LabFrame> {
    const frame = await openReady(lab);
    await until(() => lab.relay.names.includes('line.ready'));
    frame.host.proof = null;
    lab.relay.goAway();
    lab.relay.forgetTokens();
    await talk(frame);
    lab.relay.comeBack();
    await passTime(lab, () => frame.panel.troubles.value.some(({ key }) => key === 'code'));
    lab.relay.usedBy.clear();
    return frame;
  }

  it('by a code does not take over a running panel: nothing is sent as theirs, a new page is offered', async () => {
    const lab = openLab();
    bobOf(lab);
    const frame = await lapsed(lab);
    await frame.panel.submitCode('B0B');
    expect(frame.panel.codeProblem.value).toContain('Bob Novak');
    expect(frame.panel.troubles.value.find(({ key }) => key === 'other-agent')).toMatchObject({ act: 'reload' });
    lab.clock.advance(60_000);
    await settle();
    expect([...lab.relay.usedBy]).toEqual([]);
    expect(lab.relay.names).not.toContain('call.started');
    // What waits goes out when its own agent signs in again.
    await frame.panel.submitCode(lab.relay.pairingCode);
    await passTime(lab, () => lab.relay.names.includes('call.started'));
    expect([...lab.relay.usedBy]).toEqual([lab.relay.profile.agent.id]);
    expect(frame.panel.troubles.value).toEqual([]);
  });

  it('in another frame does not take over this one', async () => {
    const lab = openLab();
    const bob = bobOf(lab);
    const frame = await lapsed(lab);
    const other = lab.frame();
    other.host.proof = null;
    const started = other.panel.start();
    await passTime(lab, () => other.panel.stage.value.kind === 'code');
    await started;
    await other.panel.submitCode('B0B');
    expect(other.client.session()?.agent).toEqual(bob);
    await settle();
    expect(frame.client.session()).toBeNull();
    expect(frame.panel.troubles.value.some(({ key }) => key === 'code')).toBe(true);
    expect(lab.relay.names).not.toContain('call.started');
  });

  it('a frame for another audience, or for nobody in particular, is not signed in by this one', async () => {
    const lab = openLab();
    await openReady(lab);
    for (const audience of ['another portal', null]) {
      const other = lab.frame();
      other.host.audience = audience;
      other.host.proof = null;
      const started = other.panel.start();
      await passTime(lab, () => ['code', 'ready'].includes(other.panel.stage.value.kind));
      await started;
      expect(other.panel.stage.value.kind).toBe('code');
    }
  });
});

/** The far side knows its call no more. */
const gone = ({ sip }: LabFrame): void => {
  sip.recovers = 'refuse';
};

describe('a call that the page was closed in and nobody can take up', () => {
  it('is ended by the next page at once, with the next number, and once', async () => {
    const lab = openLab();
    const closed = await openReady(lab);
    const call = await talk(closed);
    await until(() => lab.relay.names.includes('record.chosen'));
    await settle();
    await closed.panel.close();
    expect(lab.relay.names).not.toContain('call.ended');
    const next = await openReady(lab, false, gone);
    await until(() => lab.relay.names.includes('call.ended'));
    const ofCall = lab.relay.received.filter(({ subject }) => subject === call);
    expect(ofCall.at(-1)).toMatchObject({
      id: `${call}:${ofCall.length}`,
      type: 'dev.patchcord.call.ended.v1',
      data: { outcome: 'answered', by: 'network' },
    });
    await next.panel.close();
    await openReady(lab);
    await settle();
    expect(lab.relay.names.filter((name) => name === 'call.ended')).toHaveLength(1);
  });

  it('ends when its page was last alive, not when the next page opens', async () => {
    const lab = openLab();
    const closed = await openReady(lab);
    const call = await talk(closed);
    await settle();
    for (let step = 0; step < 40; step += 1) {
      lab.clock.advance(15_000);
      await settle();
    }
    const aliveAt = lab.clock.now();
    await closed.panel.close();
    lab.clock.advance(6 * 3_600_000);
    await openReady(lab);
    await until(() => lab.relay.names.includes('call.ended'));
    const end = lab.relay.received.find(
      ({ subject, type }) => subject === call && type === 'dev.patchcord.call.ended.v1',
    );
    const endedAt = Date.parse(end?.time ?? '');
    expect(endedAt).toBeGreaterThanOrEqual(aliveAt);
    expect(endedAt).toBeLessThanOrEqual(aliveAt + 15_000);
  });

  it('and that nobody had answered is missed or cancelled', async () => {
    const lab = openLab();
    const closed = await openReady(lab);
    const inbound = closed.sip.invite({ number: '204' });
    await settle();
    await closed.panel.close();
    const next = await openReady(lab, false, gone);
    await until(() => next.model().phone.value.calls.length === 1);
    next.sip.failRecovery(inbound);
    await until(() => lab.relay.names.includes('call.ended'));
    await next.model().dial('205');
    const outbound = onlyCall(next).id;
    await settle();
    await next.panel.close();
    await openReady(lab);
    await until(() => lab.relay.names.filter((name) => name === 'call.ended').length === 2);
    const ends = lab.relay.received.filter(({ type }) => type === 'dev.patchcord.call.ended.v1');
    expect(ends.map(({ subject, data }) => [subject, (data as { outcome: string }).outcome])).toEqual([
      [inbound, 'missed'],
      [outbound, 'cancelled'],
    ]);
  });

  it('is none while another frame holds it: only the owner of the phone ends what was left', async () => {
    const lab = openLab();
    const owner = await openReady(lab);
    await talk(owner);
    const mirror = await openReady(lab);
    expect(mirror.model().role.value).toBe('mirror');
    await settle();
    expect(lab.relay.names).not.toContain('call.ended');
    expect(onlyCall(mirror).phase).toBe('active');
  });
});

describe('the line’s credential', () => {
  it('is renewed at two thirds of its life, in the middle of a call', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    await talk(frame);
    lab.clock.advance((lab.relay.credentialMs * 2) / 3);
    await until(() => frame.sip.sent('renew').length === 1);
    expect(onlyCall(frame).phase).toBe('active');
  });

  it('is fetched anew at once when the registrar refuses it', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    frame.sip.reject();
    await until(() => frame.model().phone.value.line.status === 'ready');
    expect(frame.sip.sent('renew')).toHaveLength(1);
  });

  it('is given up when it is revoked: the line goes, the reason stays', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    lab.relay.tell({ name: 'credential.revoked', at: lab.clock.now(), data: { reason: 'You left the team.' } });
    await until(() => frame.panel.troubles.value.some(({ key }) => key === 'revoked'));
    await until(() => frame.model().phone.value.line.status === 'offline');
    expect(frame.panel.troubles.value[0]?.advice).toContain('You left the team.');
    expect(frame.panel.troubles.value).toHaveLength(1);
  });
});

describe('events', () => {
  it('of a call reach the relay in order, once acknowledged leave the journal', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const call = await talk(frame);
    await until(() => onlyCall(frame).record !== null);
    await frame.model().hangUp(call);
    await until(() => lab.relay.names.includes('call.ended'));
    const ofCall = lab.relay.received.filter(({ subject }) => subject === call).map(({ id }) => id);
    expect(ofCall).toEqual(ofCall.map((_id, index) => `${call}:${index + 1}`));
    expect(lab.relay.names).toEqual(
      expect.arrayContaining(['call.started', 'record.matched', 'record.chosen', 'call.answered', 'call.ended']),
    );
  });

  it('that happen while the relay is away are kept, counted, and sent when it is back', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    lab.relay.goAway();
    await talk(frame);
    await frame.model().hangUp(onlyCall(frame).id);
    await passTime(lab, () => frame.panel.troubles.value.some(({ key }) => key === 'relay'));
    expect(frame.panel.troubles.value.find(({ key }) => key === 'relay')?.advice).toMatch(/\d+ entries are kept/);
    expect(lab.relay.names).not.toContain('call.ended');
    lab.relay.comeBack();
    await passTime(lab, () => lab.relay.names.includes('call.ended'));
    await until(() => frame.panel.troubles.value.length === 0);
  });

  it('without an acknowledgement are sent again over a new socket, and the relay sees the same ids', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    await until(() => lab.relay.names.includes('line.ready'));
    lab.relay.acknowledges = false;
    await talk(frame);
    await until(() => lab.relay.names.includes('call.started'));
    lab.relay.acknowledges = true;
    const before = lab.relay.received.length;
    await passTime(lab, () => lab.relay.received.length > before + 1, 1_000);
    await passTime(lab, () => lab.relay.names.includes('call.answered'), 1_000);
    const ids = lab.relay.received.map(({ id }) => id);
    expect(new Set(ids).size).toBeLessThan(ids.length);
  });

  it('that earlier pages did not get through are sent by the next page', async () => {
    const lab = openLab();
    const crashed = await openReady(lab);
    await until(() => lab.relay.names.includes('line.ready'));
    lab.relay.goAway();
    const call = await talk(crashed);
    await settle();
    await crashed.panel.close();
    lab.relay.comeBack();
    await openReady(lab);
    await until(() =>
      lab.relay.received.some(({ subject, type }) => subject === call && type.includes('call.answered')),
    );
  });

  it('the relay can’t take are shown with its reason until the agent has read it; the others go on', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const call = frame.sip.invite({ number: '204' });
    lab.relay.refusals.set(`${call}:1`, 'The call has no number.');
    await until(() => frame.panel.troubles.value.some(({ key }) => key === 'refused'));
    expect(frame.panel.troubles.value[0]?.advice).toContain('The call has no number.');
    await until(() => lab.relay.received.some(({ id }) => id === `${call}:2`));
    await frame.panel.forgetRefused();
    await until(() => frame.panel.troubles.value.length === 0);
  });

  it('of a saved log refresh the host’s page; a log that failed for good is named', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const call = await talk(frame);
    const record = ada.record;
    lab.relay.tell({ name: 'log.saved', at: 1, call, data: { record, logId: '00T1' } });
    await until(() => frame.host.told('logged').length === 1);
    lab.relay.tell({ name: 'log.failed', at: 2, call, data: { reason: 'The account is locked.', retrying: true } });
    await settle();
    expect(frame.panel.troubles.value).toEqual([]);
    lab.relay.tell({ name: 'log.failed', at: 3, call, data: { reason: 'The account is locked.', retrying: false } });
    await until(() => frame.panel.troubles.value.some(({ key }) => key === 'unlogged'));
    frame.panel.forgetUnlogged();
    expect(frame.panel.troubles.value).toEqual([]);
  });
});

describe('trouble', () => {
  it('names a refused microphone, a lost line and a lost sign-in, each with what to do', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    lab.microphone.value = 'refused';
    frame.sip.lose();
    expect(frame.panel.troubles.value.map(({ key }) => key)).toEqual(['microphone', 'line']);
    lab.microphone.value = 'not-passed-on';
    expect(frame.panel.troubles.value[0]?.advice).toContain('admin');
    lab.microphone.value = 'allowed';
    frame.sip.register();
    expect(frame.panel.troubles.value).toEqual([]);
  });

  it('asks for a code again when the session ran out, and goes on with it, calls untouched', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    await talk(frame);
    frame.host.proof = null;
    lab.relay.forgetTokens();
    await frame.model().history.reload();
    await until(() => frame.panel.troubles.value.some(({ key }) => key === 'code'));
    await frame.panel.submitCode(lab.relay.pairingCode);
    await until(() => frame.panel.troubles.value.every(({ key }) => key !== 'code'));
    expect(onlyCall(frame).phase).toBe('active');
  });

  it('a host that opens no record is told to the agent', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    frame.host.openFault = new PatchcordError('host.refused', 'Salesforce did not open it.');
    await frame.model().openRecord(ada.record);
    expect(frame.model().notice.value?.text).toContain('Salesforce did not open it.');
  });

  it('a profile that changes reaches the open panel', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    lab.relay.profile = { ...lab.relay.profile, dispositionRequired: true };
    lab.relay.tell({ name: 'profile.changed', at: 1, data: {} });
    await until(() => frame.model().profile.value.dispositionRequired);
  });
});
