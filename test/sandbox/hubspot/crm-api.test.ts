import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startHttpServer } from '../../../sandbox/src/http.ts';
import { startPortal, type TestPortal } from './portal.ts';

let portal: TestPortal;
beforeEach(async () => {
  portal = await startPortal({ searchDelayMs: 0 });
});
afterEach(() => portal.sandbox.close());

const contact = (firstname: string): string =>
  `${portal.sandbox.records.contacts.find((one) => one.properties.firstname === firstname)?.id}`;
const newCall = async (path = '/crm/v3/objects/calls', over: Record<string, string> = {}) =>
  portal.call('POST', path, { properties: { hs_timestamp: '2026-11-21T10:00:00Z', ...over } });

describe('deals and tickets', () => {
  it('are found by the contact they are with', async () => {
    const search = (type: string, id: string) =>
      portal.call('POST', `/crm/v3/objects/${type}/search`, {
        filterGroups: [{ filters: [{ propertyName: 'associations.contact', operator: 'EQ', value: id }] }],
        properties: ['dealname', 'subject', 'hs_is_closed'],
        sorts: [{ propertyName: 'hs_object_id', direction: 'ASCENDING' }],
      });
    expect((await search('deals', contact('Elena'))).body).toMatchObject({
      total: 2,
      results: [{ properties: { hs_is_closed: 'false' } }, { properties: { hs_is_closed: 'true' } }],
    });
    expect((await search('0-5', contact('Mina'))).body).toMatchObject({
      results: [{ properties: { subject: 'Invoice 2041 was sent twice' } }],
    });
  });

  it('take a call by its documented type id, one by one and in a batch, and give it back', async () => {
    const { id } = (await newCall()).body as { id: string };
    const deal = `${portal.sandbox.records.deals[0]?.id}`;
    const ticket = `${portal.sandbox.records.tickets[0]?.id}`;
    expect((await portal.call('PUT', `/crm/v3/objects/calls/${id}/associations/deals/${deal}/206`)).status).toBe(200);
    const batch = {
      inputs: [
        { from: { id }, to: { id: ticket } },
        { from: { id }, to: { id: '1' } },
      ],
    };
    expect(
      await portal.call('POST', '/crm/v4/associations/calls/tickets/batch/associate/default', batch),
    ).toMatchObject({
      status: 207,
      body: { numErrors: 1, results: [{ associationSpec: { associationTypeId: 220 } }] },
    });
    const read = await portal.call('POST', '/crm/v4/associations/calls/tickets/batch/read', { inputs: [{ id }] });
    expect(read.body).toMatchObject({ results: [{ to: [{ toObjectId: Number(ticket) }] }] });
    expect((await portal.call('DELETE', `/crm/v4/objects/calls/${id}/associations/tickets/${ticket}`)).status).toBe(
      204,
    );
    expect(portal.sandbox.portal.associated('calls', id, 'tickets')).toEqual([]);
    expect(portal.sandbox.portal.associated('tickets', ticket, 'calls')).toEqual([]);
    expect(portal.sandbox.portal.associated('calls', id, 'deals')).toHaveLength(1);
  });
});

describe('what an account may demand', () => {
  it('is enforced by the newest API and by no older one', async () => {
    portal.sandbox.portal.require('calls', ['hs_call_disposition']);
    expect((await newCall('/crm/objects/2026-03/calls')).status).toBe(201);
    const refused = await newCall('/crm/objects/2026-09/calls');
    expect(refused).toMatchObject({ status: 400, body: { category: 'VALIDATION_ERROR' } });
    expect(JSON.stringify(refused.body)).toContain('hs_call_disposition');
  });

  it('lets a search leave nothing out on the newest API', async () => {
    const body = { filterGroups: [], limit: 5 };
    expect((await portal.call('POST', '/crm/v3/objects/contacts/search', body)).status).toBe(200);
    expect((await portal.call('POST', '/crm/objects/2026-09/contacts/search', body)).status).toBe(400);
  });

  it('is a scope for everything that is read or written', async () => {
    portal.sandbox.oauth.grant(['oauth', 'crm.objects.contacts.read']);
    const { access_token: token } = (await portal.token()).body as { access_token: string };
    const ask = (method: string, path: string) =>
      fetch(`${portal.sandbox.apiUrl}${path}`, { method, headers: { authorization: `Bearer ${token}` } });
    expect((await ask('GET', '/crm/v3/objects/calls')).status).toBe(200);
    for (const [method, path] of [
      ['POST', '/crm/v3/objects/calls'],
      ['GET', '/crm/objects/2026-03/deals'],
      ['GET', '/crm/v3/objects/tickets'],
      ['GET', '/crm/v3/owners'],
      ['POST', '/crm/v3/properties/calls'],
      ['POST', '/crm/v3/extensions/calling/transcripts'],
      ['POST', '/crm/v3/extensions/calling/inbound-call'],
    ] as const) {
      const answer = await ask(method, path);
      expect([path, answer.status]).toEqual([path, 403]);
      expect(await answer.json()).toMatchObject({ category: 'MISSING_SCOPES' });
    }
  });
});

describe('an app that is removed', () => {
  it('has no token any more, and a refresh token can be taken back alone', async () => {
    portal.sandbox.oauth.uninstall();
    expect((await portal.call('GET', '/crm/v3/owners')).status).toBe(401);
    expect(await portal.token()).toMatchObject({ status: 400, body: { status: 'BAD_REFRESH_TOKEN' } });
  });

  it('keeps its access until its time when only the refresh token was deleted', async () => {
    const { refreshToken } = portal.sandbox.oauth;
    const path = `${portal.sandbox.apiUrl}/oauth/v1/refresh-tokens/${refreshToken}`;
    expect(await (await fetch(path)).json()).toMatchObject({ hub_id: portal.sandbox.portalId, token_type: 'refresh' });
    expect((await fetch(path, { method: 'DELETE' })).status).toBe(204);
    expect((await fetch(path)).status).toBe(404);
    expect((await portal.token()).status).toBe(400);
    expect((await portal.call('GET', '/crm/v3/owners')).status).toBe(200);
  });
});

describe('refusals on command', () => {
  it.each([
    ['bad-gateway', 502, 'text/html'],
    ['gateway-timeout', 504, 'text/html'],
    ['edge-down', 521, 'text/html'],
    ['edge-timeout', 524, 'text/html'],
    ['html', 200, 'text/html'],
    ['migrating', 477, 'application/json'],
    ['missing-scope', 403, 'application/json'],
    ['revoked-token', 401, 'application/json'],
    ['not-found', 404, 'application/json'],
  ])('%s answers %i as %s', async (fault, status, type) => {
    portal.sandbox.faults.add({ fault, retryAfterSeconds: 60 });
    const answer = await fetch(`${portal.sandbox.apiUrl}/crm/v3/owners`);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toContain(type);
    if (fault === 'migrating') expect(answer.headers.get('retry-after')).toBe('60');
  });

  it.each([
    ['search-limited', 'SECONDLY'],
    ['daily-limited', 'DAILY'],
  ])('%s names the policy %s', async (fault, policyName) => {
    portal.sandbox.faults.add({ fault });
    expect(await portal.call('GET', '/crm/v3/owners')).toMatchObject({ status: 429, body: { policyName } });
  });

  it('a day’s limit ends the day, and is told beforehand', async () => {
    const few = await startPortal({ rateLimits: { perTenSeconds: 100, searchesPerSecond: 5, perDay: 2 } });
    try {
      const first = await few.call('GET', '/crm/v3/owners');
      expect(first.headers.get('x-hubspot-ratelimit-daily-remaining')).toBe('1');
      expect((await few.call('GET', '/crm/v3/owners')).status).toBe(200);
      expect(await few.call('GET', '/crm/v3/owners')).toMatchObject({ status: 429, body: { policyName: 'DAILY' } });
    } finally {
      await few.sandbox.close();
    }
  });

  it('a 207 names the input by the trace id it came with', async () => {
    const inputs = [
      { properties: { hs_timestamp: '2026-11-21T10:00:00Z' }, objectWriteTraceId: 'one' },
      { properties: { hs_timestamp: 'yesterday' }, objectWriteTraceId: 'two' },
    ];
    expect((await portal.call('POST', '/crm/v3/objects/calls/batch/create', { inputs })).body).toMatchObject({
      errors: [{ context: { objectWriteTraceId: ['two'] } }],
    });
  });
});

describe('webhooks', () => {
  it('tell of the property that was asked for and of a deletion, signed, and again until they are taken', async () => {
    const batches: { events: Record<string, unknown>[]; signed: boolean }[] = [];
    const app = await startHttpServer({
      port: 0,
      host: 'localhost',
      handle: ({ raw, headers }) => {
        batches.push({
          events: JSON.parse(raw.toString()) as Record<string, unknown>[],
          signed: typeof headers['x-hubspot-signature-v3'] === 'string',
        });
        return { status: batches.length === 1 ? 503 : 200 };
      },
    });
    const told = await startPortal({
      webhooks: { url: `${app.origin}/hooks`, properties: ['hs_call_external_id'], speed: 60_000 },
    });
    try {
      const properties = { hs_timestamp: '2026-11-21T10:00:00Z', hs_call_external_id: 'c1', hs_call_title: 'A call' };
      const { id } = (await told.call('POST', '/crm/v3/objects/calls', { properties })).body as { id: string };
      await told.call('DELETE', `/crm/v3/objects/calls/${id}`);
      await told.sandbox.webhooks.settled();
      const last = batches.at(-1);
      expect(last?.signed).toBe(true);
      expect(batches).toHaveLength(2);
      expect(last?.events).toMatchObject([
        { subscriptionType: 'object.propertyChange', propertyValue: 'c1', objectTypeId: '0-48', attemptNumber: 1 },
        { subscriptionType: 'object.deletion', objectId: Number(id) },
      ]);
    } finally {
      await told.sandbox.close();
      await app.close();
    }
  });
});
