/** One call, one log in HubSpot: the relay and the real client against the emulator, which tells what happens to calls by its webhooks. */
import { randomUUID } from 'node:crypto';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { PortalRecord } from '../../sandbox/src/hubspot/records.ts';
import { type HubSpotSandbox, startHubSpotSandbox } from '../../sandbox/src/hubspot/sandbox.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
  type Life,
  type Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';

const clientSecret = 'the-client-secret-of-the-app-in-tests';
const pbxSecret = 'the-secret-of-a-phone-system-in-tests-0001';
const arriving = { timeout: 10_000, interval: 20 };

let hubspot: HubSpotSandbox;
let door: Door;
let one: RelayInTest;
let token: string;
let panel: Panel;
let ahead = 0;
const now = () => Date.now() + ahead;

beforeAll(async () => {
  door = await openDoor();
  const relayUrl = door.url;
  hubspot = await startHubSpotSandbox({
    panelUrl: `${relayUrl}/hubspot/`,
    relayUrl,
    clientSecret,
    appId: 99,
    searchDelayMs: 0,
    inboundDelayMs: 20,
    rateLimits: { perTenSeconds: 100_000, searchesPerSecond: 1_000 },
    webhooks: { url: `${relayUrl}/v1/hubspot/webhooks`, properties: ['hs_call_external_id'] },
  });
  const [robin, sam] = hubspot.owners;
  const crm = {
    kind: 'hubspot',
    apiUrl: hubspot.apiUrl,
    portalId: hubspot.portalId,
    appId: 99,
    clientId: hubspot.oauth.clientId,
    clientSecret,
    refreshToken: hubspot.oauth.refreshToken,
    mainNumber: '+14155550100',
  } as const;
  const agents = [
    { id: 'ada', name: 'Ada Byron', extension: '1001', crmUserId: String(robin?.userId) },
    { id: 'bob', name: 'Bob Moog', extension: '1002', crmUserId: String(sam?.userId) },
  ];
  const callRecords = { asterisk: { secret: pbxSecret }, settleMs: 50, signedInSettleMs: 50, groupMs: 50 };
  one = await startRelayInTest(
    testConfig({ publicUrl: relayUrl, tenants: [testTenant({ crm, agents, callRecords })] }),
    {
      configuredCrm: true,
      now,
    },
  );
  door.leadTo(one.relay.port);
  ({ token } = await one.signIn());
  panel = await one.connect(token);
});
afterEach(async () => {
  // HubSpot's clock does not go forward with the relay's: its webhooks would be too old.
  if (ahead === 0) return;
  ahead = 0;
  ({ token } = await one.signIn());
  panel = await one.connect(token);
});
afterAll(async () => {
  await one.closed();
  await hubspot.close();
  await door.close();
});

interface Door {
  readonly url: string;
  leadTo(port: number): void;
  close(): Promise<void>;
}

/** The relay's address before there is a relay, which the emulator has to know: taken once and kept, so that nobody else gets it meanwhile. */
async function openDoor(): Promise<Door> {
  let port = 0;
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    leadTo: (to) => {
      port = to;
    },
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function creator(callId: string): Promise<unknown> {
  return await (await one.fetch(`/v1/calls/${callId}/log-creator`, { method: 'PUT', json: {}, token })).json();
}
async function publish(callId: string, life: readonly Life[], from = 1, by = panel): Promise<void> {
  by.publish(...envelopes(callId, life, from, now() - 60_000));
  await by.acknowledged();
}
const begins = answeredCall.slice(0, 3);
const ends = answeredCall.slice(3);
const made = (logId: string): Life => ({ name: 'log.created', data: { logId } });
const objectsOf = (callId: string): readonly PortalRecord[] =>
  hubspot.records.calls.filter(({ properties }) => properties.hs_call_external_id === callId);
const statuses = (callId: string) => objectsOf(callId).map(({ id, properties }) => [id, properties.hs_call_status]);
/** As HubSpot's page makes it while the call runs. */
function pageMakes(callId: string, change: Readonly<Record<string, string>> = {}): string {
  return hubspot.portal.create('calls', {
    hs_timestamp: String(Date.now()),
    hs_call_title: 'Inbound call',
    hs_call_direction: 'INBOUND',
    hs_call_status: 'IN_PROGRESS',
    hs_call_external_id: callId,
    hs_call_app_id: '99',
    ...change,
  }).id;
}

it('goes on in the object that the page made and told of, on the deal where the page put it', async () => {
  const callId = randomUUID();
  expect(await creator(callId)).toEqual({ creator: 'page', logId: null });
  const id = pageMakes(callId);
  const [deal] = hubspot.portal.all('deals');
  if (deal === undefined) throw new Error('no deal');
  hubspot.portal.associate('calls', id, 'deals', deal.id);
  await publish(callId, [...begins, made(id), ...ends, { name: 'wrap-up.submitted', data: { note: 'sold' } }]);
  await expect.poll(() => statuses(callId), arriving).toEqual([[id, 'COMPLETED']]);
  expect(objectsOf(callId)[0]?.properties.hs_call_body).toContain('sold');
  expect(hubspot.portal.associated('calls', id, 'deals').map(({ toId }) => toId)).toEqual([deal.id]);
});

it('makes it when the page said that it made none, and takes a late twin away that HubSpot tells of', async () => {
  const callId = randomUUID();
  await creator(callId);
  await publish(callId, [...begins, { name: 'log.not-created', data: { reason: 'refused', certain: true } }, ...ends]);
  await expect.poll(() => statuses(callId).map(([, status]) => status), arriving).toEqual(['COMPLETED']);
  const [own] = objectsOf(callId);
  const twin = pageMakes(callId);
  await expect.poll(() => hubspot.portal.get('calls', twin), arriving).toBeUndefined();
  expect(objectsOf(callId).map(({ id }) => id)).toEqual([own?.id]);
});

it('leaves a late twin that an agent wrote in, and says so', async () => {
  const callId = randomUUID();
  await publish(callId, answeredCall);
  await expect.poll(() => objectsOf(callId).length, arriving).toBe(1);
  const twin = pageMakes(callId, { hs_call_body: '<p>Call back on Monday</p>' });
  const told = async (): Promise<readonly unknown[]> => {
    const answer = await one.fetch('/v1/admin/alerts?tenant=acme', { token: adminToken });
    const { alerts } = (await answer.json()) as { alerts: { kind: string; data: { logId?: string } }[] };
    return alerts.filter(({ kind }) => kind === 'log.second').map(({ data }) => data.logId);
  };
  await expect.poll(told, arriving).toEqual([twin]);
  expect(objectsOf(callId)).toHaveLength(2);
});

it('does not write a log of a colleague’s call that a phone names', async () => {
  const victim = pageMakes(randomUUID(), { hs_call_title: 'Theirs' });
  const callId = randomUUID();
  await creator(callId);
  await publish(callId, [...begins, made(victim), ...ends]);
  ahead += 61_000;
  await expect.poll(() => statuses(callId).map(([, status]) => status), arriving).toEqual(['COMPLETED']);
  expect(hubspot.portal.get('calls', victim)?.properties).toMatchObject({
    hs_call_title: 'Theirs',
    hs_call_status: 'IN_PROGRESS',
  });
});

it('reports a missed call that only the phone system saw, once', async () => {
  const started = Math.floor(now() / 1_000) - 100;
  const record = {
    id: 'unseen-1',
    state: 'ended',
    sipCallId: `${randomUUID()}%40pbx`,
    conversation: 'unseen',
    extension: '1001',
    direction: 'inbound',
    number: encodeURIComponent('+14155550101'),
    started: String(started),
    answered: '',
    ended: String(started + 20),
    cause: '16',
  };
  const before = hubspot.records.calls.length;
  for (let again = 0; again < 2; again += 1)
    await one.fetch('/v1/call-records/acme/asterisk?uuid=a_1', {
      method: 'POST',
      body: JSON.stringify([record]),
      headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Bearer ${pbxSecret}` },
    });
  const fresh = () => hubspot.records.calls.slice(before).map(({ properties }) => properties);
  await expect
    .poll(() => fresh().map(({ hs_call_title: title }) => title), arriving)
    .toEqual(['Missed call from Elena Marchetti']);
  expect(fresh()).toMatchObject([{ hs_call_status: 'MISSED', patchcord_call_id: expect.any(String) }]);
  expect(hubspot.requests().filter(({ path }) => path.endsWith('/inbound-call'))).toHaveLength(1);
});

it('hears of it from HubSpot when the window was killed, finishes it, and corrects it when the phone comes back', async () => {
  const gone = await one.signIn('ada');
  const killed = await one.connect(gone.token);
  const callId = randomUUID();
  await creator(callId);
  await publish(callId, begins, 1, killed);
  const id = pageMakes(callId);
  killed.socket.terminate();
  const told = () =>
    hubspot.webhooks
      .sent()
      .filter(({ status }) => status === 200)
      .flatMap(({ events }) => events.map(({ objectId }) => objectId));
  await expect.poll(told, arriving).toContain(Number(id));
  ahead += 13 * 3_600_000;
  await one.relay.sweep();
  await expect.poll(() => statuses(callId), arriving).toEqual([[id, 'COMPLETED']]);
  ({ token } = await one.signIn());
  panel = await one.connect(token);
  const end = { outcome: 'failed', reason: 'The line was lost', by: 'network' } as const;
  await publish(callId, [{ name: 'call.ended', data: end }], 20);
  await expect.poll(() => statuses(callId), arriving).toEqual([[id, 'FAILED']]);
});
