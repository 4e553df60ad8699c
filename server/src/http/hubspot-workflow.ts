/**
 * HubSpot's workflow actions (HubSpot contract, section 3.2), signed: "schedule a call-back" and "put on the dial list". Owns whose list a record
 * goes to and with which number. An action HubSpot repeats is done once: the entry's id is made of the action's own. Must never hold up a workflow.
 */
import { createHash } from 'node:crypto';
import { type AgentId, errorCode, PatchcordError, type RecordRef, type TenantId } from '@patchcord/call-protocol';
import { type Request, type Response, Router } from 'express';
import * as v from 'valibot';
import type { AgentConfig } from '../config.ts';
import type { Tenant } from '../tenants.ts';
import { mustBeAllowed, recordNumbers } from '../to-call/record-numbers.ts';
import { addToCall } from '../to-call/to-calls.ts';
import { read } from './guards.ts';
import { recordObjects } from './hubspot-card.ts';
import { signedBody, signedJson, signersOf } from './hubspot-signed.ts';
import type { RelayParts } from './parts.ts';

/** HubSpot waits longer; a workflow of thousands should not. */
const answerWithinMs = 4_000;
const hourMs = 3_600_000;

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

export function hubSpotWorkflowRoutes(parts: RelayParts): Router {
  const router = Router();
  for (const kind of ['call-back', 'dial-list'] as const) {
    router.post(`/v1/hubspot/workflow/${kind}`, signedBody, (request, response) =>
      answer(parts, kind, request, response),
    );
  }
  return router;
}

/**
 * Every refusal is an answer with its reason, so that the workflow goes on. Only what may be different in a minute is an error: HubSpot then asks
 * again by itself, and the record is not lost.
 */
async function answer(parts: RelayParts, kind: Kind, request: Request, response: Response): Promise<void> {
  const portals = signersOf(parts, request, 'hubspot-workflow');
  const said = signedJson(request);
  const portal = v.safeParse(v.object({ origin: v.object({ portalId: idText }) }), said);
  const tenant = portal.success ? portals.get(portal.output.origin.portalId) : undefined;
  if (tenant === undefined) {
    throw new PatchcordError(
      'identity.refused',
      'The action was signed for another HubSpot account. Check the app of this account.',
    );
  }
  try {
    const id = await take(parts, tenant, kind, read(ActionSchema, said));
    response.json({ outputFields: { hs_execution_state: 'SUCCESS', [outputs[kind]]: id } });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'internal' || (error as PatchcordError).retryable) throw error;
    parts.log.info({ tenant: tenant.config.id, code, action: kind }, 'a workflow action was not carried out');
    const why = (error as PatchcordError).message;
    response.json({ outputFields: { hs_execution_state: 'FAIL_CONTINUE', why } });
  }
}

async function take(parts: RelayParts, tenant: Tenant, kind: Kind, action: Action): Promise<string> {
  const { config } = tenant;
  const tenantId = config.id as TenantId;
  const id = idOf(config.id, kind, action.callbackId);
  if ((await parts.store.toCall.find(tenantId, null, id)) !== null) return id;
  const { note, number: wanted, due_at: dueAt, in_hours: hours, in_minutes: minutes } = action.inputFields;
  const record = recordOf(action);
  const found = await inTime(lookUp(tenant, record, action));
  const agent = agentOf(parts, tenant, found.userId);
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

interface Found {
  readonly userId: string | null;
  readonly name: string | null;
  readonly numbers: readonly { readonly number: string }[];
}

/** Who shall call, what the record is called, its numbers. The record's owner calls where the action names nobody. */
async function lookUp(tenant: Tenant, record: RecordRef, { inputFields }: Action): Promise<Found> {
  const { crm } = tenant;
  const [described, numbers] = await Promise.all([
    crm.describeRecord?.(record),
    inputFields.number === undefined ? recordNumbers(tenant, record) : [],
  ]);
  const owner = inputFields.owner ?? described?.ownerId ?? null;
  const userId = owner === null ? null : ((await crm.userOfOwner?.(owner)) ?? null);
  return { userId, name: described?.name ?? null, numbers };
}

function agentOf({ tenants }: RelayParts, tenant: Tenant, userId: string | null): AgentConfig {
  const agent = userId === null ? undefined : tenants.agentOfCrmUser(tenant, userId);
  if (agent !== undefined) return agent;
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
