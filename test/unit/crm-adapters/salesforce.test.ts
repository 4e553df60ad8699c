import { generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CallLog, type E164, errorCode } from '@patchcord/call-protocol';
import { createSalesforceRelay } from '@patchcord/crm-adapters/relay';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { scriptOrigins, scriptUrls } from '../../../packages/crm-adapters/src/salesforce/host-address.ts';
import { fromRefusal } from '../../../packages/crm-adapters/src/salesforce/refusals.ts';
import {
  escapeSosl,
  ranked,
  type SearchableObject,
  searchableOf,
  sosl,
} from '../../../packages/crm-adapters/src/salesforce/search.ts';
import { taskFields } from '../../../packages/crm-adapters/src/salesforce/task.ts';
import { readOutcome } from '../../../packages/crm-adapters/src/salesforce/wire.ts';
import { finishedCall } from '../../contract/crm-adapters/call-log-fixture.ts';

const agent = { crmUserId: '005Pc0000000001IAA', name: 'Robin Avery' };
const wording = { closedStatus: 'Erledigt', timeZone: 'UTC' };
const fields = (change: Partial<CallLog> = {}) => taskFields(finishedCall(change), agent, wording);
const contact = { crm: 'salesforce', object: 'Contact', id: '003Pc00000000AAIAY', name: 'Elena Marchetti' } as const;

describe('what a call becomes in Salesforce', () => {
  it('fills the fields of a call Task', () => {
    const log = finishedCall({ record: contact, note: 'Wants two more', disposition: 'Interested' });
    expect(taskFields(log, agent, wording)).toEqual({
      Subject: 'Call to Elena Marchetti',
      Status: 'Erledigt',
      CallType: 'Outbound',
      CallDurationInSeconds: 62,
      CallDisposition: 'Interested',
      CallObject: log.callId,
      ActivityDate: '2026-11-21',
      Description: 'Wants two more\n\nFrom +14155550190 to +14155550101',
      WhoId: contact.id,
      WhatId: null,
      OwnerId: agent.crmUserId,
    });
  });

  it('relates a Lead alone, an Account as what it is about, and no foreign record', () => {
    expect(fields({ record: { crm: 'salesforce', object: 'Lead', id: '00QPc00000000AAIAY' } })).toMatchObject({
      WhoId: '00QPc00000000AAIAY',
      WhatId: null,
    });
    expect(fields({ record: { crm: 'salesforce', object: 'Account', id: '001Pc00000000AAIAY' } })).toMatchObject({
      WhoId: null,
      WhatId: '001Pc00000000AAIAY',
    });
    for (const record of [
      { crm: 'hubspot', object: 'contact', id: '501' },
      { crm: 'salesforce', object: 'Contact', id: '003/../x' },
    ] as const)
      expect(fields({ record })).toMatchObject({ WhoId: null, WhatId: null });
  });

  it('names the type of the call', () => {
    expect(fields({ direction: 'inbound' }).CallType).toBe('Inbound');
    expect(fields({ farSide: { number: '202' } }).CallType).toBe('Internal');
  });

  it('counts the day in the configured zone, and whole seconds', () => {
    const log = finishedCall({ startedAt: Date.UTC(2026, 10, 21, 23, 30), talkMs: 499 });
    expect(taskFields(log, agent, { ...wording, timeZone: 'Asia/Tokyo' }).ActivityDate).toBe('2026-11-22');
    expect(taskFields(log, agent, wording)).toMatchObject({ ActivityDate: '2026-11-21', CallDurationInSeconds: 0 });
  });

  it('says in words how a call ended and where it went', () => {
    expect(fields({ direction: 'inbound', outcome: 'missed', reason: 'nobody answered' })).toMatchObject({
      Subject: 'Missed call from +14155550101',
      CallDisposition: 'Missed',
      Description: 'From +14155550101 to +14155550190\nMissed: nobody answered',
    });
    expect(fields({ transferredTo: '202' }).Description).toContain('Transferred to 202');
  });

  it('owns nothing for an agent who is no Salesforce user, and fits the longest texts', () => {
    expect(taskFields(finishedCall(), { crmUserId: 'robin', name: 'Robin' }, wording)).not.toHaveProperty('OwnerId');
    const long = fields({
      note: 'x'.repeat(40_000),
      disposition: 'y'.repeat(300),
      farSide: { number: '', name: 'z'.repeat(300) },
    });
    expect(String(long.Description)).toHaveLength(32_000);
    expect(String(long.CallDisposition)).toHaveLength(255);
    expect(String(long.Subject)).toHaveLength(255);
  });
});

const objects: readonly SearchableObject[] = [
  {
    object: 'Contact',
    phoneFields: ['Phone', 'MobilePhone', 'AssistantPhone'],
    countryFields: ['MailingCountry'],
    otherFields: ['Title', 'AccountId', 'Account.Name'],
  },
  { object: 'Lead', phoneFields: ['Phone'], countryFields: [], otherFields: ['Company', 'Title'] },
  { object: 'Account', phoneFields: ['Phone'], countryFields: [], otherFields: ['IsPersonAccount', 'PersonContactId'] },
];
const number = '+14155550101' as E164;

describe('the search for a caller', () => {
  it('escapes everything SOSL reserves', () => {
    expect(escapeSosl('(415) 555-0101')).toBe('\\(415\\) 555\\-0101');
    fc.assert(
      fc.property(fc.string(), (text) => {
        const escaped = escapeSosl(text);
        expect(escaped.replace(/\\./gs, '')).not.toMatch(/[?&|!{}[\]()^~*:\\"'+-]/);
        expect(escaped.replace(/\\(.)/gs, '$1')).toBe(text);
      }),
    );
  });

  it('asks for every spelling, and only for what the org has', () => {
    expect(sosl('+442079460958' as E164, objects)).toBe(
      'FIND {442079460958 OR 2079460958 OR 02079460958 OR 00442079460958 OR 4402079460958 OR 011442079460958 OR "020 7946 0958"} IN PHONE FIELDS RETURNING ' +
        'Contact(Id,Name,Title,AccountId,Account.Name,Phone,MobilePhone,AssistantPhone,MailingCountry), ' +
        'Lead(Id,Name,Company,Title,Phone WHERE IsConverted = false), ' +
        'Account(Id,Name,IsPersonAccount,PersonContactId,Phone) LIMIT 50',
    );
  });

  it('ranks a person’s own number first and a company right after its people', () => {
    const row = (type: string, Id: string, rest: object) => ({ attributes: { type }, Id, ...rest });
    const account = '001Pc00000000AAIAY';
    const rows = [
      row('Account', account, { Name: 'Northlight', Phone: '415 555 0101' }),
      row('Account', '001Pc00000000ABIAY', { Name: 'Ravine', Phone: '415 555 0101' }),
      row('Lead', '00QPc00000000AAIAY', { Name: 'Lea', Company: 'Lumen', Phone: '(415) 555-0101' }),
      row('Contact', '003Pc00000000AAIAY', {
        Name: 'Ada',
        AccountId: account,
        Account: { Name: 'Northlight' },
        Phone: '4155550101',
      }),
      row('Contact', '003Pc00000000ABIAY', {
        Name: 'Bea',
        AccountId: account,
        MobilePhone: '+1 415 555 0101',
        Phone: '1',
      }),
      row('Contact', '003Pc00000000ACIAY', { Name: 'Cy', AssistantPhone: '415-555-0101' }),
      row('Contact', '003Pc00000000ADIAY', { Name: 'Not', Phone: '+44 415 555 0101' }),
      row('Account', '001Pc00000000ACIAY', {
        Name: 'Pia',
        Phone: '415 555 0101',
        IsPersonAccount: true,
        PersonContactId: '003Pc00000000AEIAY',
      }),
      row('Contact', '../evil', { Name: 'Evil', Phone: '4155550101' }),
      row('Case', '500Pc00000000AAIAY', { Name: 'Case', Phone: '4155550101' }),
      null,
      'text',
    ];
    const matches = ranked(rows, number, 'US', objects);
    expect(matches.map(({ record, reason }) => [record.object, record.name, reason])).toEqual([
      ['Contact', 'Bea', 'Contact: mobile number'],
      ['Contact', 'Ada', 'Contact at Northlight: phone number'],
      ['Account', 'Northlight', 'Account: phone number'],
      ['Contact', 'Pia', 'Contact: phone number'],
      ['Contact', 'Cy', "Contact: assistant's number"],
      ['Lead', 'Lea', 'Lead at Lumen: phone number'],
      ['Account', 'Ravine', 'Account: phone number'],
    ]);
  });
});

describe('who must not be called', () => {
  it('is asked for where the org has the field, and told with the match', () => {
    const described = new Map([
      ['Phone', { type: 'phone' }],
      ['DoNotCall', { type: 'boolean' }],
    ]) as unknown as Parameters<typeof searchableOf>[1];
    const contact = searchableOf('Contact', described);
    expect(contact?.otherFields).toEqual(['DoNotCall']);
    expect(sosl(number, contact === null ? [] : [contact])).toContain('RETURNING Contact(Id,Name,DoNotCall,Phone)');
    const row = (Id: string, DoNotCall: unknown) => ({
      ...{ attributes: { type: 'Contact' }, Id, Name: Id, Phone: '4155550101', DoNotCall },
    });
    const rows = [row('003Pc00000000AAIAY', true), row('003Pc00000000ABIAY', false), row('003Pc00000000ACIAY', 'true')];
    expect(ranked(rows, number, 'US', objects).map(({ doNotCall }) => doNotCall)).toEqual([true, undefined, undefined]);
    const person = {
      ...{ attributes: { type: 'Account' }, Id: '001Pc00000000ACIAY', Name: 'Pia', Phone: '415 555 0101' },
      ...{ IsPersonAccount: true, PersonContactId: '003Pc00000000AEIAY', PersonDoNotCall: true },
    };
    expect(ranked([person], number, 'US', objects)).toMatchObject([{ record: { object: 'Contact' }, doNotCall: true }]);
  });
});

describe('what Salesforce’s refusals mean', () => {
  const meant = (code: string, message = '', status?: number) =>
    fromRefusal({ code, message, ...(status === undefined ? {} : { status }) }, 'to log the call');

  it.each([
    ['REQUEST_LIMIT_EXCEEDED', 'crm.rate-limited', true],
    ['UNABLE_TO_LOCK_ROW', 'crm.unavailable', true],
    ['SERVER_UNAVAILABLE', 'crm.unavailable', true],
    ['ERROR_HTTP_502', 'crm.unavailable', true],
    ['ERROR_HTTP_420', 'crm.unavailable', true],
    ['INVALID_SESSION_ID', 'crm.not-authentic', false],
    ['invalid_grant', 'crm.not-authentic', false],
    ['INVALID_FIELD', 'crm.invalid', false],
    ['FIELD_CUSTOM_VALIDATION_EXCEPTION', 'crm.invalid', false],
    ['NOT_FOUND', 'crm.not-found', false],
  ])('%s is %s', (code, expected, retryable) => {
    expect(meant(code)).toMatchObject({ code: expected, retryable });
  });

  it('waits long for a daily limit and briefly for a concurrent one', () => {
    expect(meant('REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.').retryAfterMs).toBe(900_000);
    expect(
      meant('REQUEST_LIMIT_EXCEEDED', 'ConcurrentRequests (Concurrent API Requests) Limit exceeded.').retryAfterMs,
    ).toBe(5_000);
  });

  it('repeats no number', () => {
    expect(
      meant('STRING_TOO_LONG', 'Phone: data value too large: +1 (415) 555-0101 (max length=40)').message,
    ).not.toMatch(/555/);
  });
});

describe('a Salesforce that does not behave', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

  /** Gives a token, then answers every request with `answer`. */
  async function relayTo(answer: (url: string) => { status: number; body: string } | null, timeoutMs = 2_000) {
    const seen: string[] = [];
    server = createServer((request, response) => {
      request.resume();
      request.on('end', () => {
        seen.push(`${request.method} ${request.url}`);
        const token = request.url === '/services/oauth2/token';
        const reply = token
          ? {
              status: 200,
              body: JSON.stringify({ access_token: 'token', instance_url: origin, id: `${origin}/id/00D/005` }),
            }
          : answer(request.url ?? '');
        if (reply === null) return;
        response.writeHead(reply.status, { 'content-type': 'application/json' });
        response.end(reply.body);
      });
    });
    const running = server;
    await new Promise<void>((resolve) => running.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(running.address() as AddressInfo).port}`;
    const relay = createSalesforceRelay({
      loginUrl: origin,
      clientId: 'client',
      privateKeyPem,
      username: 'relay@x.example',
      timeoutMs,
    });
    return { relay, seen };
  }
  /** An org that describes every object with the fields of a log. */
  const described = JSON.stringify({
    fields: ['Id', 'Subject', 'Status', 'Call_Key__c', 'Task_Id__c', 'Last_Written__c'].map((name) => ({ name })),
  });
  const write = (relay: ReturnType<typeof createSalesforceRelay>) =>
    relay.writeLog(finishedCall(), agent, null).then(
      () => 'works',
      (error: unknown) => error as { code: string; message: string },
    );

  it('gives up on a session that ends again and again', async () => {
    const { relay, seen } = await relayTo(() => ({
      status: 401,
      body: JSON.stringify([{ errorCode: 'INVALID_SESSION_ID', message: 'Session expired or invalid' }]),
    }));
    expect(errorCode(await write(relay))).toBe('crm.not-authentic');
    expect(seen.filter((line) => line.includes('token'))).toHaveLength(2);
  });

  it('waits no longer than its own deadline', async () => {
    const { relay } = await relayTo(() => null, 50);
    expect(await write(relay)).toMatchObject({ code: 'crm.unavailable', retryable: true });
  });

  it('says that the package is missing in the org', async () => {
    const { relay } = await relayTo((url) =>
      url.includes('/query')
        ? { status: 200, body: '{"records":[]}' }
        : {
            status: 200,
            body: url.endsWith('/describe')
              ? described
              : JSON.stringify({
                  compositeResponse: [
                    {
                      referenceId: 'marker',
                      httpStatusCode: 404,
                      body: [{ errorCode: 'NOT_FOUND', message: 'The requested resource does not exist' }],
                    },
                    {
                      referenceId: 'task',
                      httpStatusCode: 400,
                      body: [{ errorCode: 'PROCESSING_HALTED', message: 'halted' }],
                    },
                  ],
                }),
          },
    );
    expect(await write(relay)).toMatchObject({
      code: 'crm.invalid',
      message: expect.stringContaining('Deploy Patchcord'),
    });
  });

  it('tries a locked row again later', async () => {
    const { relay } = await relayTo((url) =>
      url.includes('/query')
        ? { status: 200, body: '{"records":[{"ApiName":"Closed"}]}' }
        : {
            status: 200,
            body: url.endsWith('/describe')
              ? described
              : JSON.stringify({
                  compositeResponse: [
                    {
                      referenceId: 'marker',
                      httpStatusCode: 400,
                      body: [{ errorCode: 'UNABLE_TO_LOCK_ROW', message: 'locked' }],
                    },
                  ],
                }),
          },
    );
    expect(await write(relay)).toMatchObject({ code: 'crm.unavailable', retryable: true });
  });

  it('takes junk for "try again", never for success', async () => {
    for (const body of ['', '{}', '<html>', '{"compositeResponse":[]}', '{"compositeResponse":[{}]}']) {
      const { relay } = await relayTo(() => ({ status: 200, body }));
      expect(await write(relay), body).toMatchObject({ code: 'crm.unavailable', retryable: true });
      server?.closeAllConnections();
      server?.close();
    }
  });

  it('refuses a key or an id it cannot use', async () => {
    expect(() =>
      createSalesforceRelay({ loginUrl: 'https://x.example', clientId: 'c', privateKeyPem: 'junk', username: 'u' }),
    ).toThrow(expect.objectContaining({ code: 'config.invalid' }));
    const { relay } = await relayTo(() => ({ status: 200, body: '{}' }));
    await expect(relay.writeLog(finishedCall(), agent, '../Task')).rejects.toMatchObject({ code: 'crm.invalid' });
  });
});

describe('the Open CTI wire', () => {
  it('reads every shape of an answer', () => {
    expect(readOutcome({ success: true, returnValue: 7 })).toEqual({ ok: true, value: 7 });
    expect(readOutcome({ success: false, errors: [{ code: 'A', description: 'B' }] })).toEqual({
      ok: false,
      reason: 'A: B',
    });
    expect(readOutcome({ success: false, error: 'plain' })).toEqual({ ok: false, reason: 'plain' });
    for (const junk of [null, undefined, 7, 'x', {}, { success: 'true' }])
      expect(readOutcome(junk)).toEqual({ ok: false, reason: 'no reason given' });
  });

  it('knows where the script may be', () => {
    expect(scriptUrls('https://acme--uat.sandbox.lightning.force.com:8443')).toEqual([
      'https://acme--uat.sandbox.my.salesforce.com:8443/support/api/66.0/lightning/opencti_min.js',
      'https://acme--uat.sandbox.lightning.force.com:8443/support/api/66.0/lightning/opencti_min.js',
    ]);
    expect(scriptUrls('http://localhost:4100')).toHaveLength(1);
    expect(scriptOrigins(['https://acme.lightning.force.com', 'https://*.force.com', 'http://localhost:4100'])).toEqual(
      ['https://acme.my.salesforce.com', 'https://acme.lightning.force.com', 'http://localhost:4100'],
    );
  });
});
