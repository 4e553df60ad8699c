/**
 * Owns the class `PatchcordCallHistory` as the emulated org runs it: the calls of one record, newest first, for whoever may read the record.
 * Follows the Apex in force-app; must never show what the user's rights hide, nor open a call by its id alone.
 */
import type { SObjectName } from '../field.ts';
import type { Row, Value } from '../values.ts';
import { type ApexCall, type ApexClass, ApexFailure } from './apex-class.ts';

const mostCalls = 50;
const sameSecond = 10;
const noteLength = 4_000;
const call = 'Patchcord_Call__c';

/** Which calls belong to a record. */
const callsOfObject: Partial<Record<SObjectName, (org: ApexCall, row: Row, recordId: string) => boolean>> = {
  Contact: (_org, row, id) => row.Contact__c === id,
  Lead: (_org, row, id) => row.Lead__c === id,
  Account: (org, row, id) =>
    row.Account__c === id ||
    (typeof row.Contact__c === 'string' &&
      org.store.get('Contact', row.Contact__c)?.AccountId === id &&
      mayRead(org, row.Contact__c)),
  Opportunity: (_org, row, id) => row.Opportunity__c === id,
  Case: (_org, row, id) => row.Case__c === id,
};

export const patchcordCallHistory: ApexClass = {
  name: 'PatchcordCallHistory',
  methods: {
    callsOf: (org) => pageOf(org, null),
    earlierCalls: (org) => pageOf(org, typeof org.params.before === 'string' ? Date.parse(org.params.before) : null),
    transcriptOf(org) {
      const { store, rights, user, params } = org;
      const callId = typeof params.callId === 'string' ? params.callId : '';
      if (store.objectOf(callId) !== call) throw new ApexFailure('This is not a call.');
      if (!mayReadCalls(org) || !rights.mayField(user, call, 'Transcript__c', 'read')) return '';
      const row = store.get(call, callId);
      return row !== undefined && maySee(org, row) ? (row.Transcript__c ?? '') : '';
    },
  },
};

/** The records a call may be with. */
const links = ['Contact__c', 'Lead__c', 'Account__c', 'Opportunity__c', 'Case__c'] as const;

function mayReadCalls({ rights, user }: ApexCall): boolean {
  return rights.mayObject(user, call, 'read') && rights.mayField(user, call, 'Started_At__c', 'read');
}

function mayRead({ store, rights, user }: ApexCall, recordId: Value | undefined): boolean {
  const object = typeof recordId === 'string' ? store.objectOf(recordId) : undefined;
  const row = object === undefined ? undefined : store.get(object, `${recordId}`);
  return (
    object !== undefined &&
    row !== undefined &&
    rights.mayObject(user, object, 'read') &&
    rights.mayRecord(user, object, row, 'read')
  );
}

/** Own, or shared, or with a record that the user may read. */
function maySee(org: ApexCall, row: Row): boolean {
  return (
    row.OwnerId === org.user.id ||
    row.Agent__c === org.user.id ||
    mayRead(org, row.Id) ||
    links.some((link) => mayRead(org, row[link]))
  );
}

/** The calls of a record the user may read, whoever owns the calls. */
function pageOf(org: ApexCall, before: number | null): unknown {
  const { store, params } = org;
  const recordId = typeof params.recordId === 'string' ? params.recordId : '';
  const object = store.objectOf(recordId);
  const belongs = object === undefined ? undefined : callsOfObject[object];
  if (object === undefined || belongs === undefined)
    throw new ApexFailure('Calls are shown for contacts, leads, accounts, opportunities and cases.');
  if (!mayReadCalls(org))
    throw new ApexFailure('You may not see calls. Ask your admin for the permission set "Patchcord Agent".');
  if (!mayRead(org, recordId)) return { calls: [], more: false };
  const id = `${store.get(object, recordId)?.Id}`;
  const asked = typeof params.limitSize === 'number' ? params.limitSize : 10;
  const size = Math.max(1, Math.min(asked, mostCalls));
  const found = store
    .all(call)
    .filter((row) => belongs(org, row, id) && (before === null || startOf(row) < before))
    .sort((one, other) => startOf(other) - startOf(one) || (`${other.Id}` < `${one.Id}` ? -1 : 1))
    .slice(0, size + sameSecond + 1);
  let last = Math.min(size, found.length);
  const together = (index: number): boolean => found[index]?.Started_At__c === found[index - 1]?.Started_At__c;
  while (last < found.length && last < size + sameSecond && together(last)) last += 1;
  return { calls: found.slice(0, last).map((row) => entryOf(org, row)), more: last < found.length };
}

function startOf(row: Row): number {
  return typeof row.Started_At__c === 'string' ? Date.parse(row.Started_At__c) : Number.NEGATIVE_INFINITY;
}

function entryOf({ store, rights, user }: ApexCall, row: Row): Readonly<Record<string, Value>> {
  const given = (field: string): Value => (rights.mayField(user, call, field, 'read') ? (row[field] ?? null) : null);
  const instantOf = (field: string): Value => {
    const value = given(field);
    return typeof value === 'string' ? new Date(value).toISOString() : null;
  };
  const agent = given('Agent__c');
  const shortened = (field: string): Value => {
    const value = given(field);
    return typeof value === 'string' ? abbreviated(value) : null;
  };
  const link = given('Recording_Url__c');
  const seconds = given('Duration_Seconds__c');
  return {
    id: row.Id ?? null,
    direction: given('Direction__c'),
    phone: given(row.Direction__c === 'Outbound' ? 'To_Number__c' : 'From_Number__c'),
    farSideName: given('Far_Side_Name__c'),
    contactId: given('Contact__c'),
    startedAt: instantOf('Started_At__c'),
    answeredAt: instantOf('Answered_At__c'),
    endedAt: instantOf('Ended_At__c'),
    durationSeconds: typeof seconds === 'number' ? Math.trunc(seconds) : 0,
    outcome: given('Outcome__c'),
    disposition: given('Disposition__c'),
    note: shortened('Note__c'),
    sentiment: given('Sentiment__c'),
    summary: shortened('Summary__c'),
    actionItems: shortened('Action_Items__c'),
    phrases: shortened('Phrases__c'),
    transferredTo: given('Transferred_To__c'),
    agentName: typeof agent === 'string' ? (store.get('User', agent)?.Name ?? null) : null,
    recordingUrl: typeof link === 'string' && link.toLowerCase().startsWith('https://') ? link : null,
  };
}

function abbreviated(note: string): string {
  return note.length <= noteLength ? note : `${note.slice(0, noteLength - 3)}...`;
}
