/**
 * Which call a conversation is logged as. Several calls may tell one leg: each device that rang, and the one made from a phone system's reports;
 * several legs may be one missed call. Owns that exactly one of them gets the log, decided again at every delivery from what is stored then:
 * whoever speaks late finds the log that is there. Must never write, nor let two calls wait for each other.
 */
import type { CallId, CallLog } from '@patchcord/call-protocol';
import { isReportedCall } from '../call-log/call-report.ts';
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
    ? await ofReported(call, log, others, effect, parts)
    : await ofPhone(found, log, others, parts);
}

const removed = 'A person deleted this log in the CRM; it is not written again.';

/** A call that only a phone system saw so far. */
async function ofReported(
  call: StoredCall,
  log: CallLog,
  others: readonly StoredCall[],
  effect: LeasedEffect,
  parts: WhoseParts,
): Promise<Whose> {
  const own: Whose = { is: 'own', logId: call.logId, writtenAs: call.callId, takenOver: false };
  const phone = others.find(({ callId }) => !isReportedCall(callId));
  if (phone !== undefined || log.joinedWith !== null) {
    if (phone !== undefined && log.joinedWith === null) await parts.recorder.foldAgain(phone.callId);
    // A write whose answer was lost may have made the log: finish it, so that its id is known and the phone's call goes on in it.
    const tried = call.logId === null && (effect.attempts > 1 || call.logReason !== null);
    return tried ? own : { is: 'none', reason: null };
  }
  const records = parts.tenants.find(call.tenant)?.config.callRecords;
  if (call.logId === null && records !== undefined) {
    const now = parts.now();
    const signedIn = await parts.calls.isSignedIn(call.tenant, call.agent, now);
    const settled = call.touchedAt + (signedIn ? records.signedInSettleMs : records.settleMs);
    if (now < settled) return { is: 'open', lookAt: Math.min(settled, now + records.settleMs + 1_000) };
    const told = await toldByConversation(call, log, parts);
    if (told !== null) return told;
  }
  return own;
}

/** A call that a phone told. */
async function ofPhone(
  { call, events }: CallWithEvents,
  log: CallLog,
  others: readonly StoredCall[],
  parts: WhoseParts,
): Promise<Whose> {
  const adopted = events.find((event) => event.name === 'log.adopted')?.data;
  if (call.logId !== null) {
    return {
      is: 'own',
      logId: call.logId,
      writtenAs: (adopted?.writtenAs as CallId | undefined) ?? call.callId,
      takenOver: false,
    };
  }
  const reported = others.find(({ callId }) => isReportedCall(callId));
  if (reported !== undefined) {
    if (reported.log?.joinedWith === null) await parts.recorder.foldAgain(call.callId);
    if (reported.logState === 'waiting') return { is: 'open', lookAt: parts.now() + lookAgainMs };
    if (reported.logId !== null) {
      const history = (await parts.calls.readCalls([reported.callId])).get(reported.callId)?.events ?? [];
      if (history.some(({ name }) => name === 'log.removed')) return { is: 'none', reason: removed };
      return { is: 'own', logId: reported.logId, writtenAs: reported.callId, takenOver: true };
    }
  }
  if (adopted !== undefined) {
    return {
      is: 'own',
      logId: adopted.logId,
      writtenAs: (adopted.writtenAs as CallId | undefined) ?? call.callId,
      takenOver: false,
    };
  }
  const device = await otherDevice(call, log, events, others, parts);
  if (device !== null) return device;
  const told = await toldByConversation(call, log, parts);
  return told ?? { is: 'own', logId: null, writtenAs: call.callId, takenOver: false };
}

/** Every browser of the agent rings: the one that was answered tells the call, else the one whose log is there, else the one with the smaller id. */
async function otherDevice(
  call: StoredCall,
  log: CallLog,
  events: CallWithEvents['events'],
  others: readonly StoredCall[],
  parts: WhoseParts,
): Promise<Whose | null> {
  const ended = others.filter(
    (other) =>
      !isReportedCall(other.callId) &&
      other.log !== null &&
      other.log.stage !== 'live' &&
      other.log.joinedWith === null,
  );
  if (ended.length === 0 || log.direction === 'outbound') return null;
  const spoken = (history: CallWithEvents['events']): boolean => history.some(({ name }) => name === 'call.answered');
  if (spoken(events)) return null;
  const histories = await parts.calls.readCalls(ended.map(({ callId }) => callId));
  const first = ended.some(
    (other) =>
      spoken(histories.get(other.callId)?.events ?? []) ||
      other.logId !== null ||
      (other.log?.outcome === log.outcome && other.callId < call.callId),
  );
  return first ? { is: 'none', reason: 'This call is logged as told by your other browser.' } : null;
}

/** What the other legs of the phone system's conversation mean for a call that this agent did not answer; null when they mean nothing. */
async function toldByConversation(call: StoredCall, log: CallLog, parts: WhoseParts): Promise<Whose | null> {
  const { conversation } = log;
  if (conversation === undefined) return null;
  const all = await parts.calls.callsInConversation(call.tenant, conversation);
  if (isReportedCall(call.callId) && all.some((other) => other.agent === call.agent && !isReportedCall(other.callId))) {
    return { is: 'none', reason: 'This is part of a call that the phone told.' };
  }
  if (log.outcome !== 'missed') return null;
  // The legs as the phone system tells them: one clock for all.
  const legs = all.filter(
    ({ callId, log: leg }) => isReportedCall(callId) && leg !== null && leg.direction === 'inbound',
  );
  const mine = legs.find(({ agent, log: leg }) => agent === call.agent && leg?.sipCallId === log.sipCallId)?.log;
  if (mine == null) return null;
  const until = (mine.endedAt ?? mine.startedAt) + raceMs;
  const colleagues = legs.filter(({ agent }) => agent !== call.agent);
  const taken = colleagues.some(
    ({ log: leg }) => leg?.answeredAt != null && leg.answeredAt >= mine.startedAt && leg.answeredAt <= until,
  );
  if (taken) return { is: 'none', reason: 'A colleague answered this call.' };
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

function before(extension: string, other: string): boolean {
  return extension.localeCompare(other, 'en', { numeric: true }) < 0;
}
