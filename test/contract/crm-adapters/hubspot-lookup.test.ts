/** Finding callers, what they may call about, and whom to call back, in an emulated portal and through the real client: order, reasons, rights. */
import type { E164, Match, RecordRef } from '@patchcord/call-protocol';
import type { CrmRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectType } from '../../../sandbox/src/hubspot/properties.ts';
import { answer, startTestPortal, type TestPortal } from './hubspot-portal.ts';

let test: TestPortal;
let relay: CrmRelay;
beforeAll(async () => {
  test = await startTestPortal();
  relay = test.freshRelay();
});
afterAll(() => test.close());
const planted: (readonly [ObjectType, string])[] = [];
afterEach(() => {
  test.hubspot.faults.clear();
  test.notices.length = 0;
  for (const [type, id] of planted.splice(0)) test.hubspot.portal.archive(type, id);
});

function plant(type: ObjectType, values: Readonly<Record<string, string>>, on: readonly RecordRef[] = []): RecordRef {
  const { portal } = test.hubspot;
  const { id } = portal.create(type, values, { indexedAt: 0 });
  planted.push([type, id]);
  for (const record of on)
    portal.associate(type, id, record.object === 'contact' ? 'contacts' : 'companies', record.id);
  const object = { contacts: 'contact', companies: 'company', deals: 'deal', tickets: 'ticket', calls: 'call' }[type];
  return { crm: 'hubspot', object, id, name: [values.firstname, values.lastname, values.name].join(' ').trim() };
}
const find = (number: string, from = relay): Promise<readonly Match[]> =>
  from.findByNumber(number as E164, 'US', { agent: test.robin });
const told = (matches: readonly Match[]): readonly string[] =>
  matches.map(({ record, reason }) => `${record.name} | ${reason}`);
const requestsOf = async (work: () => Promise<unknown>): Promise<readonly string[]> => {
  const before = test.hubspot.requests().length;
  await work();
  return test.hubspot
    .requests()
    .slice(before)
    .map(({ method, path }) => `${method} ${path}`);
};

describe('somebody who has asked not to be called', () => {
  it('is known where the property is named that says so', async () => {
    const wishes = async (number: string, from: CrmRelay) =>
      (await find(number, from)).map(({ record, doNotCall }) => [record.name, doNotCall ?? false]);
    const asked = test.freshRelay({ doNotCallProperty: 'do_not_call' });
    expect(await wishes('+493023125007', asked)).toEqual([['Jonas Weber', true]]);
    expect(await wishes('+14155550101', asked)).toEqual([['Elena Marchetti', false]]);
    plant('companies', { name: 'Quiet House', phone: '(415) 555-0166', do_not_call: 'true' });
    expect(await wishes('+14155550166', asked)).toEqual([['Quiet House', true]]);
    expect(await wishes('+493023125007', relay)).toEqual([['Jonas Weber', false]]);
  });
});

describe('a caller whom several records share', () => {
  it('is a person before a company, a mobile before a shared line, the agent’s own before a colleague’s', async () => {
    const phone = '(415) 555-0188';
    plant('companies', { name: 'Aperture', phone });
    plant('contacts', { lastname: 'Desk', phone });
    plant('contacts', { lastname: 'Own', phone, hubspot_owner_id: test.robinsOwnerId });
    plant('contacts', { lastname: 'Zoe', mobilephone: phone, company: 'Aperture' });
    expect(told(await find('+14155550188'))).toEqual([
      'Zoe | Contact at Aperture: mobile number',
      'Own | Contact: phone number, yours',
      'Desk | Contact: phone number',
      'Aperture | Company: phone number',
    ]);
  });

  it('is the one who was spoken with last, where nothing else tells them apart', async () => {
    const row = (lastname: string, notes_last_contacted: string | null) => ({
      id: { Abel: '1', Berta: '2', Cora: '3' }[lastname],
      properties: { lastname, phone: '415 555 0189', notes_last_contacted },
    });
    const from = test.freshRelay({
      fetch: test.answering(/POST .*\/contacts\/search/, () =>
        answer(200, {
          results: [
            row('Abel', null),
            row('Berta', '2026-03-01T10:00:00.000Z'),
            row('Cora', '2026-11-18T10:00:00.000Z'),
          ],
        }),
      ),
    });
    expect(told(await find('+14155550189', from))).toEqual([
      'Cora | Contact: phone number, last contact 2026-11-18',
      'Berta | Contact: phone number, last contact 2026-03-01',
      'Abel | Contact: phone number',
    ]);
  });

  it('costs two searches, and the owner once; a caller who is alone costs no more than that', async () => {
    const fresh = test.freshRelay();
    const searches = ['POST /crm/v3/objects/companies/search', 'POST /crm/v3/objects/contacts/search'];
    await find('+14155550101', fresh);
    expect((await requestsOf(() => find('+14155550101', fresh))).toSorted()).toEqual(searches);
    expect(
      (await requestsOf(() => find('+14155550123', fresh))).filter((one) => one.includes('/owners/')),
    ).toHaveLength(1);
    expect((await requestsOf(() => find('+14155550123', fresh))).toSorted()).toEqual(searches);
  });

  it('is still found when the owner cannot be asked for', async () => {
    test.hubspot.faults.add({ fault: 'unavailable', on: 'GET */owners/*' });
    expect(await find('+14155550123', test.freshRelay())).toHaveLength(2);
  });
});

describe('a number without a country code', () => {
  it('is read in the country of the contact, where that is known', async () => {
    plant('contacts', { lastname: 'Dutch', phone: '0612345678', country: 'Netherlands' });
    plant('contacts', { lastname: 'French', phone: '0612345679', hs_country_region_code: 'FR' });
    plant('companies', { name: 'Danish', phone: '32 12 34 56', country: 'Denmark' });
    expect(told(await find('+31612345678'))).toEqual(['Dutch | Contact: phone number']);
    expect(told(await find('+33612345679'))).toEqual(['French | Contact: phone number']);
    expect(await find('+33612345678')).toEqual([]);
    expect(told(await find('+4532123456'))).toEqual(['Danish | Company: phone number']);
    expect(await find('+4732123456')).toEqual([]);
  });
});

describe('what a call may be about', () => {
  const contact = (): RecordRef =>
    plant('contacts', { firstname: 'Priya', lastname: 'Raman', phone: '+1 415 555 0177' });
  const related = async (record: RecordRef, from = relay): Promise<readonly string[]> =>
    ((await from.relatedTo?.(record, test.robin)) ?? []).map(
      ({ record: { object, name }, detail, reason }) => `${object} ${name} | ${detail ?? ''} | ${reason}`,
    );

  it('the open tickets and deals of a contact, and none that are closed', async () => {
    const priya = contact();
    plant('tickets', { subject: 'Camera is dark', hs_pipeline_stage: '1', hs_ticket_priority: 'HIGH' }, [priya]);
    plant('tickets', { subject: 'Solved', hs_pipeline_stage: '4' }, [priya]);
    plant('deals', { dealname: 'Ten cameras', dealstage: 'qualifiedtobuy', amount: '12500' }, [priya]);
    plant('deals', { dealname: 'Lost', dealstage: 'closedlost' }, [priya]);
    expect((await related(priya)).toSorted()).toEqual([
      'deal Ten cameras | 12,500 | Open deal of Priya Raman',
      'ticket Camera is dark | high priority | Open ticket of Priya Raman',
    ]);
  });

  it('those of a company, and nothing for a record that has none', async () => {
    const company = plant('companies', { name: 'Aperture' });
    plant('deals', { dealname: 'Refit', dealstage: 'qualifiedtobuy' }, [company]);
    expect(await related(company)).toEqual(['deal Refit |  | Open deal of Aperture']);
    const before = test.hubspot.requests().length;
    for (const record of [
      { crm: 'hubspot', object: 'deal', id: '1' },
      { crm: 'salesforce', object: 'Contact', id: '003' },
      { crm: 'hubspot', object: 'contact', id: '1/../2' },
    ] as const)
      expect(await related(record)).toEqual([]);
    expect(test.hubspot.requests()).toHaveLength(before);
  });

  it('by the names of their stages, closed ones by what the pipeline says, the last touched first', async () => {
    const priya = contact();
    const bodies: Readonly<Record<string, unknown>> = {
      '/crm/v4/associations/contacts/tickets/batch/read': {
        results: [{ from: { id: priya.id }, to: [1, 2, 3].map((toObjectId) => ({ toObjectId })) }],
      },
      '/crm/v4/associations/contacts/deals/batch/read': {
        results: [{ from: { id: priya.id }, to: [{ toObjectId: 9 }] }],
      },
      '/crm/v3/objects/tickets/batch/read': {
        results: [
          {
            id: '1',
            properties: { subject: 'Older', hs_pipeline_stage: '10', hs_lastmodifieddate: '2026-11-01T00:00:00Z' },
          },
          {
            id: '2',
            properties: { subject: 'Newer', hs_pipeline_stage: '11', hs_lastmodifieddate: '2026-11-20T00:00:00Z' },
          },
          {
            id: '3',
            properties: { subject: 'Done', hs_pipeline_stage: '12', hs_lastmodifieddate: '2026-11-21T00:00:00Z' },
          },
        ],
      },
      '/crm/v3/objects/deals/batch/read': {
        results: [
          {
            id: '9',
            properties: {
              dealname: 'Frame',
              dealstage: 'a',
              amount: '900.5',
              deal_currency_code: 'EUR',
              closedate: '2026-12-31T00:00:00Z',
              hs_lastmodifieddate: '2026-11-10T00:00:00Z',
            },
          },
        ],
      },
      '/crm/v3/pipelines/tickets': {
        results: [
          {
            id: '0',
            stages: [
              { id: '10', label: 'New', metadata: { ticketState: 'OPEN' } },
              { id: '11', label: 'Waiting on us', metadata: { ticketState: 'OPEN' } },
              { id: '12', label: 'Closed', metadata: { ticketState: 'CLOSED' } },
            ],
          },
        ],
      },
      '/crm/v3/pipelines/deals': {
        results: [{ id: 'default', stages: [{ id: 'a', label: 'Contract sent', metadata: { isClosed: 'false' } }] }],
      },
    };
    const from = test.freshRelay({
      fetch: async (input, init) => {
        const known = bodies[new URL(String(input)).pathname];
        return known === undefined ? fetch(input, init) : answer(200, known);
      },
    });
    expect(await related(priya, from)).toEqual([
      'ticket Newer | Waiting on us | Open ticket of Priya Raman',
      'deal Frame | Contract sent, 900.5 EUR, closes 2026-12-31 | Open deal of Priya Raman',
      'ticket Older | New | Open ticket of Priya Raman',
    ]);
  });

  it('without a scope: none of that kind, asked once, and said once by the scope’s name', async () => {
    const priya = contact();
    plant('deals', { dealname: 'Ten cameras', dealstage: 'qualifiedtobuy' }, [priya]);
    plant('tickets', { subject: 'Dark', hs_pipeline_stage: '1' }, [priya]);
    const from = test.freshRelay({
      fetch: test.answering(/\/tickets\//, () =>
        answer(403, {
          category: 'MISSING_SCOPES',
          errors: [{ context: { requiredGranularScopes: ['tickets'] } }],
        }),
      ),
    });
    for (let time = 1; time <= 3; time += 1)
      expect(await related(priya, from)).toEqual(['deal Ten cameras |  | Open deal of Priya Raman']);
    expect(test.notices).toEqual([expect.stringMatching(/tickets.*add the scope tickets/s)]);
  });
});

describe('the numbers on a record', () => {
  const numbers = async (record: RecordRef): Promise<readonly string[]> =>
    ((await relay.numbersOf?.(record)) ?? []).map(({ number, label }) => `${label}: ${number}`);

  it('of a contact are its own, the mobile first, and one number once', async () => {
    const both = plant('contacts', { lastname: 'Both', mobilephone: '+14155550171', phone: '(415) 555-0172' });
    expect(await numbers(both)).toEqual(['Mobile: +14155550171', 'Phone: (415) 555-0172']);
    const same = plant('contacts', { lastname: 'Same', mobilephone: '+14155550171', phone: '+1 415 555 0171' });
    expect(await numbers(same)).toEqual(['Mobile: +14155550171']);
    expect(await numbers(plant('contacts', { lastname: 'None' }))).toEqual([]);
    expect(await numbers(plant('companies', { name: 'Co', phone: '415 555 0173' }))).toEqual(['Phone: 415 555 0173']);
  });

  it('of a deal or a ticket are those of its contacts, by name, else of its company', async () => {
    const ana = plant('contacts', { firstname: 'Ana', lastname: 'Moss', phone: '415 555 0174' });
    const company = plant('companies', { name: 'Aperture', phone: '415 555 0175' });
    expect(await numbers(plant('deals', { dealname: 'Refit' }, [ana, company]))).toEqual([
      'Ana Moss, phone: 415 555 0174',
    ]);
    expect(await numbers(plant('tickets', { subject: 'Dark' }, [company]))).toEqual(['Aperture, phone: 415 555 0175']);
    expect(await numbers(plant('tickets', { subject: 'Alone' }))).toEqual([]);
  });

  it('of a record that is gone, or of no kind that has numbers, are not to be had', async () => {
    await expect(relay.numbersOf?.({ crm: 'hubspot', object: 'contact', id: '999999' })).rejects.toMatchObject({
      code: 'crm.not-found',
    });
    await expect(relay.numbersOf?.({ crm: 'hubspot', object: 'quote', id: '1' })).rejects.toMatchObject({
      code: 'crm.not-found',
    });
  });
});
