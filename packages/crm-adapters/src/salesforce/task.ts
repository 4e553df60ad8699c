/**
 * Owns what a call becomes in Salesforce: the fields of the Task a person sees, and of our own record beside it. Pure; the mapping table in
 * README.md is this file in words (Salesforce contract, section 1.7). Must never talk to Salesforce.
 */
import type { CallLog, RecordRef } from '@patchcord/call-protocol';
import { type Fields, plainSpelling, type Spelling } from '../last-written.ts';
import { fromAndTo, resultOf, textOf, titleOf } from '../log-words.ts';
import { isExtension } from '../number-match.ts';
import type { CrmAgent } from '../relay-contract.ts';

/** A Description holds this many characters. */
const longestDescription = 32_000;

export interface TaskWording {
  /** A Status that counts as closed in this org. */
  readonly closedStatus: string;
  /** IANA zone in which a call's day is counted. */
  readonly timeZone: string;
}

/** The Task fields we own. A field the call has no value for is null, so that a later write can clear it. */
export function taskFields(log: CallLog, agent: CrmAgent, wording: TaskWording): Fields {
  const about = log.record?.crm === 'salesforce' && isSalesforceId(log.record.id) ? log.record : null;
  return {
    Subject: titleOf(log),
    Status: wording.closedStatus,
    CallType: isInternal(log) ? 'Internal' : log.direction === 'inbound' ? 'Inbound' : 'Outbound',
    CallDurationInSeconds: Math.round(log.talkMs / 1000),
    CallDisposition: (log.disposition ?? resultOf(log)).slice(0, 255) || null,
    CallObject: log.callId,
    ActivityDate: dayOf(log.startedAt, wording.timeZone),
    Description: textOf(log, longestDescription) || null,
    // A Task takes a Lead alone: with a Lead in WhoId the platform refuses any WhatId.
    WhoId: about !== null && isPerson(about) ? about.id : null,
    WhatId: about !== null && !isPerson(about) ? about.id : null,
    ...(agent.crmUserId.startsWith('005') && isSalesforceId(agent.crmUserId) ? { OwnerId: agent.crmUserId } : {}),
  };
}

/** The fields of our own record beside the Task: what reports need and a Task has no place for. `prefix` is a namespace, e.g. `acme__`. */
export function callFields(log: CallLog, prefix: string): Fields {
  const { from, to } = fromAndTo(log);
  return {
    [`${prefix}Direction__c`]: log.direction === 'inbound' ? 'Inbound' : 'Outbound',
    [`${prefix}From_Number__c`]: from.slice(0, 40) || null,
    [`${prefix}To_Number__c`]: to.slice(0, 40) || null,
    [`${prefix}Started_At__c`]: new Date(log.startedAt).toISOString(),
    [`${prefix}Ended_At__c`]: log.endedAt === null ? null : new Date(log.endedAt).toISOString(),
    [`${prefix}Duration_Seconds__c`]: Math.round(log.talkMs / 1000),
    [`${prefix}Outcome__c`]: log.outcome,
  };
}

/** Ids come back with 18 characters whatever was sent; the first 15 are the id. */
export const taskSpelling: Spelling = (field, value) =>
  field.endsWith('Id') ? plainSpelling(field, value).slice(0, 15) : plainSpelling(field, value);

/** 15 or 18 letters and digits; nothing else may stand in a URL or a query of ours. */
export function isSalesforceId(text: string): boolean {
  return /^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$/.test(text);
}

function isPerson(record: RecordRef): boolean {
  return record.object === 'Contact' || record.object === 'Lead';
}

function isInternal(log: CallLog): boolean {
  return log.farSide.e164 === undefined && isExtension(log.farSide.number);
}

/** `YYYY-MM-DD` of an instant in a zone. */
function dayOf(at: number, timeZone: string): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
    .formatToParts(at)
    .map((part) => [part.type, part.value] as const);
  const of = (type: string): string => parts.find(([name]) => name === type)?.[1] ?? '';
  return `${of('year')}-${of('month')}-${of('day')}`;
}
