/**
 * Owns the first content of the emulated portal: its owners and the demo people as contacts and companies. Must never write a
 * call: the timeline belongs to the calls of the demo.
 */
import { type DemoPerson, demoAgents } from '../people.ts';
import type { Portal } from './records.ts';
import type { Owner } from './rest.ts';

const countries = { US: 'United States', GB: 'United Kingdom', DE: 'Germany' } as const;

export const demoOwners: readonly Owner[] = demoAgents.map((agent) => ({
  id: agent.hubspotOwnerId,
  userId: agent.hubspotUserId,
  email: agent.email,
  firstName: agent.firstName,
  lastName: agent.lastName,
}));

export function seedPortal(portal: Portal, people: readonly DemoPerson[], ownerId: string): void {
  const companies = new Map<string, string>();
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
    portal.associate('contacts', contact.id, 'companies', company);
  }
}
