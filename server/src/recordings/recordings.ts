/**
 * Recordings of calls: taken once per call, kept encrypted, found again, opened by a link that ends. Owns when one counts as taken (its file is
 * synced and whole, then its row) and which call it belongs to. Must never keep a recording of a call that the store does not have.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { type CallId, errorCode, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { isReportedCall } from '../call-log/call-report.ts';
import type { EventRecorder } from '../call-log/record-events.ts';
import type { RecordingSettings } from '../config/recordings.ts';
import { isHeld } from '../keeping/retention.ts';
import type { Log } from '../logging.ts';
import type { Store, StoredCall, StoredRecording } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import type { Vault } from '../vault.ts';
import { finish, isFolderOf, makeRoom, ownerMark, pathOf, removeFiles, sweepFiles, sweepOrder } from './files.ts';
import { RecordingKeys } from './keys.ts';
import { damaged, readSealed, SealedWriter, sealedLength } from './sealed-file.ts';
import { type ChannelOrder, durationOf, invalid, mustSwap, WavReader, wavHeader } from './wav.ts';

const dayMs = 86_400_000;
/** A file that no recording has may be one that is being taken. */
const mayBeUnderWayMs = 3_600_000;
const sweptEveryMs = 3_600_000;
/** Time for an operator to see that a relay was started with the wrong database or folder, before it takes anything away. */
const leftAloneMs = 3_600_000;
const atOnce = 200;

/** How a phone system names a call. */
export type CallName = { readonly callId: CallId } | { readonly sipCallId: string };

/** A recording that can be read, until it is closed. */
export interface OpenRecording {
  readonly recording: StoredRecording;
  /** Of the whole WAV file, bytes. */
  readonly size: number;
  /** Bytes `from` (included) to `to` (not). @throws PatchcordError `store.unavailable` where the file was changed on disk */
  read(from: number, to: number): AsyncGenerator<Buffer>;
  close(): Promise<void>;
}

interface RecordingParts {
  readonly store: Pick<Store, 'recordings' | 'calls' | 'keeping' | 'feed'>;
  readonly tenants: Pick<Tenants, 'find'>;
  readonly recorder: Pick<EventRecorder, 'noteRecording'>;
  readonly vault: Pick<Vault, 'read' | 'put'>;
  readonly settings: RecordingSettings;
  readonly folder: string;
  readonly log: Log;
  readonly now: () => number;
}

export class Recordings {
  readonly #parts: RecordingParts;
  readonly #keys: RecordingKeys;
  readonly #startedAt: number;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #isOurs = false;
  /** What an operator has to put right, by what found it. */
  readonly #troubles = new Map<'folder' | 'sweep', string>();

  constructor(parts: RecordingParts) {
    this.#parts = parts;
    this.#startedAt = parts.now();
    this.#keys = new RecordingKeys(parts.vault);
  }

  /** The largest that is taken, bytes. */
  get largest(): number {
    return this.#parts.settings.largestMb * 1_000_000;
  }

  /**
   * The call that a recording belongs to. Of several on one leg (each phone that rang, the phone system's own) the one that was answered and that
   * goes up in no other.
   * @throws PatchcordError `call.unknown`, retryable: its phone may tell of it later
   */
  async callOf(tenant: TenantId, name: CallName): Promise<StoredCall> {
    const { store } = this.#parts;
    const ids = 'callId' in name ? [name.callId] : await store.recordings.callsOfSip(tenant, name.sipCallId);
    const found = [...(await store.calls.readCalls(ids)).values()]
      .map(({ call }) => call)
      .filter((call) => call.tenant === tenant && call.log !== null)
      .sort((a, b) => rank(a) - rank(b) || (a.callId < b.callId ? -1 : 1));
    const [call] = found;
    if (call === undefined) {
      throw new PatchcordError(
        'call.unknown',
        'The relay does not know this call (yet): a phone or a call record tells of it first. Send the recording again in a minute.',
        { retryable: true, retryAfterMs: 60_000 },
      );
    }
    return call;
  }

  /**
   * Takes the recording of a call while it arrives. The same bytes again are no failure.
   * @returns whether it was new
   * @throws PatchcordError `request.invalid` for what is no such recording, or another one than the call has; `store.unavailable`
   */
  async take(
    call: StoredCall,
    order: ChannelOrder,
    body: AsyncIterable<Buffer>,
  ): Promise<{ readonly isNew: boolean; readonly recording: StoredRecording }> {
    const { store } = this.#parts;
    const bounded = this.#bounded(body);
    const [known] = await store.recordings.ofCalls(call.tenant, [call.callId]);
    if (known !== undefined) {
      const digest = createHash('sha256');
      for await (const piece of bounded) digest.update(piece);
      return this.#again(known, digest.digest('base64url'));
    }
    const recording = await this.#write(call, order, bounded);
    if (await store.recordings.add(recording)) {
      // Whose folder it is stands there from the first file on; what cannot be said now is said by the next housekeeping.
      await this.#ownsFolder().catch(() => false);
      await this.#tell(recording);
      return { isNew: true, recording };
    }
    await removeFiles(this.#parts.folder, [recording.file]);
    const [meanwhile] = await store.recordings.ofCalls(call.tenant, [call.callId]);
    if (meanwhile !== undefined) return this.#again(meanwhile, recording.digest);
    throw new PatchcordError('call.unknown', 'The call was forgotten while its recording arrived; it was not kept.');
  }

  /** The recording of a call, or of the call whose log it went up in: HubSpot knows both by the id the log was written under. */
  async find(tenant: TenantId, callId: CallId): Promise<StoredRecording | null> {
    const { store } = this.#parts;
    const [own] = await store.recordings.ofCalls(tenant, [callId]);
    if (own !== undefined) return own;
    const call = (await store.calls.readCalls([callId])).get(callId)?.call;
    if (call === undefined || call.tenant !== tenant) return null;
    const sameLog = call.logId === null ? [] : await store.calls.callsOfLog(tenant, call.logId);
    const others = [
      ...(call.log?.joinedWith == null ? [] : [call.log.joinedWith]),
      ...sameLog.map((one) => one.callId),
    ];
    return (await store.recordings.ofCalls(tenant, others))[0] ?? null;
  }

  /**
   * Opens it for reading. Whoever opens it closes it.
   * @throws PatchcordError `store.unavailable` when its file is not there, or not what was written
   */
  async open(recording: StoredRecording): Promise<OpenRecording> {
    const sealed = await this.#keys.of(recording);
    const header = wavHeader(recording, recording.bytes);
    const size = header.length + recording.bytes + (recording.bytes % 2);
    let handle: FileHandle;
    try {
      handle = await open(pathOf(this.#parts.folder, recording.file), 'r');
    } catch (cause) {
      throw new PatchcordError(
        'store.unavailable',
        'The file of this recording is not in the folder for recordings. All relays of one database need the same folder; else bring it back from a backup.',
        { cause },
      );
    }
    try {
      if ((await handle.stat()).size !== sealedLength(recording.bytes)) throw damaged();
    } catch (error) {
      await handle.close();
      throw error;
    }
    async function* read(from: number, to: number): AsyncGenerator<Buffer> {
      const begins = header.length;
      const ends = begins + recording.bytes;
      // The header goes out with the first sound behind it: nothing is begun that does not open.
      let front = header.subarray(from, to);
      if (to > begins && from < ends) {
        const [first, last] = [Math.max(0, from - begins), Math.min(to, ends) - begins];
        for await (const sound of readSealed(handle, sealed, recording.bytes, first, last)) {
          yield front.length === 0 ? sound : Buffer.concat([front, sound]);
          front = Buffer.alloc(0);
        }
      }
      if (front.length > 0) yield front;
      if (to > ends) yield Buffer.alloc(to - Math.max(from, ends));
    }
    return { recording, size, read, close: () => handle.close() };
  }

  /** What an operator has to put right before files are taken away again. */
  troubles(): readonly string[] {
    return [...this.#troubles.values()];
  }

  /**
   * Forgets recordings that are too old and not held, and takes away files that no recording has, where the folder is this database's and not in
   * the first hour. Returns how many went.
   */
  async keepHouse(now: number): Promise<number> {
    const { settings, store, folder, log } = this.#parts;
    const ours = await this.#ownsFolder();
    let gone = 0;
    let after: StoredRecording | null = null;
    for (;;) {
      const old: readonly StoredRecording[] = await store.recordings.before(now - settings.days * dayMs, after, atOnce);
      after = old.at(-1) ?? null;
      if (after === null) break;
      const free = await this.#notHeld(old);
      await store.recordings.forget(free.map(({ callId }) => callId));
      // Without its row nobody opens a file. In another database's folder it may be theirs as well, who still have the row.
      if (ours) {
        await removeFiles(
          folder,
          free.map(({ file }) => file),
        );
      }
      gone += free.length;
    }
    if (ours && now - this.#startedAt >= leftAloneMs && now - this.#sweptAt >= sweptEveryMs) {
      const swept = await sweepFiles(folder, (files) => store.recordings.known(files), now - mayBeUnderWayMs);
      gone += swept.gone;
      this.#sweptAt = now;
      this.#trouble(
        'sweep',
        swept.left === 0
          ? null
          : `${swept.left} files of recordings, most of what lies in the folder, are of no call that the database knows, and were not deleted. Is it the right database, with all its rows? If they may go, put a file "${sweepOrder}" into the folder.`,
      );
    }
    if (gone > 0) log.info({ recordings: gone }, 'recordings were deleted: too old, or nobody’s any more');
    return gone;
  }

  /** Whether files here may be taken away. Asked until it is so: an operator may put it right while we run. */
  async #ownsFolder(): Promise<boolean> {
    if (this.#isOurs) return true;
    const { store, folder } = this.#parts;
    const database = await store.feed.deployment();
    const owns = await isFolderOf(folder, database, (files) => store.recordings.known(files));
    this.#isOurs = owns === true;
    this.#trouble(
      'folder',
      owns === false
        ? `The folder for recordings is another database’s, so that no file is deleted there. Check DATABASE_URL, DATA_DIR and "recordings.folder": each database needs a folder of its own. If the database was restored into a new one, delete "${ownerMark}" in the folder.`
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

  async #notHeld(recordings: readonly StoredRecording[]): Promise<readonly StoredRecording[]> {
    const { store, tenants } = this.#parts;
    const holds = await store.keeping.holds();
    if (holds.length === 0) return recordings;
    const calls = await store.calls.readCalls(recordings.map(({ callId }) => callId));
    return recordings.filter(({ callId, tenant }) => {
      const call = calls.get(callId)?.call;
      return call === undefined || !isHeld(call, holds, tenants.find(tenant)?.config.country ?? 'US');
    });
  }

  async #write(call: StoredCall, order: ChannelOrder, body: AsyncIterable<Buffer>): Promise<StoredRecording> {
    const { folder } = this.#parts;
    const file = randomBytes(16).toString('hex');
    const salt = randomBytes(32).toString('base64url');
    const sealed = await this.#keys.of({ tenant: call.tenant, callId: call.callId, file, salt });
    const part = pathOf(folder, file, 'part');
    const digest = createHash('sha256');
    const reader = new WavReader(mustSwap(order, call.log?.direction ?? 'inbound'));
    let bytes = 0;
    let handle: FileHandle | null = null;
    try {
      await makeRoom(folder, file);
      handle = await open(part, 'wx', 0o600);
      const writer = new SealedWriter(handle, sealed);
      for await (const piece of body) {
        digest.update(piece);
        const sound = reader.take(piece);
        if (reader.format !== null) mustFit(order, reader.format.channels);
        bytes += sound.length;
        await writer.write(sound);
      }
      const format = reader.end();
      if (bytes === 0) throw invalid('has no sound in it.');
      await writer.end();
      await handle.sync();
      await handle.close();
      handle = null;
      await finish(folder, file);
      const durationMs = durationOf(format, bytes);
      const { callId, tenant, agent } = call;
      return {
        ...{ callId, tenant, agent, file, salt, bytes, durationMs },
        ...{ codec: format.codec, rate: format.rate, channels: format.channels },
        digest: digest.digest('base64url'),
        storedAt: this.#parts.now(),
      };
    } catch (error) {
      await handle?.close();
      await rm(part, { force: true });
      throw onDisk(error);
    }
  }

  async #again(
    recording: StoredRecording,
    digest: string,
  ): Promise<{ readonly isNew: false; readonly recording: StoredRecording }> {
    if (recording.digest !== digest) {
      throw new PatchcordError(
        'request.invalid',
        'This call has another recording, which stays: a call has one. It was not replaced.',
      );
    }
    // A crash may have come between the recording and the word of it.
    await this.#tell(recording);
    return { isNew: false, recording };
  }

  #tell({ callId, channels, durationMs }: StoredRecording): Promise<void> {
    return this.#parts.recorder.noteRecording(callId, { channels, durationMs });
  }

  async *#bounded(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let total = 0;
    for await (const piece of body) {
      total += piece.length;
      if (total > this.largest) {
        throw invalid(`is larger than ${this.#parts.settings.largestMb} MB ("recordings.largestMb").`);
      }
      yield piece;
    }
  }
}

/** The lower, the more it is the call that was recorded. */
function rank({ callId, log }: StoredCall): number {
  return (log?.joinedWith == null ? 0 : 4) + (log?.answeredAt == null ? 2 : 0) + (isReportedCall(callId) ? 1 : 0);
}

function mustFit(order: ChannelOrder, channels: 1 | 2): void {
  if ((order === 'mono') !== (channels === 1)) {
    throw invalid(
      channels === 1
        ? `has one channel and was sent as "${order}": send it as "mono".`
        : 'has two channels and was sent as "mono": say whose they are, for instance "agent,far-side".',
    );
  }
}

/** A disk that is full or not ours is the operator's matter, and the sender's to try again. */
function onDisk(error: unknown): unknown {
  // What the file system refuses names the call that failed; an upload that broke off does not.
  const { syscall } = error as { readonly syscall?: unknown };
  if (errorCode(error) !== 'internal' || typeof syscall !== 'string' || syscall === 'read') return error;
  return new PatchcordError(
    'store.unavailable',
    'The recording could not be written. Look at the folder for recordings: is the disk full, may the relay write there? Send it again then.',
    { retryable: true, cause: error },
  );
}
