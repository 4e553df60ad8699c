/**
 * What Lightning components import from the org and from each other, held against the source: Apex methods, message channels, objects and
 * fields, custom permissions, sister components. Text only: no component runs here.
 */
import { readFileSync } from 'node:fs';
import { filesBelow } from './metadata-xml.ts';
import type { SourceInventory } from './source-inventory.ts';

/** Imports of our components that lead nowhere. */
export function objectsOfLwc(source: SourceInventory): readonly (readonly [path: string, text: string])[] {
  const files = [...source.components.values()]
    .flatMap((folder) => filesBelow(folder))
    .filter((path) => path.endsWith('.js') && !path.includes('__tests__'));
  return files.flatMap((path) =>
    [...readFileSync(path, 'utf8').matchAll(/\bfrom\s+['"]([^'"]+)['"]/g)].flatMap(([, name = '']) => {
      const wrong = wrongImport(source, name);
      return wrong === undefined ? [] : [[path, wrong] as const];
    }),
  );
}

function wrongImport(source: SourceInventory, name: string): string | undefined {
  const [, kind, rest = ''] = /^@salesforce\/(apex|messageChannel|schema|customPermission)\/(.+)$/.exec(name) ?? [];
  if (kind === 'apex') return wrongMethod(source, rest);
  if (kind === 'messageChannel' && !source.has('LightningMessageChannel', rest.replace(/__c$/, '')))
    return `there is no message channel ${rest}`;
  if (kind === 'customPermission' && !source.has('CustomPermission', rest)) return `there is no permission ${rest}`;
  if (kind === 'schema') {
    const [object = '', field] = rest.split('.');
    const fields = source.fields.get(object);
    if (fields !== undefined && field?.endsWith('__c') && !fields.has(field)) return `${object} has no field ${field}`;
    if (fields === undefined && object.endsWith('__c')) return `there is no object ${object}`;
  }
  const sister = /^c\/(\w+)$/.exec(name)?.[1];
  if (sister !== undefined && !source.components.has(sister)) return `there is no component ${sister}`;
  return undefined;
}

function wrongMethod(source: SourceInventory, name: string): string | undefined {
  const [className = '', method = ''] = name.split('.');
  const text = source.apex(className);
  if (text === undefined) return `there is no Apex class ${className}`;
  const open = new RegExp(`@AuraEnabled\\b[^;{}]*\\bstatic\\b[^;{}]*\\b${method}\\s*\\(`, 'i');
  return open.test(text) ? undefined : `${className} has no @AuraEnabled static method ${method}`;
}
