/**
 * A call whose phone is gone while its agent stays signed in: the relay with a phone's socket, the real client, and the emulator, under a
 * clock that the tests turn.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PortalRecord } from '../../sandbox/src/hubspot/records.ts';
import { type HubSpotSandbox, startHubSpotSandbox } from '../../sandbox/src/hubspot/sandbox.ts';
import {
  answeredCall,
  envelopes,
  type Life,
  Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';

const arriving = { timeout: 10_000, interval: 20 };
const minute = 60_000;
const begins = answeredCall.slice(0, 3);

let hubspot: HubSpotSandbox;
let config: ReturnType<typeof testConfig>;
let one: RelayInTest;
/** The clock goes on by itself as well: whoever waits for a share of HubSpot's limits waits by it. */
let ahead = 0;
const now = () => Date.now() + ahead;

beforeAll(async () => {
  hubspot = await startHubSpotSandbox({
    panelUrl: 'http://127.0.0.1:1/hubspot/',
    relayUrl: 'http://127.0.0.1:1',
    clientSecret: 'the-client-secret-of-the-app-in-tests',
    appId: 99,
    searchDelayMs: 0,
    rateLimits: { perTenSeconds: 100_000, searchesPerSecond: 1_000 },
  });
  const crm = {
    kind: 'hubspot',
    apiUrl: hubspot.apiUrl,
    portalId: hubspot.portalId,
    appId: 99,
    clientId: hubspot.oauth.clientId,
    clientSecret: hubspot.oauth.clientSecret,
    refreshToken: hubspot.oauth.refreshToken,
    mainNumber: '+14155550100',
  } as const;
  const agents = [{ id: 'ada', name: 'Ada Byron', extension: '1001', crmUserId: String(hubspot.owners[0]?.userId) }];
  config = testConfig({ tenants: [testTenant({ crm, agents })] });
  one = await startRelayInTest(config, { configuredCrm: true, now });
});
afterAll(async () => {
  await one.closed();
  await hubspot.close();
});

/** Turns the clock on, a minute at a time as the relay's own housekeeping does, or more; how many calls were finished. */
async function pass(minutes: number, relays: readonly RelayInTest[] = [one], step = 1): Promise<number> {
  let finished = 0;
  for (let m = 0; m < minutes; m += step) {
    ahead += step * minute;
    for (const { relay } of relays) finished += await relay.sweep();
  }
  return finished;
}
async function publish(panel: Panel, callId: string, life: readonly Life[], from = 1): Promise<void> {
  panel.publish(...envelopes(callId, life, from));
  await panel.acknowledged();
}
/** A second frame of the same browser, which has no calls. */
async function mirrorOf(token: string): Promise<Panel> {
  const mirror = await Panel.open(one.relay);
  mirror.send({ ...one.authentication(token), mirror: true });
  await mirror.next(({ type }) => type === 'authenticated');
  return mirror;
}
async function openSockets(relay: RelayInTest): Promise<number> {
  return Number(/^patchcord_sockets (\d+)$/m.exec(await (await relay.fetch('/metrics')).text())?.[1]);
}
/** Resolves when the relay has noticed. */
async function dies(panel: Panel, at = one): Promise<void> {
  const before = await openSockets(at);
  panel.socket.terminate();
  await expect.poll(() => openSockets(at), arriving).toBe(before - 1);
}
/** The call as HubSpot's page made it, and the phone that told of it. */
async function callOfPage(
  token: string,
): Promise<{ readonly callId: string; readonly logId: string; readonly phone: Panel }> {
  const callId = randomUUID();
  await one.fetch(`/v1/calls/${callId}/log-creator`, { method: 'PUT', json: {}, token });
  const { id: logId } = hubspot.portal.create('calls', {
    hs_timestamp: String(now()),
    hs_call_title: 'Inbound call',
    hs_call_direction: 'INBOUND',
    hs_call_status: 'IN_PROGRESS',
    hs_call_external_id: callId,
    hs_call_app_id: '99',
  });
  const phone = await one.connect(token);
  await publish(phone, callId, [...begins, { name: 'log.created', data: { logId } }]);
  return { callId, logId, phone };
}
const objectsOf = (callId: string): readonly PortalRecord[] =>
  hubspot.records.calls.filter(({ properties }) => properties.hs_call_external_id === callId);
const stands = (callId: string) =>
  objectsOf(callId).map(({ id, properties }) => [id, properties.hs_call_status, properties.hs_call_duration]);
async function historyOf(callId: string): Promise<Record<string, unknown> | undefined> {
  const { token } = await one.signIn();
  const { calls } = (await (await one.fetch('/v1/calls?limit=50', { token })).json()) as {
    calls: Record<string, unknown>[];
  };
  return calls.find((call) => call.callId === callId);
}

describe('a call whose window was killed', () => {
  it('is finished within minutes, with other frames of the browser open, and corrected in the same log when the phone comes back', async () => {
    const device = randomUUID();
    const { token } = await one.signIn('ada', device);
    const { callId, logId, phone } = await callOfPage(token);
    // The frames in HubSpot's pages go on, and say nothing of calls: they are mirrors of the window that was killed.
    const mirror = await mirrorOf(token);
    expect(await pass(10)).toBe(0);
    expect(stands(callId)).toMatchObject([[logId, 'IN_PROGRESS', undefined]]);

    await dies(phone);
    expect(await pass(4)).toBe(0);
    expect(await pass(2)).toBe(1);
    await expect.poll(() => stands(callId), arriving).toEqual([[logId, 'COMPLETED', '1000']]);
    expect(await historyOf(callId)).toMatchObject({ outcome: 'answered', talkMs: 1_000 });
    expect(await pass(3)).toBe(0);

    const back = await one.connect((await one.signIn('ada', device)).token);
    const end = { outcome: 'answered', reason: 'You hung up', by: 'agent' } as const;
    const [answered] = envelopes(callId, begins.slice(2), 3);
    const at = Date.parse(String(answered?.time)) + 90_000;
    await publish(back, callId, [{ name: 'call.ended', data: end, at }], 20);
    await expect.poll(() => stands(callId), arriving).toEqual([[logId, 'COMPLETED', '90000']]);
    expect(await historyOf(callId)).toMatchObject({ outcome: 'answered', talkMs: 90_000 });
    await publish(back, callId, [{ name: 'wrap-up.submitted', data: { note: 'sold' } }], 21);
    await expect.poll(() => objectsOf(callId)[0]?.properties.hs_call_body, arriving).toContain('sold');
    expect(stands(callId)).toEqual([[logId, 'COMPLETED', '90000']]);
    await dies(back);
    await dies(mirror);
  });

  it('is corrected in its outcome as well, where the relay made the log', async () => {
    const { token } = await one.signIn();
    const phone = await one.connect(token);
    const callId = randomUUID();
    await publish(phone, callId, begins.slice(0, 2));
    await dies(phone);
    expect(await pass(6)).toBe(1);
    await expect.poll(() => stands(callId).map(([, status]) => status), arriving).toEqual(['MISSED']);
    const [[logId] = []] = stands(callId);
    const back = await one.connect(token);
    await publish(back, callId, answeredCall.slice(2), 3);
    await expect.poll(() => stands(callId), arriving).toEqual([[logId, 'COMPLETED', '1000']]);
    await dies(back);
  });
});

describe('a call whose phone stays', () => {
  it('is not finished in thirteen hours with hardly a word, whatever its other frames do', async () => {
    const first = await one.signIn();
    const { callId, logId, phone } = await callOfPage(first.token);
    const mirror = await mirrorOf(first.token);
    expect(await pass(3 * 60, [one], 2.5)).toBe(0);
    await dies(mirror);
    expect(await pass(8 * 60, [one], 2.5)).toBe(0);
    await publish(phone, callId, [{ name: 'call.held', data: {} }], 20);
    // A session lasts half a day; the phone signs in again and goes on.
    const second = await one.signIn('ada', first.device);
    const again = await one.connect(second.token);
    await dies(phone);
    expect(await pass(2 * 60, [one], 2.5)).toBe(0);
    expect(stands(callId)).toMatchObject([[logId, 'IN_PROGRESS', undefined]]);
    await publish(again, callId, answeredCall.slice(3), 30);
    await expect.poll(() => stands(callId).map(([, status]) => status), arriving).toEqual(['COMPLETED']);
    await dies(again);
  });

  it('is not finished when its phone connects again in time, silent or as a mirror that took the calls over', async () => {
    const { token } = await one.signIn();
    const { callId, phone } = await callOfPage(token);
    await dies(phone);
    expect(await pass(3)).toBe(0);
    const back = await one.connect(token);
    expect(await pass(10)).toBe(0);
    await dies(back);
    const other = await mirrorOf(token);
    expect(await pass(2)).toBe(0);
    other.publish();
    other.publish(...envelopes(callId, [{ name: 'call.held', data: {} }], 20));
    await other.acknowledged();
    expect(await pass(10)).toBe(0);
    await dies(other);
    expect(await pass(6)).toBe(1);
  });

  it('is not finished when its phone went over to another relay, and once when it is gone from there too', async () => {
    const two = await startRelayInTest(config, { configuredCrm: true, now, folder: one.folder });
    const both = [two, one];
    try {
      const { token } = await one.signIn();
      const { callId, logId, phone } = await callOfPage(token);
      expect(await pass(6, both)).toBe(0);
      await dies(phone);
      const there = await two.connect(token);
      expect(await pass(8, both)).toBe(0);
      await dies(there, two);
      expect(await pass(6, both)).toBe(1);
      await expect.poll(() => stands(callId), arriving).toEqual([[logId, 'COMPLETED', '1000']]);
    } finally {
      await two.closed();
    }
  });

  it('is not finished right after the relay itself was away', async () => {
    const { token } = await one.signIn();
    const { phone } = await callOfPage(token);
    await dies(phone);
    // Asleep, or without its store: nobody knows who would have connected meanwhile.
    ahead += 30 * minute;
    expect(await one.relay.sweep()).toBe(0);
    expect(await pass(4)).toBe(0);
    expect(await pass(2)).toBe(1);
  });
});
