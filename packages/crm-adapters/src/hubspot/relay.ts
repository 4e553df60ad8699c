/**
 * Owns the relay half of the HubSpot adapter as one thing: how an account is reached, and which part answers what (HubSpot contract, section 2).
 * How a call becomes a call object stands in log-writer.ts, what the account says of itself in account.ts. Must never write a call by itself.
 */
import { type CallLog, PatchcordError } from '@patchcord/call-protocol';
import type { Fields } from '../last-written.ts';
import type { CrmAgent, CrmRelay, LogToWrite, LogWritten } from '../relay-contract.ts';
import type { RequestGate } from '../request-gate.ts';
import { accountOf } from './account.ts';
import { callProperties } from './call.ts';
import { callerSearch } from './callers.ts';
import { createHubSpotClient, type HubSpotOAuth } from './client.ts';
import { createLogWriter, logsAtOnce, recordTypes } from './log-writer.ts';
import { createMediaTeller } from './media.ts';
import { openWorkOf } from './open-work.ts';
import { createPageLogs } from './page-log.ts';
import { numbersOf } from './record-numbers.ts';
import { createSetUp } from './set-up.ts';
import { createUnseenCalls } from './unseen-call.ts';

export interface HubSpotRelayOptions {
  /** `https://api.hubapi.com` */
  readonly apiUrl: string;
  /** A token for every request, or the app's OAuth grant. */
  readonly accessToken: ((refused?: string) => Promise<string>) | HubSpotOAuth;
  readonly portalId: number | string;
  /** The app's id; makes recordings and transcripts of these calls possible. */
  readonly appId?: number | string;
  /** Where agents open HubSpot, for links. Default `https://app.hubspot.com`. */
  readonly uiUrl?: string;
  /** Our disposition value → HubSpot's outcome id, for values that are not a label of the account. */
  readonly dispositionIds?: Readonly<Record<string, string>>;
  /** The number that callers dial, E.164: named when an agent who has but an extension missed a call that no phone saw. */
  readonly mainNumber?: string;
  /** Internal name of the property of contacts and companies that says that somebody must not be called. */
  readonly doNotCallProperty?: string;
  /** How far apart a reported call is looked for, ms. Default 500. */
  readonly lookAgainMs?: number;
  readonly fetch?: typeof fetch;
  /** Deadline of one request, ms. Default 10,000. */
  readonly timeoutMs?: number;
  /** How long what the account says about itself is kept, ms. Default ten minutes. */
  readonly describeForMs?: number;
  /** Asked before every request; without one, requests go out at once. */
  readonly gate?: RequestGate;
  /** Hears, once each, what an administrator should know although calls are logged: scopes and properties that are missing. */
  readonly notice?: (text: string) => void;
}

/** How often a log is written anew after learning what changed in the account, a property or an owner each time. */
const mostRounds = 4;

const callTypeId = '0-48';

/** Connects the relay to one HubSpot account. Nothing is sent before the first call. */
export function createHubSpotRelay(options: HubSpotRelayOptions): CrmRelay {
  const keepMs = options.describeForMs ?? 600_000;
  const uiUrl = (options.uiUrl ?? 'https://app.hubspot.com').replace(/\/$/, '');
  const told = new Set<string>();
  const notice = (text: string): void => {
    if (told.has(text)) return;
    told.add(text);
    options.notice?.(text);
  };
  const client = createHubSpotClient({
    apiUrl: options.apiUrl,
    accessToken: options.accessToken,
    timeoutMs: options.timeoutMs ?? 10_000,
    shutOut: notice,
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
    ...(options.gate === undefined ? {} : { gate: options.gate }),
  });
  const account = accountOf({ client, keepMs, notice });
  const callers = callerSearch({ client, account, doNotCall: options.doNotCallProperty ?? null });
  const work = openWorkOf({ client, keepMs, notice });

  const appId = options.appId === undefined ? null : String(options.appId);
  async function wantedOf(log: CallLog, agent: CrmAgent): Promise<Fields> {
    const [properties, ownerId] = await Promise.all([account.callProperties(), account.ownerOf(agent)]);
    return callProperties(log, { properties, ownerId, appId, dispositionIds: options.dispositionIds ?? {} });
  }
  const writer = createLogWriter({ client, wantedOf });
  const pageLogs = createPageLogs({
    client,
    appId,
    editable: async () => (await account.callProperties()).editable,
    notice,
  });

  /** Once more with what the account turns out to be like by now: somebody deleted a property, an option or an owner meanwhile. */
  async function knowingBetter(error: unknown, { log, agent, logId }: LogToWrite): Promise<string> {
    let refusal = error;
    for (let round = 1; round <= mostRounds && account.learn(refusal, agent); round += 1) {
      try {
        return await writer.writeLog(log, agent, logId);
      } catch (again) {
        refusal = again;
      }
    }
    throw refusal;
  }

  async function writeLog(log: CallLog, agent: CrmAgent, logId: string | null): Promise<string> {
    try {
      return await writer.writeLog(log, agent, logId);
    } catch (error) {
      return await knowingBetter(error, { log, agent, logId });
    }
  }

  return {
    crm: 'hubspot',
    can: { atomicLog: false, recordings: options.appId !== undefined, batch: logsAtOnce },
    findByNumber: (number, country, { urgent = true, agent } = {}) => callers.find(number, country, { urgent, agent }),
    relatedTo: (record) => work.relatedTo(record),
    numbersOf: (record, options) => numbersOf(record, client, options),
    writeLog,
    ...pageLogs,
    ...createSetUp({ client, account, callers, appId }),
    reportUnseenCall: createUnseenCalls({
      client,
      isLogged: writer.isLogged,
      writeLog,
      findPageLogs: pageLogs.findPageLogs,
      wantedOf,
      mainNumber: options.mainNumber ?? null,
      ...(options.lookAgainMs === undefined ? {} : { betweenLooksMs: options.lookAgainMs }),
    }),
    async writeLogs(batch) {
      const written = await writer.writeLogs(batch);
      const results: LogWritten[] = [];
      for (const [index, one] of written.entries()) {
        const asked = batch[index];
        results.push('error' in one && asked !== undefined ? await settled(knowingBetter(one.error, asked)) : one);
      }
      return results;
    },
    // Both belong to calls that carry the app's id.
    ...(options.appId === undefined ? {} : createMediaTeller(client)),
    linkTo(record) {
      const typeId = record.object === 'call' ? callTypeId : (recordTypes[record.object]?.typeId ?? record.object);
      return `${uiUrl}/contacts/${options.portalId}/record/${encodeURIComponent(typeId)}/${encodeURIComponent(record.id)}`;
    },
  };
}

async function settled(writing: Promise<string>): Promise<LogWritten> {
  try {
    return { logId: await writing };
  } catch (error) {
    if (error instanceof PatchcordError) return { error };
    throw error;
  }
}
