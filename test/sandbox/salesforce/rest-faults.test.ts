import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startOrg, type TestOrg } from './org.ts';

let org: TestOrg;
beforeAll(async () => {
  org = await startOrg();
});
afterAll(() => org.sandbox.close());
afterEach(() => {
  org.sandbox.faults.clear();
  for (const object of ['Task', 'Patchcord_Call__c'] as const) org.sandbox.store.clear(object);
});

const callTask = { Subject: 'Call', Status: 'Completed', TaskSubtype: 'Call', CallType: 'Inbound' };
const write = () => org.call('POST', '/sobjects/Task', callTask);
const data = '/services/data/v66.0';
const marker = (key: string) => ({
  method: 'POST',
  url: `${data}/sobjects/Patchcord_Call__c`,
  referenceId: 'marker',
  body: { Call_Key__c: key },
});
const task = { method: 'POST', url: `${data}/sobjects/Task`, referenceId: 'task', body: callTask };
const rows = (...keys: string[]) => ({
  allOrNone: false,
  records: keys.map((key) => ({ attributes: { type: 'Patchcord_Call__c' }, Call_Key__c: key })),
});
const collection = (...keys: string[]) =>
  org.call('PATCH', '/composite/sobjects/Patchcord_Call__c/Call_Key__c', rows(...keys));

describe('a record that is refused on command', () => {
  it.each([
    ['row-lock', 400, 'UNABLE_TO_LOCK_ROW'],
    ['validation-rule', 400, 'FIELD_CUSTOM_VALIDATION_EXCEPTION'],
    ['required-field', 400, 'REQUIRED_FIELD_MISSING'],
    ['field-security', 400, 'INVALID_FIELD_FOR_INSERT_UPDATE'],
    ['record-locked', 400, 'ENTITY_IS_LOCKED'],
    ['no-access', 400, 'INSUFFICIENT_ACCESS_OR_READONLY'],
    ['no-access-to-related', 400, 'INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY'],
    ['trigger', 400, 'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY'],
    ['record-deleted', 404, 'ENTITY_IS_DELETED'],
    ['storage-full', 400, 'STORAGE_LIMIT_EXCEEDED'],
    ['owner-inactive', 400, 'INACTIVE_OWNER_OR_USER'],
    ['duplicate-rule', 400, 'DUPLICATES_DETECTED'],
  ])(
    '%s answers %i %s alone, and the same code inside a composite, a graph and a collection',
    async (fault, status, code) => {
      org.sandbox.faults.add({ fault, times: 4 });
      const alone = await write();
      expect(alone).toMatchObject({ status, body: [{ errorCode: code, message: expect.any(String) }] });

      const composite = await org.call('POST', '/composite', {
        allOrNone: true,
        compositeRequest: [marker('a'), task],
      });
      expect(composite).toMatchObject({
        status: 200,
        body: {
          compositeResponse: [
            { referenceId: 'marker', body: [{ errorCode: code }] },
            { referenceId: 'task', httpStatusCode: 400, body: [{ errorCode: 'PROCESSING_HALTED' }] },
          ],
        },
      });

      const graphs = [{ graphId: 'one', compositeRequest: [task] }];
      const graph = await org.call('POST', '/composite/graph', { graphs });
      expect(graph).toMatchObject({ status: 200, body: { graphs: [{ isSuccessful: false }] } });
      expect(JSON.stringify(graph.body)).toContain(code);

      expect(await collection('a')).toMatchObject({
        status: 200,
        body: [{ success: false, errors: [{ statusCode: code }] }],
      });
      expect([...org.sandbox.records.Task, ...org.sandbox.records.Patchcord_Call__c]).toHaveLength(0);
      expect((await write()).status).toBe(201);
    },
  );

  it('is narrowed to an object, a field, a record or a user', async () => {
    const robin = org.sandbox.users[0];
    const sam = org.sandbox.users[1];
    org.sandbox.faults.add({ fault: 'validation-rule', when: { object: 'Patchcord_Call__c' } });
    expect((await write()).status).toBe(201);
    expect((await org.call('POST', '/sobjects/Patchcord_Call__c', { Call_Key__c: 'x' })).status).toBe(400);

    org.sandbox.faults.add({ fault: 'field-security', when: { field: 'CallDisposition' } });
    expect((await write()).status).toBe(201);
    expect(await org.call('POST', '/sobjects/Task', { ...callTask, CallDisposition: 'x' })).toMatchObject({
      status: 400,
      body: [{ fields: ['CallDisposition'] }],
    });

    org.sandbox.faults.add({ fault: 'row-lock', when: { record: 'b' } });
    expect(await collection('a', 'b', 'c')).toMatchObject({
      body: [{ success: true }, { success: false, errors: [{ statusCode: 'UNABLE_TO_LOCK_ROW' }] }, { success: true }],
    });

    org.sandbox.faults.add({ fault: 'no-access', when: { user: sam?.username ?? '' } });
    expect(robin?.username).not.toBe(sam?.username);
    expect((await write()).status).toBe(201);
    const asSam = await org.as(sam?.username ?? '');
    expect((await asSam('POST', '/sobjects/Task', callTask)).status).toBe(400);
  });

  it('carries the text and the fields of an order, and stands in the log of requests', async () => {
    org.sandbox.faults.add({ fault: 'validation-rule', message: 'A note is needed.', fields: ['Description'] });
    expect((await write()).body).toEqual([
      { message: 'A note is needed.', errorCode: 'FIELD_CUSTOM_VALIDATION_EXCEPTION', fields: ['Description'] },
    ]);
    expect(org.sandbox.requests().at(-1)).toMatchObject({ status: 400, fault: 'validation-rule' });
  });

  it('meets every record of one request, but those that it lets through first', async () => {
    org.sandbox.faults.add({ fault: 'row-lock' });
    expect(await collection('a', 'b')).toMatchObject({ body: [{ success: false }, { success: false }] });
    org.sandbox.faults.add({ fault: 'row-lock', skip: 1 });
    expect(await collection('a', 'b', 'c')).toMatchObject({
      body: [{ success: true }, { success: false }, { success: false }],
    });
    expect(await collection('b', 'c')).toMatchObject({ body: [{ success: true }, { success: true }] });
  });

  it('leaves reading alone', async () => {
    org.sandbox.faults.add({ fault: 'row-lock' });
    expect((await org.query('SELECT Id FROM Task')).status).toBe(200);
    expect((await write()).status).toBe(400);
  });

  it('an external id of two records is 300 with both, and DUPLICATE_EXTERNAL_ID in a collection', async () => {
    const path = '/sobjects/Patchcord_Call__c/Call_Key__c/key';
    org.sandbox.faults.add({ fault: 'multiple-choices', times: 2 });
    const answer = await org.call('PATCH', path, {});
    expect(answer).toMatchObject({ status: 300, body: [expect.stringContaining('/sobjects/'), expect.any(String)] });
    expect(await collection('key')).toMatchObject({ body: [{ errors: [{ statusCode: 'DUPLICATE_EXTERNAL_ID' }] }] });
    expect((await org.call('PATCH', path, {})).status).toBe(201);
  });
});

describe('a request that is refused on command', () => {
  it('says the daily limit and the concurrent limit apart', async () => {
    org.sandbox.faults.add({ fault: 'request-limit' });
    org.sandbox.faults.add({ fault: 'concurrent-limit' });
    const [day, now] = [await write(), await write()];
    expect([day, now]).toMatchObject([
      { status: 403, body: [{ errorCode: 'REQUEST_LIMIT_EXCEEDED', message: 'TotalRequests Limit exceeded.' }] },
      { status: 403, body: [{ errorCode: 'REQUEST_LIMIT_EXCEEDED', message: expect.stringContaining('Concurrent') }] },
    ]);
  });

  it('a lasting session end refuses every token, a single one only the next request', async () => {
    org.sandbox.faults.add({ fault: 'expired-session', times: 3 });
    for (let time = 0; time < 3; time += 1) expect((await write()).status).toBe(401);
    expect((await write()).status).toBe(201);
  });

  it.each([
    ['html-error', 500, 'text/html'],
    ['html-ok', 200, 'text/html'],
    ['edge', 420, 'text/plain'],
  ])('%s answers %i in no JSON', async (fault, status, type) => {
    org.sandbox.faults.add({ fault });
    const answer = await fetch(`${org.sandbox.instanceUrl}${data}/limits`);
    expect([answer.status, answer.headers.get('content-type')?.split(';')[0]]).toEqual([status, type]);
  });

  it('maintenance sends elsewhere', async () => {
    org.sandbox.faults.add({ fault: 'maintenance' });
    const answer = await fetch(`${org.sandbox.instanceUrl}${data}/limits`, { redirect: 'manual' });
    expect([answer.status, answer.headers.get('location')]).toEqual([302, expect.stringContaining('maintenance')]);
  });

  it('malformed JSON comes after the work was done', async () => {
    org.sandbox.faults.add({ fault: 'malformed-json' });
    await expect(write()).rejects.toThrow(SyntaxError);
    expect(org.sandbox.records.Task).toHaveLength(1);
  });

  it('is narrowed to a user and to what the request names', async () => {
    org.sandbox.faults.add({ fault: 'unavailable', when: { user: org.sandbox.users[1]?.username ?? '' } });
    expect((await write()).status).toBe(201);
    const asSam = await org.as(org.sandbox.users[1]?.username ?? '');
    expect((await asSam('GET', '/limits')).status).toBe(503);
    org.sandbox.faults.add({ fault: 'unavailable', when: { object: 'Opportunity' } });
    expect((await org.query('SELECT Id FROM Account')).status).toBe(200);
    expect((await org.query('SELECT Id FROM Opportunity')).status).toBe(503);
  });

  it('takes narrowed orders over HTTP', async () => {
    const order = { fault: 'trigger', when: { object: 'Task' }, fields: ['Subject'], message: 'No' };
    await fetch(`${org.sandbox.instanceUrl}/sandbox/faults`, { method: 'POST', body: JSON.stringify(order) });
    expect(org.sandbox.faults.list()).toEqual([{ ...order, times: 1, skip: 0 }]);
    expect((await write()).body).toMatchObject([{ message: 'No', fields: ['Subject'] }]);
  });
});
