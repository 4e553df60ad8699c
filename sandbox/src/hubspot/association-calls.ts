/**
 * Owns the association endpoints, v3 and v4, one by one and in batches (the HubSpot contract, section 2.2). Must never know which types exist:
 * that is `association-types.ts`.
 */
import { isObject } from '../http.ts';
import type { ObjectType } from './properties.ts';
import { notFound, type Portal } from './records.ts';
import {
  batchOf,
  inputsOf,
  invalid,
  notAllowed,
  objectOf,
  type RestCall,
  type RestResult,
  shown,
  singular,
  typeOf,
} from './rest-call.ts';

export interface AssociationCalls {
  /** Of one record: `path` is what follows `associations`. */
  ofOne(call: RestCall, type: ObjectType, id: string, path: readonly string[], version: string): RestResult;
  /** `/crm/v4/associations/{from}/{to}/batch/…`: each input for itself, 207 when some failed. */
  batch(call: RestCall, path: readonly string[]): RestResult;
}

export function associationCalls(portal: Portal): AssociationCalls {
  function ofOne(call: RestCall, type: ObjectType, id: string, path: readonly string[], version: string): RestResult {
    const [first, second, third] = path;
    if (call.method === 'GET' && first !== undefined) {
      const to = typeOf(first);
      if (!portal.get(type, id)) throw notFound();
      if (version === 'v3')
        return {
          status: 200,
          body: {
            results: portal
              .associated(type, id, to)
              .map((link) => ({ id: link.toId, type: `${singular(type)}_to_${singular(to)}` })),
          },
        };
      const results = portal.associated(type, id, to).map((link) => ({
        toObjectId: Number(link.toId),
        associationTypes: [{ category: 'HUBSPOT_DEFINED', typeId: link.typeId, label: null }],
      }));
      return { status: 200, body: { results } };
    }
    if (call.method === 'DELETE' && first !== undefined && second !== undefined) {
      portal.dissociate(type, id, typeOf(first), second);
      return { status: 204 };
    }
    if (call.method !== 'PUT' || first === undefined || second === undefined) throw notAllowed();
    if (first === 'default') {
      if (third === undefined) throw notFound();
      const to = typeOf(second);
      const typeId = portal.associate(type, id, to, third);
      const result = {
        from: { id },
        to: { id: third },
        associationSpec: { associationCategory: 'HUBSPOT_DEFINED', associationTypeId: typeId },
      };
      return {
        status: 200,
        body: {
          status: 'COMPLETE',
          results: [result],
          startedAt: new Date().toISOString(),
          completedAt: new Date().toISOString(),
        },
      };
    }
    const to = typeOf(first);
    const listed =
      Array.isArray(call.body) && isObject(call.body[0]) ? Number(call.body[0].associationTypeId) : undefined;
    const typeId = third === undefined ? listed : Number(third);
    if (typeId === undefined) throw invalid('An association needs a type id');
    portal.associate(type, id, to, second, typeId);
    const record = portal.get(type, id);
    if (!record) throw notFound();
    return third === undefined
      ? { status: 201, body: { fromObjectId: Number(id), toObjectId: Number(second), labels: [] } }
      : { status: 200, body: shown(record, []) };
  }

  function batch(call: RestCall, path: readonly string[]): RestResult {
    const [fromName, toName, ...action] = path;
    if (call.method !== 'POST') throw notAllowed();
    const [from, to] = [typeOf(fromName), typeOf(toName)];
    const inputs = inputsOf(call.body, action.join('/') === 'batch/read' ? 1000 : 2000);
    const linked = (fromId: string, toId: string, typeId?: number): unknown => ({
      from: { id: fromId },
      to: { id: toId },
      associationSpec: {
        associationCategory: 'HUBSPOT_DEFINED',
        associationTypeId: portal.associate(from, fromId, to, toId, typeId),
      },
    });
    const idIn = (value: unknown): string => `${objectOf(value).id}`;
    switch (action.join('/')) {
      case 'batch/associate/default':
        return batchOf(inputs, 200, (one) => [linked(idIn(one.from), idIn(one.to))]);
      case 'batch/create':
        return batchOf(inputs, 201, (one) => {
          const [type] = Array.isArray(one.types) ? one.types : [];
          return [linked(idIn(one.from), idIn(one.to), isObject(type) ? Number(type.associationTypeId) : undefined)];
        });
      case 'batch/read':
        return batchOf(inputs, 200, (one) => {
          const links = portal.associated(from, `${one.id}`, to);
          if (links.length === 0) return [];
          return [
            {
              from: { id: `${one.id}` },
              to: links.map((link) => ({
                toObjectId: Number(link.toId),
                associationTypes: [{ category: 'HUBSPOT_DEFINED', typeId: link.typeId, label: null }],
              })),
            },
          ];
        });
      case 'batch/archive':
        for (const one of inputs)
          for (const target of Array.isArray(one.to) ? one.to : [one.to])
            portal.dissociate(from, idIn(one.from), to, idIn(target));
        return { status: 204 };
      default:
        throw notFound();
    }
  }

  return { ofOne, batch };
}
