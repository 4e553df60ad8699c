/**
 * Who makes a call's log where a CRM's own page can make it too, and which of several logs of a call is its one. Decided and stored before the first
 * attempt; what a phone or the CRM tells of a log's id counts once it was looked up. Owns the waiting for a page that says nothing, the take-over,
 * and what becomes of a second log. Must never write a log, nor believe an id that it has not looked up.
 */
import { type CallId, errorCode, type WireEvent } from '@patchcord/call-protocol';
import type { CrmRelay } from '@patchcord/crm-adapters/relay';
import type { Alert } from '../alerts.ts';
import type { CallWithEvents, CreatorOf, LeasedEffect, LogCreatorRow, LogCreatorStore } from '../store/contract.ts';
import type { Tenant } from '../tenants.ts';

/** What a phone may name at most; who names more is not asking for one log. */
const mostTold = 5;
const defaultGraceMs = 60_000;

export type PageLog =
  /** Go on in this log; with null the relay makes it. */
  | { readonly is: 'known'; readonly logId: string | null }
  /** Not known yet: look again then, epoch ms. */
  | { readonly is: 'open'; readonly lookAt: number };

export interface PageLogParts {
  readonly creators: LogCreatorStore;
  /** What was decided of these calls, read together. */
  readonly decided: ReadonlyMap<CallId, LogCreatorRow>;
  readonly now: () => number;
  /** Told what an administrator should know. */
  readonly raise: (alert: Alert) => Promise<unknown>;
}

type PageCrm = CrmRelay & Required<Pick<CrmRelay, 'findPageLog' | 'isLogOf' | 'removeSecondLog'>>;

/** Whether this CRM's own page can make logs. */
export function hasPageLogs(crm: CrmRelay): crm is PageCrm {
  return crm.findPageLog !== undefined && crm.isLogOf !== undefined && crm.removeSecondLog !== undefined;
}

/**
 * Where the log of a call that is to be logged goes.
 * @param known The log it has already: by our own table, or one that another call wrote and that this one takes over
 * @param knownAs The call that log was written for
 * @throws PatchcordError `crm.*`: try again
 */
export async function pageLogOf(
  found: CallWithEvents,
  known: string | null,
  knownAs: CallId,
  tenant: Tenant,
  effect: LeasedEffect,
  parts: PageLogParts,
): Promise<PageLog> {
  const { crm } = tenant;
  if (!hasPageLogs(crm)) return { is: 'known', logId: known };
  const told = toldLogs(found.events);
  const row =
    parts.decided.get(found.call.callId) ??
    // Nobody asked. A page that made a log all the same was first.
    (await parts.creators.decide(callOf(found), told.length > 0 ? 'page' : 'relay', parts.now()));
  const place: PageLog =
    known === null ? await undecided(found, told, row, crm, tenant, effect, parts) : { is: 'known', logId: known };
  if (place.is === 'open' || place.logId === null) return place;
  const kept = { logId: place.logId, callId: known === null ? found.call.callId : knownAs };
  await withoutSeconds(found, told, row, kept, crm, parts);
  return place;
}

/**
 * What becomes of a log that the page made for a call that gets none: another device or a colleague told it, or it went up in another call.
 * @returns a log to finish after all, because it can't be taken away; null when nothing is left to do
 */
export async function leftoverOf(
  found: CallWithEvents,
  tenant: Tenant,
  effect: LeasedEffect,
  parts: PageLogParts,
): Promise<PageLog> {
  const { crm } = tenant;
  const row = parts.decided.get(found.call.callId);
  const told = toldLogs(found.events);
  if (!hasPageLogs(crm) || row === undefined || (row.creator === 'relay' && told.length === 0))
    return { is: 'known', logId: null };
  const place = await undecided(found, told, row, crm, tenant, effect, parts);
  if (place.is === 'open' || place.logId === null) return place;
  const { logId } = place;
  const before = row.others[logId];
  const what = before ?? (await takeAway(found, logId, crm, parts));
  return { is: 'known', logId: what === 'removed' || what === 'foreign' ? null : logId };
}

/** A call that has no log yet. */
async function undecided(
  found: CallWithEvents,
  told: readonly string[],
  row: LogCreatorRow,
  crm: PageCrm,
  tenant: Tenant,
  effect: LeasedEffect,
  parts: PageLogParts,
): Promise<PageLog> {
  const { creators, now } = parts;
  const { callId } = found.call;
  const call = callOf(found);
  if (row.pageLogId !== null)
    return { is: 'known', logId: row.others[row.pageLogId] === 'removed' ? null : row.pageLogId };
  for (const logId of told) {
    if (row.others[logId] !== undefined || !(await crm.isLogOf(logId, callId))) continue;
    const kept = row.creator === 'page' ? await creators.made(call, logId) : null;
    return { is: 'known', logId: kept?.pageLogId ?? logId };
  }
  if (row.creator === 'page') {
    const refused = told.length === 0 && found.events.some(({ name }) => name === 'log.not-created');
    const graceEnds = effect.createdAt + graceMs(tenant);
    // What was named and is not this call's may be on its way to be: the page has its time.
    if (!refused && now() < graceEnds) return { is: 'open', lookAt: graceEnds };
    const logId = await crm.findPageLog(callId);
    if (logId !== null) return { is: 'known', logId: (await creators.made(call, logId))?.pageLogId ?? logId };
    const kept = await creators.takeOver(call, refused ? 'not-made' : told.length > 0 ? 'foreign' : 'silent');
    if (kept?.pageLogId != null) return { is: 'known', logId: kept.pageLogId };
  }
  for (const logId of told) if (row.others[logId] === undefined) await refuse(found, logId, parts);
  return { is: 'known', logId: null };
}

/** Takes away what else was told to be a log of this call; what can't be taken away is an administrator's matter. */
async function withoutSeconds(
  found: CallWithEvents,
  told: readonly string[],
  row: LogCreatorRow,
  kept: { readonly logId: string; readonly callId: CallId },
  crm: PageCrm,
  parts: PageLogParts,
): Promise<void> {
  const named = [...told, ...(row.pageLogId === null ? [] : [row.pageLogId])];
  const seconds = [...new Set(named)].filter((logId) => logId !== kept.logId && row.others[logId] === undefined);
  if (seconds.length === 0) return;
  // Only beside a log that stands: a person may have deleted it, and then the other one is all there is.
  const stands = await crm.isLogOf(kept.logId, kept.callId);
  for (const logId of seconds) {
    if (!(await crm.isLogOf(logId, found.call.callId))) await refuse(found, logId, parts);
    else if (stands) await takeAway(found, logId, crm, parts);
    else await leave(found, logId, parts);
  }
}

async function takeAway(
  found: CallWithEvents,
  logId: string,
  crm: PageCrm,
  parts: PageLogParts,
): Promise<'removed' | 'left'> {
  let removed = false;
  try {
    removed = await crm.removeSecondLog(logId, found.call.callId);
  } catch (error) {
    // Not allowed to: it stays, and the log that counts need not wait for that.
    if (errorCode(error) !== 'crm.invalid') throw error;
  }
  if (!removed) {
    await leave(found, logId, parts);
    return 'left';
  }
  await parts.creators.noteOther(callOf(found), logId, 'removed');
  return 'removed';
}

async function leave(found: CallWithEvents, logId: string, parts: PageLogParts): Promise<void> {
  await parts.raise({
    ...alertOf(found, logId),
    kind: 'log.second',
    message:
      'The CRM holds a second log of a call. It was not taken away, because somebody may have written in it. Compare the two and delete one.',
  });
  await parts.creators.noteOther(callOf(found), logId, 'left');
}

async function refuse(found: CallWithEvents, logId: string, parts: PageLogParts): Promise<void> {
  await parts.raise({
    ...alertOf(found, logId),
    kind: 'log.foreign',
    message:
      'A phone named a log in the CRM that was not made for its call. It was left alone, and the call is logged by itself. If this happens again, look at that phone.',
  });
  await parts.creators.noteOther(callOf(found), logId, 'foreign');
}

function alertOf({ call }: CallWithEvents, logId: string): Pick<Alert, 'tenant' | 'agent' | 'data' | 'about'> {
  return {
    tenant: call.tenant,
    agent: call.agent,
    data: { callId: call.callId, logId, ...(call.logId === null ? {} : { keptLogId: call.logId }) },
    about: `${call.callId} ${logId}`,
  };
}

/** What the phone or the CRM said that the page made, in no order that matters. One that the relay adopted itself is not among them. */
function toldLogs(events: readonly WireEvent[]): readonly string[] {
  const told = events.flatMap((event) =>
    event.name === 'log.created' || (event.name === 'log.adopted' && event.data.writtenAs === undefined)
      ? [event.data.logId]
      : [],
  );
  return [...new Set(told)].slice(0, mostTold);
}

/** The call as its decision is kept. */
export function callOf({ call: { tenant, agent, callId } }: CallWithEvents): CreatorOf {
  return { tenant, agent, callId };
}

function graceMs({ config: { crm } }: Tenant): number {
  return crm.kind === 'hubspot' ? crm.pageLogGraceMs : defaultGraceMs;
}
