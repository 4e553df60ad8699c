/**
 * Owns the first content of the emulated org: its users, its task statuses, the demo people as Accounts, Contacts and Leads, and what
 * they have going on.
 * Must never write a Task: the timeline belongs to the calls of the demo.
 */
import { randomBytes } from 'node:crypto';
import { type DemoPerson, demoAgents } from '../people.ts';
import { eighteen, type Records } from './records.ts';
import type { SalesforceUser } from './salesforce-user.ts';

/** The switch's extensions of the agents on the Salesforce page; who is not listed has none. */
const extensions: Readonly<Record<string, string>> = { robin: '101', sam: '102' };

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
      Extension: extensions[person.key] ?? null,
      Title: person.key in extensions ? 'Account executive' : null,
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

export function seedOrg(
  records: Records,
  orgId: string,
  people: readonly DemoPerson[],
  ownerId: string,
  statuses: readonly { readonly name: string; readonly closed: boolean }[],
): void {
  records.plant('Organization', {
    Id: orgId,
    Name: 'Patchcord Sandbox',
    InstanceName: 'SBX0',
    IsSandbox: true,
    OrganizationType: 'Developer Edition',
    TimeZoneSidKey: 'America/Los_Angeles',
    DefaultLocaleSidKey: 'en_US',
  });
  for (const [index, { name, closed }] of statuses.entries())
    records.plant('TaskStatus', {
      ApiName: name,
      MasterLabel: name,
      IsClosed: closed,
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
      DoNotCall: person.doNotCall === true,
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
    const contact = records.plant('Contact', {
      ...base,
      MailingCity: person.city,
      MailingCountry: country,
      AccountId: account,
    });
    seedWork(records, person.key, { AccountId: account, OwnerId: ownerId }, contact);
  }
}

/** What the demo people have going on: open cases, and deals with a close date ahead. */
const cases: Readonly<Record<string, readonly { Subject: string; Status: string; Priority: string }[]>> = {
  elena: [{ Subject: 'Three tripods arrived without plates', Status: 'Working', Priority: 'High' }],
  mina: [{ Subject: 'Cannot open the May invoice', Status: 'New', Priority: 'Medium' }],
  oliver: [
    { Subject: 'Second shelf unit is the wrong height', Status: 'Waiting on Customer', Priority: 'Medium' },
    { Subject: 'Change of the delivery address', Status: 'Closed', Priority: 'Low' },
  ],
};
const opportunities: Readonly<
  Record<string, readonly { Name: string; StageName: string; Amount: number; days: number }[]>
> = {
  elena: [{ Name: 'Northlight: spring order', StageName: 'Proposal/Price Quote', Amount: 18_400, days: 12 }],
  theo: [{ Name: 'Harbor & Pine: fleet tracking', StageName: 'Negotiation/Review', Amount: 52_000, days: 5 }],
  priya: [{ Name: 'Cedar Street: second location', StageName: 'Qualification', Amount: 9_600, days: 40 }],
};

function seedWork(records: Records, key: string, base: { AccountId: string; OwnerId: string }, contact: string): void {
  for (const one of cases[key] ?? []) records.plant('Case', { ...base, ...one, Origin: 'Phone', ContactId: contact });
  for (const { days, ...one } of opportunities[key] ?? []) {
    const closes = new Date(records.now().getTime() + days * 86_400_000).toISOString().slice(0, 10);
    const deal = records.plant('Opportunity', { ...base, ...one, CloseDate: closes, ContactId: contact });
    records.plant('OpportunityContactRole', {
      OpportunityId: deal,
      ContactId: contact,
      Role: 'Decision Maker',
      IsPrimary: true,
    });
  }
}
