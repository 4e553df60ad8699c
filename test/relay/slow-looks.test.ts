/** Logs that are written in batches: one that a CRM looks for, or shows late, holds none of its neighbours back. Through the real relay. */
import { randomUUID } from 'node:crypto';
import type { CallSummary } from '@patchcord/call-protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPageCrm, type PageCrm } from '../unit/server/page-crm.ts';
import {
  answeredCall,
  envelopes,
  type Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';

const pbxSecret = 'the-secret-of-a-phone-system-in-tests-0001';
const laterMs = 61_000;

let ahead = 0;
const now = () => Date.now() + ahead;
let one: RelayInTest;
let crm: PageCrm;
let token: string;
let panel: Panel;
/** What is looked for and not answered: by call id, or `report`. */
const held = new Map<string, { readonly gate: Promise<void>; open(): void; asked: boolean }>();

function hold(what: string): { open(): void; readonly asked: boolean } {
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const one = { gate, open, asked: false };
  held.set(what, one);
  return one;
}
async function passes(what: string): Promise<void> {
  const one = held.get(what);
  if (one === undefined) return;
  one.asked = true;
  await one.gate;
}

beforeAll(async () => {
  const plain = createPageCrm();
  crm = {
    ...plain,
    can: { ...plain.can, batch: 100 },
    findPageLogs: async (call) => {
      await passes(call);
      return (await plain.findPageLogs?.(call)) ?? [];
    },
    reportUnseenCall: async (log, agent, candidates, before) => {
      await passes('report');
      return (await plain.reportUnseenCall?.(log, agent, candidates, before)) ?? '';
    },
    writeLogs: (batch) =>
      Promise.all(batch.map(async ({ log, agent, logId }) => ({ logId: await plain.writeLog(log, agent, logId) }))),
  };
  const callRecords = { asterisk: { secret: pbxSecret }, settleMs: 60_000, signedInSettleMs: 60_000, groupMs: 50 };
  const hubspot = {
    kind: 'hubspot',
    portalId: 1_234_567,
    appId: 99,
    clientId: 'client',
    clientSecret: 'the-client-secret-of-the-app-in-tests',
    refreshToken: 'refresh',
  } as const;
  const agents = [{ id: 'ada', name: 'Ada Byron', extension: '1001', crmUserId: '71' }];
  one = await startRelayInTest(testConfig({ tenants: [testTenant({ crm: hubspot, agents, callRecords })] }), {
    connectCrm: () => crm,
    now,
  });
  ({ token } = await one.signIn());
  panel = await one.connect(token);
});
afterAll(async () => {
  for (const { open } of held.values()) open();
  await one.closed();
});

/** A call whose page was asked for its log and says nothing. */
async function silentCall(): Promise<string> {
  const callId = randomUUID();
  await one.fetch(`/v1/calls/${callId}/log-creator`, { method: 'PUT', json: {}, token });
  panel.publish(...envelopes(callId, answeredCall, 1, now() - 60_000));
  await panel.acknowledged();
  return callId;
}
async function states(callIds: readonly string[]): Promise<readonly (string | undefined)[]> {
  const { calls } = (await (await one.fetch('/v1/calls?limit=200', { token })).json()) as { calls: CallSummary[] };
  return callIds.map((callId) => calls.find((call) => call.callId === callId)?.log);
}
const arriving = { timeout: 10_000, interval: 20 };

it('writes what is found while one is still looked for, and that one when it is', async () => {
  const callIds: string[] = [];
  for (let call = 0; call < 4; call += 1) callIds.push(await silentCall());
  const [slow = ''] = callIds;
  const look = hold(slow);
  ahead += laterMs;
  await expect.poll(() => states(callIds), arriving).toEqual(['waiting', 'saved', 'saved', 'saved']);
  expect(look.asked).toBe(true);
  look.open();
  await expect.poll(() => states([slow]), arriving).toEqual(['saved']);
});

it('settles what is written while a call that no phone saw is reported', async () => {
  const report = hold('report');
  const started = Math.floor(now() / 1_000) - 100;
  const record = {
    id: 'unseen',
    state: 'ended',
    sipCallId: `${randomUUID()}%40pbx`,
    conversation: '',
    extension: '1001',
    direction: 'inbound',
    number: encodeURIComponent('+14155552001'),
    started: String(started),
    answered: '',
    ended: String(started + 20),
    cause: '16',
  };
  const answer = await one.fetch('/v1/call-records/acme/asterisk?uuid=a_1', {
    method: 'POST',
    body: JSON.stringify([record]),
    headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Bearer ${pbxSecret}` },
  });
  expect(answer.status).toBe(200);
  const callIds = [await silentCall(), await silentCall()];
  ahead += laterMs;
  await expect.poll(() => states(callIds), arriving).toEqual(['saved', 'saved']);
  await expect.poll(() => report.asked, arriving).toBe(true);
  expect(crm.objects.filter(({ madeBy }) => madeBy === 'report')).toEqual([]);
  report.open();
  await expect.poll(() => crm.objects.filter(({ madeBy }) => madeBy === 'report').length, arriving).toBe(1);
});
