/**
 * Owns SOSL as far as a phone needs it: `FIND {…} IN PHONE FIELDS RETURNING … LIMIT …`, its reserved characters and its caps (the Salesforce
 * contract, section 3.4). Must never find what the user may not read.
 */

import type { SObjectName } from './field.ts';
import { fieldPath } from './field-path.ts';
import { tokenise } from './query-tokens.ts';
import { Refusal } from './refusal.ts';
import { type Indexed, indexed, meets, type Term } from './search-index.ts';
import {
  type Found,
  fieldList,
  objectIn,
  type QueryContext,
  readTail,
  shown,
  type Tail,
  tailed,
  wholeTail,
} from './soql.ts';
import type { Row } from './values.ts';

/** How late the index is: a record is not found until so many ms after it was last written. */
export interface SearchLag {
  lagMs: number;
}

/** Rows of one search in all, and of one object. */
const mostRows = 2000;
const mostRowsOfObject = 250;
const unsearchable: readonly SObjectName[] = ['TaskStatus', 'Organization', 'OpportunityContactRole'];

/** Answers the rows of a SOSL search. Throws Refusal. */
export function runSosl(context: QueryContext, sosl: string, lag: SearchLag): Found[] {
  const head = /^\s*FIND\s*\{((?:[^}\\]|\\[\s\S])*)\}\s*(?:IN\s+(\w+)\s+FIELDS\s+)?RETURNING\s+/i.exec(sosl);
  if (!head) throw malformed('expecting FIND {…} IN PHONE FIELDS RETURNING …');
  const alternatives = readTerms(head[1] ?? '');
  const searched = fieldTypes((head[2] ?? 'ALL').toUpperCase());
  const tokens = tokenise(sosl.slice(head[0].length), head[0].length);
  const parts: { object: SObjectName; fields: string[]; tail: Tail }[] = [];
  do {
    const object = objectIn(tokens, context.view);
    if (unsearchable.includes(object))
      throw tokens.wrong('INVALID_TYPE', `sObject type '${object}' is not searchable.`);
    let fields = ['Id'];
    let tail = wholeTail;
    if (tokens.take('(')) {
      fields = fieldList(tokens);
      tail = readTail(tokens, object, context);
      tokens.need(')');
    }
    parts.push({ object, fields, tail });
  } while (tokens.take(','));
  const limit = tokens.takeKeyword('LIMIT') ? tokens.number() : mostRows;
  if (limit > mostRows) throw malformed(`LIMIT must be less than or equal to ${mostRows}`);
  tokens.end();
  const cap = Math.min(mostRowsOfObject, Math.floor(mostRows / parts.length));
  const now = context.view.now().getTime();
  const results = parts.flatMap(({ object, fields, tail }) => {
    const paths = fields.map((field) => fieldPath(context.view, object, field, tokens));
    const names = Object.entries(context.view.fields(object))
      .filter(([name, field]) => searched(name, field.type))
      .map(([name]) => name);
    const hits = context.view
      .all(object)
      .filter((row) => lag.lagMs <= 0 || now - context.view.touchedAt(`${row.Id}`) >= lag.lagMs)
      .filter((row) => isHit(row, names, alternatives));
    return tailed(hits, tail)
      .slice(0, cap)
      .map((row) => shown(context, object, row, paths));
  });
  return results.slice(0, limit);
}

/** Any alternative finds the row when each of its terms is met by one of the fields. */
function isHit(row: Row, names: readonly string[], alternatives: readonly (readonly Term[])[]): boolean {
  const texts: Indexed[] = [];
  for (const name of names) {
    const value = row[name];
    if (typeof value === 'string' && value !== '') texts.push(indexed(value));
  }
  return alternatives.some((terms) => terms.every((term) => texts.some((text) => meets(text, term))));
}

function fieldTypes(scope: string): (name: string, type: string) => boolean {
  const text = ['string', 'phone', 'email', 'textarea', 'combobox', 'url'];
  switch (scope) {
    case 'PHONE':
      return (_, type) => type === 'phone';
    case 'EMAIL':
      return (_, type) => type === 'email';
    case 'NAME':
      return (name) => /^(Name|FirstName|LastName|Subject|CaseNumber)$/.test(name);
    case 'ALL':
    case 'SIDEBAR':
      return (_, type) => text.includes(type);
    default:
      throw malformed(`'${scope}' is no scope; expecting ALL, NAME, EMAIL, PHONE or SIDEBAR FIELDS`);
  }
}

const reserved = new Set('?&|!{}[]()^~*:\\"\'+-');

/** The alternatives of a search, each a list of terms that must all be met. */
function readTerms(find: string): Term[][] {
  const alternatives: Term[][] = [[]];
  let at = 0;
  const isSpace = (character: string | undefined): boolean => character !== undefined && /\s/.test(character);
  while (at < find.length) {
    if (isSpace(find[at])) {
      at += 1;
      continue;
    }
    const operator = /^(OR|AND)(?=\s)/.exec(find.slice(at))?.[1];
    if (operator !== undefined) {
      const open = alternatives.at(-1);
      if (open === undefined || open.length === 0) throw malformed(`unexpected token: ${operator}`);
      if (operator === 'OR') alternatives.push([]);
      at += operator.length;
      continue;
    }
    const isPhrase = find[at] === '"';
    if (isPhrase) at += 1;
    const characters: { text: string; wildcard: boolean }[] = [];
    let closed = !isPhrase;
    while (at < find.length) {
      const character = find[at] ?? '';
      if (isPhrase ? character === '"' : isSpace(character)) {
        closed = true;
        at += isPhrase ? 1 : 0;
        break;
      }
      if (character === '\\') {
        const next = find[at + 1] ?? '';
        if (!reserved.has(next)) throw malformed(`'${next}' needs no backslash`);
        characters.push({ text: next, wildcard: false });
        at += 2;
        continue;
      }
      const wildcard = character === '*' || character === '?';
      if (!wildcard && reserved.has(character))
        throw malformed(`line 1:${at + 7} mismatched character '${character}': reserved characters need a backslash`);
      characters.push({ text: character, wildcard });
      at += 1;
    }
    if (!closed) throw malformed('a quotation mark is not closed');
    alternatives.at(-1)?.push(checked({ characters }));
  }
  if (alternatives.some((terms) => terms.length === 0))
    throw malformed('No search term found. The search term must be enclosed in braces.');
  return alternatives;
}

function checked(term: Term): Term {
  const first = term.characters[0];
  if (first?.wildcard) throw malformed('a search term can not start with a wildcard');
  const plain = term.characters.filter(({ wildcard }) => !wildcard).map(({ text }) => text);
  if (plain.length < 2) throw malformed(`search term must be longer than one character: ${plain.join('')}`);
  return term;
}

function malformed(message: string): Refusal {
  return new Refusal('MALFORMED_SEARCH', message);
}
