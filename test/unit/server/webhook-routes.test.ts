import { randomBytes, randomUUID } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it } from 'vitest';
import { type Answer, type Receiver, startReceiver } from './http-receiver.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
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
const secret = `whsec_${randomBytes(32).toString('base64')}`;
const previousSecret = `whsec_${randomBytes(24).toString('base64')}`;
async function receiver(...options: Parameters<typeof startReceiver>): Promise<Receiver> {
  const one = await startReceiver(...options);
  cleanups.push(() => one.close());
  return one;
}
async function relay(...webhooks: NonNullable<ReturnType<typeof testTenant>['webhooks']>): Promise<RelayInTest> {
  const one = await startRelayInTest(testConfig({ tenants: [testTenant({ webhooks })] }));
  cleanups.push(one.closed);
  return one;
}
const admin = (one: RelayInTest, path: string, json?: unknown) =>
  one.fetch(path, { token: adminToken, ...(json === undefined ? {} : { json }) });

/** The machine may be busy; what is awaited comes. */
const patiently = { timeout: 20_000 };

describe('the test of a webhook', () => {
  it('sends one signed event now and says that it was taken', async () => {
    const hook = await receiver(() => ({ status: 202 }));
    const one = await relay({ url: hook.url, secret, previousSecret, allowPrivate: true, events: ['call.ended'] });
    const answer = await admin(one, '/v1/admin/webhooks/test', { tenant: 'acme', url: hook.url });
    expect(await answer.json()).toMatchObject({ taken: true, status: 202, ms: expect.any(Number) as number });
    const [received] = hook.received;
    if (received === undefined) throw new Error('nothing was sent');
    expect(JSON.parse(received.body)).toMatchObject({ type: 'dev.patchcord.webhook.tested.v1' });
    for (const key of [secret, previousSecret])
      new Webhook(key).verify(received.body, received.headers as Record<string, string>);
  });

  it.each<readonly [() => Answer | null, number | null, RegExp]>([
    [() => ({ status: 401 }), 401, /secret/],
    [() => ({ status: 307, headers: { location: 'http://127.0.0.1:1/' } }), 307, /redirect/],
    [() => ({ status: 500 }), 500, /answered 500/],
    [() => null, null, /could not be reached/],
  ])('says in words what went wrong (%#)', async (told, status, words) => {
    const hook = await receiver(told);
    const one = await relay({ url: hook.url, secret, allowPrivate: true });
    const result = await (await admin(one, '/v1/admin/webhooks/test', { tenant: 'acme', url: hook.url })).json();
    expect(result).toMatchObject({ taken: false, status, reason: expect.stringMatching(words) as string });
  });

  it('sends nothing to an address that is inside or not configured', async () => {
    const one = await relay({ url: 'https://127.0.0.1:1/hook', secret });
    const inside = await admin(one, '/v1/admin/webhooks/test', { tenant: 'acme', url: 'https://127.0.0.1:1/hook' });
    expect(await inside.json()).toMatchObject({
      taken: false,
      reason: expect.stringContaining('allowPrivate') as string,
    });
    for (const json of [
      { tenant: 'acme', url: 'https://elsewhere.example.com/' },
      { tenant: 'nobody', url: 'https://127.0.0.1:1/hook' },
    ])
      expect((await admin(one, '/v1/admin/webhooks/test', json)).status).toBe(400);
    expect((await one.fetch('/v1/admin/webhooks/test', { json: { tenant: 'acme', url: 'x' } })).status).toBe(401);
  });
});

describe('replay', () => {
  it('sends the events of a span again, under the ids they had, and to the endpoint that is asked for alone', async () => {
    const [wanted, other] = [await receiver(), await receiver()];
    const one = await relay(
      { url: wanted.url, secret, allowPrivate: true, events: ['call.started', 'call.ended'] },
      { url: other.url, secret, allowPrivate: true, events: ['call.ended'] },
    );
    const from = Date.now();
    const panel = await one.connect((await one.signIn()).token);
    panel.publish(...envelopes(randomUUID(), answeredCall));
    await expect.poll(() => wanted.received.length + other.received.length, patiently).toBe(3);
    const ids = (hook: Receiver) => hook.received.map(({ headers }) => headers['webhook-id']).sort();
    const before = ids(wanted);
    const replay = { tenant: 'acme', url: wanted.url, from, to: Date.now() };
    const answer = await admin(one, '/v1/admin/webhooks/replay', replay);
    expect(answer.status).toBe(202);
    expect(await answer.json()).toMatchObject({ deliveries: 2 });
    await expect.poll(() => wanted.received.length, patiently).toBe(4);
    expect(ids(wanted)).toEqual([...before, ...before].sort());
    expect(other.received).toHaveLength(1);
    const nothing = await admin(one, '/v1/admin/webhooks/replay', { tenant: 'acme', from: 1, to: 2 });
    expect(await nothing.json()).toEqual({ events: 0, deliveries: 0 });
    expect((await admin(one, '/v1/admin/webhooks/replay', { tenant: 'acme', from: 2, to: 1 })).status).toBe(400);
  });
});

describe('an endpoint', () => {
  it('hears the events of one call in their order, also when the first of them fails', async () => {
    const hook = await receiver((_request, index) => ({ status: index < 2 ? 503 : 200 }));
    const one = await relay({
      url: hook.url,
      secret,
      allowPrivate: true,
      events: answeredCall.map(({ name }) => name),
    });
    const panel = await one.connect((await one.signIn()).token);
    panel.publish(...envelopes(randomUUID(), answeredCall));
    await expect.poll(() => hook.received.length, patiently).toBe(answeredCall.length + 2);
    const types = hook.received.map(({ body }) => (JSON.parse(body) as { type: string }).type);
    expect(types.slice(2)).toEqual(answeredCall.map(({ name }) => `dev.patchcord.${name}.v1`));
    expect(new Set(types.slice(0, 3)).size).toBe(1);
  });

  it('that is down rests: it is asked now and then, by one event and not by all that wait', async () => {
    let well = false;
    const hook = await receiver(() => ({ status: well ? 200 : 503 }));
    const one = await relay({ url: hook.url, secret, allowPrivate: true, events: ['call.started'] });
    const panel = await one.connect((await one.signIn()).token);
    const health = async () =>
      (
        (await (await admin(one, '/v1/admin/webhooks?tenant=acme')).json()) as {
          webhooks: { failures: number; health: string; reason: string }[];
        }
      ).webhooks[0];
    for (let call = 0; call < 30; call += 1) panel.publish(...envelopes(randomUUID(), answeredCall));
    await expect.poll(async () => (await health())?.failures, patiently).toBeGreaterThan(5);
    expect(await health()).toMatchObject({ reason: 'The webhook endpoint answered 503.' });
    // Asked by each of them every few milliseconds it would have heard hundreds.
    expect(hook.received.length).toBeLessThan(120);
    well = true;
    await expect.poll(async () => (await health())?.health, patiently).toBe('well');
  });
});

/** The vectors of the specification: github.com/standard-webhooks, and a rotation with two keys. */
it('signs as Standard Webhooks say', () => {
  const key = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const signed = new Webhook(key).sign(
    'msg_p5jXN8AQM9LWM0D4loKWxJek',
    new Date(1_614_265_330_000),
    '{"test": 2432232314}',
  );
  expect(signed).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});
