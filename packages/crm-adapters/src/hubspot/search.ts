/**
 * Owns the search for a caller in HubSpot: the search bodies, and the order of what they found. A search only finds candidates; a record
 * counts when one of its numbers equals the searched one in E.164 (HubSpot contract, section 2.4). Pure.
 */
import type { E164, Match } from '@patchcord/call-protocol';
import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { countryIn } from '../country-names.ts';
import { isNumber, searchForms } from '../number-match.ts';
import { isObject, text } from './answers.ts';
import { isRecordId } from './call.ts';

export type SearchedType = 'contacts' | 'companies';

/** One condition of a search. */
export type Filter =
  | { readonly propertyName: string; readonly operator: 'EQ'; readonly value: string }
  | { readonly propertyName: string; readonly operator: 'IN'; readonly values: readonly string[] };

const contactNumbers = ['mobilephone', 'phone'] as const;

/**
 * Filters, each of which alone makes a candidate. At most five: that is what a search takes. What HubSpot calculates is a number without its
 * country code, and one with it; what it could not calculate is only found as somebody typed it.
 */
export function filtersFor(type: SearchedType, number: E164): readonly Filter[] {
  const forms = searchForms(number);
  const equal = (propertyName: string, value: string): Filter => ({ propertyName, operator: 'EQ', value });
  const digits = [number, forms.full, forms.national, forms.trunk, forms.international, ...forms.others];
  const oneOf = (propertyName: string): Filter => ({
    propertyName,
    operator: 'IN',
    // Texts of IN must be in lower case.
    values: [...new Set([...digits, ...printedSpellings(number, forms.printed)].map((one) => one.toLowerCase()))],
  });
  if (type === 'contacts')
    return [
      equal('hs_searchable_calculated_phone_number', forms.national),
      equal('hs_searchable_calculated_mobile_number', forms.national),
      equal('hs_searchable_calculated_international_phone_number', number),
      equal('hs_searchable_calculated_international_mobile_number', number),
      oneOf('phone'),
    ];
  // Companies have no calculated numbers to rely on: the spellings people use, and where IN is not taken, the commonest.
  return [oneOf('phone'), equal('phone', number), equal('phone', forms.printed)];
}

/** As people set the groups of a number apart: by spaces, hyphens or dots, with the country code or without, with its plus or without. */
function printedSpellings(number: E164, printed: string): readonly string[] {
  const code = parsePhoneNumberFromString(number)?.countryCallingCode ?? '';
  const groups = printed.match(/\d+/g) ?? [];
  const abroad = parsePhoneNumberFromString(number)?.formatInternational().match(/\d+/g)?.slice(1) ?? [];
  const apart = [' ', '-', '.'];
  const international = [...apart.map((by) => abroad.join(by)), ...(code === '1' ? [printed] : [])];
  return [
    printed,
    ...apart.map((by) => groups.join(by)),
    ...international.flatMap((one) => [`+${code} ${one}`, `${code} ${one}`]),
    ...(code === '1' ? [`1-${abroad.join('-')}`, `+1-${abroad.join('-')}`] : []),
  ];
}

/** @param doNotCall The property that says that somebody must not be called, where the customer has one */
export function searchBody(type: SearchedType, filters: readonly Filter[], doNotCall: string | null = null): unknown {
  const wish = doNotCall === null ? [] : [doNotCall];
  return {
    filterGroups: filters.map((filter) => ({ filters: [filter] })),
    properties:
      type === 'contacts'
        ? [...contactNumbers, ...contactProperties, ...countryProperties, ...evidenceProperties, ...wish]
        : ['name', 'domain', 'phone', 'country', ...evidenceProperties, ...wish],
    sorts: [],
    limit: 50,
    after: '0',
  };
}

const contactProperties = ['firstname', 'lastname', 'email', 'company', 'jobtitle'] as const;
/** Where a contact is, as HubSpot found out and as somebody typed it. */
const countryProperties = ['hs_country_region_code', 'country'] as const;
/** Whose the record is, and when somebody last spoke with it: a name that an account does not have is left out of the answer. */
const evidenceProperties = ['hubspot_owner_id', 'notes_last_contacted'] as const;

interface Candidate {
  readonly match: Match;
  readonly rank: number;
  readonly isOwn: boolean;
  /** Epoch ms; 0 when never. */
  readonly contactedAt: number;
}

/**
 * The records that really have this number, best first: a contact's mobile, a contact's phone, a company's phone; among equals the agent's own
 * record before a colleague's, then the one that was spoken with last.
 * @param ownerId of the agent who asks, where it is known
 * @param doNotCall the property that says that somebody must not be called, where the customer has one
 */
export function ranked(
  found: Readonly<Record<SearchedType, readonly unknown[]>>,
  number: E164,
  country: string,
  ownerId: string | null = null,
  doNotCall: string | null = null,
): readonly Match[] {
  const all = [
    ...found.contacts.map((row) => withWish(contact(row, number, country, ownerId), row, doNotCall)),
    ...found.companies.map((row) => withWish(company(row, number, country, ownerId), row, doNotCall)),
  ].filter((one): one is Candidate => one !== null);
  all.sort(
    (one, other) =>
      one.rank - other.rank ||
      Number(other.isOwn) - Number(one.isOwn) ||
      other.contactedAt - one.contactedAt ||
      (one.match.record.name ?? '').localeCompare(other.match.record.name ?? '') ||
      Number(one.match.record.id) - Number(other.match.record.id),
  );
  const seen = new Set<string>();
  return all
    .map((one) => one.match)
    .filter(({ record }) => {
      const key = `${record.object}:${record.id}`;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
}

type Properties = Readonly<Record<string, unknown>>;

function contact(row: unknown, number: E164, country: string, ownerId: string | null): Candidate | null {
  const { id, properties } = recordOf(row);
  const where = ownCountry(properties);
  const at = contactNumbers.findIndex((name) => isNumber(text(properties[name]), number, country, where));
  if (!isRecordId(id) || at < 0) return null;
  const name = [text(properties.firstname), text(properties.lastname)].filter((part) => part !== '').join(' ');
  const employer = text(properties.company);
  const detail = [text(properties.jobtitle), employer].filter((part) => part !== '').join(', ');
  const evidence = evidenceOf(properties, ownerId);
  const kind = contactNumbers[at] === 'mobilephone' ? 'mobile number' : 'phone number';
  return {
    rank: at,
    ...evidence,
    match: {
      record: { crm: 'hubspot', object: 'contact', id, name: (name || text(properties.email)).slice(0, 255) },
      number,
      ...(detail === '' ? {} : { detail: detail.slice(0, 255) }),
      reason: reason(`Contact${employer === '' ? '' : ` at ${employer.slice(0, 120)}`}`, kind, evidence),
    },
  };
}

function company(row: unknown, number: E164, country: string, ownerId: string | null): Candidate | null {
  const { id, properties } = recordOf(row);
  if (!isRecordId(id) || !isNumber(text(properties.phone), number, country, ownCountry(properties))) return null;
  const domain = text(properties.domain);
  const evidence = evidenceOf(properties, ownerId);
  return {
    rank: contactNumbers.length,
    ...evidence,
    match: {
      record: { crm: 'hubspot', object: 'company', id, name: (text(properties.name) || domain).slice(0, 255) },
      number,
      ...(domain === '' ? {} : { detail: domain.slice(0, 255) }),
      reason: reason('Company', 'phone number', evidence),
    },
  };
}

/** A checkbox is "true"; a list of the customer's own may say it in words. */
function withWish(one: Candidate | null, row: unknown, doNotCall: string | null): Candidate | null {
  if (one === null || doNotCall === null) return one;
  const said = text(recordOf(row).properties[doNotCall]).trim().toLowerCase();
  return ['true', 'yes', '1'].includes(said) ? { ...one, match: { ...one.match, doNotCall: true } } : one;
}

function ownCountry(properties: Properties): string | null {
  return countryProperties.map((name) => countryIn(text(properties[name]))).find((one) => one !== null) ?? null;
}

function evidenceOf(properties: Properties, ownerId: string | null): Pick<Candidate, 'isOwn' | 'contactedAt'> {
  const contacted = Date.parse(text(properties.notes_last_contacted));
  return {
    isOwn: ownerId !== null && text(properties.hubspot_owner_id) === ownerId,
    contactedAt: Number.isFinite(contacted) ? contacted : 0,
  };
}

/** `Contact at Ravine: mobile number, yours, last contact 2026-11-18` */
function reason(who: string, kind: string, { isOwn, contactedAt }: Pick<Candidate, 'isOwn' | 'contactedAt'>): string {
  const last = contactedAt === 0 ? '' : `last contact ${new Date(contactedAt).toISOString().slice(0, 10)}`;
  const evidence = [kind, isOwn ? 'yours' : '', last].filter((part) => part !== '');
  return `${who}: ${evidence.join(', ')}`.slice(0, 255);
}

function recordOf(row: unknown): { readonly id: string; readonly properties: Readonly<Record<string, unknown>> } {
  if (!isObject(row)) return { id: '', properties: {} };
  return { id: text(row.id), properties: isObject(row.properties) ? row.properties : {} };
}
