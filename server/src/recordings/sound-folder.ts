/**
 * One folder of sealed sound, of recordings or of voicemails: written whole or not at all, read from anywhere in it, and swept of what nobody
 * knows any more. Owns when a file counts as kept and whose folder it is. Must never sweep a folder of another database, nor in the first hour.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { errorCode, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { Log } from '../logging.ts';
import type { Vault } from '../vault.ts';
import {
  finish,
  isFolderOf,
  type KnownFiles,
  makeRoom,
  ownerMark,
  pathOf,
  removeFiles,
  sweepFiles,
  sweepOrder,
} from './files.ts';
import { RecordingKeys } from './keys.ts';
import { damaged, readSealed, SealedWriter, sealedLength } from './sealed-file.ts';

/** A file that nobody knows may be one that is being taken. */
const mayBeUnderWayMs = 3_600_000;
const sweptEveryMs = 3_600_000;
/** Time for an operator to see that a relay was started with the wrong database or folder, before it takes anything away. */
const leftAloneMs = 3_600_000;

/** What a file is sealed for, as its row keeps it. */
export interface KeptSound {
  readonly tenant: TenantId;
  /** What it is the sound of: a call, a message. */
  readonly of: string;
  readonly file: string;
  readonly salt: string;
  readonly bytes: number;
}

/** Sound that can be read, until it is closed. */
export interface OpenSound {
  /** Bytes `from` (included) to `to` (not). @throws PatchcordError `store.unavailable` where the file was changed on disk */
  read(from: number, to: number): AsyncGenerator<Buffer>;
  close(): Promise<void>;
}

interface SoundFolderParts {
  readonly folder: string;
  /** In words for an operator. */
  readonly what: 'recordings' | 'voicemails';
  /** What a file of it belongs to. */
  readonly whose: 'call' | 'message';
  readonly known: KnownFiles;
  /** Names the database. */
  readonly deployment: () => Promise<string>;
  readonly vault: Pick<Vault, 'read' | 'put'>;
  readonly log: Log;
  readonly now: () => number;
}

export class SoundFolder {
  readonly #parts: SoundFolderParts;
  readonly #keys: RecordingKeys;
  readonly #startedAt: number;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #isOurs = false;
  /** What an operator has to put right, by what found it. */
  readonly #troubles = new Map<'folder' | 'sweep', string>();

  constructor(parts: SoundFolderParts) {
    this.#parts = parts;
    this.#startedAt = parts.now();
    this.#keys = new RecordingKeys(parts.vault);
  }

  /**
   * Writes sound while it arrives. When this resolves the file is whole and synced; when it rejects nothing is left of it.
   * @throws PatchcordError `store.unavailable` when the disk refuses; whatever `sound` throws
   */
  async write(tenant: TenantId, of: string, sound: AsyncIterable<Buffer>): Promise<KeptSound> {
    const { folder } = this.#parts;
    const file = randomBytes(16).toString('hex');
    const salt = randomBytes(32).toString('base64url');
    const sealed = await this.#keys.of({ tenant, of, file, salt });
    const part = pathOf(folder, file, 'part');
    let bytes = 0;
    let handle: FileHandle | null = null;
    try {
      await makeRoom(folder, file);
      handle = await open(part, 'wx', 0o600);
      const writer = new SealedWriter(handle, sealed);
      for await (const piece of sound) {
        bytes += piece.length;
        await writer.write(piece);
      }
      await writer.end();
      await handle.sync();
      await handle.close();
      handle = null;
      await finish(folder, file);
      return { tenant, of, file, salt, bytes };
    } catch (error) {
      await handle?.close();
      await rm(part, { force: true });
      throw this.#onDisk(error);
    }
  }

  /**
   * Opens it for reading. Whoever opens it closes it.
   * @throws PatchcordError `store.unavailable` when its file is not there, or not what was written
   */
  async open(kept: KeptSound): Promise<OpenSound> {
    const { folder, what } = this.#parts;
    const sealed = await this.#keys.of(kept);
    let handle: FileHandle;
    try {
      handle = await open(pathOf(folder, kept.file), 'r');
    } catch (cause) {
      throw new PatchcordError(
        'store.unavailable',
        `The file of this ${what.slice(0, -1)} is not in the folder for ${what}. All relays of one database need the same folder; else bring it back from a backup.`,
        { cause },
      );
    }
    try {
      if ((await handle.stat()).size !== sealedLength(kept.bytes)) throw damaged();
    } catch (error) {
      await handle.close();
      throw error;
    }
    return {
      read: (from, to) => readSealed(handle, sealed, kept.bytes, from, to),
      close: () => handle.close(),
    };
  }

  /** Takes files away that were never told of, or whose rows are gone. */
  async remove(files: readonly string[]): Promise<void> {
    await removeFiles(this.#parts.folder, files);
  }

  /** What an operator has to put right before files are taken away again. */
  troubles(): readonly string[] {
    return [...this.#troubles.values()];
  }

  /** Takes away files that nobody knows, where the folder is this database's and not in the first hour. Returns how many went. */
  async sweep(now: number): Promise<number> {
    const { folder, known, what, whose } = this.#parts;
    if (!(await this.owns()) || now - this.#startedAt < leftAloneMs || now - this.#sweptAt < sweptEveryMs) return 0;
    const swept = await sweepFiles(folder, known, now - mayBeUnderWayMs);
    this.#sweptAt = now;
    this.#trouble(
      'sweep',
      swept.left === 0
        ? null
        : `${swept.left} files of ${what}, most of what lies in the folder, are of no ${whose} that the database knows, and were not deleted. Is it the right database, with all its rows? If they may go, put a file "${sweepOrder}" into the folder.`,
    );
    return swept.gone;
  }

  /** Whether files here may be taken away. Asked until it is so: an operator may put it right while we run. */
  async owns(): Promise<boolean> {
    if (this.#isOurs) return true;
    const { folder, known, deployment, what } = this.#parts;
    const owns = await isFolderOf(folder, await deployment(), known);
    this.#isOurs = owns === true;
    this.#trouble(
      'folder',
      owns === false
        ? `The folder for ${what} is another database’s, so that no file is deleted there. Check DATABASE_URL, DATA_DIR and "recordings.folder": each database needs a folder of its own. If the database was restored into a new one, delete "${ownerMark}" in the folder.`
        : null,
    );
    return owns !== false;
  }

  /** Said once as long as it lasts. */
  #trouble(what: 'folder' | 'sweep', text: string | null): void {
    const { log, folder } = this.#parts;
    if (text !== null && !this.#troubles.has(what)) log.error({ folder }, text);
    if (text === null) this.#troubles.delete(what);
    else this.#troubles.set(what, text);
  }

  /** A disk that is full or not ours is the operator's matter, and the sender's to try again. */
  #onDisk(error: unknown): unknown {
    // What the file system refuses names the call that failed; an upload that broke off does not.
    const { syscall } = error as { readonly syscall?: unknown };
    if (errorCode(error) !== 'internal' || typeof syscall !== 'string' || syscall === 'read') return error;
    const { what } = this.#parts;
    return new PatchcordError(
      'store.unavailable',
      `The ${what.slice(0, -1)} could not be written. Look at the folder for ${what}: is the disk full, may the relay write there? Send it again then.`,
      { retryable: true, cause: error },
    );
  }
}
