/**
 * Owns the first content of the emulated portal: its owners, the demo people as contacts and companies, and what the company works on with
 * them: deals and tickets. Past calls are in `demo-calls.ts`.
 */
import { type DemoPerson, demoAgents } from '../people.ts';
import type { Property } from './properties.ts';
import type { Portal } from './records.ts';
import type { Owner } from './rest-call.ts';

const countries = { US: 'United States', GB: 'United Kingdom', DE: 'Germany' } as const;

export const demoOwners: readonly Owner[] = demoAgents.map((agent) => ({
  id: agent.hubspotOwnerId,
  userId: agent.hubspotUserId,
  email: agent.email,
  firstName: agent.firstName,
  lastName: agent.lastName,
}));

interface Work {
  readonly kind: 'deals' | 'tickets';
  /** Key of the person it is with. */
  readonly person: string;
  readonly owner: 'first' | 'second';
  readonly values: Readonly<Record<string, string>>;
}

const works: readonly Work[] = [
  {
    kind: 'deals',
    person: 'elena',
    owner: 'first',
    values: { dealname: 'Forty lens hoods, second order', dealstage: 'contractsent', amount: '6400' },
  },
  {
    kind: 'deals',
    person: 'elena',
    owner: 'first',
    values: { dealname: 'Trial order of straps', dealstage: 'closedwon', amount: '900' },
  },
  {
    kind: 'deals',
    person: 'theo',
    owner: 'second',
    values: { dealname: 'Pallet labels, yearly frame', dealstage: 'presentationscheduled', amount: '12800' },
  },
  {
    kind: 'deals',
    person: 'jonas',
    owner: 'first',
    values: { dealname: 'Torque keys for Berlin', dealstage: 'qualifiedtobuy', amount: '21500' },
  },
  {
    kind: 'deals',
    person: 'priya',
    owner: 'second',
    values: { dealname: 'Reception desk refit', dealstage: 'appointmentscheduled', amount: '4100' },
  },
  {
    kind: 'tickets',
    person: 'mina',
    owner: 'first',
    values: {
      subject: 'Invoice 2041 was sent twice',
      content: 'Hello, invoice 2041 came twice this week. Which one shall we pay? You reach me best by phone.',
      hs_pipeline_stage: '1',
      hs_ticket_priority: 'MEDIUM',
    },
  },
  {
    kind: 'tickets',
    person: 'oliver',
    owner: 'second',
    values: {
      subject: 'Parcel held at the border',
      content: 'The parcel has been in Calais since Monday. Customs ask for a form we have never heard of.',
      hs_pipeline_stage: '2',
      hs_ticket_priority: 'HIGH',
    },
  },
  {
    kind: 'tickets',
    person: 'luis',
    owner: 'first',
    values: {
      subject: 'New opening hours on the badge',
      content: 'Please print the new hours on the badges of the next delivery.',
      hs_pipeline_stage: '4',
      hs_ticket_priority: 'LOW',
    },
  },
];

/** HubSpot has no such property: this company has made one, a checkbox, and names it in its configuration. */
const doNotCall = (groupName: string): Property => ({
  name: 'do_not_call',
  label: 'Do not call',
  type: 'bool',
  fieldType: 'booleancheckbox',
  groupName,
  options: [
    { label: 'Yes', value: 'true' },
    { label: 'No', value: 'false' },
  ],
});

export function seedPortal(portal: Portal, people: readonly DemoPerson[], ownerId: string): void {
  portal.addProperty('contacts', doNotCall('contactinformation'));
  portal.addProperty('companies', doNotCall('companyinformation'));
  const companies = new Map<string, string>();
  const contacts = new Map<string, { readonly id: string; readonly company: string }>();
  for (const person of people) {
    const country = countries[person.country];
    const contact = portal.create(
      'contacts',
      {
        firstname: person.firstName,
        lastname: person.lastName,
        email: person.email,
        jobtitle: person.title,
        company: person.company,
        city: person.city,
        country,
        hs_country_region_code: person.country,
        phone: person.numbers.find((number) => number.kind === 'work')?.typed ?? '',
        mobilephone: person.numbers.find((number) => number.kind === 'mobile')?.typed ?? '',
        lifecyclestage: person.kind === 'lead' ? 'lead' : 'customer',
        hubspot_owner_id: ownerId,
        ...(person.doNotCall === true ? { do_not_call: 'true' } : {}),
      },
      { indexedAt: 0, region: person.country },
    );
    const company =
      companies.get(person.company) ??
      portal.create(
        'companies',
        {
          name: person.company,
          city: person.city,
          country,
          phone: person.companyPhone?.typed ?? '',
          hubspot_owner_id: ownerId,
        },
        { indexedAt: 0 },
      ).id;
    companies.set(person.company, company);
    contacts.set(person.key, { id: contact.id, company });
    portal.associate('contacts', contact.id, 'companies', company);
  }
  for (const work of works) {
    const person = contacts.get(work.person);
    if (!person) continue;
    const owner = work.owner === 'second' ? (demoOwners[1]?.id ?? ownerId) : ownerId;
    const record = portal.create(
      work.kind,
      {
        ...(work.kind === 'deals' ? { pipeline: 'default' } : { hs_pipeline: '0' }),
        ...work.values,
        hubspot_owner_id: owner,
      },
      { indexedAt: 0 },
    );
    portal.associate(work.kind, record.id, 'contacts', person.id);
    portal.associate(work.kind, record.id, 'companies', person.company);
  }
}
