/**
 * Owns what the emulated org knows about its objects: fields, lengths, what may be written, picklists, references.
 * Facts: the Salesforce contract, sections 1.7 (Task), 2.5 (our own object) and 3.4 (person accounts). Must never hold a record.
 */
import { type Field, owner, type Schema, type SObjectName, sObjectNames, system } from './field.ts';
import { callObject } from './schema-call.ts';
import { personAccountFields, personContactFields } from './schema-person.ts';

export type { Field, Schema, SObjectName } from './field.ts';
export { sObjectNames } from './field.ts';

/** What differs from org to org. */
export interface SchemaOptions {
  /** Accounts can be persons. Without it their fields do not exist, and naming one is INVALID_FIELD. */
  readonly personAccounts?: boolean;
  /** The Task status that counts as closed, e.g. `Erledigt`. Default `Completed`. */
  readonly closedStatus?: string;
}

const phone: Field = { type: 'phone', length: 40 };
const email: Field = { type: 'email', length: 80 };
const wish: Field = { type: 'boolean', default: false };
const line: Field = { type: 'string', length: 255 };
const text = (length: number): Field => ({ type: 'string', length });
const account: Field = { type: 'reference', to: ['Account'], relationship: 'Account' };
const contact: Field = { type: 'reference', to: ['Contact'], relationship: 'Contact' };

/** The statuses of a Task, in their order; the third is the closed one. */
export function taskStatuses(
  options: SchemaOptions = {},
): readonly { readonly name: string; readonly closed: boolean }[] {
  const closed = options.closedStatus ?? 'Completed';
  return ['Not Started', 'In Progress', closed, 'Waiting on someone else', 'Deferred'].map((name) => ({
    name,
    closed: name === closed,
  }));
}

/** The objects of one org. */
export function createSchema(options: SchemaOptions = {}): Schema {
  const persons = options.personAccounts === true;
  return {
    Account: {
      prefix: '001',
      label: 'Account',
      writable: true,
      fields: {
        ...system,
        // Salesforce composes the name of a person from its parts.
        Name: { ...line, required: true },
        Phone: phone,
        Fax: phone,
        Website: { type: 'url', length: 255 },
        Industry: { type: 'picklist', values: ['Education', 'Manufacturing', 'Retail', 'Transportation'] },
        BillingCity: text(40),
        BillingCountry: text(80),
        ...(persons ? personAccountFields : {}),
        OwnerId: owner,
      },
      children: {
        Contacts: { object: 'Contact', via: 'AccountId' },
        Cases: { object: 'Case', via: 'AccountId' },
        Opportunities: { object: 'Opportunity', via: 'AccountId' },
        Tasks: { object: 'Task', via: 'AccountId' },
      },
    },
    Contact: {
      prefix: '003',
      label: 'Contact',
      writable: true,
      fields: {
        ...system,
        Name: { type: 'string', length: 121, write: 'never' },
        FirstName: text(40),
        LastName: { ...text(80), required: true },
        Title: text(128),
        Email: email,
        Phone: phone,
        MobilePhone: phone,
        HomePhone: phone,
        OtherPhone: phone,
        AssistantPhone: phone,
        Fax: phone,
        DoNotCall: wish,
        MailingCity: text(40),
        MailingCountry: text(80),
        AccountId: account,
        ...(persons ? personContactFields : {}),
        OwnerId: owner,
      },
      children: {
        Cases: { object: 'Case', via: 'ContactId' },
        OpportunityContactRoles: { object: 'OpportunityContactRole', via: 'ContactId' },
        Tasks: { object: 'Task', via: 'WhoId' },
      },
    },
    Lead: {
      prefix: '00Q',
      label: 'Lead',
      writable: true,
      fields: {
        ...system,
        Name: { type: 'string', length: 121, write: 'never' },
        FirstName: text(40),
        LastName: { ...text(80), required: true },
        Company: { ...line, required: true },
        Title: text(128),
        Email: email,
        Phone: phone,
        MobilePhone: phone,
        Fax: phone,
        DoNotCall: wish,
        City: text(40),
        Country: text(80),
        Status: { type: 'picklist', values: ['Open - Not Contacted', 'Working'], default: 'Open - Not Contacted' },
        IsConverted: { type: 'boolean', write: 'never', default: false },
        ConvertedContactId: { ...contact, write: 'never', relationship: 'ConvertedContact' },
        ConvertedAccountId: { ...account, write: 'never', relationship: 'ConvertedAccount' },
        OwnerId: owner,
      },
      children: { Tasks: { object: 'Task', via: 'WhoId' } },
    },
    Case: {
      prefix: '500',
      label: 'Case',
      writable: true,
      fields: {
        ...system,
        CaseNumber: { type: 'string', length: 30, write: 'never' },
        Subject: line,
        Status: {
          type: 'picklist',
          values: ['New', 'Working', 'Waiting on Customer', 'Escalated', 'Closed'],
          default: 'New',
        },
        Priority: { type: 'picklist', values: ['High', 'Medium', 'Low'], default: 'Medium' },
        Origin: { type: 'picklist', values: ['Phone', 'Email', 'Web'] },
        Description: { type: 'textarea', length: 32_000 },
        ContactId: contact,
        AccountId: account,
        // Copies of the contact's numbers, which the API shows and a search in phone fields finds.
        ContactPhone: { ...phone, write: 'never' },
        ContactMobile: { ...phone, write: 'never' },
        SuppliedPhone: text(40),
        IsClosed: { type: 'boolean', write: 'never', default: false },
        ClosedDate: { type: 'datetime', write: 'never' },
        OwnerId: owner,
      },
      children: { Tasks: { object: 'Task', via: 'WhatId' } },
    },
    Opportunity: {
      prefix: '006',
      label: 'Opportunity',
      writable: true,
      fields: {
        ...system,
        Name: { ...text(120), required: true },
        StageName: {
          type: 'picklist',
          required: true,
          values: [
            'Prospecting',
            'Qualification',
            'Proposal/Price Quote',
            'Negotiation/Review',
            'Closed Won',
            'Closed Lost',
          ],
        },
        CloseDate: { type: 'date', required: true },
        Amount: { type: 'currency' },
        Probability: { type: 'double' },
        NextStep: line,
        Description: { type: 'textarea', length: 32_000 },
        AccountId: account,
        ContactId: { ...contact, write: 'create' },
        IsClosed: { type: 'boolean', write: 'never', default: false },
        IsWon: { type: 'boolean', write: 'never', default: false },
        OwnerId: owner,
      },
      children: {
        OpportunityContactRoles: { object: 'OpportunityContactRole', via: 'OpportunityId' },
        Tasks: { object: 'Task', via: 'WhatId' },
      },
    },
    OpportunityContactRole: {
      prefix: '00K',
      label: 'Opportunity Contact Role',
      writable: true,
      fields: {
        ...system,
        OpportunityId: {
          type: 'reference',
          to: ['Opportunity'],
          relationship: 'Opportunity',
          write: 'create',
          required: true,
        },
        ContactId: { ...contact, write: 'create', required: true },
        Role: { type: 'picklist', values: ['Business User', 'Decision Maker', 'Economic Buyer', 'Evaluator', 'Other'] },
        IsPrimary: { type: 'boolean', default: false },
      },
    },
    Task: {
      prefix: '00T',
      label: 'Task',
      writable: true,
      fields: {
        ...system,
        Subject: { type: 'combobox', length: 255, values: ['Call', 'Email', 'Send Quote', 'Other'] },
        Status: {
          type: 'picklist',
          required: true,
          default: 'Not Started',
          values: taskStatuses(options).map(({ name }) => name),
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
        WhatId: {
          type: 'reference',
          to: ['Account', 'Opportunity', 'Case', 'Patchcord_Call__c'],
          relationship: 'What',
        },
        AccountId: { ...account, write: 'never' },
        ActivityDate: { type: 'date' },
        Description: { type: 'textarea', length: 32_000 },
        IsClosed: { type: 'boolean', write: 'never', default: false },
        IsHighPriority: { type: 'boolean', write: 'never', default: false },
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
        Username: text(80),
        Name: text(121),
        FirstName: text(40),
        LastName: text(80),
        Alias: text(8),
        Title: text(80),
        Department: text(80),
        Email: { type: 'email', length: 128 },
        Phone: phone,
        MobilePhone: phone,
        Extension: phone,
        Fax: phone,
        IsActive: { type: 'boolean', default: true },
        UserType: {
          type: 'picklist',
          values: ['Standard', 'PowerPartner', 'Guest', 'AutomatedProcess'],
          default: 'Standard',
        },
        CallCenterId: { type: 'string', length: 18 },
        TimeZoneSidKey: { type: 'picklist', length: 40 },
        ManagerId: { type: 'reference', to: ['User'], relationship: 'Manager' },
      },
    },
    Patchcord_Call__c: callObject,
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
      fields: {
        Id: { type: 'id' },
        Name: line,
        InstanceName: line,
        IsSandbox: { type: 'boolean' },
        OrganizationType: line,
        TimeZoneSidKey: { type: 'picklist', length: 40 },
        DefaultLocaleSidKey: { type: 'picklist', length: 40 },
      },
    },
  };
}

/** Finds an object without minding the case, as Salesforce does. */
export function sObjectNamed(name: string): SObjectName | undefined {
  return sObjectNames.find((known) => known.toLowerCase() === name.toLowerCase());
}

/** Finds a field without minding the case; the answer carries the field's own spelling. */
export function fieldNamed(
  schema: Schema,
  object: SObjectName,
  name: string,
): { name: string; field: Field } | undefined {
  const fields = schema[object].fields;
  const exact = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (exact) return { name, field: exact };
  const found = Object.keys(fields).find((known) => known.toLowerCase() === name.toLowerCase());
  const field = found === undefined ? undefined : fields[found];
  return found !== undefined && field ? { name: found, field } : undefined;
}
