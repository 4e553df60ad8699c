/**
 * Owns the first content of the emulated org: its users, its task statuses and the demo people as Accounts, Contacts and Leads.
 * Must never write a Task: the timeline belongs to the calls of the demo.
 */
import { randomBytes } from 'node:crypto';
import { type DemoPerson, demoAgents } from '../people.ts';
import type { SalesforceUser } from './oauth.ts';
import { eighteen, type Records } from './records.ts';

const countries = { US: 'United States', GB: 'United Kingdom', DE: 'Germany' } as const;

/** Two agents with a call center, one user without, and the relay's integration user. */
export function seedUsers(records: Records): SalesforceUser[] {
  const callCenterId = eighteen('04vPc0000000001');
  const people = [
    ...demoAgents.map((agent) => ({ ...agent, callCenterId: callCenterId as string | null })),
    { key: 'casey', firstName: 'Casey', lastName: 'Holt', email: 'casey@patchcord.example', callCenterId: null },
    { key: 'relay', firstName: 'Patchcord', lastName: 'Relay', email: 'relay@patchcord.example', callCenterId: null },
  ];
  return people.map((person) => {
    const name = `${person.firstName} ${person.lastName}`;
    const username = person.email.replace('@', '.sandbox@');
    const id = records.plant('User', {
      Username: username,
      Name: name,
      FirstName: person.firstName,
      LastName: person.lastName,
      Email: person.email,
      CallCenterId: person.callCenterId,
      TimeZoneSidKey: 'America/Los_Angeles',
    });
    return {
      id,
      username,
      name,
      email: person.email,
      callCenterId: person.callCenterId,
      refreshToken: randomBytes(32).toString('base64url'),
    };
  });
}

export function seedOrg(records: Records, orgId: string, people: readonly DemoPerson[], ownerId: string): void {
  records.plant('Organization', { Id: orgId, Name: 'Patchcord Sandbox', InstanceName: 'SBX0', IsSandbox: true });
  for (const [index, status] of [
    'Not Started',
    'In Progress',
    'Completed',
    'Waiting on someone else',
    'Deferred',
  ].entries())
    records.plant('TaskStatus', {
      ApiName: status,
      MasterLabel: status,
      IsClosed: status === 'Completed',
      IsDefault: index === 0,
      SortOrder: index + 1,
    });
  const accounts = new Map<string, string>();
  for (const person of people) {
    const country = countries[person.country];
    const phone = person.numbers.find((number) => number.kind === 'work')?.typed ?? null;
    const mobile = person.numbers.find((number) => number.kind === 'mobile')?.typed ?? null;
    const base = {
      FirstName: person.firstName,
      LastName: person.lastName,
      Title: person.title,
      Email: person.email,
      Phone: phone,
      MobilePhone: mobile,
      OwnerId: ownerId,
    };
    if (person.kind === 'lead') {
      records.plant('Lead', { ...base, Company: person.company, City: person.city, Country: country });
      continue;
    }
    const account =
      accounts.get(person.company) ??
      records.plant('Account', {
        Name: person.company,
        Phone: person.companyPhone?.typed ?? null,
        BillingCity: person.city,
        BillingCountry: country,
        OwnerId: ownerId,
      });
    accounts.set(person.company, account);
    records.plant('Contact', { ...base, MailingCity: person.city, MailingCountry: country, AccountId: account });
  }
}
