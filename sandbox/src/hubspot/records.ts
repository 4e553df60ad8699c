/**
 * Owns the records of the emulated portal, their associations, and the rules that a write meets, refused in HubSpot's shape
 * (the HubSpot contract, sections 2.1 to 2.5). Must never know HTTP.
 */
import { randomUUID } from 'node:crypto';
import { associationType } from './association-types.ts';
import { calculatedNumber } from './calculated-number.ts';
import { type ObjectType, objectTypes, type Property, standardProperties } from './properties.ts';
import { problem, stored } from './property-rules.ts';

export interface PortalRecord {
  readonly type: ObjectType;
  readonly id: string;
  readonly properties: Readonly<Record<string, string | null>>;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly archived: boolean;
  /** From when on a search finds it, in epoch milliseconds. */
  readonly indexedAt: number;
}

/** What happened to one record, as a webhook tells it. */
export interface RecordChange {
  readonly kind: 'created' | 'changed' | 'deleted';
  readonly record: PortalRecord;
  /** The values that are new. */
  readonly values: Readonly<Record<string, string | null>>;
}

export interface Association {
  readonly fromType: ObjectType;
  readonly fromId: string;
  readonly toType: ObjectType;
  readonly toId: string;
  readonly typeId: number;
}

/** A refusal in HubSpot's shape. */
export class Refusal extends Error {
  readonly status: number;
  readonly category: string | undefined;
  readonly errors: readonly PropertyError[];
  readonly subCategory: string | undefined;
  context: Readonly<Record<string, readonly string[]>> | undefined;
  constructor(
    status: number,
    message: string,
    category?: string,
    errors: readonly PropertyError[] = [],
    subCategory?: string,
  ) {
    super(message);
    this.status = status;
    this.category = category;
    this.errors = errors;
    this.subCategory = subCategory;
  }
  /** The same refusal, with what tells which input of a batch it belongs to. */
  named(context: Readonly<Record<string, readonly string[]>>): Refusal {
    const copy = new Refusal(this.status, this.message, this.category, this.errors, this.subCategory);
    copy.context = context;
    return copy;
  }
  body(): Record<string, unknown> {
    return {
      status: 'error',
      ...(this.context === undefined ? {} : { context: this.context }),
      message: this.message,
      correlationId: randomUUID(),
      ...(this.category === undefined ? {} : { category: this.category }),
      ...(this.subCategory === undefined ? {} : { subCategory: this.subCategory }),
      ...(this.errors.length === 0
        ? {}
        : {
            errors: this.errors.map(({ name, code, message }) => ({
              message,
              code,
              context: { propertyName: [name] },
            })),
          }),
    };
  }
}

export interface PropertyError {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

export interface Portal {
  all(type: ObjectType): readonly PortalRecord[];
  associations(): readonly Association[];
  property(type: ObjectType, name: string): Property | undefined;
  properties(type: ObjectType): readonly Property[];
  addProperty(type: ObjectType, property: Property): void;
  /** What an administrator requires of a new record; enforced by the newest API only. */
  required(type: ObjectType): readonly string[];
  require(type: ObjectType, names: readonly string[]): void;
  /** What `create` would refuse of the values alone. @throws Refusal */
  check(type: ObjectType, properties: Readonly<Record<string, unknown>>): void;
  get(type: ObjectType, key: string, idProperty?: string): PortalRecord | undefined;
  create(
    type: ObjectType,
    properties: Readonly<Record<string, unknown>>,
    at?: { indexedAt?: number; region?: string },
  ): PortalRecord;
  update(type: ObjectType, id: string, properties: Readonly<Record<string, unknown>>): PortalRecord;
  archive(type: ObjectType, id: string): void;
  /** Associates both ways; without a type id the default one. Throws {@link Refusal} for a wrong id or a record that is not there. */
  associate(fromType: ObjectType, fromId: string, toType: ObjectType, toId: string, typeId?: number): number;
  /** Takes the association away, both ways; nothing happens where there is none. */
  dissociate(fromType: ObjectType, fromId: string, toType: ObjectType, toId: string): void;
  associated(fromType: ObjectType, fromId: string, toType: ObjectType): readonly Association[];
  /** `change` is absent where associations or properties of the portal changed, and not a record. */
  onChange(listener: (change?: RecordChange) => void): void;
}

export function createPortal(options: { ownerIds: ReadonlySet<string>; searchDelayMs: number }): Portal {
  const tables = Object.fromEntries(objectTypes.map((type) => [type, new Map<string, PortalRecord>()])) as Record<
    ObjectType,
    Map<string, PortalRecord>
  >;
  const catalogue = standardProperties();
  const required = new Map<ObjectType, readonly string[]>();
  const links: Association[] = [];
  const listeners: ((change?: RecordChange) => void)[] = [];
  const serial: Record<ObjectType, number> = { contacts: 500, companies: 600, deals: 700, tickets: 800, calls: 90_000 };
  const changed = (change?: RecordChange): void => {
    for (const listener of listeners) listener(change);
  };

  function checked(type: ObjectType, given: Readonly<Record<string, unknown>>): Record<string, string | null> {
    const errors: PropertyError[] = [];
    const result: Record<string, string | null> = {};
    for (const [name, value] of Object.entries(given)) {
      const property = catalogue[type].get(name);
      const wrong = problem(property, name, value, options.ownerIds);
      if (wrong) errors.push({ name, ...wrong });
      else result[name] = stored(property, value);
    }
    if (errors.length > 0) throw invalid(errors);
    return result;
  }

  function refuseTwins(type: ObjectType, properties: Readonly<Record<string, string | null>>, self?: string): void {
    for (const property of catalogue[type].values()) {
      const value = properties[property.name];
      if (!property.hasUniqueValue || value === null || value === undefined) continue;
      const twin = [...tables[type].values()].find(
        (other) =>
          other.id !== self &&
          !other.archived &&
          other.properties[property.name]?.toLowerCase() === value.toLowerCase(),
      );
      if (!twin) continue;
      if (type === 'contacts') throw new Refusal(409, `Contact already exists. Existing ID: ${twin.id}`, 'CONFLICT');
      throw invalid([
        {
          name: property.name,
          code: 'CONFLICTING_UNIQUE_VALUE',
          message: `${property.name}: ${value} is already used by object ${twin.id}`,
        },
      ]);
    }
  }

  function derived(type: ObjectType, properties: Record<string, string | null>, region: string): void {
    if (type === 'deals') properties.hs_is_closed = `${/^closed/.test(properties.dealstage ?? '')}`;
    if (type === 'tickets') properties.hs_is_closed = `${properties.hs_pipeline_stage === '4'}`;
    if (type !== 'contacts') return;
    const work = properties.phone ? calculatedNumber(properties.phone, region) : undefined;
    const mobile = properties.mobilephone ? calculatedNumber(properties.mobilephone, region) : undefined;
    Object.assign(properties, {
      hs_searchable_calculated_phone_number: work?.national ?? null,
      hs_searchable_calculated_mobile_number: mobile?.national ?? null,
      hs_searchable_calculated_international_phone_number: work?.e164 ?? null,
      hs_searchable_calculated_international_mobile_number: mobile?.e164 ?? null,
      hs_calculated_phone_number: work?.e164 ?? null,
      hs_calculated_mobile_number: mobile?.e164 ?? null,
      hs_calculated_phone_number_country_code: work?.code ?? null,
      hs_calculated_phone_number_region_code: work?.region ?? null,
      hs_calculated_phone_number_area_code: work?.area ?? null,
    });
  }

  const portal: Portal = {
    all: (type) => [...tables[type].values()].filter((record) => !record.archived),
    associations: () => [...links],
    property: (type, name) => catalogue[type].get(name),
    properties: (type) => [...catalogue[type].values()],
    required: (type) => required.get(type) ?? [],
    require: (type, names) => void required.set(type, names),
    addProperty(type, property) {
      catalogue[type].set(property.name, property);
    },
    get(type, key, idProperty) {
      if (idProperty === undefined || idProperty === 'hs_object_id') {
        const record = tables[type].get(key);
        return record && !record.archived ? record : undefined;
      }
      const property = catalogue[type].get(idProperty);
      if (!property?.hasUniqueValue) throw notUnique(idProperty);
      return portal.all(type).find((record) => record.properties[idProperty]?.toLowerCase() === key.toLowerCase());
    },
    check: (type, given) => void checked(type, given),
    create(type, given, at = {}) {
      const properties = checked(type, given);
      if (type === 'calls' && !properties.hs_timestamp)
        throw new Refusal(
          400,
          'Error creating CALL. Some required properties were not set.',
          'VALIDATION_ERROR',
          [{ name: 'hs_timestamp', code: 'REQUIRED_PROPERTY_MISSING', message: 'Property hs_timestamp is required.' }],
          'CRM.MISSING_REQUIRED_PROPERTY',
        );
      refuseTwins(type, properties);
      serial[type] += 1;
      const id = `${serial[type]}`;
      const now = new Date().toISOString();
      derived(type, properties, at.region ?? 'US');
      Object.assign(properties, { hs_object_id: id, hs_createdate: now, hs_lastmodifieddate: now });
      const record = Object.freeze({
        type,
        id,
        properties: Object.freeze(properties),
        createdAt: now,
        updatedAt: now,
        archived: false,
        indexedAt: at.indexedAt ?? Date.now() + options.searchDelayMs,
      });
      tables[type].set(id, record);
      changed({ kind: 'created', record, values: record.properties });
      return record;
    },
    update(type, id, given) {
      const before = portal.get(type, id);
      if (!before) throw notFound();
      const values = checked(type, given);
      const properties = { ...before.properties, ...values };
      refuseTwins(type, properties, id);
      const now = new Date().toISOString();
      if (type !== 'contacts' || 'phone' in given || 'mobilephone' in given) derived(type, properties, 'US');
      properties.hs_lastmodifieddate = now;
      const record = Object.freeze({ ...before, properties: Object.freeze(properties), updatedAt: now });
      tables[type].set(id, record);
      const fresh = Object.entries(values).filter(([name, value]) => (before.properties[name] ?? null) !== value);
      changed({ kind: 'changed', record, values: Object.fromEntries(fresh) });
      return record;
    },
    archive(type, id) {
      const record = portal.get(type, id);
      if (!record) return;
      tables[type].set(id, { ...record, archived: true });
      changed({ kind: 'deleted', record, values: {} });
    },
    associate(fromType, fromId, toType, toId, typeId) {
      const standard = associationType(fromType, toType);
      const back = associationType(toType, fromType);
      if (standard === undefined || back === undefined)
        throw new Refusal(400, `No association type from ${fromType} to ${toType}`, 'VALIDATION_ERROR');
      if (typeId !== undefined && typeId !== standard)
        throw new Refusal(
          400,
          `invalid association type ${typeId}: ${fromType} to ${toType} is ${standard}`,
          'VALIDATION_ERROR',
        );
      for (const [type, id] of [
        [fromType, fromId],
        [toType, toId],
      ] as const)
        if (!portal.get(type, id))
          throw new Refusal(
            400,
            `Object not found. objectId: ${id}, type: ${type}`,
            'VALIDATION_ERROR',
            [],
            'crm.associations.INVALID_OBJECT_IDS',
          );
      if (
        !links.some(
          (link) =>
            link.fromType === fromType && link.fromId === fromId && link.toType === toType && link.toId === toId,
        )
      ) {
        links.push(
          { fromType, fromId, toType, toId, typeId: standard },
          { fromType: toType, fromId: toId, toType: fromType, toId: fromId, typeId: back },
        );
        changed();
      }
      return standard;
    },
    dissociate(fromType, fromId, toType, toId) {
      const before = links.length;
      const gone = (link: Association): boolean =>
        (link.fromType === fromType && link.fromId === fromId && link.toType === toType && link.toId === toId) ||
        (link.fromType === toType && link.fromId === toId && link.toType === fromType && link.toId === fromId);
      links.splice(0, links.length, ...links.filter((link) => !gone(link)));
      if (links.length !== before) changed();
    },
    associated: (fromType, fromId, toType) =>
      links.filter((link) => link.fromType === fromType && link.fromId === fromId && link.toType === toType),
    onChange(listener) {
      listeners.push(listener);
    },
  };
  return portal;
}

export function notFound(): Refusal {
  return new Refusal(404, 'resource not found', 'OBJECT_NOT_FOUND');
}

export function notUnique(name: string): Refusal {
  return new Refusal(400, `Property "${name}" is not a unique identifier property`, 'VALIDATION_ERROR');
}

function invalid(errors: readonly PropertyError[]): Refusal {
  const list = errors.map(({ name, code, message }) => ({ isValid: false, message, error: code, name }));
  return new Refusal(400, `Property values were not valid: ${JSON.stringify(list)}`, 'VALIDATION_ERROR', errors);
}
