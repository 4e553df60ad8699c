/**
 * Owns writing calls as Tasks, each beside one record of ours whose unique key is the call id: one call in one composite transaction, many
 * calls as many graphs of one request, each graph a transaction of its own (Salesforce contract, sections 2.5 and 3.4; "Composite Graph" of the
 * REST API guide: at most 75 graphs and 500 nodes). What the fields mean stands in task.ts. Must never write a field that a person edited,
 * and never write twice: the unique key decides, not a search.
 */
import { type CallLog, PatchcordError } from '@patchcord/call-protocol';
import { type Fields, fingerprints, fromStored, ownChanges, toStored } from '../last-written.ts';
import type { CrmAgent, LogToWrite, LogWritten } from '../relay-contract.ts';
import {
  firstFailure,
  type GraphAnswer,
  graphAnswer,
  idOf,
  isObject,
  listOf,
  refusalIn,
  type SubAnswer,
  type SubRefusal,
  type SubRequest,
  subAnswer,
  text,
} from './composite.ts';
import { dataPath, type SalesforceConnection } from './connection.ts';
import { fromRefusal } from './refusals.ts';
import { callFields, isSalesforceId, taskFields, taskSpelling } from './task.ts';

/** Logs of one request: three nodes each, and the org's triggers run for every one of them within one deadline. */
export const logsAtOnce = 25;

export interface LogWriter {
  writeLog(log: CallLog, agent: CrmAgent, logId: string | null): Promise<string>;
  writeLogs(batch: readonly LogToWrite[]): Promise<readonly LogWritten[]>;
}

export function createLogWriter(options: {
  readonly connection: SalesforceConnection;
  /** The package's namespace with its underscores, or nothing. */
  readonly prefix: string;
  readonly timeZone: string;
  readonly closedStatus: () => Promise<string>;
}): LogWriter {
  const { connection, prefix, timeZone, closedStatus } = options;
  const callObject = `${prefix}Patchcord_Call__c`;
  const keyField = `${prefix}Call_Key__c`;
  const taskField = `${prefix}Task_Id__c`;
  const writtenField = `${prefix}Last_Written__c`;
  const creating = 'to log the call';
  const reading = 'to read the logged call';
  const updating = 'to update the logged call';

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

  /** Many transactions in one request. What the answer says nothing of is absent. */
  async function graphs(
    transactions: ReadonlyMap<number, readonly SubRequest[]>,
    doing: string,
  ): Promise<ReadonlyMap<number, GraphAnswer>> {
    const body = {
      graphs: [...transactions].map(([index, compositeRequest]) => ({ graphId: `log${index}`, compositeRequest })),
    };
    const answer = await connection.request('POST', '/composite/graph', body, doing);
    return new Map(
      listOf(answer, 'graphs').map((one) => {
        const graph = graphAnswer(one);
        return [Number(graph.graphId.slice('log'.length)), graph];
      }),
    );
  }

  /** Our record first: its unique key stops a repeat before a Task could start anybody's automation. */
  function creation(log: CallLog, task: Fields): readonly SubRequest[] {
    return [
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
    ];
  }

  /** @returns the Task's id, or null when this call was logged before */
  function created(answers: readonly SubAnswer[]): string | null {
    const failure = firstFailure(answers);
    if (failure === null)
      return idOf(
        answers.find((one) => one.referenceId === 'task'),
        creating,
      );
    if (wasLoggedBefore(failure)) return null;
    if (failure.referenceId !== 'task' && (failure.code === 'INVALID_TYPE' || failure.status === 404))
      throw new PatchcordError(
        'crm.invalid',
        `The object ${callObject} is missing in this org, or the integration user may not write it. Deploy Patchcord's metadata and assign its permission set.`,
      );
    throw fromRefusal(failure, creating);
  }

  /** What an update writes: only fields of ours that a person did not touch. */
  function changesOf(
    log: CallLog,
    wanted: Fields,
    marker: Readonly<Record<string, unknown>> | null,
    task: Readonly<Record<string, unknown>>,
    taskId: string,
  ): readonly SubRequest[] {
    const before = fromStored(marker === null ? null : marker[writtenField]);
    const { changes, written } = ownChanges(wanted, task, before, taskSpelling);
    const writes: SubRequest[] = [];
    if (Object.keys(changes).length > 0)
      writes.push({ method: 'PATCH', url: `${dataPath}/sobjects/Task/${taskId}`, referenceId: 'task', body: changes });
    if (marker !== null)
      writes.push({
        method: 'PATCH',
        url: `${dataPath}/sobjects/${callObject}/${text(marker.Id)}`,
        referenceId: 'marker',
        body: { ...callFields(log, prefix), [writtenField]: toStored(written) },
      });
    return writes;
  }

  function updated(answers: readonly SubAnswer[]): void {
    const failure = firstFailure(answers);
    // Deleted by a person meanwhile: it stays deleted.
    if (failure === null || failure.code === 'ENTITY_IS_DELETED') return;
    throw fromRefusal(failure, updating);
  }

  /** Brings an existing Task up to date; leaves what a person edited, and leaves a deleted Task deleted. */
  async function update(log: CallLog, agent: CrmAgent, logId: string | null): Promise<string> {
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
      reading,
    );
    const known = markerAnswer !== undefined && markerAnswer.status < 300 ? markerAnswer.body : null;
    if (known === null && markerAnswer !== undefined && markerAnswer.status !== 404)
      throw fromRefusal(refusalIn(markerAnswer), reading);
    const taskId = logId ?? (isObject(known) ? text(known[taskField]) : '');
    if (!isSalesforceId(taskId)) throw withoutTask();
    if (taskAnswer === undefined || taskAnswer.status === 404) return taskId;
    if (taskAnswer.status >= 300) throw fromRefusal(refusalIn(taskAnswer), reading);
    const current = isObject(taskAnswer.body) ? taskAnswer.body : {};
    const writes = changesOf(log, wanted, isObject(known) ? known : null, current, taskId);
    if (writes.length > 0) updated(await composite(writes, updating));
    return taskId;
  }

  /** Rows of a query by one field, under that field's value in lower case. */
  async function rowsBy(
    field: string,
    values: readonly string[],
    columns: readonly string[],
    object: string,
  ): Promise<ReadonlyMap<string, Record<string, unknown>>> {
    const safe = values.filter((value) => /^[\w-]+$/.test(value)).map((value) => `'${value}'`);
    if (safe.length === 0) return new Map();
    const query = `SELECT ${columns.join(',')} FROM ${object} WHERE ${field} IN (${safe.join(',')})`;
    const answer = await connection.request('GET', `/query?q=${encodeURIComponent(query)}`, undefined, reading);
    return new Map(
      listOf(answer, 'records')
        .filter(isObject)
        .map((row) => [keyOf(text(row[field])), row]),
    );
  }

  /** `update`, for many at once: two queries and one request of graphs. */
  async function updateAll(batch: readonly LogToWrite[]): Promise<readonly LogWritten[]> {
    const wording = { closedStatus: await closedStatus(), timeZone };
    const wanted = batch.map(({ log, agent }) => taskFields(log, agent, wording));
    const markers = await rowsBy(
      keyField,
      batch.map(({ log }) => log.callId),
      ['Id', keyField, taskField, writtenField],
      callObject,
    );
    const markerOf = (log: CallLog): Record<string, unknown> | null => markers.get(keyOf(log.callId)) ?? null;
    const taskIds = batch.map(({ log, logId }) => logId ?? text(markerOf(log)?.[taskField]));
    const columns = ['Id', ...new Set(wanted.flatMap((fields) => Object.keys(fields)))];
    const tasks = await rowsBy('Id', taskIds.filter(isSalesforceId), columns, 'Task');
    const writes = new Map<number, readonly SubRequest[]>();
    const results = batch.map(({ log }, index): LogWritten => {
      const taskId = taskIds[index] ?? '';
      if (!isSalesforceId(taskId)) return { error: withoutTask() };
      const task = tasks.get(keyOf(taskId));
      // A Task that is gone was deleted by a person: it stays deleted.
      if (task === undefined) return { logId: taskId };
      const changes = changesOf(log, wanted[index] ?? {}, markerOf(log), task, taskId);
      if (changes.length > 0) writes.set(index, changes);
      return { logId: taskId };
    });
    if (writes.size === 0) return results;
    const answers = await graphs(writes, updating);
    return results.map((result, index) =>
      writes.has(index)
        ? settled(answers.get(index), updating, (graph) => {
            updated(graph);
            return result;
          })
        : result,
    );
  }

  return {
    async writeLog(log, agent, logId) {
      if (logId === null) {
        const task = taskFields(log, agent, { closedStatus: await closedStatus(), timeZone });
        const id = created(await composite(creation(log, task), creating));
        if (id !== null) return id;
      } else if (!isSalesforceId(logId)) {
        throw notAnId(logId);
      }
      return await update(log, agent, logId);
    },

    async writeLogs(batch) {
      const wording = { closedStatus: await closedStatus(), timeZone };
      const results: (LogWritten | null)[] = batch.map(({ logId }) =>
        logId === null || isSalesforceId(logId) ? null : { error: notAnId(logId) },
      );
      const fresh = new Map<number, readonly SubRequest[]>();
      batch.forEach(({ log, agent, logId }, index) => {
        if (logId === null) fresh.set(index, creation(log, taskFields(log, agent, wording)));
      });
      if (fresh.size > 0) {
        const answers = await graphs(fresh, creating);
        for (const index of fresh.keys())
          results[index] = settled(answers.get(index), creating, (graph) => {
            const logId = created(graph);
            return logId === null ? null : { logId };
          });
      }
      const known = batch.flatMap((one, index) => (results[index] === null ? [{ one, index }] : []));
      if (known.length > 0) {
        try {
          const written = await updateAll(known.map(({ one }) => one));
          known.forEach(({ index }, at) => {
            results[index] = written[at] ?? { error: unanswered(updating) };
          });
        } catch (error) {
          // What was created above is known all the same.
          if (!(error instanceof PatchcordError) || fresh.size === 0) throw error;
          for (const { index } of known) results[index] = { error };
        }
      }
      return results.map((result) => result ?? { error: unanswered(creating) });
    },
  };
}

/** Reads one graph's answer; what it throws is that log's error. */
function settled<T extends LogWritten | null>(
  graph: GraphAnswer | undefined,
  doing: string,
  read: (answers: readonly SubAnswer[]) => T,
): T | { readonly error: PatchcordError } {
  try {
    if (graph === undefined) throw unanswered(doing);
    return read(graph.answers);
  } catch (error) {
    if (error instanceof PatchcordError) return { error };
    throw error;
  }
}

function wasLoggedBefore(failure: SubRefusal): boolean {
  return failure.referenceId === 'marker' && failure.code === 'DUPLICATE_VALUE';
}

/** Salesforce compares keys without case; of an id the first 15 characters count, and those with it. */
function keyOf(value: string): string {
  return isSalesforceId(value) ? value.slice(0, 15) : value.toLowerCase();
}

function withoutTask(): PatchcordError {
  return new PatchcordError('crm.unavailable', 'Salesforce knows this call but not yet its Task. It is tried again.', {
    retryable: true,
    retryAfterMs: 1_000,
  });
}

function notAnId(logId: string): PatchcordError {
  return new PatchcordError('crm.invalid', `"${logId.slice(0, 40)}" is not a Salesforce id.`);
}

function unanswered(doing: string): PatchcordError {
  return new PatchcordError('crm.unavailable', `Salesforce did not answer ${doing}. It is tried again.`, {
    retryable: true,
  });
}

/** Fields without a value are left out of an insert. */
function present(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
