/**
 * The built panel: a folder on disk, or files in memory (development, tests). Owns finding its entry and the type of each file; everything is
 * read once, so that a request never touches the disk and never leaves the folder. Must never build.
 */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { PatchcordError } from '@patchcord/call-protocol';

/** A folder as `npm run build` leaves it (a script for each CRM, their stylesheet, what a script loads later), or files by name. */
export type PanelSource = { readonly folder: string } | { readonly files: ReadonlyMap<string, Uint8Array> };

export interface Panel {
  /** CRM → name of its script. */
  readonly scripts: ReadonlyMap<string, string>;
  readonly styles: readonly string[];
  readonly files: ReadonlyMap<string, { readonly type: string; readonly body: Uint8Array }>;
}

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.map': 'application/json',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.wav': 'audio/wav',
  '.ogg': 'audio/ogg',
  '.mp3': 'audio/mpeg',
};

/** @throws PatchcordError `config.invalid` when there is no panel in it */
export async function loadPanel(source: PanelSource): Promise<Panel> {
  const files = new Map<string, { type: string; body: Uint8Array }>();
  const add = (name: string, body: Uint8Array): void => {
    files.set(name, { type: types[extname(name)] ?? 'application/octet-stream', body });
  };
  if ('files' in source) {
    for (const [name, body] of source.files) add(name, body);
  } else {
    try {
      for (const entry of await readdir(source.folder, { withFileTypes: true })) {
        if (entry.isFile()) add(entry.name, await readFile(join(source.folder, entry.name)));
      }
    } catch (cause) {
      throw new PatchcordError(
        'config.invalid',
        `The panel folder ${source.folder} cannot be read. Run "npm run build" first.`,
        {
          cause,
        },
      );
    }
  }
  const scripts = new Map<string, string>();
  for (const name of files.keys()) {
    const host = /^panel-([a-z]+)-[\w-]+\.js$/.exec(name)?.[1];
    if (host === undefined) continue;
    if (scripts.has(host)) throw notOnePanel(`two scripts for "${host}"`);
    scripts.set(host, name);
  }
  if (scripts.size === 0) throw notOnePanel('none');
  return { scripts, styles: [...files.keys()].filter((name) => name.endsWith('.css')).sort(), files };
}

function notOnePanel(found: string): PatchcordError {
  return new PatchcordError(
    'config.invalid',
    `The panel must have one script called panel-<crm>-<hash>.js for each CRM; there is ${found}. Empty the folder and build again.`,
  );
}
