/**
 * Owns what a call becomes in Salesforce: the fields of the Task a person sees, and of our own record beside it. Pure; the mapping table in
 * README.md is this file in words (Salesforce contract, section 1.7). Must never talk to Salesforce.
 */
import type { CallLog, RecordRef } from '@patchcord/call-protocol';
import { heardFields } from '../heard-words.ts';
import { type Fields, plainSpelling, type Spelling } from '../last-written.ts';
import { fromAndTo, resultOf, textOf, titleOf } from '../log-words.ts';
import { isExtension } from '../number-match.ts';
import type { CrmAgent } from '../relay-contract.ts';

/** A Description and a note of ours hold this many characters. */
const longestText = 32_000;
/** A list of calls reads these of fifty calls at once. */
const longestOf = { summary: 4_000, todo: 4_000, phrases: 8_000 };

/** Fields of our own record that an older package does not have: no org lacks anything without them. */
export const optionalCallFields: ReadonlySet<string> = new Set([
  'Sentiment__c',
  'Summary__c',
  'Action_Items__c',
  'Phrases__c',
  'Recording_Url__c',
]);

export interface TaskWording {
  /** A Status that counts as closed in this org. */
  readonly closedStatus: string;
  /** IANA zone in which the call's day is counted: the agent's. */
  readonly timeZone: string;
  /** Whether the org knows the Type "Call". */
  readonly hasCallType?: boolean;
  /** Whose the log is; the agent when absent, nobody (so the user who writes it) when null. */
  readonly owner?: string | null;
  /** The address that plays a call's recording to whoever may hear it, without the call's id at its end. */
  readonly recordingPage?: string | undefined;
  /** Lines of their own below the note: what could not be linked, and why. */
  readonly lines?: readonly string[];
  /** Records that Salesforce refused to link, as the first 15 characters of their ids. */
  readonly unlinked?: ReadonlySet<string>;
  /** The contact behind a person account, by the first 15 characters of the account's id. */
  readonly personContacts?: ReadonlyMap<string, string>;
}

/** Whom a call was with and what it was about, as Salesforce can hold it. */
interface Links {
  /** Contact or Lead. */
  readonly who: string | null;
  /** Anything else, never beside a Lead. */
  readonly what: string | null;
  /** Field of our own record → id. */
  readonly lookups: Readonly<Record<string, string | null>>;
  /** What has no place in a Task, in words. */
  readonly lines: readonly string[];
}

const lookupOf: Readonly<Record<string, string>> = {
  Contact: 'Contact__c',
  Lead: 'Lead__c',
  Account: 'Account__c',
  Opportunity: 'Opportunity__c',
  Case: 'Case__c',
};

/** Who and what, from the record and from what the call was about. */
export function linksOf(log: CallLog, wording: Pick<TaskWording, 'unlinked' | 'personContacts'>): Links {
  const usable = (record: RecordRef | null | undefined): RecordRef | null =>
    record?.crm === 'salesforce' && isSalesforceId(record.id) && wording.unlinked?.has(record.id.slice(0, 15)) !== true
      ? record
      : null;
  const record = usable(log.record);
  const about = usable(log.about);
  const personOf = (one: RecordRef | null): RecordRef | null => {
    if (one === null || isPerson(one)) return one;
    const contact = wording.personContacts?.get(one.id.slice(0, 15));
    return one.object === 'Account' && contact !== undefined ? { ...one, object: 'Contact', id: contact } : null;
  };
  const person = personOf(record) ?? (about !== null && isPerson(about) ? about : null);
  const things = [about, record].filter((one): one is RecordRef => one !== null && personOf(one) === null);
  const thing = things[0] ?? null;
  // A Task takes a Lead alone: with a Lead in WhoId the platform refuses any WhatId.
  const alone = person?.object === 'Lead';
  const lookups: Record<string, string | null> = Object.fromEntries(
    Object.values(lookupOf).map((field) => [field, null]),
  );
  for (const one of [record, about, person]) {
    const field = one === null ? undefined : lookupOf[one.object];
    if (one !== null && field !== undefined) lookups[field] = one.id;
  }
  return {
    who: person?.id ?? null,
    what: alone ? null : (thing?.id ?? null),
    lookups,
    lines: alone && thing !== null ? [`About ${nameOf(thing)}`] : [],
  };
}

/** The Task fields we own. A field the call has no value for is null, so that a later write can clear it. */
export function taskFields(log: CallLog, agent: CrmAgent, wording: TaskWording): Fields {
  const links = linksOf(log, wording);
  const owner = ownerOf(agent, wording);
  return {
    Subject: titleOf(log),
    Status: wording.closedStatus,
    ...(wording.hasCallType === true ? { Type: 'Call' } : {}),
    CallType: directionOf(log),
    CallDurationInSeconds: Math.round(log.talkMs / 1000),
    CallDisposition: (log.disposition ?? resultOf(log)).slice(0, 255) || null,
    CallObject: log.callId,
    ActivityDate: dayOf(log.startedAt, wording.timeZone),
    Description: textOf(log, longestText, [...links.lines, ...(wording.lines ?? [])]) || null,
    WhoId: links.who,
    WhatId: links.what,
    ...(owner === null ? {} : { OwnerId: owner }),
  };
}

/** The fields of our own record beside the Task: what reports need and a Task has no place for. `prefix` is a namespace, e.g. `acme__`. */
export function callFields(
  log: CallLog,
  agent: CrmAgent,
  prefix: string,
  wording: Omit<TaskWording, 'closedStatus'>,
): Fields {
  const { from, to } = fromAndTo(log);
  const owner = ownerOf(agent, wording);
  const heard = heardFields(log);
  const at = (time: number | null): string | null => (time === null ? null : new Date(time).toISOString());
  const fields: Fields = {
    Direction__c: directionOf(log),
    From_Number__c: from.slice(0, 40) || null,
    To_Number__c: to.slice(0, 40) || null,
    Far_Side_Name__c: (log.farSide.name ?? '').trim().slice(0, 255) || null,
    Started_At__c: at(log.startedAt),
    Answered_At__c: at(log.answeredAt),
    Ended_At__c: at(log.endedAt),
    Duration_Seconds__c: Math.round(log.talkMs / 1000),
    Outcome__c: log.outcome,
    Disposition__c: log.disposition?.slice(0, 255) || null,
    Note__c: log.note.trim().slice(0, longestText) || null,
    // Where a message is all that came of it, that is where it went: components and reports tell a voicemail by it.
    Transferred_To__c: (log.transferredTo ?? (log.voicemail === undefined ? null : 'Voicemail'))?.slice(0, 80) || null,
    Conversation__c: log.conversation?.slice(0, 255) || null,
    Agent__c: isUserId(agent.crmUserId) ? agent.crmUserId : null,
    ...(heard.sentiment === undefined ? {} : { Sentiment__c: heard.sentiment }),
    ...(heard.summary === undefined ? {} : { Summary__c: heard.summary.slice(0, longestOf.summary) }),
    ...(heard.todo === undefined ? {} : { Action_Items__c: heard.todo.slice(0, longestOf.todo) }),
    ...(heard.phrases === undefined ? {} : { Phrases__c: heard.phrases.slice(0, longestOf.phrases) }),
    ...(wording.recordingPage !== undefined && isRecorded(log)
      ? { Recording_Url__c: `${wording.recordingPage}${log.callId}` }
      : {}),
    ...linksOf(log, wording).lookups,
  };
  return {
    ...Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${prefix}${name}`, value])),
    ...(owner === null ? {} : { OwnerId: owner }),
  };
}

/** By the phone, or by a phone system that has handed it over. */
function isRecorded({ recording }: CallLog): boolean {
  return recording !== undefined && (recording.kept.length > 0 || recording.byPhoneSystem === true);
}

/** Ids come back with 18 characters whatever was sent, and times in the platform's own spelling of UTC. */
export const taskSpelling: Spelling = (field, value) => {
  const plain = plainSpelling(field, value);
  if (/Id$|(?:Agent|Contact|Lead|Account|Opportunity|Case)__c$/.test(field)) return plain.slice(0, 15);
  const time = /_At__c$/.test(field) ? Date.parse(plain.replace(/\+0000$/, 'Z')) : Number.NaN;
  // A Date/Time field keeps whole seconds: what is finer is nobody's edit.
  return Number.isNaN(time) ? plain : new Date(Math.floor(time / 1000) * 1000).toISOString();
};

/** 15 or 18 letters and digits; nothing else may stand in a URL or a query of ours. */
export function isSalesforceId(text: string): boolean {
  return /^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$/.test(text);
}

function isUserId(text: string): boolean {
  return text.startsWith('005') && isSalesforceId(text);
}

function ownerOf(agent: CrmAgent, { owner }: Pick<TaskWording, 'owner'>): string | null {
  const wanted = owner === undefined ? agent.crmUserId : owner;
  return wanted !== null && isUserId(wanted) ? wanted : null;
}

function isPerson(record: RecordRef): boolean {
  return record.object === 'Contact' || record.object === 'Lead';
}

function nameOf(record: RecordRef): string {
  return `${record.object} ${record.name ?? record.id}`.slice(0, 300);
}

function directionOf(log: CallLog): 'Inbound' | 'Outbound' | 'Internal' {
  if (log.farSide.e164 === undefined && isExtension(log.farSide.number)) return 'Internal';
  return log.direction === 'inbound' ? 'Inbound' : 'Outbound';
}

/** `YYYY-MM-DD` of an instant in a zone. */
function dayOf(at: number, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
    .formatToParts(at)
    .map((part) => [part.type, part.value] as const);
  const of = (type: string): string => parts.find(([name]) => name === type)?.[1] ?? '';
  return `${of('year')}-${of('month')}-${of('day')}`;
}
