/**
 * Owns `POST …/search`: its limits, operators and order (the HubSpot contract, section 2.4). Must never find what the index
 * has not seen yet.
 */
import { isObject } from '../http.ts';
import type { ObjectType } from './properties.ts';
import { type Portal, type PortalRecord, Refusal } from './records.ts';
import { typeOf } from './rest-call.ts';

/** Runs a search body and answers `{ total, results, paging? }`. `strict` is the newest API, which wants every part said. Throws {@link Refusal}. */
export function runSearch(
  portal: Portal,
  type: ObjectType,
  body: Record<string, unknown>,
  size: number,
  strict = false,
): { total: number; results: readonly PortalRecord[]; paging?: { next: { after: string } } } {
  if (size > 3000) throw invalid('The body of a search request may not exceed 3000 characters');
  const unsaid = strict
    ? ['after', 'filterGroups', 'limit', 'properties', 'sorts'].filter((part) => !(part in body))
    : [];
  if (unsaid.length > 0) throw invalid(`Required fields were not set: ${unsaid.join(', ')}`);
  const groups = list(body.filterGroups);
  const filters = groups.map((group) => list(isObject(group) ? group.filters : undefined));
  if (groups.length > 5) throw invalid('Too many filterGroups: the maximum is 5');
  if (filters.some((group) => group.length > 6) || filters.flat().length > 18)
    throw invalid('Too many filters: the maximum is 6 in a group and 18 in total');
  const limit = body.limit === undefined ? 10 : Number(body.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 200)
    throw invalid(`Invalid limit ${String(body.limit)}: 1 to 200`);
  const after = body.after === undefined || body.after === '' ? 0 : Number(body.after);
  if (after + limit > 10_000) throw invalid('A search gives at most 10,000 results');
  if (!Number.isInteger(after) || after < 0) throw invalid(`Invalid paging offset ${String(body.after)}`);
  const tests = filters.map((group) => group.map((filter) => testOf(portal, type, filter)));
  const now = Date.now();
  const words = typeof body.query === 'string' ? body.query.toLowerCase().split(/\s+/).filter(Boolean) : [];
  const hits = portal
    .all(type)
    .filter((record) => record.indexedAt <= now)
    .filter((record) => {
      const text = Object.values(record.properties).join(' ').toLowerCase();
      return words.every((word) => text.includes(word));
    })
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
  const linked = /^associations\.(\w+)$/.exec(name)?.[1];
  if (linked !== undefined) {
    const to = typeOf(linked);
    const ids =
      filter.operator === 'IN' && Array.isArray(filter.values) ? filter.values.map(String) : [`${filter.value}`];
    return (record) => portal.associated(type, record.id, to).some((link) => ids.includes(link.toId));
  }
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
    case 'GT':
    case 'GTE':
    case 'LT':
    case 'LTE':
    case 'BETWEEN': {
      const { operator } = filter;
      const bound = (given: unknown): number => {
        if (typeof given !== 'string' || given === '') throw invalid(`Operator ${operator} needs string values`);
        return rankOf(given);
      };
      const low = bound(filter.value);
      const high = operator === 'BETWEEN' ? bound(filter.highValue) : low;
      return (record) => {
        const at = record.properties[name];
        if (at === null || at === undefined) return false;
        const rank = rankOf(at);
        if (operator === 'BETWEEN') return rank >= low && rank <= high;
        return operator === 'GT'
          ? rank > low
          : operator === 'GTE'
            ? rank >= low
            : operator === 'LT'
              ? rank < low
              : rank <= low;
      };
    }
    case 'CONTAINS_TOKEN':
    case 'NOT_CONTAINS_TOKEN': {
      if (value === undefined) throw invalid(`Operator ${filter.operator} needs a string value`);
      const pattern = value
        .toLowerCase()
        .split('*')
        .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*');
      const whole = new RegExp(`^${pattern}$`);
      const has = (record: PortalRecord): boolean =>
        (text(record) ?? '').split(/[^\p{L}\p{N}+]+/u).some((token) => whole.test(token));
      return (record) => has(record) === (filter.operator === 'CONTAINS_TOKEN');
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
  const numeric = portal.property(type, by)?.type === 'number';
  return [...hits].sort((a, b) => {
    const [left, right] = [a.properties[by] ?? '', b.properties[by] ?? ''];
    return (down ? -1 : 1) * (numeric ? Number(left) - Number(right) : left.localeCompare(right));
  });
}

/** Where a value stands in an order: numbers by value, dates by time, in epoch ms or ISO text. */
function rankOf(value: string): number {
  return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : Date.parse(value);
}

function list(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid('filterGroups, filters and sorts are arrays');
  return value;
}

function invalid(message: string): Refusal {
  return new Refusal(400, message, 'VALIDATION_ERROR');
}
