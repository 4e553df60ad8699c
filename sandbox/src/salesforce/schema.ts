/**
 * Owns what the emulated org knows about its objects: fields, lengths, what may be written, picklists, references.
 * Facts: the Salesforce contract, section 1.7 (Task) and 2.5 (our own object). Must never hold a record.
 */

export type FieldType =
  | 'id'
  | 'string'
  | 'phone'
  | 'textarea'
  | 'picklist'
  | 'int'
  | 'double'
  | 'boolean'
  | 'date'
  | 'datetime'
  | 'reference';

export interface Field {
  readonly type: FieldType;
  readonly length?: number;
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
}

const system: Readonly<Record<string, Field>> = {
  Id: { type: 'id', write: 'never' },
  IsDeleted: { type: 'boolean', write: 'never', default: false },
  CreatedDate: { type: 'datetime', write: 'never' },
  CreatedById: { type: 'reference', write: 'never', to: ['User'], relationship: 'CreatedBy' },
  LastModifiedDate: { type: 'datetime', write: 'never' },
  SystemModstamp: { type: 'datetime', write: 'never' },
};
const owner: Field = { type: 'reference', to: ['User'], relationship: 'Owner' };
const phone: Field = { type: 'phone', length: 40 };
const line: Field = { type: 'string', length: 255 };

export const schema: Readonly<Record<SObjectName, SObject>> = {
  Account: {
    prefix: '001',
    label: 'Account',
    writable: true,
    fields: {
      ...system,
      Name: { ...line, required: true },
      Phone: phone,
      Fax: phone,
      Website: line,
      BillingCity: line,
      BillingCountry: line,
      OwnerId: owner,
    },
  },
  Contact: {
    prefix: '003',
    label: 'Contact',
    writable: true,
    fields: {
      ...system,
      Name: { type: 'string', length: 121, write: 'never' },
      FirstName: { type: 'string', length: 40 },
      LastName: { type: 'string', length: 80, required: true },
      Title: { type: 'string', length: 128 },
      Email: { type: 'string', length: 80 },
      Phone: phone,
      MobilePhone: phone,
      HomePhone: phone,
      OtherPhone: phone,
      AssistantPhone: phone,
      Fax: phone,
      MailingCity: { type: 'string', length: 40 },
      MailingCountry: { type: 'string', length: 80 },
      AccountId: { type: 'reference', to: ['Account'], relationship: 'Account' },
      OwnerId: owner,
    },
  },
  Lead: {
    prefix: '00Q',
    label: 'Lead',
    writable: true,
    fields: {
      ...system,
      Name: { type: 'string', length: 121, write: 'never' },
      FirstName: { type: 'string', length: 40 },
      LastName: { type: 'string', length: 80, required: true },
      Company: { ...line, required: true },
      Title: { type: 'string', length: 128 },
      Email: { type: 'string', length: 80 },
      Phone: phone,
      MobilePhone: phone,
      Fax: phone,
      City: { type: 'string', length: 40 },
      Country: { type: 'string', length: 80 },
      Status: { type: 'picklist', values: ['Open - Not Contacted', 'Working'], default: 'Open - Not Contacted' },
      IsConverted: { type: 'boolean', write: 'never', default: false },
      OwnerId: owner,
    },
  },
  Task: {
    prefix: '00T',
    label: 'Task',
    writable: true,
    fields: {
      ...system,
      Subject: line,
      Status: {
        type: 'picklist',
        required: true,
        default: 'Not Started',
        values: ['Not Started', 'In Progress', 'Completed', 'Waiting on someone else', 'Deferred'],
      },
      Priority: { type: 'picklist', required: true, default: 'Normal', values: ['High', 'Normal', 'Low'] },
      TaskSubtype: {
        type: 'picklist',
        restricted: true,
        write: 'create',
        default: 'Task',
        values: ['Task', 'Email', 'LinkedIn', 'ListEmail', 'Cadence', 'Call'],
      },
      Type: { type: 'picklist', values: ['Call', 'Email', 'Meeting', 'Other'] },
      CallType: { type: 'picklist', restricted: true, values: ['Inbound', 'Internal', 'Outbound'] },
      CallDurationInSeconds: { type: 'int' },
      CallDisposition: line,
      CallObject: line,
      WhoId: { type: 'reference', to: ['Contact', 'Lead'], relationship: 'Who' },
      WhatId: { type: 'reference', to: ['Account', 'Patchcord_Call__c'], relationship: 'What' },
      AccountId: { type: 'reference', write: 'never', to: ['Account'], relationship: 'Account' },
      ActivityDate: { type: 'date' },
      Description: { type: 'textarea', length: 32000 },
      IsClosed: { type: 'boolean', write: 'never', default: false },
      CompletedDateTime: { type: 'datetime', write: 'never' },
      OwnerId: owner,
    },
  },
  User: {
    prefix: '005',
    label: 'User',
    writable: false,
    fields: {
      ...system,
      Username: { type: 'string', length: 80 },
      Name: { type: 'string', length: 121 },
      FirstName: { type: 'string', length: 40 },
      LastName: { type: 'string', length: 80 },
      Email: { type: 'string', length: 128 },
      IsActive: { type: 'boolean', default: true },
      CallCenterId: { type: 'string', length: 18 },
      TimeZoneSidKey: { type: 'string', length: 40 },
    },
  },
  Patchcord_Call__c: {
    prefix: 'a00',
    label: 'Patchcord Call',
    writable: true,
    fields: {
      ...system,
      Name: { type: 'string', length: 80, write: 'never' },
      Call_Key__c: { type: 'string', length: 80, required: true, unique: true, externalId: true },
      Task_Id__c: { type: 'string', length: 18 },
      Direction__c: { type: 'string', length: 40 },
      From_Number__c: { type: 'string', length: 40 },
      To_Number__c: { type: 'string', length: 40 },
      Started_At__c: { type: 'datetime' },
      Ended_At__c: { type: 'datetime' },
      Duration_Seconds__c: { type: 'double' },
      Outcome__c: { type: 'string', length: 80 },
      Last_Written__c: { type: 'textarea', length: 32768 },
      Recording_Url__c: { type: 'string', length: 255 },
      Transcript__c: { type: 'textarea', length: 131072 },
      OwnerId: owner,
    },
  },
  TaskStatus: {
    prefix: '01J',
    label: 'Task Status Value',
    writable: false,
    fields: {
      Id: { type: 'id' },
      ApiName: line,
      MasterLabel: line,
      IsClosed: { type: 'boolean' },
      IsDefault: { type: 'boolean' },
      SortOrder: { type: 'int' },
    },
  },
  Organization: {
    prefix: '00D',
    label: 'Organization',
    writable: false,
    fields: { Id: { type: 'id' }, Name: line, InstanceName: line, IsSandbox: { type: 'boolean' } },
  },
};

/** Finds an object without minding the case, as Salesforce does. */
export function sObjectNamed(name: string): SObjectName | undefined {
  return sObjectNames.find((known) => known.toLowerCase() === name.toLowerCase());
}

/** Finds a field without minding the case; the answer carries the field's own spelling. */
export function fieldNamed(object: SObjectName, name: string): { name: string; field: Field } | undefined {
  const fields = schema[object].fields;
  const exact = fields[name];
  if (exact) return { name, field: exact };
  const found = Object.keys(fields).find((known) => known.toLowerCase() === name.toLowerCase());
  const field = found === undefined ? undefined : fields[found];
  return found !== undefined && field ? { name: found, field } : undefined;
}
