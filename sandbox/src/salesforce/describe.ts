/**
 * Owns what the emulated org says of itself: the list of objects and the description of each, as the asking user may know it. Must never name
 * a field that the user may not read.
 */
import type { OrgView } from './access.ts';
import type { Field, Schema, SObjectName } from './field.ts';
import { notFound } from './refusal.ts';
import { sObjectNames } from './schema.ts';

/** `GET /sobjects`: the objects this user may read. */
export function describeGlobal(view: OrgView, schema: Schema, base: string): unknown {
  const sobjects = sObjectNames
    .filter((object) => view.mayObject(object, 'read'))
    .map((object) => ({
      ...rightsOn(view, schema, object),
      name: object,
      label: schema[object].label,
      keyPrefix: schema[object].prefix,
      custom: object.endsWith('__c'),
      urls: { sobject: `${base}/sobjects/${object}`, describe: `${base}/sobjects/${object}/describe` },
    }));
  return { encoding: 'UTF-8', maxBatchSize: 200, sobjects };
}

/** `GET /sobjects/X/describe`. Throws a Refusal: an object without the right to read it does not exist. */
export function describeObject(view: OrgView, schema: Schema, object: SObjectName): unknown {
  if (!view.mayObject(object, 'read')) throw notFound();
  const { label, prefix } = schema[object];
  const rights = rightsOn(view, schema, object);
  return {
    ...rights,
    name: object,
    label,
    keyPrefix: prefix,
    custom: object.endsWith('__c'),
    recordTypeInfos: [],
    childRelationships: Object.entries(schema[object].children ?? {}).map(([relationshipName, child]) => ({
      childSObject: child.object,
      field: child.via,
      relationshipName,
    })),
    fields: Object.entries(view.fields(object)).map(([name, field]) => ({
      ...shapeOf(name, field),
      createable: rights.createable && field.write !== 'never' && view.mayField(object, name, 'create'),
      updateable: rights.updateable && field.write === undefined && view.mayField(object, name, 'edit'),
    })),
  };
}

function rightsOn(view: OrgView, schema: Schema, object: SObjectName) {
  const { writable } = schema[object];
  return {
    createable: writable && view.mayObject(object, 'create'),
    updateable: writable && view.mayObject(object, 'edit'),
    deletable: writable && view.mayObject(object, 'delete'),
    queryable: true,
    searchable: !['TaskStatus', 'Organization', 'OpportunityContactRole'].includes(object),
  };
}

function shapeOf(name: string, field: Field): Record<string, unknown> {
  const [digits, decimals] = field.precision ?? [0, 0];
  return {
    name,
    label: name.replace(/__c$/, '').replaceAll('_', ' '),
    custom: name.endsWith('__c'),
    type: field.type,
    length: field.length ?? (field.type === 'reference' || field.type === 'id' ? 18 : 0),
    precision: digits,
    scale: decimals,
    nillable: !field.required && field.type !== 'boolean' && field.type !== 'id',
    defaultedOnCreate: field.default !== undefined || name === 'OwnerId',
    unique: field.unique ?? false,
    externalId: field.externalId ?? false,
    filterable: !(field.type === 'textarea' && (field.length ?? 0) > 255),
    restrictedPicklist: field.restricted ?? false,
    relationshipName: field.relationship ?? null,
    referenceTo: field.to ?? [],
    picklistValues: (field.values ?? []).map((value) => ({
      value,
      label: value,
      active: true,
      defaultValue: value === field.default,
      validFor: null,
    })),
  };
}
