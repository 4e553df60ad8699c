import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startOrg, type TestOrg } from './org.ts';

let org: TestOrg;
// It stands still: a test moves it.
let clock = Date.now();
beforeAll(async () => {
  org = await startOrg({ now: () => new Date(clock), closedStatus: 'Erledigt' });
});
afterAll(() => org.sandbox.close());
afterEach(() => {
  org.sandbox.rights.clear();
  org.sandbox.search.lagMs = 0;
});

const idOf = (object: 'Contact' | 'Lead' | 'Account' | 'Opportunity' | 'Case', name: string): string => {
  const row = org.sandbox.records[object].find((one) => one.Name === name || one.Subject === name);
  if (!row) throw new Error(`no ${object} named ${name}`);
  return `${row.Id}`;
};
const names = (body: unknown): unknown[] => (body as { records: { Name: unknown }[] }).records.map(({ Name }) => Name);
const refused = (errorCode: string) => [expect.objectContaining({ errorCode })];
const phone = 'IN PHONE FIELDS RETURNING';
const sosl = (text: string) => org.call('GET', `/search?q=${encodeURIComponent(text)}`);

describe('SOQL', () => {
  it('follows lookups, joins an inner query, and answers child rows', async () => {
    const elena = idOf('Contact', 'Elena Marchetti');
    const deals = await org.query(
      `SELECT Name, Account.Name, Account.Owner.Name FROM Opportunity WHERE IsClosed = false AND Id IN (SELECT OpportunityId FROM OpportunityContactRole WHERE ContactId = '${elena}') ORDER BY CloseDate ASC NULLS LAST LIMIT 5`,
    );
    expect(deals.body).toMatchObject({
      records: [
        {
          Name: 'Northlight: spring order',
          Account: { Name: 'Northlight Cameras', Owner: { Name: 'Robin Avery', attributes: { type: 'User' } } },
        },
      ],
    });
    const people = await org.query(
      `SELECT Name, (SELECT Subject FROM Cases WHERE IsClosed = false) FROM Contact WHERE Name LIKE '%whit%' OR Account.Name = 'Juniper Dental' ORDER BY Name`,
    );
    expect(people.body).toMatchObject({
      records: [
        { Name: 'Mina Sato', Cases: { totalSize: 1, records: [{ Subject: 'Cannot open the May invoice' }] } },
        { Name: 'Oliver Whitcombe', Cases: { totalSize: 1 } },
      ],
    });
  });

  it('counts, compares dates, and knows days by their names', async () => {
    const tomorrow = new Date(clock + 86_400_000).toISOString();
    expect((await org.query('SELECT COUNT() FROM Contact')).body).toMatchObject({ totalSize: 6, records: [] });
    expect(names((await org.query('SELECT Name FROM Opportunity WHERE CloseDate = NEXT_N_DAYS:7')).body)).toEqual([
      'Harbor & Pine: fleet tracking',
    ]);
    expect((await org.query('SELECT Id FROM Case WHERE CreatedDate = TODAY')).body).toMatchObject({ totalSize: 4 });
    expect(
      (await org.query(`SELECT Id FROM Case WHERE CreatedDate > ${tomorrow} OR ClosedDate != null`)).body,
    ).toMatchObject({ totalSize: 1 });
  });

  it.each([
    ['SELECT Shoe FROM Contact', 'INVALID_FIELD', "No such column 'Shoe' on entity 'Contact'"],
    ['SELECT Shoe.Name FROM Contact', 'INVALID_FIELD', "Didn't understand relationship 'Shoe' in field path"],
    ['SELECT Id FROM Shoe', 'INVALID_TYPE', "sObject type 'Shoe' is not supported"],
    ['SELECT Id Contact', 'MALFORMED_QUERY', "unexpected token: 'Contact'"],
    ['SELECT Id FROM Contact WHERE', 'MALFORMED_QUERY', 'unexpected token'],
    ["SELECT Id FROM Case WHERE IsClosed = 'false'", 'INVALID_FIELD', 'should not be enclosed in quotes'],
    ['SELECT Id FROM Contact WHERE LastName = 5', 'INVALID_FIELD', 'should be enclosed in quotes'],
    ["SELECT Id FROM Contact WHERE AccountId = 'x'", 'INVALID_QUERY_FILTER_OPERATOR', 'invalid ID field: x'],
    ["SELECT Id FROM Task WHERE Description = 'x'", 'INVALID_FIELD', 'can not be filtered in a query call'],
  ])('refuses %s with %s', async (soql, errorCode, words) => {
    const answer = await org.query(soql);
    expect(answer).toMatchObject({ status: 400, body: refused(errorCode) });
    expect(JSON.stringify(answer.body)).toContain(words);
  });

  it('points at the word that it does not understand', async () => {
    const answer = await org.query('SELECT Id, Shoe FROM Contact');
    expect((answer.body as { message: string }[])[0]?.message).toMatch(/ERROR at Row:1:Column:\d+\nNo such column/);
  });
});

describe('SOSL', () => {
  it('finds a fax, prefixes, words side by side, and all words of a term', async () => {
    org.sandbox.store.plant('Account', { Name: 'Fax only', Fax: '+1 (415) 555-0177' });
    expect(await org.search(`FIND {14155550177} ${phone} Account(Name)`)).toEqual(['Fax only']);
    expect(await org.search(`FIND {1415555017*} ${phone} Account(Name)`)).toEqual(['Fax only']);
    expect(await org.search(`FIND {"415\\) 555\\-0177"} ${phone} Account(Name)`)).toEqual(['Fax only']);
    expect(await org.search(`FIND {415 0177} ${phone} Account(Name)`)).toEqual(['Fax only']);
    expect(await org.search(`FIND {4155550177} ${phone} Account(Name)`)).toEqual([]);
    expect(await org.search('FIND {"Fax only"} IN NAME FIELDS RETURNING Account(Name)')).toEqual(['Fax only']);
  });

  it.each([
    `FIND {*4155550101} ${phone} Contact`,
    `FIND {4} ${phone} Contact`,
    `FIND {+14155550101} ${phone} Contact`,
    `FIND {"4155550101} ${phone} Contact`,
    `FIND {} ${phone} Contact`,
    'FIND {4155550101} IN SHOE FIELDS RETURNING Contact',
    `FIND {4155550101 OR } ${phone} Contact`,
    'FIND 4155550101 RETURNING Contact',
    `FIND {4155550101} ${phone} Contact LIMIT 5000`,
  ])('refuses %s', async (text) => {
    expect(await sosl(text)).toMatchObject({ status: 400, body: refused('MALFORMED_SEARCH') });
  });

  it('gives no more rows of an object than its share', async () => {
    for (let index = 0; index < 260; index += 1) org.sandbox.store.plant('Lead', { Phone: '212 555 0100' });
    expect(await org.search(`FIND {2125550100} ${phone} Lead(Id), Contact(Id)`)).toHaveLength(250);
    expect(await org.search(`FIND {2125550100} ${phone} Lead(Id) LIMIT 20`)).toHaveLength(20);
    org.sandbox.store.clear('Lead');
  });

  it('is late by as much as it is told', async () => {
    org.sandbox.search.lagMs = 5_000;
    org.sandbox.store.plant('Contact', { LastName: 'Late', Phone: '212 555 0101' });
    expect(await org.search(`FIND {2125550101} ${phone} Contact(Name)`)).toEqual([]);
    clock += 5_000;
    expect(await org.search(`FIND {2125550101} ${phone} Contact(Name)`)).toEqual(['Late']);
  });
});

describe('rights', () => {
  it('a record that is not shared is found by nobody it is not shared with', async () => {
    const [robin, sam] = org.sandbox.users;
    const id = idOf('Contact', 'Mina Sato');
    org.sandbox.rights.deny({ user: robin?.username ?? '', id });
    expect(await org.search(`FIND {4155550103} ${phone} Contact(Name)`)).toEqual([]);
    expect((await org.call('GET', `/sobjects/Contact/${id}`)).status).toBe(404);
    expect(await org.call('PATCH', `/sobjects/Contact/${id}`, { Title: 'x' })).toMatchObject({ status: 400 });
    expect(await org.call('POST', '/sobjects/Task', { Subject: 'Call', WhoId: id })).toMatchObject({
      body: refused('INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY'),
    });
    const asSam = await org.as(sam?.username ?? '');
    expect((await asSam('GET', `/sobjects/Contact/${id}`)).status).toBe(200);
  });

  it('a private object shows each user what they own', async () => {
    const [robin, sam] = org.sandbox.users;
    for (const user of [robin, sam])
      org.sandbox.store.plant('Patchcord_Call__c', { Call_Key__c: user?.name ?? '', OwnerId: user?.id ?? '' });
    org.sandbox.rights.deny({ object: 'Patchcord_Call__c', others: true });
    expect((await org.query('SELECT Call_Key__c FROM Patchcord_Call__c')).body).toMatchObject({
      records: [{ Call_Key__c: 'Robin Avery' }],
    });
  });

  it('a field without read rights does not exist, one without edit rights is read-only', async () => {
    org.sandbox.rights.deny({ object: 'Contact', field: 'MobilePhone' });
    org.sandbox.rights.deny({ object: 'Task', field: 'CallDisposition', deeds: ['create', 'edit'] });
    const fields = async (object: string) => {
      const answer = await org.call('GET', `/sobjects/${object}/describe`);
      return (answer.body as { fields: { name: string; createable: boolean; updateable: boolean }[] }).fields;
    };
    expect((await fields('Contact')).map(({ name }) => name)).not.toContain('MobilePhone');
    expect((await fields('Task')).find(({ name }) => name === 'CallDisposition')).toMatchObject({
      createable: false,
      updateable: false,
    });
    expect((await org.query('SELECT MobilePhone FROM Contact')).body).toEqual(refused('INVALID_FIELD'));
    expect(await org.search(`FIND {4155550103} ${phone} Contact(Name)`)).toEqual([]);
    expect(await org.call('POST', '/sobjects/Task', { CallDisposition: 'x' })).toMatchObject({
      body: refused('INVALID_FIELD_FOR_INSERT_UPDATE'),
    });
  });

  it('an object without read rights is not there, one without create rights takes no record', async () => {
    org.sandbox.rights.deny({ object: 'Lead' });
    org.sandbox.rights.deny({ object: 'Task', deeds: ['create'] });
    org.sandbox.rights.deny({ object: 'Account', deeds: ['edit'] });
    expect((await org.call('GET', '/sobjects/Lead/describe')).status).toBe(404);
    expect((await org.query('SELECT Id FROM Lead')).body).toEqual(refused('INVALID_TYPE'));
    expect((await org.call('POST', '/sobjects/Task', {})).body).toEqual(
      refused('CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY'),
    );
    const account = `/sobjects/Account/${idOf('Account', 'Juniper Dental')}`;
    expect((await org.call('PATCH', account, { Phone: '1' })).body).toEqual(refused('INSUFFICIENT_ACCESS_OR_READONLY'));
  });
});

describe('objects', () => {
  it('describe says picklists, lookups and external ids', async () => {
    const describeOf = async (object: string) =>
      ((await org.call('GET', `/sobjects/${object}/describe`)).body as { fields: Record<string, unknown>[] }).fields;
    const task = await describeOf('Task');
    expect(task.find(({ name }) => name === 'Status')).toMatchObject({
      picklistValues: expect.arrayContaining([expect.objectContaining({ value: 'Erledigt' })]),
    });
    expect(task.find(({ name }) => name === 'TaskSubtype')).toMatchObject({ createable: true, updateable: false });
    const call = await describeOf('Patchcord_Call__c');
    expect(call.find(({ name }) => name === 'Call_Key__c')).toMatchObject({ externalId: true, unique: true });
    expect(call.find(({ name }) => name === 'Contact__c')).toMatchObject({
      referenceTo: ['Contact'],
      relationshipName: 'Contact__r',
    });
    expect((await describeOf('Account')).map(({ name }) => name)).not.toContain('IsPersonAccount');
  });

  it('a Task closes by the status of this org, and takes its account from what it is about', async () => {
    const create = async (values: object) =>
      `${((await org.call('POST', '/sobjects/Task', values)).body as { id: string }).id}`;
    const task = (id: string) => org.sandbox.records.Task.find((one) => one.Id === id);
    const deal = idOf('Opportunity', 'Northlight: spring order');
    expect(task(await create({ Status: 'Erledigt', WhatId: deal }))).toMatchObject({
      IsClosed: true,
      AccountId: idOf('Account', 'Northlight Cameras'),
    });
    const aboutCase = { Status: 'Completed', WhatId: idOf('Case', 'Cannot open the May invoice') };
    expect(task(await create(aboutCase))).toMatchObject({ IsClosed: false, AccountId: null });
    const both = { ...aboutCase, WhoId: idOf('Contact', 'Mina Sato') };
    expect(task(await create(both))).toMatchObject({ AccountId: idOf('Account', 'Juniper Dental') });
  });

  it.each([
    ['a reference to nobody', { WhoId: '003000000000000AAA' }, 'INVALID_CROSS_REFERENCE_KEY'],
    ['a score beyond its places', { object: 'call', Quality_Mos__c: 12.5 }, 'NUMBER_OUTSIDE_VALID_RANGE'],
    ['a case as the person', { WhoId: '500000000000000AAA' }, 'MALFORMED_ID'],
  ])('refuses %s', async (_what, { object, ...values }: { object?: string; [field: string]: unknown }, errorCode) => {
    const path = object === 'call' ? '/sobjects/Patchcord_Call__c' : '/sobjects/Task';
    expect((await org.call('POST', path, { ...values, ...(object ? { Call_Key__c: 'k' } : {}) })).body).toEqual(
      refused(errorCode),
    );
  });

  it('a deleted record stays deleted, for a write and for who points at it', async () => {
    const { id } = (await org.call('POST', '/sobjects/Contact', { LastName: 'Gone' })).body as { id: string };
    expect((await org.call('DELETE', `/sobjects/Contact/${id}`)).status).toBe(204);
    expect(await org.call('PATCH', `/sobjects/Contact/${id}`, { Title: 'x' })).toMatchObject({
      status: 404,
      body: refused('ENTITY_IS_DELETED'),
    });
    expect((await org.call('GET', `/sobjects/Contact/${id}`)).status).toBe(404);
    expect((await org.call('POST', '/sobjects/Task', { WhoId: id })).body).toEqual(refused('ENTITY_IS_DELETED'));
  });

  it('nothing can be given to a user who has left', async () => {
    const sam = org.sandbox.users[1];
    org.sandbox.setActive(sam?.username ?? '', false);
    expect((await org.call('POST', '/sobjects/Task', { OwnerId: sam?.id })).body).toEqual(
      refused('INACTIVE_OWNER_OR_USER'),
    );
    org.sandbox.setActive(sam?.username ?? '', true);
  });
});

describe('an org with person accounts', () => {
  it('has their fields, and the person in both objects', async () => {
    const persons = await startOrg({ personAccounts: true });
    try {
      const made = await persons.call('POST', '/sobjects/Account', {
        FirstName: 'Pat',
        LastName: 'Person',
        PersonMobilePhone: '(415) 555-0190',
      });
      const { id } = made.body as { id: string };
      const account = await persons.query(
        `SELECT Name, IsPersonAccount, PersonContactId FROM Account WHERE Id = '${id}'`,
      );
      expect(account.body).toMatchObject({ records: [{ Name: 'Pat Person', IsPersonAccount: true }] });
      const contact = await persons.query(
        `SELECT Name, MobilePhone, IsPersonAccount FROM Contact WHERE AccountId = '${id}'`,
      );
      expect(contact.body).toMatchObject({ records: [{ Name: 'Pat Person', MobilePhone: '(415) 555-0190' }] });
      await persons.call('PATCH', `/sobjects/Account/${id}`, { PersonMobilePhone: '(415) 555-0191' });
      expect(await persons.search(`FIND {4155550191} ${phone} Account(Name), Contact(Name)`)).toHaveLength(2);
    } finally {
      await persons.sandbox.close();
    }
  });
});
