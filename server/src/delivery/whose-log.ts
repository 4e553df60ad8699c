/**
 * Which call a conversation is logged as. Several calls may tell one leg: each device that rang, and the one made from a phone system's reports;
 * several legs may be one missed call. Owns that exactly one of them gets the log, decided again at every delivery from what is stored then:
 * whoever speaks late finds the log that is there. Must never write, nor let two calls wait for each other: a call of a phone system waits for
 * those of phones that left the leg to others, a phone's call for one of a phone system that it takes over, and of several phones the one that
 * comes first for those behind it.
 */
import type { CallId, CallLog } from '@patchcord/call-protocol';
import { isReportedCall } from '../call-log/call-report.ts';
import { belongsInCrm, leftToOthers } from '../call-log/fold.ts';
import type { EventRecorder } from '../call-log/record-events.ts';
import type { CallStore, CallWithEvents, LeasedEffect, StoredCall } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';

export type Whose =
  /** It is this call's. `writtenAs` names the call the log is known by in the CRM, which is another one where a log was taken over. */
  | { readonly is: 'own'; readonly logId: string | null; readonly writtenAs: CallId; readonly takenOver: boolean }
  /** Nothing is to be written; `reason` in words where an agent may ask why. */
  | { readonly is: 'none'; readonly reason: string | null }
  /** Not known yet: look again then, epoch ms. */
  | { readonly is: 'open'; readonly lookAt: number };

/** While the other call's write is under way. */
const lookAgainMs = 250;
/** While a phone of the conversation neither took its call nor is done with it. */
const stillRingsMs = 2_000;
/** A leg may end this much before the one that took the call is answered, and still have lost it to that one. */
const raceMs = 2_000;

interface WhoseParts {
  readonly calls: CallStore;
  readonly recorder: EventRecorder;
  readonly tenants: Tenants;
  readonly now: () => number;
}

/** Asks only what the call's own facts make necessary: a call without a SIP Call-ID has no relatives. */
export async function whoseLog(found: CallWithEvents, effect: LeasedEffect, parts: WhoseParts): Promise<Whose> {
  const { call, events } = found;
  const { log } = call;
  if (log === null) return { is: 'none', reason: null };
  if (events.some(({ name }) => name === 'log.removed')) return { is: 'none', reason: removed };
  const others =
    log.sipCallId === null
      ? []
      : (await parts.calls.callsOnLeg(call.tenant, call.agent, log.sipCallId)).filter(
          ({ callId }) => callId !== call.callId,
        );
  return isReportedCall(call.callId)
    ? await ofReported(found, log, others, effect, parts)
    : await ofPhone(found, log, others, effect, parts);
}

const removed = 'A person deleted this log in the CRM; it is not written again.';
const tookElsewhere = 'You took this call on another of your phones, and it is logged from there.';

/** Whether a write may have been begun whose answer was lost: then the log may be there, under this call's name. */
export function wasTried(call: StoredCall, effect: LeasedEffect): boolean {
  return call.logId === null && (effect.attempts > 1 || call.logReason !== null);
}

/** The log that another call wrote goes on as this one's, unless a person deleted it. */
async function takeOver(other: StoredCall, logId: string, parts: WhoseParts): Promise<Whose> {
  const history = (await parts.calls.readCalls([other.callId])).get(other.callId)?.events ?? [];
  return history.some(({ name }) => name === 'log.removed')
    ? { is: 'none', reason: removed }
    : { is: 'own', logId, writtenAs: other.callId, takenOver: true };
}

/** A call that only a phone system saw so far, or that none of the phones which rang took. */
async function ofReported(
  { call, events }: CallWithEvents,
  log: CallLog,
  others: readonly StoredCall[],
  effect: LeasedEffect,
  parts: WhoseParts,
): Promise<Whose> {
  const adopted = events.find((event) => event.name === 'log.adopted')?.data;
  const own: Whose = {
    is: 'own',
    logId: call.logId ?? adopted?.logId ?? null,
    writtenAs: (adopted?.writtenAs as CallId | undefined) ?? call.callId,
    takenOver: false,
  };
  const tried = wasTried(call, effect);
  const phones = others.filter(({ callId }) => !isReportedCall(callId));
  const left = log.answeredAt === null ? [] : phones.filter((phone) => phone.log !== null && leftToOthers(phone.log));
  const phone = phones.find((one) => !left.includes(one));
  if (phone !== undefined || (left.length === 0 && log.joinedWith !== null)) {
    if (phone !== undefined && log.joinedWith === null) await parts.recorder.foldAgain(phone.callId);
    // A write whose answer was lost may have made the log: finish it, so that its id is known and the phone's call goes on in it.
    return tried ? own : { is: 'none', reason: null };
  }
  const records = parts.tenants.find(call.tenant)?.config.callRecords;
  // Without a SIP Call-ID it is a call that a message made: `voicemails/deliver-call.ts` has waited for others.
  if (call.logId === null && records !== undefined && log.sipCallId !== null) {
    const now = parts.now();
    const signedIn = await parts.calls.isSignedIn(call.tenant, call.agent, now);
    const settled = call.touchedAt + (signedIn ? records.signedInSettleMs : records.settleMs);
    if (now < settled) return { is: 'open', lookAt: Math.min(settled, now + records.settleMs + 1_000) };
    const told = await toldByConversation(call, log, parts);
    if (told !== null) return told;
  }
  if (own.logId === null && !tried) {
    // A phone that heard of nobody else may have written that the call was missed: that log tells of the answer from now on.
    const written = left.find(({ logId }) => logId !== null);
    if (written?.logId != null) return await takeOver(written, written.logId, parts);
    if (left.some((one) => one.logState === 'waiting')) return { is: 'open', lookAt: parts.now() + lookAgainMs };
  }
  return own;
}

/** A call that a phone told. */
async function ofPhone(
  { call, events }: CallWithEvents,
  log: CallLog,
  others: readonly StoredCall[],
  effect: LeasedEffect,
  parts: WhoseParts,
): Promise<Whose> {
  const tried = wasTried(call, effect);
  const reported = others.find(({ callId }) => isReportedCall(callId));
  // Who has begun to write finishes: the other call waits for that, and goes on in the log.
  const yields = reported?.log?.answeredAt != null && leftToOthers(log);
  if (yields && (!tried || reported.logId !== null)) return { is: 'none', reason: tookElsewhere };
  const adoptions = events.flatMap((event) => (event.name === 'log.adopted' ? [event.data] : []));
  // One that this call took over from another; what the CRM says it made for this call is looked at in `page-log.ts`.
  const adopted = adoptions.find(({ writtenAs }) => writtenAs !== undefined);
  if (call.logId !== null) {
    return {
      is: 'own',
      logId: call.logId,
      writtenAs: (adopted?.writtenAs as CallId | undefined) ?? call.callId,
      takenOver: false,
    };
  }
  if (reported !== undefined && !yields) {
    if (reported.log?.joinedWith === null) await parts.recorder.foldAgain(call.callId);
    if (reported.logState === 'waiting') return { is: 'open', lookAt: parts.now() + lookAgainMs };
    if (reported.logId !== null) return await takeOver(reported, reported.logId, parts);
  }
  if (adopted !== undefined) {
    return {
      is: 'own',
      logId: adopted.logId,
      writtenAs: (adopted.writtenAs as CallId | undefined) ?? call.callId,
      takenOver: false,
    };
  }
  const device = await otherDevice(log, events, others, tried, parts);
  if (device !== null) return device;
  const told = await toldByConversation(call, log, parts);
  // Where the CRM has no way to look it up, its word is all there is.
  const crm = parts.tenants.find(call.tenant)?.crm;
  const made = crm?.isLogOf === undefined ? (adoptions[0]?.logId ?? null) : null;
  return told ?? { is: 'own', logId: made, writtenAs: call.callId, takenOver: false };
}

/**
 * Every browser of the agent rings: the one that was answered tells the call, else the one whose log is there, else the first of them: by what
 * they tell, then by id. Who stands behind another one yields at once unless its write has begun; who stands before waits for those behind, whose
 * write may be under way. So none waits in a circle, and two never write at once.
 */
async function otherDevice(
  log: CallLog,
  events: CallWithEvents['events'],
  others: readonly StoredCall[],
  tried: boolean,
  parts: WhoseParts,
): Promise<Whose | null> {
  const phones = others.filter(({ callId }) => !isReportedCall(callId));
  if (phones.length === 0 || log.direction === 'outbound') return null;
  const spoken = (history: CallWithEvents['events']): boolean => history.some(({ name }) => name === 'call.answered');
  if (spoken(events)) return null;
  const histories = await parts.calls.readCalls(phones.map(({ callId }) => callId));
  const rivals = phones.filter((other) => other.log !== null && belongsInCrm(other.log));
  const behind = rivals.filter((other) => other.log !== null && tellsBefore(log, other.log));
  const before = rivals.filter((other) => !behind.includes(other));
  const yields =
    phones.some(({ callId }) => spoken(histories.get(callId)?.events ?? [])) ||
    rivals.some(({ logId }) => logId !== null) ||
    // One that is not to be written at all is nobody to yield to.
    (!tried && before.some(({ logState }) => logState === 'waiting' || logState === 'failed'));
  if (yields) return { is: 'none', reason: 'This call is logged as told by your other browser.' };
  const isOpen = behind.some(({ logState }) => logState === 'waiting');
  return isOpen ? { is: 'open', lookAt: parts.now() + lookAgainMs } : null;
}

/** What the agent did says more than what did not happen; the ids make it an order in which no two are equal. */
function tellsBefore(one: CallLog, other: CallLog): boolean {
  const rank = ({ outcome }: CallLog): number =>
    outcome === 'answered' ? 0 : outcome === 'declined' ? 1 : outcome === 'missed' ? 3 : 2;
  return rank(one) === rank(other) ? one.callId < other.callId : rank(one) < rank(other);
}

/** What the other legs of the phone system's conversation mean for a call that this agent did not answer; null when they mean nothing. */
async function toldByConversation(call: StoredCall, log: CallLog, parts: WhoseParts): Promise<Whose | null> {
  const { conversation } = log;
  if (conversation === undefined) return null;
  const all = await parts.calls.callsInConversation(call.tenant, conversation);
  if (isReportedCall(call.callId)) {
    const phones = all.filter((other) => other.agent === call.agent && !isReportedCall(other.callId));
    // An answered leg is part of what a phone tells, unless that phone left the call to others: then the agent took it here.
    const tellers = log.answeredAt === null ? phones : phones.filter(({ log: told }) => !(told && leftToOthers(told)));
    if (tellers.some(({ log: told }) => log.answeredAt === null || (told !== null && tookPart(told))))
      return { is: 'none', reason: 'This is part of a call that the phone told.' };
    if (tellers.length > 0) return { is: 'open', lookAt: parts.now() + stillRingsMs };
  }
  if (!leftToOthers(log)) return null;
  // The legs as the phone system tells them: one clock for all.
  const legs = all.filter(
    ({ callId, log: leg }) => isReportedCall(callId) && leg !== null && leg.direction === 'inbound',
  );
  const mine = legs.find(({ agent, log: leg }) => agent === call.agent && leg?.sipCallId === log.sipCallId)?.log;
  if (mine == null) return null;
  const until = (mine.endedAt ?? mine.startedAt) + raceMs;
  const colleagues = legs.filter(({ agent }) => agent !== call.agent);
  const tookIt = ({ log: leg }: StoredCall): boolean =>
    leg?.answeredAt != null && leg.answeredAt >= mine.startedAt && leg.answeredAt <= until;
  if (legs.some((leg) => leg.agent === call.agent && leg.log?.sipCallId !== log.sipCallId && tookIt(leg)))
    return { is: 'none', reason: tookElsewhere };
  if (log.outcome !== 'missed') return null;
  if (colleagues.some(tookIt)) return { is: 'none', reason: 'A colleague answered this call.' };
  const teller = (leg: StoredCall): StoredCall => all.find(({ callId }) => callId === leg.log?.joinedWith) ?? leg;
  const missedTogether = colleagues.filter(
    (leg) =>
      leg.log !== null &&
      leg.log.startedAt <= until &&
      (leg.log.endedAt ?? leg.log.startedAt) + raceMs >= mine.startedAt &&
      teller(leg).log?.outcome === 'missed',
  );
  const winner = missedTogether.find(
    (leg) => leg.logId !== null || teller(leg).logId !== null || before(leg.log?.nearNumber ?? '', log.nearNumber),
  );
  return winner === undefined
    ? null
    : {
        is: 'none',
        reason: `Nobody answered; the group's missed call is logged once, with ${winner.log?.nearNumber}.`,
      };
}

/** Whether the agent spoke on this phone, or it tells of the call in its own right. */
function tookPart(log: CallLog): boolean {
  return log.answeredAt !== null || log.stage !== 'live';
}

function before(extension: string, other: string): boolean {
  return extension.localeCompare(other, 'en', { numeric: true }) < 0;
}
