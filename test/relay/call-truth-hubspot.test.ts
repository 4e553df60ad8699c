/** What HubSpot tells of call objects, through the real relay: signed, in batches, repeated, in any order. */
import { createHmac, randomUUID } from 'node:crypto';
import type { CallSummary } from '@patchcord/call-protocol';
import { createMemoryRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  answeredCall,
  envelopes,
  type Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';

const clientSecret = 'the-client-secret-of-the-app-in-tests';
const portalId = 1_234_567;
/** A CRM with ids like HubSpot's; what it was asked to write, in order. */
const memory = createMemoryRelay();
const written: { readonly callId: string; readonly logId: string | null; readonly note: string }[] = [];

let one: RelayInTest;
let token: string;
let panel: Panel;

beforeAll(async () => {
  const crm = {
    ...memory,
    async writeLog(...[log, , logId]: Parameters<typeof memory.writeLog>) {
      written.push({ callId: log.callId, logId, note: log.note });
      return logId ?? String(Number.parseInt(log.callId.slice(0, 8), 16));
    },
  };
  const hubspot = {
    kind: 'hubspot',
    portalId,
    appId: 99,
    clientId: 'client',
    clientSecret,
    refreshToken: 'refresh',
  } as const;
  one = await startRelayInTest(testConfig({ tenants: [testTenant({ crm: hubspot })] }), { connectCrm: () => crm });
  ({ token } = await one.signIn());
  panel = await one.connect(token);
});
afterAll(() => one.closed());

function notify(events: readonly object[], by = clientSecret, at = Date.now()): Promise<Response> {
  const body = JSON.stringify(events);
  const path = '/v1/hubspot/webhooks';
  const signature = createHmac('sha256', by).update(`POST${one.relay.url}${path}${body}${at}`).digest('base64');
  return one.fetch(path, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'x-hubspot-signature-v3': signature,
      'x-hubspot-request-timestamp': String(at),
    },
  });
}
let serial = 0;
function notification(subscriptionType: string, objectId: string, more: object = {}): object {
  serial += 1;
  return {
    eventId: serial,
    subscriptionId: 1,
    portalId,
    appId: 99,
    occurredAt: Date.now(),
    subscriptionType,
    attemptNumber: 0,
    objectId: Number(objectId),
    objectTypeId: '0-48',
    ...more,
  };
}
const named = (callId: string) => ({
  propertyName: 'hs_call_external_id',
  propertyValue: callId,
  changeSource: 'INTEGRATION',
});
async function entry(callId: string): Promise<CallSummary | undefined> {
  const { calls } = (await (await one.fetch('/v1/calls', { token })).json()) as { calls: CallSummary[] };
  return calls.find((call) => call.callId === callId);
}
const writesOf = (callId: string) => written.filter((write) => write.callId === callId);
async function saved(callId: string): Promise<void> {
  await expect.poll(async () => (await entry(callId))?.log).toBe('saved');
}

it('goes on in the call object that HubSpot made for a call of ours', async () => {
  const callId = randomUUID();
  panel.publish(...envelopes(callId, answeredCall.slice(0, 3)));
  await panel.acknowledged();
  const told = notification('object.propertyChange', '501', named(callId));
  expect(await (await notify([told, told])).json()).toEqual({ taken: 1 });
  expect(await (await notify([told])).json()).toEqual({ taken: 0 });
  panel.publish(...envelopes(callId, answeredCall.slice(3), 4));
  await saved(callId);
  expect(writesOf(callId)).toMatchObject([{ logId: '501' }]);
});

it('never writes a log again that a person deleted, and says so', async () => {
  const callId = randomUUID();
  panel.publish(...envelopes(callId, answeredCall));
  await saved(callId);
  const logId = String(Number.parseInt(callId.slice(0, 8), 16));
  const deleted = notification('object.deletion', logId, { changeFlag: 'DELETED' });
  expect(await (await notify([deleted])).json()).toEqual({ taken: 1 });
  expect((await notify([deleted])).status).toBe(200);
  expect(await entry(callId)).toMatchObject({ log: 'none', logReason: expect.stringContaining('deleted this log') });
  panel.publish(...envelopes(callId, [{ name: 'wrap-up.submitted', data: { note: 'late' } }], 9));
  await expect.poll(async () => (await entry(callId))?.log).toBe('none');
  expect(writesOf(callId)).toHaveLength(1);
});

it('hears nothing but what its own app signed, of its own portal, of calls', async () => {
  const callId = randomUUID();
  panel.publish(...envelopes(callId, answeredCall.slice(0, 2)));
  await panel.acknowledged();
  const told = notification('object.propertyChange', '777', named(callId));
  expect((await notify([told], 'another-secret')).status).toBe(403);
  expect((await notify([told], clientSecret, Date.now() - 301_000)).status).toBe(403);
  expect((await one.fetch('/v1/hubspot/webhooks', { json: [told] })).status).toBe(403);
  const foreign = [
    { ...told, portalId: 7 },
    { ...told, objectTypeId: '0-1' },
    { ...told, propertyValue: randomUUID() },
    { ...told, propertyValue: 'no id' },
    { ...told, propertyName: 'hs_call_title' },
    { ...told, subscriptionType: 'object.creation' },
    { ...told, subscriptionType: 'object.deletion' },
  ];
  expect(await (await notify(foreign)).json()).toEqual({ taken: 0 });
  expect((await notify([{ subscriptionType: 1 }])).status).toBe(400);
  expect((await notify(Array.from({ length: 101 }, () => told))).status).toBe(400);
  panel.publish(...envelopes(callId, answeredCall.slice(3), 4));
  await saved(callId);
  expect(writesOf(callId)).toMatchObject([{ logId: null }]);
});

it('keeps the log it wrote when HubSpot tells of a second object later', async () => {
  const callId = randomUUID();
  panel.publish(...envelopes(callId, answeredCall));
  await saved(callId);
  expect(await (await notify([notification('object.propertyChange', '888', named(callId))])).json()).toEqual({
    taken: 0,
  });
  panel.publish(...envelopes(callId, [{ name: 'wrap-up.submitted', data: { note: 'kept' } }], 9));
  await expect.poll(() => writesOf(callId).map(({ note }) => note)).toEqual(['', 'kept']);
  expect(writesOf(callId)[1]?.logId).toBe(String(Number.parseInt(callId.slice(0, 8), 16)));
});
