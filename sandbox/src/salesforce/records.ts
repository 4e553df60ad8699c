/**
 * Owns the records of the emulated org and the rules that a write meets: known fields, references, unique keys, deleted records. What one
 * value may be is in `values.ts`, what the platform fills in is in `record-rules.ts`. Must never know HTTP, a query language, or who may do what.
 */
import { derive, type Neighbours } from './record-rules.ts';
import { notFound, Refusal } from './refusal.ts';
import { createSchema, type Field, fieldNamed, type Schema, type SObjectName, sObjectNames } from './schema.ts';
import { personTwins } from './schema-person.ts';
import { converted, eighteen, instant, type Row, type Value } from './values.ts';

export { notFound, Refusal } from './refusal.ts';
export { eighteen, type Row } from './values.ts';

export interface Records {
  readonly schema: Schema;
  now(): Date;
  all(object: SObjectName): readonly Row[];
  get(object: SObjectName, id: string): Row | undefined;
  /** Checks and inserts; answers the new 18-character id. Throws {@link Refusal}. */
  create(object: SObjectName, values: Readonly<Record<string, unknown>>, userId: string): string;
  update(object: SObjectName, id: string, values: Readonly<Record<string, unknown>>, userId: string): void;
  remove(object: SObjectName, id: string): void;
  /** Puts a row in as it is, past every rule: for demo data and for tests that need an impossible state. */
  plant(object: SObjectName, row: Row): string;
  /** Takes every row of an object out, as if it had never been; without an object, of all that a call can be about. */
  clear(object?: SObjectName): void;
  objectOf(id: string): SObjectName | undefined;
  /** When a record was last put in or changed, epoch ms; 0 when it is not there. */
  touchedAt(id: string): number;
  /** Remembers everything; the answer puts it back. */
  savepoint(): () => void;
  /** Called after every change that stays. */
  onChange(listener: () => void): void;
}

/** What `clear()` without an object leaves: the org itself. */
const orgObjects: readonly SObjectName[] = ['User', 'TaskStatus', 'Organization'];

export function createRecords(options: { readonly now?: () => Date; readonly schema?: Schema } = {}): Records {
  const schema = options.schema ?? createSchema();
  const now = options.now ?? (() => new Date());
  const tables = new Map<SObjectName, Map<string, Row>>(sObjectNames.map((name) => [name, new Map<string, Row>()]));
  const deleted = new Set<string>();
  const touched = new Map<string, number>();
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
  const objectOf = (id: string): SObjectName | undefined =>
    sObjectNames.find((name) => schema[name].prefix === id.slice(0, 3));
  const neighbours: Neighbours = {
    objectOf,
    get,
    all: (object) => [...table(object).values()],
    now,
    serial: () => serial,
  };

  function checked(
    object: SObjectName,
    values: Readonly<Record<string, unknown>>,
    creating: boolean,
  ): Record<string, Value> {
    const result: Record<string, Value> = {};
    for (const [given, value] of Object.entries(values)) {
      if (given === 'attributes') continue;
      const found = fieldNamed(schema, object, given);
      if (!found) throw new Refusal('INVALID_FIELD', `No such column '${given}' on sobject of type ${object}`);
      const { name, field } = found;
      if (field.write === 'never' || (field.write === 'create' && !creating)) throw readOnly(name);
      result[name] = converted(name, field, value);
      const target = result[name];
      if (field.type === 'reference' && typeof target === 'string') result[name] = referenced(name, field, target);
    }
    return result;
  }

  /** The id a reference keeps; refused when it is of the wrong object, gone, or the owner can no longer own. */
  function referenced(name: string, field: Field, target: string): string {
    const to = objectOf(target);
    if (!to || !(field.to ?? []).includes(to) || !/^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$/.test(target))
      throw new Refusal('MALFORMED_ID', `${name}: id value of incorrect type: ${target}`, [name]);
    const row = get(to, target);
    if (deleted.has(eighteen(target))) throw new Refusal('ENTITY_IS_DELETED', 'entity is deleted', [name]);
    if (!row) throw new Refusal('INVALID_CROSS_REFERENCE_KEY', 'invalid cross reference id', [name]);
    if (name === 'OwnerId' && row.IsActive === false)
      throw new Refusal('INACTIVE_OWNER_OR_USER', `operation performed with inactive user [${target}] as owner`, [
        name,
      ]);
    return eighteen(target);
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

  function blank(object: SObjectName): Record<string, Value> {
    const row: Record<string, Value> = {};
    for (const [name, field] of Object.entries(schema[object].fields)) row[name] = field.default ?? null;
    return row;
  }

  function put(object: SObjectName, id: string, row: Record<string, Value>): void {
    table(object).set(id, Object.freeze(row));
    touched.set(id, now().getTime());
    if (object === 'Account' && row.IsPersonAccount === true) mirrorPerson(id, row);
    changed();
  }

  /** The contact behind a person account: one record in two objects, as the platform keeps it. */
  function mirrorPerson(accountId: string, account: Record<string, Value>): void {
    const known = typeof account.PersonContactId === 'string' ? account.PersonContactId : undefined;
    const id = known ?? newId('Contact');
    const contact: Record<string, Value> = {
      ...blank('Contact'),
      ...(known === undefined ? {} : get('Contact', known)),
    };
    for (const [to, from] of personTwins) contact[to] = account[from] ?? null;
    const { CreatedDate = null, LastModifiedDate = null, SystemModstamp = null } = account;
    Object.assign(contact, { CreatedDate, LastModifiedDate, SystemModstamp });
    Object.assign(contact, { Id: id, AccountId: accountId, IsPersonAccount: true });
    derive('Contact', contact, neighbours);
    table('Contact').set(id, Object.freeze(contact));
    touched.set(id, now().getTime());
    if (known === undefined) table('Account').set(accountId, Object.freeze({ ...account, PersonContactId: id }));
  }

  return {
    schema,
    now,
    all: neighbours.all,
    get,
    objectOf,
    touchedAt: (id) => touched.get(eighteen(id)) ?? 0,
    create(object, values, userId) {
      if (!schema[object].writable)
        throw new Refusal('CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', `entity type ${object} does not support create`);
      const row = { ...blank(object), ...checked(object, values, true) };
      const at = instant(now());
      if ('OwnerId' in row) row.OwnerId ??= userId;
      const id = newId(object);
      Object.assign(row, { Id: id, CreatedDate: at, LastModifiedDate: at, SystemModstamp: at });
      Object.assign(row, { CreatedById: userId, LastModifiedById: userId });
      derive(object, row, neighbours);
      refuseMissing(object, row);
      refuseTwins(object, row, undefined);
      put(object, id, row);
      return id;
    },
    update(object, id, values, userId) {
      if (deleted.has(eighteen(id))) throw new Refusal('ENTITY_IS_DELETED', 'entity is deleted', [], 404);
      const before = get(object, id);
      if (!before) throw notFound();
      const at = instant(now());
      const row: Record<string, Value> = { ...before, ...checked(object, values, false) };
      Object.assign(row, { LastModifiedDate: at, SystemModstamp: at, LastModifiedById: userId });
      derive(object, row, neighbours);
      refuseMissing(object, row);
      refuseTwins(object, row, eighteen(id));
      put(object, eighteen(id), row);
    },
    remove(object, id) {
      if (deleted.has(eighteen(id))) throw new Refusal('ENTITY_IS_DELETED', 'entity is deleted', [], 404);
      if (!table(object).delete(eighteen(id))) throw notFound();
      deleted.add(eighteen(id));
      changed();
    },
    plant(object, row) {
      const id = typeof row.Id === 'string' ? eighteen(row.Id) : newId(object);
      const at = instant(now());
      const full = blank(object);
      if ('CreatedDate' in full) Object.assign(full, { CreatedDate: at, LastModifiedDate: at, SystemModstamp: at });
      // Its own number, were the next record made by a rule; an explicit id must not repeat it.
      if (typeof row.Id === 'string') serial += 1;
      Object.assign(full, row, { Id: id });
      if (object !== 'Task') derive(object, full, neighbours);
      deleted.delete(id);
      put(object, id, full);
      return id;
    },
    clear(object) {
      for (const name of object === undefined ? sObjectNames : [object])
        if (object !== undefined || !orgObjects.includes(name)) table(name).clear();
      changed();
    },
    savepoint() {
      const kept = [...tables].map(([name, rows]) => [name, new Map(rows)] as const);
      const gone = [...deleted];
      return () => {
        for (const [name, rows] of kept) tables.set(name, rows);
        deleted.clear();
        for (const id of gone) deleted.add(id);
        changed();
      };
    },
    onChange(listener) {
      listeners.push(listener);
    },
  };
}

/** The refusal of a field that nobody, or not this user, may write. */
export function readOnly(name: string): Refusal {
  return new Refusal(
    'INVALID_FIELD_FOR_INSERT_UPDATE',
    `Unable to create/update fields: ${name}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.`,
    [name],
  );
}
