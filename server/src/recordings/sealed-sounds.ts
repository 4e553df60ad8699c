/**
 * Sealed sound of one kind, recordings or voicemails, in a folder or a bucket: written whole or not at all, read from anywhere in it, and swept of
 * what nobody knows any more. Owns when a file counts as kept. Must never sweep a place of another database, nor in the first hour, and must never
 * give a place a byte that is not sealed.
 */
import { randomBytes } from 'node:crypto';
import { errorCode, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { Log } from '../logging.ts';
import type { Vault } from '../vault.ts';
import { RecordingKeys } from './keys.ts';
import { damaged, readSealed, SealedWriter, sealedLength } from './sealed-file.ts';
import { ownerMark, type PlacedFile, type PlacedWriter, type SoundPlace, sweepOrder } from './sound-place.ts';
import { isPlaceOf, type KnownFiles, sweepFiles } from './sweep.ts';

/** A file that nobody knows may be one that is being taken. */
const mayBeUnderWayMs = 3_600_000;
const sweptEveryMs = 3_600_000;
/** Time for an operator to see that a relay was started with the wrong database or place, before it takes anything away. */
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
  /** Whether what may follow the sound does; it is read behind it. */
  readonly isFollowed: boolean;
  /** Bytes `from` (included) to `to` (not). @throws PatchcordError `store.unavailable` where the file was changed after it was written */
  read(from: number, to: number): AsyncGenerator<Buffer>;
  close(): Promise<void>;
}

interface SealedSoundsParts {
  readonly place: SoundPlace;
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

export class SealedSounds {
  readonly #parts: SealedSoundsParts;
  readonly #keys: RecordingKeys;
  readonly #startedAt: number;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #isOurs = false;
  /** What an operator has to put right, by what found it. */
  readonly #troubles = new Map<'owner' | 'sweep', string>();

  constructor(parts: SealedSoundsParts) {
    this.#parts = parts;
    this.#startedAt = parts.now();
    this.#keys = new RecordingKeys(parts.vault);
  }

  /**
   * Writes sound while it arrives. When this resolves the file is whole and synced; when it rejects nothing is left of it.
   * @throws PatchcordError `store.unavailable` when the place refuses; whatever `sound` throws
   */
  async write(tenant: TenantId, of: string, sound: AsyncIterable<Buffer>): Promise<KeptSound> {
    const file = randomBytes(16).toString('hex');
    const salt = randomBytes(32).toString('base64url');
    const sealed = await this.#keys.of({ tenant, of, file, salt });
    let bytes = 0;
    let writer: PlacedWriter | null = null;
    try {
      writer = await this.#parts.place.begin(file);
      const placed = writer;
      const into = new SealedWriter(placed, sealed);
      for await (const piece of sound) {
        bytes += piece.length;
        await into.write(piece);
      }
      await into.end();
      await placed.finish();
      return { tenant, of, file, salt, bytes };
    } catch (error) {
      await writer?.abandon();
      throw this.#onDisk(error);
    }
  }

  /**
   * Opens it for reading. Whoever opens it closes it.
   * @param followedBy So many bytes may have been written behind the sound
   * @throws PatchcordError `store.unavailable` when its file is not there, or not what was written
   */
  async open(kept: KeptSound, followedBy = 0): Promise<OpenSound> {
    const { place, what } = this.#parts;
    const sealed = await this.#keys.of(kept);
    let cause: unknown;
    let placed: PlacedFile | null = null;
    try {
      placed = await place.open(kept.file);
    } catch (error) {
      if (errorCode(error) !== 'internal') throw error;
      cause = error;
    }
    if (placed === null) {
      throw new PatchcordError(
        'store.unavailable',
        `The file of this ${what.slice(0, -1)} is not in the ${place.kind} for ${what}. All relays of one database need the same ${place.kind}; else bring it back from a backup.`,
        { cause },
      );
    }
    const { size } = placed;
    const isFollowed = followedBy > 0 && size === sealedLength(kept.bytes + followedBy);
    const whole = kept.bytes + (isFollowed ? followedBy : 0);
    if (size !== sealedLength(whole)) {
      await placed.close();
      throw damaged();
    }
    const open = placed;
    return {
      isFollowed,
      read: (from, to) => readSealed(open, sealed, whole, from, to),
      close: () => open.close(),
    };
  }

  /** Takes files away that were never told of, or whose rows are gone. */
  async remove(files: readonly string[]): Promise<void> {
    await this.#parts.place.remove(files);
  }

  /** What an operator has to put right: before sound can be kept, or files are taken away again. */
  troubles(): readonly string[] {
    const { place } = this.#parts;
    const trouble = place.trouble();
    return [...(trouble === null ? [] : [trouble]), ...this.#troubles.values()];
  }

  /** Takes away files that nobody knows, where the place is this database's and not in the first hour. Returns how many went. */
  async sweep(now: number): Promise<number> {
    const { place, known, what, whose } = this.#parts;
    if (!(await this.owns()) || now - this.#startedAt < leftAloneMs || now - this.#sweptAt < sweptEveryMs) return 0;
    const swept = await sweepFiles(place, known, now - mayBeUnderWayMs);
    this.#sweptAt = now;
    this.#trouble(
      'sweep',
      swept.left === 0
        ? null
        : `${swept.left} files of ${what}, most of what lies in the ${place.kind}, are of no ${whose} that the database knows, and were not deleted. Is it the right database, with all its rows? If they may go, put a file "${sweepOrder}" into the ${place.kind}.`,
    );
    return swept.gone;
  }

  /** Whether files here may be taken away. Asked until it is so: an operator may put it right while we run. */
  async owns(): Promise<boolean> {
    if (this.#isOurs) return true;
    const { place, known, deployment, what } = this.#parts;
    const owns = await isPlaceOf(place, await deployment(), known);
    this.#isOurs = owns === true;
    const settings = place.kind === 'folder' ? 'DATA_DIR and "recordings.folder"' : '"recordings.bucket"';
    const own = place.kind === 'folder' ? 'a folder of its own' : 'a bucket or a prefix of its own';
    this.#trouble(
      'owner',
      owns === false
        ? `The ${place.kind} for ${what} is another database’s, so that no file is deleted there. Check DATABASE_URL, ${settings}: each database needs ${own}. If the database was restored into a new one, delete "${ownerMark}" in the ${place.kind}.`
        : null,
    );
    return owns !== false;
  }

  /** Said once as long as it lasts. */
  #trouble(what: 'owner' | 'sweep', text: string | null): void {
    const { log, place } = this.#parts;
    if (text !== null && !this.#troubles.has(what)) log.error({ [place.kind]: place.where }, text);
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
