/**
 * Owns the org as one user sees it: objects, fields and records they may read, and writes that first meet their rights and the faults on
 * order. Every door of the REST surface goes through it. Must never show or change what the user has no right to.
 */
import type { Field, SObjectName } from './field.ts';
import { notFound, type Records, Refusal, type Row, readOnly } from './records.ts';
import type { Deed, Rights } from './rights.ts';
import type { RowFaults } from './row-faults.ts';
import { fieldNamed } from './schema.ts';

export interface OrgView {
  /** The object's fields that the user may read. */
  fields(object: SObjectName): Readonly<Record<string, Field>>;
  field(object: SObjectName, name: string): { readonly name: string; readonly field: Field } | undefined;
  mayObject(object: SObjectName, deed: Deed): boolean;
  mayField(object: SObjectName, field: string, deed: Deed): boolean;
  /** The records of an object that the user may read. */
  all(object: SObjectName): readonly Row[];
  get(object: SObjectName, id: string): Row | undefined;
  objectOf(id: string): SObjectName | undefined;
  touchedAt(id: string): number;
  now(): Date;
  create(object: SObjectName, values: Readonly<Record<string, unknown>>): string;
  update(object: SObjectName, id: string, values: Readonly<Record<string, unknown>>): void;
  remove(object: SObjectName, id: string): void;
  /** Whether this external id is to be one that two records have. */
  isAmbiguous(object: SObjectName, values: Readonly<Record<string, unknown>>): boolean;
  savepoint(): () => void;
}

export function viewOf(
  records: Records,
  rights: Rights,
  user: { readonly id: string; readonly username: string },
  faults: RowFaults,
): OrgView {
  const { schema } = records;
  const mayObject = (object: SObjectName, deed: Deed): boolean => rights.mayObject(user, object, deed);
  const mayField = (object: SObjectName, field: string, deed: Deed): boolean =>
    rights.mayField(user, object, field, deed);
  const maySee = (object: SObjectName, row: Row): boolean =>
    mayObject(object, 'read') && rights.mayRecord(user, object, row, 'read');

  function get(object: SObjectName, id: string): Row | undefined {
    const row = records.get(object, id);
    return row && maySee(object, row) ? row : undefined;
  }

  function field(object: SObjectName, name: string) {
    const found = fieldNamed(schema, object, name);
    return found && mayField(object, found.name, 'read') ? found : undefined;
  }

  /** Field-level security on what is written, and sharing on what it points at. */
  function checkValues(object: SObjectName, values: Readonly<Record<string, unknown>>, deed: Deed): void {
    for (const [given, value] of Object.entries(values)) {
      const known = fieldNamed(schema, object, given);
      // An unknown field is refused where the record is written.
      if (!known) continue;
      if (!mayField(object, known.name, 'read'))
        throw new Refusal('INVALID_FIELD', `No such column '${given}' on sobject of type ${object}`);
      if (!mayField(object, known.name, deed)) throw readOnly(known.name);
      const target = known.field.type === 'reference' && typeof value === 'string' ? value : '';
      const to = records.objectOf(target);
      const row = to === undefined ? undefined : records.get(to, target);
      if (to !== undefined && row && !maySee(to, row))
        throw new Refusal(
          'INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY',
          'insufficient access rights on cross-reference id',
          [known.name],
        );
    }
  }

  /** The right to change a record that is there. What the user can't see is not theirs to name. */
  function checkRecord(object: SObjectName, id: string, deed: 'edit' | 'delete'): void {
    const row = records.get(object, id);
    if (!row) return;
    if (!maySee(object, row))
      throw new Refusal(
        'INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY',
        'insufficient access rights on cross-reference id',
      );
    if (!mayObject(object, deed) || !rights.mayRecord(user, object, row, deed))
      throw new Refusal('INSUFFICIENT_ACCESS_OR_READONLY', 'insufficient access rights on object id');
  }

  return {
    fields: (object) =>
      Object.fromEntries(Object.entries(schema[object].fields).filter(([name]) => mayField(object, name, 'read'))),
    field,
    mayObject,
    mayField,
    all: (object) => records.all(object).filter((row) => maySee(object, row)),
    get,
    objectOf: records.objectOf,
    touchedAt: records.touchedAt,
    now: records.now,
    savepoint: records.savepoint,
    create(object, values) {
      if (!mayObject(object, 'read')) throw notFound();
      faults.meet({ object, deed: 'create', id: '', values, user });
      if (!mayObject(object, 'create'))
        throw new Refusal('CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', `entity type cannot be inserted: ${object}`);
      checkValues(object, values, 'create');
      return records.create(object, values, user.id);
    },
    update(object, id, values) {
      if (!mayObject(object, 'read')) throw notFound();
      faults.meet({ object, deed: 'update', id, values, user });
      checkRecord(object, id, 'edit');
      checkValues(object, values, 'edit');
      records.update(object, id, values, user.id);
    },
    remove(object, id) {
      if (!mayObject(object, 'read')) throw notFound();
      faults.meet({ object, deed: 'delete', id, values: {}, user });
      checkRecord(object, id, 'delete');
      records.remove(object, id);
    },
    isAmbiguous: (object, values) => faults.isAmbiguous({ object, deed: 'upsert', id: '', values, user }),
  };
}
