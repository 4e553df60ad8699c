/**
 * Owns what a field and an object are in the emulated org, and the fields that every object has. Must never name a field of one object.
 */
export type FieldType =
  | 'id'
  | 'string'
  | 'phone'
  | 'email'
  | 'url'
  | 'textarea'
  | 'picklist'
  | 'combobox'
  | 'int'
  | 'double'
  | 'currency'
  | 'boolean'
  | 'date'
  | 'datetime'
  | 'reference';

export interface Field {
  readonly type: FieldType;
  readonly length?: number;
  /** Digits before and behind the point, for a number field of ours: `Number(3,2)` is `[3, 2]`. */
  readonly precision?: readonly [digits: number, decimals: number];
  /** Not writable at all, or only on create. */
  readonly write?: 'never' | 'create';
  readonly required?: boolean;
  /** A restricted picklist refuses other values; `values` without it is only a suggestion, as in a real org. */
  readonly restricted?: boolean;
  readonly values?: readonly string[];
  readonly default?: string | number | boolean;
  readonly unique?: boolean;
  readonly externalId?: boolean;
  readonly to?: readonly SObjectName[];
  readonly relationship?: string;
}

export const sObjectNames = [
  'Account',
  'Contact',
  'Lead',
  'Case',
  'Opportunity',
  'OpportunityContactRole',
  'Task',
  'User',
  'Patchcord_Call__c',
  'TaskStatus',
  'Organization',
] as const;
export type SObjectName = (typeof sObjectNames)[number];

export interface SObject {
  readonly prefix: string;
  readonly label: string;
  readonly writable: boolean;
  readonly fields: Readonly<Record<string, Field>>;
  /** Child rows that a subselect can name, e.g. `Contacts` of an Account. */
  readonly children?: Readonly<Record<string, { readonly object: SObjectName; readonly via: string }>>;
}

export type Schema = Readonly<Record<SObjectName, SObject>>;

export const system: Readonly<Record<string, Field>> = {
  Id: { type: 'id', write: 'never' },
  IsDeleted: { type: 'boolean', write: 'never', default: false },
  CreatedDate: { type: 'datetime', write: 'never' },
  CreatedById: { type: 'reference', write: 'never', to: ['User'], relationship: 'CreatedBy' },
  LastModifiedDate: { type: 'datetime', write: 'never' },
  LastModifiedById: { type: 'reference', write: 'never', to: ['User'], relationship: 'LastModifiedBy' },
  SystemModstamp: { type: 'datetime', write: 'never' },
};
export const owner: Field = { type: 'reference', to: ['User'], relationship: 'Owner' };
