/**
 * Owns the words in which the table of look-ups is written: records with what somebody typed into them, and who calls. Must never talk to an
 * org; the numbers are made up, from ranges for fiction where a country has one.
 */

export interface Planted {
  readonly object: 'Contact' | 'Lead' | 'Account' | 'User';
  readonly fields: Readonly<Record<string, string | boolean>>;
  /** The record's account, by its key in the same world. */
  readonly of?: string;
}

/** The caller as it arrives, and the keys of the records that must be found, in their order; none when the list is empty. */
export type Call = readonly [caller: string, ...expected: string[]];

/** One state of an org, seen from a tenant in one country, and calls that come in. */
export interface World {
  readonly what: string;
  /** ISO 3166-1 alpha-2 country of the tenant. */
  readonly country: string;
  readonly personAccounts?: true;
  readonly records: Readonly<Record<string, Planted>>;
  readonly calls: readonly Call[];
}

type Fields = Readonly<Record<string, string | boolean>>;

export function contact(phone: string | Fields, of?: string): Planted {
  const fields = typeof phone === 'string' ? { Phone: phone } : phone;
  return { object: 'Contact', fields: { LastName: 'Contact', ...fields }, ...(of === undefined ? {} : { of }) };
}

export function lead(phone: string | Fields): Planted {
  const fields = typeof phone === 'string' ? { Phone: phone } : phone;
  return { object: 'Lead', fields: { LastName: 'Lead', Company: 'Company', ...fields } };
}

export function account(phone: string | Fields): Planted {
  const fields = typeof phone === 'string' ? { Phone: phone } : phone;
  return { object: 'Account', fields: { Name: 'Account', ...fields } };
}

/** A person account: found as the contact behind it. */
export function person(fields: Fields): Planted {
  return { object: 'Account', fields: { LastName: 'Person', ...fields } };
}

export function colleague(extension: string, more: Fields = {}): Planted {
  return { object: 'User', fields: { Name: 'Colleague', Extension: extension, ...more } };
}

/** One row: what was typed into a contact, and the callers of whom each must find exactly that contact. */
export type Row = readonly [typed: string, ...callers: string[]];

/**
 * A world of contacts, each with another number, all in one org: a caller that found somebody else's record would be seen.
 * @param strangers callers who have no record
 */
export function numbersIn(
  country: string,
  what: string,
  rows: readonly Row[],
  strangers: readonly string[] = [],
): World {
  return {
    what,
    country,
    records: Object.fromEntries(rows.map(([typed]) => [typed, contact(typed)])),
    calls: [
      ...rows.flatMap(([typed, ...callers]) => callers.map((caller): Call => [caller, typed])),
      ...strangers.map((caller): Call => [caller]),
    ],
  };
}
