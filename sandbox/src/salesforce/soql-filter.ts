/**
 * Owns what a query's WHERE means: comparisons, lists, semi-joins, patterns and relative dates, with the refusals for what a field does not
 * take. Must never change the rows.
 */
import type { OrgView } from './access.ts';
import type { Field, SObjectName } from './field.ts';
import { type FieldPath, fieldPath } from './field-path.ts';
import type { Literal, Tokens } from './query-tokens.ts';
import { instant, type Row, type Value } from './values.ts';

export type Test = (row: Row) => boolean;

/** Answers the one column of an inner query: `… IN (SELECT ContactId FROM …)`. */
export type InnerColumn = (tokens: Tokens) => readonly Value[];

export interface FilterContext {
  readonly view: OrgView;
  readonly object: SObjectName;
  readonly inner: InnerColumn;
}

export function condition(tokens: Tokens, context: FilterContext): Test {
  let left = conjunction(tokens, context);
  while (tokens.takeKeyword('OR')) {
    const [a, b] = [left, conjunction(tokens, context)];
    left = (row) => a(row) || b(row);
  }
  return left;
}

function conjunction(tokens: Tokens, context: FilterContext): Test {
  let left = comparison(tokens, context);
  while (tokens.takeKeyword('AND')) {
    const [a, b] = [left, comparison(tokens, context)];
    left = (row) => a(row) && b(row);
  }
  return left;
}

function comparison(tokens: Tokens, context: FilterContext): Test {
  if (tokens.take('(')) {
    const inner = condition(tokens, context);
    tokens.need(')');
    return inner;
  }
  if (tokens.takeKeyword('NOT')) {
    const inner = comparison(tokens, context);
    return (row) => !inner(row);
  }
  const path = fieldPath(context.view, context.object, tokens.word(), tokens);
  if (path.field.type === 'textarea' && (path.field.length ?? 0) > 255)
    throw tokens.wrong('INVALID_FIELD', `field '${path.name}' can not be filtered in a query call`);
  const isNot = tokens.takeKeyword('NOT');
  if (tokens.takeKeyword('IN')) {
    const test = oneOf(tokens, context, path);
    return isNot ? (row) => !test(row) : test;
  }
  if (isNot) throw tokens.wrong('MALFORMED_QUERY', "unexpected token: 'NOT'");
  if (tokens.takeKeyword('LIKE')) return like(path, `${tokens.literal().value}`);
  const operator = tokens.operator();
  const literal = tokens.literal();
  if (literal.relativeDate) return onDays(path, operator, `${literal.value}`, context.view.now());
  return compared(path, operator, checkedLiteral(tokens, path, literal));
}

function oneOf(tokens: Tokens, context: FilterContext, path: FieldPath): Test {
  tokens.need('(');
  let values: readonly Value[];
  if (tokens.sees('SELECT')) values = context.inner(tokens);
  else {
    const listed = [checkedLiteral(tokens, path, tokens.literal())];
    while (tokens.take(',')) listed.push(checkedLiteral(tokens, path, tokens.literal()));
    values = listed;
  }
  tokens.need(')');
  const keys = new Set(values.map((value) => keyOf(path.field, value)));
  return (row) => keys.has(keyOf(path.field, path.value(row)));
}

function like(path: FieldPath, written: string): Test {
  const pattern = written
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replace(/%/g, '[\\s\\S]*')
    .replace(/_/g, '[\\s\\S]');
  const compiled = new RegExp(`^${pattern}$`, 'i');
  return (row) => compiled.test(`${path.value(row) ?? ''}`);
}

function compared(path: FieldPath, operator: string, value: Value): Test {
  const same: Test = (row) => keyOf(path.field, path.value(row)) === keyOf(path.field, value);
  if (operator === '=') return same;
  if (operator === '!=' || operator === '<>') return (row) => !same(row);
  return (row) => {
    const given = path.value(row);
    if (given === null || value === null) return false;
    return fits(operator, given < value ? -1 : given > value ? 1 : 0);
  };
}

function fits(operator: string, sign: number): boolean {
  if (operator === '<') return sign < 0;
  if (operator === '<=') return sign <= 0;
  return operator === '>' ? sign > 0 : sign >= 0;
}

/** Text without its case, ids by their first fifteen characters: what makes two values equal in SOQL. */
function keyOf(field: Field, value: Value): string {
  if (value === null) return 'null';
  if (typeof value !== 'string') return `${typeof value}:${value}`;
  if (field.type === 'id' || field.type === 'reference') return value.slice(0, 15);
  return `text:${value.toLowerCase()}`;
}

const unquoted = new Set(['int', 'double', 'currency', 'boolean', 'date', 'datetime']);

function checkedLiteral(tokens: Tokens, path: FieldPath, literal: Literal): Value {
  const { type } = path.field;
  const { value } = literal;
  if (value === null) return null;
  if (unquoted.has(type) === literal.quoted)
    throw tokens.wrong(
      'INVALID_FIELD',
      `value of filter criterion for field '${path.name}' must be of type ${type === 'reference' || type === 'id' ? 'ID' : unquoted.has(type) ? type : 'string'} and should ${literal.quoted ? 'not ' : ''}be enclosed in quotes`,
    );
  if ((type === 'id' || type === 'reference') && !/^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$/.test(`${value}`))
    throw tokens.wrong('INVALID_QUERY_FILTER_OPERATOR', `invalid ID field: ${value}`);
  if (type === 'datetime') return instant(new Date(`${value}`));
  return value;
}

/** Compares with whole days. The sandbox counts them in UTC; an org counts them in the user's zone. */
function onDays(path: FieldPath, operator: string, word: string, now: Date): Test {
  const [from, to] = daysOf(word, now);
  const day = path.field.type === 'date';
  const start = day ? from.toISOString().slice(0, 10) : instant(from);
  const stop = day ? to.toISOString().slice(0, 10) : instant(to);
  return (row) => {
    const given = path.value(row);
    if (typeof given !== 'string') return operator === '!=' || operator === '<>';
    const within = given >= start && given < stop;
    if (operator === '=') return within;
    if (operator === '!=' || operator === '<>') return !within;
    return operator === '<'
      ? given < start
      : operator === '<='
        ? given < stop
        : operator === '>'
          ? given >= stop
          : given >= start;
  };
}

function daysOf(word: string, now: Date): readonly [Date, Date] {
  const year = now.getUTCFullYear();
  const month = now.getUTCMonth();
  const day = (offset: number): Date => new Date(Date.UTC(year, month, now.getUTCDate() + offset));
  const [name, count] = word.split(':');
  const days = Number(count ?? 0);
  const monday = -((now.getUTCDay() + 6) % 7);
  switch (name) {
    case 'YESTERDAY':
      return [day(-1), day(0)];
    case 'TOMORROW':
      return [day(1), day(2)];
    case 'THIS_WEEK':
      return [day(monday), day(monday + 7)];
    case 'LAST_WEEK':
      return [day(monday - 7), day(monday)];
    case 'THIS_MONTH':
      return [new Date(Date.UTC(year, month, 1)), new Date(Date.UTC(year, month + 1, 1))];
    case 'LAST_MONTH':
      return [new Date(Date.UTC(year, month - 1, 1)), new Date(Date.UTC(year, month, 1))];
    case 'THIS_YEAR':
      return [new Date(Date.UTC(year, 0, 1)), new Date(Date.UTC(year + 1, 0, 1))];
    case 'LAST_N_DAYS':
      return [day(-days), day(1)];
    case 'NEXT_N_DAYS':
      return [day(1), day(1 + days)];
    default:
      return [day(0), day(1)];
  }
}
