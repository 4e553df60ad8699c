/**
 * Owns the relay half of the Salesforce adapter: what the org says of itself, and finding a caller (Salesforce contract, sections 3.1 and
 * 3.4). How a call becomes a Task stands in log-writer.ts. Must never write.
 */
import { type Match, PatchcordError } from '@patchcord/call-protocol';
import type { CrmRelay } from '../relay-contract.ts';
import type { RequestGate } from '../request-gate.ts';
import { isObject, listOf, text } from './composite.ts';
import { connectToSalesforce } from './connection.ts';
import { createLogWriter, logsAtOnce } from './log-writer.ts';
import { ranked, type SearchableObject, type SearchedObject, sosl } from './search.ts';

export interface SalesforceRelayOptions {
  /** `https://login.salesforce.com`, `https://test.salesforce.com` or the org's My Domain. */
  readonly loginUrl: string;
  /** Consumer key of the External Client App. */
  readonly clientId: string;
  /** Private key that belongs to the certificate of the External Client App, PEM. */
  readonly privateKeyPem: string;
  /** User name of the integration user. */
  readonly username: string;
  /** Where agents open the org, for links; the address the org gives at sign-in when absent. */
  readonly instanceUrl?: string;
  /** Deadline of one request, ms. Default 10,000. */
  readonly timeoutMs?: number;
  /** IANA zone in which a call's day is counted. Default `UTC`. */
  readonly timeZone?: string;
  /** Namespace of the installed package, without underscores; absent when deployed from source. */
  readonly namespace?: string;
  /** How long what the org says about itself is kept, ms. Default one hour. */
  readonly describeForMs?: number;
  /** Sent with every request, asked for each time: a trace that goes on. */
  readonly headers?: () => Readonly<Record<string, string>>;
  /** Asked before every request; without one, requests go out at once. */
  readonly gate?: RequestGate;
}

const searched: readonly SearchedObject[] = ['Contact', 'Lead', 'Account'];

/** Connects the relay to one org. Nothing is sent before the first call. */
export function createSalesforceRelay(options: SalesforceRelayOptions): CrmRelay {
  const connection = connectToSalesforce({
    loginUrl: options.loginUrl,
    clientId: options.clientId,
    privateKeyPem: options.privateKeyPem,
    username: options.username,
    timeoutMs: options.timeoutMs ?? 10_000,
    ...(options.headers === undefined ? {} : { headers: options.headers }),
    ...(options.gate === undefined ? {} : { gate: options.gate }),
  });
  const timeZone = options.timeZone ?? 'UTC';
  const prefix = options.namespace === undefined || options.namespace === '' ? '' : `${options.namespace}__`;
  const keepMs = options.describeForMs ?? 3_600_000;
  const searchable = kept(keepMs, describeObjects);
  const closedStatus = kept(keepMs, readClosedStatus);

  async function describeObjects(): Promise<readonly SearchableObject[]> {
    const described = await Promise.all(
      searched.map(async (object): Promise<SearchableObject | null> => {
        try {
          const answer = await connection.request(
            'GET',
            `/sobjects/${object}/describe`,
            undefined,
            `to describe ${object}`,
          );
          const fields = listOf(answer, 'fields').filter(isObject);
          const phoneFields = fields
            .filter((field) => field.type === 'phone' && !/fax/i.test(text(field.name)))
            .map((field) => text(field.name));
          const hasPersonAccounts = fields.some((field) => field.name === 'IsPersonAccount');
          return phoneFields.length === 0 ? null : { object, phoneFields, hasPersonAccounts };
        } catch (error) {
          // An org without Leads, or a user without rights on them, still has Contacts.
          if (error instanceof PatchcordError && error.code === 'crm.not-found') return null;
          throw error;
        }
      }),
    );
    const found = described.filter((one) => one !== null);
    if (found.length === 0)
      throw new PatchcordError(
        'crm.invalid',
        'The integration user can read neither Contact, Lead nor Account. Assign the permission set of Patchcord to it.',
      );
    return found;
  }

  async function readClosedStatus(): Promise<string> {
    const query = encodeURIComponent(
      'SELECT ApiName, SortOrder FROM TaskStatus WHERE IsClosed = true ORDER BY SortOrder',
    );
    const answer = await connection.request('GET', `/query?q=${query}`, undefined, 'to list the task statuses');
    const names = listOf(answer, 'records').map((row) => (isObject(row) ? text(row.ApiName) : ''));
    return names.find((name) => name === 'Completed') ?? names.find((name) => name !== '') ?? 'Completed';
  }

  const writer = createLogWriter({ connection, prefix, timeZone, closedStatus });

  return {
    crm: 'salesforce',
    can: { atomicLog: true, recordings: false, batch: logsAtOnce },
    async findByNumber(number, country, { urgent = true } = {}): Promise<readonly Match[]> {
      const objects = await searchable();
      const query = encodeURIComponent(sosl(number, objects));
      const answer = await connection.request('GET', `/search?q=${query}`, undefined, 'to search for the caller', {
        search: true,
        urgent,
      });
      return ranked(listOf(answer, 'searchRecords'), number, country, objects);
    },
    writeLog: writer.writeLog,
    writeLogs: writer.writeLogs,
    linkTo(record) {
      const base = options.instanceUrl ?? connection.instanceUrl ?? options.loginUrl;
      const object = encodeURIComponent(record.object);
      return `${base.replace(/\/$/, '')}/lightning/r/${object}/${encodeURIComponent(record.id)}/view`;
    },
  };
}

/** Asks once and keeps the answer for a while; a failure is not kept. */
function kept<T>(forMs: number, ask: () => Promise<T>): () => Promise<T> {
  let answer: { readonly at: number; readonly value: Promise<T> } | null = null;
  return () => {
    if (answer === null || Date.now() - answer.at > forMs) {
      const asked = { at: Date.now(), value: ask() };
      answer = asked;
      asked.value.catch(() => {
        if (answer === asked) answer = null;
      });
    }
    return answer.value;
  };
}
