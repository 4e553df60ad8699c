/**
 * Owns how a query names a field: the object's own, or one behind lookups (`Account.Owner.Name`). Must never show a field that the user may
 * not read.
 */
import type { OrgView } from './access.ts';
import type { Field, SObjectName } from './field.ts';
import type { Tokens } from './query-tokens.ts';
import { named, type Row, type Value } from './values.ts';

interface Step {
  readonly relationship: string;
  readonly via: string;
}

export interface FieldPath {
  readonly steps: readonly Step[];
  /** The field's own spelling. */
  readonly name: string;
  readonly field: Field;
  /** The last record on the way, from `row` on; undefined where a lookup is empty or leads to what the user can't see. */
  owner(row: Row): { readonly object: SObjectName; readonly row: Row } | undefined;
  value(row: Row): Value;
}

/** What records of several objects have in common: the fields of Salesforce's Name object. */
const nameFields: Readonly<Record<string, Field>> = {
  Id: { type: 'id' },
  Name: { type: 'string' },
  Type: { type: 'string' },
  FirstName: { type: 'string' },
  LastName: { type: 'string' },
  Title: { type: 'string' },
  Email: { type: 'email' },
  Phone: { type: 'phone' },
};

/** Reads a path; throws INVALID_FIELD in Salesforce's words. */
export function fieldPath(view: OrgView, object: SObjectName, written: string, tokens: Tokens): FieldPath {
  const parts = written.split('.');
  // A query may put the object's own name in front.
  if (parts.length > 1 && parts[0]?.toLowerCase() === object.toLowerCase()) parts.shift();
  const last = parts.pop() ?? '';
  const steps: Step[] = [];
  let at: readonly SObjectName[] = [object];
  for (const part of parts) {
    const [only] = at;
    const found =
      only === undefined || at.length > 1
        ? undefined
        : Object.entries(view.fields(only)).find(
            ([, field]) => field.relationship?.toLowerCase() === part.toLowerCase(),
          );
    if (!found?.[1].relationship)
      throw tokens.wrong(
        'INVALID_FIELD',
        `Didn't understand relationship '${part}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.`,
      );
    steps.push({ relationship: found[1].relationship, via: found[0] });
    at = found[1].to ?? [];
  }
  const known = at.length > 1 ? commonField(last) : at[0] === undefined ? undefined : view.field(at[0], last);
  if (!known)
    throw tokens.wrong(
      'INVALID_FIELD',
      `No such column '${last}' on entity '${at.length > 1 ? 'Name' : (at[0] ?? object)}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.`,
    );
  const owner: FieldPath['owner'] = (row) => {
    let here: { object: SObjectName; row: Row } | undefined = { object, row };
    for (const step of steps) {
      const id: string | undefined = named(here?.row[step.via]);
      const to: SObjectName | undefined = id === undefined ? undefined : view.objectOf(id);
      const next: Row | undefined = to === undefined || id === undefined ? undefined : view.get(to, id);
      here = to === undefined || next === undefined ? undefined : { object: to, row: next };
    }
    return here;
  };
  return {
    steps,
    ...known,
    owner,
    value(row) {
      const end = owner(row);
      if (!end) return null;
      return known.name === 'Type' && at.length > 1 ? end.object : (end.row[known.name] ?? null);
    },
  };
}

function commonField(name: string): { name: string; field: Field } | undefined {
  const found = Object.entries(nameFields).find(([known]) => known.toLowerCase() === name.toLowerCase());
  return found && { name: found[0], field: found[1] };
}
