/**
 * Looks again for logs that a CRM's page made late, once the relay had to make one itself, and at those that a phone named too early. Needs no
 * webhook of the CRM. Must never write a log, nor take one away: it only tells the delivery of the call's log what to look at.
 */
import type { CallId } from '@patchcord/call-protocol';
import { crmLogEffect } from '../call-log/effects.ts';
import type { EventRecorder } from '../call-log/record-events.ts';
import type { CallStore, LeasedEffect, LogCreatorStore } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import type { Delivered } from './delivered.ts';
import { callOf, lateLogs } from './page-log.ts';

/** @throws PatchcordError `crm.*`: try again */
export async function lookAgain(
  effect: LeasedEffect,
  parts: {
    readonly calls: CallStore;
    readonly creators: LogCreatorStore;
    readonly recorder: EventRecorder;
    readonly tenants: Tenants;
    readonly now: () => number;
  },
): Promise<Delivered> {
  const callId = effect.callId as CallId;
  const found = (await parts.calls.readCalls([callId])).get(callId);
  const tenant = parts.tenants.find(effect.tenant);
  // A log that a person deleted stays deleted, and so does what was made beside it.
  if (found === undefined || tenant === undefined || found.events.some(({ name }) => name === 'log.removed')) return {};
  const at = parts.now();
  for (const logId of await lateLogs(found, tenant, parts.creators))
    await parts.recorder.noteFromCrm(callId, `found-${logId}`, {
      name: 'log.adopted',
      at,
      call: callId,
      data: { logId },
    });
  const row = (await parts.creators.ofCalls([callOf(found)])).get(callId);
  if (!Object.values(row?.others ?? {}).some((what) => what.startsWith('doubted'))) return {};
  const agent = parts.tenants.agent(effect.tenant, found.call.agent)?.agent;
  return { effects: [crmLogEffect(effect.tenant, found.call.agent, agent, callId, at)] };
}
