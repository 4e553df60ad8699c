/**
 * What must be the same in several files, and what an installation replaces: the relay's address, the call centre in its two forms, the API
 * version. Whoever installs replaces one address; a second one left in the source would send somebody's agents to it.
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  type CheckResult,
  childrenOf,
  filesBelow,
  metadataFiles,
  parseXmlFile,
  shown,
  sourceFiles,
  textOf,
  type XmlElement,
} from './metadata-xml.ts';

/** The address in the source that an installation replaces by the relay's own. */
export const exampleAddress = 'https://phone.example.com';

const allowedAddress =
  /^https:\/\/phone\.example\.com(?![\w.-])|^http:\/\/soap\.sforce\.com\/|^http:\/\/www\.w3\.org\//;

/** Checks addresses, API versions and the two forms of the call centre in the project at `root`. */
export function checkAddresses(root: string): CheckResult {
  const files = [...sourceFiles(root), ...filesBelow(join(root, 'force-app', 'import'))].filter(
    (path) => !/Test\.cls$/.test(path) && !path.endsWith('.md'),
  );
  const failures = files.flatMap((path) =>
    (deployedText(path).match(/https?:\/\/[a-z0-9][^\s"'<>)\\]*/gi) ?? [])
      .filter((address) => !allowedAddress.test(address))
      .map((address) => `${shown(root, path)}: holds the address ${address}; only ${exampleAddress} may stand here`),
  );
  try {
    failures.push(...versions(root), ...callCenters(root));
  } catch (error) {
    failures.push(error instanceof Error ? error.message : String(error));
  }
  return { name: 'salesforce addresses', detail: `${files.length} files`, failures };
}

/** A file without its comments: an example in a comment goes nowhere. */
function deployedText(path: string): string {
  const text = readFileSync(path, 'utf8');
  return /\.(cls|js)$/.test(path) ? text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '') : text;
}

function versions(root: string): readonly string[] {
  const project: unknown = JSON.parse(readFileSync(join(root, 'sfdx-project.json'), 'utf8'));
  const expected = String((project as Readonly<Record<string, unknown>>).sourceApiVersion);
  return metadataFiles(root)
    .filter((path) => /\.(cls|js)-meta\.xml$/.test(path))
    .map((path) => [path, textOf(parseXmlFile(path), 'apiVersion')] as const)
    .filter(([, version]) => version !== expected)
    .map(([path, version]) => `${shown(root, path)}: apiVersion is "${version}", the project's is ${expected}`);
}

type Section = readonly [name: string, items: readonly (readonly [name: string, value: string])[]];

/** The deployed call centre and the file to import must say the same, by Salesforce's rules for such files. */
function callCenters(root: string): readonly string[] {
  const deployed = metadataFiles(root).filter((path) => path.endsWith('.callCenter-meta.xml'));
  const imported = filesBelow(join(root, 'force-app', 'import')).filter((path) => path.endsWith('-call-center.xml'));
  const [source] = deployed;
  const [file] = imported;
  if (source === undefined || file === undefined) return ['force-app: a call centre is missing in main or in import'];
  const failures: string[] = [];
  const definition = parseXmlFile(file);
  const metadata = parseXmlFile(source);
  const internalName = basename(source, '.callCenter-meta.xml');
  const own = new Map(importedSections(definition));
  const general = new Map(own.get('reqGeneralInfo') ?? []);
  if (general.get('reqInternalName') !== internalName)
    failures.push(`${shown(root, file)}: reqInternalName is not ${internalName}`);
  for (const [name, items] of deployedSections(metadata)) {
    const there = new Map(own.get(name) ?? []);
    for (const [item, value] of items)
      if (there.get(item) !== value) failures.push(`${shown(root, file)}: ${name}/${item} is not "${value}"`);
    if (!name.startsWith('req') && !/^[A-Za-z][A-Za-z0-9]{0,39}$/.test(name))
      failures.push(`${shown(root, source)}: section ${name} may have 40 letters and digits`);
    for (const [item] of items)
      if (!/^[A-Za-z][A-Za-z0-9]{0,39}$/.test(item) || (!name.startsWith('req') && item.startsWith('req')))
        failures.push(`${shown(root, source)}: ${name}/${item} is no name for an item`);
  }
  if (textOf(metadata, 'adapterUrl') !== general.get('reqAdapterUrl'))
    failures.push(`${shown(root, source)}: adapterUrl differs from reqAdapterUrl`);
  if (general.get('reqAdapterUrl')?.endsWith('/') !== true)
    failures.push(`${shown(root, file)}: reqAdapterUrl must end in "/", a redirect loses what Salesforce adds`);
  failures.push(...sortOrders(root, file, definition));
  return failures;
}

/** sortOrder begins at 0 and has no gaps, or the import is refused. */
function sortOrders(root: string, file: string, definition: XmlElement): readonly string[] {
  const sections = childrenOf(definition, 'section');
  const wrong = (elements: readonly XmlElement[]) =>
    elements.some((element, index) => element.attributes.sortOrder !== String(index));
  const bad = [sections, ...sections.map((section) => childrenOf(section, 'item'))].some(wrong);
  return bad ? [`${shown(root, file)}: sortOrder must count 0, 1, 2 … in each section`] : [];
}

function importedSections(definition: XmlElement): readonly Section[] {
  return childrenOf(definition, 'section').map((section) => [
    section.attributes.name ?? '',
    childrenOf(section, 'item').map((item) => [item.attributes.name ?? '', item.text] as const),
  ]);
}

function deployedSections(metadata: XmlElement): readonly Section[] {
  return childrenOf(metadata, 'sections').map((section) => [
    textOf(section, 'name'),
    childrenOf(section, 'items').map((item) => [textOf(item, 'name'), textOf(item, 'value')] as const),
  ]);
}
