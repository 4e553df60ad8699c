/** Owns the properties endpoints: reading them with their options and groups, making one, and changing what may be changed. */
import type { ObjectType, Property } from './properties.ts';
import { notFound, type Portal, Refusal } from './records.ts';
import { batchOf, inputsOf, invalid, notAllowed, objectOf, type RestCall, type RestResult } from './rest-call.ts';

/** `path` is what follows the object type. */
export function propertyCalls(
  portal: Portal,
): (call: RestCall, type: ObjectType, path: readonly string[]) => RestResult {
  function groupsOf(type: ObjectType): string[] {
    return [...new Set(portal.properties(type).map((property) => property.groupName))];
  }

  /** Label, description, group and options may change; what makes values unique may not. */
  function changed(type: ObjectType, name: string, body: Record<string, unknown>): RestResult {
    const before = portal.property(type, name);
    if (!before) throw notFound();
    if ('hasUniqueValue' in body && (body.hasUniqueValue === true) !== (before.hasUniqueValue === true))
      throw invalid('hasUniqueValue cannot be changed after the property was created');
    const { label, groupName, options } = body;
    const property = {
      ...before,
      ...(typeof label === 'string' ? { label } : {}),
      ...(typeof groupName === 'string' ? { groupName } : {}),
      ...(Array.isArray(options) ? { options: options as NonNullable<Property['options']> } : {}),
    };
    portal.addProperty(type, property);
    return { status: 200, body: property };
  }

  return (call, type, path) => {
    const [name] = path;
    if (name === 'groups')
      return {
        status: 200,
        body: { results: groupsOf(type).map((group) => ({ name: group, label: group, archived: false })) },
      };
    if (name === 'batch' && path[1] === 'read' && call.method === 'POST')
      return batchOf(inputsOf(call.body, 100), 200, (one) => {
        const property = portal.property(type, `${one.name}`);
        return property ? [property] : [];
      });
    if (call.method === 'GET') {
      if (name === undefined) return { status: 200, body: { results: portal.properties(type) } };
      const property = portal.property(type, name);
      if (!property) throw notFound();
      return { status: 200, body: property };
    }
    if (call.method === 'PATCH' && name !== undefined) return changed(type, name, objectOf(call.body));
    if (call.method !== 'POST' || name !== undefined) throw notAllowed();
    const body = objectOf(call.body);
    for (const key of ['name', 'label', 'type', 'fieldType', 'groupName'])
      if (typeof body[key] !== 'string' || body[key] === '') throw invalid(`A property needs "${key}"`);
    const property = { ...body, hasUniqueValue: body.hasUniqueValue === true } as unknown as Property;
    if (!/^[a-z][a-z0-9_]*$/.test(property.name)) throw invalid(`"${property.name}" is not a valid property name`);
    if (!groupsOf(type).includes(property.groupName))
      throw invalid(`Property group ${property.groupName} does not exist`);
    if (portal.property(type, property.name))
      throw new Refusal(
        409,
        `A property named '${property.name}' already exists.`,
        'OBJECT_ALREADY_EXISTS',
        [],
        'Properties.PROPERTY_EXISTS',
      );
    portal.addProperty(type, property);
    return { status: 201, body: property };
  };
}
