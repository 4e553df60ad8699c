/**
 * Owns requests that carry several: composite, composite graphs and collections, their references to each other, their transactions and their
 * limits (the Salesforce contract, section 3.2). Must never write but through the user's view of the org.
 */
import { isObject } from '../http.ts';
import type { OrgView } from './access.ts';
import { Refusal } from './refusal.ts';
import { errorBody, failed, jsonObject, type RestCall, type RestResult } from './rest-call.ts';
import { sObjectNamed } from './schema.ts';
import { notAllowed, upsert } from './sobject-calls.ts';

/** Answers one subrequest, with everything a request of its own meets. */
export type Answer = (call: RestCall) => RestResult;

const dataUrl = /^\/services\/data\/v\d{2}\.0(\/|$)/;

/** `POST /composite`. */
export function composite(call: RestCall, view: OrgView, answer: Answer): RestResult {
  if (call.method !== 'POST') throw notAllowed(call.method);
  const body = jsonObject(call.body);
  const requests = body.compositeRequest;
  if (!Array.isArray(requests) || requests.length === 0)
    throw new Refusal('JSON_PARSER_ERROR', 'The request needs a compositeRequest array with at least one subrequest');
  if (requests.length > 25) throw new Refusal('LIMIT_EXCEEDED', 'The number of subrequests exceeds the limit of 25');
  const heavy = requests.filter((one) => isObject(one) && /\/(query|composite)\b/.test(`${one.url}`));
  if (heavy.length > 5) throw new Refusal('LIMIT_EXCEEDED', 'No more than 5 subrequests may be queries or collections');
  const compositeResponse = transaction(requests, body.allOrNone === true, view, answer);
  return { status: 200, body: { compositeResponse } };
}

/** `POST /composite/graph`: every graph is all or none for itself, and only records may be named in it. */
export function graphs(call: RestCall, view: OrgView, answer: Answer): RestResult {
  if (call.method !== 'POST') throw notAllowed(call.method);
  const given = jsonObject(call.body).graphs;
  if (!Array.isArray(given) || given.length === 0)
    throw new Refusal('JSON_PARSER_ERROR', 'The request needs a graphs array with at least one graph');
  if (given.length > 75) throw new Refusal('LIMIT_EXCEEDED', 'The number of graphs exceeds the limit of 75');
  const nodes = given.flatMap(nodesOf);
  if (nodes.length > 500) throw new Refusal('LIMIT_EXCEEDED', 'The number of nodes exceeds the limit of 500');
  for (const node of nodes)
    if (!isObject(node) || !/\/sobjects\/\w+(?:\/[^/?]+){0,2}(?:\?|$)/.test(`${node.url}`))
      throw new Refusal('INVALID_INPUT', 'A graph takes only URLs of records');
  const answered = given.map((graph: unknown) => {
    const compositeResponse = transaction(nodesOf(graph), true, view, answer);
    return {
      graphId: isObject(graph) ? graph.graphId : '',
      graphResponse: { compositeResponse },
      isSuccessful: compositeResponse.every(({ httpStatusCode }) => httpStatusCode < 300),
    };
  });
  return { status: 200, body: { graphs: answered } };
}

function nodesOf(graph: unknown): readonly unknown[] {
  const nodes = isObject(graph) ? graph.compositeRequest : undefined;
  if (!isObject(graph) || typeof graph.graphId !== 'string' || !Array.isArray(nodes) || nodes.length === 0)
    throw new Refusal('JSON_PARSER_ERROR', 'Every graph needs a graphId and a compositeRequest');
  return nodes;
}

/** Runs subrequests in order; with `allOrNone` one that fails takes the others back. */
function transaction(requests: readonly unknown[], allOrNone: boolean, view: OrgView, answer: Answer) {
  const undo = allOrNone ? view.savepoint() : undefined;
  const results = new Map<string, RestResult>();
  for (const one of requests) {
    const id = isObject(one) ? one.referenceId : undefined;
    if (!isObject(one) || typeof id !== 'string' || !/^[A-Za-z]\w*$/.test(id))
      throw new Refusal('JSON_PARSER_ERROR', 'Every subrequest needs a referenceId of letters, digits and underscores');
    if (results.has(id))
      throw new Refusal('JSON_PARSER_ERROR', `Provided referenceId ('${id}') must be unique in a request.`);
    if (undo && [...results.values()].some(failed)) results.set(id, halted());
    else results.set(id, subrequest(one, results, answer));
  }
  if (undo && [...results.values()].some((result) => failed(result) && !isHalted(result))) {
    undo();
    for (const [id, result] of results) if (!failed(result)) results.set(id, halted());
  }
  return [...results].map(([referenceId, result]) => ({
    body: result.body ?? null,
    httpHeaders: result.headers ?? {},
    httpStatusCode: result.status,
    referenceId,
  }));
}

function subrequest(
  one: Record<string, unknown>,
  results: ReadonlyMap<string, RestResult>,
  answer: Answer,
): RestResult {
  try {
    const filled = filledIn({ url: one.url, body: one.body }, results) as { url: unknown; body: unknown };
    const url = `${filled.url}`;
    if (!dataUrl.test(new URL(url, 'http://org.invalid').pathname))
      throw new Refusal('NOT_FOUND', 'The requested resource does not exist', [], 404);
    return answer({ method: `${one.method}`.toUpperCase(), url, body: filled.body });
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, body: [errorBody(error)] };
    throw error;
  }
}

/** `/composite/sobjects…`: rows of which each succeeds or fails for itself, inside a 200. */
export function collection(call: RestCall, path: readonly string[], query: URLSearchParams, view: OrgView): RestResult {
  const undo = view.savepoint();
  let rows: Record<string, unknown>[];
  let allOrNone: boolean;
  if (call.method === 'DELETE') {
    allOrNone = query.get('allOrNone') === 'true';
    rows = (query.get('ids') ?? '').split(',').map((id) =>
      row(() => {
        const object = view.objectOf(id);
        if (!object) throw new Refusal('MALFORMED_ID', `malformed id ${id}`);
        view.remove(object, id);
        return { id };
      }),
    );
  } else {
    const body = jsonObject(call.body);
    if (!Array.isArray(body.records)) throw new Refusal('JSON_PARSER_ERROR', 'The request needs a records array');
    if (body.records.length > 200)
      throw new Refusal('LIMIT_EXCEEDED', 'record limit reached. cannot submit more than 200 records into this call');
    allOrNone = body.allOrNone === true;
    rows = body.records.map((record: unknown) => row(() => written(call, path, jsonObject(record), view)));
  }
  if (!allOrNone || rows.every(({ success }) => success === true)) return { status: 200, body: rows };
  undo();
  return { status: 200, body: rows.map((one) => (one.success === false ? one : rolledBack)) };
}

function row(work: () => { id: string; created?: boolean }): Record<string, unknown> {
  try {
    return { ...work(), success: true, errors: [] };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message, fields, extra } = error;
    return { success: false, errors: [{ ...extra, statusCode: code, message, fields: [...fields] }] };
  }
}

const rolledBack = {
  success: false,
  errors: [
    {
      statusCode: 'ALL_OR_NONE_OPERATION_ROLLED_BACK',
      message: 'Record rolled back because not all records were valid and the request was using AllOrNone header',
      fields: [],
    },
  ],
};

function written(
  call: RestCall,
  path: readonly string[],
  record: Record<string, unknown>,
  view: OrgView,
): { id: string; created?: boolean } {
  const type = isObject(record.attributes) ? record.attributes.type : path[0];
  const object = sObjectNamed(`${type}`);
  if (!object || !view.mayObject(object, 'read'))
    throw new Refusal('INVALID_TYPE', `sObject type '${type}' is not supported.`);
  const { attributes: _attributes, ...values } = record;
  if (call.method === 'POST') return { id: view.create(object, values) };
  if (call.method !== 'PATCH') throw notAllowed(call.method);
  const key = path[1];
  if (key === undefined) {
    const id = `${values.Id ?? values.id ?? ''}`;
    const { Id: _id, id: _lower, ...changes } = values;
    view.update(object, id, changes);
    return { id };
  }
  const known = view.field(object, key);
  if (!known?.field.externalId) throw new Refusal('INVALID_FIELD', `No external id field named ${key} on ${object}`);
  const { [known.name]: value, ...changes } = values;
  const done = upsert(view, object, known.name, `${value ?? ''}`, changes);
  if ('urls' in done)
    throw new Refusal(
      'DUPLICATE_EXTERNAL_ID',
      `${known.name}: more than one record found for external id field: ${value}`,
      [known.name],
    );
  return done;
}

function halted(): RestResult {
  return {
    status: 400,
    body: [
      {
        errorCode: 'PROCESSING_HALTED',
        message: 'The transaction was rolled back since another operation in the same transaction failed.',
      },
    ],
  };
}

function isHalted(result: RestResult): boolean {
  return Array.isArray(result.body) && isObject(result.body[0]) && result.body[0].errorCode === 'PROCESSING_HALTED';
}

/** Replaces `@{ref.path[0].to}` in every string by what the named subrequest answered. */
function filledIn(value: unknown, results: ReadonlyMap<string, RestResult>): unknown {
  if (Array.isArray(value)) return value.map((one) => filledIn(one, results));
  if (isObject(value))
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filledIn(one, results)]));
  if (typeof value !== 'string') return value;
  return value.replace(/@\{(\w+)((?:\.\w+|\[\d+\])*)\}/g, (whole, id: string, path: string) => {
    const result = results.get(id);
    const missing = new Refusal(
      'PROCESSING_HALTED',
      `Invalid reference specified. No value for ${whole.slice(2, -1)} found in ${id}`,
    );
    if (!result || failed(result)) throw missing;
    let at: unknown = result.body;
    for (const step of path.match(/\w+/g) ?? [])
      at = Array.isArray(at) ? at[Number(step)] : isObject(at) ? at[step] : undefined;
    if (typeof at !== 'string' && typeof at !== 'number') throw missing;
    return `${at}`;
  });
}
