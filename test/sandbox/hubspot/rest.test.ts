import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startPortal, type TestPortal } from './portal.ts';

let portal: TestPortal;
beforeEach(async () => {
  portal = await startPortal();
});
afterEach(() => portal.sandbox.close());

const idOf = (name: string): string => {
  const { contacts, companies } = portal.sandbox.records;
  const found =
    contacts.find((one) => one.properties.firstname === name) ?? companies.find((one) => one.properties.name === name);
  if (!found) throw new Error(`no demo record named ${name}`);
  return found.id;
};
const search = (filterGroups: unknown[], more: Record<string, unknown> = {}) =>
  portal.call('POST', '/crm/v3/objects/contacts/search', {
    filterGroups,
    properties: ['firstname', 'phone'],
    limit: 20,
    after: '0',
    sorts: [],
    ...more,
  });
const equal = (propertyName: string, value: string) => ({ filters: [{ propertyName, operator: 'EQ', value }] });
const namesIn = (answer: { body: unknown }): unknown[] =>
  (answer.body as { results: { properties: { firstname: string } }[] }).results.map((one) => one.properties.firstname);
const callProperties = {
  hs_timestamp: '2026-11-21T10:00:00Z',
  hs_call_title: 'Call with Elena',
  hs_call_direction: 'OUTBOUND',
  hs_call_status: 'COMPLETED',
  hs_call_duration: '3800',
  hs_call_disposition: 'f240bbac-87c9-4f6e-bf70-924b57d47db7',
  hubspot_owner_id: '7701',
};
const toContact = (id: string) => ({
  to: { id },
  types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: 194 }],
});

describe('tokens', () => {
  it('grants an access token for the refresh token, and says whose it is', async () => {
    const answer = await portal.token();
    expect(answer).toMatchObject({ status: 200, body: { token_type: 'bearer', expires_in: 1800 } });
    const { access_token } = answer.body as { access_token: string };
    expect(await portal.call('GET', `/oauth/v1/access-tokens/${access_token}`)).toMatchObject({
      body: { hub_id: portal.sandbox.portalId, app_id: 99 },
    });
  });

  it('refuses a wrong secret and a wrong refresh token', async () => {
    expect(await portal.token({ client_secret: 'no' })).toMatchObject({
      status: 400,
      body: { status: 'BAD_CLIENT_ID' },
    });
    expect(await portal.token({ refresh_token: 'no' })).toMatchObject({
      status: 400,
      body: { status: 'BAD_REFRESH_TOKEN' },
    });
  });

  it('refuses REST without a live token', async () => {
    portal.sandbox.oauth.expireTokens();
    expect(await portal.call('GET', '/crm/v3/owners')).toMatchObject({
      status: 401,
      body: { category: 'INVALID_AUTHENTICATION' },
    });
  });
});

describe('search', () => {
  it('finds by the national calculated number and by the international one', async () => {
    expect(namesIn(await search([equal('hs_searchable_calculated_phone_number', '4155550101')]))).toEqual(['Elena']);
    expect(
      namesIn(await search([equal('hs_searchable_calculated_international_phone_number', '+442079460958')])),
    ).toEqual(['Oliver']);
    expect(namesIn(await search([equal('hs_searchable_calculated_mobile_number', '4155550103')]))).toEqual(['Mina']);
  });

  it('does not find a national property by a number with its country code', async () => {
    expect(namesIn(await search([equal('hs_searchable_calculated_phone_number', '14155550101')]))).toEqual([]);
    expect(namesIn(await search([equal('phone', '+14155550101')]))).toEqual([]);
  });

  it('ORs its groups and gives both contacts that share a number', async () => {
    const answer = await search([
      equal('hs_searchable_calculated_phone_number', '4155550123'),
      equal('phone', '+14155550123'),
    ]);
    expect(namesIn(answer).sort()).toEqual(['Luis', 'Priya']);
  });

  it('says who has asked not to be called, by a checkbox that this company has made', async () => {
    const groups = ['+493023125007', '+14155550101'].map((number) =>
      equal('hs_searchable_calculated_international_phone_number', number),
    );
    const answer = await search(groups, { properties: ['firstname', 'do_not_call'] });
    const { results } = answer.body as { results: { properties: Record<string, string | null> }[] };
    expect(results.map(({ properties }) => [properties.firstname, properties.do_not_call ?? null]).sort()).toEqual([
      ['Elena', null],
      ['Jonas', 'true'],
    ]);
    const [id] = portal.sandbox.records.contacts.map((one) => one.id);
    const wrong = await portal.call('PATCH', `/crm/v3/objects/contacts/${id}`, {
      properties: { do_not_call: 'maybe' },
    });
    expect(wrong.status).toBe(400);
  });

  it('answers an unknown property with a bare 400', async () => {
    const answer = await search([equal('shoe_size', '44')]);
    expect(answer.status).toBe(400);
    expect(answer.body).not.toHaveProperty('category');
  });

  it('refuses six groups, a limit over 200 and a body over 3000 characters', async () => {
    expect((await search(Array.from({ length: 6 }, () => equal('phone', '1')))).status).toBe(400);
    expect((await search([], { limit: 201 })).status).toBe(400);
    expect((await search([equal('phone', 'x'.repeat(3000))])).status).toBe(400);
  });

  it('does not find what was written a moment ago, and carries no rate-limit headers', async () => {
    await portal.call('POST', '/crm/v3/objects/contacts', { properties: { firstname: 'Nia', phone: '+14155550144' } });
    const answer = await search([equal('hs_searchable_calculated_phone_number', '4155550144')]);
    expect(namesIn(answer)).toEqual([]);
    expect(answer.headers.get('x-hubspot-ratelimit-max')).toBeNull();
  });

  it('allows five searches a second', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => search([])));
    expect(answers.map((one) => one.status).sort()).toEqual([200, 200, 200, 200, 200, 429]);
    expect(answers.find((one) => one.status === 429)?.body).toMatchObject({
      errorType: 'RATE_LIMIT',
      policyName: 'SECONDLY',
    });
  });
});

describe('calls', () => {
  it('are created with their association, on the dated path as well', async () => {
    for (const path of ['/crm/v3/objects/calls', '/crm/objects/2026-03/calls']) {
      const answer = await portal.call('POST', path, {
        properties: callProperties,
        associations: [toContact(idOf('Elena'))],
      });
      expect(answer).toMatchObject({
        status: 201,
        body: { archived: false, properties: { hs_call_duration: '3800' } },
      });
      expect(answer.headers.get('x-hubspot-ratelimit-max')).toBe('110');
    }
    expect(portal.sandbox.records.calls).toHaveLength(2);
    expect(portal.sandbox.records.associations).toContainEqual({
      fromType: 'calls',
      fromId: '90001',
      toType: 'contacts',
      toId: idOf('Elena'),
      typeId: 194,
    });
  });

  it.each([
    ['no timestamp', { hs_timestamp: '' }, 'hs_timestamp'],
    ['an unknown property', { shoe: '44' }, 'PROPERTY_DOESNT_EXIST'],
    ['a number where strings belong', { hs_call_duration: 3800 }, 'INVALID_STRING'],
    ['an unknown direction', { hs_call_direction: 'SIDEWAYS' }, 'INVALID_OPTION'],
    ['an unknown outcome', { hs_call_disposition: 'Connected' }, 'INVALID_OPTION'],
    ['an unknown owner', { hubspot_owner_id: '1' }, 'INVALID_OWNER_ID'],
    ['a foreign source', { hs_call_source: 'PATCHCORD' }, 'INVALID_OPTION'],
  ])('are refused with %s', async (_what, values, said) => {
    const answer = await portal.call('POST', '/crm/v3/objects/calls', { properties: { ...callProperties, ...values } });
    expect(answer).toMatchObject({
      status: 400,
      body: { status: 'error', category: 'VALIDATION_ERROR', correlationId: expect.any(String) },
    });
    expect(JSON.stringify(answer.body)).toContain(said);
    expect(portal.sandbox.records.calls).toHaveLength(0);
  });

  it('are refused whole for a wrong association', async () => {
    const wrong = { to: { id: '1' }, types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: 194 }] };
    expect(
      (await portal.call('POST', '/crm/v3/objects/calls', { properties: callProperties, associations: [wrong] }))
        .status,
    ).toBe(400);
    expect(portal.sandbox.records.calls).toHaveLength(0);
  });
});

describe('upsert', () => {
  const upsert = (id: string, properties: Record<string, string> = callProperties, idProperty = 'softphone_call_id') =>
    portal.call('POST', '/crm/v3/objects/calls/batch/upsert', { inputs: [{ idProperty, id, properties }] });
  const createKey = (over: Record<string, unknown> = {}) =>
    portal.call('POST', '/crm/v3/properties/calls', {
      name: 'softphone_call_id',
      label: 'Call key',
      type: 'string',
      fieldType: 'text',
      groupName: 'call_information',
      hasUniqueValue: true,
      ...over,
    });

  it('needs a unique property', async () => {
    expect(await upsert('a')).toMatchObject({ status: 400, body: { category: 'VALIDATION_ERROR' } });
    expect(await upsert('a', callProperties, 'hs_call_external_id')).toMatchObject({ status: 400 });
  });

  it('creates once and then updates, and says which', async () => {
    expect((await createKey()).status).toBe(201);
    expect((await createKey()).status).toBe(409);
    expect((await createKey({ name: 'other', groupName: 'nowhere' })).status).toBe(400);
    expect(await upsert('a')).toMatchObject({
      status: 200,
      body: { status: 'COMPLETE', results: [{ new: true, properties: { softphone_call_id: 'a' } }] },
    });
    expect(await upsert('a', { hs_call_body: 'Asked for a quote' })).toMatchObject({
      body: { results: [{ new: false }] },
    });
    expect(portal.sandbox.records.calls).toHaveLength(1);
    const read = await portal.call(
      'GET',
      '/crm/v3/objects/calls/a?idProperty=softphone_call_id&properties=hs_call_body,softphone_call_id',
    );
    expect(read).toMatchObject({
      status: 200,
      body: { properties: { hs_call_body: 'Asked for a quote', softphone_call_id: 'a' } },
    });
    expect(
      (
        await portal.call('PATCH', '/crm/v3/objects/calls/a?idProperty=softphone_call_id', {
          properties: { hs_call_title: 'T' },
        })
      ).status,
    ).toBe(200);
  });

  it('takes no associations: they are a second call', async () => {
    await createKey();
    const inputs = [
      {
        idProperty: 'softphone_call_id',
        id: 'a',
        properties: callProperties,
        associations: [toContact(idOf('Elena'))],
      },
    ];
    expect((await portal.call('POST', '/crm/v3/objects/calls/batch/upsert', { inputs })).status).toBe(400);
    const created = (await upsert('a')).body as { results: { id: string }[] };
    const id = created.results[0]?.id;
    expect(
      (await portal.call('PUT', `/crm/v4/objects/calls/${id}/associations/default/contacts/${idOf('Elena')}`)).status,
    ).toBe(200);
    expect(
      (await portal.call('PUT', `/crm/v3/objects/calls/${id}/associations/companies/${idOf('Juniper Dental')}/182`))
        .status,
    ).toBe(200);
    expect(
      (await portal.call('PUT', `/crm/v3/objects/calls/${id}/associations/contacts/${idOf('Mina')}/182`)).status,
    ).toBe(400);
    const read = await portal.call('GET', `/crm/v3/objects/calls/${id}?associations=contacts,companies`);
    expect(read.body).toMatchObject({
      associations: {
        contacts: { results: [{ id: idOf('Elena') }] },
        companies: { results: [{ id: idOf('Juniper Dental') }] },
      },
    });
  });

  it('gives a 207 when only some inputs are wrong', async () => {
    await createKey();
    const inputs = [
      { idProperty: 'softphone_call_id', id: 'a', properties: callProperties },
      { idProperty: 'softphone_call_id', id: 'b', properties: { shoe: '44' } },
    ];
    expect(await portal.call('POST', '/crm/v3/objects/calls/batch/upsert', { inputs })).toMatchObject({
      status: 207,
      body: { numErrors: 1, results: [{ new: true }] },
    });
  });
});

describe('owners, outcomes and inbound calls', () => {
  it('gives an owner by user id', async () => {
    expect(await portal.call('GET', '/crm/v3/owners/4201?idProperty=userId')).toMatchObject({
      status: 200,
      body: { id: '7701', email: 'robin@patchcord.example' },
    });
    expect((await portal.call('GET', '/crm/v3/owners/1?idProperty=userId')).status).toBe(404);
  });

  it('gives the outcomes as options', async () => {
    const answer = await portal.call('GET', '/crm/v3/properties/calls/hs_call_disposition');
    expect(answer.body).toMatchObject({
      options: expect.arrayContaining([{ label: 'Connected', value: 'f240bbac-87c9-4f6e-bf70-924b57d47db7' }]),
    });
  });

  it('logs a missed call that no browser saw, with its caller', async () => {
    const number = (e164Number: string) => ({ e164Number, phoneNumberType: 'UNKNOWN' });
    const answer = await portal.call('POST', '/crm/v3/extensions/calling/inbound-call', {
      externalCallId: 'x1',
      createEngagement: true,
      engagementProperties: { hs_call_title: 'Missed' },
      finalCallStatus: 'MISSED',
      fromNumber: number('+14155550123'),
      toNumber: number('+14155550190'),
      potentialRecipientUserIds: [4201],
      userId: 4201,
    });
    expect(answer).toMatchObject({
      status: 200,
      body: { callerIdMatches: [{ callerIdType: 'CONTACT' }, { callerIdType: 'CONTACT' }] },
    });
    expect(portal.sandbox.records.calls).toEqual([]);
    await expect
      .poll(() => portal.sandbox.records.calls[0]?.properties)
      .toMatchObject({ hs_call_status: 'MISSED', hubspot_owner_id: '7701' });
  });
});

describe('faults', () => {
  const write = () => portal.call('POST', '/crm/v3/objects/calls', { properties: callProperties });

  it.each([
    ['server-error', 500],
    ['unavailable', 503],
    ['locked', 423],
    ['expired-token', 401],
    ['invalid', 400],
  ])('%s answers %i once, then the request goes through', async (fault, status) => {
    portal.sandbox.faults.add({ fault, on: 'POST *' });
    expect(await write()).toMatchObject({ status, body: { status: 'error' } });
    expect((await write()).status).toBe(201);
  });

  it('rate-limited answers 429 with Retry-After', async () => {
    portal.sandbox.faults.add({ fault: 'rate-limited', retryAfterSeconds: 7 });
    const answer = await write();
    expect(answer).toMatchObject({
      status: 429,
      body: { errorType: 'RATE_LIMIT', policyName: 'TEN_SECONDLY_ROLLING' },
    });
    expect(answer.headers.get('retry-after')).toBe('7');
  });

  it('reset drops before the write, answer-lost after it', async () => {
    portal.sandbox.faults.add({ fault: 'reset' });
    await expect(write()).rejects.toThrow();
    expect(portal.sandbox.records.calls).toHaveLength(0);
    portal.sandbox.faults.add({ fault: 'answer-lost' });
    await expect(write()).rejects.toThrow();
    expect(portal.sandbox.records.calls).toHaveLength(1);
    expect(portal.sandbox.requests().at(-1)).toMatchObject({ status: 0, fault: 'answer-lost' });
  });

  it('slow answers after its delay', async () => {
    portal.sandbox.faults.add({ fault: 'slow', delayMs: 5 });
    expect((await write()).status).toBe(201);
  });

  it('are ordered over HTTP too', async () => {
    await fetch(`${portal.sandbox.apiUrl}/sandbox/faults`, {
      method: 'POST',
      body: JSON.stringify([{ fault: 'unavailable', times: 2 }]),
    });
    expect([(await write()).status, (await write()).status, (await write()).status]).toEqual([503, 503, 201]);
  });
});
