/**
 * Owns `/sobjects`: list, describe, one record by its id, one record by an external id (the Salesforce contract, section 3.2). Must never write
 * but through the user's view of the org.
 */
import type { OrgView } from './access.ts';
import { describeGlobal, describeObject } from './describe.ts';
import type { Schema, SObjectName } from './field.ts';
import { notFound, Refusal } from './refusal.ts';
import { jsonObject, type RestCall, type RestResult } from './rest-call.ts';
import { sObjectNamed } from './schema.ts';
import { attributesOf, type Found } from './soql.ts';
import type { Row } from './values.ts';

export interface SObjectContext {
  readonly view: OrgView;
  readonly schema: Schema;
  readonly base: string;
}

export function sObjects(
  call: RestCall,
  path: readonly string[],
  query: URLSearchParams,
  context: SObjectContext,
): RestResult {
  const { view, schema, base } = context;
  const [name = '', key = '', value] = path;
  if (name === '') return { status: 200, body: describeGlobal(view, schema, base) };
  const object = sObjectNamed(name);
  if (!object || !view.mayObject(object, 'read')) throw notFound();
  if (key === '') {
    if (call.method === 'GET')
      return { status: 200, body: { objectDescribe: { name: object, label: schema[object].label }, recentItems: [] } };
    if (call.method !== 'POST') throw notAllowed(call.method);
    return created(view.create(object, jsonObject(call.body)), object, base, {});
  }
  if (key === 'describe') return { status: 200, body: describeObject(view, schema, object) };
  if (value !== undefined) return byExternalId(call, object, key, value, query, context);
  if (call.method === 'GET') {
    const row = view.get(object, key);
    if (!row) throw notFound();
    return { status: 200, body: picked(view, object, row, query.get('fields'), base) };
  }
  if (call.method === 'DELETE') {
    view.remove(object, key);
    return { status: 204 };
  }
  if (call.method !== 'PATCH') throw notAllowed(call.method);
  view.update(object, key, jsonObject(call.body));
  return { status: 204 };
}

function byExternalId(
  call: RestCall,
  object: SObjectName,
  key: string,
  value: string,
  query: URLSearchParams,
  { view, base }: SObjectContext,
): RestResult {
  const known = view.field(object, key);
  if (!known || (!known.field.externalId && known.name !== 'Id'))
    throw new Refusal('NOT_FOUND', `Provided external ID field does not exist or is not accessible: ${key}`, [], 404);
  const matches = withKey(view, object, known.name, value);
  const urls = matches.map((row) => attributesOf(object, `${row.Id}`, base).url);
  if (matches.length > 1) return { status: 300, body: urls };
  const existing = matches[0];
  if (call.method === 'GET') {
    if (!existing) throw notFound();
    return { status: 200, body: picked(view, object, existing, query.get('fields'), base) };
  }
  if (call.method === 'DELETE') {
    if (!existing) throw notFound();
    view.remove(object, `${existing.Id}`);
    return { status: 204 };
  }
  if (call.method !== 'PATCH') throw notAllowed(call.method);
  const values = jsonObject(call.body);
  if (Object.keys(values).some((name) => name.toLowerCase() === known.name.toLowerCase()))
    throw new Refusal('INVALID_FIELD', `The ${known.name} field should not be specified in the sobject data.`, [
      known.name,
    ]);
  if (!existing && query.get('updateOnly') === 'true') throw notFound();
  const done = upsert(view, object, known.name, value, values);
  if ('urls' in done) return { status: 300, body: done.urls.map((id) => attributesOf(object, id, base).url) };
  if (done.created) return created(done.id, object, base, { created: true });
  return { status: 200, body: { id: done.id, success: true, errors: [], created: false } };
}

/** Creates, or updates the one record with this key. `urls` are the ids of several: nothing was written. */
export function upsert(
  view: OrgView,
  object: SObjectName,
  key: string,
  value: string,
  values: Readonly<Record<string, unknown>>,
): { readonly id: string; readonly created: boolean } | { readonly urls: readonly string[] } {
  const matches = withKey(view, object, key, value);
  const ids = matches.map((row) => `${row.Id}`);
  if (ids.length > 1) return { urls: ids };
  if (view.isAmbiguous(object, { ...values, [key]: value }))
    return { urls: [ids[0] ?? 'a00Pc00000FIRST', 'a00Pc0000SECOND'] };
  const id = ids[0];
  if (id === undefined) return { id: view.create(object, { ...values, [key]: value }), created: true };
  view.update(object, id, values);
  return { id, created: false };
}

function withKey(view: OrgView, object: SObjectName, key: string, value: string): readonly Row[] {
  return view.all(object).filter((row) => `${row[key] ?? ''}`.toLowerCase() === value.toLowerCase());
}

function created(id: string, object: SObjectName, base: string, more: Record<string, unknown>): RestResult {
  return {
    status: 201,
    headers: { Location: `${base}/sobjects/${object}/${id}` },
    body: { id, success: true, errors: [], ...more },
  };
}

function picked(view: OrgView, object: SObjectName, row: Row, fields: string | null, base: string): Found {
  const result: Found = { attributes: attributesOf(object, `${row.Id}`, base) };
  const names = fields === null ? Object.keys(view.fields(object)) : fields.split(',').map((name) => name.trim());
  for (const name of names) {
    const known = view.field(object, name);
    if (!known) throw new Refusal('INVALID_FIELD', `No such column '${name}' on entity '${object}'.`);
    result[known.name] = row[known.name] ?? null;
  }
  return result;
}

export function notAllowed(method: string): Refusal {
  return new Refusal(
    'METHOD_NOT_ALLOWED',
    `HTTP Method '${method}' not allowed. Allowed are HEAD,GET,POST,PATCH,DELETE`,
    [],
    405,
  );
}
