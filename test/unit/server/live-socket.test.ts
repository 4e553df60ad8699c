import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type CallId, type RelayMessage, toEnvelope } from '@patchcord/call-protocol';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { EventRecorder } from '../../../server/src/call-log/record-events.ts';
import { finishSilentCalls } from '../../../server/src/call-log/sweep.ts';
import { createLog } from '../../../server/src/logging.ts';
import type { CallStore } from '../../../server/src/store/contract.ts';
import { startReceiver } from './http-receiver.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
  Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from './relay-in-test.ts';

let running: RelayInTest[] = [];
async function relay(...options: Parameters<typeof startRelayInTest>): Promise<RelayInTest> {
  const one = await startRelayInTest(...options);
  running.push(one);
  return one;
}
afterEach(async () => {
  await Promise.all(running.map((one) => one.closed()));
  running = [];
});

const isRefusal = (message: RelayMessage): boolean => message.type === 'refused';
async function history(one: RelayInTest, token: string): Promise<Record<string, unknown>[]> {
  return ((await (await one.fetch('/v1/calls', { token })).json()) as { calls: Record<string, unknown>[] }).calls;
}

/** Status of a refused upgrade. */
function upgradeStatus(one: RelayInTest, path: string, options: { origin?: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${one.relay.port}${path}`, options);
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.once('open', () => reject(new Error('the socket opened')));
    socket.once('error', () => {});
  });
}

describe('the live socket', () => {
  it('opens for our own origin only', async () => {
    const one = await relay();
    expect(await upgradeStatus(one, '/v1/live', { origin: 'https://evil.example' })).toBe(403);
    expect(await upgradeStatus(one, '/v1/live', {})).toBe(403);
    expect(await upgradeStatus(one, '/v1/else', { origin: one.relay.url })).toBe(404);
    const panel = await Panel.open(one.relay);
    panel.socket.terminate();
  });

  it('lets go of what it refused, though the other end never closes its half', async () => {
    const one = await relay();
    const refused = connect({ port: one.relay.port, host: '127.0.0.1', allowHalfOpen: true });
    refused.write(
      'GET /v1/live HTTP/1.1\r\nHost: relay\r\nOrigin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    const [answer] = (await once(refused, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 403 /);
    refused.on('error', () => {});
    await one.relay.close();
    refused.destroy();
  });

  it('wants the token first, and in time', async () => {
    const one = await relay(testConfig(), { liveTiming: { authenticateMs: 50 } });
    const silent = await Panel.open(one.relay);
    expect(await silent.closed).toMatchObject({ code: 4401 });

    const eager = await Panel.open(one.relay);
    eager.publish();
    expect(await eager.closed).toMatchObject({ code: 4401 });

    const wrong = await Panel.open(one.relay);
    wrong.send({ type: 'authenticate', token: 'nonsense' });
    expect(await wrong.next(({ type }) => type === 'error')).toMatchObject({ code: 'identity.required' });
    expect(await wrong.closed).toMatchObject({ code: 4401 });
  });

  it('says who the agent is', async () => {
    const one = await relay();
    const { token } = await one.signIn('bob');
    const panel = await Panel.open(one.relay);
    panel.send(one.authentication(token));
    expect(await panel.next(({ type }) => type === 'authenticated')).toMatchObject({
      agent: { id: 'bob', extension: '1002' },
    });
    panel.socket.terminate();
  });

  it('acknowledges a published call, writes its log into the CRM and says so', async () => {
    const one = await relay();
    const { token } = await one.signIn();
    const panel = await one.connect(token);
    const callId = randomUUID();
    const events = envelopes(callId, answeredCall);
    panel.publish(...events);
    expect(new Set(await panel.acknowledged())).toEqual(new Set(events.map(({ id }) => id)));
    const saved = await panel.event('log.saved');
    expect(saved.subject).toBe(callId);
    expect(one.crm.logs()).toMatchObject([{ callId, seconds: 1, outcome: 'answered', owner: '005000000000001' }]);
    expect(await history(one, token)).toMatchObject([
      { callId, direction: 'inbound', talkMs: 1_000, outcome: 'answered', log: 'saved' },
    ]);
  });

  it('acknowledges a repeat and writes nothing twice', async () => {
    const one = await relay();
    const { token, device } = await one.signIn();
    const panel = await one.connect(token);
    const callId = randomUUID();
    const events = envelopes(callId, answeredCall);
    panel.publish(...events, ...events);
    await panel.acknowledged();
    await panel.event('log.saved');
    panel.publish(...events);
    expect(new Set(await panel.acknowledged())).toEqual(new Set(events.map(({ id }) => id)));
    // the same device under a new session: a journal that is sent again after a reload
    const second = await one.connect((await one.signIn('ada', device)).token);
    second.publish(...events);
    await second.acknowledged();
    const bystander = await one.connect(token);
    panel.publish(...envelopes(callId, [{ name: 'wrap-up.submitted', data: { note: 'done' } }], 5));
    await bystander.event('log.saved');
    expect(one.crm.logs()).toMatchObject([{ callId, note: expect.stringContaining('done') as string }]);
    expect(await history(one, token)).toHaveLength(1);
  });

  it('refuses bad events one by one and takes the good ones', async () => {
    const one = await relay();
    const { token } = await one.signIn();
    const panel = await one.connect(token);
    const callId = randomUUID();
    const [good, second] = envelopes(callId, answeredCall);
    if (good === undefined || second === undefined) throw new Error('no events');
    const log = { record: { crm: 'memory', object: 'Log', id: '1' }, logId: '1' };
    const bad: [unknown, RegExp][] = [
      [{ ...second, id: 'bad-type', type: 'dev.patchcord.call.eaten.v1' }, /Unknown event type/],
      [{ ...second, id: `${callId}:50`, type: 'dev.patchcord.call.ended.v1' }, /data\.outcome/],
      [{ ...second, id: `${callId}:51`, subject: 'not-a-uuid' }, /UUID/],
      [{ ...second, id: 'free-text' }, /<call id>:<number>/],
      [{ ...second, id: `${randomUUID()}:1` }, /<call id>:<number>/],
      [{ ...second, id: `${callId}:52`, subject: undefined }, /subject/],
      [{ ...second, id: `${callId}:53`, type: 'dev.patchcord.log.saved.v1', data: log }, /Only the relay/],
      ['nonsense', /malformed/],
    ];
    panel.publish(...bad.map(([event]) => event), good);
    expect(await panel.acknowledged()).toEqual([good.id]);
    for (const [event, why] of bad) {
      const id = typeof event === 'object' && event !== null && 'id' in event ? event.id : '';
      const refusal = await panel.next<Extract<RelayMessage, { type: 'refused' }>>(
        (message) => message.type === 'refused' && message.id === id,
      );
      expect(refusal.message).toMatch(why);
    }
  });

  it('overwrites who an event says it is from, and lets nobody speak of another agent’s call', async () => {
    const one = await relay();
    const ada = await one.connect((await one.signIn('ada')).token);
    const bobSession = await one.signIn('bob');
    const bob = await one.connect(bobSession.token);
    const callId = randomUUID();
    ada.publish(...envelopes(callId, answeredCall));
    await ada.acknowledged();
    await ada.event('log.saved');
    const forged = envelopes(callId, [{ name: 'wrap-up.submitted', data: { note: 'forged' } }], 9).map((event) => ({
      ...event,
      source: '/tenants/acme/agents/ada/devices/x',
    }));
    bob.publish(...forged);
    expect(await bob.next(isRefusal)).toMatchObject({
      id: forged[0]?.id,
      message: expect.stringContaining('another agent') as string,
    });
    expect(one.crm.logs()[0]?.note).not.toContain('forged');
    expect(await history(one, bobSession.token)).toEqual([]);
  });

  it('logs a missed call, and none that a colleague answered', async () => {
    const one = await relay();
    const { token } = await one.signIn();
    const panel = await one.connect(token);
    const [missed, elsewhere] = [randomUUID(), randomUUID()];
    const start = answeredCall.slice(0, 2);
    panel.publish(
      ...envelopes(elsewhere, [
        ...start,
        { name: 'call.ended', data: { outcome: 'answered-elsewhere', reason: 'A colleague answered', by: 'network' } },
      ]),
      ...envelopes(missed, [
        ...start,
        { name: 'call.ended', data: { outcome: 'missed', reason: 'Nobody answered', by: 'far-side' } },
      ]),
    );
    expect((await panel.event('log.saved')).subject).toBe(missed);
    expect(one.crm.logs().map(({ callId }) => callId)).toEqual([missed]);
    const calls = await history(one, token);
    expect(Object.fromEntries(calls.map(({ callId, log }) => [callId, log]))).toEqual({
      [missed]: 'saved',
      [elsewhere]: 'none',
    });
  });

  it('folds a call whose events come in any order, over several messages and sockets', async () => {
    const one = await relay();
    const { token } = await one.signIn();
    const [left, right] = [await one.connect(token), await one.connect(token)];
    const callId = randomUUID();
    const events = envelopes(callId, [
      ...answeredCall,
      { name: 'wrap-up.submitted', data: { note: 'last', disposition: 'won' } },
    ]);
    const acknowledgements = events.reverse().map((event, index) => {
      const panel = index % 2 === 0 ? left : right;
      panel.publish(event);
      return panel.acknowledged();
    });
    await Promise.all(acknowledgements);
    await left.next((message) => message.type === 'event' && message.event.subject === callId);
    expect(await history(one, token)).toMatchObject([
      { callId, talkMs: 1_000, disposition: 'won', outcome: 'answered' },
    ]);
    expect(one.crm.logs()).toHaveLength(1);
  });

  it('takes the numbers of a journal that had to begin again', async () => {
    const one = await relay();
    const panel = await one.connect((await one.signIn()).token);
    const callId = randomUUID();
    const events = envelopes(callId, answeredCall).map((event, index) => ({
      ...event,
      id: `${callId}:1a2b3c4d-${index + 1}`,
    }));
    panel.publish(...events);
    expect(await panel.acknowledged()).toHaveLength(events.length);
    expect((await panel.event('log.saved')).subject).toBe(callId);
  });

  it('keeps line events without a call', async () => {
    const one = await relay();
    const panel = await one.connect((await one.signIn()).token);
    const event = toEnvelope({ name: 'line.ready', at: 1_790_000_000_000, data: {} }, randomUUID(), '/x');
    panel.publish(event);
    expect(await panel.acknowledged()).toEqual([event.id]);
    panel.publish(event);
    expect(await panel.acknowledged()).toEqual([event.id]);
  });

  it('survives whatever a panel sends', async () => {
    const one = await relay();
    const { token } = await one.signIn();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.json().map((text) => `{"type":"publish","events":[${text}]}`),
        ),
        async (text) => {
          const panel = await one.connect(token);
          panel.send(text);
          panel.publish(toEnvelope({ name: 'line.ready', at: 1, data: {} }, randomUUID(), '/x'));
          await Promise.race([panel.acknowledged(), panel.closed]);
          panel.socket.terminate();
        },
      ),
      { numRuns: 100 },
    );
    expect((await one.fetch('/healthz')).status).toBe(200);
  });

  it('closes on a message that is too large', async () => {
    const one = await relay();
    const panel = await one.connect((await one.signIn()).token);
    panel.send('x'.repeat(70_000));
    expect(await panel.closed).toMatchObject({ code: 1009 });
  });

  it('cuts a panel off that no longer answers pings', async () => {
    const one = await relay(testConfig(), { liveTiming: { pingMs: 30 } });
    const { token } = await one.signIn();
    const socket = new WebSocket(`ws://127.0.0.1:${one.relay.port}/v1/live`, {
      origin: one.relay.url,
      autoPong: false,
    });
    const panel = new Panel(socket);
    socket.once('open', () => panel.send(one.authentication(token)));
    expect(await panel.closed).toMatchObject({ code: 1006 });
  });

  it('closes when the session ends', async () => {
    const start = Date.now();
    let now = start;
    const one = await relay(testConfig(), { now: () => now, liveTiming: { recheckMs: 0 } });
    const { token } = await one.signIn();
    const panel = await one.connect(token);
    // Its access token ends, and nothing happens: the session goes on.
    now = start + 20 * 60_000;
    const [ringing] = envelopes(randomUUID(), answeredCall);
    panel.publish(ringing);
    expect(await panel.acknowledged()).toHaveLength(1);
    now = start + 12 * 3_600_000;
    panel.publish(ringing);
    expect(await panel.closed).toMatchObject({ code: 4401 });
  });

  it('finishes and acknowledges what it took before it stops, and says nothing is wrong', async () => {
    const lines: { level: number; msg: string }[] = [];
    const log = createLog('warn', { write: (line) => void lines.push(JSON.parse(line) as (typeof lines)[number]) });
    const one = await relay(testConfig(), { log });
    const panel = await one.connect((await one.signIn()).token);
    const sent = Array.from({ length: 40 }, (_, index) =>
      toEnvelope({ name: 'line.ready', at: 1, data: {} }, `line-${index}`, '/x'),
    );
    for (const event of sent) panel.publish(event);
    // the first is taken; the rest is in the queue or under way
    const taken = new Set(await panel.acknowledged());
    panel.socket.on('message', (raw) => {
      const message = JSON.parse(raw.toString()) as RelayMessage;
      if (message.type === 'acknowledged') for (const id of message.ids) taken.add(id);
    });
    await one.relay.close();
    expect(await panel.closed).toMatchObject({ code: 1012 });
    expect(lines).toEqual([]);
    expect(taken.size).toBeLessThanOrEqual(sent.length);
  });

  it('tells panels to come back when it stops', async () => {
    const one = await relay();
    const panel = await one.connect((await one.signIn()).token);
    await one.relay.close();
    expect(await panel.closed).toMatchObject({ code: 1012 });
  });
});

describe('a call whose phone fell silent', () => {
  it('is finished by rule after twelve hours and logged, dated at its last event', async () => {
    let now = Date.now();
    const one = await relay(testConfig(), { now: () => now });
    const { token } = await one.signIn();
    const panel = await one.connect(token);
    const callId = randomUUID();
    panel.publish(...envelopes(callId, answeredCall.slice(0, 3)));
    await panel.acknowledged();
    for (let hours = 0; hours < 12; hours += 4) {
      await one.signIn();
      now += 4 * 3_600_000 - 1;
      expect(await one.relay.sweep()).toBe(0);
    }
    now += 4;
    expect(await one.relay.sweep()).toBe(1);
    expect(await one.relay.sweep()).toBe(0);
    await expect.poll(() => one.crm.logs()).toMatchObject([{ callId, outcome: 'answered', seconds: 0 }]);
    expect(await history(one, (await one.signIn()).token)).toMatchObject([{ callId, outcome: 'answered' }]);
  });

  it('is finished sooner when its agent has no session left', async () => {
    let now = Date.now();
    const one = await relay(testConfig(), { now: () => now });
    const panel = await one.connect((await one.signIn()).token);
    const callId = randomUUID();
    panel.publish(...envelopes(callId, answeredCall.slice(0, 2)));
    await panel.acknowledged();
    await one.fetch('/v1/admin/agents/acme/ada/revoke', { json: {}, token: adminToken });
    now += 9 * 60_000;
    expect(await one.relay.sweep()).toBe(0);
    now += 2 * 60_000;
    expect(await one.relay.sweep()).toBe(1);
    await expect.poll(() => one.crm.logs()).toMatchObject([{ callId, outcome: 'missed' }]);
  });

  const withoutAda = () =>
    testConfig({ tenants: [testTenant({ agents: testTenant().agents.filter(({ id }) => id !== 'ada') })] });

  it('is finished also when its agent left the configuration', async () => {
    let now = Date.now();
    const one = await relay(testConfig(), { now: () => now });
    const session = await one.signIn();
    const panel = await one.connect(session.token);
    const callId = randomUUID();
    panel.publish(...envelopes(callId, answeredCall.slice(0, 3)));
    await panel.acknowledged();
    await one.relay.close();
    now += 13 * 3_600_000;
    const back = await relay(withoutAda(), { now: () => now, folder: one.folder });
    expect(await back.relay.sweep()).toBe(1);
    expect(await back.relay.sweep()).toBe(0);
  });

  it('holds no other back when it cannot be finished, even if many cannot', async () => {
    const open = new Set(Array.from({ length: 250 }, () => randomUUID() as CallId));
    const [poisoned, sound] = [[...open].slice(0, 240), [...open].slice(240)];
    const finished = await finishSilentCalls({
      store: { silentCalls: async ({ limit }: { limit: number }) => [...open].slice(0, limit) } as unknown as CallStore,
      recorder: {
        finishByRule: async (callId: CallId) => {
          if (poisoned.includes(callId)) throw new Error('poisoned');
          return open.delete(callId);
        },
      } as unknown as EventRecorder,
      log: createLog('silent'),
      now: Date.now,
      goneBefore: null,
    });
    expect(finished).toBe(sound.length);
    expect([...open]).toEqual(poisoned);
  });

  it('does not keep denials from being repeated when nobody can look for it', async () => {
    const edge = await startReceiver(() => ({ status: 200, body: '{"result":{}}' }));
    const sip = { ...testTenant().sip, revocation: { kamailioRpcUrl: edge.url } };
    const one = await relay(testConfig({ tenants: [testTenant({ sip })] }), { housekeepingMs: 200 });
    try {
      const database = new DatabaseSync(join(one.folder, 'patchcord.sqlite'));
      database.exec('alter table calls rename to calls_that_nobody_finds');
      database.close();
      await expect(one.relay.sweep()).rejects.toMatchObject({ code: 'store.unavailable' });
      await one.fetch('/v1/admin/agents/acme/ada/revoke', { json: {}, token: adminToken });
      // denied and unregistered by the revocation itself; then denied again, and again
      await expect.poll(() => edge.received.length).toBeGreaterThan(3);
    } finally {
      await one.relay.close();
      await edge.close();
    }
  });

  it('is corrected by what the phone says later', async () => {
    let now = Date.now();
    const one = await relay(testConfig(), { now: () => now });
    const device = randomUUID();
    const panel = await one.connect((await one.signIn('ada', device)).token);
    const callId = randomUUID() as CallId;
    panel.publish(...envelopes(callId, answeredCall.slice(0, 3)));
    await panel.acknowledged();
    now += 12 * 3_600_000 + 1;
    await one.relay.sweep();
    const back = await one.connect((await one.signIn('ada', device)).token);
    back.publish(
      ...envelopes(
        callId,
        [
          {
            name: 'call.ended',
            data: { outcome: 'answered', reason: 'They hung up', by: 'far-side' },
            at: 1_790_000_063_000,
          },
        ],
        4,
      ),
    );
    await back.acknowledged();
    await expect.poll(() => one.crm.logs()[0]?.seconds).toBe(60);
    expect(one.crm.logs()).toHaveLength(1);
  });
});

describe('revoking an agent', () => {
  it('ends sessions and sockets at once and leaves others alone', async () => {
    const one = await relay();
    const ada = await one.signIn('ada');
    const bob = await one.signIn('bob');
    const [adasPanel, bobsPanel] = [await one.connect(ada.token), await one.connect(bob.token)];
    const before = (await (await one.fetch('/v1/credentials', { method: 'POST', token: ada.token })).json()) as {
      sip: { expiresAt: number };
    };
    const response = await one.fetch('/v1/admin/agents/acme/ada/revoke', {
      json: { reason: 'Left the company' },
      token: adminToken,
    });
    expect(await response.json()).toMatchObject({
      sessions: 1,
      credentials: 1,
      edge: 'absent',
      limits: expect.stringContaining('until it lapses') as string,
    });
    expect((await adasPanel.event('credential.revoked')).data).toEqual({ reason: 'Left the company' });
    expect(await adasPanel.closed).toMatchObject({ code: 4403 });
    for (const path of ['/v1/profile', '/v1/calls'])
      expect((await one.fetch(path, { token: ada.token })).status).toBe(401);
    expect((await one.fetch('/v1/credentials', { method: 'POST', token: ada.token })).status).toBe(401);
    expect((await one.fetch('/v1/profile', { token: bob.token })).status).toBe(200);
    bobsPanel.publish(toEnvelope({ name: 'line.ready', at: 1, data: {} }, 'x', '/x'));
    expect(await bobsPanel.acknowledged()).toEqual(['x']);
    // who may come back gets a credential that the revocation does not reach
    const again = await one.signIn('ada');
    const after = (await (await one.fetch('/v1/credentials', { method: 'POST', token: again.token })).json()) as {
      sip: { expiresAt: number };
    };
    expect(after.sip.expiresAt).toBeGreaterThan(before.sip.expiresAt);
  });

  it('uses up the pairing codes that were handed out before', async () => {
    const one = await relay();
    const { code } = await one.relay.createPairingCode('acme', 'ada');
    const bobs = await one.relay.createPairingCode('acme', 'bob');
    await one.fetch('/v1/admin/agents/acme/ada/revoke', { json: {}, token: adminToken });
    const redeem = async (typed: string) =>
      (
        await one.fetch('/v1/sessions', {
          json: { device: randomUUID(), proof: { kind: 'pairing-code', code: typed } },
        })
      ).status;
    expect(await redeem(code)).toBe(403);
    expect(await redeem(bobs.code)).toBe(201);
  });

  it('reaches a socket of another relay at its next message', async () => {
    const folderOwner = await relay();
    const other = await relay(testConfig(), { folder: folderOwner.folder, liveTiming: { recheckMs: 0 } });
    const { token } = await folderOwner.signIn('ada');
    const panel = await other.connect(token);
    await folderOwner.fetch('/v1/admin/agents/acme/ada/revoke', { json: {}, token: adminToken });
    panel.publish(toEnvelope({ name: 'line.ready', at: 1, data: {} }, 'x', '/x'));
    // Whichever comes first: the look at the session before a message is taken, or the word from the other relay.
    expect([4401, 4403]).toContain((await panel.closed).code);
  });

  it('is refused for somebody who does not exist, and without the admin token', async () => {
    const one = await relay();
    expect((await one.fetch('/v1/admin/agents/acme/eve/revoke', { json: {}, token: adminToken })).status).toBe(400);
    expect((await one.fetch('/v1/admin/agents/acme/ada/revoke', { json: {} })).status).toBe(401);
  });
});
