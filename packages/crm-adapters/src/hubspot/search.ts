/**
 * Owns the search for a caller in HubSpot: the search bodies, and the order of what they found. A search only finds candidates; a record
 * counts when one of its numbers equals the searched one in E.164 (HubSpot contract, section 2.4). Pure.
 */
import type { E164, Match } from '@patchcord/call-protocol';
import { isNumber, searchForms } from '../number-match.ts';
import { isRecordId } from './call.ts';
import { isObject, text } from './client.ts';

export type SearchedType = 'contacts' | 'companies';

interface Filter {
  readonly propertyName: string;
  readonly operator: 'EQ';
  readonly value: string;
}

const contactNumbers = ['mobilephone', 'phone'] as const;

/** Filters, each of which alone makes a candidate. At most five: that is what a search takes. */
export function filtersFor(type: SearchedType, number: E164): readonly Filter[] {
  const forms = searchForms(number);
  const equal = (propertyName: string, value: string): Filter => ({ propertyName, operator: 'EQ', value });
  if (type === 'contacts')
    return [
      equal('hs_searchable_calculated_phone_number', forms.national),
      equal('hs_searchable_calculated_mobile_number', forms.national),
      equal('hs_searchable_calculated_international_phone_number', number),
      equal('hs_searchable_calculated_international_mobile_number', number),
      equal('phone', number),
    ];
  // Companies have no calculated numbers to rely on: the spellings people use.
  return [...new Set([number, forms.printed, forms.trunk, forms.national, forms.full])].map((value) =>
    equal('phone', value),
  );
}

export function searchBody(type: SearchedType, filters: readonly Filter[]): unknown {
  return {
    filterGroups: filters.map((filter) => ({ filters: [filter] })),
    properties:
      type === 'contacts'
        ? ['firstname', 'lastname', 'email', 'company', 'jobtitle', 'phone', 'mobilephone']
        : ['name', 'domain', 'phone'],
    sorts: [],
    limit: 50,
    after: '0',
  };
}

interface Candidate {
  readonly match: Match;
  readonly rank: number;
}

/** The records that really have this number: a contact's mobile, a contact's phone, a company's phone. */
export function ranked(
  found: Readonly<Record<SearchedType, readonly unknown[]>>,
  number: E164,
  country: string,
): readonly Match[] {
  const all = [
    ...found.contacts.map((row) => contact(row, number, country)),
    ...found.companies.map((row) => company(row, number, country)),
  ].filter((one): one is Candidate => one !== null);
  all.sort(
    (one, other) =>
      one.rank - other.rank ||
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

function contact(row: unknown, number: E164, country: string): Candidate | null {
  const { id, properties } = recordOf(row);
  const at = contactNumbers.findIndex((name) => isNumber(text(properties[name]), number, country));
  if (!isRecordId(id) || at < 0) return null;
  const name = [text(properties.firstname), text(properties.lastname)].filter((part) => part !== '').join(' ');
  const employer = text(properties.company);
  const detail = [text(properties.jobtitle), employer].filter((part) => part !== '').join(', ');
  const reason = `Contact${employer === '' ? '' : ` at ${employer}`}: ${contactNumbers[at] === 'mobilephone' ? 'mobile number' : 'phone number'}`;
  return {
    rank: at,
    match: {
      record: { crm: 'hubspot', object: 'contact', id, name: (name || text(properties.email)).slice(0, 255) },
      number,
      ...(detail === '' ? {} : { detail: detail.slice(0, 255) }),
      reason: reason.slice(0, 255),
    },
  };
}

function company(row: unknown, number: E164, country: string): Candidate | null {
  const { id, properties } = recordOf(row);
  if (!isRecordId(id) || !isNumber(text(properties.phone), number, country)) return null;
  const domain = text(properties.domain);
  return {
    rank: contactNumbers.length,
    match: {
      record: { crm: 'hubspot', object: 'company', id, name: (text(properties.name) || domain).slice(0, 255) },
      number,
      ...(domain === '' ? {} : { detail: domain.slice(0, 255) }),
      reason: 'Company: phone number',
    },
  };
}

function recordOf(row: unknown): { readonly id: string; readonly properties: Readonly<Record<string, unknown>> } {
  if (!isObject(row)) return { id: '', properties: {} };
  return { id: text(row.id), properties: isObject(row.properties) ? row.properties : {} };
}
