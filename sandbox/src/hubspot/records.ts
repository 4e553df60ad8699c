/**
 * Owns the records of the emulated portal, their associations, and the rules that a write meets, refused in HubSpot's shape
 * (the HubSpot contract, sections 2.1 to 2.5). Must never know HTTP.
 */
import { randomUUID } from 'node:crypto';
import { calculatedNumber, type ObjectType, objectTypes, type Property, standardProperties } from './properties.ts';

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
  body(): Record<string, unknown> {
    return {
      status: 'error',
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

/** HUBSPOT_DEFINED association type ids, from → to. */
const associationTypes: Partial<Record<`${ObjectType}>${ObjectType}`, number>> = {
  'calls>contacts': 194,
  'calls>companies': 182,
  'contacts>calls': 193,
  'companies>calls': 181,
  'contacts>companies': 279,
  'companies>contacts': 280,
};

export interface Portal {
  all(type: ObjectType): readonly PortalRecord[];
  associations(): readonly Association[];
  property(type: ObjectType, name: string): Property | undefined;
  properties(type: ObjectType): readonly Property[];
  addProperty(type: ObjectType, property: Property): void;
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
  associated(fromType: ObjectType, fromId: string, toType: ObjectType): readonly Association[];
  onChange(listener: () => void): void;
}

export function createPortal(options: { ownerIds: ReadonlySet<string>; searchDelayMs: number }): Portal {
  const tables = Object.fromEntries(objectTypes.map((type) => [type, new Map<string, PortalRecord>()])) as Record<
    ObjectType,
    Map<string, PortalRecord>
  >;
  const catalogue = standardProperties();
  const links: Association[] = [];
  const listeners: (() => void)[] = [];
  const serial: Record<ObjectType, number> = { contacts: 500, companies: 600, calls: 90_000 };
  const changed = (): void => {
    for (const listener of listeners) listener();
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
      changed();
      return record;
    },
    update(type, id, given) {
      const before = portal.get(type, id);
      if (!before) throw notFound();
      const properties = { ...before.properties, ...checked(type, given) };
      refuseTwins(type, properties, id);
      const now = new Date().toISOString();
      if ('phone' in given || 'mobilephone' in given) derived(type, properties, 'US');
      properties.hs_lastmodifieddate = now;
      const record = Object.freeze({ ...before, properties: Object.freeze(properties), updatedAt: now });
      tables[type].set(id, record);
      changed();
      return record;
    },
    archive(type, id) {
      const record = portal.get(type, id);
      if (!record) return;
      tables[type].set(id, { ...record, archived: true });
      changed();
    },
    associate(fromType, fromId, toType, toId, typeId) {
      const standard = associationTypes[`${fromType}>${toType}`];
      const back = associationTypes[`${toType}>${fromType}`];
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
    associated: (fromType, fromId, toType) =>
      links.filter((link) => link.fromType === fromType && link.fromId === fromId && link.toType === toType),
    onChange(listener) {
      listeners.push(listener);
    },
  };
  return portal;
}

/** As the portal gives it back: no empty strings, and times as ISO text whatever was sent. */
function stored(property: Property | undefined, value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null;
  if (property?.type !== 'datetime') return value;
  return new Date(/^\d+$/.test(value) ? Number(value) : value).toISOString();
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

function problem(
  property: Property | undefined,
  name: string,
  value: unknown,
  ownerIds: ReadonlySet<string>,
): { code: string; message: string } | undefined {
  if (!property) return { code: 'PROPERTY_DOESNT_EXIST', message: `Property "${name}" does not exist` };
  if (property.calculated)
    return { code: 'READ_ONLY_VALUE', message: `"${name}" is a read only property; its value cannot be set.` };
  if (value === null || value === '') return undefined;
  if (typeof value !== 'string') return { code: 'INVALID_STRING', message: `"${name}": property values are strings` };
  if (property.options && !property.options.some((option) => option.value === value))
    return {
      code: 'INVALID_OPTION',
      message: `${value} was not one of the allowed options: [${property.options.map((option) => option.value).join(', ')}]`,
    };
  if (property.type === 'number' && !/^-?\d+(\.\d+)?$/.test(value))
    return { code: 'INVALID_INTEGER', message: `${value} was not a valid number` };
  if (property.type === 'datetime' && !(/^\d{10,}$/.test(value) || !Number.isNaN(Date.parse(value))))
    return { code: 'INVALID_DATE', message: `${value} was not a valid datetime` };
  if (name === 'hubspot_owner_id' && !ownerIds.has(value))
    return { code: 'INVALID_OWNER_ID', message: `${value} was not a valid owner id` };
  if (name === 'hs_call_recording_url' && !value.startsWith('https://'))
    return { code: 'INVALID_URL', message: `${value} must be an https URL` };
  return undefined;
}
