/**
 * Owns telling HubSpot of an inbound call that no phone of ours saw, by its inbound-call endpoint: HubSpot makes the call object then and tells its
 * people (HubSpot contract, section 2.6). HubSpot does not say whether it knows a repeat, so our unique property goes along and is looked for before
 * anything is sent again. Must never report a call twice while the first report may still show, nor more than twice at all.
 */
import { type CallLog, PatchcordError } from '@patchcord/call-protocol';
import { type Fields, toStored } from '../last-written.ts';
import { fromAndTo } from '../log-words.ts';
import type { CrmAgent } from '../relay-contract.ts';
import { finalStatus, isRecordId, keyProperty, writtenProperty } from './call.ts';
import type { HubSpotClient } from './client.ts';
import type { LogWriter } from './log-writer.ts';
import { madeByHubSpot, type PageLogs } from './page-log.ts';

/** How often, and how far apart in ms, a reported call is looked for before that is left to a later attempt. */
const looks = 4;
const betweenLooksMs = 500;
/** Then HubSpot's index has had time as well. */
const laterMs = 30_000;
/** Reports of one call: after these it is logged like any other. */
const mostReports = 2;
/** Calls whose reports are counted. */
const rememberedCalls = 1_000;
/** An endpoint that this account's app may not use is asked again after this long. */
const refusedForMs = 3_600_000;

export function createUnseenCalls(options: {
  readonly client: HubSpotClient;
  readonly isLogged: LogWriter['isLogged'];
  readonly writeLog: LogWriter['writeLog'];
  readonly findPageLogs: PageLogs['findPageLogs'];
  readonly wantedOf: (log: CallLog, agent: CrmAgent) => Promise<Fields>;
  /** The number that callers dial, E.164: of agents who have but an extension. */
  readonly mainNumber: string | null;
  readonly betweenLooksMs?: number;
}): (
  log: CallLog,
  agent: CrmAgent,
  candidates: readonly CrmAgent[],
  before?: { readonly attempts?: number },
) => Promise<string> {
  const { client, isLogged, writeLog, findPageLogs, wantedOf, mainNumber } = options;
  const pauseMs = options.betweenLooksMs ?? betweenLooksMs;
  let refusedUntil = 0;
  /** How often each call was reported from here. */
  const reports = new Map<string, number>();

  function count(callId: string): void {
    const before = reports.get(callId) ?? 0;
    reports.delete(callId);
    reports.set(callId, before + 1);
    const oldest = reports.size > rememberedCalls ? reports.keys().next().value : undefined;
    if (oldest !== undefined) reports.delete(oldest);
  }

  /** Into what HubSpot made of a report, whatever became of the property we sent along; else by our key. */
  async function writeWhatIsThere(log: CallLog, agent: CrmAgent): Promise<string> {
    const [found = null] = await findPageLogs(log.callId);
    return await writeLog(log, agent, found);
  }

  /** Looks for the call by our key, for a bounded time. */
  async function shows(log: CallLog, times: number): Promise<boolean> {
    for (let look = 1; ; look += 1) {
      if (await isLogged(log)) return true;
      if (look >= times) return false;
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  return async (log, agent, candidates, before = {}) => {
    const report = reportOf(log, agent, candidates, mainNumber);
    if (report === null || Date.now() < refusedUntil) return await writeLog(log, agent, null);
    const attempts = Math.max(before.attempts ?? 0, reports.get(log.callId) ?? 0);
    if (await shows(log, attempts > 0 ? looks : 1)) return await writeLog(log, agent, null);
    if (attempts >= mostReports) return await writeWhatIsThere(log, agent);
    if (attempts > 0) {
      // Whatever became of the property we sent along, HubSpot knows the call by its own.
      const [found] = await findPageLogs(log.callId);
      if (found !== undefined) return await writeLog(log, agent, found);
    }
    const wanted = await wantedOf(log, agent);
    const given = Object.entries(wanted).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]]));
    const engagementProperties = {
      ...Object.fromEntries(given),
      [keyProperty]: log.callId,
      [writtenProperty]: toStored(madeByHubSpot),
    };
    count(log.callId);
    const answer = await client.request(
      'POST',
      '/crm/v3/extensions/calling/inbound-call',
      { ...report, engagementProperties },
      'to report a call that no phone saw',
      [400, 403, 404, 405, 409],
    );
    if (answer.status >= 400) {
      // Not for this app, or not in this form: then the call is logged like any other, by its key.
      // A refusal of this call may be that of a repeat.
      if (answer.status === 400 || answer.status === 409) return await writeWhatIsThere(log, agent);
      refusedUntil = Date.now() + refusedForMs;
      return await writeLog(log, agent, null);
    }
    if (!(await shows(log, looks)))
      throw new PatchcordError(
        'crm.unavailable',
        'HubSpot took the report of a call and does not show it yet. It is looked for again.',
        { retryable: true, retryAfterMs: laterMs },
      );
    return await writeLog(log, agent, null);
  };
}

/** What the endpoint takes, without the properties; null for a call it has no place for: it is for inbound calls between numbers. */
function reportOf(
  log: CallLog,
  agent: CrmAgent,
  candidates: readonly CrmAgent[],
  mainNumber: string | null,
): Record<string, unknown> | null {
  const { from, to } = fromAndTo(log);
  const called = isE164(to)
    ? { e164Number: to }
    : mainNumber === null
      ? null
      : { e164Number: mainNumber, extension: to };
  if (log.direction !== 'inbound' || !isE164(from) || called === null || log.outcome === null) return null;
  const userOf = ({ crmUserId }: CrmAgent): readonly number[] => (isRecordId(crmUserId) ? [Number(crmUserId)] : []);
  const [user] = userOf(agent);
  return {
    externalCallId: log.callId,
    createEngagement: true,
    finalCallStatus: finalStatus(log),
    fromNumber: { e164Number: from, phoneNumberType: 'UNKNOWN' },
    toNumber: { ...called, phoneNumberType: 'UNKNOWN' },
    potentialRecipientUserIds: [...new Set([agent, ...candidates].flatMap(userOf))],
    // Only who answered is the user of the call.
    ...(user === undefined || log.answeredAt === null ? {} : { userId: user }),
    callStartedTimestamp: new Date(log.startedAt).toISOString(),
    // Seconds here, milliseconds everywhere else in HubSpot.
    durationSeconds: Math.max(0, Math.round(log.talkMs / 1000)),
  };
}

function isE164(number: string): boolean {
  return /^\+[1-9]\d{6,14}$/.test(number);
}
