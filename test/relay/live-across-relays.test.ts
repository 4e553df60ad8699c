/** Two relays on one database: what happens at one is seen at the other, with Redis and without. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newCallId } from '@patchcord/call-protocol';
import { Registry } from '@prometheus-io/client';
import { createClient } from '@redis/client';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLiveMetrics } from '../../server/src/live/live-metrics.ts';
import { RedisBackplane } from '../../server/src/live/redis-backplane.ts';
import { createLog } from '../../server/src/logging.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
  phoneKey,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';
import { EventStream } from './event-stream.ts';
import { type RedisServer, startRedis } from './redis-server.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.remove());

let cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.reverse()) await clean();
  cleanups = [];
});

const people = [
  { id: 'ada', name: 'Ada Byron', extension: '1001', crmUserId: '005000000000001' },
  { id: 'eve', name: 'Eve Lead', extension: '1003', crmUserId: '005000000000003', role: 'supervisor' },
] as const;

async function twoRelays(redisUrl?: string): Promise<readonly [RelayInTest, RelayInTest]> {
  const folder = await mkdtemp(join(tmpdir(), 'patchcord-two-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true }));
  const start = async (): Promise<RelayInTest> => {
    const config = testConfig({
      tenants: [testTenant({ agents: people })],
      ...(redisUrl === undefined ? {} : { redisUrl }),
    });
    const one = await startRelayInTest(config, { folder });
    cleanups.push(() => one.closed());
    return one;
  };
  return [await start(), await start()];
}

async function board(one: RelayInTest): Promise<EventStream> {
  const { token } = await one.signIn('eve');
  const url = `${one.relay.url}/v1/live/events`;
  const stream = await EventStream.open(url, phoneKey.headers({ method: 'GET', url, token }));
  cleanups.push(() => stream.close());
  return stream;
}

const joined = (one: RelayInTest): Promise<unknown> =>
  expect
    .poll(async () => ((await (await one.fetch('/readyz')).json()) as { reasons: string[] }).reasons.join())
    .not.toContain('Redis');

describe.each([
  ['with Redis', true],
  ['without Redis', false],
])('two relays %s', (_name, withRedis) => {
  async function stage(): Promise<readonly [RelayInTest, RelayInTest]> {
    const both = await twoRelays(withRedis ? redis.url : undefined);
    if (withRedis) await Promise.all(both.map(joined));
    return both;
  }

  it('show the calls of one on the boards of the other, in order', async () => {
    const [here, there] = await stage();
    const stream = await board(there);
    const panel = await here.connect((await here.signIn('ada')).token);
    const calls = [randomUUID(), randomUUID(), randomUUID()];
    for (const call of calls) {
      panel.publish(...envelopes(call, answeredCall));
      await panel.acknowledged();
    }
    await stream.until(() =>
      calls.every((call) => stream.events.filter(({ event }) => event.subject === call).length >= 4),
    );
    for (const call of calls)
      expect(
        stream.events
          .filter(({ event }) => event.subject === call)
          .slice(0, 4)
          .map(({ seq }) => seq),
      ).toEqual([1, 2, 3, 4]);
  });

  it('end the sockets and streams of a revoked agent on both, and those of nobody else', async () => {
    const [here, there] = await stage();
    const { token } = await there.signIn('ada');
    const panel = await there.connect(token);
    const bystander = await board(there);
    const answer = await here.fetch('/v1/admin/agents/acme/ada/revoke', { json: {}, token: adminToken });
    expect(answer.status).toBe(200);
    expect(await panel.closed).toMatchObject({ code: 4403 });
    expect((await there.fetch('/v1/profile', { token })).status).toBe(401);
    const late = Symbol('open');
    expect(await Promise.race([bystander.ended, Promise.resolve(late)])).toBe(late);
  });
});

it('a log that one relay writes is told to the agent’s panel at the other', async () => {
  const [here, there] = await twoRelays(redis.url);
  await Promise.all([here, there].map(joined));
  const panel = await here.connect((await here.signIn('ada')).token);
  const second = await there.connect((await there.signIn('ada')).token);
  const call = randomUUID();
  panel.publish(...envelopes(call, answeredCall));
  const [one, other] = await Promise.all([panel.event('log.saved'), second.event('log.saved')]);
  expect(one).toEqual(other);
});

it('a supervisor at another relay hears their own call’s transcript once, and everybody else’s', async () => {
  const [here, there] = await twoRelays(redis.url);
  await Promise.all([here, there].map(joined));
  const panel = await there.connect((await there.signIn('eve')).token);
  const tell = (agent: string, line: number): void =>
    here.relay.transcript.tell('acme', agent, newCallId(), {
      line,
      speaker: 'far-side',
      text: 'Good morning',
      startMs: 0,
      endMs: 900,
      final: false,
    });
  const next = async (): Promise<number> => ((await panel.event('transcript.partial')).data as { line: number }).line;
  // Until the other relay hears: what is told before that is lost.
  const heard: number[] = [];
  void next().then((line) => heard.push(line));
  await expect
    .poll(() => {
      tell('ada', 1);
      return heard;
    })
    .toEqual([1]);
  tell('eve', 7);
  tell('ada', 8);
  tell('eve', 9);
  while (heard.at(-1) !== 9) heard.push(await next());
  expect(heard.filter((line) => line > 1)).toEqual([7, 8, 9]);
});

describe('the Redis backplane', () => {
  function backplane(deployment: string, url = redis.url, log = createLog('silent')): RedisBackplane {
    const metrics = createLiveMetrics(new Registry());
    const one = new RedisBackplane({ url, deployment, metrics, log });
    cleanups.push(() => one.close());
    return one;
  }
  const news = { kind: 'committed', tenant: 'acme' } as never;
  const up = (one: RedisBackplane): Promise<unknown> => expect.poll(() => one.status()).toBe('joined');

  it('reaches who subscribes, not who doesn’t, nor another deployment, nor itself', async () => {
    const deployment = randomUUID();
    const [sender, near, far] = [backplane(deployment), backplane(deployment), backplane(randomUUID())];
    const heard: string[] = [];
    for (const [name, one] of Object.entries({ sender, near, far })) {
      one.onNews(({ kind }) => heard.push(`${name} ${kind}`));
      one.subscribe('tenant:acme');
    }
    near.subscribe('tenant:other');
    near.unsubscribe('tenant:other');
    await Promise.all([sender, near, far].map(up));
    sender.publish('tenant:other', news);
    sender.publish('tenant:acme', news);
    await expect.poll(() => heard).toEqual(['near committed']);
  });

  it('says how many others listen, so that a wish to dial is not sent where no phone is open', async () => {
    const [here, there] = [backplane('one'), backplane('one')];
    await expect.poll(() => [here, there].map((one) => one.status())).toEqual(['joined', 'joined']);
    expect(await here.listeners('agent:acme:ada')).toBe(0);
    there.subscribe('agent:acme:ada');
    await expect.poll(() => here.listeners('agent:acme:ada')).toBe(1);
    here.subscribe('agent:acme:ada');
    await expect.poll(() => there.listeners('agent:acme:ada')).toBe(1);
    expect(await here.listeners('agent:acme:ada')).toBe(1);
    there.unsubscribe('agent:acme:ada');
    await expect.poll(() => here.listeners('agent:acme:ada')).toBe(0);
  });

  it('goes on where Redis does not let it count who listens, and says so once', async () => {
    const admin = createClient({ url: redis.url });
    await admin.connect();
    cleanups.push(() => admin.close());
    // As many a provider has it: everything a relay needs but the counting.
    await admin.sendCommand(['ACL', 'SETUSER', 'relay', 'on', '>pw', '&*', '+@all', '-pubsub']);
    const url = redis.url.replace('redis://', 'redis://relay:pw@');
    const log = createLog('silent');
    const said = vi.spyOn(log, 'warn');
    const [one, other] = [backplane('counting', url, log), backplane('counting')];
    await Promise.all([one, other].map(up));
    const statuses: string[] = [];
    one.onStatus((status) => statuses.push(status));
    const heard: string[] = [];
    other.onNews(({ kind }) => heard.push(kind));
    other.subscribe('tenant:acme');
    await expect.poll(() => admin.sendCommand(['PUBSUB', 'NUMSUB', 'patchcord:counting:tenant:acme'])).toContain(1);
    expect(await Promise.all([one.listeners('agent:acme:ada'), one.listeners('agent:acme:ada')])).toEqual([null, null]);
    one.publish('tenant:acme', news);
    await expect.poll(() => heard).toEqual(['committed']);
    expect(statuses).toEqual([]);
    expect(said.mock.calls.map(([, text]) => text)).toEqual([expect.stringContaining('+pubsub|numsub')]);
  });

  it('leaves out what is no message of ours', async () => {
    const deployment = randomUUID();
    const [one, other] = [backplane(deployment), backplane(deployment)];
    const heard: string[] = [];
    one.onNews(({ kind }) => heard.push(kind));
    one.subscribe('tenant:acme');
    await Promise.all([one, other].map(up));
    for (const wrong of [{ kind: 'event', tenant: 'acme' }, { kind: 'ended', code: 1 }, 'text', null])
      other.publish('tenant:acme', wrong as never);
    other.publish('tenant:acme', news);
    await expect.poll(() => heard).toEqual(['committed']);
  });
});
