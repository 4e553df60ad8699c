/**
 * Owns the fields that exist only where an org has person accounts (the Salesforce contract, section 3.4), and which field of the account is
 * which field of the contact behind it. Must never appear in an org without them: there, naming one is INVALID_FIELD.
 */
import type { Field } from './field.ts';

const phone: Field = { type: 'phone', length: 40 };
const text = (length: number): Field => ({ type: 'string', length });

export const personAccountFields: Readonly<Record<string, Field>> = {
  IsPersonAccount: { type: 'boolean', write: 'never', default: false },
  PersonContactId: { type: 'reference', write: 'never', to: ['Contact'], relationship: 'PersonContact' },
  FirstName: text(40),
  LastName: text(80),
  PersonTitle: text(80),
  PersonEmail: { type: 'email', length: 80 },
  PersonMobilePhone: phone,
  PersonHomePhone: phone,
  PersonOtherPhone: phone,
  PersonAssistantPhone: phone,
  PersonDoNotCall: { type: 'boolean', default: false },
};

export const personContactFields: Readonly<Record<string, Field>> = {
  IsPersonAccount: { type: 'boolean', write: 'never', default: false },
};

/** The contact's field, and the account's field it is a copy of. */
export const personTwins: readonly (readonly [contact: string, account: string])[] = [
  ['FirstName', 'FirstName'],
  ['LastName', 'LastName'],
  ['Title', 'PersonTitle'],
  ['Email', 'PersonEmail'],
  ['Phone', 'Phone'],
  ['Fax', 'Fax'],
  ['MobilePhone', 'PersonMobilePhone'],
  ['HomePhone', 'PersonHomePhone'],
  ['OtherPhone', 'PersonOtherPhone'],
  ['AssistantPhone', 'PersonAssistantPhone'],
  ['DoNotCall', 'PersonDoNotCall'],
  ['OwnerId', 'OwnerId'],
];
