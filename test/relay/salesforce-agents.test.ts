/** The relay in an org where it acts in the agents' names: each finds what they may see, and what they settled on. */
import { generateKeyPairSync } from 'node:crypto';
import { type Matches, newCallId, type RelatedRecords } from '@patchcord/call-protocol';
import { type SalesforceSandbox, startSalesforceSandbox } from '@patchcord/sandbox';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  adminToken,
  answeredCall,
  envelopes,
  type Life,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';

let org: SalesforceSandbox;
let one: RelayInTest;
const userOf = (email: string) => {
  const found = org.users.find((user) => user.email.startsWith(`${email}@`));
  if (found === undefined) throw new Error(`no ${email} in the org`);
  return found;
};
beforeAll(async () => {
  org = await startSalesforceSandbox({ host: '127.0.0.1', panelUrl: 'http://127.0.0.1:9/salesforce/' });
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  org.connectedApp.registerConnectedApp(publicKey.export({ type: 'spki', format: 'pem' }).toString());
  one = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant({
          crm: {
            kind: 'salesforce',
            loginUrl: org.org.loginUrl,
            clientId: org.connectedApp.clientId,
            privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
            username: userOf('relay').username,
            orgId: org.org.id,
            assertionPublicKey: org.org.signingCertificatePem,
          },
          agents: [
            { id: 'robin', name: 'Robin', extension: '3001', crmUserId: userOf('robin').id },
            { id: 'sam', name: 'Sam', extension: '3002', crmUserId: userOf('sam').id },
            { id: 'casey', name: 'Casey', extension: '3003', crmUserId: userOf('casey').id },
          ],
        }),
      ],
    }),
    { configuredCrm: true },
  );
});
afterAll(async () => {
  await one.closed();
  await org.close();
});

async function ask<T>(path: string, agent = 'robin'): Promise<T> {
  const response = await one.fetch(path, { token: (await one.signIn(agent)).token });
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as T;
}
const matchesOf = async (number: string, agent?: string) =>
  (await ask<Matches>(`/v1/matches?number=${encodeURIComponent(number)}`, agent)).matches;

it('finds for each agent what is shared with them', async () => {
  const all = await matchesOf('+14155550101', 'sam');
  const [first] = all;
  if (first === undefined) throw new Error('nobody in the org has the number');
  const share = org.rights.deny({ user: userOf('sam').username, object: 'Contact', id: first.record.id });
  try {
    expect((await matchesOf('+14155550101', 'sam')).map(({ record }) => record.id)).not.toContain(first.record.id);
    expect((await matchesOf('+14155550101', 'robin')).map(({ record }) => record.id)).toContain(first.record.id);
  } finally {
    share();
  }
});

it('offers the open work of the person who calls', async () => {
  const contact = org.records.Case.find((row) => row.IsClosed !== true && typeof row.ContactId === 'string');
  const { records } = await ask<RelatedRecords>(`/v1/records/related?object=Contact&id=${String(contact?.ContactId)}`);
  expect(records.map(({ record }) => record.object)).toContain('Case');
  expect(records.map(({ record }) => record.id)).toContain(contact?.Id);
  expect(records.every(({ record, reason }) => record.crm === 'salesforce' && reason !== '')).toBe(true);
});

it('knows a colleague by extension as the user they are, once', async () => {
  expect(await matchesOf('3002')).toEqual([
    {
      record: { crm: 'salesforce', object: 'User', id: userOf('sam').id, name: 'Sam' },
      number: '3002',
      reason: 'Colleague',
      source: 'directory',
    },
  ]);
  const inOrg = String(org.records.User.find((row) => row.Id === userOf('sam').id)?.Extension ?? '');
  expect((await matchesOf(inOrg)).map(({ record }) => record.id.slice(0, 15))).toEqual([userOf('sam').id.slice(0, 15)]);
  expect((await matchesOf(inOrg)).map(({ source }) => source)).toEqual(['directory']);
  expect(await matchesOf(inOrg, 'sam')).toEqual([]);
});

it('keeps what another agent chose although the one who asks may not see it', async () => {
  const twins = ['First', 'Second'].map((name) =>
    org.store.plant('Contact', { LastName: name, Phone: '(415) 555-0188', OwnerId: userOf('robin').id }),
  );
  const second = twins[1] ?? '';
  const life: readonly Life[] = [
    { name: 'call.started', data: { direction: 'inbound', farSide: { number: '+14155550188', e164: '+14155550188' } } },
    ...answeredCall.slice(1),
    {
      name: 'record.chosen',
      data: { record: { crm: 'salesforce', object: 'Contact', id: second, name: 'Second' }, by: 'agent' },
    },
  ];
  const panel = await one.connect((await one.signIn('robin')).token);
  panel.publish(...envelopes(newCallId(), life));
  await panel.acknowledged();
  const chosen = async (agent: string) =>
    (await matchesOf('+14155550188', agent)).filter(({ reason }) => reason.includes('Chosen')).map((m) => m.record.id);
  await expect.poll(() => chosen('robin'), { timeout: 20_000 }).toEqual([second]);
  const share = org.rights.deny({ user: userOf('sam').username, object: 'Contact', id: second });
  try {
    expect(await chosen('sam')).toEqual([]);
  } finally {
    share();
  }
  // Sam's look-up forgot nothing.
  expect(await chosen('robin')).toEqual([second]);
});

it('logs a call with a colleague without a record', async () => {
  const colleague = { crm: 'salesforce', object: 'User', id: userOf('sam').id, name: 'Sam' } as const;
  const life: readonly Life[] = [
    { name: 'call.started', data: { direction: 'outbound', farSide: { number: '3002' } } },
    ...answeredCall.slice(1),
    { name: 'record.chosen', data: { record: colleague, by: 'only-match' } },
    { name: 'wrap-up.submitted', data: { note: 'internal' } },
  ];
  const panel = await one.connect((await one.signIn('robin')).token);
  const call = newCallId();
  panel.publish(...envelopes(call, life));
  await panel.acknowledged();
  const saved = await panel.event('log.saved');
  expect(saved.subject).toBe(call);
  const task = org.records.Task.find((row) => row.Id === (saved.data as { logId: string }).logId);
  expect(task).toMatchObject({ OwnerId: userOf('robin').id });
  expect([task?.WhoId ?? null, task?.WhatId ?? null]).toEqual([null, null]);
});

it('tells an administrator once for whom it writes in another name', async () => {
  org.connectedApp.setApproval(userOf('casey').username, 'not-admin-approved');
  const panel = await one.connect((await one.signIn('casey')).token);
  for (let call = 0; call < 2; call += 1) {
    panel.publish(...envelopes(newCallId(), [...answeredCall, { name: 'wrap-up.submitted', data: {} }]));
    await panel.acknowledged();
    await panel.event('log.saved');
  }
  const notices = async (): Promise<readonly string[]> => {
    const response = await one.fetch('/v1/admin/alerts?tenant=acme', { token: adminToken });
    const { alerts } = (await response.json()) as { alerts: { kind: string; message: string }[] };
    return alerts.filter(({ kind }) => kind === 'crm.notice').map(({ message }) => message);
  };
  await expect.poll(notices, { timeout: 20_000 }).toEqual([expect.stringContaining('the calls of Casey')]);
});
