/**
 * Owns the requests that write and read logs: one call in one composite transaction, many calls as many graphs of one request, each graph a
 * transaction of its own (Salesforce contract, sections 2.5 and 3.4; "Composite Graph" of the REST API guide: at most 75 graphs and 500
 * nodes). Must never decide what a refusal means for a log: log-writer.ts does.
 */
import type { CallLog } from '@patchcord/call-protocol';
import { type Fields, fingerprints, fromStored, type LastWritten, ownChanges, toStored } from '../last-written.ts';
import {
  type GraphAnswer,
  graphAnswer,
  isObject,
  listOf,
  refusalIn,
  type SubAnswer,
  type SubRequest,
  subAnswer,
  text,
} from './composite.ts';
import { dataPath, type SalesforceConnection } from './connection.ts';
import type { Composed } from './log-draft.ts';
import { fromRefusal } from './refusals.ts';
import { isSalesforceId, taskSpelling } from './task.ts';

type Row = Readonly<Record<string, unknown>>;

/** Names of our own object in this org. */
export interface CallObjectNames {
  readonly object: string;
  readonly key: string;
  readonly task: string;
  readonly written: string;
}

export function callObjectNames(prefix: string): CallObjectNames {
  return {
    object: `${prefix}Patchcord_Call__c`,
    key: `${prefix}Call_Key__c`,
    task: `${prefix}Task_Id__c`,
    written: `${prefix}Last_Written__c`,
  };
}

/** Sends one transaction as a composite, several as graphs. What the answer says nothing of is absent. */
export async function transact(
  connection: SalesforceConnection,
  transactions: ReadonlyMap<number, readonly SubRequest[]>,
  doing: string,
): Promise<ReadonlyMap<number, readonly SubAnswer[]>> {
  const [first, ...others] = transactions;
  if (first === undefined) return new Map();
  if (others.length === 0) {
    const body = { allOrNone: true, compositeRequest: first[1] };
    const answer = await connection.request('POST', '/composite', body, doing);
    return new Map([[first[0], listOf(answer, 'compositeResponse').map(subAnswer)]]);
  }
  const body = {
    graphs: [...transactions].map(([index, compositeRequest]) => ({ graphId: `log${index}`, compositeRequest })),
  };
  const answer = await connection.request('POST', '/composite/graph', body, doing);
  return new Map(
    listOf(answer, 'graphs').map((one) => {
      const graph: GraphAnswer = graphAnswer(one);
      return [Number(graph.graphId.slice('log'.length)), graph.answers];
    }),
  );
}

/** Our record first: its unique key stops a repeat before a Task could start anybody's automation. */
export function creation(
  log: CallLog,
  { task, call }: Composed,
  names: CallObjectNames,
  hasSubtype: boolean,
): readonly SubRequest[] {
  return [
    {
      method: 'POST',
      url: `${dataPath}/sobjects/${names.object}`,
      referenceId: 'marker',
      body: {
        ...present(call),
        [names.key]: log.callId,
        [names.written]: toStored({
          ...fingerprints({ OwnerId: null, ...call }, taskSpelling),
          ...fingerprints(task, taskSpelling),
        }),
      },
    },
    {
      method: 'POST',
      url: `${dataPath}/sobjects/Task`,
      referenceId: 'task',
      body: { ...(hasSubtype ? { TaskSubtype: 'Call' } : {}), ...present(task) },
    },
    {
      method: 'PATCH',
      url: `${dataPath}/sobjects/${names.object}/@{marker.id}`,
      referenceId: 'link',
      body: { [names.task]: '@{task.id}' },
    },
  ];
}

/** What an update writes: only fields of ours that a person did not touch, on both records together, since one of them keeps the fingerprints. */
export function changes(
  { task, call }: Composed,
  marker: Row | null,
  stands: Row,
  taskId: string,
  names: CallObjectNames,
): { readonly requests: readonly SubRequest[]; readonly sent: Composed } {
  const before = fromStored(marker === null ? null : marker[names.written]);
  // Both records have an owner and one fingerprint for it: the Task's is kept up to date, ours stays with whom it was given to. Nobody was
  // written as owner where the agent could not be: then both are whoever wrote them, until the agent can own them or a person gives them away.
  const { OwnerId: _owner, ...own } = call;
  const byDefault = before.OwnerId === fingerprints({ OwnerId: null }, taskSpelling).OwnerId;
  const ofTask = ownChanges(task, stands, byDefault ? ownedByDefault(before, stands) : before, taskSpelling);
  const ofCall =
    marker === null
      ? { changes: {}, own: {}, written: {} }
      : byDefault
        ? ownChanges(call, marker, ownedByDefault(before, marker), taskSpelling)
        : ownChanges(own, marker, before, taskSpelling);
  const sent = { task: ofTask.own, call: ofCall.own };
  if (Object.keys({ ...ofTask.changes, ...ofCall.changes }).length === 0) return { requests: [], sent };
  const requests: SubRequest[] = [];
  if (Object.keys(sent.task).length > 0)
    requests.push({
      method: 'PATCH',
      url: `${dataPath}/sobjects/Task/${taskId}`,
      referenceId: 'task',
      body: sent.task,
    });
  if (marker !== null)
    requests.push({
      method: 'PATCH',
      url: `${dataPath}/sobjects/${names.object}/${text(marker.Id)}`,
      referenceId: 'marker',
      body: { ...sent.call, [names.written]: toStored({ ...ofCall.written, ...ofTask.written }) },
    });
  return { requests, sent };
}

/** The same, with the owner as ours who still is the user who wrote the record. */
function ownedByDefault(before: LastWritten, stands: Row): LastWritten {
  const { OwnerId } = stands;
  const isOurs = taskSpelling('OwnerId', OwnerId) === taskSpelling('OwnerId', stands.CreatedById);
  return isOurs && typeof OwnerId === 'string' ? { ...before, ...fingerprints({ OwnerId }, taskSpelling) } : before;
}

/** What is logged of some calls: our records by call id, Tasks by id; each by the key that `keyOf` gives. */
interface Logged {
  /** Several where the org's key field is not unique, which must not be. */
  readonly markers: ReadonlyMap<string, readonly Row[]>;
  readonly tasks: ReadonlyMap<string, Row>;
}

/** Reads in one request when all Task ids are known, else in two. */
export async function readLogged(
  connection: SalesforceConnection,
  logs: readonly { readonly callId: string; readonly logId: string | null }[],
  columns: { readonly task: readonly string[]; readonly call: readonly string[] },
  names: CallObjectNames,
  doing: string,
): Promise<Logged> {
  const ofMarkers = select(
    [names.key, names.task, names.written, 'CreatedById', ...columns.call],
    names.object,
    names.key,
    logs.map(({ callId }) => callId),
  );
  const ofTasks = (ids: readonly string[]): string | null =>
    select(['CreatedById', ...columns.task], 'Task', 'Id', ids.filter(isSalesforceId));
  const known = logs.flatMap(({ logId }) => (logId === null ? [] : [logId]));
  if (known.length === logs.length) {
    const [markers = [], tasks = []] = await queries(connection, [ofMarkers, ofTasks(known)], doing);
    return { markers: byKey(markers, names.key), tasks: byId(tasks) };
  }
  const [found = []] = await queries(connection, [ofMarkers], doing);
  const markers = byKey(found, names.key);
  const ids = logs.map(({ callId, logId }) => logId ?? text(markers.get(keyOf(callId))?.[0]?.[names.task]));
  const [tasks = []] = await queries(connection, [ofTasks(ids)], doing);
  return { markers, tasks: byId(tasks) };
}

/** Salesforce compares keys without case; of an id the first 15 characters count, and those with it. */
export function keyOf(value: string): string {
  return isSalesforceId(value) ? value.slice(0, 15) : value.toLowerCase();
}

function select(columns: readonly string[], object: string, field: string, values: readonly string[]): string | null {
  const safe = values.filter((value) => /^[\w-]+$/.test(value)).map((value) => `'${value}'`);
  if (safe.length === 0) return null;
  return `SELECT ${[...new Set(['Id', ...columns])].join(',')} FROM ${object} WHERE ${field} IN (${safe.join(',')})`;
}

/** The rows of each query, in order; a query that is null has none. */
export async function queries(
  connection: SalesforceConnection,
  soql: readonly (string | null)[],
  doing: string,
): Promise<readonly (readonly Row[])[]> {
  const path = (query: string): string => `/query?q=${encodeURIComponent(query)}`;
  const asked = soql.flatMap((query, index) => (query === null ? [] : [{ query, index }]));
  const results: (readonly Row[])[] = soql.map(() => []);
  const [only] = asked;
  if (only === undefined) return results;
  if (asked.length === 1) {
    const answer = await connection.request('GET', path(only.query), undefined, doing);
    results[only.index] = listOf(answer, 'records').filter(isObject);
    return results;
  }
  const body = {
    allOrNone: false,
    compositeRequest: asked.map(({ query, index }) => ({
      method: 'GET',
      url: `${dataPath}${path(query)}`,
      referenceId: `query${index}`,
    })),
  };
  const answer = await connection.request('POST', '/composite', body, doing);
  const answers = listOf(answer, 'compositeResponse').map(subAnswer);
  for (const { index } of asked) {
    const one = answers.find(({ referenceId }) => referenceId === `query${index}`);
    if (one === undefined || one.status >= 300)
      throw fromRefusal(
        one === undefined ? { code: 'UNKNOWN_EXCEPTION', message: 'no answer', status: 500 } : refusalIn(one),
        doing,
      );
    results[index] = listOf(one.body, 'records').filter(isObject);
  }
  return results;
}

function byKey(rows: readonly Row[], field: string): ReadonlyMap<string, readonly Row[]> {
  const found = new Map<string, readonly Row[]>();
  for (const row of rows) {
    const key = keyOf(text(row[field]));
    found.set(key, [...(found.get(key) ?? []), row]);
  }
  return found;
}

function byId(rows: readonly Row[]): ReadonlyMap<string, Row> {
  return new Map(rows.map((row) => [keyOf(text(row.Id)), row]));
}

/** Fields without a value are left out of an insert. */
function present(fields: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
