/**
 * Every refusal that Salesforce documents for what the relay does, through the real jsforce: what becomes of the log, and what a person reads
 * who finds it unlogged. Must never look at the adapter's inside.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CallLog, PatchcordError } from '@patchcord/call-protocol';
import { createSalesforceRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FaultOrder } from '../../../sandbox/src/http.ts';
import { finishedCall } from './call-log-fixture.ts';
import { privateKeyPem, startTestOrg, type TestOrg } from './salesforce-org.ts';

let test: TestOrg;
beforeAll(async () => {
  test = await startTestOrg();
});
afterAll(() => test.close());
afterEach(() => {
  test.org.faults.clear();
  test.org.rights.clear();
  test.notices.length = 0;
});

/** Writes with a relay that knows nothing yet of earlier refusals. */
async function refused(log: CallLog = finishedCall(), logId: string | null = null): Promise<PatchcordError> {
  const error = await test
    .freshRelay()
    .writeLog(log, test.robin, logId)
    .catch((thrown: unknown) => thrown);
  if (!(error instanceof PatchcordError)) throw new Error(`It was not refused: ${String(error)}`);
  return error;
}
/** The same call twice at once, as a batch: it must be refused as a single one is. */
async function refusedInBatch(logs: readonly CallLog[]): Promise<readonly unknown[]> {
  const relay = test.freshRelay();
  const written = await relay.writeLogs?.(logs.map((log) => ({ log, agent: test.robin, logId: null })));
  return (written ?? []).map((one) => ('error' in one ? one.error.code : one.logId));
}
const fault = (order: FaultOrder): void => test.org.faults.add(order);
const onWrites = { on: 'POST */composite*', times: 100 } as const;
const logged = (log: CallLog) => {
  const call = test.org.records.Patchcord_Call__c.find((one) => one.Call_Key__c === log.callId);
  const task = test.org.records.Task.find((one) => one.CallObject === log.callId);
  return { call, task };
};

describe('a refusal that ends by itself is tried again', () => {
  it.each<[string, Partial<FaultOrder> & { readonly fault: string }, string, number, RegExp]>([
    ['the day’s API calls are used up', { fault: 'request-limit' }, 'crm.rate-limited', 900_000, /for the day/],
    ['too many requests at once', { fault: 'concurrent-limit' }, 'crm.rate-limited', 5_000, /at once/],
    ['another write holds the row', { fault: 'row-lock' }, 'crm.unavailable', 1_000, /UNABLE_TO_LOCK_ROW/],
    ['the storage is full', { fault: 'storage-full' }, 'crm.unavailable', 3_600_000, /Storage Usage/],
    ['500', { fault: 'server-error' }, 'crm.unavailable', 1_000, /UNKNOWN_EXCEPTION/],
    ['503', { fault: 'unavailable' }, 'crm.unavailable', 5_000, /SERVER_UNAVAILABLE/],
    ['420 of the edge', { fault: 'edge' }, 'crm.unavailable', 1_000, /420/],
    ['an error page in HTML', { fault: 'html-error' }, 'crm.unavailable', 1_000, /web page instead of data/],
    ['a page with status 200', { fault: 'html-ok' }, 'crm.unavailable', 30_000, /not data/],
    ['a redirect to a maintenance page', { fault: 'maintenance' }, 'crm.unavailable', 30_000, /maintenance/],
    ['JSON that ends in the middle', { fault: 'malformed-json' }, 'crm.unavailable', 30_000, /not data/],
    ['a connection that breaks', { fault: 'reset' }, 'crm.unavailable', 1_000, /did not answer/],
  ])('%s', async (_name, order, code, retryAfterMs, message) => {
    fault({ ...onWrites, ...order });
    const error = await refused();
    expect(error).toMatchObject({ code, retryable: true, retryAfterMs });
    expect(error.message).toMatch(message);
    expect(error.message).not.toMatch(/<html|<!DOCTYPE/i);
  });

  it('no answer in time', async () => {
    fault({ ...onWrites, fault: 'slow', delayMs: 400 });
    const error = await test
      .freshRelay({ timeoutMs: 100 })
      .writeLog(finishedCall(), test.robin, null)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'crm.unavailable', retryable: true });
  });

  it('a row lock that meets one call of a batch leaves its neighbours alone', async () => {
    const [locked, ...others] = [finishedCall(), finishedCall(), finishedCall()];
    fault({ fault: 'row-lock', times: 100, when: { object: 'Task', record: locked?.callId ?? '' } });
    const written = await refusedInBatch(locked === undefined ? [] : [locked, ...others]);
    expect(written[0]).toBe('crm.unavailable');
    expect(written.slice(1)).toEqual(others.map((log) => logged(log).task?.Id));
  });

  it('502 and 504 of a gateway', async () => {
    for (const status of [502, 504]) {
      const server = await answering(() => ({ status, type: 'text/html', body: '<html>Bad Gateway</html>' }));
      const error = await server.write();
      expect(error).toMatchObject({ code: 'crm.unavailable', retryable: true });
      expect(error.message).not.toContain('<html');
    }
  });

  it('a record that an approval has locked, but not for ever', async () => {
    fault({ ...onWrites, fault: 'record-locked' });
    const endedAt = Date.now() - 60_000;
    expect(await refused(finishedCall({ startedAt: endedAt - 60_000, endedAt }))).toMatchObject({
      code: 'crm.unavailable',
      retryable: true,
      retryAfterMs: 600_000,
      message: expect.stringContaining('approv'),
    });
    const longAgo = Date.now() - 4 * 24 * 3_600_000;
    expect(await refused(finishedCall({ startedAt: longAgo - 60_000, endedAt: longAgo }))).toMatchObject({
      code: 'crm.invalid',
      retryable: false,
      message: expect.stringContaining('still locked after three days'),
    });
  });

  it('a session that ended is renewed once, and a lasting refusal of it is told', async () => {
    const log = finishedCall();
    fault({ fault: 'expired-session', on: 'POST */composite*' });
    await test.freshRelay().writeLog(log, test.robin, null);
    expect(logged(log).task).toBeDefined();
    fault({ fault: 'expired-session', on: '* /services/data/*', times: 1_000 });
    expect(await refused()).toMatchObject({ code: 'crm.not-authentic', retryable: false });
  });
});

describe('a refusal that somebody must see to names what to do', () => {
  it.each<[string, FaultOrder, RegExp]>([
    [
      'a validation rule, without the number it quotes',
      { fault: 'validation-rule', message: 'Enter a result for +1 (415) 555-0101 first.' },
      /validation rule.*Enter a result for … first.*|Enter a result for … first.*validation rule/s,
    ],
    ['a field that the org requires', { fault: 'required-field', fields: ['Region__c'] }, /Region__c.*default value/s],
    ['a trigger of the org', { fault: 'trigger' }, /CountCalls.*Apex trigger/s],
    ['a duplicate rule', { fault: 'duplicate-rule' }, /duplicate rule/],
    [
      'field-level security on a field that we need',
      { fault: 'field-security', fields: ['Call_Key__c'] },
      /Call_Key__c.*right to edit the field/s,
    ],
    ['a lasting lack of rights', { fault: 'no-access' }, /permission sets/],
  ])('%s', async (_name, order, message) => {
    const log = finishedCall();
    fault({ ...onWrites, ...order });
    const error = await refused(log);
    expect(error).toMatchObject({ code: 'crm.invalid', retryable: false });
    expect(error.message).toMatch(message);
    expect(error.message).not.toMatch(/555/);
    expect(error.message).toMatch(/ask for this log again/);
    expect(logged(log)).toEqual({ call: undefined, task: undefined });
    expect(await refusedInBatch([finishedCall(), finishedCall()])).toEqual(['crm.invalid', 'crm.invalid']);
  });

  it('two records with one key: nothing is written until one of them is gone', async () => {
    const log = finishedCall();
    const id = await test.freshRelay().writeLog(log, test.robin, null);
    const { call, task } = logged(log);
    if (call === undefined) throw new Error('no call');
    const twin = test.org.store.plant('Patchcord_Call__c', { ...call, Id: null });
    const error = await refused({ ...log, note: 'later' }, id);
    expect(error).toMatchObject({ code: 'crm.invalid', message: expect.stringContaining('Delete the extra') });
    expect(logged(log).task).toEqual(task);
    test.org.store.remove('Patchcord_Call__c', twin);
    await test.freshRelay().writeLog({ ...log, note: 'later' }, test.robin, id);
    expect(logged(log).task?.Description).toContain('later');
  });

  it('300 Multiple Choices', async () => {
    const server = await answering(() => ({
      status: 300,
      type: 'application/json',
      body: '["/services/data/v66.0/sobjects/Patchcord_Call__c/a00"]',
    }));
    expect(await server.write()).toMatchObject({
      code: 'crm.invalid',
      message: expect.stringContaining('Several records carry the same key'),
    });
  });

  it('our object is not in this org', async () => {
    const log = finishedCall();
    const relay = test.freshRelay();
    const write = (): Promise<string> => relay.writeLog(log, test.robin, null);
    const isDeployed = test.org.rights.deny({ object: 'Patchcord_Call__c' });
    await expect(write()).rejects.toMatchObject({
      code: 'crm.invalid',
      message: expect.stringContaining("Deploy Patchcord's metadata"),
    });
    isDeployed();
    const mayBeWritten = test.org.rights.deny({ object: 'Patchcord_Call__c', field: 'Last_Written__c' });
    await expect(write()).rejects.toMatchObject({
      code: 'crm.invalid',
      message: expect.stringContaining('The field Last_Written__c'),
    });
    // Asked for again after it was put right, it is written, by the same relay.
    mayBeWritten();
    await write();
    expect(logged(log).task).toBeDefined();
  });

  it('the API is closed to everybody', async () => {
    fault({ fault: 'api-disabled', on: '* /services/data/*', times: 1_000 });
    expect(await refused()).toMatchObject({
      code: 'crm.not-authentic',
      message: expect.stringContaining('API Enabled'),
    });
  });
});

describe('a refusal of a part leaves the rest logged', () => {
  it.each([
    ['Task', 'CallDisposition', 'everybody', 'task'],
    ['Task', 'CallDisposition', 'the agent', 'task'],
    ['Patchcord_Call__c', 'Note__c', 'everybody', 'call'],
    ['Patchcord_Call__c', 'Note__c', 'the agent', 'call'],
  ] as const)(
    'field-level security on %s.%s for %s: logged without it, and said once',
    async (object, field, whom, part) => {
      const user = whom === 'the agent' ? { user: test.robin.crmUserId } : {};
      test.org.rights.deny({ object, field, deeds: ['create', 'edit'], ...user });
      const relay = test.freshRelay();
      const log = finishedCall({ note: 'Wants two', disposition: 'Interested' });
      const id = await relay.writeLog(log, test.robin, null);
      await relay.writeLog({ ...log, note: 'Wants three', stage: 'final' }, test.robin, id);
      await relay.writeLog(finishedCall({ note: 'x' }), test.robin, null);
      const seen = logged(log);
      expect(seen.task?.Description).toContain('Wants three');
      expect(seen[part]?.[field]).toBeNull();
      expect(seen.task?.OwnerId).toBe(test.robin.crmUserId);
      expect(test.notices.filter((text) => text.includes(`${object}.${field}`))).toHaveLength(1);
    },
  );

  it('a field hidden from the agent alone is left out when the log is read again', async () => {
    const relay = test.freshRelay();
    const log = finishedCall({ note: 'first' });
    const id = await relay.writeLog(log, test.robin, null);
    test.org.rights.deny({ user: test.robin.crmUserId, object: 'Task', field: 'CallDisposition' });
    await relay.writeLog({ ...log, note: 'second', stage: 'final' }, test.robin, id);
    expect(logged(log).task?.Description).toContain('second');
    expect(logged(log).task?.CallDisposition).toBe('Connected');
  });

  it('a record the agent may not see: logged with the numbers, without the link, and a line says so', async () => {
    const record = test.record('Elena Marchetti');
    test.org.rights.deny({ user: test.robin.crmUserId, object: 'Contact', id: record.id });
    const log = finishedCall({ record });
    await test.freshRelay().writeLog(log, test.robin, null);
    const { call, task } = logged(log);
    expect(task).toMatchObject({ WhoId: null, OwnerId: test.robin.crmUserId });
    expect(task?.Description).toContain('+14155550101');
    expect(task?.Description).toContain(
      'Not linked to Contact Elena Marchetti: the user who writes this may not see it',
    );
    expect(call).toMatchObject({ Contact__c: null, To_Number__c: '+14155550101' });
  });

  it('a record that was deleted meanwhile, that never was, or that calls cannot be linked to', async () => {
    const gone = test.org.store.plant('Contact', { LastName: 'Gone' });
    test.org.store.remove('Contact', gone);
    for (const [id, words] of [
      [gone, 'it was deleted'],
      ['003000000000000AAA', 'there is no such record'],
      [test.sam.crmUserId, 'Salesforce links no calls to it'],
    ] as const) {
      const log = finishedCall({ record: { crm: 'salesforce', object: 'Contact', id, name: 'Ida Gone' } });
      await test.freshRelay().writeLog(log, test.robin, null);
      expect(logged(log).task?.WhoId).toBeNull();
      expect(logged(log).task?.Description).toContain(`Not linked to Contact Ida Gone: ${words}`);
    }
  });

  it('the record is chosen after the call and cannot be linked: the log keeps what it has', async () => {
    const relay = test.freshRelay();
    const log = finishedCall();
    const id = await relay.writeLog(log, test.robin, null);
    const record = test.record('Theo Okafor');
    test.org.rights.deny({ user: test.robin.crmUserId, object: 'Contact', id: record.id });
    expect(await relay.writeLog({ ...log, record, note: 'later' }, test.robin, id)).toBe(id);
    expect(logged(log).task?.WhoId).toBeNull();
    expect(logged(log).task?.Description).toContain('later');
    expect(logged(log).task?.Description).toContain('Not linked to Contact Theo Okafor');
  });

  it('an owner who is no longer active: the integration user owns the log, and the text says whose call it was', async () => {
    const log = finishedCall();
    fault({ fault: 'owner-inactive', times: 100, when: { object: 'Patchcord_Call__c', field: 'OwnerId' } });
    fault({ fault: 'owner-inactive', times: 100, when: { object: 'Task', field: 'OwnerId' } });
    await test.freshRelay({ actAs: 'integration' }).writeLog(log, test.robin, null);
    expect(logged(log).task).toMatchObject({ OwnerId: test.integration.crmUserId });
    expect(logged(log).task?.Description).toContain(`Taken by ${test.robin.name}, who is not active in Salesforce`);
    expect(logged(log).call?.Agent__c).toBe(test.robin.crmUserId);
  });

  it('a field of the org that is shorter than ours: the text is cut to what it takes', async () => {
    const server = await answering((url, body) => {
      if (url.includes('/query')) return json({ records: [{ ApiName: 'Completed', IsClosed: true }] });
      if (url.endsWith('/describe')) return json({ fields: describedFields });
      const sent = JSON.parse(body) as { compositeRequest: { body: Record<string, string> }[] };
      const subject = sent.compositeRequest[1]?.body.Subject ?? '';
      return json({
        compositeResponse:
          subject.length > 10
            ? [
                { referenceId: 'marker', httpStatusCode: 400, body: [{ errorCode: 'PROCESSING_HALTED', message: '' }] },
                {
                  referenceId: 'task',
                  httpStatusCode: 400,
                  body: [
                    {
                      errorCode: 'STRING_TOO_LONG',
                      message: `Subject: data value too large: ${subject} (max length=10)`,
                      fields: ['Subject'],
                    },
                  ],
                },
              ]
            : [{ referenceId: 'task', httpStatusCode: 201, body: { id: '00T000000000001AAA', success: true } }],
      });
    });
    expect(await server.relay.writeLog(finishedCall(), test.robin, null)).toBe('00T000000000001AAA');
  });
});

describe('a sign-in that is refused says what is wrong with the app', () => {
  it.each([
    ['invalid_grant', "user hasn't approved this consumer", /pre-authori[sz]ed/],
    ['invalid_grant', 'audience is invalid', /login URL/],
    ['invalid_grant', 'invalid assertion signature', /certificate/],
    ['invalid_grant', 'assertion has expired', /clock/],
    ['invalid_grant', 'ip restricted', /IP restrictions/],
    ['inactive_user', 'user is inactive', /activate it/],
    ['invalid_client_id', 'client identifier invalid', /consumer key/i],
    ['invalid_request', 'must be valid', /JWT Bearer Flow/],
    ['unsupported_grant_type', 'grant type not supported', /JWT Bearer Flow/],
    ['access_denied', 'end-user denied authorization', /permission set/],
    ['OAUTH_APP_BLOCKED', 'this app is blocked by admin', /unblock it/],
    ['OAUTH_EC_APP_NOT_FOUND', 'External client app is not installed in this org', /no such app/],
    ['immature_as_you_like', '', /Check the External Client App/],
  ])('%s: %s', async (error, description, message) => {
    const server = await answering(() => null, { status: 400, body: { error, error_description: description } });
    const known = await server.write();
    expect(known).toMatchObject({ code: 'crm.not-authentic', retryable: false });
    expect(known.message).toMatch(message);
  });

  it.each(['server_error', 'temporarily_unavailable', 'unknown_error', 'login_rate_exceeded'])(
    '%s ends by itself',
    async (error) => {
      const server = await answering(() => null, { status: 400, body: { error, error_description: 'later' } });
      expect(await server.write()).toMatchObject({ code: 'crm.unavailable', retryable: true });
    },
  );

  it('an address that is none of Salesforce gets no token', async () => {
    const server = await answering(() => null, {
      status: 200,
      body: { access_token: 'secret-token', instance_url: 'https://evil.example', id: 'https://x/id/00D/005' },
    });
    const known = await server.write();
    expect(known).toMatchObject({
      code: 'crm.not-authentic',
      message: expect.stringContaining('not one of Salesforce'),
    });
    expect(known.message).not.toContain('secret-token');
  });
});

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}
const json = (body: unknown): Reply => ({ status: 200, type: 'application/json', body: JSON.stringify(body) });
const describedFields = ['Subject', 'Status', 'Call_Key__c', 'Task_Id__c', 'Last_Written__c'].map((name) => ({ name }));

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server of our own, for answers that no emulator of an org should give. */
async function answering(
  answer: (url: string, body: string) => Reply | null,
  token?: { readonly status: number; readonly body: unknown },
) {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const url = request.url ?? '';
      const granted = { access_token: 'token', instance_url: origin, id: `${origin}/id/00D/005` };
      const reply =
        url === '/services/oauth2/token'
          ? { ...json(token?.body ?? granted), status: token?.status ?? 200 }
          : answer(url, Buffer.concat(chunks).toString('utf8'));
      if (reply === null) return;
      response.writeHead(reply.status, { 'content-type': reply.type });
      response.end(reply.body);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const relay = createSalesforceRelay({
    loginUrl: origin,
    clientId: 'client',
    privateKeyPem,
    username: 'relay@x.example',
    actAs: 'integration',
    timeoutMs: 2_000,
  });
  const write = async (): Promise<PatchcordError> => {
    const error = await relay.writeLog(finishedCall(), test.robin, null).catch((thrown: unknown) => thrown);
    if (!(error instanceof PatchcordError)) throw new Error(`It was not refused: ${String(error)}`);
    return error;
  };
  return { relay, write };
}
