/**
 * What one transaction changes when events arrive: the events, the new fold of every call they touch, the effects that follow. Owns which calls
 * tell of the same leg and are folded together, and when a log is due. Pure but for the configuration; must never write.
 */
import {
  type AgentId,
  type CallId,
  type CallLog,
  type Envelope,
  type TenantId,
  toEnvelope,
  type WireEvent,
} from '@patchcord/call-protocol';
import { afterCallEffects } from '../after-call/effects.ts';
import { hasPageLogs } from '../delivery/page-log.ts';
import { toStoredEvent } from '../live/relay-event.ts';
import type { CallWithEvents, Change, NewEffect, StoredEvent } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import { isReportedCall, reportedCallId } from './call-report.ts';
import { crmLogEffect, mediaEffect, webhookEffects } from './effects.ts';
import { belongsInCrm, foldCall, leftToOthers, relaySource } from './fold.ts';

/** Drafts of a note are saved every few seconds; the CRM gets them this much later, together, unless something that matters comes first. */
export const draftMs = 15_000;
/** A consult call may end a moment before its transfer is confirmed: its log is not even looked at before; `consult-fate.ts` says what then. */
const joinMs = 5_000;
/** Every browser of an agent may tell of a call that nobody took: who knows the most writes it. */
const otherBrowsersMs = 1_500;

/** What a phone or the CRM says of a log that the CRM's page made: the delivery looks at it. */
const tellsOfLog: ReadonlySet<WireEvent['name']> = new Set(['log.created', 'log.not-created', 'log.adopted']);

/** A checked event that is not stored yet. */
export interface FreshEvent {
  readonly event: WireEvent;
  readonly envelope: Envelope;
  readonly callId: CallId | null;
}

export interface ChangeParts {
  readonly tenants: Tenants;
  readonly now: () => number;
}

/** The SIP Call-IDs that these events and the stored call tell of. */
export function sipCallIdsOf(found: CallWithEvents | undefined, fresh: readonly FreshEvent[]): readonly string[] {
  // Of the events themselves: without its beginning a call has no log yet that could name it.
  const told = [...(found?.events ?? []), ...fresh.map(({ event }) => event)].flatMap((event) =>
    (event.name === 'call.started' || event.name === 'call.ringing' || event.name === 'call.ended') &&
    event.data.sipCallId !== undefined
      ? [event.data.sipCallId]
      : [],
  );
  const known = found?.call.log?.sipCallId ?? null;
  return [...new Set([...(known === null ? [] : [known]), ...told])];
}

/**
 * @param calls Every stored call the change may touch: those of the events, and those of the same legs
 * @param again Calls to fold again although no event of theirs is fresh
 */
export function changeOf(
  owner: { readonly tenant: TenantId; readonly agent: AgentId },
  fresh: readonly FreshEvent[],
  calls: ReadonlyMap<CallId, CallWithEvents>,
  parts: ChangeParts,
  options: { readonly writesLog?: boolean; readonly again?: readonly CallId[] } = {},
): Change {
  const now = parts.now();
  // Both may be gone from the configuration while a call of theirs is open; the call must be finished all the same.
  const found = parts.tenants.find(owner.tenant);
  const tenant = found?.config;
  const pagesMakeLogs = found !== undefined && hasPageLogs(found.crm);
  const agent = parts.tenants.agent(owner.tenant, owner.agent)?.agent;
  const joins = joinsOf(owner, fresh, calls, now);
  const own = [...fresh, ...joins];
  const stored = (one: FreshEvent): StoredEvent => toStoredEvent(one.envelope, owner.tenant, owner.agent, now);
  const freshOf = (callId: CallId): readonly FreshEvent[] => own.filter((one) => one.callId === callId);
  const eventsOf = (callId: CallId): readonly WireEvent[] => [
    ...(calls.get(callId)?.events ?? []),
    ...freshOf(callId).map(({ event }) => event),
  ];
  const reportsFor = (callId: CallId): readonly WireEvent[] =>
    isReportedCall(callId)
      ? []
      : sipCallIdsOf(calls.get(callId), freshOf(callId))
          .flatMap((sipCallId) => eventsOf(reportedCallId(owner.tenant, owner.agent, sipCallId)))
          .filter(({ name }) => name === 'call.reported' || name === 'recording.available');

  const changedCalls: Change['calls'][number][] = [];
  const over: CallId[] = [];
  const logs: NewEffect[] = [];
  const touched = new Set(own.flatMap(({ callId }) => (callId === null ? [] : [callId])));
  for (const callId of options.again ?? []) touched.add(callId);
  // Its row moves on with the end, so that a report which arrives in the same moment sees the end, or the end sees the report.
  const endsHere = fresh.some(({ event }) => event.name === 'call.ended');
  // How a phone's call stands decides whether the call made from reports of its leg goes up in it.
  const besides = [...touched].flatMap((callId) => reportedBeside(owner, callId, calls, freshOf(callId)));
  for (const callId of besides) touched.add(callId);
  if (fresh.some(({ event }) => event.name === 'call.reported')) {
    for (const callId of calls.keys()) touched.add(callId);
  }
  const foldNow = (callId: CallId): CallLog | null => {
    const extension = agent?.extension ?? calls.get(callId)?.call.log?.nearNumber ?? '';
    const events = [...eventsOf(callId), ...reportsFor(callId)];
    return foldCall({ callId, tenant: owner.tenant, agent: owner.agent, extension }, events);
  };
  /** How the phones' calls of a leg stand with this change. */
  const phonesOn = (sipCallId: string | null): readonly (CallLog | null)[] =>
    [...new Set([...calls.keys(), ...touched])]
      .filter((callId) => !isReportedCall(callId))
      .filter((callId) => sipCallId !== null && sipCallIdsOf(calls.get(callId), freshOf(callId)).includes(sipCallId))
      .map((callId) => (touched.has(callId) ? foldNow(callId) : (calls.get(callId)?.call.log ?? null)));
  /** A leg that was answered while every phone that tells of it left it to others: a desk phone took it, and its call stands for itself. */
  const foldReported = (callId: CallId): CallLog | null => {
    const log = foldNow(callId);
    if (log === null || log.joinedWith === null || log.answeredAt === null) return log;
    const phones = phonesOn(log.sipCallId);
    const tookNone = phones.length > 0 && phones.every((phone) => phone !== null && leftToOthers(phone));
    return tookNone ? { ...log, joinedWith: null } : log;
  };
  // Sorted, so that two relays lock the same rows in the same order.
  for (const callId of [...touched].sort()) {
    const before = calls.get(callId);
    const log = isReportedCall(callId) ? foldReported(callId) : foldNow(callId);
    const untouched = sameLog(before?.call.log ?? null, log);
    if (untouched && freshOf(callId).length === 0 && !(endsHere && besides.includes(callId))) continue;
    const saysOfLog = freshOf(callId).some(({ event: { name } }) => tellsOfLog.has(name));
    const moves = !untouched || saysOfLog;
    const wasLive = (before?.call.log?.stage ?? 'live') === 'live';
    if (log !== null && log.stage !== 'live' && wasLive && !isReportedCall(callId)) over.push(callId);
    const writes = (options.writesLog ?? true) && log !== null && belongsInCrm(log) && moves;
    // A page may have made a log for a call that gets none.
    if (pagesMakeLogs && log !== null && log.stage !== 'live' && !belongsInCrm(log) && moves)
      logs.push(crmLogEffect(owner.tenant, owner.agent, agent, callId, now));
    if (writes) {
      const onlyDrafts = own.every((one) => one.callId !== callId || one.event.name === 'wrap-up.saved');
      const onlyDraft = before?.call.log?.stage === log.stage && onlyDrafts && freshOf(callId).length > 0;
      const dueAt = now + (onlyDraft ? draftMs : settlingMs(log, tenant?.callRecords));
      // A call made from reports, or one that may have rung in several browsers, keeps to itself: another waits for it, whatever record both
      // go on.
      const record = isReportedCall(callId) || leftToOthers(log) ? null : log.record;
      logs.push(crmLogEffect(owner.tenant, owner.agent, agent, callId, dueAt, record));
    }
    changedCalls.push({
      callId,
      tenant: owner.tenant,
      agent: owner.agent,
      fromVersion: before?.call.version ?? 0,
      log,
      sipCallId: sipCallIdsOf(before, freshOf(callId))[0] ?? null,
      touchedAt: freshOf(callId).length > 0 ? now : (before?.call.touchedAt ?? now),
      logWaiting: writes,
    });
  }
  return {
    events: fresh.map(stored),
    ownEvents: joins.map(stored),
    calls: changedCalls,
    effects: [
      ...logs,
      // What waits for a phone need not wait any longer: the phone's call takes over whatever became of it.
      ...joins.flatMap(({ callId }) =>
        callId !== null && calls.get(callId)?.call.logState === 'waiting'
          ? [crmLogEffect(owner.tenant, owner.agent, agent, callId, now)]
          : [],
      ),
      ...mediaEffects(owner.tenant, fresh, parts, now),
      ...(tenant === undefined ? [] : over.flatMap((callId) => afterCallEffects(tenant, callId, now))),
      ...(tenant === undefined ? [] : webhookEffects(tenant, fresh.map(stored), now)),
    ],
  };
}

/** What follows from a recording, and from the end of a call whose words are kept, where the CRM takes such things. */
function mediaEffects(
  tenantId: TenantId,
  fresh: readonly FreshEvent[],
  { tenants }: ChangeParts,
  now: number,
): readonly NewEffect[] {
  const tenant = tenants.find(tenantId);
  if (tenant === undefined) return [];
  const { keep, settleMs } = tenant.config.transcripts;
  const takesRecordings = tenant.crm.recordingReady !== undefined;
  const takesWords = keep && tenant.crm.writeTranscript !== undefined;
  return fresh.flatMap(({ event: { name }, callId }) => {
    if (callId === null) return [];
    // A message is what there is to hear of its call.
    if ((name === 'recording.available' || name === 'voicemail.linked') && takesRecordings)
      return [mediaEffect('crm.recording', tenantId, callId, now)];
    if (name === 'call.ended' && takesWords) return [mediaEffect('crm.transcript', tenantId, callId, now + settleMs)];
    return [];
  });
}

/** A call made from reports goes up in the phone's call of the same leg, whichever arrived first. */
function joinsOf(
  { tenant, agent }: { readonly tenant: TenantId; readonly agent: AgentId },
  fresh: readonly FreshEvent[],
  calls: ReadonlyMap<CallId, CallWithEvents>,
  now: number,
): readonly FreshEvent[] {
  const phones = new Set([...calls.keys(), ...fresh.flatMap(({ callId }) => (callId === null ? [] : [callId]))]);
  const joins = new Map<CallId, FreshEvent>();
  for (const phone of [...phones].sort()) {
    if (isReportedCall(phone)) continue;
    const said = fresh.filter(({ callId }) => callId === phone);
    for (const sipCallId of sipCallIdsOf(calls.get(phone), said)) {
      const reported = reportedCallId(tenant, agent, sipCallId);
      const found = calls.get(reported);
      const isKnown = found !== undefined || fresh.some(({ callId }) => callId === reported);
      const isJoined = found?.events.some(({ name }) => name === 'call.joined') ?? false;
      if (!isKnown || isJoined || joins.has(reported)) continue;
      joins.set(
        reported,
        ownEvent({ tenant, callId: reported, what: 'joined', at: now, name: 'call.joined', data: { with: phone } }),
      );
    }
  }
  return [...joins.values()];
}

/** The stored calls made from reports of the legs that this phone's call tells of. */
function reportedBeside(
  { tenant, agent }: { readonly tenant: TenantId; readonly agent: AgentId },
  phone: CallId,
  calls: ReadonlyMap<CallId, CallWithEvents>,
  said: readonly FreshEvent[],
): readonly CallId[] {
  if (isReportedCall(phone)) return [];
  return sipCallIdsOf(calls.get(phone), said)
    .map((sipCallId) => reportedCallId(tenant, agent, sipCallId))
    .filter((callId) => calls.has(callId));
}

function ownEvent(one: {
  readonly tenant: TenantId;
  readonly callId: CallId;
  readonly what: string;
  readonly at: number;
  readonly name: 'call.joined';
  readonly data: { readonly with: CallId };
}): FreshEvent {
  const source = relaySource(one.tenant);
  const event: WireEvent = {
    name: one.name,
    at: one.at,
    call: one.callId,
    data: one.data,
    id: `${one.callId}:${one.what}`,
    source,
  };
  return { event, envelope: toEnvelope(event, event.id, source), callId: one.callId };
}

/**
 * How long a log rests before its first write. A consult call may still be joined; a call only the phone system saw may still be told by its
 * phone; of a ring group, or of several browsers, that nobody answered the other legs may still be on their way.
 */
function settlingMs(
  log: CallLog,
  records: { readonly settleMs: number; readonly groupMs: number } | undefined,
): number {
  const consult = log.consultFor === null ? 0 : joinMs;
  if (records === undefined) {
    return log.sipCallId !== null && leftToOthers(log) ? Math.max(consult, otherBrowsersMs) : consult;
  }
  // One that a message made has waited for others already.
  if (isReportedCall(log.callId)) return log.sipCallId === null ? 0 : records.settleMs;
  return log.outcome === 'missed' ? Math.max(consult, records.groupMs) : consult;
}

function sameLog(a: CallLog | null, b: CallLog | null): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
