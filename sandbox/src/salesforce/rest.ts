/**
 * Owns the REST surface of the emulated org under `/services/data/vNN.0/`: query, search, sobjects, upsert by external id,
 * composite and collections, limits, describe, with Salesforce's statuses and error shapes (the Salesforce contract, section 3).
 * Must never hold rules about records: those are in `records.ts`.
 */
import { isObject } from '../http.ts';
import { attributesOf, type Found, runSoql, runSosl } from './query.ts';
import { notFound, type Records, Refusal, type Row } from './records.ts';
import { fieldNamed, type SObjectName, schema, sObjectNamed, sObjectNames } from './schema.ts';

/** One call inside the REST surface: a request of its own, or one of a composite's. */
export interface RestCall {
  readonly method: string;
  /** Path and query, from `/services/data/` on. */
  readonly url: string;
  readonly body: unknown;
  readonly userId: string;
}

export interface RestResult {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

const dataPath = /^\/services\/data\/(v(\d{2})\.0)(\/.*)?$/;

/** The REST surface over `records`. The answer never throws: every refusal is a result in Salesforce's shape. */
export function createRest(
  records: Records,
  usage: () => { used: number; limit: number },
): (call: RestCall) => RestResult {
  function answer(call: RestCall): RestResult {
    try {
      return route(call);
    } catch (error) {
      if (error instanceof Refusal) return { status: error.status, body: [errorBody(error)] };
      throw error;
    }
  }

  function route(call: RestCall): RestResult {
    const url = new URL(call.url, 'http://org.invalid');
    if (url.pathname === '/services/data' || url.pathname === '/services/data/')
      return { status: 200, body: [{ label: "Spring '26", url: '/services/data/v66.0', version: '66.0' }] };
    const match = dataPath.exec(url.pathname);
    const version = Number(match?.[2] ?? 0);
    if (!match || version < 50 || version > 67) throw notFound();
    const base = `/services/data/${match[1]}`;
    const path = (match[3] ?? '/').split('/').slice(1).map(decoded);
    const [head, ...rest] = path;
    const get = call.method === 'GET';
    if (head === undefined || head === '')
      return {
        status: 200,
        body: {
          sobjects: `${base}/sobjects`,
          query: `${base}/query`,
          search: `${base}/search`,
          composite: `${base}/composite`,
          limits: `${base}/limits`,
        },
      };
    if (get && head === 'limits')
      return {
        status: 200,
        body: { DailyApiRequests: { Max: usage().limit, Remaining: usage().limit - usage().used } },
      };
    if (get && head === 'query') {
      const rows = runSoql(records, url.searchParams.get('q') ?? '', base);
      return { status: 200, body: { totalSize: rows.length, done: true, records: rows } };
    }
    if (get && head === 'search')
      return { status: 200, body: { searchRecords: runSosl(records, url.searchParams.get('q') ?? '', base) } };
    if (head === 'sobjects') return sobjects(call, base, rest, url.searchParams);
    if (head === 'composite') return composite(call, rest, url.searchParams);
    throw notFound();
  }

  function sobjects(call: RestCall, base: string, path: readonly string[], query: URLSearchParams): RestResult {
    const [name, key, value] = path;
    if (name === undefined || name === '') {
      const list = sObjectNames.map((object) => ({
        name: object,
        label: schema[object].label,
        keyPrefix: schema[object].prefix,
        urls: { sobject: `${base}/sobjects/${object}` },
      }));
      return { status: 200, body: { encoding: 'UTF-8', maxBatchSize: 200, sobjects: list } };
    }
    const object = sObjectNamed(name);
    if (!object) throw notFound();
    if (key === undefined || key === '') {
      if (call.method === 'GET')
        return {
          status: 200,
          body: { objectDescribe: { name: object, label: schema[object].label }, recentItems: [] },
        };
      if (call.method !== 'POST') throw notAllowed(call.method);
      const id = records.create(object, objectOf(call.body), call.userId);
      return {
        status: 201,
        headers: { Location: `${base}/sobjects/${object}/${id}` },
        body: { id, success: true, errors: [] },
      };
    }
    if (key === 'describe') return { status: 200, body: describe(object) };
    if (value !== undefined) return byExternalId(call, base, object, key, value, query);
    const row = records.get(object, key);
    if (!row) throw notFound();
    if (call.method === 'GET') return { status: 200, body: picked(object, row, query.get('fields'), base) };
    if (call.method === 'DELETE') {
      records.remove(object, key);
      return { status: 204 };
    }
    if (call.method !== 'PATCH') throw notAllowed(call.method);
    records.update(object, key, objectOf(call.body), call.userId);
    return { status: 204 };
  }

  function byExternalId(
    call: RestCall,
    base: string,
    object: SObjectName,
    key: string,
    value: string,
    query: URLSearchParams,
  ): RestResult {
    const known = fieldNamed(object, key);
    if (!known || (!known.field.externalId && known.name !== 'Id'))
      throw new Refusal('NOT_FOUND', `Provided external ID field does not exist or is not accessible: ${key}`, [], 404);
    const matches = records
      .all(object)
      .filter((row) => `${row[known.name] ?? ''}`.toLowerCase() === value.toLowerCase());
    if (matches.length > 1)
      return { status: 300, body: matches.map((row) => attributesOf(object, `${row.Id}`, base).url) };
    const existing = matches[0];
    if (call.method === 'GET') {
      if (!existing) throw notFound();
      return { status: 200, body: picked(object, existing, query.get('fields'), base) };
    }
    if (call.method === 'DELETE') {
      if (!existing) throw notFound();
      records.remove(object, `${existing.Id}`);
      return { status: 204 };
    }
    if (call.method !== 'PATCH') throw notAllowed(call.method);
    const values = objectOf(call.body);
    if (Object.keys(values).some((name) => name.toLowerCase() === known.name.toLowerCase()))
      throw new Refusal('INVALID_FIELD', `The ${known.name} field should not be specified in the sobject data.`, [
        known.name,
      ]);
    if (existing) {
      records.update(object, `${existing.Id}`, values, call.userId);
      return { status: 200, body: { id: existing.Id, success: true, errors: [], created: false } };
    }
    if (query.get('updateOnly') === 'true') throw notFound();
    const id = records.create(object, { ...values, [known.name]: value }, call.userId);
    return {
      status: 201,
      headers: { Location: `${base}/sobjects/${object}/${id}` },
      body: { id, success: true, errors: [], created: true },
    };
  }

  function composite(call: RestCall, path: readonly string[], query: URLSearchParams): RestResult {
    if (path[0] === 'sobjects') return collection(call, path.slice(1), query);
    if (path[0] === 'graph') return graphs(call);
    if (path.length > 0 && path[0] !== '') throw notFound();
    if (call.method !== 'POST') throw notAllowed(call.method);
    const body = objectOf(call.body);
    const requests = body.compositeRequest;
    if (!Array.isArray(requests) || requests.length === 0)
      throw new Refusal('JSON_PARSER_ERROR', 'The request needs a compositeRequest array with at least one subrequest');
    if (requests.length > 25) throw new Refusal('LIMIT_EXCEEDED', 'The number of subrequests exceeds the limit of 25');
    const heavy = requests.filter((one) => isObject(one) && /\/(query|composite)\b/.test(`${one.url}`));
    if (heavy.length > 5)
      throw new Refusal('LIMIT_EXCEEDED', 'No more than 5 subrequests may be queries or collections');
    return { status: 200, body: { compositeResponse: transaction(requests, body.allOrNone === true, call.userId) } };
  }

  /** Runs subrequests in order; with `allOrNone` one that fails takes the others back. */
  function transaction(
    requests: readonly unknown[],
    allOrNone: boolean,
    userId: string,
  ): { readonly referenceId: string; readonly httpStatusCode: number; readonly body: unknown }[] {
    const undo = allOrNone ? records.savepoint() : undefined;
    const results = new Map<string, RestResult>();
    for (const one of requests) {
      const id = isObject(one) ? one.referenceId : undefined;
      if (!isObject(one) || typeof id !== 'string' || !/^[A-Za-z]\w*$/.test(id))
        throw new Refusal(
          'JSON_PARSER_ERROR',
          'Every subrequest needs a referenceId of letters, digits and underscores',
        );
      if (results.has(id))
        throw new Refusal('JSON_PARSER_ERROR', `Provided referenceId ('${id}') must be unique in a request.`);
      if (undo && [...results.values()].some(failed)) results.set(id, halted());
      else results.set(id, subrequest(one, results, userId));
    }
    const broken = [...results].filter(([, result]) => failed(result) && !isHalted(result));
    if (undo && broken.length > 0) {
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

  /** Composite graphs: every graph is all or none for itself, and only records may be named in it. */
  function graphs(call: RestCall): RestResult {
    if (call.method !== 'POST') throw notAllowed(call.method);
    const given = objectOf(call.body).graphs;
    if (!Array.isArray(given) || given.length === 0)
      throw new Refusal('JSON_PARSER_ERROR', 'The request needs a graphs array with at least one graph');
    if (given.length > 75) throw new Refusal('LIMIT_EXCEEDED', 'The number of graphs exceeds the limit of 75');
    const nodesOf = (graph: unknown): readonly unknown[] => {
      const nodes = isObject(graph) ? graph.compositeRequest : undefined;
      if (!isObject(graph) || typeof graph.graphId !== 'string' || !Array.isArray(nodes) || nodes.length === 0)
        throw new Refusal('JSON_PARSER_ERROR', 'Every graph needs a graphId and a compositeRequest');
      return nodes;
    };
    if (given.flatMap(nodesOf).length > 500)
      throw new Refusal('LIMIT_EXCEEDED', 'The number of nodes exceeds the limit of 500');
    for (const node of given.flatMap(nodesOf))
      if (!isObject(node) || !/\/sobjects\/\w+(?:\/[^/?]+){0,2}(?:\?|$)/.test(`${node.url}`))
        throw new Refusal('INVALID_INPUT', 'A graph takes only URLs of records');
    const answered = given.map((graph: unknown) => {
      const compositeResponse = transaction(nodesOf(graph), true, call.userId);
      return {
        graphId: isObject(graph) ? graph.graphId : '',
        graphResponse: { compositeResponse },
        isSuccessful: compositeResponse.every(({ httpStatusCode }) => httpStatusCode < 300),
      };
    });
    return { status: 200, body: { graphs: answered } };
  }

  function subrequest(
    one: Record<string, unknown>,
    results: ReadonlyMap<string, RestResult>,
    userId: string,
  ): RestResult {
    try {
      const filled = filledIn({ url: one.url, body: one.body }, results) as { url: unknown; body: unknown };
      const url = `${filled.url}`;
      if (!dataPath.test(new URL(url, 'http://org.invalid').pathname)) throw notFound();
      return answer({ method: `${one.method}`.toUpperCase(), url, body: filled.body, userId });
    } catch (error) {
      if (error instanceof Refusal) return { status: error.status, body: [errorBody(error)] };
      throw error;
    }
  }

  function collection(call: RestCall, path: readonly string[], query: URLSearchParams): RestResult {
    const undo = records.savepoint();
    const run = (work: () => { id: string; created?: boolean }): Record<string, unknown> => {
      try {
        return { ...work(), success: true, errors: [] };
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return {
          success: false,
          errors: [{ statusCode: error.code, message: error.message, fields: [...error.fields] }],
        };
      }
    };
    let rows: Record<string, unknown>[];
    let allOrNone: boolean;
    if (call.method === 'DELETE') {
      allOrNone = query.get('allOrNone') === 'true';
      rows = (query.get('ids') ?? '').split(',').map((id) =>
        run(() => {
          const object = records.objectOf(id);
          if (!object) throw new Refusal('MALFORMED_ID', `malformed id ${id}`);
          records.remove(object, id);
          return { id };
        }),
      );
    } else {
      const body = objectOf(call.body);
      if (!Array.isArray(body.records)) throw new Refusal('JSON_PARSER_ERROR', 'The request needs a records array');
      if (body.records.length > 200)
        throw new Refusal('LIMIT_EXCEEDED', 'record limit reached. cannot submit more than 200 records into this call');
      allOrNone = body.allOrNone === true;
      rows = body.records.map((record: unknown) => run(() => written(call, path, objectOf(record))));
    }
    if (allOrNone && rows.some((row) => row.success === false)) {
      undo();
      rows = rows.map((row) =>
        row.success === false
          ? row
          : {
              success: false,
              errors: [
                {
                  statusCode: 'ALL_OR_NONE_OPERATION_ROLLED_BACK',
                  message:
                    'Record rolled back because not all records were valid and the request was using AllOrNone header',
                  fields: [],
                },
              ],
            },
      );
    }
    return { status: 200, body: rows };
  }

  function written(
    call: RestCall,
    path: readonly string[],
    record: Record<string, unknown>,
  ): { id: string; created?: boolean } {
    const type = isObject(record.attributes) ? record.attributes.type : path[0];
    const object = sObjectNamed(`${type}`);
    if (!object) throw new Refusal('INVALID_TYPE', `sObject type '${type}' is not supported.`);
    const { attributes: _attributes, ...values } = record;
    if (call.method === 'POST') return { id: records.create(object, values, call.userId) };
    if (call.method !== 'PATCH') throw notAllowed(call.method);
    const key = path[1];
    if (key === undefined) {
      const id = `${values.Id ?? values.id ?? ''}`;
      const { Id: _id, id: _lower, ...changes } = values;
      records.update(object, id, changes, call.userId);
      return { id };
    }
    const known = fieldNamed(object, key);
    if (!known?.field.externalId) throw new Refusal('INVALID_FIELD', `No external id field named ${key} on ${object}`);
    const value = `${values[known.name] ?? ''}`;
    const existing = records
      .all(object)
      .filter((row) => `${row[known.name] ?? ''}`.toLowerCase() === value.toLowerCase());
    if (existing.length > 1)
      throw new Refusal(
        'DUPLICATE_EXTERNAL_ID',
        `${known.name}: more than one record found for external id field: ${value}`,
      );
    const first = existing[0];
    if (!first) return { id: records.create(object, values, call.userId), created: true };
    const { [known.name]: _key, ...changes } = values;
    records.update(object, `${first.Id}`, changes, call.userId);
    return { id: `${first.Id}`, created: false };
  }

  return answer;
}

function failed(result: RestResult): boolean {
  return result.status >= 300;
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
  return value.replace(/@\{(\w+)((?:\.\w+|\[\d+\])*)\}/g, (written, id: string, path: string) => {
    const result = results.get(id);
    if (!result || failed(result))
      throw new Refusal(
        'PROCESSING_HALTED',
        `Invalid reference specified. No value for ${written.slice(2, -1)} found in ${id}`,
      );
    let at: unknown = result.body;
    for (const step of path.match(/\w+/g) ?? [])
      at = Array.isArray(at) ? at[Number(step)] : isObject(at) ? at[step] : undefined;
    if (typeof at !== 'string' && typeof at !== 'number')
      throw new Refusal(
        'PROCESSING_HALTED',
        `Invalid reference specified. No value for ${written.slice(2, -1)} found in ${id}`,
      );
    return `${at}`;
  });
}

function objectOf(body: unknown): Record<string, unknown> {
  if (!isObject(body))
    throw new Refusal('JSON_PARSER_ERROR', 'Unexpected character at the start of the body: a JSON object was expected');
  return body;
}

function picked(object: SObjectName, row: Row, fields: string | null, base: string): Found {
  const result: Found = { attributes: attributesOf(object, `${row.Id}`, base) };
  const names = fields === null ? Object.keys(schema[object].fields) : fields.split(',').map((name) => name.trim());
  for (const name of names) {
    const known = fieldNamed(object, name);
    if (!known) throw new Refusal('INVALID_FIELD', `No such column '${name}' on entity '${object}'.`);
    result[known.name] = row[known.name] ?? null;
  }
  return result;
}

function describe(object: SObjectName): unknown {
  const { label, prefix, fields, writable } = schema[object];
  return {
    name: object,
    label,
    keyPrefix: prefix,
    custom: object.endsWith('__c'),
    createable: writable,
    updateable: writable,
    fields: Object.entries(fields).map(([name, field]) => ({
      name,
      type: field.type,
      length: field.length ?? 0,
      createable: writable && field.write !== 'never',
      updateable: writable && field.write === undefined,
      nillable: !field.required,
      unique: field.unique ?? false,
      externalId: field.externalId ?? false,
      restrictedPicklist: field.restricted ?? false,
      relationshipName: field.relationship ?? null,
      referenceTo: field.to ?? [],
      picklistValues: (field.values ?? []).map((value) => ({
        value,
        label: value,
        active: true,
        defaultValue: value === field.default,
      })),
    })),
  };
}

function notAllowed(method: string): Refusal {
  return new Refusal(
    'METHOD_NOT_ALLOWED',
    `HTTP Method '${method}' not allowed. Allowed are HEAD,GET,POST,PATCH,DELETE`,
    [],
    405,
  );
}

function errorBody(refusal: Refusal): Record<string, unknown> {
  const body: Record<string, unknown> = { message: refusal.message, errorCode: refusal.code };
  // Salesforce lists fields only where a field is to blame.
  if (refusal.fields.length > 0) body.fields = [...refusal.fields];
  return body;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
