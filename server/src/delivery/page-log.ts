/**
 * Who makes a call's log where a CRM's own page can make it too, and which of several logs of a call is its one. Decided and stored before the first
 * attempt; what a phone or the CRM tells of a log's id counts once it was looked up. Owns the waiting for a page that says nothing, the take-over, the
 * later looks after one, and what becomes of a second log. Must never write a log, nor believe an id that it has not looked up.
 */
import { type CallId, errorCode, type WireEvent } from '@patchcord/call-protocol';
import type { CrmRelay } from '@patchcord/crm-adapters/relay';
import type { Alert } from '../alerts.ts';
import { doubtEffect, secondLookEffects } from '../call-log/effects.ts';
import type {
  CallWithEvents,
  CreatorOf,
  LeasedEffect,
  LogCreatorRow,
  LogCreatorStore,
  NewEffect,
} from '../store/contract.ts';
import type { Tenant } from '../tenants.ts';

/** What a phone may name at most; who names more is not asking for one log. */
const mostTold = 5;
const defaultGraceMs = 60_000;

export type PageLog =
  /** Go on in this log; with null the relay makes it. Then there may be something to look at later. */
  | { readonly is: 'known'; readonly logId: string | null; readonly later: readonly NewEffect[] }
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

type PageCrm = CrmRelay & Required<Pick<CrmRelay, 'findPageLogs' | 'isLogOf' | 'removeSecondLog'>>;

/** Whether this CRM's own page can make logs. */
export function hasPageLogs(crm: CrmRelay): crm is PageCrm {
  return crm.findPageLogs !== undefined && crm.isLogOf !== undefined && crm.removeSecondLog !== undefined;
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
  if (!hasPageLogs(crm)) return { is: 'known', logId: known, later: [] };
  const told = toldLogs(found.events);
  const row =
    parts.decided.get(found.call.callId) ??
    // Nobody asked. A page that made a log all the same was first.
    (await parts.creators.decide(callOf(found), told.length > 0 ? 'page' : 'relay', parts.now()));
  if (known !== null) {
    const kept = { logId: known, callId: knownAs };
    return { is: 'known', logId: known, later: await withoutSeconds(found, told, row, kept, tenant, crm, parts) };
  }
  const place = await undecided(found, told, row, tenant, crm, effect, parts);
  if (place.is === 'open') return place;
  const { logId, tooMany, later } = place;
  if (logId === null) return { is: 'known', logId, later };
  const kept = { logId, callId: found.call.callId };
  const seconds = [...told, ...tooMany.map((one) => ({ logId: one, byCrm: true, byPhone: false }))];
  return {
    is: 'known',
    logId,
    later: [...later, ...(await withoutSeconds(found, seconds, row, kept, tenant, crm, parts))],
  };
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
  if (!hasPageLogs(crm) || row === undefined || (row.creator === 'relay' && row.fate === 'open' && told.length === 0))
    return { is: 'known', logId: null, later: [] };
  const place = await undecided(found, told, row, tenant, crm, effect, parts);
  if (place.is === 'open') return place;
  const { later } = place;
  let left: string | null = null;
  for (const logId of place.logId === null ? [] : [place.logId, ...place.tooMany]) {
    const before = row.others[logId];
    const isDone = before === 'removed' || before === 'left';
    const what = isDone ? before : await takeAway(found, logId, null, crm, parts);
    if (what === 'left') left ??= logId;
  }
  return { is: 'known', logId: left, later };
}

/**
 * Looks once more for logs of a call that its page made late, long after the relay had to make one.
 * @returns ids that nobody spoke of yet
 * @throws PatchcordError `crm.*`
 */
export async function lateLogs(
  found: CallWithEvents,
  tenant: Tenant,
  creators: LogCreatorStore,
): Promise<readonly string[]> {
  const { crm } = tenant;
  const { callId, logId } = found.call;
  if (!hasPageLogs(crm)) return [];
  const others = (await creators.ofCalls([callOf(found)])).get(callId)?.others ?? {};
  const told = toldLogs(found.events).filter(({ byCrm }) => byCrm);
  const known = new Set([logId, ...told.map((one) => one.logId)]);
  for (const [id, what] of Object.entries(others)) if (what === 'removed' || what === 'left') known.add(id);
  return (await crm.findPageLogs(callId)).filter((id) => !known.has(id)).slice(0, mostTold);
}

type Undecided =
  | Extract<PageLog, { readonly is: 'open' }>
  | (Extract<PageLog, { readonly is: 'known' }> & {
      /** What the page made beside it. */
      readonly tooMany: readonly string[];
    });

/** A call that has no log yet. */
async function undecided(
  found: CallWithEvents,
  told: readonly Told[],
  row: LogCreatorRow,
  tenant: Tenant,
  crm: PageCrm,
  effect: LeasedEffect,
  parts: PageLogParts,
): Promise<Undecided> {
  const { creators, now } = parts;
  const { callId } = found.call;
  const call = callOf(found);
  const known = (
    logId: string | null,
    tooMany: readonly string[] = [],
    later: readonly NewEffect[] = [],
  ): Undecided => ({
    is: 'known',
    logId,
    tooMany,
    later,
  });
  if (row.pageLogId !== null) return known(row.others[row.pageLogId] === 'removed' ? null : row.pageLogId);
  const looked = new Map<string, boolean | null>();
  for (const one of told) {
    if (!isOpen(row, one)) continue;
    const its = await crm.isLogOf(one.logId, callId);
    looked.set(one.logId, its);
    if (its !== true) continue;
    const kept = row.creator === 'page' ? await creators.made(call, one.logId) : null;
    return known(kept?.pageLogId ?? one.logId);
  }
  let fate = row.fate;
  let isOver = false;
  if (row.creator === 'page') {
    const refused = told.length === 0 && found.events.some(saysForCertain);
    const graceEnds = effect.createdAt + graceMs(tenant);
    isOver = now() >= graceEnds;
    // What was named and is not this call's may be on its way to be, and who only said nothing may still make one: the page has its time.
    if (!refused && !isOver) return { is: 'open', lookAt: graceEnds };
    const [logId, ...tooMany] = await crm.findPageLogs(callId);
    if (logId !== undefined) return known((await creators.made(call, logId))?.pageLogId ?? logId, tooMany);
    const kept = await creators.takeOver(call, refused ? 'not-made' : told.length > 0 ? 'foreign' : 'silent');
    if (kept?.pageLogId != null) return known(kept.pageLogId);
    fate = kept?.fate ?? fate;
  }
  const later = fate === 'open' ? [] : secondLookEffects(found.call.tenant, callId, now());
  for (const one of told)
    if (looked.has(one.logId))
      later.push(...(await doubt(found, one, looked.get(one.logId) ?? null, row, tenant, parts, isOver)));
  return known(null, [], later);
}

/** Whether a log that was named needs a look (again). */
function isOpen({ others }: LogCreatorRow, { logId, byCrm }: Told): boolean {
  const before = others[logId];
  return before === undefined || before.startsWith('doubted') || (byCrm && (before === 'foreign' || before === 'gone'));
}

function saysForCertain(event: WireEvent): boolean {
  return event.name === 'log.not-created' && event.data.certain === true;
}

/**
 * A log that was named and is not this call's: it may be on its way to be, so that it is looked at again when the page had its time, and only then
 * somebody is told.
 * @param its What the look said: false, or null where there is no such log
 * @returns when to look again
 */
async function doubt(
  found: CallWithEvents,
  { logId, byCrm, byPhone }: Told,
  its: boolean | null,
  { others }: LogCreatorRow,
  tenant: Tenant,
  { creators, now, raise }: PageLogParts,
  isOver = false,
): Promise<readonly NewEffect[]> {
  const call = callOf(found);
  const before = others[logId];
  const since = before?.startsWith('doubted') ? Number(before.split(' ')[1]) : now();
  const until = since + graceMs(tenant);
  const wasSettled = before === 'foreign' || before === 'gone';
  if (!wasSettled && !isOver && now() < until) {
    if (before === undefined) await creators.noteOther(call, logId, `doubted ${since}`);
    return [doubtEffect(call.tenant, call.callId, until)];
  }
  // Where there is none any more nobody named what is not theirs: somebody deleted it.
  if (its === false && byPhone && !wasSettled)
    await raise({
      ...alertOf(found, logId),
      kind: 'log.foreign',
      message:
        'A phone named a log in the CRM that was not made for its call. It was left alone, and the call is logged by itself. If this happens again, look at that phone.',
    });
  await creators.noteOther(call, logId, byCrm ? 'stranger' : its === null ? 'gone' : 'foreign');
  return [];
}

/**
 * Takes away what else was told to be a log of this call; what can't be taken away is an administrator's matter.
 * @returns when to look again
 */
async function withoutSeconds(
  found: CallWithEvents,
  told: readonly Told[],
  row: LogCreatorRow,
  kept: { readonly logId: string; readonly callId: CallId },
  tenant: Tenant,
  crm: PageCrm,
  parts: PageLogParts,
): Promise<readonly NewEffect[]> {
  const named = new Map<string, Told>();
  const ofPage = row.pageLogId === null ? [] : [{ logId: row.pageLogId, byCrm: true, byPhone: false }];
  for (const one of [...told, ...ofPage]) {
    const before = named.get(one.logId);
    const both = {
      ...one,
      byCrm: one.byCrm || before?.byCrm === true,
      byPhone: one.byPhone || before?.byPhone === true,
    };
    if (one.logId !== kept.logId && isOpen(row, both)) named.set(one.logId, both);
  }
  if (named.size === 0) return [];
  // Only beside a log that stands: a person may have deleted it, and then the other one is all there is.
  const stands = (await crm.isLogOf(kept.logId, kept.callId)) === true;
  const later: NewEffect[] = [];
  for (const one of named.values()) {
    const its = await crm.isLogOf(one.logId, found.call.callId);
    if (its !== true) later.push(...(await doubt(found, one, its, row, tenant, parts)));
    else if (stands) await takeAway(found, one.logId, kept.logId, crm, parts);
    else await leave(found, one.logId, parts, onlyOneLeft);
  }
  return later;
}

const compareTwo =
  'The CRM holds a second log of a call. It was not taken away, because somebody may have written in it, or the app may not delete it. Compare the two and delete one.';
const onlyOneLeft =
  'The log of a call that the relay wrote was deleted in the CRM, and another log of the same call, which the CRM’s page made, still stands. It is the only one left and stays as it is; delete it as well if the call is to have none.';
const notWanted =
  'The CRM’s page made a log for a call that gets none, because it is told elsewhere. It was not taken away, because somebody may have written in it, or the app may not delete it. It is finished; look whether it is wanted.';

async function takeAway(
  found: CallWithEvents,
  logId: string,
  kept: string | null,
  crm: PageCrm,
  parts: PageLogParts,
): Promise<'removed' | 'left'> {
  let removed = false;
  try {
    removed = await crm.removeSecondLog(logId, found.call.callId, kept);
  } catch (error) {
    // Not allowed to: it stays, and the log that counts need not wait for that.
    if (errorCode(error) !== 'crm.invalid') throw error;
  }
  if (!removed) {
    await leave(found, logId, parts, kept === null ? notWanted : compareTwo);
    return 'left';
  }
  await parts.creators.noteOther(callOf(found), logId, 'removed');
  return 'removed';
}

async function leave(found: CallWithEvents, logId: string, parts: PageLogParts, message: string): Promise<void> {
  await parts.raise({ ...alertOf(found, logId), kind: 'log.second', message });
  await parts.creators.noteOther(callOf(found), logId, 'left');
}

function alertOf({ call }: CallWithEvents, logId: string): Pick<Alert, 'tenant' | 'agent' | 'data' | 'about'> {
  return {
    tenant: call.tenant,
    agent: call.agent,
    data: { callId: call.callId, logId, ...(call.logId === null ? {} : { keptLogId: call.logId }) },
    about: `${call.callId} ${logId}`,
  };
}

interface Told {
  readonly logId: string;
  /** The CRM itself said so, and not only a phone. */
  readonly byCrm: boolean;
  readonly byPhone: boolean;
}

/** What the phone or the CRM said that the page made, in no order that matters. One that the relay adopted itself is not among them. */
function toldLogs(events: readonly WireEvent[]): readonly Told[] {
  const told = new Map<string, Told>();
  for (const event of events) {
    const byCrm = event.name === 'log.adopted' && event.data.writtenAs === undefined;
    if (event.name !== 'log.created' && !byCrm) continue;
    const { logId } = event.data;
    const before = told.get(logId);
    const byPhone = !byCrm || before?.byPhone === true;
    told.set(logId, { logId, byCrm: byCrm || before?.byCrm === true, byPhone });
  }
  // The CRM's own word goes before what a phone may name without end.
  const [ofCrm, ofPhones] = [true, false].map((byCrm) => [...told.values()].filter((one) => one.byCrm === byCrm));
  return [...(ofCrm ?? []), ...(ofPhones ?? [])].slice(0, mostTold);
}

/** The call as its decision is kept. */
export function callOf({ call: { tenant, agent, callId } }: CallWithEvents): CreatorOf {
  return { tenant, agent, callId };
}

function graceMs({ config: { crm } }: Tenant): number {
  return crm.kind === 'hubspot' ? crm.pageLogGraceMs : defaultGraceMs;
}
