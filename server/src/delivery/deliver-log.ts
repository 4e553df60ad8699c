/**
 * Delivers one call's log into its CRM. Owns what is written (the newest fold), which CRM id it belongs to (our own table is the authority)
 * and what the agent hears of it. The write itself is idempotent: that is the adapter's promise.
 */
import { type CallId, type CallLog, PatchcordError, type RecordRef, type TenantId } from '@patchcord/call-protocol';
import { type CrmRelay, toE164 } from '@patchcord/crm-adapters/relay';
import type { CrmLogPayload } from '../call-log/effects.ts';
import { webhookEffects } from '../call-log/effects.ts';
import { belongsInCrm } from '../call-log/fold.ts';
import { relayEvent, toStoredEvent } from '../live/relay-event.ts';
import type { CallStore, LeasedEffect } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import type { Delivered, Failure } from './delivered.ts';

/** From this attempt on a log is written without its record when the search fails. */
const searchAttempts = 3;

const logObject = { salesforce: 'Task', hubspot: 'call', memory: 'Log' } as const;

/** @throws PatchcordError `crm.*` when the CRM did not take it */
export async function deliverLog(
  effect: LeasedEffect,
  parts: { readonly calls: CallStore; readonly tenants: Tenants; readonly now: () => number },
): Promise<Delivered> {
  const callId = effect.callId as CallId;
  const found = (await parts.calls.readCalls([callId])).get(callId);
  const log = found?.call.log ?? null;
  if (found === undefined || log === null) return {};
  if (!belongsInCrm(log)) return { log: { callId, state: 'none', logId: null, reason: null } };
  const { tenant, agent } = parts.tenants.knownAgent(effect.tenant, (effect.payload as CrmLogPayload).agent);
  const record = log.record ?? (await onlyMatch(tenant.crm, log, tenant.config.country, effect.attempts));
  const logId = await tenant.crm.writeLog(
    { ...log, record },
    { crmUserId: agent.crmUserId, name: agent.name },
    found.call.logId,
  );
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
