/**
 * Holds every metadata file against Salesforce's own types: unknown elements, values that no enumeration has, missing required ones, and
 * repeated elements that do not stand together (the Metadata API calls these "duplicated at this location"). Order is free otherwise.
 * Proves the shape; whether an org takes the content, only an org can say.
 */
import { basename } from 'node:path';
import sdr from '@salesforce/source-deploy-retrieve';
import { type MetadataSchema, readMetadataSchema } from './metadata-schema.ts';
import { type CheckResult, metadataFiles, parseXmlFile, shown, type XmlElement } from './metadata-xml.ts';

const namespace = 'http://soap.sforce.com/2006/04/metadata';

/** Elements whose content the declarations leave open, because it differs by the target it configures. */
const openElements = new Set(['LightningComponentBundle.targetConfigs']);

/** Checks every `*-meta.xml` below `force-app/main` of the project at `root`. */
export function checkMetadataTypes(root: string): CheckResult {
  const schema = readMetadataSchema();
  const files = metadataFiles(root);
  const failures = files.flatMap((path) => failuresOf(schema, path).map((text) => `${shown(root, path)}: ${text}`));
  if (files.length === 0) failures.push('force-app/main: no metadata found');
  return { name: 'salesforce metadata', detail: `${files.length} files against the official types`, failures };
}

function failuresOf(schema: MetadataSchema, path: string): readonly string[] {
  const file = basename(path, '-meta.xml');
  const type = typeOf(file.split('.').at(-1) ?? '');
  if (type === undefined) return ['no metadata type has this ending'];
  try {
    const root = parseXmlFile(path);
    if (root.name !== type) return [`the root element is ${root.name}, this file must hold a ${type}`];
    const failures = [...judged(schema, type, root, type)];
    if (root.attributes.xmlns !== namespace) failures.push(`xmlns is not ${namespace}`);
    const fullName = root.children.find((child) => child.name === 'fullName')?.text;
    const expected = file.slice(0, file.lastIndexOf('.'));
    if (fullName !== undefined && fullName !== expected)
      failures.push(`fullName is "${fullName}", the file says "${expected}"`);
    return failures;
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

function judged(schema: MetadataSchema, type: string, element: XmlElement, where: string): readonly string[] {
  const fields = schema.fieldsOf(type);
  if (fields === undefined) return judgedValue(schema, type, element, where);
  const failures: string[] = [];
  const seen = new Set<string>();
  let previous = '';
  for (const child of element.children) {
    const field = fields.get(child.name);
    const at = `${where}.${child.name}`;
    if (field === undefined) failures.push(`${at}: ${type} has no such element`);
    else {
      if (seen.has(child.name) && !field.repeatable) failures.push(`${at}: stands twice, it may stand once`);
      if (seen.has(child.name) && field.repeatable && previous !== child.name)
        failures.push(`${at}: the elements of this name do not stand together; put them side by side`);
      if (!openElements.has(at)) failures.push(...judged(schema, field.type, child, at));
    }
    seen.add(child.name);
    previous = child.name;
  }
  for (const [name, field] of fields)
    if (field.required && !seen.has(name)) failures.push(`${where}: ${name} is missing, ${type} requires it`);
  return failures;
}

function judgedValue(schema: MetadataSchema, type: string, element: XmlElement, where: string): readonly string[] {
  if (element.children.length > 0) return [`${where}: holds elements, it must hold a ${type}`];
  const allowed = schema.valuesOf(type);
  if (allowed !== undefined && !allowed.has(element.text))
    return [`${where}: "${element.text}" is none of ${[...allowed].slice(0, 12).join(', ')}`];
  if (type === 'boolean' && !/^(true|false)$/.test(element.text)) return [`${where}: "${element.text}" is no boolean`];
  if (type === 'number' && !/^-?\d+(\.\d+)?$/.test(element.text)) return [`${where}: "${element.text}" is no number`];
  return [];
}

let suffixes: ReadonlyMap<string, string> | undefined;

/** The metadata type of a file's ending, by Salesforce's own registry. */
function typeOf(suffix: string): string | undefined {
  if (suffixes === undefined) {
    const types = Object.values(sdr.registry.types);
    const all = [...types, ...types.flatMap((type) => Object.values(type.children?.types ?? {}))];
    suffixes = new Map([
      ...all.flatMap((type): [string, string][] => (type.suffix === undefined ? [] : [[type.suffix, type.name]])),
      ['js', 'LightningComponentBundle'],
    ]);
  }
  return suffixes.get(suffix);
}
