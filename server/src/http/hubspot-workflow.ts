/**
 * HubSpot's workflow actions (HubSpot contract, section 3.2), signed: "schedule a call-back" and "put on the dial list". Owns whose list a record
 * goes to and with which number. An action HubSpot repeats is done once: the entry's id is made of the action's own. Must never hold up a workflow, nor
 * the look-ups of a phone that rings.
 */
import { createHash } from 'node:crypto';
import { type AgentId, errorCode, PatchcordError, type RecordRef, type TenantId } from '@patchcord/call-protocol';
import { type Request, type Response, Router } from 'express';
import * as v from 'valibot';
import type { AgentConfig } from '../config.ts';
import type { Tenant } from '../tenants.ts';
import { mustBeAllowed, recordNumbers } from '../to-call/record-numbers.ts';
import { addToCall } from '../to-call/to-calls.ts';
import { tooMany } from './errors.ts';
import { read } from './guards.ts';
import { recordObjects } from './hubspot-card-calls.ts';
import { fromHubSpotItself, inPortal, signedBody, signedJson } from './hubspot-signed.ts';
import type { RelayParts } from './parts.ts';

/** HubSpot waits longer; a workflow of thousands should not. */
const answerWithinMs = 4_000;
const hourMs = 3_600_000;
/** Actions of one customer that are looked up at once, each with two to five requests; thousands of records may enter a workflow in a minute. */
const mostAtOnce = 4;
/** HubSpot asks again after it by itself, for days. */
const askAgainMs = 15_000;

const idText = v.pipe(v.union([v.string(), v.number()]), v.transform(String), v.regex(/^\d{1,20}$/));
/** What a form leaves empty comes as nothing, null or an empty text. */
const optional = <const S extends v.GenericSchema>(schema: S) =>
  v.optional(
    v.pipe(
      v.unknown(),
      v.transform((value) => (value === null || value === '' ? undefined : value)),
      v.optional(schema),
    ),
  );
const amount = v.pipe(
  v.union([v.number(), v.pipe(v.string(), v.regex(/^\d{1,15}(?:\.\d{1,6})?$/), v.transform(Number))]),
  v.finite(),
  v.minValue(0),
);
/** Epoch ms, or a time as ISO 8601 writes it. */
const moment = v.union([
  amount,
  v.pipe(
    v.string(),
    v.regex(/^\d{4}-\d\d-\d\d/),
    v.transform((text) => Date.parse(text)),
    v.finite(),
  ),
]);
const ActionSchema = v.object({
  callbackId: v.pipe(v.string(), v.minLength(1), v.maxLength(200)),
  origin: v.object({ portalId: idText }),
  context: v.optional(v.object({ workflowId: v.optional(idText) })),
  object: v.object({ objectId: idText, objectType: v.pipe(v.string(), v.maxLength(40)) }),
  inputFields: v.optional(
    v.object({
      owner: optional(idText),
      due_at: optional(moment),
      in_hours: optional(amount),
      in_minutes: optional(amount),
      number: optional(v.pipe(v.string(), v.maxLength(64))),
      note: optional(v.pipe(v.string(), v.maxLength(2_000))),
    }),
    {},
  ),
});
type Action = v.InferOutput<typeof ActionSchema>;
type Kind = 'call-back' | 'dial-list';

/** What the action gives back, by the name its form has for it. */
const outputs = { 'call-back': 'call_back_id', 'dial-list': 'entry_id' } as const;

/** Takes a place among those that are looked up for a customer; what it gives leaves the place again. @throws PatchcordError `request.too-many` */
type Queue = (customer: string) => () => void;

export function hubSpotWorkflowRoutes(parts: RelayParts): Router {
  const underWay = new Map<string, number>();
  const enter: Queue = (customer) => {
    const others = underWay.get(customer) ?? 0;
    if (others >= mostAtOnce) throw tooMany(askAgainMs);
    underWay.set(customer, others + 1);
    return () => {
      const left = (underWay.get(customer) ?? 1) - 1;
      if (left > 0) underWay.set(customer, left);
      else underWay.delete(customer);
    };
  };
  const router = Router();
  for (const kind of ['call-back', 'dial-list'] as const) {
    router.post(`/v1/hubspot/workflow/${kind}`, signedBody, (request, response) =>
      answer(parts, enter, kind, request, response),
    );
  }
  return router;
}

/**
 * Every refusal is an answer with its reason, so that the workflow goes on. Only what may be different in a minute is an error: HubSpot then asks
 * again by itself, and the record is not lost.
 */
async function answer(
  parts: RelayParts,
  enter: Queue,
  kind: Kind,
  request: Request,
  response: Response,
): Promise<void> {
  const signers = await fromHubSpotItself(parts, request, 'hubspot-workflow');
  const said = signedJson(request);
  const portal = v.safeParse(v.object({ origin: v.object({ portalId: idText }) }), said);
  const tenants = portal.success ? inPortal(signers, portal.output.origin.portalId) : [];
  const [tenant] = tenants;
  if (tenant === undefined) {
    throw new PatchcordError(
      'identity.refused',
      'The action was signed for another HubSpot account. Check the app of this account.',
    );
  }
  try {
    const id = await take(parts, tenants, enter, kind, read(ActionSchema, said));
    response.json({ outputFields: { hs_execution_state: 'SUCCESS', [outputs[kind]]: id } });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'internal' || (error as PatchcordError).retryable) throw error;
    parts.log.info({ tenant: tenant.config.id, code, action: kind }, 'a workflow action was not carried out');
    const why = (error as PatchcordError).message;
    response.json({ outputFields: { hs_execution_state: 'FAIL_CONTINUE', why } });
  }
}

/** @param tenants Who shares the account; the one whose agent shall call gets the entry */
async function take(
  parts: RelayParts,
  tenants: readonly Tenant[],
  enter: Queue,
  kind: Kind,
  action: Action,
): Promise<string> {
  for (const { config } of tenants) {
    const known = idOf(config.id, kind, action.callbackId);
    if ((await parts.store.toCall.find(config.id as TenantId, null, known)) !== null) return known;
  }
  const { note, number: wanted, due_at: dueAt, in_hours: hours, in_minutes: minutes } = action.inputFields;
  const record = recordOf(action);
  const found = await inTime(lookUp(tenants, enter, record, action));
  const { tenant, agent } = agentOf(parts, tenants, found.userId);
  const { config } = tenant;
  const tenantId = config.id as TenantId;
  const id = idOf(config.id, kind, action.callbackId);
  const number = wanted ?? found.numbers[0]?.number;
  if (number === undefined) {
    throw new PatchcordError(
      'number.invalid',
      'The record has no telephone number. Add one, or give the action a number.',
    );
  }
  mustBeAllowed(tenant, agent, number);
  const laterMs = (hours ?? 0) * hourMs + (minutes ?? 0) * 60_000;
  const asked = {
    id,
    kind,
    number,
    name: found.name,
    record: { ...record, ...(found.name === null ? {} : { name: found.name }) },
    note: note ?? null,
    dueAt: kind === 'dial-list' ? null : (dueAt ?? parts.now() + laterMs),
  };
  const workflow = action.context?.workflowId;
  const { added } = await addToCall(
    parts,
    { tenant: config, agent },
    asked,
    `HubSpot workflow${workflow === undefined ? '' : ` ${workflow}`}`,
  );
  if (added) {
    const data = { kind, workflow: workflow ?? null };
    const subject = `agent:${agent.id as AgentId}`;
    await parts.audit.note({
      tenant: tenantId,
      actor: 'hubspot:workflow',
      act: 'to-call.added',
      subject,
      data,
      at: parts.now(),
    });
  }
  return id;
}

const nobodyWaits = { urgent: false };

interface Found {
  readonly userId: string | null;
  readonly name: string | null;
  readonly numbers: readonly { readonly number: string }[];
}

/**
 * Who shall call, what the record is called, its numbers. The record's owner calls where the action names nobody. Its place is left when HubSpot has
 * answered, not when the workflow has gone on without.
 */
async function lookUp(
  [tenant]: readonly Tenant[],
  enter: Queue,
  record: RecordRef,
  { inputFields }: Action,
): Promise<Found> {
  if (tenant === undefined) return { userId: null, name: null, numbers: [] };
  const { crm, config } = tenant;
  const leave = enter(config.id);
  try {
    const [described, numbers] = await Promise.all([
      crm.describeRecord?.(record, nobodyWaits),
      inputFields.number === undefined ? recordNumbers(tenant, record, nobodyWaits) : [],
    ]);
    const owner = inputFields.owner ?? described?.ownerId ?? null;
    const userId = owner === null ? null : ((await crm.userOfOwner?.(owner, nobodyWaits)) ?? null);
    return { userId, name: described?.name ?? null, numbers };
  } finally {
    leave();
  }
}

function agentOf(
  { tenants: known }: RelayParts,
  tenants: readonly Tenant[],
  userId: string | null,
): { readonly tenant: Tenant; readonly agent: AgentConfig } {
  for (const tenant of userId === null ? [] : tenants) {
    const agent = known.agentOfCrmUser(tenant, userId ?? '');
    if (agent !== undefined) return { tenant, agent };
  }
  throw new PatchcordError(
    'request.invalid',
    userId === null
      ? 'Nobody is named to call, and the record has no owner. Choose an agent in the action, or give the record an owner.'
      : 'Whoever should call has no phone here. Choose another agent in the action, or add their HubSpot user to the phone service.',
  );
}

function recordOf({ object: { objectId: id, objectType } }: Action): RecordRef {
  const object = recordObjects[objectType] ?? objectType.toLowerCase();
  if (Object.values(recordObjects).includes(object)) return { crm: 'hubspot', object, id };
  throw new PatchcordError(
    'request.invalid',
    'Only contacts, companies, deals and tickets can be called. Enrol one of these.',
  );
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const message = 'HubSpot did not say in time whom to call. The action is asked again by itself.';
      reject(new PatchcordError('crm.unavailable', message, { retryable: true }));
    }, answerWithinMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The same action has the same id, in the form of a UUID (RFC 9562, version 8: made by a rule of our own). */
function idOf(...names: readonly string[]): string {
  const hex = createHash('sha256').update(names.join('\n')).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
