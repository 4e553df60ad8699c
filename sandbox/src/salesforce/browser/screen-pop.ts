/**
 * Owns what `screenPop` and `searchAndScreenPop` do with their seven types (the Salesforce contract, section 1.5), through the `Desk`. Must
 * never touch the document or `postMessage`.
 */

import type { Desk } from './desk.ts';
import type { FlowVariable } from './flow-panel.ts';
import { badParameter, done, failure, value, type WireResponse } from './host-wire.ts';
import { isRecord, recordAt, recordsIn, text } from './org-state.ts';

/** A developer name of an object, list view or flow. */
const developerName = /^[A-Za-z]\w{0,79}$/;

export function screenPop(desk: Desk, type: string, params: Readonly<Record<string, unknown>>): WireResponse {
  switch (type) {
    case 'sobject': {
      const id = typeof params.recordId === 'string' ? params.recordId : '';
      if (!recordAt(desk.state(), id)) return badParameter('recordId', 'record id', params.recordId);
      desk.open(id);
      return done;
    }
    case 'url':
      if (typeof params.url !== 'string' || !/^\/(?!\/)/.test(params.url))
        return badParameter('url', 'relative URL', params.url);
      desk.goTo(params.url);
      return done;
    case 'objecthome':
      if (typeof params.scope !== 'string' || !developerName.test(params.scope))
        return badParameter('scope', 'string', params.scope);
      desk.goTo(`/lightning/o/${params.scope}/home`);
      return done;
    case 'list':
      if (typeof params.listViewId !== 'string' || params.listViewId === '')
        return badParameter('listViewId', 'string', params.listViewId);
      desk.goTo(`/lightning/o/${text(isText(params.scope))}/list?filterName=${encodeURIComponent(params.listViewId)}`);
      return done;
    case 'search': {
      const term = typeof params.searchString === 'string' ? params.searchString : '';
      if (term.length < 3) return failure('INVALID_PARAM', 'searchString needs at least 3 characters.');
      desk.search(term);
      return done;
    }
    case 'newRecord':
      if (typeof params.entityName !== 'string') return badParameter('entityName', 'string', params.entityName);
      desk.newRecord(params.entityName, isRecord(params.defaultFieldValues) ? params.defaultFieldValues : {});
      return done;
    case 'flow':
      return flow(desk, params);
    default:
      return failure('INVALID_PARAM', `An invalid value was passed to the parameter type: ${type}.`);
  }
}

/** Any flow may be named here; one whose name begins with `Inactive` is not active, which an org refuses. */
function flow(desk: Desk, params: Readonly<Record<string, unknown>>): WireResponse {
  const name = params.flowDevName;
  if (typeof name !== 'string' || !developerName.test(name)) return badParameter('flowDevName', 'string', name);
  if (name.startsWith('Inactive')) return failure('GENERIC_ERROR', `There is no active screen flow ${name}.`);
  const given = params.flowArgs ?? [];
  if (!Array.isArray(given)) return badParameter('flowArgs', 'list', given);
  const variables: FlowVariable[] = [];
  for (const one of given as unknown[]) {
    if (!isRecord(one) || typeof one.name !== 'string' || typeof one.type !== 'string')
      return badParameter('flowArgs', 'list of { name, type, value }', one);
    variables.push({ name: one.name, type: one.type, value: `${one.value as string}` });
  }
  desk.flow(name, variables);
  return done;
}

export function searchAndScreenPop(desk: Desk, args: Readonly<Record<string, unknown>>): WireResponse {
  const term = typeof args.searchParams === 'string' ? args.searchParams : '';
  if (typeof args.callType !== 'string') return badParameter('callType', 'string', args.callType);
  if (term.length < 3) return failure('INVALID_PARAM', 'searchParams needs at least 3 characters.');
  const digits = term.replace(/\D/g, '');
  const hits = recordsIn(desk.state()).filter((record) => {
    if (record.kind === 'Task') return false;
    if (record.name.toLowerCase().includes(term.toLowerCase())) return true;
    return (
      digits.length > 2 &&
      [record.fields.Phone, record.fields.MobilePhone].some((phone) => text(phone).replace(/\D/g, '') === digits)
    );
  });
  const result: Record<string, unknown> = Object.fromEntries(
    hits.map((hit) => [
      hit.id,
      {
        Id: hit.id,
        Name: hit.name,
        RecordType: hit.kind,
        LastModifiedDate: hit.fields.LastModifiedDate,
        Phone: hit.fields.Phone,
      },
    ]),
  );
  const [first, second] = hits;
  const pop = !first
    ? { type: 'newRecord', params: { entityName: 'Contact', defaultFieldValues: args.defaultFieldValues ?? {} } }
    : second
      ? { type: 'search', params: { searchString: term } }
      : { type: 'sobject', params: { recordId: first.id } };
  if (args.deferred === true) result.SCREEN_POP_DATA = pop;
  else screenPop(desk, pop.type, pop.params);
  return value(result);
}

function isText(given: unknown): string {
  return typeof given === 'string' && developerName.test(given) ? given : 'Contact';
}
