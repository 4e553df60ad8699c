/**
 * What the cards on HubSpot's records ask for, signed by HubSpot: the calls of a record, calling one of its numbers, its call-backs. Owns what a
 * person on a card may see and do. Must never take from a body who asks, nor reach another customer's records.
 */
import {
  type AgentId,
  type CallLog,
  PatchcordError,
  type RecordRef,
  type TenantId,
  type ToCall,
  ToCallChangeSchema,
  type ToCallRequest,
  ToCallRequestSchema,
} from '@patchcord/call-protocol';
import { Router } from 'express';
import * as v from 'valibot';
import type { AgentConfig } from '../config.ts';
import { relayEvent } from '../live/relay-event.ts';
import { recordingLink } from '../recordings/link.ts';
import type { StoredCall } from '../store/contract.ts';
import type { Tenant } from '../tenants.ts';
import { isSameNumber, mustBeAllowed, recordNumbers } from '../to-call/record-numbers.ts';
import { addToCall, changeToCall, openToCall, withoutOwner } from '../to-call/to-calls.ts';
import { transcriptOf } from '../transcripts/kept.ts';
import { isOwnEntry } from './calls.ts';
import { firstUse } from './dial-wishes.ts';
import { tooMany } from './errors.ts';
import { read } from './guards.ts';
import { type CardRequest, cardRequest, signedBody } from './hubspot-signed.ts';
import type { RelayParts } from './parts.ts';
import { RepeatedRequests } from './repeated-requests.ts';

const pageLength = 20;
/** HubSpot takes a megabyte of answer; calls whose words would not fit are told without them. */
const mostWords = 400_000;

/** What HubSpot calls a type of record → what everybody else does. */
export const recordObjects: Readonly<Record<string, string>> = {
  '0-1': 'contact',
  '0-2': 'company',
  '0-3': 'deal',
  '0-5': 'ticket',
};

const record = {
  objectTypeId: v.picklist(['0-1', '0-2', '0-3', '0-5'], 'must be the type of a contact, company, deal or ticket'),
  objectId: v.pipe(v.string(), v.regex(/^\d{1,20}$/, 'must be the id of a record')),
};
const CallsSchema = v.object({ ...record, before: v.optional(v.number()) });
const DialSchema = v.object({
  ...record,
  wish: v.pipe(v.string(), v.uuid()),
  number: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(64))),
});
const CallBackSchema = ToCallRequestSchema;
const ChangeSchema = v.object({ id: v.pipe(v.string(), v.uuid()), ...ToCallChangeSchema.entries });

/** A card's request of somebody who has a phone. */
type OfAgent = CardRequest & { readonly agent: AgentConfig };

export function hubSpotCardRoutes(parts: RelayParts): Router {
  const repeated = new RepeatedRequests(parts.now);
  const router = Router();
  const route = <T>(path: string, status: number, work: (card: CardRequest) => Promise<T>): void => {
    router.post(`/v1/hubspot/card/${path}`, signedBody, async (request, response) => {
      const card = cardRequest(parts, request);
      if (!(await parts.limits.take('cards', `${card.tenant.config.id} ${card.userId}`))) throw tooMany(60_000);
      response.status(status).json(await work(card));
    });
  };
  /** Something is done: a repeat of the request is answered the same, and nothing is done again. */
  const act = <T>(path: string, status: number, work: (card: OfAgent) => Promise<T>): void =>
    route(path, status, (card) => repeated.once(card.signature, () => work(withPhone(card))));

  route('calls', 200, (card) => callsOf(parts, card));
  act('dial', 200, (card) => dial(parts, card));
  act('call-backs', 201, async (card) => {
    const asked = read(CallBackSchema, card.body);
    if (asked.kind !== 'call-back' || asked.record === null || asked.record === undefined) {
      throw new PatchcordError(
        'request.invalid',
        'A card adds call-backs to a record. Open the card on one and try again.',
      );
    }
    const owner = { tenant: card.tenant.config, agent: card.agent };
    const named = await withName(card.tenant, asked, asked.record);
    const { entry, added } = await addToCall(parts, owner, named, card.agent.name);
    if (added) await note(parts, card, 'call-back.added', entry.id);
    return entry;
  });
  act('call-backs/change', 200, async (card) => {
    const { id, ...change } = read(ChangeSchema, card.body);
    const entry = await changeToCall(parts, { tenant: card.tenant.config, agent: card.agent }, id, change);
    await note(parts, card, 'call-back.changed', id);
    return entry;
  });
  return router;
}

function withPhone(card: CardRequest): OfAgent {
  const { agent } = card;
  if (agent !== null) return { ...card, agent };
  throw new PatchcordError(
    'identity.refused',
    'No phone is set up for you. Ask your administrator to add your HubSpot user to the phone service.',
  );
}

/**
 * Calls with a record or about it. Whoever sees a record in HubSpot sees the calls on its timeline; a customer may keep them to the agents who
 * had them ("cardCalls"). Words and sound are for people who have a phone here.
 */
async function callsOf(parts: RelayParts, { tenant, agent, body }: CardRequest): Promise<object> {
  const { objectTypeId, objectId, before } = read(CallsSchema, body);
  const object = recordObjects[objectTypeId] ?? '';
  const { crm } = tenant.config;
  const ownOnly = crm.kind === 'hubspot' && crm.cardCalls === 'own';
  const tenantId = tenant.config.id as TenantId;
  const agentId = (agent?.id ?? '') as AgentId;
  const found = await parts.store.calls.callsOfRecord({
    tenant: tenantId,
    agent: ownOnly ? agentId : null,
    record: { object, id: objectId },
    before: before ?? null,
    limit: pageLength + 1,
  });
  const shown = found.slice(0, pageLength).filter(isOwnEntry);
  let room = mostWords;
  const calls: object[] = [];
  const heards = await Promise.all(
    shown.map((call) => (agent === null ? silence : heardOf(parts, tenantId, call, `agent:${agent.id}`))),
  );
  for (const [index, call] of shown.entries()) {
    const heard = heards[index] ?? silence;
    if (call.log === null) continue;
    const length = JSON.stringify(heard.transcript).length;
    const transcript = length > room ? null : heard.transcript;
    if (transcript !== null) room -= length;
    calls.push({ ...cardCall(parts, call, call.log), recording: heard.recording, transcript });
  }
  return {
    calls,
    more: found.length > pageLength,
    toCall: await nextCallBack(parts, tenant, agent, { object, id: objectId }, ownOnly),
    phone: {
      agent: agent?.name ?? null,
      online: agent !== null && (await parts.hub.hasPhone(tenantId, agentId)),
    },
  };
}

interface Heard {
  readonly recording: { readonly url: string; readonly durationMs: number } | null;
  readonly transcript: readonly object[] | null;
}
const silence: Heard = { recording: null, transcript: null };

/** What can be heard and read of a call. What is not to be had now is left out: the list is worth having all the same. */
async function heardOf(parts: RelayParts, tenant: TenantId, { callId }: StoredCall, by: string): Promise<Heard> {
  const missing = (error: unknown): null => {
    parts.log.warn({ err: error, tenant, callId }, 'a card is shown without what can be heard of a call');
    return null;
  };
  const [link, lines] = await Promise.all([
    recordingLink(parts, tenant, callId, { use: 'play', by }).catch(missing),
    transcriptOf(parts, tenant, callId).catch(missing),
  ]);
  return {
    recording: link === null ? null : { url: link.url, durationMs: link.durationMs },
    transcript:
      lines?.map(({ speaker, speakerName, text, startMs }) => ({ speaker, speakerName, text, startMs })) ?? null,
  };
}

function cardCall(parts: RelayParts, { callId, tenant, agent, logId }: StoredCall, log: CallLog): object {
  const { direction, outcome, farSide, startedAt, talkMs, note, disposition } = log;
  return {
    callId,
    logId,
    direction,
    outcome,
    farSide: {
      number: farSide.e164 ?? farSide.number,
      ...(farSide.name === undefined ? {} : { name: farSide.name }),
    },
    agent: parts.tenants.agent(tenant, agent)?.agent.name ?? agent,
    startedAt,
    talkMs,
    note,
    disposition,
  };
}

/** A card does not say what its record is called; a call-back without a name is worth having all the same. */
async function withName<T extends ToCallRequest>({ crm }: Tenant, asked: T, record: RecordRef): Promise<T> {
  if ((asked.name ?? record.name ?? null) !== null) return asked;
  const name = (await crm.describeRecord?.(record).catch(() => null))?.name ?? null;
  return name === null ? asked : { ...asked, name, record: { ...record, name } };
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

/** The wish goes to every phone of the agent; the phones settle which one dials, and that it is dialled once. */
async function dial(parts: RelayParts, card: OfAgent): Promise<object> {
  const { tenant, agent } = card;
  const { wish, objectTypeId, objectId, number: wanted } = read(DialSchema, card.body);
  const of: RecordRef = { crm: 'hubspot', object: recordObjects[objectTypeId] ?? '', id: objectId };
  const { country } = tenant.config;
  const numbers = await recordNumbers(tenant, of);
  const number = wanted ?? numbers[0]?.number;
  if (number === undefined) {
    throw new PatchcordError('number.invalid', 'This record has no number to call. Add one in HubSpot and try again.');
  }
  mustBeAllowed(tenant, agent, number);
  const [tenantId, agentId] = [tenant.config.id as TenantId, agent.id as AgentId];
  if (!(await parts.hub.hasPhone(tenantId, agentId))) return { state: 'no-phone-open', numbers };
  if (!(await firstUse(parts, `dial-asked ${tenantId} ${agentId} ${wish.toLowerCase()}`)))
    return { state: 'sent', numbers };
  // A call is logged on a record that has the number, and on no other.
  const isItsOwn = numbers.some((one) => isSameNumber(one.number, number, country));
  const data = { wish: wish.toLowerCase(), number, country, ...(isItsOwn ? { record: of } : {}) };
  parts.hub.tell(tenantId, agentId, relayEvent(tenantId, { name: 'dial.asked', at: parts.now(), data }));
  await note(parts, card, 'dial.asked', wish);
  return { state: 'sent', numbers };
}

function note(
  parts: RelayParts,
  { tenant, agent }: OfAgent,
  act: `${string}.${string}`,
  subject: string,
): Promise<void> {
  const at = parts.now();
  return parts.audit.note({ tenant: tenant.config.id as TenantId, actor: `agent:${agent.id}`, act, subject, at });
}
