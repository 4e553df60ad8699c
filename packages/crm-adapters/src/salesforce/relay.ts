/**
 * Owns the relay half of the Salesforce adapter: finding a caller, and writing one call as one Task beside one record of ours whose unique
 * key is the call id (Salesforce contract, sections 2.5, 3.1 and 3.4). What the fields mean stands in task.ts. Must never write a field that a
 * person edited, and never write twice: the unique key decides, not a search.
 */
import { type CallLog, type Match, PatchcordError } from '@patchcord/call-protocol';
import { fingerprints, fromStored, type LastWritten, ownChanges, toStored } from '../last-written.ts';
import type { CrmAgent, CrmRelay } from '../relay-contract.ts';
import {
  firstFailure,
  idOf,
  isObject,
  listOf,
  refusalIn,
  type SubAnswer,
  type SubRequest,
  subAnswer,
  text,
} from './composite.ts';
import { connectToSalesforce, dataPath } from './connection.ts';
import { fromRefusal } from './refusals.ts';
import { ranked, type SearchableObject, type SearchedObject, sosl } from './search.ts';
import { callFields, isSalesforceId, taskFields, taskSpelling } from './task.ts';

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
  });
  const timeZone = options.timeZone ?? 'UTC';
  const prefix = options.namespace === undefined || options.namespace === '' ? '' : `${options.namespace}__`;
  const callObject = `${prefix}Patchcord_Call__c`;
  const keyField = `${prefix}Call_Key__c`;
  const taskField = `${prefix}Task_Id__c`;
  const writtenField = `${prefix}Last_Written__c`;
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

  /** Several writes in one transaction: all or none. */
  async function composite(requests: readonly SubRequest[], doing: string): Promise<readonly SubAnswer[]> {
    const answer = await connection.request(
      'POST',
      '/composite',
      { allOrNone: requests.some((one) => one.method !== 'GET'), compositeRequest: requests },
      doing,
    );
    return listOf(answer, 'compositeResponse').map(subAnswer);
  }

  /** @returns the Task's id, or null when this call was logged before */
  async function create(log: CallLog, agent: CrmAgent): Promise<string | null> {
    const task = taskFields(log, agent, { closedStatus: await closedStatus(), timeZone });
    const doing = 'to log the call';
    // Our record first: its unique key stops a repeat before a Task could start anybody's automation.
    const answers = await composite(
      [
        {
          method: 'POST',
          url: `${dataPath}/sobjects/${callObject}`,
          referenceId: 'marker',
          body: {
            ...present(callFields(log, prefix)),
            [keyField]: log.callId,
            [writtenField]: toStored(fingerprints(task, taskSpelling)),
          },
        },
        {
          method: 'POST',
          url: `${dataPath}/sobjects/Task`,
          referenceId: 'task',
          body: { TaskSubtype: 'Call', ...present(task) },
        },
        {
          method: 'PATCH',
          url: `${dataPath}/sobjects/${callObject}/@{marker.id}`,
          referenceId: 'link',
          body: { [taskField]: '@{task.id}' },
        },
      ],
      doing,
    );
    const failure = firstFailure(answers);
    if (failure === null)
      return idOf(
        answers.find((one) => one.referenceId === 'task'),
        doing,
      );
    if (failure.referenceId === 'marker' && failure.code === 'DUPLICATE_VALUE') return null;
    if (failure.referenceId !== 'task' && (failure.code === 'INVALID_TYPE' || failure.status === 404))
      throw new PatchcordError(
        'crm.invalid',
        `The object ${callObject} is missing in this org, or the integration user may not write it. Deploy Patchcord's metadata and assign its permission set.`,
      );
    throw fromRefusal(failure, doing);
  }

  /** Brings an existing Task up to date; leaves what a person edited, and leaves a deleted Task deleted. */
  async function update(log: CallLog, agent: CrmAgent, logId: string | null): Promise<string> {
    const doing = 'to update the logged call';
    const wanted = taskFields(log, agent, { closedStatus: await closedStatus(), timeZone });
    const marker = `${dataPath}/sobjects/${callObject}/${keyField}/${log.callId}?fields=Id,${taskField},${writtenField}`;
    const [markerAnswer, taskAnswer] = await composite(
      [
        { method: 'GET', url: marker, referenceId: 'marker' },
        {
          method: 'GET',
          url: `${dataPath}/sobjects/Task/${logId ?? `@{marker.${taskField}}`}?fields=Id,${Object.keys(wanted).join(',')}`,
          referenceId: 'task',
        },
      ],
      'to read the logged call',
    );
    const known = markerAnswer !== undefined && markerAnswer.status < 300 ? markerAnswer.body : null;
    if (known === null && markerAnswer !== undefined && markerAnswer.status !== 404)
      throw fromRefusal(refusalIn(markerAnswer), 'to read the logged call');
    const taskId = logId ?? (isObject(known) ? text(known[taskField]) : '');
    if (!isSalesforceId(taskId))
      throw new PatchcordError(
        'crm.unavailable',
        'Salesforce knows this call but not yet its Task. It is tried again.',
        {
          retryable: true,
          retryAfterMs: 1_000,
        },
      );
    if (taskAnswer === undefined || taskAnswer.status === 404) return taskId;
    if (taskAnswer.status >= 300) throw fromRefusal(refusalIn(taskAnswer), 'to read the logged call');
    const current = isObject(taskAnswer.body) ? taskAnswer.body : {};
    const before: LastWritten = fromStored(isObject(known) ? known[writtenField] : null);
    const { changes, written } = ownChanges(wanted, current, before, taskSpelling);
    const writes: SubRequest[] = [];
    if (Object.keys(changes).length > 0)
      writes.push({ method: 'PATCH', url: `${dataPath}/sobjects/Task/${taskId}`, referenceId: 'task', body: changes });
    if (isObject(known))
      writes.push({
        method: 'PATCH',
        url: `${dataPath}/sobjects/${callObject}/${text(known.Id)}`,
        referenceId: 'marker',
        body: { ...callFields(log, prefix), [writtenField]: toStored(written) },
      });
    if (writes.length === 0) return taskId;
    const failure = firstFailure(await composite(writes, doing));
    if (failure === null) return taskId;
    if (failure.code === 'ENTITY_IS_DELETED') return taskId;
    throw fromRefusal(failure, doing);
  }

  return {
    crm: 'salesforce',
    can: { atomicLog: true, recordings: false },
    async findByNumber(number, country): Promise<readonly Match[]> {
      const objects = await searchable();
      const query = encodeURIComponent(sosl(number, objects));
      const answer = await connection.request('GET', `/search?q=${query}`, undefined, 'to search for the caller');
      return ranked(listOf(answer, 'searchRecords'), number, country, objects);
    },
    async writeLog(log, agent, logId) {
      if (logId === null) {
        const created = await create(log, agent);
        if (created !== null) return created;
      } else if (!isSalesforceId(logId)) {
        throw new PatchcordError('crm.invalid', `"${logId.slice(0, 40)}" is not a Salesforce id.`);
      }
      return await update(log, agent, logId);
    },
    linkTo(record) {
      const base = options.instanceUrl ?? connection.instanceUrl ?? options.loginUrl;
      const object = encodeURIComponent(record.object);
      return `${base.replace(/\/$/, '')}/lightning/r/${object}/${encodeURIComponent(record.id)}/view`;
    },
  };
}

/** Fields without a value are left out of an insert. */
function present(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
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
