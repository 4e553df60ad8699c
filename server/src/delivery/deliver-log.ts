/**
 * Delivers one call's log into its CRM. Owns what is written (the newest fold), which CRM id it belongs to (our own table is the authority)
 * and what the agent hears of it. The write itself is idempotent: that is the adapter's promise.
 */
import { type CallId, type CallLog, PatchcordError, type RecordRef, type TenantId } from '@patchcord/call-protocol';
import { type CrmAgent, type CrmRelay, toE164 } from '@patchcord/crm-adapters/relay';
import type { CrmLogPayload } from '../call-log/effects.ts';
import { webhookEffects } from '../call-log/effects.ts';
import { belongsInCrm } from '../call-log/fold.ts';
import type { EventRecorder } from '../call-log/record-events.ts';
import { relayEvent, toStoredEvent } from '../live/relay-event.ts';
import type { CallStore, LeasedEffect } from '../store/contract.ts';
import type { Tenant, Tenants } from '../tenants.ts';
import { waitForFate } from './consult-fate.ts';
import type { Delivered, Failure } from './delivered.ts';

/** From this attempt on a log is written without its record when the search fails. */
const searchAttempts = 3;

const logObject = { salesforce: 'Task', hubspot: 'call', memory: 'Log' } as const;

/** @throws PatchcordError `crm.*` when the CRM did not take it */
export async function deliverLog(
  effect: LeasedEffect,
  parts: {
    readonly calls: CallStore;
    readonly recorder: EventRecorder;
    readonly tenants: Tenants;
    readonly now: () => number;
  },
): Promise<Delivered> {
  const callId = effect.callId as CallId;
  let found = (await parts.calls.readCalls([callId])).get(callId);
  if (found === undefined || found.call.log === null) return {};
  const nothingToWrite: Delivered = { log: { callId, state: 'none', logId: null, reason: null } };
  if (!belongsInCrm(found.call.log)) return nothingToWrite;
  const postponedTo = await waitForFate(found.call, effect.createdAt, parts);
  if (postponedTo !== null) return { postponedTo };
  const { tenant, crmAgent } = writerOf(effect, parts.tenants);
  if (found.call.log.record === null) {
    const match = await onlyMatch(tenant.crm, found.call.log, tenant.config.country, effect.attempts);
    // Kept before it is written: another search may find two, or none, and must not take the log off its record.
    if (match !== null) found = (await parts.recorder.keepOnlyMatch(callId, match)) ?? found;
  }
  const { log } = found.call;
  if (log === null || !belongsInCrm(log)) return nothingToWrite;
  const logId = await tenant.crm.writeLog(log, crmAgent, found.call.logId);
  if (logId === '')
    throw new PatchcordError('crm.unavailable', 'The CRM took the log but gave no id for it.', { retryable: true });

  const now = parts.now();
  const kind = tenant.config.crm.kind;
  const logRecord: RecordRef = { crm: kind, object: logObject[kind], id: logId };
  const saved = relayEvent(
    effect.tenant,
    { name: 'log.saved', at: now, call: callId, data: { record: logRecord, logId } },
    `${callId}:log-saved-${found.call.version}`,
  );
  const stored = toStoredEvent(saved, effect.tenant, found.call.agent, now);
  return {
    log: { callId, state: 'saved', logId, reason: null },
    ownEvents: [stored],
    effects: webhookEffects(tenant.config, [stored], now),
    tell: { agent: found.call.agent, event: saved },
  };
}

/** The CRM, and who the agent is there: as configured, or as noted when the log was enqueued. */
function writerOf(effect: LeasedEffect, tenants: Tenants): { readonly tenant: Tenant; readonly crmAgent: CrmAgent } {
  const { agent: id, crmAgent } = effect.payload as CrmLogPayload;
  const tenant = tenants.find(effect.tenant);
  const agent = tenants.agent(effect.tenant, id)?.agent ?? crmAgent;
  if (tenant === undefined || agent === undefined) {
    throw new PatchcordError(
      'config.invalid',
      'The agent of this call is no longer in the relay configuration, so nobody knows who they are in the CRM. Put them back, restart, and ask for this log again.',
    );
  }
  return { tenant, crmAgent: { crmUserId: agent.crmUserId, name: agent.name } };
}

/**
 * The record of a call whose panel could not say: it rang too briefly, or nobody had one open. Only a single match counts; a choice between
 * several is the agent's. A search that keeps failing must not hold the log back for ever.
 */
async function onlyMatch(crm: CrmRelay, log: CallLog, country: string, attempts: number): Promise<RecordRef | null> {
  const number = log.farSide.e164 ?? toE164(log.farSide.number, country);
  if (number === null) return null;
  try {
    const matches = await crm.findByNumber(number, country);
    return matches.length === 1 ? (matches[0]?.record ?? null) : null;
  } catch (error) {
    const mayWorkLater = error instanceof PatchcordError && error.retryable;
    if (mayWorkLater && attempts < searchAttempts) throw error;
    return null;
  }
}

/** What follows from a failed attempt: the agent's history says why, and the agent hears of the first failure and of the last. */
export function logFailed(
  effect: LeasedEffect,
  failure: Failure,
  parts: { readonly tenants: Tenants; readonly now: () => number },
): Delivered {
  const callId = effect.callId as CallId;
  const { agent } = effect.payload as CrmLogPayload;
  const log = { callId, state: failure.dead ? 'failed' : 'waiting', logId: null, reason: failure.reason } as const;
  if (!failure.dead && effect.attempts > 1) return { log };
  const now = parts.now();
  const event = relayEvent(
    effect.tenant as TenantId,
    { name: 'log.failed', at: now, call: callId, data: { reason: failure.reason, retrying: !failure.dead } },
    `${callId}:log-failed-${effect.createdAt}-${failure.dead ? 'dead' : 'first'}`,
  );
  const stored = toStoredEvent(event, effect.tenant, agent, now);
  const tenant = parts.tenants.find(effect.tenant);
  return {
    log,
    ownEvents: [stored],
    effects: tenant === undefined ? [] : webhookEffects(tenant.config, [stored], now),
    tell: { agent, event },
  };
}
