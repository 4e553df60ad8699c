/**
 * Owns the open work of a caller in Salesforce: cases and opportunities that a call may be about, and how they raise one match over another
 * (Salesforce contract, section 3.4). An org or a user without one of these objects simply has none of it. Must never write, and must never
 * fail a look-up that found its caller.
 */
import { type Match, PatchcordError, type RecordRef, type Related } from '@patchcord/call-protocol';
import type { GatedRequest } from '../request-gate.ts';
import { isObject, listOf, refusalIn, type SubAnswer, type SubRequest, subAnswer, text } from './composite.ts';
import { dataPath, type SalesforceConnection } from './connection.ts';
import type { DescribedObject, OrgView } from './org.ts';
import { fromRefusal } from './refusals.ts';
import type { OpenWork } from './search.ts';
import { isSalesforceId } from './task.ts';

/** An opportunity that nobody touched for this long says little of why somebody calls. */
const recentMs = 30 * 24 * 3_600_000;
/** Rows of one query: enough to count by, few enough to be quick. */
const mostRows = 100;
/** The contract of `relatedTo`: at most this many. */
const mostRelated = 20;
/** Somebody looks at the call and waits. */
const waitedFor: GatedRequest = { urgent: true };

type Row = Readonly<Record<string, unknown>>;

/**
 * The open cases and lately touched open opportunities of several matches, by the first 15 characters of the record's id. One request; none
 * where the org has neither object.
 */
export async function openWorkOf(
  matches: readonly Match[],
  connection: SalesforceConnection,
  org: OrgView,
  gated: GatedRequest,
): Promise<ReadonlyMap<string, OpenWork>> {
  const idsOf = (object: string): readonly string[] =>
    matches.filter(({ record }) => record.object === object).map(({ record }) => record.id);
  const contacts = idsOf('Contact');
  const accounts = idsOf('Account');
  if (contacts.length + accounts.length === 0) return new Map();
  const [cases, opportunities, roles] = await Promise.all([
    org.describe('Case', gated),
    org.describe('Opportunity', gated),
    contacts.length === 0 ? null : org.describe('OpportunityContactRole', gated),
  ]);
  const since = new Date(Date.now() - recentMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
  const soql = {
    cases:
      cases === null
        ? null
        : `SELECT ${present(cases, ['ContactId', 'AccountId']).join(', ')} FROM Case WHERE IsClosed = false AND ${anyOf(cases, { ContactId: contacts, AccountId: accounts })} ORDER BY LastModifiedDate DESC LIMIT ${mostRows}`,
    opportunities:
      opportunities === null || accounts.length === 0
        ? null
        : `SELECT AccountId FROM Opportunity WHERE IsClosed = false AND LastModifiedDate >= ${since} AND ${anyOf(opportunities, { AccountId: accounts })} LIMIT ${mostRows}`,
    roles:
      roles === null || opportunities === null
        ? null
        : `SELECT ContactId FROM OpportunityContactRole WHERE Opportunity.IsClosed = false AND Opportunity.LastModifiedDate >= ${since} AND ContactId IN (${list(contacts)}) LIMIT ${mostRows}`,
  };
  const found = await ask(connection, soql, 'to look for open cases', gated, org);
  const work = new Map<string, OpenWork>();
  const count = (id: unknown, kind: keyof OpenWork): void => {
    const key = text(id).slice(0, 15);
    if (key === '') return;
    const before = work.get(key) ?? { cases: 0, opportunities: 0 };
    work.set(key, { ...before, [kind]: before[kind] + 1 });
  };
  for (const row of found.cases ?? []) {
    count(row.ContactId, 'cases');
    count(row.AccountId, 'cases');
  }
  for (const row of found.opportunities ?? []) count(row.AccountId, 'opportunities');
  for (const row of found.roles ?? []) count(row.ContactId, 'opportunities');
  return work;
}

/**
 * What a call with this record may be about: its own open cases and opportunities before those of its account, each newest first.
 * @throws PatchcordError `crm.*`
 */
export async function relatedWork(
  record: RecordRef,
  connection: SalesforceConnection,
  org: OrgView,
): Promise<readonly Related[]> {
  if (!isSalesforceId(record.id) || (record.object !== 'Contact' && record.object !== 'Account')) return [];
  const [cases, opportunities] = await Promise.all([
    org.describe('Case', waitedFor),
    org.describe('Opportunity', waitedFor),
  ]);
  if (cases === null && opportunities === null) return [];
  const contact = record.object === 'Contact' ? record.id : null;
  const roles =
    contact === null || opportunities === null ? null : await org.describe('OpportunityContactRole', waitedFor);
  const account = contact === null ? record.id : await accountOf(contact, connection, org);
  const accounts = account === null ? [] : [account];
  const contacts = contact === null ? [] : [contact];
  const caseFields = [
    'Id',
    'CaseNumber',
    'Subject',
    'Status',
    'Priority',
    'ContactId',
    'AccountId',
    'LastModifiedDate',
  ];
  const workFields = ['Id', 'Name', 'StageName', 'Amount', 'CloseDate', 'AccountId', 'LastModifiedDate'];
  const newest = `ORDER BY LastModifiedDate DESC LIMIT ${mostRelated}`;
  const ofOpportunity = opportunities === null ? [] : present(opportunities, workFields);
  const found = await ask(
    connection,
    {
      cases:
        cases === null
          ? null
          : `SELECT ${present(cases, caseFields).join(', ')} FROM Case WHERE IsClosed = false AND ${anyOf(cases, { ContactId: contacts, AccountId: accounts })} ${newest}`,
      opportunities:
        opportunities === null || account === null
          ? null
          : `SELECT ${ofOpportunity.join(', ')} FROM Opportunity WHERE IsClosed = false AND ${anyOf(opportunities, { AccountId: accounts })} ${newest}`,
      roles:
        roles === null || contact === null
          ? null
          : `SELECT ${ofOpportunity.map((field) => `Opportunity.${field}`).join(', ')} FROM OpportunityContactRole WHERE Opportunity.IsClosed = false AND ContactId = '${contact}' LIMIT ${mostRelated}`,
    },
    'to list open cases and opportunities',
    waitedFor,
    org,
  );
  const who = (record.name ?? '').trim() || (contact === null ? 'this account' : 'this contact');
  const isOwn = (row: Row): boolean => contact === null || text(row.ContactId).slice(0, 15) === contact.slice(0, 15);
  const offered = [
    ...(found.cases ?? []).map((row) => offeredCase(row, isOwn(row), who)),
    ...(found.roles ?? []).flatMap((row) =>
      isObject(row.Opportunity) ? [offeredWork(row.Opportunity, true, who)] : [],
    ),
    ...(found.opportunities ?? []).map((row) => offeredWork(row, contact === null, who)),
  ].filter((one) => isSalesforceId(one.related.record.id));
  offered.sort((one, other) => Number(other.own) - Number(one.own) || (one.touched < other.touched ? 1 : -1));
  const seen = new Set<string>();
  return offered
    .map(({ related }) => related)
    .filter(({ record: { id } }) => !seen.has(id.slice(0, 15)) && seen.add(id.slice(0, 15)))
    .slice(0, mostRelated);
}

interface Offered {
  readonly related: Related;
  /** The record's own, not only its account's. */
  readonly own: boolean;
  readonly touched: string;
}

function offeredCase(row: Row, own: boolean, who: string): Offered {
  const number = text(row.CaseNumber);
  const name = [number === '' ? 'Case' : `Case ${number}`, text(row.Subject)].filter((part) => part !== '').join(': ');
  const detail = [text(row.Status), text(row.Priority)].filter((part) => part !== '').join(', ');
  return {
    related: related('Case', row, name, detail, own ? `Open case of ${who}` : `Open case of the account of ${who}`),
    own,
    touched: text(row.LastModifiedDate),
  };
}

function offeredWork(row: Row, own: boolean, who: string): Offered {
  const amount = typeof row.Amount === 'number' ? row.Amount.toLocaleString('en-US') : '';
  const close = text(row.CloseDate);
  const detail = [text(row.StageName), amount, close === '' ? '' : `closes ${close}`].filter((part) => part !== '');
  const reason = own ? `Open opportunity of ${who}` : `Open opportunity of the account of ${who}`;
  return {
    related: related('Opportunity', row, text(row.Name), detail.join(', '), reason),
    own,
    touched: text(row.LastModifiedDate),
  };
}

function related(object: string, row: Row, name: string, detail: string, reason: string): Related {
  return {
    record: { crm: 'salesforce', object, id: text(row.Id), name: name.slice(0, 255) },
    ...(detail === '' ? {} : { detail: detail.slice(0, 255) }),
    reason: reason.slice(0, 255),
  };
}

async function accountOf(contact: string, connection: SalesforceConnection, org: OrgView): Promise<string | null> {
  if ((await org.describe('Contact', waitedFor))?.has('AccountId') !== true) return null;
  try {
    const path = `/sobjects/Contact/${contact}?fields=AccountId`;
    const row = await connection.request('GET', path, undefined, 'to read the contact', waitedFor);
    const id = isObject(row) ? text(row.AccountId) : '';
    return isSalesforceId(id) ? id : null;
  } catch (error) {
    if (error instanceof PatchcordError && error.code === 'crm.not-found') return null;
    throw error;
  }
}

/**
 * Several queries in one request. One that is refused has no rows.
 * @throws PatchcordError `crm.invalid` for a field or an object that turns out to be hidden from this user
 */
async function ask<K extends string>(
  connection: SalesforceConnection,
  soql: Readonly<Record<K, string | null>>,
  doing: string,
  gated: GatedRequest,
  org: OrgView,
): Promise<Partial<Record<K, readonly Row[]>>> {
  const compositeRequest: SubRequest[] = Object.entries<string | null>(soql).flatMap(([referenceId, query]) =>
    query === null
      ? []
      : [{ method: 'GET' as const, url: `${dataPath}/query?q=${encodeURIComponent(query)}`, referenceId }],
  );
  if (compositeRequest.length === 0) return {};
  const body = { allOrNone: false, compositeRequest };
  const answer = await connection.request('POST', '/composite', body, doing, gated);
  const answers: readonly SubAnswer[] = listOf(answer, 'compositeResponse').map(subAnswer);
  const rowsOf = (name: string): readonly Row[] => {
    const one = answers.find(({ referenceId }) => referenceId === name);
    const refusal = one === undefined || one.status < 300 ? null : refusalIn(one);
    if (refusal !== null && org.canLearn(refusal)) throw fromRefusal(refusal, doing);
    return one === undefined || one.status >= 300 ? [] : listOf(one.body, 'records').filter(isObject);
  };
  const found: Partial<Record<K, readonly Row[]>> = {};
  for (const name of Object.keys(soql) as K[]) found[name] = rowsOf(name);
  return found;
}

/** Those of the fields that the user may see; the id always. */
function present(object: DescribedObject, fields: readonly string[]): readonly string[] {
  return fields.filter((field) => field === 'Id' || object.has(field));
}

/** `(A IN (…) OR B IN (…))` of the fields there are and that have ids; a condition that nothing meets when none. */
function anyOf(object: DescribedObject, ids: Readonly<Record<string, readonly string[]>>): string {
  const parts = Object.entries(ids)
    .filter(([field, some]) => some.length > 0 && object.has(field))
    .map(([field, some]) => `${field} IN (${list(some)})`);
  return parts.length === 0 ? 'Id = null' : `(${parts.join(' OR ')})`;
}

function list(ids: readonly string[]): string {
  return ids
    .filter(isSalesforceId)
    .map((id) => `'${id}'`)
    .join(',');
}
