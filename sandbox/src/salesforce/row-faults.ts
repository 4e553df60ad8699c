/**
 * Owns how the emulated org refuses the write of one record on command. The refusal is raised where the record is written, so that a single
 * write, a composite, a graph and a collection each carry it in their own shape. `times` counts requests: within one request an order meets
 * every record that it fits, once `skip` such records were let through. Must never write a record.
 */
import type { FaultOrder, Faults, FaultWhen } from '../http.ts';
import { Refusal } from './refusal.ts';

/** One write of a record, as a fault looks at it. */
export interface RowWrite {
  readonly object: string;
  readonly deed: 'create' | 'update' | 'delete' | 'upsert';
  /** Empty on create. */
  readonly id: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly user: { readonly id: string; readonly username: string };
}

type Made = (order: FaultOrder, write: RowWrite) => Refusal;

const plain =
  (code: string, message: string, status = 400): Made =>
  (order) =>
    new Refusal(code, order.message ?? message, order.fields ?? fieldOf(order), status);

/** Name of the fault, and what it answers. Statuses: one write alone; inside a list it is always the row's own. */
const refusals: Readonly<Record<string, Made>> = {
  'row-lock': plain('UNABLE_TO_LOCK_ROW', 'unable to obtain exclusive access to this record or 1 records: a00'),
  'validation-rule': plain('FIELD_CUSTOM_VALIDATION_EXCEPTION', 'A closed call needs a call result.'),
  'required-field': (order, write) => {
    const fields = order.fields ?? fieldOf(order);
    const missing = fields.length > 0 ? fields : ['Region__c'];
    return new Refusal(
      'REQUIRED_FIELD_MISSING',
      order.message ?? `Required fields are missing: [${missing.join(', ')}]`,
      missing,
      write.deed === 'delete' ? 404 : 400,
    );
  },
  'field-security': (order, write) => {
    const given = order.fields ?? fieldOf(order);
    const fields = given.length > 0 ? given : Object.keys(write.values).slice(0, 1);
    return new Refusal(
      'INVALID_FIELD_FOR_INSERT_UPDATE',
      order.message ??
        `Unable to create/update fields: ${fields.join(', ')}. Please check the security settings of this field and verify that it is read/write for your profile or permission set.`,
      fields,
    );
  },
  'record-locked': plain('ENTITY_IS_LOCKED', 'the entity is locked for editing'),
  'no-access': plain('INSUFFICIENT_ACCESS_OR_READONLY', 'insufficient access rights on object id'),
  'no-access-to-related': plain(
    'INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY',
    'insufficient access rights on cross-reference id',
  ),
  trigger: (order, write) =>
    new Refusal(
      'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY',
      order.message ??
        `CountCalls: execution of ${write.deed === 'create' ? 'BeforeInsert' : 'BeforeUpdate'}\n\ncaused by: System.NullPointerException: Attempt to de-reference a null object\n\nTrigger.CountCalls: line 7, column 1`,
      order.fields ?? [],
    ),
  'record-deleted': plain('ENTITY_IS_DELETED', 'entity is deleted', 404),
  'storage-full': plain('STORAGE_LIMIT_EXCEEDED', 'storage limit exceeded'),
  'owner-inactive': plain(
    'INACTIVE_OWNER_OR_USER',
    'operation performed with inactive user [0050000000INACT] as owner',
  ),
  'duplicate-rule': (order, write) =>
    new Refusal('DUPLICATES_DETECTED', order.message ?? 'Use one of these records?', order.fields ?? [], 400, {
      duplicateResult: {
        allowSave: true,
        duplicateRule: `Standard_${write.object}_Duplicate_Rule`,
        duplicateRuleEntityType: write.object,
        errorMessage: order.message ?? 'Use one of these records?',
        matchResults: [],
      },
    }),
};

/** An external id that two records have: 300 on a single write, DUPLICATE_EXTERNAL_ID in a list. Met by upserts only. */
export const multipleChoices = 'multiple-choices';

export const rowFaults: readonly string[] = [...Object.keys(refusals), multipleChoices];

/** The faults of one request: they stay with it until it is answered. */
export interface RowFaults {
  /** Throws {@link Refusal} when the write is one that an order means. */
  meet(write: RowWrite): void;
  /** Whether this upsert finds two records on command. */
  isAmbiguous(write: RowWrite): boolean;
  /** The names of the faults that were met. */
  met(): readonly string[];
}

/** `subject` is the outer request, `METHOD /path`: an order's `on` is matched against it. */
export function rowFaultsOf(faults: Faults, subject: string): RowFaults {
  const taken: FaultOrder[] = [];
  const ordered = (names: readonly string[], write: RowWrite): FaultOrder | undefined => {
    const fits = (when: FaultWhen): boolean => isMeant(when, write);
    const again = taken.find((order) => names.includes(order.fault) && (order.when === undefined || fits(order.when)));
    if (again) return again;
    const order = faults.take(names, subject, fits);
    if (order) taken.push(order);
    return order;
  };
  return {
    meet(write) {
      const order = ordered(Object.keys(refusals), write);
      const made = order === undefined ? undefined : refusals[order.fault];
      if (order && made) throw made(order, write);
    },
    isAmbiguous: (write) => ordered([multipleChoices], write) !== undefined,
    met: () => taken.map((order) => order.fault),
  };
}

function isMeant(when: FaultWhen, write: RowWrite): boolean {
  const same = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();
  return (
    (when.user === undefined || when.user === write.user.username || when.user === write.user.id) &&
    (when.object === undefined || same(when.object, write.object)) &&
    (when.field === undefined || Object.keys(write.values).some((field) => same(field, when.field ?? ''))) &&
    (when.record === undefined ||
      (write.id !== '' && write.id.slice(0, 15) === when.record.slice(0, 15)) ||
      Object.values(write.values).some((value) => value === when.record))
  );
}

function fieldOf(order: FaultOrder): readonly string[] {
  return order.when?.field === undefined ? [] : [order.when.field];
}
