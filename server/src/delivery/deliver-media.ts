/**
 * Tells a CRM of a call's recording, and gives it the words of a call. Owns when: once the log they belong to is there, and never for a call that
 * gets none. Must never make a log, nor give the words twice: what the CRM was given is noted, and the adapter looks before it writes.
 */
import { type CallId, errorCode } from '@patchcord/call-protocol';
import type { LeasedEffect, Store, StoredCall } from '../store/contract.ts';
import type { Tenant, Tenants } from '../tenants.ts';
import { rangMs, spokenLines } from '../transcripts/kept.ts';
import type { Delivered } from './delivered.ts';

/** A log that an outage holds back is looked at again this often, the older it is the more seldom. */
const lookAgainMs = { least: 250, most: 60_000 } as const;
/** After that it is not waited for any more. */
const waitsAtMostMs = 7 * 86_400_000;
/** After that it is not tried any more: what waited for its log as long as it may still has a day's tries. */
export const mediaLifeMs = waitsAtMostMs + 86_400_000;

interface MediaParts {
  readonly store: Pick<Store, 'calls' | 'transcripts'>;
  readonly tenants: Tenants;
  readonly now: () => number;
}

/** @throws PatchcordError `crm.*` */
export async function deliverMedia(effect: LeasedEffect, parts: MediaParts): Promise<Delivered> {
  const callId = effect.callId as CallId;
  const tenant = parts.tenants.find(effect.tenant);
  const call = await read(callId, parts);
  if (tenant === undefined || call?.log == null) return {};
  // A consult that was joined is part of the other call's log.
  const { joinedWith } = call.log;
  const logged = joinedWith === null ? call : ((await read(joinedWith, parts)) ?? call);
  const { logId } = logged;
  if (logId === null) return later(logged, effect, parts.now());
  try {
    if (effect.kind === 'crm.recording') await tenant.crm.recordingReady?.(logId);
    else await giveWords(tenant, call, logId, parts);
  } catch (error) {
    // A person deleted the log: nobody waits for what belongs to it.
    if (errorCode(error) !== 'crm.not-found') throw error;
  }
  return {};
}

async function read(callId: CallId, { store }: MediaParts): Promise<StoredCall | undefined> {
  return (await store.calls.readCalls([callId])).get(callId)?.call;
}

/** There is no log: perhaps not yet. */
function later({ log, logState }: StoredCall, { createdAt }: LeasedEffect, now: number): Delivered {
  const age = now - createdAt;
  const mayCome = log?.stage === 'live' || logState === 'waiting' || logState === 'failed';
  if (!mayCome || age > waitsAtMostMs) return {};
  return { postponedTo: now + Math.min(lookAgainMs.most, Math.max(lookAgainMs.least, age / 4)) };
}

async function giveWords(tenant: Tenant, call: StoredCall, logId: string, parts: MediaParts): Promise<void> {
  const { transcripts } = parts.store;
  if ((await transcripts.writtenAs(call.callId)) !== null) return;
  const lines = (await transcripts.of(call.tenant, call.callId)).filter(({ gap }) => gap === undefined);
  if (call.log === null || lines.length === 0 || tenant.crm.writeTranscript === undefined) return;
  const agent = parts.tenants.agent(call.tenant, call.agent)?.agent;
  const said = spokenLines(call.log, agent?.name ?? call.agent, lines);
  const id = await tenant.crm.writeTranscript(logId, said, { answeredMs: rangMs(call.log) });
  await transcripts.written(call.tenant, call.callId, id, parts.now());
}
