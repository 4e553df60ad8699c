/**
 * Where recordings lie: `<folder>/<two digits>/<name>.rec`, `.part` while one is being written. Owns names, and taking files away. Must never touch
 * a file that does not carry such a name.
 */
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

const ownName = /^([0-9a-f]{32})\.(rec|part)$/;
/** Asked of the store in one go. */
const atOnce = 500;

/** Where the configuration has them. */
export function recordingFolder(config: {
  readonly dataDir: string;
  readonly recordings: { readonly folder?: string | undefined };
}): string {
  return config.recordings.folder ?? join(config.dataDir, 'recordings');
}

export function pathOf(folder: string, file: string, kind: 'rec' | 'part' = 'rec'): string {
  return join(folder, file.slice(0, 2), `${file}.${kind}`);
}

/** Makes room for a file that is about to be written; nobody else on this machine reads there. */
export async function makeRoom(folder: string, file: string): Promise<void> {
  await mkdir(join(folder, file.slice(0, 2)), { recursive: true, mode: 0o700 });
}

/** From here on the file is whole, also after a power cut: its bytes were synced, now its name is. */
export async function finish(folder: string, file: string): Promise<void> {
  await rename(pathOf(folder, file, 'part'), pathOf(folder, file));
  const parent = await open(join(folder, file.slice(0, 2)), 'r');
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}

/** Takes files away; one that is gone is no failure. */
export async function removeFiles(folder: string, files: readonly string[]): Promise<void> {
  for (const file of files) await rm(pathOf(folder, file), { force: true });
}

/**
 * Takes away what no recording has: files of calls that were forgotten, and what a crash left half written.
 * @param before Younger ones may be under way; epoch ms
 * @returns how many
 */
export async function sweepFiles(
  folder: string,
  known: (files: readonly string[]) => Promise<ReadonlySet<string>>,
  before: number,
): Promise<number> {
  let gone = 0;
  for (const part of await namesIn(folder)) {
    if (!/^[0-9a-f]{2}$/.test(part)) continue;
    const names = (await namesIn(join(folder, part))).flatMap((name) => {
      const match = ownName.exec(name);
      return match?.[1] === undefined ? [] : [{ name, file: match[1], whole: match[2] === 'rec' }];
    });
    for (let from = 0; from < names.length; from += atOnce) {
      const page = names.slice(from, from + atOnce);
      const kept = await known(page.flatMap(({ file, whole }) => (whole ? [file] : [])));
      for (const { name, file, whole } of page) {
        if (whole && kept.has(file)) continue;
        const path = join(folder, part, name);
        const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
        if (mtimeMs >= before) continue;
        await rm(path, { force: true });
        gone += 1;
      }
    }
  }
  return gone;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return [];
    throw error;
  }
}
