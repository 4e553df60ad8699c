/**
 * A metadata file as a tree that keeps the order of its elements, and the list of such files in a project. Reads only; judges nothing but
 * whether it is XML at all.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { XMLParser, XMLValidator } from 'fast-xml-parser';

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Its own text, trimmed. */
  readonly text: string;
}

/** What one check found: nothing wrong when `failures` is empty. */
export interface CheckResult {
  readonly name: string;
  /** Goes behind the name, also when all is well: how much was looked at. */
  readonly detail: string;
  /** One line each: the file, what is wrong, what to do. */
  readonly failures: readonly string[];
}

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  ignoreDeclaration: true,
});

/**
 * Parses one file.
 * @throws Error in words when it is not well-formed or has not exactly one root
 */
export function parseXml(text: string): XmlElement {
  const valid = XMLValidator.validate(text);
  if (valid !== true) throw new Error(`not well-formed: ${valid.err.msg} (line ${valid.err.line})`);
  const roots = elementsIn(parser.parse(text));
  const [root] = roots;
  if (root === undefined || roots.length > 1) throw new Error('not exactly one root element');
  return root;
}

export function parseXmlFile(path: string): XmlElement {
  return parseXml(readFileSync(path, 'utf8'));
}

/** Direct children of this name. */
export function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

/** Texts of the direct children of this name. */
export function textsOf(element: XmlElement, name: string): readonly string[] {
  return childrenOf(element, name).map((child) => child.text);
}

/** Text of the first direct child of this name; empty when there is none. */
export function textOf(element: XmlElement, name: string): string {
  return textsOf(element, name)[0] ?? '';
}

/** Every element of this name, however deep. */
export function deepOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.flatMap((child) => [...(child.name === name ? [child] : []), ...deepOf(child, name)]);
}

/** Every file below a folder, without `node_modules`; none when the folder is not there. */
export function filesBelow(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => !path.split(sep).includes('node_modules'))
      .sort();
  } catch {
    return [];
  }
}

/** The source that is deployed: everything below `force-app/main` that is no test of a component. */
export function sourceFiles(root: string): readonly string[] {
  return filesBelow(join(root, 'force-app', 'main')).filter(
    (path) => !path.split(sep).includes('__tests__') && !/^(jsconfig\.json|\..*)$/.test(basename(path)),
  );
}

export function metadataFiles(root: string): readonly string[] {
  return sourceFiles(root).filter((path) => path.endsWith('-meta.xml'));
}

/** A path as a failure names it. */
export function shown(root: string, path: string): string {
  return relative(root, path);
}

function elementsIn(nodes: unknown): readonly XmlElement[] {
  if (!Array.isArray(nodes)) return [];
  return nodes.flatMap((node: Readonly<Record<string, unknown>>) => {
    const name = Object.keys(node).find((key) => key !== ':@' && key !== '#text' && !key.startsWith('?'));
    if (name === undefined) return [];
    const inside: unknown = node[name];
    const text = Array.isArray(inside)
      ? inside.map((part: Readonly<Record<string, unknown>>) => String(part['#text'] ?? '')).join('')
      : '';
    const attributes = (node[':@'] ?? {}) as Readonly<Record<string, string>>;
    return [{ name, attributes, children: elementsIn(inside), text: text.trim() }];
  });
}
