import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startOrg, type TestOrg } from './org.ts';

let org: TestOrg;
beforeEach(async () => {
  org = await startOrg();
});
afterEach(() => org.sandbox.close());

const named = (name: string): string => {
  const rows = [...org.sandbox.records.Contact, ...org.sandbox.records.Lead, ...org.sandbox.records.Account];
  const row = rows.find((one) => one.Name === name);
  if (!row) throw new Error(`no demo record named ${name}`);
  return `${row.Id}`;
};
const search = async (sosl: string): Promise<{ Name: string; DoNotCall?: boolean }[]> => {
  const answer = await org.call('GET', `/search?q=${encodeURIComponent(sosl)}`);
  expect(answer.status).toBe(200);
  return (answer.body as { searchRecords: { Name: string; DoNotCall?: boolean }[] }).searchRecords;
};
const query = async (soql: string) => org.call('GET', `/query?q=${encodeURIComponent(soql)}`);
const callTask = {
  Subject: 'Call',
  Status: 'Completed',
  TaskSubtype: 'Call',
  CallType: 'Outbound',
  CallDurationInSeconds: 42,
};
const refused = (errorCode: string) => [expect.objectContaining({ errorCode })];

describe('tokens', () => {
  it('grants a token for a good assertion and says where the org lives', async () => {
    const answer = await org.token();
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ token_type: 'Bearer', instance_url: org.sandbox.instanceUrl });
  });

  it.each([
    ['a wrong issuer', { iss: 'someone' }, 'invalid_client_id'],
    ['a wrong audience', { aud: 'https://login.salesforce.com' }, 'invalid_grant'],
    ['an expired one', { exp: 1 }, 'invalid_grant'],
    ['one that lives longer than five minutes', { exp: Math.floor(Date.now() / 1000) + 3600 }, 'invalid_grant'],
    ['an unknown user', { sub: 'nobody@patchcord.example' }, 'invalid_grant'],
  ])('refuses an assertion with %s', async (_what, claims, error) => {
    expect(await org.token(claims)).toMatchObject({ status: 400, body: { error } });
  });

  it('refuses the same assertion twice', async () => {
    const jti = 'once';
    expect((await org.token({ jti })).status).toBe(200);
    expect((await org.token({ jti })).status).toBe(400);
  });

  it('refuses REST without a live token', async () => {
    org.sandbox.connectedApp.expireSessions();
    expect(await org.call('GET', '/limits')).toMatchObject({ status: 401, body: refused('INVALID_SESSION_ID') });
  });
});

describe('search', () => {
  it('finds a number through its punctuation, with the fields asked for', async () => {
    const found = await search('FIND {4155550101} IN PHONE FIELDS RETURNING Contact(Id, Name, Phone, Account.Name)');
    expect(found).toEqual([
      expect.objectContaining({
        Name: 'Elena Marchetti',
        Phone: '(415) 555-0101',
        Account: expect.objectContaining({ Name: 'Northlight Cameras' }),
      }),
    ]);
  });

  it('does not bridge a country code or a trunk zero', async () => {
    const returning = 'IN PHONE FIELDS RETURNING Contact(Id, Name)';
    expect(await search(`FIND {14155550101} ${returning}`)).toEqual([]);
    expect(await search(`FIND {442079460958} ${returning}`)).toEqual([]);
    expect((await search(`FIND {442079460958 OR 02079460958} ${returning}`)).map((row) => row.Name)).toEqual([
      'Oliver Whitcombe',
    ]);
  });

  it('gives both contacts that share a number, and takes an escaped printed form', async () => {
    const found = await search(
      'FIND {"\\(415\\) 555\\-0123"} IN PHONE FIELDS RETURNING Contact(Id, Name), Lead(Id, Name WHERE IsConverted = false) LIMIT 25',
    );
    expect(found.map((row) => row.Name).sort()).toEqual(['Luis Ortega', 'Priya Raman']);
  });

  it('says who has asked not to be called, a lead here, and nobody else', async () => {
    const returning = 'IN PHONE FIELDS RETURNING Contact(Id, Name, DoNotCall), Lead(Id, Name, DoNotCall)';
    const found = await search(`FIND {4155550101 OR 493023125007 OR "49 30 23125 007"} ${returning}`);
    expect(found.map(({ Name, DoNotCall }) => [Name, DoNotCall]).sort()).toEqual([
      ['Elena Marchetti', false],
      ['Jonas Weber', true],
    ]);
    const described = (await org.call('GET', '/sobjects/Contact/describe')).body as { fields: { name: string }[] };
    expect(described.fields.find(({ name }) => name === 'DoNotCall')).toMatchObject({ type: 'boolean' });
  });

  it('refuses reserved characters without a backslash', async () => {
    const answer = await org.call(
      'GET',
      `/search?q=${encodeURIComponent('FIND {(415) 555-0101} IN PHONE FIELDS RETURNING Contact(Id)')}`,
    );
    expect(answer).toMatchObject({ status: 400, body: refused('MALFORMED_SEARCH') });
  });
});

describe('query', () => {
  it('filters, orders and limits', async () => {
    const byId = await query(
      `SELECT Id, Name, Account.Name FROM Contact WHERE Id IN ('${named('Mina Sato')}', '${named('Elena Marchetti').slice(0, 15)}') AND LastName != 'x' ORDER BY Name LIMIT 2`,
    );
    expect(byId.body).toMatchObject({
      totalSize: 2,
      done: true,
      records: [{ Name: 'Elena Marchetti' }, { Name: 'Mina Sato' }],
    });
  });

  it('knows which task statuses are closed', async () => {
    const answer = await query('SELECT ApiName FROM TaskStatus WHERE IsClosed = true');
    expect(answer.body).toMatchObject({ records: [{ ApiName: 'Completed' }] });
  });

  it('refuses an unknown field and broken grammar', async () => {
    expect((await query('SELECT Shoe FROM Contact')).body).toEqual(refused('INVALID_FIELD'));
    expect((await query('SELECT Id FROM')).body).toEqual(refused('MALFORMED_QUERY'));
    expect((await query('SELECT Id FROM Shoe')).body).toEqual(refused('INVALID_TYPE'));
  });
});

describe('Task', () => {
  it('is created closed, owned by the running user, with its account derived from the contact', async () => {
    const answer = await org.call('POST', '/sobjects/Task', { ...callTask, WhoId: named('Elena Marchetti') });
    expect(answer).toMatchObject({ status: 201, body: { success: true, errors: [] } });
    expect(org.sandbox.records.Task).toEqual([
      expect.objectContaining({
        IsClosed: true,
        OwnerId: org.sandbox.users[0]?.id,
        AccountId: named('Northlight Cameras'),
      }),
    ]);
  });

  it.each([
    ['an account as the person', () => ({ WhoId: named('Northlight Cameras') }), 'MALFORMED_ID'],
    [
      'a related record beside a lead',
      () => ({ WhoId: named('Jonas Weber'), WhatId: named('Northlight Cameras') }),
      'FIELD_INTEGRITY_EXCEPTION',
    ],
    ['a read-only field', () => ({ IsClosed: true }), 'INVALID_FIELD_FOR_INSERT_UPDATE'],
    ['a direction in lower case', () => ({ CallType: 'outbound' }), 'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST'],
    ['a fraction of a second', () => ({ CallDurationInSeconds: 1.5 }), 'JSON_PARSER_ERROR'],
    ['a field nobody has', () => ({ Shoe__c: 'x' }), 'INVALID_FIELD'],
    ['a result of 300 letters', () => ({ CallDisposition: 'x'.repeat(300) }), 'STRING_TOO_LONG'],
  ])('refuses %s', async (_what, values, errorCode) => {
    expect(await org.call('POST', '/sobjects/Task', { ...callTask, ...values() })).toMatchObject({
      status: 400,
      body: refused(errorCode),
    });
    expect(org.sandbox.records.Task).toHaveLength(0);
  });

  it('refuses to change its subtype later', async () => {
    const { id } = (await org.call('POST', '/sobjects/Task', callTask)).body as { id: string };
    expect((await org.call('PATCH', `/sobjects/Task/${id}`, { Description: 'Asked for a quote' })).status).toBe(204);
    expect(await org.call('PATCH', `/sobjects/Task/${id}`, { TaskSubtype: 'Email' })).toMatchObject({ status: 400 });
  });
});

describe('upsert by external id', () => {
  const path = '/sobjects/Patchcord_Call__c/Call_Key__c/key-1';

  it('creates once, then updates', async () => {
    expect(await org.call('PATCH', path, { Direction__c: 'Inbound' })).toMatchObject({
      status: 201,
      body: { created: true },
    });
    expect(await org.call('PATCH', path, { Direction__c: 'Outbound' })).toMatchObject({
      status: 200,
      body: { created: false },
    });
    expect(org.sandbox.records.Patchcord_Call__c).toEqual([
      expect.objectContaining({ Call_Key__c: 'key-1', Direction__c: 'Outbound' }),
    ]);
  });

  it('writes nothing and answers 300 when several records match', async () => {
    org.sandbox.store.plant('Patchcord_Call__c', { Call_Key__c: 'key-1' });
    org.sandbox.store.plant('Patchcord_Call__c', { Call_Key__c: 'key-1' });
    const answer = await org.call('PATCH', path, { Direction__c: 'Inbound' });
    expect(answer.status).toBe(300);
    expect(answer.body).toHaveLength(2);
  });

  it('creates nothing with updateOnly', async () => {
    expect((await org.call('PATCH', `${path}?updateOnly=true`, {})).status).toBe(404);
  });

  it('refuses a second record with the same key', async () => {
    await org.call('POST', '/sobjects/Patchcord_Call__c', { Call_Key__c: 'key-1' });
    expect(await org.call('POST', '/sobjects/Patchcord_Call__c', { Call_Key__c: 'key-1' })).toMatchObject({
      status: 400,
      body: refused('DUPLICATE_VALUE'),
    });
  });
});

describe('composite', () => {
  const log = (key: string) => ({
    allOrNone: true,
    compositeRequest: [
      { method: 'POST', url: '/services/data/v66.0/sobjects/Task', referenceId: 'task', body: callTask },
      {
        method: 'POST',
        url: '/services/data/v66.0/sobjects/Patchcord_Call__c',
        referenceId: 'marker',
        body: { Call_Key__c: key, Task_Id__c: '@{task.id}' },
      },
    ],
  });
  const codes = (body: unknown): unknown[] =>
    (body as { compositeResponse: { httpStatusCode: number; body: unknown }[] }).compositeResponse.map(
      (one) => one.httpStatusCode,
    );

  it('fills references in and keeps both records', async () => {
    const answer = await org.call('POST', '/composite', log('key-1'));
    expect(answer.status).toBe(200);
    expect(codes(answer.body)).toEqual([201, 201]);
    expect(org.sandbox.records.Patchcord_Call__c[0]?.Task_Id__c).toBe(org.sandbox.records.Task[0]?.Id);
  });

  it('rolls the task back when the marker is a duplicate', async () => {
    await org.call('POST', '/composite', log('key-1'));
    const again = await org.call('POST', '/composite', log('key-1'));
    expect(codes(again.body)).toEqual([400, 400]);
    expect(JSON.stringify(again.body)).toContain('DUPLICATE_VALUE');
    expect(JSON.stringify(again.body)).toContain('PROCESSING_HALTED');
    expect(org.sandbox.records.Task).toHaveLength(1);
  });

  it('refuses more than 25 subrequests', async () => {
    const compositeRequest = Array.from({ length: 26 }, (_, index) => ({
      method: 'GET',
      url: '/services/data/v66.0/limits',
      referenceId: `r${index}`,
    }));
    expect((await org.call('POST', '/composite', { compositeRequest })).status).toBe(400);
  });

  it('writes a collection row by row, and fails a row without failing the request', async () => {
    const records = [
      { attributes: { type: 'Patchcord_Call__c' }, Call_Key__c: 'a' },
      { attributes: { type: 'Patchcord_Call__c' }, Call_Key__c: 'b', Shoe: 1 },
    ];
    const answer = await org.call('PATCH', '/composite/sobjects/Patchcord_Call__c/Call_Key__c', {
      allOrNone: false,
      records,
    });
    expect(answer).toMatchObject({
      status: 200,
      body: [
        { success: true, created: true },
        { success: false, errors: [{ statusCode: 'INVALID_FIELD' }] },
      ],
    });
    const all = await org.call('PATCH', '/composite/sobjects/Patchcord_Call__c/Call_Key__c', {
      allOrNone: true,
      records: [{ ...records[0], Call_Key__c: 'c' }, records[1]],
    });
    expect(JSON.stringify(all.body)).toContain('ALL_OR_NONE_OPERATION_ROLLED_BACK');
    expect(org.sandbox.records.Patchcord_Call__c).toHaveLength(1);
  });
});

describe('faults', () => {
  const write = () => org.call('POST', '/sobjects/Task', callTask);

  it.each([
    ['server-error', 500, 'UNKNOWN_EXCEPTION'],
    ['unavailable', 503, 'SERVER_UNAVAILABLE'],
    ['request-limit', 403, 'REQUEST_LIMIT_EXCEEDED'],
    ['row-lock', 400, 'UNABLE_TO_LOCK_ROW'],
    ['expired-session', 401, 'INVALID_SESSION_ID'],
  ])('%s answers %i once, then the request goes through', async (fault, status, errorCode) => {
    org.sandbox.faults.add({ fault, on: 'POST *' });
    expect(await write()).toMatchObject({ status, body: refused(errorCode) });
    expect((await write()).status).toBe(201);
    expect(org.sandbox.records.Task).toHaveLength(1);
  });

  it('reset drops the connection before anything is written', async () => {
    org.sandbox.faults.add({ fault: 'reset' });
    await expect(write()).rejects.toThrow();
    expect(org.sandbox.records.Task).toHaveLength(0);
  });

  it('answer-lost writes and then drops the connection', async () => {
    org.sandbox.faults.add({ fault: 'answer-lost' });
    await expect(write()).rejects.toThrow();
    expect(org.sandbox.records.Task).toHaveLength(1);
    expect(org.sandbox.requests().at(-1)).toMatchObject({ method: 'POST', status: 0, fault: 'answer-lost' });
  });

  it('slow answers after its delay', async () => {
    org.sandbox.faults.add({ fault: 'slow', delayMs: 5 });
    expect((await write()).status).toBe(201);
  });

  it('a locked row inside a composite is a 200 that carries the refusal', async () => {
    org.sandbox.faults.add({ fault: 'row-lock', on: '*/composite' });
    const compositeRequest = [
      { method: 'POST', url: '/services/data/v66.0/sobjects/Task', referenceId: 'task', body: callTask },
    ];
    const answer = await org.call('POST', '/composite', { compositeRequest });
    expect(answer.status).toBe(200);
    expect(JSON.stringify(answer.body)).toContain('UNABLE_TO_LOCK_ROW');
  });

  it('are ordered over HTTP too, and an unknown one is refused with the known names', async () => {
    const control = `${org.sandbox.instanceUrl}/sandbox/faults`;
    const post = (body: unknown) => fetch(control, { method: 'POST', body: JSON.stringify(body) });
    expect((await post({ fault: 'unavailable', on: 'POST *', skip: 1 })).status).toBe(200);
    expect((await write()).status).toBe(201);
    expect((await write()).status).toBe(503);
    const wrong = await post({ fault: 'gremlins' });
    expect(wrong.status).toBe(400);
    expect(await wrong.text()).toContain('answer-lost');
  });

  it('every answer carries the API usage', async () => {
    expect((await org.call('GET', '/limits')).headers.get('sforce-limit-info')).toMatch(/^api-usage=\d+\/15000$/);
  });
});
