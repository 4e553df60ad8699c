/**
 * Owns the relay half of the Salesforce adapter as one thing: how an org is reached, and whose eyes a caller is looked up with (Salesforce
 * contract, sections 3.1, 3.3 and 3.4). How a call becomes a Task stands in log-writer.ts. Must never write, and must never show an agent
 * more than Salesforce shows them.
 */
import { type Extension, type Match, PatchcordError } from '@patchcord/call-protocol';
import type { CrmAgent, CrmRelay } from '../relay-contract.ts';
import type { GatedRequest, RequestGate } from '../request-gate.ts';
import { agentsOf, type Voice } from './agents.ts';
import { isObject, listOf, text } from './composite.ts';
import { connectToSalesforce, type OrgDoor } from './connection.ts';
import { createLogWriter, logsAtOnce } from './log-writer.ts';
import { isOrgAddress } from './oauth.ts';
import { openWorkOf, relatedWork } from './open-work.ts';
import { escapeSoql, type OrgKnowledge } from './org.ts';
import { refusalBehind } from './refusals.ts';
import { ranked, type SearchableObject, searchableOf, searchedObjects, sosl } from './search.ts';
import { jwtSignIn, type Session } from './sign-in.ts';
import { isSalesforceId } from './task.ts';
import { transcriptWriter } from './transcript.ts';

interface OrgOptions {
  /** `https://login.salesforce.com`, `https://test.salesforce.com` or the org's My Domain. */
  readonly loginUrl: string;
  /** Where agents open the org, for links; the address the org gives at sign-in when absent. */
  readonly instanceUrl?: string;
  /** Deadline of one request, ms. Default 10,000. */
  readonly timeoutMs?: number;
  /** IANA zone in which a call's day is counted where the org does not tell the agent's. Default `UTC`. */
  readonly timeZone?: string;
  /** The address that plays the recording of the call whose id is put at its end. */
  readonly recordingPage?: string;
  /** Namespace of the installed package, without underscores; absent when deployed from source. */
  readonly namespace?: string;
  /** How long what the org says about itself is kept, ms. Default one hour. */
  readonly describeForMs?: number;
  /** Sent with every request, asked for each time: a trace that goes on. */
  readonly headers?: () => Readonly<Record<string, string>>;
  /** Asked before every request; without one, requests go out at once. */
  readonly gate?: RequestGate;
  /** Hears, once each, what an administrator should know although calls are logged: rights and fields that are missing. */
  readonly notice?: (text: string) => void;
}

/** An org reached with a key: as the integration user, and in the agents' names. */
export interface SalesforceKeyOptions extends OrgOptions {
  /** Consumer key of the External Client App. */
  readonly clientId: string;
  /** Private key that belongs to the certificate of the External Client App, PEM. */
  readonly privateKeyPem: string;
  /** User name of the integration user. */
  readonly username: string;
  /** In whose name callers are looked up and calls are written. Default `agent`. */
  readonly actAs?: 'agent' | 'integration';
  readonly accessToken?: undefined;
}

/** An org that an administrator connected on its OAuth page: everything happens as the user who said yes. */
export interface SalesforceTokenOptions extends OrgOptions {
  /** A token and where it is good, asked before each request; `refused` is one that the org no longer takes, or null. */
  readonly accessToken: (refused: string | null) => Promise<Session>;
  readonly actAs?: 'agent' | 'integration';
  readonly clientId?: string;
  readonly privateKeyPem?: undefined;
  readonly username?: undefined;
}

export type SalesforceRelayOptions = SalesforceKeyOptions | SalesforceTokenOptions;

/** Beyond this share of the day's API calls only what nobody can do without is asked. */
const sparingFrom = 0.8;
const mostColleagues = 20;
/** How often a look-up is repeated without what is hidden from the agent, a field or an object each time. */
const mostRounds = 12;

/**
 * Connects the relay to one org. Nothing is sent before the first call.
 * @throws PatchcordError `config.invalid` when the private key cannot be read
 */
export function createSalesforceRelay(options: SalesforceRelayOptions): CrmRelay {
  const door: OrgDoor = {
    timeoutMs: options.timeoutMs ?? 10_000,
    usage: { day: null },
    ...(options.headers === undefined ? {} : { headers: options.headers }),
    ...(options.gate === undefined ? {} : { gate: options.gate }),
  };
  const asUser = options.accessToken === undefined ? jwtSignIn(options) : null;
  const signIn = asUser === null ? trustedToken(options) : () => asUser(options.username ?? '');
  const connection = connectToSalesforce(door, signIn, asUser === null);
  const keepMs = options.describeForMs ?? 3_600_000;
  const agents = agentsOf({
    door,
    integration: connection,
    signInAs: (options.actAs ?? 'agent') === 'agent' ? asUser : null,
    keepMs,
    notice: options.notice ?? (() => {}),
  });
  const prefix = options.namespace === undefined || options.namespace === '' ? '' : `${options.namespace}__`;
  const writer = createLogWriter({
    agents,
    prefix,
    timeZone: options.timeZone ?? 'UTC',
    recordingPage: options.recordingPage,
  });

  /** Runs a look-up with the agent's eyes; nobody's name, or no agents at all: with the integration user's. */
  async function lookUp<T>(
    agent: CrmAgent | undefined,
    gated: GatedRequest,
    run: (voice: Voice) => Promise<T>,
  ): Promise<T> {
    const voice = agent === undefined ? agents.integration : await agents.voiceOf(agent, gated);
    if ('refused' in voice)
      throw new PatchcordError(
        voice.refused.code,
        `Nothing was looked up in Salesforce, for an agent finds only what they may see. ${voice.refused.message}`,
      );
    return await goingWithout(voice, () => run(voice));
  }

  const isSparing = (): boolean => {
    const { day } = door.usage;
    return day !== null && day.used >= day.limit * sparingFrom;
  };

  return {
    crm: 'salesforce',
    can: { atomicLog: true, recordings: false, batch: logsAtOnce },
    findByNumber(number, country, { urgent = true, agent } = {}): Promise<readonly Match[]> {
      return lookUp(agent, { urgent }, async (voice) => {
        const { org } = voice;
        const objects = await searchable(org, { urgent });
        const query = encodeURIComponent(sosl(number, objects));
        const answer = await voice.connection.request(
          'GET',
          `/search?q=${query}`,
          undefined,
          'to search for the caller',
          { search: true, urgent },
        );
        const rows = listOf(answer, 'searchRecords');
        const matches = ranked(rows, number, country, objects);
        // One match needs no comparison, and without a person who waits nobody chooses.
        if (matches.length < 2 || !urgent || isSparing()) return matches;
        try {
          const work = await goingWithout(voice, () => openWorkOf(matches, voice.connection, org, { urgent }));
          return work.size === 0 ? matches : ranked(rows, number, country, objects, work);
        } catch {
          return matches;
        }
      });
    },
    relatedTo(record, agent) {
      return lookUp(agent, { urgent: true }, (voice) => relatedWork(record, voice.connection, voice.org));
    },
    findByExtension(extension, agent) {
      return lookUp(agent, { urgent: true }, (voice) => colleagues(extension, voice));
    },
    writeLog: writer.writeLog,
    writeLogs: writer.writeLogs,
    writeTranscript: transcriptWriter(agents, prefix),
    linkTo(record) {
      const base = options.instanceUrl ?? connection.instanceUrl ?? options.loginUrl;
      const object = encodeURIComponent(record.object);
      return `${base.replace(/\/$/, '')}/lightning/r/${object}/${encodeURIComponent(record.id)}/view`;
    },
  };
}

/** Once more without whatever turns out to be hidden from this user: the integration user, who described the org, may see more. */
async function goingWithout<T>(voice: Voice, run: () => Promise<T>): Promise<T> {
  for (let round = 1; ; round += 1) {
    try {
      return await run();
    } catch (error) {
      const refusal = refusalBehind(error);
      if (refusal === null || round >= mostRounds || !voice.org.learn(refusal)) throw error;
    }
  }
}

async function searchable(org: OrgKnowledge, gated: GatedRequest): Promise<readonly SearchableObject[]> {
  const described = await Promise.all(
    searchedObjects.map(async (object) => ({ object, fields: await org.describe(object, gated) })),
  );
  const seesAccounts = described.some(({ object, fields }) => object === 'Account' && fields !== null);
  const all = described.map(({ object, fields }) => searchableOf(object, fields, seesAccounts));
  const found = all.filter((one) => one !== null);
  if (found.length === 0)
    throw new PatchcordError(
      'crm.invalid',
      "The user can read neither Contact, Lead nor Account in Salesforce, so no caller can be found. Assign Patchcord's permission sets.",
    );
  return found;
}

/** Active users whose extension is exactly this one. */
async function colleagues(extension: Extension, voice: Voice): Promise<readonly Match[]> {
  const user = await voice.org.describe('User', { urgent: true });
  if (user?.has('Extension') !== true) return [];
  const fields = ['Title', 'Department'].filter((field) => user.has(field));
  const query = `SELECT ${['Id', 'Name', 'Extension', ...fields].join(', ')} FROM User WHERE IsActive = true AND Extension = '${escapeSoql(extension)}' ORDER BY Name LIMIT ${mostColleagues}`;
  const answer = await voice.connection.request(
    'GET',
    `/query?q=${encodeURIComponent(query)}`,
    undefined,
    'to look up the extension',
    { urgent: true },
  );
  return listOf(answer, 'records')
    .filter(isObject)
    .filter((row) => isSalesforceId(text(row.Id)) && text(row.Extension).trim() === extension)
    .map((row) => {
      const detail = [text(row.Title), text(row.Department)].filter((part) => part !== '').join(', ');
      return {
        record: { crm: 'salesforce', object: 'User', id: text(row.Id), name: text(row.Name).slice(0, 255) },
        number: extension,
        ...(detail === '' ? {} : { detail: detail.slice(0, 255) }),
        reason: `Colleague with extension ${extension}`,
      };
    });
}

/** The relay's own tokens, never sent to an address that is no Salesforce host. */
function trustedToken(options: SalesforceRelayOptions): (refused: string | null) => Promise<Session> {
  return async (refused) => {
    const session = await options.accessToken?.(refused);
    if (session !== undefined && isOrgAddress(session.instanceUrl, [options.loginUrl, options.instanceUrl ?? '']))
      return session;
    throw new PatchcordError(
      'crm.not-authentic',
      'The address kept for this org is not one of Salesforce. An administrator connects the org again.',
    );
  };
}
