/**
 * Owns the numbers on a HubSpot record, the best to call first: a contact's and a company's own, those of the contacts (else the companies) that a
 * deal or a ticket is about. Must never change one, and must never call.
 */
import { PatchcordError, type RecordRef } from '@patchcord/call-protocol';
import type { AskOptions } from '../relay-contract.ts';
import type { GatedRequest } from '../request-gate.ts';
import { idOf, isObject, listOf, text } from './answers.ts';
import { isRecordId } from './call.ts';
import type { HubSpotClient } from './client.ts';

export interface LabelledNumber {
  readonly number: string;
  readonly label: string;
}

/** Numbers beyond this are not offered: nobody chooses among more. */
const mostNumbers = 20;
/** Longer than any number with its extension. */
const longestNumber = 64;

type Type = 'contacts' | 'companies';
const types: Readonly<Record<string, Type | 'deals' | 'tickets'>> = {
  contact: 'contacts',
  company: 'companies',
  deal: 'deals',
  ticket: 'tickets',
};
const fields: Readonly<Record<Type, readonly (readonly [property: string, label: string])[]>> = {
  contacts: [
    ['mobilephone', 'Mobile'],
    ['phone', 'Phone'],
  ],
  companies: [['phone', 'Phone']],
};
const names: Readonly<Record<Type, readonly string[]>> = {
  contacts: ['firstname', 'lastname', 'email'],
  companies: ['name', 'domain'],
};
const wanted = (type: Type): readonly string[] => [...fields[type].map(([property]) => property), ...names[type]];

/** @param options.urgent A person waits; default true. @throws PatchcordError `crm.*`, `crm.not-found` */
export async function numbersOf(
  record: RecordRef,
  client: HubSpotClient,
  { urgent = true }: AskOptions = {},
): Promise<readonly LabelledNumber[]> {
  const gated: GatedRequest = { urgent };
  const type = types[record.object];
  if (record.crm !== 'hubspot' || type === undefined || !isRecordId(record.id))
    throw new PatchcordError('crm.not-found', 'HubSpot keeps no numbers on a record of this kind.');
  if (type === 'contacts' || type === 'companies') {
    const path = `/crm/v3/objects/${type}/${record.id}?properties=${wanted(type).join(',')}`;
    const { body } = await client.request('GET', path, undefined, 'to read the numbers of the record', [], gated);
    return distinct(numbersIn(type, body, false));
  }
  for (const people of ['contacts', 'companies'] as const) {
    const found = await ofAssociated(type, record.id, people, client, gated);
    if (found.length > 0) return found;
  }
  return [];
}

async function ofAssociated(
  type: 'deals' | 'tickets',
  id: string,
  people: Type,
  client: HubSpotClient,
  gated: GatedRequest,
): Promise<readonly LabelledNumber[]> {
  const linked = await client.request(
    'GET',
    `/crm/v4/objects/${type}/${id}/associations/${people}?limit=${mostNumbers}`,
    undefined,
    `to list the ${people} of the record`,
    [],
    gated,
  );
  const ids = listOf(linked.body, 'results')
    .map((one) => idOf(isObject(one) ? one.toObjectId : null))
    .filter((one) => one !== '')
    .slice(0, mostNumbers);
  if (ids.length === 0) return [];
  const read = await client.request(
    'POST',
    `/crm/v3/objects/${people}/batch/read`,
    { properties: wanted(people), propertiesWithHistory: [], inputs: ids.map((one) => ({ id: one })) },
    `to read the numbers of the ${people}`,
    [],
    gated,
  );
  const rows = listOf(read.body, 'results').filter(isObject);
  // In the order of the associations: HubSpot has the primary one first.
  const sorted = ids.flatMap((one) => rows.filter((row) => idOf(row.id) === one));
  return distinct(sorted.flatMap((row) => numbersIn(people, row, true)));
}

function numbersIn(type: Type, row: unknown, withName: boolean): readonly LabelledNumber[] {
  const properties = isObject(row) && isObject(row.properties) ? row.properties : {};
  const [first = '', last = '', email = ''] = names[type].map((name) => text(properties[name]).trim());
  const name = type === 'contacts' ? [first, last].filter((part) => part !== '').join(' ') || email : first || last;
  return fields[type].flatMap(([property, label]) => {
    const number = text(properties[property]).trim();
    if (number === '' || number.length > longestNumber) return [];
    return [{ number, label: (withName && name !== '' ? `${name}, ${label.toLowerCase()}` : label).slice(0, 255) }];
  });
}

function distinct(numbers: readonly LabelledNumber[]): readonly LabelledNumber[] {
  const seen = new Set<string>();
  return numbers
    .filter(({ number }) => {
      const digits = number.replace(/[^\d+]/g, '') || number;
      return !seen.has(digits) && seen.add(digits);
    })
    .slice(0, mostNumbers);
}
