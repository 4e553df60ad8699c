/**
 * What the project at hand brings into an org, by name: objects with their fields, classes, components, tabs, apps, report types. Reads the
 * source only; what an org brings itself (Contact, standard tabs) is none of its business.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { metadataFiles, parseXmlFile, textOf, textsOf, type XmlElement } from './metadata-xml.ts';

/** One metadata file. */
export interface SourceFile {
  readonly path: string;
  /** The component's name: the file's, without its endings. */
  readonly name: string;
  readonly xml: XmlElement;
}

export interface FieldFacts {
  readonly required: boolean;
  readonly formula: boolean;
}

export interface SourceInventory {
  readonly files: readonly SourceFile[];
  /** Every file of one metadata type, by its root element. */
  of(type: string): readonly SourceFile[];
  has(type: string, name: string): boolean;
  /** Custom fields of our custom objects, by object. */
  readonly fields: ReadonlyMap<string, ReadonlyMap<string, FieldFacts>>;
  /** Lightning components: folder of each bundle. */
  readonly components: ReadonlyMap<string, string>;
  /** Text of an Apex class; undefined when it is not ours. */
  apex(name: string): string | undefined;
}

/**
 * Reads the source of a project.
 * @param unreadable told about files that can't be parsed: the check of the types names them, nothing else may stumble over them
 */
export function readInventory(root: string, unreadable: (path: string) => void = () => {}): SourceInventory {
  const files = metadataFiles(root).flatMap((path): SourceFile[] => {
    try {
      return [{ path, name: nameOf(path), xml: parseXmlFile(path) }];
    } catch {
      unreadable(path);
      return [];
    }
  });
  const of = (type: string) => files.filter((file) => file.xml.name === type);
  const fields = new Map<string, Map<string, FieldFacts>>();
  for (const { name } of of('CustomObject')) if (name.endsWith('__c')) fields.set(name, new Map());
  for (const { path, name, xml } of of('CustomField'))
    fields.get(basename(dirname(dirname(path))))?.set(name, {
      required: textOf(xml, 'required') === 'true',
      formula: textsOf(xml, 'formula').length > 0,
    });
  const classes = new Map(of('ApexClass').map((file) => [file.name, file.path.replace(/-meta\.xml$/, '')]));
  return {
    files,
    of,
    has: (type, name) => of(type).some((file) => file.name === name),
    fields,
    components: new Map(of('LightningComponentBundle').map((file) => [file.name, dirname(file.path)])),
    apex: (name) => {
      const path = classes.get(name);
      return path === undefined || !existsSync(path) ? undefined : readFileSync(path, 'utf8');
    },
  };
}

/** The object a file below `objects/<object>/…` belongs to. */
export function objectOf(path: string): string {
  return basename(dirname(dirname(path)));
}

/** Where a report lies: `<folder>/<name>`. */
export function reportName(file: SourceFile): string {
  return join(basename(dirname(file.path)), file.name);
}

function nameOf(path: string): string {
  const file = basename(path, '-meta.xml');
  return file.slice(0, file.lastIndexOf('.'));
}
