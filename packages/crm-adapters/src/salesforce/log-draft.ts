/**
 * Owns one log on its way: which of its fields go to this org and this user, and what is taken back when Salesforce refuses a part of it, so
 * that the rest is written all the same. Pure. Must never drop a field that keeps a call from being logged twice.
 */
import type { CallLog } from '@patchcord/call-protocol';
import type { Fields, FieldValue } from '../last-written.ts';
import type { LogToWrite } from '../relay-contract.ts';
import type { SubRefusal } from './composite.ts';
import type { DescribedObject } from './org.ts';
import { blamedFields } from './refusals.ts';
import { callFields, type TaskWording, taskFields } from './task.ts';

/** The two records a log is. */
export type Part = 'task' | 'call';

export interface Draft extends LogToWrite {
  /** Whose it is; the agent when absent, whoever writes it when null. */
  readonly owner?: null;
  /** What could not be done, in words for the text. */
  readonly lines: readonly string[];
  /** First 15 characters of ids that may not be linked. */
  readonly unlinked: ReadonlySet<string>;
  /** `part.Field` that this log goes without. */
  readonly without: ReadonlySet<string>;
  /** `part.Field` → characters this org takes. */
  readonly longest: ReadonlyMap<string, number>;
}

/** What an org and a user allow, and how they spell it. */
export interface Frame {
  /** The package's namespace with its underscores, or nothing. */
  readonly prefix: string;
  readonly closedStatus: string;
  readonly task: DescribedObject;
  readonly call: DescribedObject;
  readonly personContacts: ReadonlyMap<string, string>;
  readonly recordingPage: string | undefined;
  zoneOf(log: LogToWrite): string;
  isClosed(part: Part, field: string): boolean;
}

export interface Composed {
  readonly task: Fields;
  readonly call: Fields;
}

export function draftOf(write: LogToWrite): Draft {
  return { ...write, lines: [], unlinked: new Set(), without: new Set(), longest: new Map() };
}

/** Fields of our own record without which nothing may be written: they keep the call single and a person's edits safe. */
export function neededFields(prefix: string): Readonly<Record<Part, readonly string[]>> {
  return {
    task: ['Subject', 'Status'],
    call: [`${prefix}Call_Key__c`, `${prefix}Task_Id__c`, `${prefix}Last_Written__c`],
  };
}

/** The fields of both records, as far as org and user take them. */
export function compose(draft: Draft, frame: Frame): Composed {
  const wording: TaskWording = {
    closedStatus: frame.closedStatus,
    timeZone: frame.zoneOf(draft),
    hasCallType: frame.task.get('Type')?.values.includes('Call') === true,
    lines: draft.lines,
    unlinked: draft.unlinked,
    personContacts: frame.personContacts,
    recordingPage: frame.recordingPage,
    ...(draft.owner === undefined ? {} : { owner: draft.owner }),
  };
  return {
    task: allowed('task', taskFields(draft.log, draft.agent, wording), draft, frame),
    call: allowed('call', callFields(draft.log, draft.agent, frame.prefix, wording), draft, frame),
  };
}

function allowed(part: Part, fields: Fields, draft: Draft, frame: Frame): Fields {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]): readonly (readonly [string, FieldValue])[] => {
      const described = frame[part].get(name);
      if (described === undefined || !described.createable) return [];
      if (draft.without.has(`${part}.${name}`) || frame.isClosed(part, name)) return [];
      const longest = draft.longest.get(`${part}.${name}`);
      return [[name, typeof value === 'string' && longest !== undefined ? value.slice(0, longest) : value]];
    }),
  );
}

/** A draft that Salesforce may take, and the fields that are closed to this user whatever the log. */
interface Mended {
  readonly draft: Draft;
  readonly part: Part;
  readonly closed: readonly string[];
}

const aboutFields = new Set([
  'INVALID_FIELD',
  'INVALID_FIELD_FOR_INSERT_UPDATE',
  'INSUFFICIENT_ACCESS',
  'INSUFFICIENT_ACCESS_OR_READONLY',
]);
const aboutLinks: Readonly<Record<string, string>> = {
  INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY: 'the user who writes this may not see it',
  ENTITY_IS_DELETED: 'it was deleted',
  INVALID_CROSS_REFERENCE_KEY: 'there is no such record',
  FIELD_INTEGRITY_EXCEPTION: 'Salesforce links no calls to it',
  // An object without "Allow Activities", or an id of another object than was said.
  MALFORMED_ID: 'Salesforce links no calls to it',
};
const taskLinks = ['WhoId', 'WhatId'];
const callLinks = ['Contact__c', 'Lead__c', 'Account__c', 'Opportunity__c', 'Case__c'];

/** Whether these fields link a log to a record. */
export function linksIn({ task, call }: Composed, prefix: string): boolean {
  return (
    taskLinks.some((name) => typeof task[name] === 'string') ||
    callLinks.some((name) => typeof call[`${prefix}${name}`] === 'string')
  );
}

/**
 * The draft without what was refused; null when nothing can be left out.
 * @param sent what was sent in the refused request
 */
export function mended(draft: Draft, failure: SubRefusal, sent: Composed, frame: Frame): Mended | null {
  const part: Part = failure.referenceId === 'task' ? 'task' : 'call';
  const fields = sent[part];
  const blamed = blamedFields(failure)
    .map((name) => Object.keys(fields).find((known) => known.toLowerCase() === name.toLowerCase()) ?? name)
    .filter((name) => name in fields || name === 'TaskSubtype');
  const { code } = failure;
  const agentId = draft.agent.crmUserId.slice(0, 15);
  const agentField = `${frame.prefix}Agent__c`;
  const blamesOwner =
    blamed.includes('OwnerId') ||
    blamed.includes(agentField) ||
    (code in aboutLinks && agentId !== '' && failure.message.includes(agentId));
  if (code === 'INACTIVE_OWNER_OR_USER' || (code in aboutLinks && blamesOwner))
    return withoutOwner(draft, part, code, agentField);
  if (code in aboutLinks) return withoutLinks(draft, part, failure, blamed, fields, frame);
  if (code === 'STRING_TOO_LONG') {
    const longest = Number(/max length\s*=\s*(\d+)/.exec(failure.message)?.[1] ?? Number.NaN);
    const field = blamed[0];
    if (field === undefined || !(longest > 0)) return null;
    const key = `${part}.${field}`;
    if (longest >= (draft.longest.get(key) ?? Number.POSITIVE_INFINITY)) return null;
    return { draft: { ...draft, longest: new Map([...draft.longest, [key, longest]]) }, part, closed: [] };
  }
  const isPicklist = code === 'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST';
  if (!isPicklist && !aboutFields.has(code)) return null;
  const optional = blamed.filter(
    (name) => !neededFields(frame.prefix)[part].includes(name) && !draft.without.has(`${part}.${name}`),
  );
  if (optional.length === 0) return null;
  const without = new Set([...draft.without, ...optional.map((name) => `${part}.${name}`)]);
  return { draft: { ...draft, without }, part, closed: isPicklist ? [] : optional };
}

function withoutOwner(draft: Draft, part: Part, code: string, agentField: string): Mended | null {
  if (draft.owner === null) return null;
  return code === 'INACTIVE_OWNER_OR_USER'
    ? { draft: unowned(draft, 'is not active in Salesforce'), part, closed: [] }
    : { draft: unowned(draft, 'cannot own it in Salesforce', agentField), part, closed: [] };
}

/** The draft of an agent who cannot own it: whoever writes it owns it, and the text says whose call it was. */
export function unowned(draft: Draft, why: string, agentField?: string): Draft {
  return {
    ...draft,
    owner: null,
    without: agentField === undefined ? draft.without : new Set([...draft.without, `call.${agentField}`]),
    lines: [...draft.lines, `Taken by ${draft.agent.name || 'an agent'}, who ${why}`],
  };
}

function withoutLinks(
  draft: Draft,
  part: Part,
  failure: SubRefusal,
  blamed: readonly string[],
  fields: Fields,
  frame: Frame,
): Mended | null {
  const links = part === 'task' ? taskLinks : callLinks.map((name) => `${frame.prefix}${name}`);
  const sent = links.flatMap((name) => {
    const id = fields[name];
    return typeof id === 'string' && id !== '' ? [{ name, id: id.slice(0, 15) }] : [];
  });
  const named = sent.filter(({ name, id }) => blamed.includes(name) || failure.message.includes(id));
  const refused = (named.length > 0 ? named : sent).map(({ id }) => id);
  if (refused.length === 0) return null;
  const accounts = [...frame.personContacts].filter(([, contact]) => refused.includes(contact.slice(0, 15)));
  const unlinked = new Set([...draft.unlinked, ...refused, ...accounts.map(([account]) => account)]);
  const records = [draft.log.record, draft.log.about].filter(
    (one): one is NonNullable<CallLog['record']> =>
      one !== null &&
      one !== undefined &&
      unlinked.has(one.id.slice(0, 15)) &&
      !draft.unlinked.has(one.id.slice(0, 15)),
  );
  const lines = records.map(
    (one) =>
      `Not linked to ${one.object} ${one.name ?? one.id}: ${aboutLinks[failure.code] ?? 'Salesforce refused it'}`,
  );
  return { draft: { ...draft, unlinked, lines: [...draft.lines, ...lines] }, part, closed: [] };
}
