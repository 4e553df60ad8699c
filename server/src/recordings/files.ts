/**
 * Where recordings lie: `<folder>/<two digits>/<name>.rec`, `.part` while one is being written. Owns names, whose folder it is, and taking files
 * away. Must never touch a file that does not carry such a name, nor sweep a folder of another database: sound that is gone is gone.
 */
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const ownName = /^([0-9a-f]{32})\.(rec|part)$/;
const shelfName = /^[0-9a-f]{2}$/;
/** Holds the id of the database whose recordings lie here. */
export const ownerMark = 'patchcord-database';
/** An operator puts it there: the next sweep takes away what is unknown, however much that is. */
export const sweepOrder = 'delete-unknown';
/** Fewer files without a recording are what calls leave that were forgotten. */
const fewUnknown = 20;
/** Unknown files that one sweep looks at; the next goes on. */
const mostUnknown = 10_000;
/** Asked of the store in one go. */
const atOnce = 500;

/** Where the configuration has them. */
export function recordingFolder(config: {
  readonly dataDir: string;
  readonly recordings: { readonly folder?: string | undefined };
}): string {
  return config.recordings.folder ?? join(config.dataDir, 'recordings');
}

/** Voicemails lie in the same place, apart: a relay that does not know of them sweeps recordings alone. */
export function voicemailFolder(config: Parameters<typeof recordingFolder>[0]): string {
  return join(recordingFolder(config), 'voicemails');
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

/** Which of these files a recording has. */
export type KnownFiles = (files: readonly string[]) => Promise<ReadonlySet<string>>;

/**
 * Whether this database's recordings lie here. A folder that says nothing becomes this database's, unless most files in it are strangers: a relay
 * with another DATABASE_URL has come by before the one whose they are.
 * @returns null where there is no folder (yet)
 */
export async function isFolderOf(folder: string, database: string, known: KnownFiles): Promise<boolean | null> {
  const owner = await readOwner(folder);
  if (owner !== null) return owner === database;
  let whole = 0;
  let ours = 0;
  for await (const page of shelves(folder)) {
    const files = page.flatMap((one) => (one.whole ? [one.file] : []));
    whole += files.length;
    ours += (await known(files)).size;
  }
  if (ours * 2 < whole) return false;
  try {
    await writeFile(join(folder, ownerMark), `${database}\n`, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENOENT') return null;
    if (code !== 'EEXIST') throw error;
    return (await readOwner(folder)) === database;
  }
}

async function readOwner(folder: string): Promise<string | null> {
  try {
    return (await readFile(join(folder, ownerMark), 'utf8')).trim();
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null;
    throw error;
  }
}

/** What a sweep did. */
export interface Swept {
  readonly gone: number;
  /** Files of no recording that were left, since they are most of what lies here: a database that lost its rows looks the same. */
  readonly left: number;
}

/**
 * Takes away what no recording has: files of calls that were forgotten, and what a crash left half written. Only for a folder of this database.
 * @param before Younger ones may be under way; epoch ms
 */
export async function sweepFiles(folder: string, known: KnownFiles, before: number): Promise<Swept> {
  let whole = 0;
  let unknown = 0;
  let gone = 0;
  const strangers: string[] = [];
  for await (const page of shelves(folder)) {
    const kept = await known(page.flatMap((one) => (one.whole ? [one.file] : [])));
    for (const one of page) {
      if (one.whole) whole += 1;
      if (one.whole && kept.has(one.file)) continue;
      const { mtimeMs } = await stat(one.path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
      if (mtimeMs >= before) continue;
      if (one.whole) {
        unknown += 1;
        if (strangers.length < mostUnknown) strangers.push(one.path);
      } else {
        await rm(one.path, { force: true });
        gone += 1;
      }
    }
  }
  const ordered = (await namesIn(folder)).includes(sweepOrder);
  if (unknown > fewUnknown && unknown * 2 > whole && !ordered) return { gone, left: unknown };
  for (const path of strangers) await rm(path, { force: true });
  // An order is for what is there now.
  if (ordered && unknown === strangers.length) await rm(join(folder, sweepOrder), { force: true });
  return { gone: gone + strangers.length, left: 0 };
}

/** Every file of ours, in pages that the store can be asked of in one go. */
async function* shelves(
  folder: string,
): AsyncGenerator<readonly { readonly path: string; readonly file: string; readonly whole: boolean }[]> {
  for (const shelf of await namesIn(folder)) {
    if (!shelfName.test(shelf)) continue;
    const files = (await namesIn(join(folder, shelf))).flatMap((name) => {
      const match = ownName.exec(name);
      if (match?.[1] === undefined) return [];
      return [{ path: join(folder, shelf, name), file: match[1], whole: match[2] === 'rec' }];
    });
    for (let from = 0; from < files.length; from += atOnce) yield files.slice(from, from + atOnce);
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return [];
    throw error;
  }
}
