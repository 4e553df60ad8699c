import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PatchcordError } from '@patchcord/call-protocol';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it } from 'vitest';
import { createLog } from '../../../server/src/logging.ts';
import { type Receiver, startReceiver } from './http-receiver.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
  type Life,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from './relay-in-test.ts';

let cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});
async function relay(...options: Parameters<typeof startRelayInTest>): Promise<RelayInTest> {
  const one = await startRelayInTest(...options);
  cleanups.push(one.closed);
  return one;
}
async function receiver(...options: Parameters<typeof startReceiver>): Promise<Receiver> {
  const one = await startReceiver(...options);
  cleanups.push(() => one.close());
  return one;
}
async function publishCall(one: RelayInTest, callId: string = randomUUID()) {
  const { token } = await one.signIn();
  const panel = await one.connect(token);
  panel.publish(...envelopes(callId, answeredCall));
  await panel.acknowledged();
  return { callId, panel, token };
}
async function historyOf(one: RelayInTest, token: string) {
  return ((await (await one.fetch('/v1/calls', { token })).json()) as { calls: { log: string; logReason?: string }[] })
    .calls;
}
async function metric(one: RelayInTest, pattern: RegExp): Promise<string | undefined> {
  return pattern.exec(await (await one.fetch('/metrics')).text())?.[1];
}

/** The first write of a log is an old one, made by a relay that stood still for longer than its lease, while another wrote the newest and was done. */
function overtaken(one: RelayInTest, then: (database: DatabaseSync) => void): { count(): number } {
  const database = new DatabaseSync(join(one.folder, 'patchcord.sqlite'));
  cleanups.push(async () => database.close());
  const writeLog = one.crm.writeLog.bind(one.crm);
  let writes = 0;
  Object.assign(one.crm, {
    writeLog: async (...args: Parameters<typeof writeLog>) => {
      writes += 1;
      if (writes > 1) return writeLog(...args);
      database.exec("delete from outbox where kind = 'crm.log'");
      const logId = await writeLog({ ...args[0], note: 'old' }, args[1], args[2]);
      then(database);
      return logId;
    },
  });
  return { count: () => writes };
}

const away = new PatchcordError('crm.unavailable', 'The CRM answered 500.', { retryable: true });

describe('the log of a call', () => {
  it('is written once through faults before and after the write', async () => {
    const one = await relay();
    one.crm.fail({ when: 'before', error: away, times: 2 });
    one.crm.fail({
      when: 'before',
      error: new PatchcordError('crm.rate-limited', 'Slower.', { retryable: true, retryAfterMs: 30 }),
    });
    one.crm.fail({ when: 'after', error: away, times: 2 });
    const { callId, panel, token } = await publishCall(one);
    const failed = await panel.event('log.failed');
    expect(failed.data).toEqual({ reason: 'The CRM answered 500.', retrying: true });
    const saved = await panel.event('log.saved');
    expect(one.crm.logs()).toHaveLength(1);
    expect(saved.data).toMatchObject({ logId: one.crm.logs()[0]?.id });
    expect(await historyOf(one, token)).toMatchObject([{ callId, log: 'saved' }]);
    expect(await metric(one, /patchcord_deliveries_total\{kind="crm\.log",result="retried"\} (\d+)/)).toBe('5');
    expect(await metric(one, /patchcord_calls_total\{direction="inbound",outcome="answered"\} (\d+)/)).toBe('1');
  });

  it('gets the record that alone has the number, when the panel could not say', async () => {
    const one = await relay();
    const { panel } = await publishCall(one);
    await panel.event('log.saved');
    expect(one.crm.logs()).toMatchObject([{ record: 'Contact:003000000000001' }]);
  });

  it('gets no record when several have the number: the choice is the agent’s', async () => {
    const one = await relay();
    one.crm.addRecord({ object: 'Contact', id: 'other', name: 'Somebody Else', numbers: ['+14155550101'] });
    const { panel } = await publishCall(one);
    await panel.event('log.saved');
    expect(one.crm.logs()).toMatchObject([{ record: null }]);
  });

  it('is written without a record rather than never, when the search keeps failing', async () => {
    const one = await relay();
    one.crm.fail({ when: 'search', error: away, times: 3 });
    const { panel } = await publishCall(one);
    await panel.event('log.saved');
    expect(one.crm.logs()).toMatchObject([{ record: null }]);
  });

  it('is given up when the CRM refuses it, says why, and is written when an administrator asks again', async () => {
    const one = await relay();
    one.crm.fail({
      when: 'before',
      error: new PatchcordError('crm.invalid', 'The field Call_Type__c does not exist.'),
    });
    const { callId, panel, token } = await publishCall(one);
    expect((await panel.event('log.failed')).data).toEqual({
      reason: 'The field Call_Type__c does not exist.',
      retrying: false,
    });
    expect(await historyOf(one, token)).toMatchObject([
      { log: 'failed', logReason: 'The field Call_Type__c does not exist.' },
    ]);
    const list = (await (await one.fetch('/v1/admin/deliveries?tenant=acme', { token: adminToken })).json()) as {
      deliveries: { id: string; callId: string; reason: string }[];
    };
    expect(list.deliveries).toMatchObject([{ callId, kind: 'crm.log', attempts: 1 }]);
    const id = list.deliveries[0]?.id;
    expect((await one.fetch('/v1/admin/deliveries/retry', { json: { id }, token: adminToken })).status).toBe(202);
    await panel.event('log.saved');
    expect((await one.fetch('/v1/admin/deliveries/retry', { json: { id }, token: adminToken })).status).toBe(400);
    expect(one.crm.logs()).toHaveLength(1);
  });

  it('outlives an outage of any number of attempts', async () => {
    const one = await relay(
      testConfig({ delivery: { leaseMs: 5_000, firstRetryMs: 1, longestRetryMs: 2, attempts: 3 } }),
    );
    one.crm.fail({ when: 'before', error: away, times: 50 });
    const { panel } = await publishCall(one);
    expect((await panel.event('log.failed')).data).toMatchObject({ retrying: true });
    await panel.event('log.saved');
    expect(one.crm.logs()).toHaveLength(1);
    expect(await metric(one, /patchcord_deliveries_total\{kind="crm\.log",result="retried"\} (\d+)/)).toBe('50');
    expect(await metric(one, /patchcord_deliveries_total\{kind="crm\.log",result="dead"\} (\d+)/)).toBeUndefined();
  });

  it('is written once more when the relay had lost it to another, also when its own write only seemed to fail', async () => {
    const one = await relay(
      testConfig({ delivery: { leaseMs: 5_000, firstRetryMs: 60_000, longestRetryMs: 60_000, attempts: 20 } }),
    );
    const write = overtaken(one, () => {
      throw away;
    });
    await publishCall(one);
    await expect.poll(write.count, { timeout: 10_000 }).toBe(2);
    await expect.poll(() => one.crm.logs().map(({ note }) => note.includes('old'))).toEqual([false]);
  });

  it('is written once more when the store was away as it was to be settled: nobody knows whose it was by then', async () => {
    const one = await relay(
      testConfig({ delivery: { leaseMs: 5_000, firstRetryMs: 20, longestRetryMs: 40, attempts: 20 } }),
    );
    const write = overtaken(one, (database) => {
      database.exec('alter table outbox rename to outbox_away');
      setTimeout(() => database.exec('alter table outbox_away rename to outbox'), 200);
    });
    await publishCall(one);
    await expect.poll(write.count, { timeout: 10_000 }).toBe(2);
    await expect.poll(() => one.crm.logs().map(({ note }) => note.includes('old'))).toEqual([false]);
  });

  it('does not take a fault of the relay, or its own gate, for a sign that the CRM is back', async () => {
    const lines: string[] = [];
    const log = createLog('info', { write: (line) => void lines.push(line) });
    const one = await relay(
      testConfig({ delivery: { leaseMs: 5_000, firstRetryMs: 20, longestRetryMs: 40, attempts: 20 } }),
      { log },
    );
    const back = () => lines.filter((line) => line.includes('the CRM is back')).length;
    const { writeLogs } = one.crm;
    const writeLog = one.crm.writeLog.bind(one.crm);
    const findByNumber = one.crm.findByNumber.bind(one.crm);
    if (writeLogs === undefined) throw new Error('the memory CRM takes batches');
    let open = false;
    let searches = 0;
    Object.assign(one.crm, {
      writeLog: async (...args: Parameters<typeof writeLog>) => {
        if (!open) throw away;
        return writeLog(...args);
      },
      writeLogs: async (...args: Parameters<typeof writeLogs>) => {
        if (!open) throw away;
        return writeLogs(...args);
      },
      findByNumber: async (...args: Parameters<typeof findByNumber>) => {
        searches += 1;
        if (open) return findByNumber(...args);
        if (searches <= 3) throw away;
        throw searches % 2 === 0
          ? new PatchcordError('crm.rate-limited', 'Asked as fast as it allows.', { retryable: true, retryAfterMs: 1 })
          : new PatchcordError('store.unavailable', 'The store is away.', { retryable: true });
      },
    });
    for (let call = 0; call < 6; call += 1) await publishCall(one);
    await expect.poll(() => searches, { timeout: 20_000 }).toBeGreaterThan(9);
    expect(back()).toBe(0);
    open = true;
    await expect.poll(() => one.crm.logs().length, { timeout: 20_000 }).toBe(6);
    await expect.poll(back).toBe(1);
  }, 60_000);

  it('is parked while the CRM does not let the relay in, and written once it does', async () => {
    let now = Date.now();
    const one = await relay(
      testConfig({ delivery: { leaseMs: 5_000, firstRetryMs: 1, longestRetryMs: 2, attempts: 1 } }),
      { now: () => now },
    );
    const refreshToken = new PatchcordError('crm.not-authentic', 'The refresh token has expired.');
    one.crm.fail({ when: 'before', error: refreshToken, times: 2 });
    const tries = () => metric(one, /patchcord_deliveries_total\{kind="crm\.log",result="retried"\} (\d+)/);
    const { panel } = await publishCall(one);
    expect((await panel.event('log.failed')).data).toEqual({
      reason: 'The refresh token has expired.',
      retrying: true,
    });
    now += 19_000;
    // another log of the tenant does not even try: the CRM would refuse it as well
    panel.publish(...envelopes(randomUUID(), answeredCall));
    await panel.acknowledged();
    expect(await tries()).toBe('1');
    now += 2_000;
    await expect.poll(tries, { timeout: 10_000 }).toBe('2');
    expect(one.crm.logs()).toEqual([]);
    now += 41_000;
    await panel.event('log.saved');
    await panel.event('log.saved');
    expect(one.crm.logs()).toHaveLength(2);
  });

  it('is written when an administrator asks for everything of a tenant again', async () => {
    const one = await relay();
    one.crm.fail({ when: 'before', error: new PatchcordError('crm.invalid', 'No.'), times: 2 });
    const { panel } = await publishCall(one);
    await panel.event('log.failed');
    panel.publish(...envelopes(randomUUID(), answeredCall));
    await panel.event('log.failed');
    const retry = (json: unknown) => one.fetch('/v1/admin/deliveries/retry', { json, token: adminToken });
    expect((await retry({ tenant: 'nobody' })).status).toBe(400);
    const response = await retry({ tenant: 'acme' });
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({ tenant: 'acme', retried: 2 });
    await panel.event('log.saved');
    await panel.event('log.saved');
    expect(one.crm.logs()).toHaveLength(2);
  });

  it('keeps the record found for it, also when others get the same number or the search fails later', async () => {
    const one = await relay();
    const { callId, panel, token } = await publishCall(one);
    await panel.event('log.saved');
    const record = { object: 'Contact', id: '003000000000001' };
    expect(await historyOf(one, token)).toMatchObject([{ callId, record }]);
    one.crm.addRecord({ object: 'Contact', id: 'other', name: 'Somebody Else', numbers: ['+14155550101'] });
    panel.publish(...envelopes(callId, [{ name: 'wrap-up.submitted', data: { note: 'two now' } }], 5));
    await panel.event('log.saved');
    expect(one.crm.logs()).toMatchObject([{ record: 'Contact:003000000000001' }]);
    one.crm.fail({ when: 'search', error: away, times: 100 });
    panel.publish(...envelopes(callId, [{ name: 'wrap-up.submitted', data: { note: 'no search' } }], 6));
    await panel.event('log.saved');
    expect(one.crm.logs()).toMatchObject([{ record: 'Contact:003000000000001' }]);
    const chosen = { crm: 'memory', object: 'Contact', id: 'other', name: 'Somebody Else' };
    panel.publish(...envelopes(callId, [{ name: 'record.chosen', data: { record: chosen, by: 'agent' } }], 7));
    await panel.event('log.saved');
    expect(one.crm.logs()).toMatchObject([{ record: 'Contact:other' }]);
  });

  it('keeps the record found for it when the relay could not say that the write succeeded', async () => {
    const one = await relay();
    const { crm } = one;
    const writeLog = crm.writeLog.bind(crm);
    let writes = 0;
    Object.assign(crm, {
      writeLog: async (...args: Parameters<typeof writeLog>) => {
        writes += 1;
        const id = await writeLog(...args);
        if (writes > 1) return id;
        crm.addRecord({ object: 'Contact', id: 'other', name: 'Somebody Else', numbers: ['+14155550101'] });
        throw away;
      },
    });
    const { panel } = await publishCall(one);
    await panel.event('log.saved');
    expect(writes).toBe(2);
    expect(one.crm.logs()).toMatchObject([{ record: 'Contact:003000000000001' }]);
  });

  it('is revived by a change of the call', async () => {
    const one = await relay();
    one.crm.fail({ when: 'before', error: new PatchcordError('crm.invalid', 'No.') });
    const { callId, panel } = await publishCall(one);
    await panel.event('log.failed');
    panel.publish(...envelopes(callId, [{ name: 'wrap-up.submitted', data: { disposition: 'won' } }], 5));
    await panel.event('log.saved');
    expect(one.crm.logs()).toHaveLength(1);
  });

  it('is written again, into the same log, when the agent adds to it; changes made meanwhile go out as one', async () => {
    const one = await relay();
    const { callId, panel } = await publishCall(one);
    await panel.event('log.saved');
    const [first] = one.crm.logs();
    let begun = (): void => {};
    const writing = new Promise<void>((resolve) => {
      begun = resolve;
    });
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const writeLog = one.crm.writeLog.bind(one.crm);
    const notes: string[] = [];
    Object.assign(one.crm, {
      writeLog: async (...args: Parameters<typeof writeLog>) => {
        notes.push(args[0].note);
        begun();
        await held;
        return writeLog(...args);
      },
    });
    const submit = (n: number) =>
      panel.publish(...envelopes(callId, [{ name: 'wrap-up.submitted', data: { note: `note ${n}` } }], n));
    submit(5);
    await writing;
    for (let n = 6; n < 16; n += 1) submit(n);
    for (let n = 5; n < 16; n += 1) await panel.acknowledged();
    release();
    await expect.poll(() => one.crm.logs()[0]?.note).toContain('note 15');
    expect(notes).toEqual(['note 5', 'note 15']);
    expect(one.crm.logs().map(({ id }) => id)).toEqual([first?.id]);
  });

  it('waits a little for drafts of a note, and for nothing once they are submitted', async () => {
    const one = await relay();
    const { callId, panel, token } = await publishCall(one);
    await panel.event('log.saved');
    for (let n = 5; n < 9; n += 1)
      panel.publish(...envelopes(callId, [{ name: 'wrap-up.saved', data: { note: `draft ${n}` } }], n));
    for (let n = 5; n < 9; n += 1) await panel.acknowledged();
    expect(one.crm.logs()[0]?.note).not.toContain('draft');
    expect(await historyOf(one, token)).toMatchObject([{ log: 'waiting' }]);
    panel.publish(...envelopes(callId, [{ name: 'wrap-up.submitted', data: {} }], 9));
    await panel.event('log.saved');
    expect(one.crm.logs()[0]?.note).toContain('draft 8');
  });

  it('does not wait for the logs of other calls that the CRM is slow with', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = randomUUID();
    const one = await relay(testConfig(), {});
    const written: string[] = [];
    let begun = false;
    const { crm } = one;
    const writeLog = crm.writeLog.bind(crm);
    Object.assign(crm, {
      writeLog: async (...args: Parameters<typeof writeLog>) => {
        if (args[0].callId === slow) {
          begun = true;
          await held;
        }
        written.push(args[0].callId);
        return writeLog(...args);
      },
    });
    const { panel } = await publishCall(one, slow);
    await expect.poll(() => begun).toBe(true);
    const quick = randomUUID();
    panel.publish(...envelopes(quick, answeredCall));
    expect((await panel.event('log.saved')).subject).toBe(quick);
    release();
    expect((await panel.event('log.saved')).subject).toBe(slow);
    expect(written).toEqual([quick, slow]);
  });

  it('is held by a relay that works on it, however long the CRM takes', async () => {
    let writes = 0;
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const one = await relay(
      testConfig({ delivery: { leaseMs: 150, firstRetryMs: 5, longestRetryMs: 50, attempts: 20 } }),
    );
    const { crm } = one;
    const writeLog = crm.writeLog.bind(crm);
    Object.assign(crm, {
      writeLog: async (...args: Parameters<typeof writeLog>) => {
        writes += 1;
        await held;
        return writeLog(...args);
      },
    });
    const other = await relay(
      testConfig({ delivery: { leaseMs: 150, firstRetryMs: 5, longestRetryMs: 50, attempts: 20 } }),
      {
        folder: one.folder,
        connectCrm: () => crm,
      },
    );
    const { panel } = await publishCall(one);
    // Another relay on the same store looks all the time and must not find it.
    for (let look = 0; look < 40; look += 1) {
      await other.fetch('/readyz');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(writes).toBe(1);
    release();
    await panel.event('log.saved');
    expect(one.crm.logs()).toHaveLength(1);
  });

  it('is written also when its agent left the configuration meanwhile', async () => {
    const one = await relay();
    one.crm.fail({ when: 'before', error: away, times: 1_000 });
    const { callId, panel } = await publishCall(one);
    await panel.event('log.failed');
    await one.relay.close();
    const config = testConfig({
      tenants: [testTenant({ agents: testTenant().agents.filter(({ id }) => id !== 'ada') })],
    });
    const back = await relay(config, { folder: one.folder });
    await expect.poll(() => back.crm.logs()).toMatchObject([{ callId, owner: '005000000000001' }]);
  });

  it('is not lost when the relay stops while the CRM is away', async () => {
    const one = await relay();
    one.crm.fail({ when: 'before', error: away, times: 1_000 });
    const { callId } = await publishCall(one);
    await one.relay.close();
    const back = await relay(testConfig(), { folder: one.folder });
    await expect.poll(() => back.crm.logs()).toMatchObject([{ callId }]);
  });
});

describe('the log of a consult call', () => {
  const start = Date.now();
  const colleague = { number: '1002' };
  /** The first call lives and the consult call is over, with the relay's clock in the test's hands. */
  async function consulted() {
    let now = start;
    const one = await relay(testConfig(), { now: () => now });
    const panel = await one.connect((await one.signIn()).token);
    const [first, consult] = [randomUUID(), randomUUID()];
    const firstCall = (name: Life['name'], data: unknown, n: number) =>
      panel.publish(...envelopes(first, [{ name, data }], n, start));
    panel.publish(
      ...envelopes(first, answeredCall.slice(0, 3), 1, start - 60_000),
      ...envelopes(
        consult,
        [
          { name: 'call.started', data: { direction: 'outbound', farSide: colleague, consultFor: first } },
          { name: 'call.answered', data: {} },
          { name: 'call.ended', data: { outcome: 'answered', reason: 'They hung up', by: 'far-side' } },
        ],
        1,
        start - 10_000,
      ),
    );
    await panel.acknowledged();
    const pass = async (ms: number) => {
      now += ms;
      // Another call's log goes through the same outbox: what was due before it has been looked at when it is there.
      const other = randomUUID();
      panel.publish(...envelopes(other, answeredCall, 1, start));
      await panel.next((message) => message.type === 'event' && message.event.subject === other);
    };
    const logged = () => one.crm.logs().some(({ callId }) => callId === consult);
    return { one, panel, first, consult, firstCall, pass, logged };
  }
  const ended = { outcome: 'answered', reason: 'You hung up', by: 'agent' };

  it('waits while a transfer may still be confirmed, and is never written when it is', async () => {
    const { panel, first, consult, firstCall, pass, logged } = await consulted();
    await pass(6_000);
    await pass(50_000);
    expect(logged()).toBe(false);
    firstCall('call.transferred', { to: '1002', kind: 'attended' }, 4);
    panel.publish(...envelopes(consult, [{ name: 'call.joined', data: { with: first } }], 4, start));
    firstCall('call.ended', ended, 5);
    await pass(4_000);
    await pass(200_000);
    expect(logged()).toBe(false);
  });

  it('is not written between the end of a transferred call and the word that both were joined', async () => {
    const { firstCall, pass, logged } = await consulted();
    firstCall('call.transferred', { to: '1002', kind: 'attended' }, 4);
    firstCall('call.ended', ended, 5);
    await pass(20_000);
    expect(logged()).toBe(false);
  });

  it('is written soon after the first call ended without a transfer', async () => {
    const { firstCall, pass, logged } = await consulted();
    await pass(6_000);
    firstCall('call.ended', ended, 4);
    await pass(5_000);
    await expect.poll(logged).toBe(true);
  });

  it('is written when the transfer failed after all', async () => {
    const { firstCall, pass, logged } = await consulted();
    await pass(6_000);
    firstCall('call.transfer-failed', { to: '1002', reason: 'Busy' }, 4);
    await pass(5_000);
    await expect.poll(logged).toBe(true);
  });

  it('is written after two minutes, whatever the first call does', async () => {
    const { pass, logged } = await consulted();
    await pass(110_000);
    expect(logged()).toBe(false);
    await pass(20_000);
    await expect.poll(logged).toBe(true);
  });
});

describe('webhooks', () => {
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const previousSecret = `whsec_${randomBytes(32).toString('base64')}`;
  const withHooks = (...webhooks: NonNullable<Parameters<typeof testTenant>[0]>['webhooks'] & object) =>
    testConfig({ tenants: [testTenant({ webhooks: webhooks.map((one) => ({ allowPrivate: true, ...one })) })] });

  it('carry every event once as a signed CloudEvent, also the relay’s own', async () => {
    const hook = await receiver();
    const one = await relay(withHooks({ url: `${hook.url}/hook`, secret, previousSecret }));
    const { callId } = await publishCall(one);
    await expect.poll(() => hook.received.length).toBe(answeredCall.length + 2);
    const types = hook.received.map(({ body }) => (JSON.parse(body) as { type: string }).type).sort();
    expect(types).toEqual(
      [...answeredCall.map(({ name }) => name), 'record.chosen', 'log.saved']
        .map((name) => `dev.patchcord.${name}.v1`)
        .sort(),
    );
    for (const { headers, body, path } of hook.received) {
      expect(path).toBe('/hook');
      expect(headers['content-type']).toContain('application/cloudevents+json');
      for (const key of [secret, previousSecret]) new Webhook(key).verify(body, headers as Record<string, string>);
      expect(() => new Webhook(secret).verify(`${body} `, headers as Record<string, string>)).toThrow();
      expect(JSON.parse(body)).toMatchObject({ specversion: '1.0', subject: callId });
    }
    expect(new Set(hook.received.map(({ headers }) => headers['webhook-id'])).size).toBe(hook.received.length);
  });

  it('are tried again under the same id until they are taken, and honour Retry-After', async () => {
    const hook = await receiver((_request, index) =>
      index === 0
        ? { status: 500 }
        : index === 1
          ? null
          : index === 2
            ? { status: 429, headers: { 'retry-after': '0' } }
            : { status: 200 },
    );
    const one = await relay(withHooks({ url: hook.url, secret, events: ['call.ended'] }));
    await publishCall(one);
    await expect.poll(() => hook.received.length).toBe(4);
    expect(new Set(hook.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(hook.received.map(({ body }) => body)).size).toBe(1);
  });

  it('stop at once for an endpoint that is gone for good, and never follow a redirect', async () => {
    const elsewhere = await receiver();
    const gone = await receiver(() => ({ status: 410 }));
    const moved = await receiver((_request, index) =>
      index < 2 ? { status: 307, headers: { location: elsewhere.url } } : { status: 200 },
    );
    const one = await relay(
      withHooks({ url: gone.url, secret, events: ['call.ended'] }, { url: moved.url, secret, events: ['call.ended'] }),
    );
    await publishCall(one);
    await expect.poll(() => moved.received.length).toBe(3);
    expect(gone.received).toHaveLength(1);
    expect(elsewhere.received).toHaveLength(0);
    expect(await metric(one, /patchcord_outbox_effects\{kind="webhook",state="dead"\} (\d+)/)).toBe('1');
  });

  it('are given up after as many attempts as configured', async () => {
    const hook = await receiver(() => ({ status: 500 }));
    const one = await relay({
      ...withHooks({ url: hook.url, secret, events: ['call.ended'] }),
      delivery: { leaseMs: 5_000, firstRetryMs: 1, longestRetryMs: 2, attempts: 3 },
    });
    await publishCall(one);
    await expect.poll(() => metric(one, /patchcord_outbox_effects\{kind="webhook",state="dead"\} (\d+)/)).toBe('1');
    expect(hook.received).toHaveLength(3);
  });

  it('ask an endpoint that is down with one event at a time, and go out together once it is back', async () => {
    let back = false;
    let atOnce = 0;
    let most = 0;
    let failures = 0;
    const hook = createServer((request, response) => {
      request.resume();
      atOnce += 1;
      // The first ones of the six calls may go together: nobody knows yet.
      if (failures >= 11) most = Math.max(most, atOnce);
      setImmediate(() => {
        atOnce -= 1;
        if (!back) failures += 1;
        response.writeHead(back ? 204 : 503).end();
      });
    });
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}`;
    const one = await relay({
      ...withHooks({ url, secret }),
      delivery: { leaseMs: 5_000, firstRetryMs: 1, longestRetryMs: 2, attempts: 1_000 },
    });
    cleanups.push(
      () =>
        new Promise((resolve) => {
          hook.close(() => resolve());
          hook.closeAllConnections();
        }),
    );
    for (let call = 0; call < 6; call += 1) await publishCall(one);
    await expect.poll(() => failures, { timeout: 20_000 }).toBeGreaterThan(14);
    expect(most).toBe(1);
    back = true;
    await expect
      .poll(() => metric(one, /patchcord_outbox_effects\{kind="webhook",state="waiting"\} (\d+)/), { timeout: 20_000 })
      .toBeUndefined();
  }, 60_000);

  it('do not hold the log back', async () => {
    // Takes every connection and answers none.
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const one = await relay(withHooks({ url: `http://127.0.0.1:${port}`, secret }));
    // Before the relay: it would wait for what is under way.
    cleanups.push(
      () =>
        new Promise((resolve) => {
          silent.close(() => resolve());
          silent.closeAllConnections();
        }),
    );
    const { panel } = await publishCall(one);
    await panel.event('log.saved');
    for (let call = 0; call < 10; call += 1) panel.publish(...envelopes(randomUUID(), answeredCall));
    for (let call = 0; call < 10; call += 1) await panel.event('log.saved');
    expect(one.crm.logs()).toHaveLength(11);
  });
});

describe('telling the SIP edge of a revocation', () => {
  const withEdge = (kamailioRpcUrl: string) =>
    testConfig({
      tenants: [
        testTenant({
          sip: { ...testTenant().sip, revocation: { kamailioRpcUrl, kamailioRpcToken: 'Bearer edge-token' } },
        }),
      ],
    });
  const revoke = async (one: RelayInTest) => {
    const { token } = await one.signIn();
    const minted = (await (await one.fetch('/v1/credentials', { method: 'POST', token })).json()) as {
      sip: { expiresAt: number };
    };
    const response = await one.fetch('/v1/admin/agents/acme/ada/revoke', { json: {}, token: adminToken });
    return { minted, result: (await response.json()) as { edge: string } };
  };
  /** A connection that breaks is tried again at once, this often; only then it counts as away. */
  const tries = 3;
  /** What a revocation tells; the rules for calls go the same way. */
  const isRevocation = (body: string) => body.includes('"denied') || body.includes('"ul.rm"');
  const calls = (edge: Receiver) =>
    edge.received
      .filter(({ body }) => isRevocation(body))
      .map(({ body }) => JSON.parse(body) as { method: string; params: (string | number)[] });

  it('denies every credential that was given out and removes the registrations', async () => {
    const edge = await receiver((request) => ({
      status: 200,
      body: request.body.includes('ul.rm')
        ? '{"jsonrpc":"2.0","error":{"code":500,"message":"AOR not found"},"id":1}'
        : '{"jsonrpc":"2.0","result":{},"id":1}',
    }));
    const one = await relay(withEdge(`${edge.url}/RPC`));
    const { minted, result } = await revoke(one);
    expect(result.edge).toBe('done');
    const [deny, remove] = calls(edge);
    expect(deny).toMatchObject({
      method: 'htable.setxi',
      params: ['denied_until', '1001', expect.any(Number) as number, expect.any(Number) as number],
    });
    expect(Number(deny?.params[2]) * 1_000).toBeGreaterThanOrEqual(minted.sip.expiresAt);
    expect(remove).toMatchObject({ method: 'ul.rm', params: ['location', '1001'] });
    expect(edge.received.find(({ body }) => isRevocation(body))).toMatchObject({
      path: '/RPC',
      headers: { authorization: 'Bearer edge-token' },
    });
    // who may come back is given a credential that the edge does not refuse
    const again = await one.signIn();
    const fresh = (await (await one.fetch('/v1/credentials', { method: 'POST', token: again.token })).json()) as {
      sip: { expiresAt: number };
    };
    expect(fresh.sip.expiresAt).toBeGreaterThan(Number(deny?.params[2]) * 1_000);
  });

  it('goes on trying while the edge is away; the agent is out at once all the same', async () => {
    let told = 0;
    const edge = await receiver(({ body }) => {
      if (isRevocation(body)) told += 1;
      return told <= tries
        ? null
        : told === tries + 1
          ? { status: 200, body: '{"error":{"code":500,"message":"no such table"}}' }
          : { status: 200, body: '{"result":{}}' };
    });
    const one = await relay(withEdge(edge.url));
    const { result } = await revoke(one);
    expect(result.edge).toBe('retrying');
    await expect
      .poll(() => calls(edge).map(({ method }) => method))
      .toEqual([...Array<string>(tries + 2).fill('htable.setxi'), 'ul.rm']);
  });

  const without = (config: ReturnType<typeof testConfig>, agent: string) => ({
    ...config,
    tenants: config.tenants.map((one) => ({ ...one, agents: one.agents.filter(({ id }) => id !== agent) })),
  });

  it('goes on for an agent who left the configuration', async () => {
    let answers = false;
    const edge = await receiver(() => (answers ? { status: 200, body: '{"result":{}}' } : null));
    const one = await relay(withEdge(edge.url));
    expect((await revoke(one)).result.edge).toBe('retrying');
    await one.relay.close();
    const before = calls(edge).length;
    answers = true;
    const back = await relay(without(withEdge(edge.url), 'ada'), { folder: one.folder });
    const told = () =>
      calls(edge)
        .slice(before)
        .map(({ method, params }) => [method, ...params.slice(0, 2)]);
    const denied = ['htable.setxi', 'denied_until', '1001'];
    const removed = ['ul.rm', 'location', '1001'];
    // Reminded at the start, and told the whole of what had waited.
    await expect.poll(() => told().filter(([method]) => method === 'ul.rm')).toEqual([removed]);
    expect(told()).toContainEqual(denied);
    const soFar = told().length;
    expect(await back.relay.remindEdges()).toBe(0);
    expect(told().slice(soFar)).toEqual([denied]);
  });

  it('tells it again later, since the edge forgets its denials in a restart', async () => {
    const edge = await receiver(() => ({ status: 200, body: '{"result":{}}' }));
    const one = await relay(withEdge(edge.url));
    await revoke(one);
    expect(await one.relay.remindEdges()).toBe(0);
    const [first, , again] = calls(edge);
    expect(again?.params.slice(0, 3)).toEqual(first?.params.slice(0, 3));
  });
});
