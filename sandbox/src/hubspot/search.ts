/**
 * Owns `POST …/search`: its limits, operators and order (the HubSpot contract, section 2.4). Must never find what the index
 * has not seen yet.
 */
import { isObject } from '../http.ts';
import type { ObjectType } from './properties.ts';
import { type Portal, type PortalRecord, Refusal } from './records.ts';

/** Runs a search body and answers `{ total, results, paging? }`. Throws {@link Refusal}. */
export function runSearch(
  portal: Portal,
  type: ObjectType,
  body: Record<string, unknown>,
  size: number,
): { total: number; results: readonly PortalRecord[]; paging?: { next: { after: string } } } {
  if (size > 3000) throw invalid('The body of a search request may not exceed 3000 characters');
  const groups = list(body.filterGroups);
  const filters = groups.map((group) => list(isObject(group) ? group.filters : undefined));
  if (groups.length > 5) throw invalid('Too many filterGroups: the maximum is 5');
  if (filters.some((group) => group.length > 6) || filters.flat().length > 18)
    throw invalid('Too many filters: the maximum is 6 in a group and 18 in total');
  const limit = body.limit === undefined ? 10 : Number(body.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 200)
    throw invalid(`Invalid limit ${String(body.limit)}: 1 to 200`);
  const after = body.after === undefined || body.after === '' ? 0 : Number(body.after);
  if (!Number.isInteger(after) || after < 0) throw invalid(`Invalid paging offset ${String(body.after)}`);
  const tests = filters.map((group) => group.map((filter) => testOf(portal, type, filter)));
  const now = Date.now();
  const hits = portal
    .all(type)
    .filter((record) => record.indexedAt <= now)
    .filter((record) => tests.length === 0 || tests.some((group) => group.every((test) => test(record))));
  const sorted = order(portal, type, hits, list(body.sorts)[0]);
  const next = after + limit;
  return {
    total: sorted.length,
    results: sorted.slice(after, next),
    ...(next < sorted.length ? { paging: { next: { after: `${next}` } } } : {}),
  };
}

type Test = (record: PortalRecord) => boolean;

function testOf(portal: Portal, type: ObjectType, filter: unknown): Test {
  if (!isObject(filter)) throw invalid('A filter is an object with propertyName, operator and value');
  const name = `${filter.propertyName ?? ''}`;
  // HubSpot answers an unknown property with a bare 400: no category, nothing that names it.
  if (!portal.property(type, name)) throw new Refusal(400, 'There was a problem with the request.');
  const value = typeof filter.value === 'string' ? filter.value : undefined;
  const values = Array.isArray(filter.values) ? filter.values.map(String) : undefined;
  const text = (record: PortalRecord): string | undefined => record.properties[name]?.toLowerCase() ?? undefined;
  switch (filter.operator) {
    case 'HAS_PROPERTY':
      return (record) => text(record) !== undefined;
    case 'NOT_HAS_PROPERTY':
      return (record) => text(record) === undefined;
    case 'IN':
    case 'NOT_IN': {
      if (!values) throw invalid(`Operator ${filter.operator} needs values`);
      // String values of IN must be lower case, or nothing matches them.
      return (record) => values.includes(text(record) ?? '') === (filter.operator === 'IN');
    }
    case 'EQ':
    case 'NEQ': {
      if (value === undefined) throw invalid(`Operator ${filter.operator} needs a string value`);
      return (record) => (text(record) === value.toLowerCase()) === (filter.operator === 'EQ');
    }
    case 'CONTAINS_TOKEN': {
      if (value === undefined) throw invalid('Operator CONTAINS_TOKEN needs a string value');
      const pattern = value
        .toLowerCase()
        .split('*')
        .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*');
      const whole = new RegExp(`^${pattern}$`);
      return (record) => (text(record) ?? '').split(/[^\p{L}\p{N}+]+/u).some((token) => whole.test(token));
    }
    default:
      throw invalid(`Operator ${String(filter.operator)} is not supported by the sandbox`);
  }
}

function order(
  portal: Portal,
  type: ObjectType,
  hits: readonly PortalRecord[],
  sort: unknown,
): readonly PortalRecord[] {
  const by = isObject(sort)
    ? `${sort.propertyName ?? ''}`
    : typeof sort === 'string'
      ? sort.replace(/^-/, '')
      : undefined;
  if (by === undefined || by === '') return hits;
  if (!portal.property(type, by)) throw new Refusal(400, 'There was a problem with the request.');
  const down = isObject(sort) ? sort.direction === 'DESCENDING' : `${sort}`.startsWith('-');
  return [...hits].sort((a, b) => (down ? -1 : 1) * (a.properties[by] ?? '').localeCompare(b.properties[by] ?? ''));
}

function list(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid('filterGroups, filters and sorts are arrays');
  return value;
}

function invalid(message: string): Refusal {
  return new Refusal(400, message, 'VALIDATION_ERROR');
}
