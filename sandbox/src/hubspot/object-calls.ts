/**
 * Owns the object endpoints of the portal: create, read, change, delete, their batches, upsert and search (the HubSpot contract, sections 2.1,
 * 2.3 and 2.4). Must never hold rules about records: those are in `records.ts`.
 */
import { isObject } from '../http.ts';
import { associationTarget } from './association-types.ts';
import type { ObjectType } from './properties.ts';
import { notFound, notUnique, type Portal, Refusal } from './records.ts';
import {
  batchOf,
  inputsOf,
  invalid,
  listed,
  notAllowed,
  objectOf,
  type RestCall,
  type RestResult,
  shown,
  singular,
  typeOf,
} from './rest-call.ts';
import { runSearch } from './search.ts';

/** `path` is what follows the object type. `strict` is the newest API, which enforces what an administrator requires. */
export function objectCalls(
  portal: Portal,
  strict: boolean,
): (call: RestCall, type: ObjectType, path: readonly string[]) => RestResult {
  function objects(call: RestCall, type: ObjectType, id: string | undefined): RestResult {
    const wanted = listed(call.query.get('properties'));
    if (id === undefined || id === '') {
      if (call.method === 'GET')
        return {
          status: 200,
          body: {
            results: portal
              .all(type)
              .slice(0, Number(call.query.get('limit') ?? 10))
              .map((one) => shown(one, wanted)),
          },
        };
      if (call.method !== 'POST') throw notAllowed();
      const body = objectOf(call.body);
      const associations = wantedAssociations(body.associations, type);
      refuseMissing(type, objectOf(body.properties));
      const record = portal.create(type, objectOf(body.properties));
      for (const one of associations) portal.associate(type, record.id, one.type, one.id, one.typeId);
      return { status: 201, body: shown(record, Object.keys(objectOf(body.properties))) };
    }
    const record = portal.get(type, id, call.query.get('idProperty') ?? undefined);
    if (call.method === 'DELETE') {
      if (record) portal.archive(type, record.id);
      return { status: 204 };
    }
    if (!record) throw notFound();
    if (call.method === 'GET') {
      const linked = listed(call.query.get('associations')).map((name) => {
        const to = typeOf(name);
        return [
          to,
          {
            results: portal
              .associated(type, record.id, to)
              .map((link) => ({ id: link.toId, type: `${singular(type)}_to_${singular(to)}` })),
          },
        ] as const;
      });
      return {
        status: 200,
        body: { ...shown(record, wanted), ...(linked.length > 0 ? { associations: Object.fromEntries(linked) } : {}) },
      };
    }
    if (call.method !== 'PATCH') throw notAllowed();
    const changes = objectOf(objectOf(call.body).properties);
    return { status: 200, body: shown(portal.update(type, record.id, changes), Object.keys(changes)) };
  }

  /** Checked before the record is written: HubSpot refuses the whole create for one bad association. */
  function wantedAssociations(given: unknown, from: ObjectType): { type: ObjectType; id: string; typeId: number }[] {
    if (given === undefined) return [];
    if (!Array.isArray(given)) throw invalid('associations is an array');
    return given.flatMap((one: unknown) => {
      if (!isObject(one) || !isObject(one.to) || !Array.isArray(one.types))
        throw invalid('an association has "to" and "types"');
      const id = `${one.to.id ?? ''}`;
      return one.types.map((kind: unknown) => {
        const typeId = isObject(kind) ? Number(kind.associationTypeId) : Number.NaN;
        const type = associationTarget(from, typeId);
        if (!isObject(kind) || kind.associationCategory !== 'HUBSPOT_DEFINED' || !type)
          throw invalid(`invalid association type ${String(typeId)} for ${from}`);
        if (!portal.get(type, id))
          throw new Refusal(
            400,
            `Object not found. objectId: ${id}`,
            'VALIDATION_ERROR',
            [],
            'crm.associations.INVALID_OBJECT_IDS',
          );
        return { type, id, typeId };
      });
    });
  }

  /** What an administrator requires. The older paths accept a record without it. */
  function refuseMissing(type: ObjectType, given: Readonly<Record<string, unknown>>): void {
    const missing = strict ? portal.required(type).filter((name) => !given[name]) : [];
    if (missing.length === 0) return;
    throw new Refusal(
      400,
      `Error creating ${singular(type).toUpperCase()}. Some required properties were not set.`,
      'VALIDATION_ERROR',
      missing.map((name) => ({
        name,
        code: 'REQUIRED_PROPERTY_MISSING',
        message: `Property ${name} is required by this account.`,
      })),
      'CRM.MISSING_REQUIRED_PROPERTY',
    );
  }

  function search(call: RestCall, type: ObjectType): RestResult {
    const body = objectOf(call.body);
    const found = runSearch(portal, type, body, call.size, strict);
    const wanted = Array.isArray(body.properties) ? body.properties.map(String) : [];
    return { status: 200, body: { ...found, results: found.results.map((one) => shown(one, wanted)) } };
  }

  function batch(call: RestCall, type: ObjectType, action: string | undefined): RestResult {
    const body = objectOf(call.body);
    const inputs = inputsOf(body, 100);
    const wanted = Array.isArray(body.properties) ? body.properties.map(String) : [];
    const common = typeof body.idProperty === 'string' ? body.idProperty : undefined;
    switch (action) {
      case 'upsert':
        return batchOf(inputs, 200, (one) => [upserted(type, one)]);
      case 'create':
        return batchOf(inputs, 201, (one) => {
          const values = objectOf(one.properties);
          const associations = wantedAssociations(one.associations, type);
          refuseMissing(type, values);
          const record = portal.create(type, values);
          for (const link of associations) portal.associate(type, record.id, link.type, link.id, link.typeId);
          return [shown(record, Object.keys(values))];
        });
      case 'read':
        return batchOf(inputs, 200, (one) => {
          const record = portal.get(type, `${one.id}`, common);
          return record ? [shown(record, wanted)] : [];
        });
      case 'update':
        return batchOf(inputs, 200, (one) => {
          const record = portal.get(type, `${one.id}`, typeof one.idProperty === 'string' ? one.idProperty : undefined);
          if (!record) throw notFound();
          return [
            shown(portal.update(type, record.id, objectOf(one.properties)), Object.keys(objectOf(one.properties))),
          ];
        });
      case 'archive':
        for (const one of inputs) portal.archive(type, `${one.id}`);
        return { status: 204 };
      default:
        throw notFound();
    }
  }

  function upserted(type: ObjectType, input: Record<string, unknown>): unknown {
    const { idProperty, id } = input;
    if ('associations' in input) throw invalid('Upsert carries no associations');
    if (typeof idProperty !== 'string' || typeof id !== 'string')
      throw invalid('An upsert input needs idProperty and id');
    if (!portal.property(type, idProperty)?.hasUniqueValue) throw notUnique(idProperty);
    const existing = portal.get(type, id, idProperty);
    const values = objectOf(input.properties);
    if (!existing) refuseMissing(type, values);
    const record = existing
      ? portal.update(type, existing.id, values)
      : portal.create(type, { ...values, [idProperty]: id });
    return { ...shown(record, [...Object.keys(values), idProperty]), new: existing === undefined };
  }

  return (call, type, path) => {
    if (path[0] === 'search' && call.method === 'POST') return search(call, type);
    if (path[0] === 'batch' && call.method === 'POST') return batch(call, type, path[1]);
    return objects(call, type, path[0]);
  };
}
