/**
 * A project of two manifests that deletes from an org what the source brings: an empty one and a destructive one. It stands in a folder of its
 * own, so that whoever deploys it deletes nothing in the checkout. Writes files only; never starts anything.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiVersion } from './sf-cli.ts';
import { readInventory, reportName } from './source-inventory.ts';

export interface Removal {
  readonly folder: string;
  /** How many components the manifest names. */
  readonly components: number;
}

/** What the object takes along when it is deleted; naming it as well is refused (a layout) or pointless. */
const goneWithTheObject = new Set(['CustomField', 'ListView', 'CompactLayout', 'Layout']);

/**
 * Writes the project, over an earlier one.
 * @param root the checkout
 * @param beside where the folder `patchcord-removal` is made
 */
export function writeRemoval(root: string, beside: string): Removal {
  const folder = join(beside, 'patchcord-removal');
  mkdirSync(join(folder, 'force-app'), { recursive: true });
  const members = membersByType(root);
  const types = [...members].map(([type, names]) =>
    [
      '  <types>',
      ...names.map((name) => `    <members>${name}</members>`),
      `    <name>${type}</name>`,
      '  </types>',
    ].join('\n'),
  );
  writeFileSync(join(folder, 'destructiveChanges.xml'), manifest(types));
  writeFileSync(join(folder, 'package.xml'), manifest([]));
  const project = { packageDirectories: [{ path: 'force-app', default: true }], sourceApiVersion: apiVersion };
  writeFileSync(join(folder, 'sfdx-project.json'), `${JSON.stringify(project, null, 2)}\n`);
  return { folder, components: [...members.values()].flat().length };
}

/** Components of the source by metadata type, as a manifest names them. */
function membersByType(root: string): ReadonlyMap<string, readonly string[]> {
  const members = new Map<string, string[]>();
  for (const file of readInventory(root).files) {
    const type = file.xml.name === 'ReportFolder' ? 'Report' : file.xml.name;
    if (goneWithTheObject.has(type)) continue;
    const name = file.xml.name === 'Report' ? reportName(file) : file.name;
    members.set(type, [...(members.get(type) ?? []), name].sort());
  }
  return new Map([...members].sort(([one], [other]) => (one < other ? -1 : 1)));
}

function manifest(types: readonly string[]): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<Package xmlns="http://soap.sforce.com/2006/04/metadata">',
    ...types,
    `  <version>${apiVersion}</version>`,
    '</Package>',
    '',
  ].join('\n');
}
