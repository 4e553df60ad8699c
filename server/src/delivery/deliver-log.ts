/**
 * Delivers logs of calls into their CRM, one or many together. Owns what is written (the newest fold), which CRM id it belongs to (our own
 * table is the authority) and what the agent hears of it. The write itself is idempotent: that is the adapter's promise.
 */
import {
  type CallId,
  type CallLog,
  type CrmName,
  errorCode,
  PatchcordError,
  type RecordRef,
  type TenantId,
} from '@patchcord/call-protocol';
import { type CrmAgent, type LogToWrite, type LogWritten, toE164 } from '@patchcord/crm-adapters/relay';
import type { Alert } from '../alerts.ts';
import { isReportedCall } from '../call-log/call-report.ts';
import { type CrmLogPayload, crmLogEffect, webhookEffects } from '../call-log/effects.ts';
import { belongsInCrm } from '../call-log/fold.ts';
import type { EventRecorder } from '../call-log/record-events.ts';
import { relayEvent, toStoredEvent } from '../live/relay-event.ts';
import type {
  CallStore,
  CallWithEvents,
  LeasedEffect,
  LogCreatorStore,
  NewEffect,
  StoredCall,
} from '../store/contract.ts';
import type { Tenant, Tenants } from '../tenants.ts';
import { waitForFate } from './consult-fate.ts';
import type { Delivered, Failure } from './delivered.ts';
import { callOf, hasPageLogs, leftoverOf, type PageLogParts, pageLogOf } from './page-log.ts';
import { type Whose, wasTried, whoseLog } from './whose-log.ts';

/** From this attempt on a log is written without its record when the search fails. */
const searchAttempts = 3;

const logObject = { salesforce: 'Task', hubspot: 'call', memory: 'Log' } as const;

interface LogParts {
  readonly calls: CallStore;
  readonly creators: LogCreatorStore;
  /** Told what an administrator should know of a log. */
  readonly raise: (alert: Alert) => Promise<unknown>;
  readonly recorder: EventRecorder;
  readonly tenants: Tenants;
  /** What was said in a message; null: nobody wrote it down (yet), or it is gone. */
  readonly saidIn: (tenant: TenantId, voicemail: string) => Promise<string | null>;
  readonly now: () => number;
}

/** A log that is about to be written. */
export interface ReadyLog {
  readonly effect: LeasedEffect;
  readonly tenant: Tenant;
  readonly call: StoredCall;
  /** The call whose log this call goes on in, from this write on. */
  readonly takenOver: CallId | null;
  /** What there is to look at once it is written. */
  readonly later: readonly NewEffect[];
  readonly write: LogToWrite;
  /** Set for a call that no phone saw, where the CRM wants to be told of those. */
  readonly unseen?: { readonly candidates: readonly CrmAgent[]; readonly attempts: number };
}

/** What there is to do for one effect: a log to write, nothing (any more, or yet), or why it cannot be told. */
export type PreparedLog =
  | { readonly effect: LeasedEffect; readonly ready: ReadyLog }
  | { readonly effect: LeasedEffect; readonly delivered: Delivered }
  | { readonly effect: LeasedEffect; readonly error: unknown };

/** Reads what is to be written, for logs of one tenant; each is told for itself, since one may have to look for long. */
export async function prepareLogs(
  effects: readonly LeasedEffect[],
  parts: LogParts,
): Promise<readonly Promise<PreparedLog>[]> {
  const found = await parts.calls.readCalls(effects.map(({ callId }) => callId as CallId));
  const ofPages = [...found.values()].filter(({ call }) => {
    const crm = parts.tenants.find(call.tenant)?.crm;
    return crm !== undefined && hasPageLogs(crm);
  });
  const decided = await parts.creators.ofCalls(ofPages.map(callOf));
  return effects.map(async (effect): Promise<PreparedLog> => {
    try {
      return { effect, ...(await prepareLog(effect, found.get(effect.callId as CallId), { ...parts, decided })) };
    } catch (error) {
      return { effect, error };
    }
  });
}

type Prepared = { readonly ready: ReadyLog } | { readonly delivered: Delivered };

async function prepareLog(
  effect: LeasedEffect,
  found: CallWithEvents | undefined,
  parts: LogParts & PageLogParts,
): Promise<Prepared> {
  if (found === undefined || found.call.log === null) return { delivered: {} };
  if (!mayBelong(found.call)) return await prepareNone(effect, found, null, parts);
  const postponedTo = await waitForFate(found.call, effect.createdAt, parts);
  if (postponedTo !== null) return { delivered: { postponedTo } };
  const whose = await whoseLog(found, effect, parts);
  if (whose.is === 'open') return { delivered: { postponedTo: whose.lookAt } };
  if (whose.is === 'none') return await prepareNone(effect, found, whose.reason, parts);
  return await prepareOwn(effect, found, whose, parts);
}

/** Nothing is to be written for this call: what its page made all the same is taken away, or finished where it can't be. */
async function prepareNone(
  effect: LeasedEffect,
  found: CallWithEvents,
  reason: string | null,
  parts: LogParts & PageLogParts,
): Promise<Prepared> {
  const { call, events } = found;
  const nothing = { delivered: { log: { callId: call.callId, state: 'none', logId: null, reason } } } as const;
  const tenant = parts.tenants.find(effect.tenant);
  // What a person deleted is nobody's leftover, nor is a log that was written: another call goes on in it. A call that lives still has its page.
  if (tenant === undefined || call.logId !== null || call.log?.stage === 'live') return nothing;
  if (events.some(({ name }) => name === 'log.removed')) return nothing;
  const leftover = await leftoverOf(found, tenant, effect, parts);
  if (leftover.is === 'open') return { delivered: { postponedTo: leftover.lookAt } };
  if (leftover.logId === null) return { delivered: { ...nothing.delivered, effects: leftover.later } };
  return readyToWrite(effect, call, call.callId, leftover, parts);
}

/** The call is to be logged, and as this one. */
async function prepareOwn(
  effect: LeasedEffect,
  stored: CallWithEvents,
  whose: Extract<Whose, { readonly is: 'own' }>,
  parts: LogParts & PageLogParts,
): Promise<Prepared> {
  const { callId } = stored.call;
  const { tenant, crmAgent } = writerOf(effect, parts.tenants);
  const place = await pageLogOf(stored, whose.logId, whose.writtenAs, tenant, effect, parts);
  if (place.is === 'open') return { delivered: { postponedTo: place.lookAt } };
  let found = stored;
  if (found.call.log !== null && found.call.log.record === null) {
    const match = await onlyMatch(tenant, crmAgent, found.call.log, effect.attempts);
    // Kept before it is written: another search may find two, or none, and must not take the log off its record.
    if (match !== null) found = (await parts.recorder.keepOnlyMatch(callId, match)) ?? found;
  }
  const { call } = found;
  if (call.log === null || !mayBelong(call))
    return { delivered: { log: { callId, state: 'none', logId: null, reason: null } } };
  const log = await withMessage(call.log, tenant, parts);
  const { ready } = readyToWrite(effect, { ...call, log }, whose.writtenAs, place, parts);
  const isUnseen =
    isReportedCall(callId) &&
    call.log.direction === 'inbound' &&
    place.logId === null &&
    tenant.crm.reportUnseenCall !== undefined;
  return {
    ready: {
      ...ready,
      takenOver: whose.takenOver ? whose.writtenAs : null,
      ...(isUnseen
        ? { unseen: { candidates: await rangFor(call, parts), attempts: earlierAttempts(stored.call, effect) } }
        : {}),
    },
  };
}

/** With the words of the message that the caller left, where the customer keeps words. */
async function withMessage(log: CallLog, tenant: Tenant, parts: LogParts): Promise<CallLog> {
  const { voicemail } = log;
  if (voicemail === undefined || !tenant.config.transcripts.keep) return log;
  const text = await parts.saidIn(log.tenant, voicemail.id);
  return text === null ? log : { ...log, voicemail: { ...voicemail, text } };
}

function readyToWrite(
  effect: LeasedEffect,
  call: StoredCall,
  writtenAs: CallId,
  { logId, later }: { readonly logId: string | null; readonly later: readonly NewEffect[] },
  parts: LogParts,
): { readonly ready: ReadyLog } {
  const { tenant, crmAgent } = writerOf(effect, parts.tenants);
  if (call.log === null) throw new RangeError('A call without a log is not written.');
  const log = inTheCrm({ ...call.log, callId: writtenAs }, tenant.config.crm.kind);
  return { ready: { effect, tenant, call, takenOver: null, later, write: { log, agent: crmAgent, logId } } };
}

/** How many earlier attempts may have told the CRM of this call. */
function earlierAttempts(call: StoredCall, effect: LeasedEffect): number {
  return wasTried(call, effect) ? Math.max(1, effect.attempts - 1) : 0;
}

/** Everybody in whose phone the same call of the phone system rang. */
async function rangFor(call: StoredCall, parts: LogParts): Promise<readonly CrmAgent[]> {
  const conversation = call.log?.conversation;
  if (conversation === undefined) return [];
  const legs = await parts.calls.callsInConversation(call.tenant, conversation);
  const agents = new Set(legs.filter(({ log }) => log?.direction === 'inbound').map(({ agent }) => agent));
  return [...agents].flatMap((id) => {
    const agent = parts.tenants.agent(call.tenant, id)?.agent;
    return agent === undefined ? [] : [{ crmUserId: agent.crmUserId, name: agent.name }];
  });
}

/**
 * The log with what its CRM has records of. A colleague, a name out of a directory or of a number service is known to the agent, and is nothing a
 * log can go on: the name stays.
 */
function inTheCrm(log: CallLog, crm: CrmName): CallLog {
  const stays = (record: RecordRef | null | undefined): boolean =>
    record !== null &&
    record !== undefined &&
    record.object !== 'User' &&
    (record.crm === crm || (crm === 'memory' && record.object !== 'Caller'));
  const { about, record, ...rest } = log;
  const name = log.farSide.name ?? record?.name;
  return {
    ...rest,
    record: stays(record) ? record : null,
    ...(name === undefined || stays(record) ? {} : { farSide: { ...log.farSide, name } }),
    ...(about !== undefined && stays(about) ? { about } : {}),
  };
}

/** A reported call that a phone tells as well may have to finish a write that it began: `whose-log.ts` decides. */
function mayBelong({ callId, log }: StoredCall): boolean {
  return log !== null && (belongsInCrm(log) || (isReportedCall(callId) && log.joinedWith !== null));
}

/**
 * Writes prepared logs of one tenant: several together where the CRM takes batches.
 * @returns what became of each, in the order given
 */
export async function writeReady(logs: readonly ReadyLog[]): Promise<readonly LogWritten[]> {
  const [only] = logs;
  return only !== undefined && logs.length === 1 ? [await writeAlone(only)] : await writeTogether(logs);
}

async function writeTogether(logs: readonly ReadyLog[]): Promise<readonly LogWritten[]> {
  const crm = logs[0]?.tenant.crm;
  if (logs.length > 1 && crm?.writeLogs !== undefined) {
    try {
      return await crm.writeLogs(logs.map(({ write }) => write));
    } catch (error) {
      const known = asFailure(error);
      // Refused as a whole, which says nothing of any one of them: each is written for itself.
      if (known.retryable || known.code === 'crm.not-authentic') return logs.map(() => ({ error: known }));
    }
  }
  const written: LogWritten[] = [];
  for (const log of logs) written.push(await writeAlone(log));
  return written;
}

async function writeAlone({ tenant: { crm }, write: { log, agent, logId }, unseen }: ReadyLog): Promise<LogWritten> {
  try {
    return {
      logId:
        unseen === undefined || crm.reportUnseenCall === undefined
          ? await crm.writeLog(log, agent, logId)
          : await crm.reportUnseenCall(log, agent, unseen.candidates, { attempts: unseen.attempts }),
    };
  } catch (error) {
    return { error: asFailure(error) };
  }
}

/** A fault of ours may be gone after an update; it is tried again like an outage. */
function asFailure(error: unknown): PatchcordError {
  return errorCode(error) === 'internal'
    ? new PatchcordError('internal', 'The relay failed while delivering this; its log says more.', {
        retryable: true,
        cause: error,
      })
    : (error as PatchcordError);
}

/**
 * What follows from a written log.
 * @throws PatchcordError `crm.unavailable` when the CRM gave no id
 */
export function logSaved(
  { effect, tenant, call, takenOver, later, write }: ReadyLog,
  logId: string,
  now: number,
): Delivered {
  if (logId === '')
    throw new PatchcordError('crm.unavailable', 'The CRM took the log but gave no id for it.', { retryable: true });
  const { callId } = call;
  const kind = tenant.config.crm.kind;
  const logRecord: RecordRef = { crm: kind, object: logObject[kind], id: logId };
  const saved = relayEvent(
    effect.tenant,
    { name: 'log.saved', at: now, call: callId, data: { record: logRecord, logId } },
    `${callId}:log-saved-${call.version}`,
  );
  const ownEvents = [toStoredEvent(saved, effect.tenant, call.agent, now)];
  if (takenOver !== null) {
    const adopted = relayEvent(
      effect.tenant,
      { name: 'log.adopted', at: now, call: callId, data: { logId, writtenAs: takenOver } },
      `${callId}:log-adopted`,
    );
    ownEvents.unshift(toStoredEvent(adopted, effect.tenant, call.agent, now));
  }
  const { agent: agentId } = effect.payload as CrmLogPayload;
  // It was to go on in another log and could not: that one is a second by now, and looked at as such.
  const again =
    write.logId !== null && write.logId !== logId
      ? [{ ...crmLogEffect(effect.tenant, agentId, undefined, callId, now), payload: effect.payload }]
      : [];
  return {
    log: { callId, state: 'saved', logId, reason: null },
    ownEvents,
    effects: [...webhookEffects(tenant.config, ownEvents, now), ...again, ...later],
    tell: { agent: call.agent, event: saved },
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
async function onlyMatch(
  { crm, config: { country } }: Tenant,
  agent: CrmAgent,
  log: CallLog,
  attempts: number,
): Promise<RecordRef | null> {
  const number = log.farSide.e164 ?? toE164(log.farSide.number, country);
  if (number === null) return null;
  try {
    const matches = await crm.findByNumber(number, country, { urgent: false, agent });
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
