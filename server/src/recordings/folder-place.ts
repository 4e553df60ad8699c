/**
 * Sound in a folder: `<folder>/<two digits>/<name>.rec`, `.part` while one is being written. Owns names and what is synced when. Must never touch a
 * file that does not carry such a name.
 */
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type FoundFile,
  ownerMark,
  type PlacedFile,
  type PlacedWriter,
  pageSize,
  type SoundPlace,
  soundName,
  sweepOrder,
} from './sound-place.ts';

const shelfName = /^[0-9a-f]{2}$/;
const readBytes = 65_536;

export function pathOf(folder: string, file: string, kind: 'rec' | 'part' = 'rec'): string {
  return join(folder, file.slice(0, 2), `${file}.${kind}`);
}

export class FolderPlace implements SoundPlace {
  readonly kind = 'folder';
  readonly where: string;

  constructor(folder: string) {
    this.where = folder;
  }

  /** What a file system refuses, it says when it is asked. */
  trouble(): null {
    return null;
  }

  async begin(file: string): Promise<PlacedWriter> {
    const folder = this.where;
    const shelf = join(folder, file.slice(0, 2));
    const part = pathOf(folder, file, 'part');
    // Nobody else on this machine reads there.
    await mkdir(shelf, { recursive: true, mode: 0o700 });
    let handle: FileHandle | null = await open(part, 'wx', 0o600);
    return {
      write: async (bytes) => {
        for (let written = 0; written < bytes.length; )
          written += (await handle?.write(bytes, written))?.bytesWritten ?? bytes.length;
      },
      finish: async () => {
        await handle?.sync();
        await handle?.close();
        handle = null;
        await rename(part, pathOf(folder, file));
        // From here on it is whole, also after a power cut: its bytes were synced, now its name is.
        await synced(shelf);
      },
      abandon: async () => {
        await handle?.close().catch(() => undefined);
        await rm(part, { force: true }).catch(() => undefined);
      },
    };
  }

  async open(file: string): Promise<PlacedFile | null> {
    const handle = await unlessAbsent(open(pathOf(this.where, file), 'r'), null);
    if (handle === null) return null;
    try {
      const { size } = await handle.stat();
      return { size, read: (from, to) => readFrom(handle, from, to), close: () => handle.close() };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async remove(files: readonly string[]): Promise<void> {
    for (const file of files) await rm(pathOf(this.where, file), { force: true });
  }

  async *pages(): AsyncGenerator<readonly FoundFile[]> {
    for (const shelf of await namesIn(this.where)) {
      if (!shelfName.test(shelf)) continue;
      const files = (await namesIn(join(this.where, shelf))).flatMap((name) => {
        const match = soundName.exec(name);
        if (match?.[1] === undefined) return [];
        const path = join(this.where, shelf, name);
        return [
          {
            ...{ file: match[1], whole: match[2] === 'rec' },
            at: async () => (await stat(path).catch(() => null))?.mtimeMs ?? null,
            remove: () => rm(path, { force: true }),
          },
        ];
      });
      for (let from = 0; from < files.length; from += pageSize) yield files.slice(from, from + pageSize);
    }
  }

  async owner(): Promise<string | null> {
    const text = await unlessAbsent(readFile(join(this.where, ownerMark), 'utf8'), null);
    return text === null ? null : text.trim();
  }

  async claim(database: string): Promise<string | null> {
    try {
      await writeFile(join(this.where, ownerMark), `${database}\n`, { flag: 'wx', mode: 0o600 });
      return database;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === 'ENOENT') return null;
      if (code !== 'EEXIST') throw error;
      return this.owner();
    }
  }

  async isOrdered(): Promise<boolean> {
    return (await namesIn(this.where)).includes(sweepOrder);
  }

  async forgetOrder(): Promise<void> {
    await rm(join(this.where, sweepOrder), { force: true });
  }
}

async function* readFrom(handle: FileHandle, from: number, to: number): AsyncGenerator<Buffer> {
  for (let at = from; at < to; ) {
    const piece = Buffer.allocUnsafe(Math.min(readBytes, to - at));
    const { bytesRead } = await handle.read(piece, 0, piece.length, at);
    if (bytesRead === 0) return;
    yield piece.subarray(0, bytesRead);
    at += bytesRead;
  }
}

async function synced(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function namesIn(folder: string): Promise<readonly string[]> {
  return unlessAbsent(readdir(folder), []);
}

async function unlessAbsent<T, N>(asked: Promise<T>, absent: N): Promise<T | N> {
  try {
    return await asked;
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return absent;
    throw error;
  }
}
