/**
 * Rights that Salesforce gives only together with others ("Permission ViewSetup depends on permission(s): ViewRoles"): it refuses a permission
 * set that holds one without the other, and with it the whole deployment. Known ones only, from Salesforce's documentation and its own
 * refusals; an org may know more. Judges one permission set; reads no file.
 */
import { childrenOf, textOf, type XmlElement } from './metadata-xml.ts';

/** User permissions, by the names of the Metadata API. */
const userPermissions: Readonly<Record<string, readonly string[]>> = {
  AuthorApex: ['ViewSetup', 'ModifyAllData'],
  CustomizeApplication: ['ViewSetup'],
  EditReports: ['RunReports'],
  ManageUsers: ['ViewRoles'],
  ViewSetup: ['ViewRoles'],
};

/** What a right on an object takes on the same object. */
const sameObject: Readonly<Record<string, readonly string[]>> = {
  allowCreate: ['allowRead'],
  allowEdit: ['allowRead'],
  allowDelete: ['allowRead', 'allowEdit'],
  viewAllRecords: ['allowRead'],
  modifyAllRecords: ['allowRead', 'allowEdit', 'allowDelete', 'viewAllRecords'],
};

/** Objects that may be read only together with others. */
const readTogether: Readonly<Record<string, readonly string[]>> = {
  Contact: ['Account'],
  Opportunity: ['Account'],
};

/** What a permission set lacks of what its rights depend on, in words; empty when nothing. */
export function missingPermissions(set: XmlElement): readonly string[] {
  const granted = new Set(
    childrenOf(set, 'userPermissions')
      .filter((one) => textOf(one, 'enabled') === 'true')
      .map((one) => textOf(one, 'name')),
  );
  const objects = new Map(childrenOf(set, 'objectPermissions').map((one) => [textOf(one, 'object'), one] as const));
  const mayRead = (object: string): boolean => {
    const rights = objects.get(object);
    return rights !== undefined && textOf(rights, 'allowRead') === 'true';
  };
  return [
    ...[...granted].flatMap((name) =>
      (userPermissions[name] ?? [])
        .filter((needed) => !granted.has(needed))
        .map((needed) => `userPermissions: ${name} depends on ${needed}`),
    ),
    ...[...objects].flatMap(([object, rights]) => [
      ...Object.entries(sameObject).flatMap(([right, needs]) =>
        textOf(rights, right) === 'true'
          ? needs
              .filter((needed) => textOf(rights, needed) !== 'true')
              .map((needed) => `objectPermissions: ${right} on ${object} depends on ${needed}`)
          : [],
      ),
      ...(readTogether[object] ?? [])
        .filter((needed) => mayRead(object) && !mayRead(needed))
        .map((needed) => `objectPermissions: allowRead on ${object} depends on allowRead on ${needed}`),
    ]),
  ];
}
