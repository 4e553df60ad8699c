/**
 * Owns SOQL as far as a phone needs it: fields behind lookups, subselects over child rows, WHERE, ORDER BY, LIMIT, OFFSET, COUNT(). Unknown
 * fields and grammar are refused as Salesforce refuses them. Must never write.
 */
import type { OrgView } from './access.ts';
import type { Schema, SObjectName } from './field.ts';
import { type FieldPath, fieldPath } from './field-path.ts';
import { type Tokens, tokenise } from './query-tokens.ts';
import { sObjectNamed } from './schema.ts';
import { condition, type Test } from './soql-filter.ts';
import type { Row, Value } from './values.ts';

export type Found = Record<string, unknown>;

/** The org as a query reads it; `base` is the path that record URLs start with. */
export interface QueryContext {
  readonly view: OrgView;
  readonly schema: Schema;
  readonly base: string;
}

export interface QueryAnswer {
  readonly totalSize: number;
  readonly done: true;
  readonly records: readonly Found[];
}

/** Answers a SOQL query, shaped as the REST API shapes it. Throws Refusal. */
export function runSoql(context: QueryContext, soql: string): QueryAnswer {
  const tokens = tokenise(soql);
  const answer = readQuery(tokens, context);
  tokens.end();
  return answer;
}

interface ChildSelect {
  readonly name: string;
  rows(parent: Row): readonly Found[];
}

function readQuery(tokens: Tokens, context: QueryContext): QueryAnswer {
  tokens.keyword('SELECT');
  // The fields are named before the object that they are of: they are looked up once it is known.
  const chosen: (string | Subselect)[] = [];
  let counts = false;
  do {
    if (tokens.take('(')) chosen.push(readSubselect(tokens));
    else if (tokens.takeKeyword('COUNT')) {
      tokens.need('(');
      tokens.need(')');
      counts = true;
    } else chosen.push(tokens.word());
  } while (tokens.take(','));
  tokens.keyword('FROM');
  const object = objectIn(tokens, context.view);
  const paths = chosen
    .filter((one) => typeof one === 'string')
    .map((written) => fieldPath(context.view, object, written, tokens));
  const children = chosen
    .filter((one) => typeof one !== 'string')
    .map((one) => childSelect(one, object, tokens, context));
  const tail = readTail(tokens, object, context);
  const rows = tailed(context.view.all(object), tail);
  if (counts) return { totalSize: rows.length, done: true, records: [] };
  const records = rows.map((row) => {
    const found = shown(context, object, row, paths);
    for (const child of children) {
      const inner = child.rows(row);
      found[child.name] = inner.length === 0 ? null : { totalSize: inner.length, done: true, records: inner };
    }
    return found;
  });
  return { totalSize: records.length, done: true, records };
}

/** `(SELECT … FROM Contacts …)`: read as words first, since what it means depends on the outer object. */
interface Subselect {
  readonly fields: readonly string[];
  readonly relationship: string;
  readonly rest: (object: SObjectName, context: QueryContext) => Tail;
}

function readSubselect(tokens: Tokens): Subselect {
  tokens.keyword('SELECT');
  const fields = fieldList(tokens);
  tokens.keyword('FROM');
  const relationship = tokens.word();
  const inside: string[] = [];
  let depth = 1;
  for (;;) {
    if (tokens.take('(')) {
      depth += 1;
      inside.push('(');
    } else if (tokens.take(')')) {
      depth -= 1;
      if (depth === 0) break;
      inside.push(')');
    } else inside.push(tokens.raw());
  }
  return {
    fields,
    relationship,
    rest(object, context) {
      const inner = tokenise(inside.join(' '));
      const tail = readTail(inner, object, context);
      inner.end();
      return tail;
    },
  };
}

function childSelect(one: Subselect, object: SObjectName, tokens: Tokens, context: QueryContext): ChildSelect {
  const child = Object.entries(context.schema[object].children ?? {}).find(
    ([name]) => name.toLowerCase() === one.relationship.toLowerCase(),
  );
  if (!child || !context.view.mayObject(child[1].object, 'read'))
    throw tokens.wrong(
      'INVALID_TYPE',
      `Didn't understand relationship '${one.relationship}' in FROM part of query call. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.`,
    );
  const [name, { object: inner, via }] = child;
  const paths = one.fields.map((written) => fieldPath(context.view, inner, written, tokens));
  const tail = one.rest(inner, context);
  return {
    name,
    rows: (parent) =>
      tailed(
        context.view.all(inner).filter((row) => row[via] === parent.Id),
        tail,
      ).map((row) => shown(context, inner, row, paths)),
  };
}

/** What stands behind the object's name. */
export interface Tail {
  readonly where: Test;
  readonly order: readonly { readonly path: FieldPath; readonly down: boolean; readonly nullsLast: boolean }[];
  readonly limit: number;
  readonly offset: number;
}

export const wholeTail: Tail = { where: () => true, order: [], limit: 50_000, offset: 0 };

export function readTail(tokens: Tokens, object: SObjectName, context: QueryContext): Tail {
  const { view } = context;
  let { where, limit, offset } = wholeTail;
  const order: { path: FieldPath; down: boolean; nullsLast: boolean }[] = [];
  if (tokens.takeKeyword('WHERE'))
    where = condition(tokens, { view, object, inner: (inside) => column(inside, context) });
  if (tokens.takeKeyword('WITH') && !tokens.takeKeyword('USER_MODE')) tokens.keyword('SECURITY_ENFORCED');
  if (tokens.takeKeyword('ORDER')) {
    tokens.keyword('BY');
    do {
      const path = fieldPath(view, object, tokens.word(), tokens);
      const down = tokens.takeKeyword('DESC');
      if (!down) tokens.takeKeyword('ASC');
      const nullsLast = tokens.takeKeyword('NULLS') && !tokens.takeKeyword('FIRST');
      if (nullsLast) tokens.keyword('LAST');
      order.push({ path, down, nullsLast });
    } while (tokens.take(','));
  }
  if (tokens.takeKeyword('LIMIT')) limit = tokens.number();
  if (tokens.takeKeyword('OFFSET')) offset = tokens.number();
  if (tokens.takeKeyword('FOR')) tokens.word();
  return { where, order, limit, offset };
}

/** The first column of a semi-join's inner query. */
function column(tokens: Tokens, context: QueryContext): readonly Value[] {
  tokens.keyword('SELECT');
  const written = tokens.word();
  tokens.keyword('FROM');
  const object = objectIn(tokens, context.view);
  const path = fieldPath(context.view, object, written, tokens);
  const tail = readTail(tokens, object, context);
  return tailed(context.view.all(object), tail).map((row) => path.value(row));
}

export function tailed(rows: readonly Row[], tail: Tail): readonly Row[] {
  const kept = rows.filter(tail.where);
  if (tail.order.length > 0) kept.sort((one, other) => ordered(one, other, tail));
  return kept.slice(tail.offset, tail.offset + tail.limit);
}

function ordered(one: Row, other: Row, tail: Tail): number {
  for (const { path, down, nullsLast } of tail.order) {
    const [a, b] = [path.value(one), path.value(other)];
    if (a === b) continue;
    if (a === null || b === null) return (a === null) === nullsLast ? 1 : -1;
    const [left, right] = typeof a === 'string' ? [a.toLowerCase(), `${b}`.toLowerCase()] : [a, b];
    if (left === right) continue;
    return (left < right ? -1 : 1) * (down ? -1 : 1);
  }
  return 0;
}

/** One row as the API shows it: its own fields, and a nested object for each lookup on the way. */
export function shown(context: QueryContext, object: SObjectName, row: Row, paths: readonly FieldPath[]): Found {
  const result: Found = { attributes: attributesOf(object, `${row.Id}`, context.base) };
  for (const path of paths) {
    let at: Found | null = result;
    let via = row;
    for (const step of path.steps) {
      const end: { object: SObjectName; row: Row } | undefined = stepped(context.view, via, step.via);
      if (!end) {
        if (at) at[step.relationship] ??= null;
        at = null;
        break;
      }
      const known: unknown = at?.[step.relationship];
      const nested: Found =
        typeof known === 'object' && known !== null
          ? (known as Found)
          : { attributes: attributesOf(end.object, `${end.row.Id}`, context.base) };
      if (at) at[step.relationship] = nested;
      at = nested;
      via = end.row;
    }
    if (at) at[path.name] = path.value(row);
  }
  return result;
}

function stepped(view: OrgView, row: Row, via: string): { object: SObjectName; row: Row } | undefined {
  const id = row[via];
  const object = typeof id === 'string' ? view.objectOf(id) : undefined;
  const next = object === undefined || typeof id !== 'string' ? undefined : view.get(object, id);
  return object === undefined || next === undefined ? undefined : { object, row: next };
}

export function attributesOf(object: SObjectName, id: string, base: string): { type: string; url: string } {
  return { type: object, url: `${base}/sobjects/${object}/${id}` };
}

/** The object named next; one that the user may not read is as good as absent. */
export function objectIn(tokens: Tokens, view: OrgView): SObjectName {
  const name = tokens.word();
  const object = sObjectNamed(name);
  if (!object || !view.mayObject(object, 'read'))
    throw tokens.wrong(
      'INVALID_TYPE',
      `sObject type '${name}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.`,
    );
  return object;
}

export function fieldList(tokens: Tokens): string[] {
  const fields = [tokens.word()];
  while (tokens.take(',')) fields.push(tokens.word());
  return fields;
}
