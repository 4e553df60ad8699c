/** A copy of the Salesforce source in a folder of its own, to be broken: the checks must notice. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export interface SourceCopy {
  readonly root: string;
  /** Replaces text in one file; throws when the text is not there. */
  replace(file: string, from: string | RegExp, to: string): void;
  /** Writes a file that was not there. */
  write(file: string, text: string): void;
  remove(): void;
}

/** Below `force-app/main/default`. */
export function copySource(): SourceCopy {
  const root = mkdtempSync(join(tmpdir(), 'patchcord-source-'));
  const here = resolve(import.meta.dirname, '../../..');
  for (const part of ['force-app', 'sfdx-project.json', '.forceignore'])
    cpSync(join(here, part), join(root, part), {
      recursive: true,
      filter: (path) => !path.includes('node_modules') && !path.includes('__tests__'),
    });
  symlinkSync(join(here, 'node_modules'), join(root, 'node_modules'));
  const at = (file: string) => join(root, 'force-app/main/default', file);
  return {
    root,
    replace(file, from, to) {
      const text = readFileSync(at(file), 'utf8');
      const changed = text.replace(from, to);
      if (changed === text) throw new Error(`${file} does not hold ${from}`);
      writeFileSync(at(file), changed);
    },
    write: (file, text) => writeFileSync(at(file), text),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
