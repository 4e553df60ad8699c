/**
 * Owns the REST surface of the emulated portal: objects, search, batches, properties, associations, owners and inbound calls,
 * on v3, v4 and the dated paths (the HubSpot contract, section 2). Must never hold rules about records: those are in `records.ts`.
 */
import { isObject } from '../http.ts';
import { callerMatches } from './caller-id.ts';
import { type ObjectType, objectTypes, type Property } from './properties.ts';
import { notFound, notUnique, type Portal, type PortalRecord, Refusal } from './records.ts';
import { runSearch } from './search.ts';

export interface Owner {
  readonly id: string;
  readonly userId: number;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
}

export interface RestCall {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  /** Bytes of the body, for the search limit. */
  readonly size: number;
}

export interface RestResult {
  readonly status: number;
  readonly body?: unknown;
}

/** The REST surface over `portal`. The answer never throws for a bad request: every refusal is a result in HubSpot's shape. */
export function createRest(parts: {
  portal: Portal;
  owners: readonly Owner[];
  portalId: number;
  appId: number;
}): (call: RestCall) => RestResult {
  const { portal, owners } = parts;

  function route(call: RestCall): RestResult {
    const path = call.path
      .replace(/^\/crm\/objects\/20\d\d-\d\d(-beta)?\//, '/crm/v3/objects/')
      .replace(/^\/crm\/(properties|owners)\/20\d\d-\d\d(-beta)?(?=\/|$)/, '/crm/v3/$1')
      .replace(/^\/crm\/extensions\/calling\/20\d\d-\d\d(-beta)?\//, '/crm/v3/extensions/calling/');
    const [, , version, area, ...rest] = path.split('/').map(decodeURIComponent);
    if (
      version === 'v3' &&
      area === 'extensions' &&
      rest.join('/') === 'calling/inbound-call' &&
      call.method === 'POST'
    )
      return inboundCall(objectOf(call.body));
    if (version === 'v3' && area === 'owners' && call.method === 'GET') return ownersAt(rest[0], call.query);
    if (version === 'v3' && area === 'properties') return properties(call, typeOf(rest[0]), rest.slice(1));
    if (version === 'v4' && area === 'associations') return batchAssociations(call, rest);
    if (area !== 'objects' || (version !== 'v3' && version !== 'v4')) throw notFound();
    const type = typeOf(rest[0]);
    const tail = rest.slice(1);
    if (tail[1] === 'associations' && tail[0] !== undefined) return associations(call, type, tail[0], tail.slice(2));
    if (tail[0] === 'search' && call.method === 'POST') return search(call, type);
    if (tail[0] === 'batch' && call.method === 'POST') return batch(type, tail[1], objectOf(call.body));
    return objects(call, type, tail[0]);
  }

  function objects(call: RestCall, type: ObjectType, id: string | undefined): RestResult {
    const wanted = list(call.query.get('properties'));
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
      const linked = list(call.query.get('associations')).map((name) => {
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
        const type =
          typeId === 194 || typeId === 280 ? 'contacts' : typeId === 182 || typeId === 279 ? 'companies' : undefined;
        if (
          !isObject(kind) ||
          kind.associationCategory !== 'HUBSPOT_DEFINED' ||
          !type ||
          (from === 'calls' && typeId > 200)
        )
          throw invalid(`invalid association type ${String(typeId)} for ${from}`);
        if (!portal.get(type, id))
          throw new Refusal(
            400,
            `Object not found. objectId: ${id}`,
            'VALIDATION_ERROR',
            [],
            'crm.associations.INVALID_OBJECT_IDS',
          );
        return { type: type as ObjectType, id, typeId };
      });
    });
  }

  function search(call: RestCall, type: ObjectType): RestResult {
    const body = objectOf(call.body);
    const found = runSearch(portal, type, body, call.size);
    const wanted = Array.isArray(body.properties) ? body.properties.map(String) : [];
    return { status: 200, body: { ...found, results: found.results.map((one) => shown(one, wanted)) } };
  }

  function batch(type: ObjectType, action: string | undefined, body: Record<string, unknown>): RestResult {
    const inputs = body.inputs;
    if (!Array.isArray(inputs)) throw invalid('inputs is an array');
    if (inputs.length > 100) throw invalid('A batch takes at most 100 inputs');
    const startedAt = new Date().toISOString();
    const results: unknown[] = [];
    const errors: Refusal[] = [];
    for (const input of inputs) {
      const one = objectOf(input);
      try {
        if (action === 'upsert') results.push(upserted(type, one));
        else if (action === 'create')
          results.push(shown(portal.create(type, objectOf(one.properties)), Object.keys(objectOf(one.properties))));
        else if (action === 'read') {
          const record = portal.get(
            type,
            `${one.id}`,
            typeof body.idProperty === 'string' ? body.idProperty : undefined,
          );
          if (record) results.push(shown(record, Array.isArray(body.properties) ? body.properties.map(String) : []));
        } else if (action === 'update') {
          const record = portal.get(type, `${one.id}`, typeof one.idProperty === 'string' ? one.idProperty : undefined);
          if (!record) throw notFound();
          results.push(
            shown(portal.update(type, record.id, objectOf(one.properties)), Object.keys(objectOf(one.properties))),
          );
        } else throw notFound();
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        errors.push(error);
      }
    }
    const first = errors[0];
    if (first && results.length === 0) throw first;
    const common = { status: 'COMPLETE', results, startedAt, completedAt: new Date().toISOString() };
    if (!first) return { status: action === 'create' ? 201 : 200, body: common };
    return { status: 207, body: { ...common, numErrors: errors.length, errors: errors.map((error) => error.body()) } };
  }

  function upserted(type: ObjectType, input: Record<string, unknown>): unknown {
    const { idProperty, id } = input;
    if ('associations' in input) throw invalid('Upsert carries no associations');
    if (typeof idProperty !== 'string' || typeof id !== 'string')
      throw invalid('An upsert input needs idProperty and id');
    if (!portal.property(type, idProperty)?.hasUniqueValue) throw notUnique(idProperty);
    const existing = portal.get(type, id, idProperty);
    const values = objectOf(input.properties);
    const record = existing
      ? portal.update(type, existing.id, values)
      : portal.create(type, { ...values, [idProperty]: id });
    return { ...shown(record, [...Object.keys(values), idProperty]), new: existing === undefined };
  }

  function properties(call: RestCall, type: ObjectType, path: readonly string[]): RestResult {
    const [name] = path;
    if (name === 'groups')
      return {
        status: 200,
        body: { results: groupsOf(type).map((group) => ({ name: group, label: group, archived: false })) },
      };
    if (call.method === 'GET') {
      if (name === undefined) return { status: 200, body: { results: portal.properties(type) } };
      const property = portal.property(type, name);
      if (!property) throw notFound();
      return { status: 200, body: property };
    }
    if (call.method !== 'POST' || name !== undefined) throw notAllowed();
    const body = objectOf(call.body);
    for (const key of ['name', 'label', 'type', 'fieldType', 'groupName'])
      if (typeof body[key] !== 'string' || body[key] === '') throw invalid(`A property needs "${key}"`);
    const property = { ...body, hasUniqueValue: body.hasUniqueValue === true } as unknown as Property;
    if (!/^[a-z][a-z0-9_]*$/.test(property.name)) throw invalid(`"${property.name}" is not a valid property name`);
    if (!groupsOf(type).includes(property.groupName))
      throw invalid(`Property group ${property.groupName} does not exist`);
    if (portal.property(type, property.name))
      throw new Refusal(
        409,
        `A property named '${property.name}' already exists.`,
        'OBJECT_ALREADY_EXISTS',
        [],
        'Properties.PROPERTY_EXISTS',
      );
    portal.addProperty(type, property);
    return { status: 201, body: property };
  }

  function groupsOf(type: ObjectType): string[] {
    return [...new Set(portal.properties(type).map((property) => property.groupName))];
  }

  function associations(call: RestCall, type: ObjectType, id: string, path: readonly string[]): RestResult {
    const [first, second, third] = path;
    if (call.method === 'GET' && first !== undefined) {
      const to = typeOf(first);
      const results = portal.associated(type, id, to).map((link) => ({
        toObjectId: Number(link.toId),
        associationTypes: [{ category: 'HUBSPOT_DEFINED', typeId: link.typeId, label: null }],
      }));
      return { status: 200, body: { results } };
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

  /** `/crm/v4/associations/{from}/{to}/batch/associate/default`: each input for itself, 207 when some failed. */
  function batchAssociations(call: RestCall, path: readonly string[]): RestResult {
    const [fromName, toName, ...action] = path;
    if (call.method !== 'POST' || action.join('/') !== 'batch/associate/default') throw notAllowed();
    const [from, to] = [typeOf(fromName), typeOf(toName)];
    const { inputs } = objectOf(call.body);
    if (!Array.isArray(inputs)) throw invalid('inputs is an array');
    if (inputs.length > 2000) throw invalid('A batch takes at most 2000 inputs');
    const startedAt = new Date().toISOString();
    const results: unknown[] = [];
    const errors: Refusal[] = [];
    for (const input of inputs) {
      const one = objectOf(input);
      const [fromId, toId] = [`${objectOf(one.from).id}`, `${objectOf(one.to).id}`];
      try {
        const associationTypeId = portal.associate(from, fromId, to, toId);
        results.push({
          from: { id: fromId },
          to: { id: toId },
          associationSpec: { associationCategory: 'HUBSPOT_DEFINED', associationTypeId },
        });
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        errors.push(error);
      }
    }
    const [first] = errors;
    if (first && results.length === 0) throw first;
    const common = { status: 'COMPLETE', results, startedAt, completedAt: new Date().toISOString() };
    if (!first) return { status: 200, body: common };
    return { status: 207, body: { ...common, numErrors: errors.length, errors: errors.map((error) => error.body()) } };
  }

  function ownersAt(id: string | undefined, query: URLSearchParams): RestResult {
    const shownOwner = (owner: Owner): unknown => ({
      ...owner,
      type: 'PERSON',
      archived: false,
      createdAt: '2026-01-05T09:00:00.000Z',
      updatedAt: '2026-01-05T09:00:00.000Z',
    });
    if (id === undefined || id === '') {
      const email = query.get('email');
      return {
        status: 200,
        body: { results: owners.filter((owner) => email === null || owner.email === email).map(shownOwner) },
      };
    }
    const owner = owners.find((one) => (query.get('idProperty') === 'userId' ? `${one.userId}` : one.id) === id);
    if (!owner) throw notFound();
    return { status: 200, body: shownOwner(owner) };
  }

  /** HubSpot does not say whether it de-duplicates by externalCallId, so the emulator does not: the caller has to. */
  function inboundCall(body: Record<string, unknown>): RestResult {
    const {
      externalCallId,
      createEngagement,
      engagementProperties,
      finalCallStatus,
      fromNumber,
      toNumber,
      potentialRecipientUserIds,
    } = body;
    const from = isObject(fromNumber) ? fromNumber.e164Number : undefined;
    const to = isObject(toNumber) ? toNumber.e164Number : undefined;
    if (
      typeof externalCallId !== 'string' ||
      typeof createEngagement !== 'boolean' ||
      !isObject(engagementProperties) ||
      typeof finalCallStatus !== 'string' ||
      typeof from !== 'string' ||
      typeof to !== 'string' ||
      !Array.isArray(potentialRecipientUserIds)
    )
      throw invalid(
        'inbound-call needs externalCallId, createEngagement, engagementProperties, finalCallStatus, fromNumber, toNumber and potentialRecipientUserIds',
      );
    const matches = callerMatches(portal, parts.portalId, from);
    if (createEngagement) {
      const owner = owners.find((one) => one.userId === body.userId);
      const record = portal.create('calls', {
        hs_timestamp:
          typeof body.callStartedTimestamp === 'string' ? body.callStartedTimestamp : new Date().toISOString(),
        hs_call_direction: 'INBOUND',
        hs_call_status: finalCallStatus,
        hs_call_from_number: from,
        hs_call_to_number: to,
        hs_call_external_id: externalCallId,
        hs_call_app_id: `${parts.appId}`,
        hs_call_source: 'INTEGRATIONS_PLATFORM',
        ...(typeof body.durationSeconds === 'number' ? { hs_call_duration: `${body.durationSeconds * 1000}` } : {}),
        ...(owner ? { hubspot_owner_id: owner.id } : {}),
        ...engagementProperties,
      });
      for (const match of matches)
        portal.associate(
          'calls',
          record.id,
          match.callerIdType === 'CONTACT' ? 'contacts' : 'companies',
          `${match.objectCoordinates.objectId}`,
        );
    }
    return { status: 200, body: { callerIdMatches: matches } };
  }

  return (call) => {
    try {
      return route(call);
    } catch (error) {
      if (error instanceof Refusal) return { status: error.status, body: error.body() };
      throw error;
    }
  };
}

const always: Readonly<Record<ObjectType, readonly string[]>> = {
  contacts: ['firstname', 'lastname', 'email'],
  companies: ['name', 'domain'],
  calls: [],
};

/** A record as REST shows it: without `properties=` only the defaults, an unknown name silently left out. */
function shown(record: PortalRecord, wanted: readonly string[]): Record<string, unknown> {
  const names = new Set([
    ...(wanted.length > 0 ? wanted : always[record.type]),
    'hs_object_id',
    'hs_createdate',
    'hs_lastmodifieddate',
  ]);
  const properties: Record<string, string | null> = {};
  for (const name of names)
    if (name in record.properties || wanted.includes(name)) properties[name] = record.properties[name] ?? null;
  const { id, createdAt, updatedAt, archived } = record;
  return { id, properties, createdAt, updatedAt, archived };
}

function typeOf(name: string | undefined): ObjectType {
  const byId: Readonly<Record<string, ObjectType>> = {
    '0-1': 'contacts',
    '0-2': 'companies',
    '0-48': 'calls',
    contact: 'contacts',
    company: 'companies',
    call: 'calls',
  };
  const type = objectTypes.find((one) => one === name) ?? byId[name ?? ''];
  if (!type) throw new Refusal(400, `Unable to infer object type from: ${name ?? ''}`, 'VALIDATION_ERROR');
  return type;
}

function singular(type: ObjectType): string {
  return { contacts: 'contact', companies: 'company', calls: 'call' }[type];
}

function list(value: string | null): string[] {
  return value === null || value === '' ? [] : value.split(',').map((one) => one.trim());
}

function objectOf(body: unknown): Record<string, unknown> {
  if (!isObject(body)) throw invalid('Invalid input JSON: an object was expected');
  return body;
}

function invalid(message: string): Refusal {
  return new Refusal(400, message, 'VALIDATION_ERROR');
}

function notAllowed(): Refusal {
  return new Refusal(405, 'Method not allowed', 'VALIDATION_ERROR');
}
