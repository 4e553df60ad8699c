import { type CallLog, type E164, errorCode, type PatchcordError } from '@patchcord/call-protocol';
import { createHubSpotRelay } from '@patchcord/crm-adapters/relay';
import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type CallProperties,
  callProperties,
  callSpelling,
  htmlOf,
} from '../../../packages/crm-adapters/src/hubspot/call.ts';
import { filtersFor, ranked, searchBody } from '../../../packages/crm-adapters/src/hubspot/search.ts';
import { finishedCall } from '../../contract/crm-adapters/call-log-fixture.ts';

const connected = 'f240bbac-87c9-4f6e-bf70-924b57d47db7';
const noAnswer = '73a0d17f-1163-4015-bdd5-ec830791da20';
const leftVoicemail = 'b2cf5968-551e-4856-9783-52b3da59a7d0';
const names = [
  'hs_timestamp',
  'hs_call_title',
  'hs_call_body',
  'hs_call_direction',
  'hs_call_status',
  'hs_call_disposition',
  'hs_call_duration',
  'hs_call_from_number',
  'hs_call_to_number',
  'hs_call_external_id',
  'hs_call_external_account_id',
  'hubspot_owner_id',
  'hs_call_source',
  'hs_call_app_id',
];
const offered: CallProperties = {
  groupName: 'call_information',
  names: new Set(names),
  editable: new Set(),
  statuses: new Set(['BUSY', 'CANCELED', 'COMPLETED', 'FAILED', 'IN_PROGRESS', 'NO_ANSWER']),
  dispositions: new Map([
    ['connected', connected],
    ['no answer', noAnswer],
    ['left voicemail', leftVoicemail],
  ]),
};
const properties = (change: Partial<CallLog> = {}, setting: object = {}) =>
  callProperties(finishedCall(change), {
    properties: offered,
    ownerId: '7701',
    appId: '99',
    dispositionIds: {},
    ...setting,
  });

describe('what a call becomes in HubSpot', () => {
  it('fills the properties of a call, all as text, spans in milliseconds', () => {
    const log = finishedCall({ note: 'a < b\nsecond' });
    expect(callProperties(log, { properties: offered, ownerId: '7701', appId: '99', dispositionIds: {} })).toEqual({
      hs_timestamp: '1795253400000',
      hs_call_title: 'Call to +14155550101',
      hs_call_body: 'a &lt; b<br>second<br><br>From +14155550190 to +14155550101',
      hs_call_direction: 'OUTBOUND',
      hs_call_status: 'COMPLETED',
      hs_call_disposition: connected,
      hs_call_duration: '62400',
      hs_call_from_number: '+14155550190',
      hs_call_to_number: '+14155550101',
      hs_call_external_id: log.callId,
      hs_call_external_account_id: 'northlight',
      hubspot_owner_id: '7701',
      hs_call_source: 'INTEGRATIONS_PLATFORM',
      hs_call_app_id: '99',
    });
  });

  it('says MISSED where the account knows it and NO_ANSWER where not', () => {
    const missed = { direction: 'inbound', outcome: 'missed' } as const;
    expect(properties(missed)).toMatchObject({ hs_call_status: 'NO_ANSWER', hs_call_disposition: noAnswer });
    const statuses = new Set([...offered.statuses, 'MISSED']);
    expect(properties(missed, { properties: { ...offered, statuses } })).toMatchObject({ hs_call_status: 'MISSED' });
  });

  it('finds the disposition by id, by label and by the tenant’s own list; an unknown one stays readable', () => {
    expect(properties({ disposition: leftVoicemail }).hs_call_disposition).toBe(leftVoicemail);
    expect(properties({ disposition: 'Left Voicemail' }).hs_call_disposition).toBe(leftVoicemail);
    expect(properties({ disposition: 'vm' }, { dispositionIds: { vm: leftVoicemail } }).hs_call_disposition).toBe(
      leftVoicemail,
    );
    expect(properties({ disposition: 'Interested' })).toMatchObject({
      hs_call_disposition: connected,
      hs_call_body: expect.stringContaining('Interested'),
    });
  });

  it('leaves out what the account does not have', () => {
    const few = { ...offered, names: new Set(['hs_timestamp', 'hs_call_title']) };
    expect(Object.keys(properties({}, { properties: few }))).toEqual(['hs_timestamp', 'hs_call_title']);
    expect(properties({}, { ownerId: null, appId: null })).not.toHaveProperty('hubspot_owner_id');
  });

  it('knows its own text again, however HubSpot gives it back', () => {
    expect(callSpelling('hs_timestamp', '2026-11-21T09:30:00Z')).toBe(callSpelling('hs_timestamp', '1795253400000'));
    expect(callSpelling('hs_call_body', '<p>a &lt; b</p>\n<p>second</p>')).toBe(
      callSpelling('hs_call_body', htmlOf('a < b\nsecond')),
    );
  });
});

describe('the search for a caller', () => {
  it('stays inside what one search takes', () => {
    for (const type of ['contacts', 'companies'] as const) {
      const filters = filtersFor(type, '+442079460958' as E164);
      expect(filters.length).toBeLessThanOrEqual(5);
      expect(JSON.stringify(searchBody(type, filters)).length).toBeLessThan(3_000);
    }
  });

  it('ranks contacts before companies, a mobile before a phone, and drops what only looks alike', () => {
    const contacts = [
      { id: '2', properties: { firstname: 'Bea', phone: '415 555 0101', company: 'Ravine' } },
      { id: '1', properties: { firstname: 'Ada', lastname: 'Moss', mobilephone: '(415) 555-0101', jobtitle: 'Buyer' } },
      { id: '3', properties: { firstname: 'No', phone: '+44 4155 550101' } },
      { id: 'x/1', properties: { firstname: 'Evil', phone: '4155550101' } },
      { id: '1', properties: { firstname: 'Ada', lastname: 'Moss', mobilephone: '(415) 555-0101' } },
      null,
    ];
    const companies = [{ id: '9', properties: { name: 'Ravine', domain: 'ravine.example', phone: '+14155550101' } }];
    expect(
      ranked({ contacts, companies }, '+14155550101' as E164, 'US').map(({ record, reason }) => [
        record.id,
        record.name,
        reason,
      ]),
    ).toEqual([
      ['1', 'Ada Moss', 'Contact: mobile number'],
      ['2', 'Bea', 'Contact at Ravine: phone number'],
      ['9', 'Ravine', 'Company: phone number'],
    ]);
  });
});

describe('who must not be called', () => {
  it('is asked for by the property that the customer named, and told with the match', () => {
    const filters = filtersFor('contacts', '+14155550101' as E164);
    expect(JSON.stringify(searchBody('contacts', filters))).not.toContain('do_not_call');
    for (const type of ['contacts', 'companies'] as const)
      expect(searchBody(type, filters, 'do_not_call')).toMatchObject({
        properties: expect.arrayContaining(['do_not_call']),
      });
    const contacts = ['true', 'Yes', 'false', '', null].map((said, index) => ({
      id: String(index + 1),
      properties: { firstname: `P${index}`, phone: '415 555 0101', do_not_call: said },
    }));
    const wishes = (property: string | null) =>
      ranked({ contacts, companies: [] }, '+14155550101' as E164, 'US', null, property).map(
        ({ doNotCall }) => doNotCall ?? false,
      );
    expect(wishes('do_not_call')).toEqual([true, true, false, false, false]);
    expect(wishes(null)).toEqual([false, false, false, false, false]);
  });
});

describe('a HubSpot that does not behave', () => {
  const api = 'https://api.hubapi.test';
  const server = setupServer();
  beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
  afterEach(() => server.resetHandlers());
  afterAll(() => server.close());
  const described = http.get(`${api}/crm/v3/properties/calls`, () =>
    HttpResponse.json({
      results: [
        ...names.map((name) => ({
          name,
          groupName: 'call_information',
          ...(name === 'hs_call_disposition' ? { options: [{ label: 'Connected', value: connected }] } : {}),
        })),
        { name: 'patchcord_call_id', hasUniqueValue: true },
        { name: 'patchcord_last_written' },
      ],
    }),
  );
  const owner = http.get(`${api}/crm/v3/owners/4201`, () => HttpResponse.json({ id: '7701' }));
  const unknownCall = http.get(`${api}/crm/v3/objects/calls/:id`, () => HttpResponse.json({}, { status: 404 }));
  const upsert = `${api}/crm/v3/objects/calls/batch/upsert`;
  const relay = (change: object = {}) =>
    createHubSpotRelay({ apiUrl: api, accessToken: async () => 'token', portalId: 1, timeoutMs: 200, ...change });
  const write = (using = relay()): Promise<PatchcordError> =>
    using.writeLog(finishedCall(), { crmUserId: '4201', name: 'Robin' }, null).then(
      (id) => Promise.reject(new Error(`wrote ${id}`)),
      (error: unknown) => error as PatchcordError,
    );

  it.each([
    [429, { policyName: 'TEN_SECONDLY_ROLLING' }, {}, 'crm.rate-limited', 10_000],
    [429, { policyName: 'SECONDLY' }, {}, 'crm.rate-limited', 1_000],
    [429, { policyName: 'DAILY' }, { 'Retry-After': '7' }, 'crm.rate-limited', 7_000],
    [423, {}, {}, 'crm.unavailable', 2_000],
    [477, {}, { 'Retry-After': '3600' }, 'crm.unavailable', 3_600_000],
    [502, {}, {}, 'crm.unavailable', 1_000],
    [524, {}, {}, 'crm.unavailable', 1_000],
  ])('%i %o %o is %s, again after %i ms', async (status, body, headers, code, retryAfterMs) => {
    server.use(
      described,
      owner,
      unknownCall,
      http.post(upsert, () => HttpResponse.json(body, { status, headers: headers as Record<string, string> })),
    );
    expect(await write()).toMatchObject({ code, retryable: true, retryAfterMs });
  });

  it('names the property that was refused, never its value', async () => {
    server.use(
      described,
      owner,
      unknownCall,
      http.post(upsert, () =>
        HttpResponse.json(
          {
            category: 'VALIDATION_ERROR',
            message: 'Property values were not valid: +14155550101',
            errors: [{ code: 'INVALID_OPTION', context: { propertyName: ['hs_call_disposition'] } }],
          },
          { status: 207 },
        ),
      ),
    );
    const error = await write();
    // 207 with an error inside and no result.
    expect(errorCode(error)).toMatch(/^crm\./);
    expect(error.message).not.toContain('4155550101');
  });

  it('takes an error inside a 207 for an error', async () => {
    server.use(
      described,
      owner,
      unknownCall,
      http.post(upsert, () =>
        HttpResponse.json(
          { results: [], errors: [{ category: 'VALIDATION_ERROR', message: 'required' }] },
          { status: 207 },
        ),
      ),
    );
    expect(await write()).toMatchObject({ code: 'crm.invalid', retryable: false });
  });

  it('waits no longer than its own deadline', async () => {
    server.use(
      described,
      owner,
      http.get(`${api}/crm/v3/objects/calls/:id`, () => new Promise<never>(() => {})),
    );
    expect(await write()).toMatchObject({ code: 'crm.unavailable', retryable: true });
  });

  it('asks for a fresh token once, and then says that the app is not authentic', async () => {
    let tokens = 0;
    let asked = 0;
    server.use(
      http.get(`${api}/crm/v3/*`, () => {
        asked += 1;
        return HttpResponse.json({ category: 'EXPIRED_AUTHENTICATION' }, { status: 401 });
      }),
    );
    const accessToken = async (): Promise<string> => {
      tokens += 1;
      return `token-${tokens}`;
    };
    await expect(
      relay({ accessToken }).writeLog(finishedCall(), { crmUserId: '-', name: '' }, null),
    ).rejects.toMatchObject({ code: 'crm.not-authentic' });
    expect([tokens, asked]).toEqual([2, 2]);
  });

  it('renews its OAuth token once for many requests, and says when the grant is gone', async () => {
    let renewals = 0;
    server.use(
      http.post(`${api}/oauth/2026-03/token`, () => {
        renewals += 1;
        return HttpResponse.json({ access_token: `t${renewals}`, expires_in: 1_800 });
      }),
      http.post(`${api}/crm/v3/objects/:type/search`, () => HttpResponse.json({ results: [] })),
    );
    const accessToken = { clientId: 'c', clientSecret: 's', refreshToken: 'r' };
    const using = relay({ accessToken });
    for (let time = 1; time <= 3; time += 1) expect(await using.findByNumber('+14155550101' as E164, 'US')).toEqual([]);
    expect(renewals).toBe(1);
    server.use(
      http.post(`${api}/oauth/2026-03/token`, () =>
        HttpResponse.json({ status: 'BAD_REFRESH_TOKEN' }, { status: 400 }),
      ),
    );
    await expect(relay({ accessToken }).findByNumber('+14155550101' as E164, 'US')).rejects.toMatchObject({
      code: 'crm.not-authentic',
    });
  });

  it('learns which property a search does not know', async () => {
    const bodies: string[] = [];
    server.use(
      http.post(`${api}/crm/v3/objects/:type/search`, async ({ request, params }) => {
        const body = await request.text();
        bodies.push(`${params.type}`);
        if (params.type === 'contacts' && body.includes('international_mobile'))
          return HttpResponse.json({}, { status: 400 });
        const results =
          params.type === 'contacts' && body.includes('"phone"')
            ? [{ id: '501', properties: { firstname: 'Elena', lastname: 'Marchetti', phone: '(415) 555-0101' } }]
            : [];
        return HttpResponse.json({ results });
      }),
    );
    const using = relay();
    expect((await using.findByNumber('+14155550101' as E164, 'US')).map(({ record }) => record.id)).toEqual(['501']);
    const first = bodies.length;
    expect((await using.findByNumber('+14155550101' as E164, 'US')).map(({ record }) => record.id)).toEqual(['501']);
    expect(bodies.length - first).toBe(2);
  });

  it('refuses a key property that does not keep calls apart', async () => {
    server.use(
      owner,
      http.get(`${api}/crm/v3/properties/calls`, () =>
        HttpResponse.json({
          results: [{ name: 'patchcord_call_id', hasUniqueValue: false }, { name: 'patchcord_last_written' }],
        }),
      ),
    );
    expect(await write()).toMatchObject({ code: 'crm.invalid', message: expect.stringContaining('unique values') });
  });

  it('says which scope is missing', async () => {
    server.use(
      owner,
      http.get(`${api}/crm/v3/properties/calls`, () =>
        HttpResponse.json({ results: [{ name: 'hs_call_title', groupName: 'g' }] }),
      ),
      http.post(`${api}/crm/v3/properties/calls`, () =>
        HttpResponse.json({ category: 'MISSING_SCOPES' }, { status: 403 }),
      ),
    );
    expect(await write()).toMatchObject({
      code: 'crm.invalid',
      message: expect.stringContaining('crm.schemas.contacts.write'),
    });
  });

  it('links to records and logs', () => {
    const using = relay({ portalId: 24_500_123, uiUrl: 'https://app-eu1.hubspot.com/' });
    expect(using.linkTo({ crm: 'hubspot', object: 'contact', id: '501' })).toBe(
      'https://app-eu1.hubspot.com/contacts/24500123/record/0-1/501',
    );
    expect(using.linkTo({ crm: 'hubspot', object: 'call', id: '9' })).toBe(
      'https://app-eu1.hubspot.com/contacts/24500123/record/0-48/9',
    );
  });
});
