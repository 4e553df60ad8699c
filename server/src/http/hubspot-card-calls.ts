/**
 * The calls of a HubSpot record as a card shows them: a page of them, what can be heard and read of each, the next call-back. Owns who hears what,
 * that no call falls between two pages, and that an answer is no larger than HubSpot takes. Must never ask HubSpot about a record whose id was only named.
 */
import {
  type AgentId,
  type CallId,
  CallIdSchema,
  type CallLog,
  type RecordRef,
  type TenantId,
  type ToCall,
} from '@patchcord/call-protocol';
import { phraseLines } from '@patchcord/crm-adapters/relay';
import * as v from 'valibot';
import type { AgentConfig, TenantConfig } from '../config.ts';
import { recordingLink } from '../recordings/link.ts';
import type { StoredCall } from '../store/contract.ts';
import type { Tenant } from '../tenants.ts';
import { openToCall, withoutOwner } from '../to-call/to-calls.ts';
import { transcriptOf } from '../transcripts/kept.ts';
import { isOwnEntry } from './calls.ts';
import { read } from './guards.ts';
import type { CardRequest } from './hubspot-signed.ts';
import type { RelayParts } from './parts.ts';

const pageLength = 20;
/** Of the megabyte that HubSpot takes. */
const mostBytes = 950_000;
/** Of a note in an answer that would be too large; the log in HubSpot has all of it. With twenty of them there is room for the rest. */
const mostOfNote = 5_000;

/** What HubSpot calls a type of record → what everybody else does. */
export const recordObjects: Readonly<Record<string, string>> = {
  '0-1': 'contact',
  '0-2': 'company',
  '0-3': 'deal',
  '0-5': 'ticket',
};

/** The record a card is on. */
export const recordHere = {
  objectTypeId: v.picklist(['0-1', '0-2', '0-3', '0-5'], 'must be the type of a contact, company, deal or ticket'),
  objectId: v.pipe(v.string(), v.regex(/^\d{1,20}$/, 'must be the id of a record')),
};
/** `before` and `beforeCall` are beginning and id of the last call of the page before. */
const CallsSchema = v.object({ ...recordHere, before: v.optional(v.number()), beforeCall: v.optional(CallIdSchema) });

/**
 * Calls with a record or about it. Whoever sees a record in HubSpot sees the calls on its timeline; a customer may keep them to the agents who
 * had them ("cardCalls"). Words and sound are for whoever had the call and for supervisors, or for all who have a phone here ("cardRecordings").
 */
export async function callsOf(parts: RelayParts, { tenant, agent, body }: CardRequest): Promise<object> {
  const { objectTypeId, objectId, before, beforeCall } = read(CallsSchema, body);
  const record = { object: recordObjects[objectTypeId] ?? '', id: objectId };
  const { crm } = tenant.config;
  const ownOnly = crm.kind === 'hubspot' && crm.cardCalls === 'own';
  const tenantId = tenant.config.id as TenantId;
  const agentId = (agent?.id ?? '') as AgentId;
  const page = await pageOf(
    (place) =>
      parts.store.calls.callsOfRecord({
        ...{ tenant: tenantId, agent: ownOnly ? agentId : null, record, before: place },
        limit: pageLength + 1,
      }),
    before === undefined ? null : { at: before, call: beforeCall ?? null },
    pageLength,
  );
  const calls = await Promise.all(
    page.calls.flatMap((call) =>
      call.log === null
        ? []
        : [shown(parts, call, call.log, agent !== null && mayHear(tenant.config, agent, call) ? agent : null)],
    ),
  );
  return fitted({
    calls,
    more: page.more,
    toCall: await nextCallBack(parts, tenant, agent, record, ownOnly),
    phone: {
      agent: agent?.name ?? null,
      online: agent !== null && (await parts.hub.hasPhone(tenantId, agentId)),
    },
  });
}

/** Where a page ends, for the next one. */
interface Place {
  readonly at: number;
  readonly call: CallId | null;
}

/**
 * The next calls that are entries of their own. What is none is passed over here, so that a page is short only when it is the last.
 * @param find The next calls after a place, at least one more than `length` where there are so many
 */
export async function pageOf(
  find: (after: Place | null) => Promise<readonly StoredCall[]>,
  from: Place | null,
  length: number,
): Promise<{ readonly calls: readonly StoredCall[]; readonly more: boolean }> {
  const calls: StoredCall[] = [];
  for (let place = from; ; ) {
    const found = await find(place);
    calls.push(...found.filter(isOwnEntry));
    const last = found.at(-1);
    if (calls.length > length || found.length <= length || last === undefined) break;
    place = { at: last.log?.startedAt ?? 0, call: last.callId };
  }
  return { calls: calls.slice(0, length), more: calls.length > length };
}

/** As `GET /v1/calls/<id>/recording` has it, unless the customer gives it to all. */
function mayHear({ crm }: TenantConfig, agent: AgentConfig, call: StoredCall): boolean {
  return call.agent === agent.id || agent.role !== 'agent' || (crm.kind === 'hubspot' && crm.cardRecordings === 'all');
}

interface Shown {
  readonly note: string;
  readonly transcript: readonly object[] | null;
}

/** Leaves out words, those of the oldest call first, and then the ends of long notes, until the answer is no larger than HubSpot takes, in bytes. */
export function fitted<T extends Shown, A extends { readonly calls: readonly T[] }>(answer: A, most = mostBytes): A {
  let over = bytesOf(answer) - most;
  if (over <= 0) return answer;
  const calls = [...answer.calls];
  for (let index = calls.length - 1; index >= 0 && over > 0; index -= 1) {
    const call = calls[index];
    if (call === undefined || call.transcript === null) continue;
    over -= bytesOf(call.transcript) - bytesOf(null);
    calls[index] = { ...call, transcript: null };
  }
  if (over <= 0) return { ...answer, calls };
  return { ...answer, calls: calls.map((call) => ({ ...call, note: beginningOf(call.note) })) };
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function beginningOf(note: string): string {
  if (note.length <= mostOfNote) return note;
  // Not through the middle of a character.
  return `${note.slice(0, mostOfNote).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

/** One call. What is not to be had now of its sound and words is left out: the list is worth having all the same. */
async function shown(parts: RelayParts, call: StoredCall, log: CallLog, listener: AgentConfig | null) {
  const { callId, tenant, agent, logId } = call;
  const missing = (error: unknown): null => {
    parts.log.warn({ err: error, tenant, callId }, 'a card is shown without what can be heard of a call');
    return null;
  };
  const [link, lines] =
    listener !== null
      ? await Promise.all([
          recordingLink(parts, tenant, callId, { use: 'play', by: `agent:${listener.id}` }).catch(missing),
          transcriptOf(parts, tenant, callId).catch(missing),
        ])
      : [null, null];
  const { direction, outcome, farSide, record: of, startedAt, talkMs, note, disposition } = log;
  const name = farSide.name ?? of?.name;
  const whose = parts.tenants.agent(tenant, agent);
  return {
    callId,
    logId,
    direction,
    outcome,
    farSide: {
      number: farSide.e164 ?? farSide.number,
      ...(name === undefined ? {} : { name }),
    },
    agent: whose?.agent.name ?? agent,
    startedAt,
    talkMs,
    voicemail: log.voicemail !== undefined,
    note,
    heard: heardOf(log),
    // As the agent chose it, not as the CRM stores it.
    disposition: whose?.tenant.config.dispositions.find(({ value }) => value === disposition)?.label ?? disposition,
    recording: link === null ? null : { url: link.url, durationMs: link.durationMs },
    transcript:
      lines?.map(({ speaker, speakerName, text, startMs }) => ({ speaker, speakerName, text, startMs })) ?? null,
  };
}

/** What a machine made of the words, and what rules heard: it stands in the log as well, so that whoever sees the call may read it. */
function heardOf(log: CallLog) {
  const { summary } = log;
  const phrases = phraseLines(log);
  if (summary === undefined && phrases.length === 0) return null;
  return {
    summary: summary?.summary ?? null,
    sentiment: summary?.sentiment ?? null,
    actionItems: summary?.actionItems ?? [],
    phrases,
  };
}

/** The agent's own first: that is the one they can change. */
async function nextCallBack(
  parts: RelayParts,
  { config }: Tenant,
  agent: AgentConfig | null,
  { object, id }: Pick<RecordRef, 'object' | 'id'>,
  ownOnly: boolean,
): Promise<ToCall | null> {
  const own = agent === null ? [] : await openToCall(parts, { tenant: config, agent });
  const mine = own.find(({ kind, record: of }) => kind === 'call-back' && of?.object === object && of.id === id);
  if (mine !== undefined || ownOnly) return mine ?? null;
  const others = await parts.store.toCall.nextOnRecord(config.id as TenantId, { object, id });
  return others === null ? null : withoutOwner(others);
}
