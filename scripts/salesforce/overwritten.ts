/**
 * What a deployment into an org that has the source already sets back to the source's state, by name, so that an administrator knows before it
 * happens. Reads the copy only.
 */
import { basename } from 'node:path';
import { metadataFiles } from './metadata-xml.ts';

/** Folder or ending of a metadata file, and what Setup calls such things; only kinds that administrators change. */
const kinds: readonly (readonly [ending: string, words: string])[] = [
  ['object', 'object (label, history, search layouts; not its sharing)'],
  ['layout', 'page layout'],
  ['compactLayout', 'compact layout'],
  ['listView', 'list views'],
  ['reportType', 'report type'],
  ['report', 'reports'],
  ['permissionset', 'permission sets (rights; not who has them)'],
  ['callCenter', 'call centre (address and settings; not who is in it)'],
  ['app', 'apps'],
  ['flexipage', 'pages and utility bars'],
  ['cspTrustedSite', 'Trusted URL'],
];

/** One line for each kind of thing that is overwritten. */
export function overwrittenBy(folder: string): readonly string[] {
  const files = metadataFiles(folder).map((path) => basename(path, '-meta.xml'));
  const fields = files.filter((file) => file.endsWith('.field')).length;
  return [
    ...kinds.flatMap(([ending, words]) => {
      const names = files
        .filter((file) => file.endsWith(`.${ending}`))
        .map((file) => file.slice(0, -ending.length - 1).replace(/^Patchcord_Call__c-/, ''));
      return names.length === 0 ? [] : [`${words}: ${names.join(', ')}`];
    }),
    `the ${fields} fields of the object (label, help, length, history), Apex classes and components`,
  ];
}
