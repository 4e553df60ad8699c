/**
 * Owns the fields of our own object, `Patchcord_Call__c`, as the deployed metadata gives them to an org. Must never know a record.
 */
import { type Field, owner, type SObject, system } from './field.ts';

const text = (length: number): Field => ({ type: 'string', length });
const long = (length: number): Field => ({ type: 'textarea', length });
const lookup = (to: NonNullable<Field['to']>[number], relationship: string): Field => ({
  type: 'reference',
  to: [to],
  relationship,
});

export const callObject: SObject = {
  prefix: 'a00',
  label: 'Patchcord Call',
  writable: true,
  fields: {
    ...system,
    Name: { type: 'string', length: 80, write: 'never' },
    Call_Key__c: { ...text(80), required: true, unique: true, externalId: true },
    Task_Id__c: text(18),
    Last_Written__c: long(32_768),
    Direction__c: text(40),
    From_Number__c: text(40),
    To_Number__c: text(40),
    Far_Side_Name__c: text(255),
    Started_At__c: { type: 'datetime' },
    Answered_At__c: { type: 'datetime' },
    Ended_At__c: { type: 'datetime' },
    Duration_Seconds__c: { type: 'double', precision: [18, 0] },
    Outcome__c: text(80),
    Disposition__c: text(255),
    Note__c: long(32_000),
    Sentiment__c: text(20),
    Summary__c: long(4_000),
    Action_Items__c: long(4_000),
    Phrases__c: long(8_000),
    Transferred_To__c: text(80),
    Conversation__c: text(255),
    Agent__c: lookup('User', 'Agent__r'),
    Contact__c: lookup('Contact', 'Contact__r'),
    Lead__c: lookup('Lead', 'Lead__r'),
    Account__c: lookup('Account', 'Account__r'),
    Opportunity__c: lookup('Opportunity', 'Opportunity__r'),
    Case__c: lookup('Case', 'Case__r'),
    Recording_Url__c: { type: 'url', length: 255 },
    Transcript__c: long(131_072),
    Quality_Mos__c: { type: 'double', precision: [3, 2] },
    OwnerId: owner,
  },
};
