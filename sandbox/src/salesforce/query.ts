/**
 * Owns the two query languages, as far as a phone needs them: `SELECT … FROM … WHERE … ORDER BY … LIMIT …` and
 * `FIND {…} IN PHONE FIELDS RETURNING …`. Unknown fields and grammar are refused as Salesforce refuses them. Must never write.
 */
import { type Records, Refusal, type Row, type Value } from './records.ts';
import { fieldNamed, type SObjectName, schema, sObjectNamed } from './schema.ts';

export type Found = Record<string, unknown>;

/** Answers the rows of a SOQL query, shaped as the REST API shapes them. Throws {@link Refusal}. */
export function runSoql(records: Records, soql: string, base: string): Found[] {
  const tokens = tokenise(soql);
  tokens.keyword('SELECT');
  const fields = fieldList(tokens);
  tokens.keyword('FROM');
  const object = objectIn(tokens.word());
  const tail = readTail(tokens, object);
  tokens.end();
  return select(records, object, fields, records.all(object), tail, base);
}

/**
 * Answers the rows of a SOSL phone search. A term finds a phone field whose digits are the same digits: the index sees
 * through punctuation, but not through country codes or trunk zeros (the Salesforce contract, section 3.4).
 */
export function runSosl(records: Records, sosl: string, base: string): Found[] {
  const head = /^\s*FIND\s*\{((?:[^}\\]|\\.)*)\}\s*IN\s+(\w+)\s+FIELDS\s+RETURNING\s+/i.exec(sosl);
  if (!head) throw malformedSearch('expecting FIND {…} IN PHONE FIELDS RETURNING …');
  if (head[2]?.toUpperCase() !== 'PHONE') throw malformedSearch('the sandbox searches IN PHONE FIELDS only');
  const wanted = searchTerms(head[1] ?? '');
  const tokens = tokenise(sosl.slice(head[0].length));
  const results: Found[] = [];
  const parts: { object: SObjectName; fields: string[]; tail: Tail }[] = [];
  do {
    const object = objectIn(tokens.word());
    let fields = ['Id'];
    let tail: Tail = { where: () => true };
    if (tokens.take('(')) {
      fields = fieldList(tokens);
      tail = readTail(tokens, object);
      tokens.need(')');
    }
    parts.push({ object, fields, tail });
  } while (tokens.take(','));
  const overall = tokens.takeKeyword('LIMIT') ? tokens.number() : 2000;
  tokens.end();
  for (const { object, fields, tail } of parts) {
    const phones = Object.entries(schema[object].fields).filter(([, field]) => field.type === 'phone');
    const hits = records
      .all(object)
      .filter((row) => phones.some(([name]) => wanted.some((term) => found(row[name], term))));
    const cap = Math.min(250, Math.floor(2000 / parts.length));
    results.push(...select(records, object, fields, hits, tail, base).slice(0, cap));
  }
  return results.slice(0, overall);
}

function found(value: Value | undefined, term: { digits: string; prefix: boolean }): boolean {
  if (typeof value !== 'string') return false;
  const whole = value.replace(/\D/g, '');
  const bare = value.replace(/\s*(x|ext\.?|#).*$/i, '').replace(/\D/g, '');
  return [whole, bare].some((digits) => (term.prefix ? digits.startsWith(term.digits) : digits === term.digits));
}

const reserved = /[?&|!{}[\]()^~:"'+-]/;

function searchTerms(find: string): { digits: string; prefix: boolean }[] {
  const terms = find.split(/\s+OR\s+/).map((part) => part.trim());
  return terms.map((term) => {
    const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(term);
    const inner = quoted ? (quoted[1] ?? '') : term;
    const bare = inner.replace(/\\./g, '');
    if (reserved.test(bare)) throw malformedSearch(`reserved characters in "${inner}" need a backslash`);
    if (bare.startsWith('*')) throw malformedSearch('a search term may not start with a wildcard');
    const plain = inner.replace(/\\(.)/g, '$1');
    if (plain.length < 2) throw malformedSearch('search term must be longer than one character');
    return { digits: plain.replace(/\D/g, ''), prefix: bare.endsWith('*') };
  });
}

function malformedSearch(message: string): Refusal {
  return new Refusal('MALFORMED_SEARCH', message);
}

interface Tail {
  where: (row: Row) => boolean;
  order?: { field: string; down: boolean };
  limit?: number;
}

function readTail(tokens: Tokens, object: SObjectName): Tail {
  const tail: Tail = { where: () => true };
  if (tokens.takeKeyword('WHERE')) tail.where = condition(tokens, object);
  if (tokens.takeKeyword('ORDER')) {
    tokens.keyword('BY');
    const field = knownField(object, tokens.word());
    tail.order = { field, down: tokens.takeKeyword('DESC') };
    if (!tail.order.down) tokens.takeKeyword('ASC');
    if (tokens.takeKeyword('NULLS')) tokens.word();
  }
  if (tokens.takeKeyword('LIMIT')) tail.limit = tokens.number();
  return tail;
}

function select(
  records: Records,
  object: SObjectName,
  fields: readonly string[],
  rows: readonly Row[],
  tail: Tail,
  base: string,
): Found[] {
  const paths = fields.map((field) => pathOf(object, field));
  let kept = rows.filter(tail.where);
  const order = tail.order;
  if (order) {
    const by = (row: Row): string => (row[order.field] === null ? '' : `${row[order.field]}`);
    kept = [...kept].sort((a, b) => (order.down ? -1 : 1) * (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0));
  }
  if (tail.limit !== undefined) kept = kept.slice(0, tail.limit);
  return kept.map((row) => {
    const result: Found = { attributes: attributesOf(object, `${row.Id}`, base) };
    for (const path of paths) {
      if (path.relationship === undefined) {
        result[path.field] = row[path.field] ?? null;
        continue;
      }
      const target = row[path.via];
      const to = typeof target === 'string' && target !== '' ? records.objectOf(target) : undefined;
      const other = to && typeof target === 'string' ? records.get(to, target) : undefined;
      if (!other || !to) {
        result[path.relationship] ??= null;
        continue;
      }
      const nested = (result[path.relationship] as Found | null | undefined) ?? {
        attributes: attributesOf(to, `${other.Id}`, base),
      };
      nested[path.field] = other[path.field] ?? null;
      result[path.relationship] = nested;
    }
    return result;
  });
}

export function attributesOf(object: SObjectName, id: string, base: string): { type: string; url: string } {
  return { type: object, url: `${base}/sobjects/${object}/${id}` };
}

type FieldPath = { relationship?: undefined; field: string } | { relationship: string; via: string; field: string };

function pathOf(object: SObjectName, written: string): FieldPath {
  const [first, second] = written.split('.');
  if (second === undefined) return { field: knownField(object, written) };
  for (const [via, field] of Object.entries(schema[object].fields)) {
    if (field.relationship?.toLowerCase() !== first?.toLowerCase() || field.relationship === undefined) continue;
    const target = field.to?.[0];
    // Who and What can be several objects: Name is what they have in common.
    if (target) return { relationship: field.relationship, via, field: knownField(target, second) };
  }
  throw new Refusal('INVALID_FIELD', `Didn't understand relationship '${first}' in field path.`);
}

function knownField(object: SObjectName, name: string): string {
  const known = fieldNamed(object, name);
  if (!known)
    throw new Refusal(
      'INVALID_FIELD',
      `No such column '${name}' on entity '${object}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name.`,
    );
  return known.name;
}

function objectIn(name: string): SObjectName {
  const object = sObjectNamed(name);
  if (!object) throw new Refusal('INVALID_TYPE', `sObject type '${name}' is not supported.`);
  return object;
}

function fieldList(tokens: Tokens): string[] {
  const fields = [tokens.word()];
  while (tokens.take(',')) fields.push(tokens.word());
  return fields;
}

type Test = (row: Row) => boolean;

function condition(tokens: Tokens, object: SObjectName): Test {
  let left = conjunction(tokens, object);
  while (tokens.takeKeyword('OR')) {
    const [a, b] = [left, conjunction(tokens, object)];
    left = (row) => a(row) || b(row);
  }
  return left;
}

function conjunction(tokens: Tokens, object: SObjectName): Test {
  let left = comparison(tokens, object);
  while (tokens.takeKeyword('AND')) {
    const [a, b] = [left, comparison(tokens, object)];
    left = (row) => a(row) && b(row);
  }
  return left;
}

function comparison(tokens: Tokens, object: SObjectName): Test {
  if (tokens.take('(')) {
    const inner = condition(tokens, object);
    tokens.need(')');
    return inner;
  }
  if (tokens.takeKeyword('NOT')) {
    const inner = comparison(tokens, object);
    return (row) => !inner(row);
  }
  const field = knownField(object, tokens.word());
  const isId = ['id', 'reference'].includes(fieldNamed(object, field)?.field.type ?? '');
  const same = (a: Value | undefined, b: Value): boolean => {
    if (a === null || a === undefined || b === null) return (a ?? null) === b;
    if (isId) return `${a}`.slice(0, 15) === `${b}`.slice(0, 15);
    return typeof a === 'string' ? a.toLowerCase() === `${b}`.toLowerCase() : a === b;
  };
  if (tokens.takeKeyword('IN')) {
    tokens.need('(');
    const values = [tokens.value()];
    while (tokens.take(',')) values.push(tokens.value());
    tokens.need(')');
    return (row) => values.some((value) => same(row[field], value));
  }
  if (tokens.takeKeyword('LIKE')) {
    const pattern = `${tokens.value()}`
      .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      .replace(/%/g, '.*')
      .replace(/_/g, '.');
    return (row) => new RegExp(`^${pattern}$`, 'i').test(`${row[field] ?? ''}`);
  }
  const operator = tokens.operator();
  const value = tokens.value();
  if (operator === '=') return (row) => same(row[field], value);
  if (operator === '!=' || operator === '<>') return (row) => !same(row[field], value);
  const compare = (row: Row): number | undefined => {
    const given = row[field];
    if (given === null || given === undefined || value === null) return undefined;
    return given < value ? -1 : given > value ? 1 : 0;
  };
  return (row) => {
    const sign = compare(row);
    if (sign === undefined) return false;
    return operator === '<' ? sign < 0 : operator === '<=' ? sign <= 0 : operator === '>' ? sign > 0 : sign >= 0;
  };
}

interface Tokens {
  take(symbol: string): boolean;
  need(symbol: string): void;
  keyword(word: string): void;
  takeKeyword(word: string): boolean;
  word(): string;
  operator(): string;
  number(): number;
  value(): Value;
  end(): void;
}

function tokenise(source: string): Tokens {
  const tokens = source.match(/'(?:[^'\\]|\\.)*'|[\w.]+(?:[-:+][\w.:+-]+)?|[<>!]=|<>|[=<>(),]|\S/g) ?? [];
  let at = 0;
  const peek = (): string => tokens[at] ?? '';
  const malformed = (): Refusal =>
    new Refusal('MALFORMED_QUERY', peek() === '' ? 'unexpected end of query' : `unexpected token: '${peek()}'`);
  const next = (): string => {
    const token = peek();
    if (token === '') throw malformed();
    at += 1;
    return token;
  };
  const tokensApi: Tokens = {
    take: (symbol) => {
      if (peek() !== symbol) return false;
      at += 1;
      return true;
    },
    need: (symbol) => {
      if (!tokensApi.take(symbol)) throw malformed();
    },
    takeKeyword: (word) => {
      if (peek().toUpperCase() !== word) return false;
      at += 1;
      return true;
    },
    keyword: (word) => {
      if (!tokensApi.takeKeyword(word)) throw malformed();
    },
    word: () => {
      if (!/^[A-Za-z_][\w.]*$/.test(peek())) throw malformed();
      return next();
    },
    operator: () => {
      if (!['=', '!=', '<>', '<', '<=', '>', '>='].includes(peek())) throw malformed();
      return next();
    },
    number: () => {
      if (!/^\d+$/.test(peek())) throw malformed();
      return Number(next());
    },
    value: () => {
      const token = next();
      if (token.startsWith("'")) {
        if (!token.endsWith("'") || token.length < 2) throw malformed();
        return token.slice(1, -1).replace(/\\(.)/g, '$1');
      }
      if (/^(true|false)$/i.test(token)) return token.toLowerCase() === 'true';
      if (/^null$/i.test(token)) return null;
      if (/^-?\d+(\.\d+)?$/.test(token)) return Number(token);
      if (/^\d{4}-\d{2}-\d{2}/.test(token)) return token.replace('Z', '.000+0000').replace('.000.000', '.000');
      at -= 1;
      throw malformed();
    },
    end: () => {
      if (peek() !== '') throw malformed();
    },
  };
  return tokensApi;
}
