/** What is asked of a HubSpot account about its people and its set-up, through the real client. */
import { createHubSpotRelay, type RequestGate } from '@patchcord/crm-adapters/relay';
import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

const api = 'https://api.hubapi.test';
const server = setupServer();
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

const relay = (gate?: RequestGate) =>
  createHubSpotRelay({
    ...(gate === undefined ? {} : { gate }),
    apiUrl: api,
    portalId: 1,
    appId: 99,
    accessToken: () => Promise.resolve('token'),
    timeoutMs: 2_000,
  });
const ada = { crmUserId: '42', name: 'Ada Byron' };
const bob = { crmUserId: '43', name: 'Bob Moog' };

const refused = (status: number, category: string) =>
  HttpResponse.json({ status: 'error', category, message: 'This app does not have that.' }, { status });
const property = (name: string, hasUniqueValue = false) => ({ name, hasUniqueValue, groupName: 'call_information' });

/** An account where all is well; later handlers come first. */
function account(): void {
  server.use(
    http.get(`${api}/crm/v3/properties/calls`, () =>
      HttpResponse.json({
        results: [
          property('hs_call_title'),
          property('patchcord_call_id', true),
          property('patchcord_last_written'),
          { name: 'hs_call_disposition', options: [{ label: 'Connected', value: 'x' }] },
        ],
      }),
    ),
    http.post(`${api}/crm/v3/objects/:type/search`, () => HttpResponse.json({ total: 0, results: [] })),
    http.get(`${api}/crm/v3/owners`, ({ request }) => {
      const after = new URL(request.url).searchParams.get('after');
      return after === null
        ? HttpResponse.json({ results: [{ id: '1', userId: 42 }], paging: { next: { after: 'next' } } })
        : HttpResponse.json({ results: [{ id: '2', userId: 43 }] });
    }),
    http.get(`${api}/crm/extensions/calling/v3/connection-statuses`, () =>
      HttpResponse.json({
        results: [
          { userId: 42, connected: true, provider: { type: 'THIRD_PARTY', appId: 99, appName: 'Patchcord' } },
          { userId: 43, connected: true, provider: { type: 'THIRD_PARTY', appId: '99' } },
          { userId: 44, connected: true, provider: { type: 'HUBSPOT' } },
          { userId: 45, connected: false },
          { userId: 'no id' },
        ],
      }),
    ),
  );
}
async function verdicts(agents = [ada, bob]): Promise<Readonly<Record<string, string>>> {
  const findings = (await relay().checkSetUp?.(agents)) ?? [];
  for (const { verdict, advice } of findings) expect(verdict === 'good' || (advice ?? '') !== '').toBe(true);
  return Object.fromEntries(findings.map(({ id, verdict }) => [id, verdict]));
}

describe('the set-up of an account', () => {
  it('is good where HubSpot answers, the key is unique, and every agent is a user who calls through us', async () => {
    account();
    expect(await verdicts()).toEqual({ property: 'good', search: 'good', agents: 'good', provider: 'good' });
  });

  it('is not good for an agent whom HubSpot does not know, or who calls through another app', async () => {
    account();
    const carol = { crmUserId: '44', name: 'Carol Kaye' };
    expect(await verdicts([ada, carol])).toMatchObject({ agents: 'bad', provider: 'bad' });
    const findings = (await relay().checkSetUp?.([carol])) ?? [];
    expect(findings.find(({ id }) => id === 'agents')?.found).toContain('Carol Kaye');
    expect(await verdicts([ada, { crmUserId: '45', name: 'Dee' }])).toMatchObject({ provider: 'unsure' });
  });

  it('tells a missing scope from a refused token and from an account that is only busy', async () => {
    account();
    server.use(
      http.get(`${api}/crm/extensions/calling/v3/connection-statuses`, () => refused(403, 'MISSING_SCOPES')),
      http.get(`${api}/crm/v3/owners`, () => refused(403, 'MISSING_SCOPES')),
      http.post(`${api}/crm/v3/objects/:type/search`, () => refused(503, 'BUSY')),
    );
    expect(await verdicts()).toEqual({ property: 'good', search: 'unsure', agents: 'bad', provider: 'unsure' });
    server.use(http.get(`${api}/crm/v3/properties/calls`, () => refused(401, 'EXPIRED_AUTHENTICATION')));
    expect(await verdicts()).toMatchObject({ property: 'bad' });
    await expect(relay().callingApps?.()).rejects.toMatchObject({ code: 'crm.invalid' });
  });
});

describe('whom a record belongs to', () => {
  it('is read with what it is called, for each kind of record', async () => {
    server.use(
      http.get(`${api}/crm/v3/objects/:type/:id`, ({ params }) =>
        HttpResponse.json({
          properties: {
            contacts: { firstname: 'Grace', lastname: 'Hopper', email: 'g@example.com', hubspot_owner_id: '9001' },
            companies: { name: ' Fabrikam ', domain: 'fabrikam.example', hubspot_owner_id: '' },
            deals: { dealname: '400 pallets', hubspot_owner_id: null },
            tickets: {},
          }[String(params.type)],
        }),
      ),
      http.get(`${api}/crm/v3/owners/:id`, ({ params }) =>
        params.id === '9001' ? HttpResponse.json({ id: '9001', userId: 42 }) : refused(404, 'OBJECT_NOT_FOUND'),
      ),
    );
    const of = (object: string, id = '5') => relay().describeRecord?.({ crm: 'hubspot', object, id });
    expect(await of('contact')).toEqual({ name: 'Grace Hopper', ownerId: '9001' });
    expect(await of('company')).toEqual({ name: 'Fabrikam', ownerId: null });
    expect(await of('deal')).toEqual({ name: '400 pallets', ownerId: null });
    expect(await of('ticket')).toEqual({ name: null, ownerId: null });
    await expect(of('contact', '5/../6')).rejects.toMatchObject({ code: 'crm.not-found' });
    await expect(of('product')).rejects.toMatchObject({ code: 'crm.not-found' });
    expect(await relay().userOfOwner?.('9001')).toBe('42');
    expect(await relay().userOfOwner?.('9002')).toBeNull();
    expect(await relay().userOfOwner?.('x')).toBeNull();
  });

  it('is read behind what a person waits for, where nobody does', async () => {
    server.use(
      http.get(`${api}/crm/v3/objects/:type/:id`, () => HttpResponse.json({ properties: { phone: '+14155550101' } })),
      http.get(`${api}/crm/v4/objects/deals/:id/associations/:to`, () =>
        HttpResponse.json({ results: [{ toObjectId: 7 }] }),
      ),
      http.post(`${api}/crm/v3/objects/:type/batch/read`, () => HttpResponse.json({ results: [] })),
      http.get(`${api}/crm/v3/owners/:id`, () => HttpResponse.json({ id: '9001', userId: 42 })),
    );
    const asked: unknown[] = [];
    const gate = {
      pass: ({ urgent }: { readonly urgent?: boolean }) => {
        asked.push(urgent);
        return Promise.resolve(() => {});
      },
    };
    const gated = relay(gate);
    for (const options of [undefined, { urgent: false }]) {
      await gated.describeRecord?.({ crm: 'hubspot', object: 'contact', id: '5' }, options);
      await gated.numbersOf?.({ crm: 'hubspot', object: 'contact', id: '5' }, options);
      await gated.numbersOf?.({ crm: 'hubspot', object: 'deal', id: '5' }, options);
      await gated.userOfOwner?.('9001', options);
    }
    expect(asked).toEqual([...Array(7).fill(true), ...Array(7).fill(false)]);
  });
});
