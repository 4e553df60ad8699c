/**
 * Finds the call in which a message was left, so that one log tells of both; where nobody told of one, the message makes it. Owns which call that is,
 * decided once and for good. Must never make a call while one may still be told, nor take a call that has a message already.
 */
import { type AgentId, type CallId, toCallId } from '@patchcord/call-protocol';
import type { EventRecorder } from '../call-log/record-events.ts';
import type { AgentConfig } from '../config.ts';
import type { Delivered } from '../delivery/delivered.ts';
import type { LeasedEffect, Store, StoredCall, StoredVoicemail } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import type { VoicemailPayload } from './effects.ts';
import { ownersOf } from './voicemails.ts';

/** The greeting, and clocks that differ, lie between the end of the ringing and the beginning of the message. */
const before = { earliestMs: 120_000, latestMs: 300_000 };
/** Of each owner's calls, newest first. */
const mostCalls = 100;
/** Without a configuration of call records any more. */
const usualSettleMs = 60_000;
const lookAgain = { leastMs: 250, mostMs: 30_000 };
/** A log that an outage holds back for longer is not waited for. */
const mostWaitMs = 86_400_000;

interface CallParts {
  readonly store: Pick<Store, 'voicemails' | 'calls'>;
  readonly tenants: Pick<Tenants, 'find'>;
  readonly recorder: Pick<EventRecorder, 'linkVoicemail'>;
  readonly now: () => number;
}

/** @throws PatchcordError `store.unavailable`: try again */
export async function deliverCall(effect: LeasedEffect, parts: CallParts): Promise<Delivered> {
  const { store, tenants, recorder, now } = parts;
  const { voicemail: id, conversation } = effect.payload as VoicemailPayload;
  const message = await store.voicemails.find(effect.tenant, id);
  const config = tenants.find(effect.tenant)?.config;
  const owners = message === null || config === undefined ? [] : ownersOf(config, message.mailbox);
  const [owner] = owners;
  if (message === null || owner === undefined) return {};
  let callId = message.callId;
  if (callId === null) {
    const legs = await legsOf(message, owners, conversation ?? null, parts);
    const age = now() - effect.createdAt;
    const later = { postponedTo: now() + Math.min(lookAgain.mostMs, Math.max(lookAgain.leastMs, age / 4)) };
    const moves = legs.some(({ log, logState }) => log?.stage === 'live' || logState === 'waiting');
    if (moves && age < mostWaitMs) return later;
    if (legs.length === 0) {
      const settleMs = config?.callRecords?.settleMs ?? usualSettleMs;
      const signedInSettleMs = config?.callRecords?.signedInSettleMs ?? usualSettleMs;
      const signedIn = await store.calls.isSignedIn(effect.tenant, owner.id as AgentId, now());
      if (age < (signedIn ? signedInSettleMs : settleMs)) return later;
    }
    // Noted before it is told: whoever repeats this tells the same.
    callId = await store.voicemails.linkTo(effect.tenant, id, best(legs, message) ?? toCallId(id));
  }
  if (callId === null) return {};
  const { mailbox, number, e164, name, durationMs, at } = message;
  const from = { number, ...(e164 === null ? {} : { e164 }), ...(name === null ? {} : { name }) };
  const whose = { tenant: effect.tenant, agent: owner.id as AgentId };
  await recorder.linkVoicemail(whose, callId, at, { voicemail: id, mailbox, from, durationMs });
  return {};
}

/** Every leg of the call, as far as anybody told of it: by the phone system's conversation, else by number and time, and what shares its conversation. */
async function legsOf(
  message: StoredVoicemail,
  owners: readonly AgentConfig[],
  conversation: string | null,
  { store }: CallParts,
): Promise<readonly StoredCall[]> {
  const { tenant } = message;
  const histories = owners.map(({ id }) => store.calls.history(tenant, id as AgentId, mostCalls));
  const near = (await Promise.all(histories)).flat().filter((call) => isNear(call, message));
  const named = [conversation, ...near.map(({ log }) => log?.conversation)].filter((one) => one != null);
  const shared = [...new Set(named)].map((one) => store.calls.callsInConversation(tenant, one));
  const legs = [...near, ...(await Promise.all(shared)).flat()].filter(isFree);
  return [...new Map(legs.map((call) => [call.callId, call])).values()];
}

/** Whether a message may have been left in it, by what became of it. */
function isFree({ log }: StoredCall): boolean {
  if (log === null || log.direction !== 'inbound' || log.joinedWith !== null || log.voicemail !== undefined)
    return false;
  return log.stage === 'live' ? log.answeredAt === null : log.outcome !== 'answered' || log.transferredTo !== null;
}

function isNear({ log }: StoredCall, { at, e164, number }: StoredVoicemail): boolean {
  if (log === null) return false;
  const same =
    e164 !== null && log.farSide.e164 !== undefined ? e164 === log.farSide.e164 : number === log.farSide.number;
  const from = log.startedAt - before.earliestMs;
  return same && at >= from && at <= (log.endedAt ?? log.startedAt) + before.latestMs;
}

/** The one that is logged, else one that the mailbox took, else any; of several the one that ended last before the message. */
function best(legs: readonly StoredCall[], { at }: StoredVoicemail): CallId | null {
  const rank = ({ logId, log }: StoredCall): number =>
    logId !== null ? 0 : log?.outcome === 'answered-elsewhere' ? 1 : 2;
  const away = ({ log }: StoredCall): number => Math.abs(at - (log?.endedAt ?? log?.startedAt ?? 0));
  const [first] = [...legs].sort((a, b) => rank(a) - rank(b) || away(a) - away(b) || (a.callId < b.callId ? -1 : 1));
  return first?.callId ?? null;
}
