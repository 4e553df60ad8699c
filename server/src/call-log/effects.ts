/** Which effects an event has outside of this relay: the log in the CRM, the webhooks that want it. Owns their ids; must never deliver. */
import { createHash } from 'node:crypto';
import type { AgentId, CallId, RecordRef, TenantId } from '@patchcord/call-protocol';
import type { CrmAgent } from '@patchcord/crm-adapters/relay';
import type { TenantConfig } from '../config.ts';
import type { NewEffect, StoredEvent } from '../store/contract.ts';

/** Payload of a `webhook` effect. */
export interface WebhookPayload {
  readonly url: string;
  /** The same for every attempt and endpoint: receivers tell repeats by it. */
  readonly messageId: string;
  readonly body: string;
}

/** Payload of a `crm.log` effect; the log itself is read when it is delivered, so that the newest fold goes out. */
export interface CrmLogPayload {
  readonly agent: AgentId;
  /** Who the agent is in the CRM: a log that waits is written also when the agent leaves the configuration. */
  readonly crmAgent?: CrmAgent;
}

/**
 * One row per call: writing the log again joins the write that waits, and a call's writes never overtake each other. Logs that go on one
 * record are written one after the other: two at once would fight for its lock in the CRM, and stand there in any order.
 */
export function crmLogEffect(
  tenant: TenantId,
  agent: AgentId,
  /** Absent for an agent who is not configured any more. */
  crmAgent: CrmAgent | undefined,
  callId: CallId,
  dueAt: number,
  /** The record the log goes on, when known. */
  record: RecordRef | null = null,
): NewEffect {
  const payload: CrmLogPayload = {
    agent,
    ...(crmAgent === undefined ? {} : { crmAgent: { crmUserId: crmAgent.crmUserId, name: crmAgent.name } }),
  };
  const on = record === null ? `call ${callId}` : `record ${record.object} ${record.id}`;
  return {
    id: `crm.log ${callId}`,
    kind: 'crm.log',
    tenant,
    callId,
    payload,
    dueAt,
    orderKey: `crm.log ${tenant} ${on}`,
  };
}

/** When the CRM is asked once more for logs that its page made late: soon, and once its index surely had time, ms after the relay made the log. */
const secondLooksMs = [600_000, 6 * 3_600_000] as const;

/** Later looks for logs that a page which was asked and said nothing made all the same: no webhook has to tell of them. */
export function secondLookEffects(tenant: TenantId, callId: CallId, now: number): NewEffect[] {
  return secondLooksMs.map((afterMs, index) => ({
    ...lookEffect(tenant, callId, now + afterMs),
    id: `crm.second-look ${callId} ${index + 1}`,
  }));
}

/** Another look at logs that a phone named and that were not its call's yet. */
export function doubtEffect(tenant: TenantId, callId: CallId, dueAt: number): NewEffect {
  return lookEffect(tenant, callId, dueAt);
}

function lookEffect(tenant: TenantId, callId: CallId, dueAt: number): NewEffect {
  const kind = 'crm.second-look';
  return { id: `${kind} ${callId}`, kind, tenant, callId, payload: {}, dueAt, orderKey: null };
}

/** The CRM is told of a call's recording, or given its words: one row per call and matter, worked once its log is there. */
export function mediaEffect(
  kind: 'crm.recording' | 'crm.transcript',
  tenant: TenantId,
  callId: CallId,
  dueAt: number,
): NewEffect {
  return { id: `${kind} ${callId}`, kind, tenant, callId, payload: {}, dueAt, orderKey: null };
}

/** One per event and endpoint. An endpoint hears the events of one call in their order, and of many calls at once. */
export function webhookEffects(tenant: TenantConfig, events: readonly StoredEvent[], dueAt: number): NewEffect[] {
  return tenant.webhooks.flatMap((webhook) =>
    events
      .filter((event) => webhook.events === undefined || webhook.events.includes(shortName(event.envelope.type)))
      .map((event): NewEffect => {
        const messageId = `evt_${digest(`${event.source} ${event.id}`)}`;
        const payload: WebhookPayload = { url: webhook.url, messageId, body: JSON.stringify(event.envelope) };
        return {
          id: `${webhookIdStart(webhook.url)}${messageId}`,
          kind: 'webhook',
          tenant: tenant.id,
          callId: event.callId,
          payload,
          dueAt,
          orderKey: event.callId === null ? null : `${webhookIdStart(webhook.url)}${event.callId}`,
        };
      }),
  );
}

/** How the ids of an endpoint's effects begin. */
export function webhookIdStart(url: string): string {
  return `webhook ${digest(url)} `;
}

function shortName(type: string): string {
  return type.replace(/^dev\.patchcord\./, '').replace(/\.v\d+$/, '');
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 27);
}
