/** Which effects an event has outside of this relay: the log in the CRM, the webhooks that want it. Owns their ids; must never deliver. */
import { createHash } from 'node:crypto';
import type { AgentId, CallId, TenantId } from '@patchcord/call-protocol';
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

/** One row per call: writing the log again joins the write that waits, and a call's writes never overtake each other. */
export function crmLogEffect(
  tenant: TenantId,
  agent: AgentId,
  /** Absent for an agent who is not configured any more. */
  crmAgent: CrmAgent | undefined,
  callId: CallId,
  dueAt: number,
): NewEffect {
  const payload: CrmLogPayload = {
    agent,
    ...(crmAgent === undefined ? {} : { crmAgent: { crmUserId: crmAgent.crmUserId, name: crmAgent.name } }),
  };
  return { id: `crm.log ${callId}`, kind: 'crm.log', tenant, callId, payload, dueAt };
}

/** One per event and endpoint. */
export function webhookEffects(tenant: TenantConfig, events: readonly StoredEvent[], dueAt: number): NewEffect[] {
  return tenant.webhooks.flatMap((webhook) =>
    events
      .filter((event) => webhook.events === undefined || webhook.events.includes(shortName(event.envelope.type)))
      .map((event): NewEffect => {
        const messageId = `evt_${digest(`${event.source} ${event.id}`)}`;
        const payload: WebhookPayload = { url: webhook.url, messageId, body: JSON.stringify(event.envelope) };
        return {
          id: `webhook ${digest(webhook.url)} ${messageId}`,
          kind: 'webhook',
          tenant: tenant.id,
          callId: event.callId,
          payload,
          dueAt,
        };
      }),
  );
}

function shortName(type: string): string {
  return type.replace(/^dev\.patchcord\./, '').replace(/\.v\d+$/, '');
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 27);
}
