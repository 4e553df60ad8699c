/**
 * Owns the design system's files that the page asks for: its style sheet and its icons, read from the installed package. Must never serve
 * another file.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { HttpReply } from '../../http.ts';

const assets = join(
  dirname(createRequire(import.meta.url).resolve('@salesforce-ux/design-system/package.json')),
  'assets',
);

const files: Readonly<Record<string, { readonly path: string; readonly type: string }>> = {
  '/slds/slds.css': { path: 'styles/salesforce-lightning-design-system.min.css', type: 'text/css;charset=UTF-8' },
  '/slds/utility.svg': { path: 'icons/utility-sprite/svg/symbols.svg', type: 'image/svg+xml' },
  '/slds/standard.svg': { path: 'icons/standard-sprite/svg/symbols.svg', type: 'image/svg+xml' },
};

/** The reply for a file of the design system; null when the path names none. The browser may keep it: it changes with the package only. */
export async function designSystemFile(path: string): Promise<HttpReply | null> {
  const file = Object.hasOwn(files, path) ? files[path] : undefined;
  if (file === undefined) return null;
  const body = await readFile(join(assets, file.path));
  return { status: 200, headers: { 'content-type': file.type, 'cache-control': 'max-age=3600' }, body };
}
