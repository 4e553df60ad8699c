/**
 * What the cards on HubSpot's records ask for, signed by HubSpot: the calls of a record, calling one of its numbers, its call-backs. Owns what a
 * person on a card may see and do. Must never take from a body who asks, nor reach another customer's records.
 */
import {
  type AgentId,
  PatchcordError,
  type RecordRef,
  type TenantId,
  ToCallChangeSchema,
  ToCallRequestSchema,
} from '@patchcord/call-protocol';
import { Router } from 'express';
import * as v from 'valibot';
import { relayEvent } from '../live/relay-event.ts';
import { isSameNumber, mustBeAllowed, recordNumbers } from '../to-call/record-numbers.ts';
import { addToCall, changeToCall } from '../to-call/to-calls.ts';
import { firstUse } from './dial-wishes.ts';
import { tooMany } from './errors.ts';
import { read } from './guards.ts';
import { callsOf, recordHere, recordObjects } from './hubspot-card-calls.ts';
import { type CardRequest, cardRequest, type OfAgent, signedBody, withPhone } from './hubspot-signed.ts';
import type { RelayParts } from './parts.ts';
import { RepeatedRequests } from './repeated-requests.ts';

const DialSchema = v.object({
  ...recordHere,
  wish: v.pipe(v.string(), v.uuid()),
  number: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
});
const CallBackSchema = ToCallRequestSchema;
const ChangeSchema = v.object({ id: v.pipe(v.string(), v.uuid()), ...ToCallChangeSchema.entries });

export function hubSpotCardRoutes(parts: RelayParts): Router {
  const repeated = new RepeatedRequests(parts.now);
  const router = Router();
  const route = <T>(path: string, status: number, work: (card: CardRequest) => Promise<T>): void => {
    router.post(`/v1/hubspot/card/${path}`, signedBody, async (request, response) => {
      const card = await cardRequest(parts, request);
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
    const { entry, added } = await addToCall(parts, owner, asked, card.agent.name);
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

/**
 * The wish goes to every phone of the agent; the phones settle which one dials, and that it is dialled once. The card says the number: it reads the
 * record in the person's own name, and we don't, so that nothing of a record is told to whoever guessed its id.
 */
async function dial(parts: RelayParts, card: OfAgent): Promise<object> {
  const { tenant, agent } = card;
  const { wish, objectTypeId, objectId, number } = read(DialSchema, card.body);
  const of: RecordRef = { crm: 'hubspot', object: recordObjects[objectTypeId] ?? '', id: objectId };
  const { country } = tenant.config;
  mustBeAllowed(tenant, agent, number);
  const [tenantId, agentId] = [tenant.config.id as TenantId, agent.id as AgentId];
  if (!(await parts.hub.hasPhone(tenantId, agentId))) return { state: 'no-phone-open' };
  // A call is logged on a record that has the number, and on no other.
  const numbers = await recordNumbers(tenant, of);
  const isItsOwn = numbers.some((one) => isSameNumber(one.number, number, country));
  if (!(await firstUse(parts, `dial-asked ${tenantId} ${agentId} ${wish.toLowerCase()}`))) return { state: 'sent' };
  const data = { wish: wish.toLowerCase(), number, country, ...(isItsOwn ? { record: of } : {}) };
  parts.hub.tell(tenantId, agentId, relayEvent(tenantId, { name: 'dial.asked', at: parts.now(), data }));
  await note(parts, card, 'dial.asked', wish);
  return { state: 'sent' };
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
