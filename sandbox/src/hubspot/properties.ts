/**
 * Owns what the emulated portal knows about contacts, companies, deals, tickets and calls: properties, their types and options, which are
 * unique, and which HubSpot calculates. Facts: the HubSpot contract, sections 2.1 and 2.4. Must never hold a record.
 */

export const objectTypes = ['contacts', 'companies', 'deals', 'tickets', 'calls'] as const;
export type ObjectType = (typeof objectTypes)[number];

/** HubSpot's numbers for them, as host messages and paths carry them. */
export const objectTypeIds: Readonly<Record<ObjectType, string>> = {
  contacts: '0-1',
  companies: '0-2',
  deals: '0-3',
  tickets: '0-5',
  calls: '0-48',
};

export interface Property {
  readonly name: string;
  readonly label: string;
  readonly type: 'string' | 'number' | 'enumeration' | 'datetime' | 'phone_number' | 'bool';
  readonly fieldType: string;
  readonly groupName: string;
  readonly options?: readonly { readonly label: string; readonly value: string }[];
  readonly hasUniqueValue?: boolean;
  readonly calculated?: boolean;
}

/** The documented outcomes of a new account, by their documented ids. */
export const dispositions = [
  { label: 'Busy', value: '9d9162e7-6cf3-4944-bf63-4dff82258764' },
  { label: 'Connected', value: 'f240bbac-87c9-4f6e-bf70-924b57d47db7' },
  { label: 'Left live message', value: 'a4c4c377-d246-4b32-a13b-75a56a4cd0ff' },
  { label: 'Left voicemail', value: 'b2cf5968-551e-4856-9783-52b3da59a7d0' },
  { label: 'No answer', value: '73a0d17f-1163-4015-bdd5-ec830791da20' },
  { label: 'Wrong number', value: '17b47fee-58de-441e-a44c-c6300d46f273' },
] as const;

const options = (...values: string[]): NonNullable<Property['options']> =>
  values.map((value) => ({ label: value, value }));
const plain = (groupName: string, ...names: string[]): Property[] =>
  names.map((name) => ({ name, label: name, type: 'string', fieldType: 'text', groupName }));
const calculated = (groupName: string, ...names: string[]): Property[] =>
  names.map((name) => ({
    name,
    label: name,
    type: 'string',
    fieldType: 'calculation_equation',
    groupName,
    calculated: true,
  }));
const phone = (groupName: string, name: string): Property => ({
  name,
  label: name,
  type: 'string',
  fieldType: 'phonenumber',
  groupName,
});
const systemOf = (groupName: string): Property[] =>
  calculated(groupName, 'hs_object_id', 'createdate', 'lastmodifieddate', 'hs_createdate', 'hs_lastmodifieddate');

const contact = 'contactinformation';
const company = 'companyinformation';
const deal = 'dealinformation';
const ticket = 'ticketinformation';
const call = 'call_information';

export const phoneCalculations = [
  'hs_searchable_calculated_phone_number',
  'hs_searchable_calculated_mobile_number',
  'hs_searchable_calculated_international_phone_number',
  'hs_searchable_calculated_international_mobile_number',
  'hs_calculated_phone_number',
  'hs_calculated_mobile_number',
  'hs_calculated_phone_number_country_code',
  'hs_calculated_phone_number_region_code',
  'hs_calculated_phone_number_area_code',
] as const;

/** A new portal's properties. Calls start without a unique one: that is what an app has to create. */
export function standardProperties(): Record<ObjectType, Map<string, Property>> {
  const byName = (list: readonly Property[]): Map<string, Property> => new Map(list.map((one) => [one.name, one]));
  return {
    contacts: byName([
      ...systemOf(contact),
      ...plain(
        contact,
        'firstname',
        'lastname',
        'jobtitle',
        'company',
        'city',
        'country',
        'hs_country_region_code',
        'hubspot_owner_id',
        'lifecyclestage',
        'hs_lead_status',
        'associatedcompanyid',
      ),
      { name: 'email', label: 'Email', type: 'string', fieldType: 'text', groupName: contact, hasUniqueValue: true },
      phone(contact, 'phone'),
      phone(contact, 'mobilephone'),
      phone(contact, 'fax'),
      ...calculated(contact, ...phoneCalculations),
    ]),
    companies: byName([
      ...systemOf(company),
      ...plain(company, 'name', 'domain', 'city', 'country', 'industry', 'hubspot_owner_id'),
      phone(company, 'phone'),
    ]),
    deals: byName([
      ...systemOf(deal),
      ...plain(deal, 'dealname', 'pipeline', 'dealstage', 'hubspot_owner_id', 'description'),
      { name: 'amount', label: 'Amount', type: 'number', fieldType: 'number', groupName: deal },
      { name: 'closedate', label: 'Close date', type: 'datetime', fieldType: 'date', groupName: deal },
      ...calculated(deal, 'hs_is_closed'),
    ]),
    tickets: byName([
      ...systemOf(ticket),
      ...plain(ticket, 'subject', 'content', 'hs_pipeline', 'hs_pipeline_stage', 'hubspot_owner_id'),
      {
        name: 'hs_ticket_priority',
        label: 'Priority',
        type: 'enumeration',
        fieldType: 'select',
        groupName: ticket,
        options: options('LOW', 'MEDIUM', 'HIGH', 'URGENT'),
      },
      ...calculated(ticket, 'hs_is_closed'),
    ]),
    calls: byName([
      ...systemOf(call),
      ...plain(
        call,
        'hs_call_title',
        'hs_call_body',
        'hs_call_from_number',
        'hs_call_to_number',
        'hubspot_owner_id',
        'hs_call_app_id',
        'hs_call_external_id',
        'hs_call_external_account_id',
        'hs_call_recording_url',
        'hs_call_callee_object_id',
        'hs_call_callee_object_type',
        'hs_activity_type',
        'hs_attachment_ids',
        'hs_call_summary',
        'hs_body_preview',
      ),
      { name: 'hs_timestamp', label: 'Activity date', type: 'datetime', fieldType: 'date', groupName: call },
      { name: 'hs_call_duration', label: 'Call duration', type: 'number', fieldType: 'number', groupName: call },
      {
        name: 'hs_call_direction',
        label: 'Call direction',
        type: 'enumeration',
        fieldType: 'select',
        groupName: call,
        options: options('INBOUND', 'OUTBOUND'),
      },
      {
        name: 'hs_call_status',
        label: 'Call status',
        type: 'enumeration',
        fieldType: 'select',
        groupName: call,
        options: options(
          'BUSY',
          'CALLING_CRM_USER',
          'CANCELED',
          'COMPLETED',
          'CONNECTING',
          'FAILED',
          'HOLD',
          'IN_PROGRESS',
          'MISSED',
          'NO_ANSWER',
          'QUEUED',
          'RINGING',
          'UNKNOWN',
        ),
      },
      {
        name: 'hs_call_disposition',
        label: 'Call outcome',
        type: 'enumeration',
        fieldType: 'select',
        groupName: call,
        options: dispositions,
      },
      {
        name: 'hs_call_source',
        label: 'Call source',
        type: 'enumeration',
        fieldType: 'select',
        groupName: call,
        options: options('INTEGRATIONS_PLATFORM'),
      },
    ]),
  };
}
