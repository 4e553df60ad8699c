/**
 * Owns the search for a caller in Salesforce: the SOSL text, and the order of what it found. SOSL only finds candidates; a record counts
 * when one of its numbers equals the searched one in E.164 (Salesforce contract, section 3.4). Pure. Must never decide by suffix.
 */
import type { E164, Match } from '@patchcord/call-protocol';
import { countryIn } from '../country-names.ts';
import { isNumber, searchForms } from '../number-match.ts';
import { isObject, text } from './composite.ts';
import type { DescribedObject } from './org.ts';
import { isSalesforceId } from './task.ts';

export type SearchedObject = 'Contact' | 'Lead' | 'Account';

/** What the org has of an object: its phone fields (faxes left out), and what else is asked for. */
export interface SearchableObject {
  readonly object: SearchedObject;
  readonly phoneFields: readonly string[];
  /** Fields that say where the record is, the surest first. */
  readonly countryFields: readonly string[];
  /** What else a match is described by. */
  readonly otherFields: readonly string[];
}

/** What is searched, best evidence first. */
export const searchedObjects: readonly SearchedObject[] = ['Contact', 'Lead', 'Account'];

const countryFields: Readonly<Record<SearchedObject, readonly string[]>> = {
  Contact: ['MailingCountryCode', 'MailingCountry'],
  Lead: ['CountryCode', 'Country'],
  Account: ['PersonMailingCountryCode', 'PersonMailingCountry', 'BillingCountryCode', 'BillingCountry'],
};
const otherFields: Readonly<Record<SearchedObject, readonly string[]>> = {
  Contact: ['Title', 'AccountId', 'IsPersonAccount', 'DoNotCall'],
  Lead: ['Company', 'Title', 'DoNotCall'],
  Account: ['IsPersonAccount', 'PersonContactId', 'PersonDoNotCall'],
};

/**
 * What of an object is searched: its phone fields (faxes left out); null where it has none.
 * @param seesAccounts whether a contact's account can be named
 */
export function searchableOf(
  object: SearchedObject,
  described: DescribedObject | null,
  seesAccounts = true,
): SearchableObject | null {
  const phoneFields = [...(described ?? [])]
    .filter(([name, field]) => field.type === 'phone' && !/fax/i.test(name))
    .map(([name]) => name);
  if (described === null || phoneFields.length === 0) return null;
  const there = (names: readonly string[]): readonly string[] => names.filter((name) => described.has(name));
  const hasAccount = object === 'Contact' && seesAccounts && described.has('AccountId');
  return {
    object,
    phoneFields,
    countryFields: there(countryFields[object]),
    otherFields: [...there(otherFields[object]), ...(hasAccount ? ['Account.Name'] : [])],
  };
}

/** Open work of a record: what raises it among others with the same number. */
export interface OpenWork {
  readonly cases: number;
  readonly opportunities: number;
}

const perSearch = 50;

/** Puts a backslash before every character that SOSL reserves, inside quotes too. */
export function escapeSosl(text: string): string {
  return text.replace(/[?&|!{}[\]()^~*:\\"'+-]/g, '\\$&');
}

/** The SOSL query for every spelling of a number. Only digits and an escaped printed form come from outside. */
export function sosl(number: E164, objects: readonly SearchableObject[]): string {
  const forms = searchForms(number);
  const digits = [...new Set([forms.full, forms.national, forms.trunk, forms.international, ...forms.others])];
  const terms = [...digits, `"${escapeSosl(forms.printed)}"`];
  const returning = objects.map((one) => `${one.object}(${fieldsOf(one).join(',')}${filterOf(one)})`);
  return `FIND {${terms.join(' OR ')}} IN PHONE FIELDS RETURNING ${returning.join(', ')} LIMIT ${perSearch}`;
}

function fieldsOf(one: SearchableObject): readonly string[] {
  return ['Id', 'Name', ...one.otherFields, ...one.phoneFields, ...one.countryFields];
}

function filterOf(one: SearchableObject): string {
  return one.object === 'Lead' ? ' WHERE IsConverted = false' : '';
}

interface Candidate {
  readonly match: Match;
  readonly object: SearchedObject;
  readonly fieldRank: number;
  readonly hasOpenWork: boolean;
  readonly accountId: string | null;
}

/**
 * The records that really have this number, best first: people before leads before companies; among the same kind one with open work first,
 * then a person's mobile before a shared line; a company right after its own people.
 * @param openWork by the first 15 characters of the record's id
 */
export function ranked(
  rows: readonly unknown[],
  number: E164,
  country: string,
  objects: readonly SearchableObject[],
  openWork: ReadonlyMap<string, OpenWork> = new Map(),
): readonly Match[] {
  const found = rows
    .map((row) => candidate(row, number, country, objects, openWork))
    .filter((one): one is Candidate => one !== null);
  const people = found.filter((one) => one.object !== 'Account').sort(byEvidence);
  const accounts = found.filter((one) => one.object === 'Account').sort(byEvidence);
  const result: Match[] = [];
  const placed = new Set<string>();
  const place = (one: Candidate): void => {
    // A person account comes as Account and as Contact; one of them is enough.
    const id = one.match.record.id.slice(0, 15);
    if (placed.has(id)) return;
    placed.add(id);
    result.push(one.match);
  };
  for (const [index, person] of people.entries()) {
    place(person);
    const last = people.findLastIndex((other) => other.accountId === person.accountId);
    if (person.accountId === null || last !== index) continue;
    for (const account of accounts)
      if (account.match.record.id.slice(0, 15) === person.accountId.slice(0, 15)) place(account);
  }
  for (const account of accounts) place(account);
  return result;
}

function byEvidence(one: Candidate, other: Candidate): number {
  return (
    searchedObjects.indexOf(one.object) - searchedObjects.indexOf(other.object) ||
    Number(other.hasOpenWork) - Number(one.hasOpenWork) ||
    one.fieldRank - other.fieldRank ||
    (one.match.record.name ?? '').localeCompare(other.match.record.name ?? '') ||
    (one.match.record.id < other.match.record.id ? -1 : 1)
  );
}

/** Fields in order of how surely the caller is this person. */
const fieldOrder = [
  'MobilePhone',
  'PersonMobilePhone',
  'Phone',
  'HomePhone',
  'PersonHomePhone',
  'OtherPhone',
  'PersonOtherPhone',
];
const lastFields = ['AssistantPhone', 'PersonAssistantPhone'];
const fieldWords: Readonly<Record<string, string>> = {
  MobilePhone: 'mobile number',
  Phone: 'phone number',
  HomePhone: 'home number',
  OtherPhone: 'other number',
  AssistantPhone: "assistant's number",
};

function candidate(
  row: unknown,
  number: E164,
  country: string,
  objects: readonly SearchableObject[],
  openWork: ReadonlyMap<string, OpenWork>,
): Candidate | null {
  if (!isObject(row) || !isObject(row.attributes)) return null;
  const type = row.attributes.type;
  const searched = objects.find((one) => one.object === type);
  const id = text(row.Id);
  if (searched === undefined || !isSalesforceId(id)) return null;
  const ownCountry =
    searched.countryFields.map((name) => countryIn(text(row[name]))).find((one) => one !== null) ?? null;
  const fields = searched.phoneFields
    .filter((field) => isNumber(text(row[field]), number, country, ownCountry))
    .sort((one, other) => fieldRank(one) - fieldRank(other));
  const field = fields[0];
  if (field === undefined) return null;
  const isPersonAccount = row.IsPersonAccount === true && isSalesforceId(text(row.PersonContactId));
  const object = isPersonAccount ? 'Contact' : searched.object;
  // The account of a person account is the person again.
  const company = row.IsPersonAccount === true ? '' : text(isObject(row.Account) ? row.Account.Name : row.Company);
  const detail = [text(row.Title), company].filter((part) => part !== '').join(', ');
  const noun = object === 'Contact' ? 'Contact' : object === 'Lead' ? 'Lead' : 'Account';
  const ownId = isPersonAccount ? text(row.PersonContactId) : id;
  const work = openWork.get(ownId.slice(0, 15)) ?? { cases: 0, opportunities: 0 };
  const evidence = [
    fieldWords[field.replace(/^Person/, '')] ?? `number in ${field}`,
    ...(work.cases > 0 ? [`${work.cases} open ${work.cases === 1 ? 'case' : 'cases'}`] : []),
    ...(work.opportunities > 0
      ? [`${work.opportunities} open ${work.opportunities === 1 ? 'opportunity' : 'opportunities'}`]
      : []),
  ];
  const at = company === '' ? '' : ` at ${company.slice(0, 120)}`;
  const accountId = isPersonAccount ? id : text(row.AccountId);
  return {
    object,
    fieldRank: fieldRank(field),
    hasOpenWork: work.cases + work.opportunities > 0,
    accountId: isSalesforceId(accountId) ? accountId : null,
    match: {
      record: { crm: 'salesforce', object, id: ownId, name: text(row.Name).slice(0, 255) },
      number,
      ...(detail === '' ? {} : { detail: detail.slice(0, 255) }),
      reason: `${noun}${at}: ${evidence.join(', ')}`.slice(0, 255),
      ...(row.DoNotCall === true || row.PersonDoNotCall === true ? { doNotCall: true } : {}),
    },
  };
}

function fieldRank(field: string): number {
  const at = fieldOrder.indexOf(field);
  return at >= 0 ? at : lastFields.includes(field) ? 99 : fieldOrder.length;
}
