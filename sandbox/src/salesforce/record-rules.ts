/**
 * Owns what the platform itself fills in when a record is written: composed names, derived accounts, closed or not (the Salesforce contract,
 * section 1.7). Must never change a record but the one it is given.
 */
import type { SObjectName } from './field.ts';
import { Refusal } from './refusal.ts';
import { instant, named, type Row, type Value } from './values.ts';

/** The rest of the org, as far as a rule looks at it. */
export interface Neighbours {
  objectOf(id: string): SObjectName | undefined;
  get(object: SObjectName, id: string): Row | undefined;
  all(object: SObjectName): readonly Row[];
  now(): Date;
  /** The next number of an auto number field. */
  serial(): number;
}

type Draft = Record<string, Value>;

/** Fills the derived fields of `row` in. Throws {@link Refusal} where fields contradict each other. */
export function derive(object: SObjectName, row: Draft, org: Neighbours): void {
  const rule = rules[object];
  if (rule) rule(row, org);
}

const rules: Partial<Readonly<Record<SObjectName, (row: Draft, org: Neighbours) => void>>> = {
  Contact: composeName,
  Lead: composeName,
  Account(row) {
    if (named(row.LastName) === undefined) return;
    row.IsPersonAccount = true;
    composeName(row);
  },
  Patchcord_Call__c(row, org) {
    row.Name ??= `CALL-${String(org.serial()).padStart(7, '0')}`;
  },
  Case(row, org) {
    row.CaseNumber ??= String(1000 + org.serial()).padStart(8, '0');
    const contact = org.get('Contact', named(row.ContactId) ?? '');
    row.ContactPhone = contact?.Phone ?? null;
    row.ContactMobile = contact?.MobilePhone ?? null;
    if (contact) row.AccountId ??= contact.AccountId ?? null;
    const closed = row.Status === 'Closed';
    row.ClosedDate = closed ? (row.ClosedDate ?? instant(org.now())) : null;
    row.IsClosed = closed;
  },
  Opportunity(row) {
    row.IsClosed = `${row.StageName}`.startsWith('Closed');
    row.IsWon = row.StageName === 'Closed Won';
  },
  Task(row, org) {
    const who = named(row.WhoId);
    const what = named(row.WhatId);
    if (who !== undefined && org.objectOf(who) === 'Lead' && what !== undefined)
      throw new Refusal('FIELD_INTEGRITY_EXCEPTION', 'Related To ID: can not specify a What ID if Who is a Lead', [
        'WhatId',
      ]);
    row.AccountId = accountOf(who, what, org);
    row.IsHighPriority = row.Priority === 'High';
    const closed = org.all('TaskStatus').some((status) => status.ApiName === row.Status && status.IsClosed);
    if (closed && row.IsClosed !== true) row.CompletedDateTime = instant(org.now());
    if (!closed) row.CompletedDateTime = null;
    row.IsClosed = closed;
  },
};

function composeName(row: Draft): void {
  row.Name = [row.FirstName, row.LastName].filter((part) => typeof part === 'string' && part !== '').join(' ');
}

/** The account of what the task is about when that is an account or an opportunity, else the contact's. */
function accountOf(who: string | undefined, what: string | undefined, org: Neighbours): Value {
  const object = what === undefined ? undefined : org.objectOf(what);
  if (what !== undefined && object === 'Account') return what;
  if (what !== undefined && object === 'Opportunity') return org.get('Opportunity', what)?.AccountId ?? null;
  return who === undefined || org.objectOf(who) !== 'Contact' ? null : (org.get('Contact', who)?.AccountId ?? null);
}
