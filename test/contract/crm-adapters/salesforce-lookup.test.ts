/** Finding callers and what they may call about in a Salesforce org, through the real jsforce: ranking, open work, colleagues, rights. */
import { ExtensionSchema, type Match, type RecordRef, toE164 } from '@patchcord/call-protocol';
import type { CrmRelay } from '@patchcord/crm-adapters/relay';
import * as v from 'valibot';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Row } from '../../../sandbox/src/salesforce/records.ts';
import { startTestOrg, type TestOrg } from './salesforce-org.ts';

let test: TestOrg;
let relay: CrmRelay;
beforeAll(async () => {
  test = await startTestOrg();
  relay = test.relay;
  // The demo's own cases and opportunities are not what is looked at here.
  for (const object of ['OpportunityContactRole', 'Case', 'Opportunity'] as const)
    for (const row of test.org.store.all(object)) test.org.store.remove(object, `${row.Id}`);
});
afterAll(() => test.close());
const planted: { readonly object: Parameters<TestOrg['org']['store']['remove']>[0]; readonly id: string }[] = [];
afterEach(() => {
  test.org.faults.clear();
  test.org.rights.clear();
  for (const { object, id } of planted.splice(0)) test.org.store.remove(object, id);
});

function plant(object: Parameters<TestOrg['org']['store']['plant']>[0], row: Row): string {
  const id = test.org.store.plant(object, row);
  planted.push({ object, id });
  return id;
}
const days = (count: number): string => new Date(Date.now() - count * 86_400_000).toISOString().replace('Z', '+0000');
const find = (number: string, from = relay): Promise<readonly Match[]> =>
  from.findByNumber(toE164(number), 'US', { agent: test.robin });
const told = (matches: readonly Match[]): readonly string[] =>
  matches.map(({ record, reason }) => `${record.name} | ${reason}`);
const requestsOf = async (work: () => Promise<unknown>): Promise<readonly string[]> => {
  const before = test.org.requests().length;
  await work();
  return test.org
    .requests()
    .slice(before)
    .map(({ method, path }) => `${method} ${path.replace(/^\/services\/data\/v66\.0/, '')}`);
};

describe('somebody who has asked not to be called', () => {
  it('is known by a lead, by a contact, and by nothing to an agent who may not see the field', async () => {
    const wishes = async (number: string, from?: CrmRelay) =>
      (await find(number, from)).map(({ record, doNotCall }) => [record.name, doNotCall ?? false]);
    expect(await wishes('+493023125007')).toEqual([['Jonas Weber', true]]);
    expect(await wishes('+14155550101')).toEqual([['Elena Marchetti', false]]);
    plant('Contact', { LastName: 'Quiet', Phone: '(415) 555-0166', DoNotCall: true });
    expect(await wishes('+14155550166')).toEqual([['Quiet', true]]);
    for (const object of ['Contact', 'Lead'] as const) test.org.rights.deny({ object, field: 'DoNotCall' });
    expect(await wishes('+493023125007', test.freshRelay())).toEqual([['Jonas Weber', false]]);
  });
});

describe('a caller whom several records share', () => {
  it('stands first where a case is open, and the reason says so', async () => {
    expect(told(await find('+14155550123')).map((one) => one.split(' |')[0])).toEqual(['Luis Ortega', 'Priya Raman']);
    const contact = test.record('Priya Raman').id;
    plant('Case', { Subject: 'Camera is dark', Status: 'New', ContactId: contact, IsClosed: false });
    plant('Case', { Subject: 'Old', Status: 'Closed', ContactId: contact, IsClosed: true });
    expect(told(await find('+14155550123'))).toEqual([
      'Priya Raman | Contact at Cedar Street Clinic: phone number, 1 open case',
      'Luis Ortega | Contact at Cedar Street Clinic: phone number',
    ]);
  });

  it('stands first where an opportunity was touched lately, not one that lies still', async () => {
    const contact = test.record('Priya Raman').id;
    const account = test.record('Cedar Street Clinic').id;
    const opportunity = (Name: string, LastModifiedDate: string): string =>
      plant('Opportunity', { Name, StageName: 'Proposal', IsClosed: false, AccountId: account, LastModifiedDate });
    const still = opportunity('Still', days(90));
    plant('OpportunityContactRole', { OpportunityId: still, ContactId: contact });
    expect(told(await find('+14155550123')).join()).not.toContain('opportunit');
    const fresh = opportunity('Fresh', days(1));
    plant('OpportunityContactRole', { OpportunityId: fresh, ContactId: contact });
    expect(told(await find('+14155550123'))[0]).toBe(
      'Priya Raman | Contact at Cedar Street Clinic: phone number, 1 open opportunity',
    );
  });

  it('stands first also for an agent who may not see opportunities', async () => {
    plant('Case', { Subject: 'Dark', Status: 'New', ContactId: test.record('Priya Raman').id, IsClosed: false });
    test.org.rights.deny({ user: test.robin.crmUserId, object: 'Opportunity' });
    expect(told(await find('+14155550123', test.freshRelay()))[0]).toContain('Priya Raman | ');
  });

  it('costs one request more than the search, and none for a single match', async () => {
    await find('+14155550123');
    expect(await requestsOf(() => find('+14155550123'))).toEqual(['GET /search', 'POST /composite']);
    expect(await requestsOf(() => find('+14155550101'))).toEqual(['GET /search']);
    expect(await requestsOf(() => relay.findByNumber(toE164('+14155550123'), 'US', { urgent: false }))).toEqual([
      'GET /search',
    ]);
  });

  it('is still found when the question for open work fails, or the day’s calls run out', async () => {
    test.org.faults.add({ fault: 'unavailable', on: 'POST */composite' });
    expect(await find('+14155550123')).toHaveLength(2);
    const sparing = await startTestOrg({ dailyLimit: 40 });
    try {
      const few = sparing.freshRelay();
      const ask = () => few.findByNumber(toE164('+14155550123'), 'US', { agent: sparing.robin });
      await ask();
      for (let time = 1; time <= 6; time += 1) expect(await ask()).toHaveLength(2);
      expect(sparing.org.requests().at(-1)?.path).toContain('/search');
    } finally {
      await sparing.close();
    }
  });
});

describe('who is found at all', () => {
  it('no converted lead, and nobody by their fax', async () => {
    const base = { LastName: 'Nobody', Company: 'Old Leads', IsConverted: true };
    plant('Lead', { ...base, Phone: '+1 415 555 0177' });
    plant('Contact', { LastName: 'Fax', Fax: '+1 415 555 0177' });
    expect(await find('+14155550177')).toEqual([]);
    plant('Lead', { ...base, LastName: 'Fresh', IsConverted: false, Phone: '+1 415 555 0177' });
    expect(told(await find('+14155550177'))).toEqual(['Fresh | Lead at Old Leads: phone number']);
  });

  it('an account right behind its contact', async () => {
    const account = test.record('Northlight Cameras').id;
    plant('Contact', { LastName: 'Desk', AccountId: account, AssistantPhone: '(415) 555-0150' });
    plant('Lead', { LastName: 'Lea', Company: 'Lumen', Phone: '(415) 555-0150' });
    expect((await find('+14155550150')).map(({ record }) => record.name)).toEqual([
      'Desk',
      'Northlight Cameras',
      'Lea',
    ]);
  });

  it('a person account as one row, its own contact', async () => {
    const persons = await startTestOrg({ personAccounts: true });
    try {
      const account = persons.org.store.create(
        'Account',
        { LastName: 'Doe', FirstName: 'Pia', PersonMobilePhone: '+1 415 555 0188' },
        persons.robin.crmUserId,
      );
      const row = persons.org.records.Account.find((one) => one.Id === account);
      const matches = await persons.relay.findByNumber(toE164('+14155550188'), 'US', { agent: persons.robin });
      expect(matches.map(({ record, reason }) => [record.object, record.id, record.name, reason])).toEqual([
        ['Contact', row?.PersonContactId, 'Pia Doe', 'Contact: mobile number'],
      ]);
    } finally {
      await persons.close();
    }
  });

  it('an org without Leads, Cases or Opportunities works', async () => {
    for (const object of ['Lead', 'Case', 'Opportunity', 'OpportunityContactRole'] as const)
      test.org.rights.deny({ object });
    const small = test.freshRelay();
    expect(await find('+14155550123', small)).toHaveLength(2);
    expect(await small.relatedTo?.(test.record('Priya Raman'), test.robin)).toEqual([]);
  });
});

describe('what a call may be about', () => {
  const related = async (record: RecordRef, from = relay): Promise<readonly string[]> =>
    ((await from.relatedTo?.(record, test.robin)) ?? []).map(
      ({ record: { object, name }, detail, reason }) => `${object} ${name} | ${detail} | ${reason}`,
    );
  it('the contact’s own open cases and opportunities before those of the account, newest first', async () => {
    const contact = test.record('Priya Raman');
    const account = test.record('Cedar Street Clinic').id;
    const other = test.record('Luis Ortega').id;
    const open = { Status: 'Working', Priority: 'High', IsClosed: false, AccountId: account };
    plant('Case', { ...open, CaseNumber: '00001', Subject: 'Older', ContactId: contact.id, LastModifiedDate: days(9) });
    plant('Case', { ...open, CaseNumber: '00002', Subject: 'Newer', ContactId: contact.id, LastModifiedDate: days(1) });
    plant('Case', { ...open, CaseNumber: '00003', Subject: 'Luis', ContactId: other, LastModifiedDate: days(0) });
    plant('Case', { ...open, Status: 'Closed', ContactId: contact.id, IsClosed: true, LastModifiedDate: days(0) });
    const deal = plant('Opportunity', {
      Name: 'Ten cameras',
      StageName: 'Proposal',
      Amount: 12500,
      CloseDate: '2026-12-31',
      IsClosed: false,
      AccountId: account,
      LastModifiedDate: days(4),
    });
    plant('OpportunityContactRole', { OpportunityId: deal, ContactId: contact.id });
    expect(await related(contact)).toEqual([
      'Case Case 00002: Newer | Working, High | Open case of Priya Raman',
      'Opportunity Ten cameras | Proposal, 12,500, closes 2026-12-31 | Open opportunity of Priya Raman',
      'Case Case 00001: Older | Working, High | Open case of Priya Raman',
      'Case Case 00003: Luis | Working, High | Open case of the account of Priya Raman',
    ]);
    expect((await related(test.record('Cedar Street Clinic'))).map((one) => one.split(' |')[0])).toEqual([
      'Case Case 00003: Luis',
      'Case Case 00002: Newer',
      'Opportunity Ten cameras',
      'Case Case 00001: Older',
    ]);
    test.org.rights.deny({ user: test.robin.crmUserId, object: 'Opportunity', field: 'Amount' });
    expect((await related(contact, test.freshRelay())).join()).toContain('Ten cameras | Proposal, closes');
  });

  it('nothing for a lead, a foreign record or an id that is none', async () => {
    expect(await related(test.record('Jonas Weber'))).toEqual([]);
    expect(await related({ crm: 'salesforce', object: 'Contact', id: "003' OR Id != '" })).toEqual([]);
    const before = test.org.requests().length;
    await related({ crm: 'hubspot', object: 'contact', id: '501' });
    expect(test.org.requests()).toHaveLength(before);
  });
});

describe('a colleague’s extension', () => {
  it('finds the active users who have exactly it', async () => {
    const user = (row: Row): string => plant('User', { UserType: 'Standard', IsActive: true, ...row });
    user({ Name: 'Dana Ellis', Extension: '2041', Title: 'Fitter', Department: 'Service' });
    user({ Name: 'Gone', Extension: '2041', IsActive: false });
    user({ Name: 'Other', Extension: '20411' });
    const found = await relay.findByExtension?.(v.parse(ExtensionSchema, '2041'), test.robin);
    expect(found).toMatchObject([
      {
        record: { crm: 'salesforce', object: 'User', name: 'Dana Ellis' },
        number: '2041',
        detail: 'Fitter, Service',
        reason: 'Colleague with extension 2041',
      },
    ]);
    expect(await relay.findByExtension?.(v.parse(ExtensionSchema, '999'), test.robin)).toEqual([]);
  });
});
