/**
 * Owns the records of the emulated org and the rules that a write meets: types, lengths, picklists, references, unique keys,
 * and what Task refuses (the Salesforce contract, section 1.7). Must never know HTTP or a query language.
 */
import { type Field, fieldNamed, type SObjectName, schema, sObjectNames } from './schema.ts';

export type Value = string | number | boolean | null;
export type Row = Readonly<Record<string, Value>>;

/** A refusal in Salesforce's words: its code, its text, the fields concerned, and the HTTP status a single write gets. */
export class Refusal extends Error {
  readonly code: string;
  readonly fields: readonly string[];
  readonly status: number;
  constructor(code: string, message: string, fields: readonly string[] = [], status = 400) {
    super(message);
    this.code = code;
    this.fields = fields;
    this.status = status;
  }
}

export interface Records {
  all(object: SObjectName): readonly Row[];
  get(object: SObjectName, id: string): Row | undefined;
  /** Checks and inserts; answers the new 18-character id. Throws {@link Refusal}. */
  create(object: SObjectName, values: Readonly<Record<string, unknown>>, userId: string): string;
  update(object: SObjectName, id: string, values: Readonly<Record<string, unknown>>, userId: string): void;
  remove(object: SObjectName, id: string): void;
  /** Puts a row in as it is, past every rule: for demo data and for tests that need an impossible state. */
  plant(object: SObjectName, row: Row): string;
  objectOf(id: string): SObjectName | undefined;
  /** Remembers everything; the answer puts it back. */
  savepoint(): () => void;
  /** Called after every change that stays. */
  onChange(listener: () => void): void;
}

export function createRecords(now: () => Date = () => new Date()): Records {
  const tables = new Map<SObjectName, Map<string, Row>>(sObjectNames.map((name) => [name, new Map<string, Row>()]));
  const listeners: (() => void)[] = [];
  let serial = 0;

  const table = (object: SObjectName): Map<string, Row> => {
    const found = tables.get(object);
    if (!found) throw new RangeError(`No such object ${object}`);
    return found;
  };
  const newId = (object: SObjectName): string => {
    serial += 1;
    return eighteen(`${schema[object].prefix}Pc${serial.toString(36).toUpperCase().padStart(10, '0')}`);
  };
  const changed = (): void => {
    for (const listener of listeners) listener();
  };
  const get = (object: SObjectName, id: string): Row | undefined => table(object).get(eighteen(id));

  function checked(
    object: SObjectName,
    values: Readonly<Record<string, unknown>>,
    creating: boolean,
  ): Record<string, Value> {
    const result: Record<string, Value> = {};
    for (const [given, value] of Object.entries(values)) {
      if (given === 'attributes') continue;
      const found = fieldNamed(object, given);
      if (!found) throw new Refusal('INVALID_FIELD', `No such column '${given}' on sobject of type ${object}`);
      const { name, field } = found;
      if (field.write === 'never' || (field.write === 'create' && !creating))
        throw new Refusal(
          'INVALID_FIELD_FOR_INSERT_UPDATE',
          `Unable to create/update fields: ${name}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.`,
          [name],
        );
      result[name] = converted(name, field, value);
      const target = result[name];
      if (field.type === 'reference' && typeof target === 'string' && target !== '') {
        const to = objectOf(target);
        if (!to || !(field.to ?? []).includes(to) || !get(to, target))
          throw new Refusal('MALFORMED_ID', `${name}: id value of incorrect type: ${target}`, [name]);
        result[name] = eighteen(target);
      }
    }
    return result;
  }

  function refuseTwins(object: SObjectName, row: Row, self: string | undefined): void {
    for (const [name, field] of Object.entries(schema[object].fields)) {
      const value = row[name];
      if (!field.unique || value === null || value === undefined) continue;
      for (const [id, other] of table(object)) {
        if (id === self || `${other[name]}`.toLowerCase() !== `${value}`.toLowerCase()) continue;
        throw new Refusal(
          'DUPLICATE_VALUE',
          `duplicate value found: ${name} duplicates value on record with id: ${id.slice(0, 15)}`,
        );
      }
    }
  }

  function refuseMissing(object: SObjectName, row: Row): void {
    const missing = Object.entries(schema[object].fields)
      .filter(([name, field]) => field.required && (row[name] === undefined || row[name] === null || row[name] === ''))
      .map(([name]) => name);
    if (missing.length > 0)
      throw new Refusal('REQUIRED_FIELD_MISSING', `Required fields are missing: [${missing.join(', ')}]`, missing);
  }

  function derived(object: SObjectName, row: Record<string, Value>): Record<string, Value> {
    if (object === 'Contact' || object === 'Lead')
      row.Name = [row.FirstName, row.LastName].filter((part) => typeof part === 'string' && part !== '').join(' ');
    if (object === 'Patchcord_Call__c') row.Name ??= `CALL-${String(serial).padStart(6, '0')}`;
    if (object !== 'Task') return row;
    const who = typeof row.WhoId === 'string' && row.WhoId !== '' ? row.WhoId : undefined;
    const whoObject = who === undefined ? undefined : objectOf(who);
    if (whoObject === 'Lead' && typeof row.WhatId === 'string' && row.WhatId !== '')
      throw new Refusal('FIELD_INTEGRITY_EXCEPTION', 'Related To ID: can not specify a What ID if Who is a Lead', [
        'WhatId',
      ]);
    const what = typeof row.WhatId === 'string' && row.WhatId !== '' ? row.WhatId : undefined;
    if (what !== undefined && objectOf(what) === 'Account') row.AccountId = what;
    else row.AccountId = whoObject === 'Contact' && who !== undefined ? (get('Contact', who)?.AccountId ?? null) : null;
    const closed = [...table('TaskStatus').values()].some((status) => status.ApiName === row.Status && status.IsClosed);
    if (closed && row.IsClosed !== true) row.CompletedDateTime = instant(now());
    if (!closed) row.CompletedDateTime = null;
    row.IsClosed = closed;
    return row;
  }

  function objectOf(id: string): SObjectName | undefined {
    return sObjectNames.find((name) => schema[name].prefix === id.slice(0, 3));
  }

  return {
    all: (object) => [...table(object).values()],
    get,
    objectOf,
    create(object, values, userId) {
      if (!schema[object].writable)
        throw new Refusal('CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', `entity type ${object} does not support create`);
      const given = checked(object, values, true);
      const at = instant(now());
      const row: Record<string, Value> = {};
      for (const [name, field] of Object.entries(schema[object].fields)) row[name] = field.default ?? null;
      Object.assign(row, given);
      if ('OwnerId' in row) row.OwnerId ??= userId;
      const id = newId(object);
      Object.assign(row, { Id: id, CreatedDate: at, LastModifiedDate: at, SystemModstamp: at, CreatedById: userId });
      derived(object, row);
      refuseMissing(object, row);
      refuseTwins(object, row, undefined);
      table(object).set(id, Object.freeze(row));
      changed();
      return id;
    },
    update(object, id, values, _userId) {
      const before = get(object, id);
      if (!before) throw notFound();
      const at = instant(now());
      const row: Record<string, Value> = { ...before, ...checked(object, values, false) };
      derived(object, row);
      Object.assign(row, { LastModifiedDate: at, SystemModstamp: at });
      refuseMissing(object, row);
      refuseTwins(object, row, eighteen(id));
      table(object).set(eighteen(id), Object.freeze(row));
      changed();
    },
    remove(object, id) {
      if (!table(object).delete(eighteen(id))) throw notFound();
      changed();
    },
    plant(object, row) {
      const id = typeof row.Id === 'string' ? eighteen(row.Id) : newId(object);
      const at = instant(now());
      const full: Record<string, Value> = {};
      for (const [name, field] of Object.entries(schema[object].fields)) full[name] = field.default ?? null;
      if ('CreatedDate' in full) Object.assign(full, { CreatedDate: at, LastModifiedDate: at, SystemModstamp: at });
      Object.assign(full, row, { Id: id });
      if (object === 'Contact' || object === 'Lead') derived(object, full);
      table(object).set(id, Object.freeze(full));
      changed();
      return id;
    },
    savepoint() {
      const kept = [...tables].map(([name, rows]) => [name, new Map(rows)] as const);
      return () => {
        for (const [name, rows] of kept) tables.set(name, rows);
        changed();
      };
    },
    onChange(listener) {
      listeners.push(listener);
    },
  };
}

export function notFound(): Refusal {
  return new Refusal('NOT_FOUND', 'The requested resource does not exist', [], 404);
}

function converted(name: string, field: Field, value: unknown): Value {
  if (value === null || value === '') return null;
  const wrong = (wanted: string): Refusal =>
    new Refusal(
      'JSON_PARSER_ERROR',
      `Cannot deserialize instance of ${wanted} from value ${JSON.stringify(value)} for field ${name}`,
    );
  switch (field.type) {
    case 'int':
      if (typeof value !== 'number' || !Number.isInteger(value)) throw wrong('int');
      return value;
    case 'double':
      if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong('double');
      return value;
    case 'boolean':
      if (typeof value !== 'boolean') throw wrong('boolean');
      return value;
    case 'date':
      if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(value)) throw wrong('date');
      return value;
    case 'datetime':
      if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}T/.test(value) || Number.isNaN(Date.parse(value)))
        throw wrong('datetime');
      return instant(new Date(value));
    default: {
      if (typeof value !== 'string') throw wrong('string');
      const limit = field.length ?? (field.type === 'picklist' ? 255 : 18);
      if (value.length > limit)
        throw new Refusal(
          'STRING_TOO_LONG',
          `${name}: data value too large: ${value.slice(0, 20)}… (max length=${limit})`,
          [name],
        );
      if (field.restricted && !(field.values ?? []).includes(value))
        throw new Refusal(
          'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST',
          `${name}: bad value for restricted picklist field: ${value}`,
          [name],
        );
      return value;
    }
  }
}

/** `2026-11-21T10:00:00.000+0000`: Salesforce's spelling of UTC. */
function instant(date: Date): string {
  return date.toISOString().replace('Z', '+0000');
}

/** The 18-character form of a 15-character id: three letters that carry which of the others are capitals. */
export function eighteen(id: string): string {
  if (id.length !== 15) return id;
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345';
  let suffix = '';
  for (let block = 0; block < 3; block += 1) {
    let bits = 0;
    for (let index = 0; index < 5; index += 1) if (/[A-Z]/.test(id.charAt(block * 5 + index))) bits |= 1 << index;
    suffix += letters.charAt(bits);
  }
  return id + suffix;
}
