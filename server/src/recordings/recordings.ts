/**
 * Recordings of calls: taken once per call, kept encrypted, found again, opened by a link that ends. Owns when one counts as taken (its file is
 * synced and whole, then its row) and which call it belongs to. Must never keep a recording of a call that the store does not have.
 */
import { createHash } from 'node:crypto';
import { type CallId, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { EventRecorder } from '../call-log/record-events.ts';
import type { RecordingSettings } from '../config/recordings.ts';
import { isHeld } from '../keeping/retention.ts';
import type { Log } from '../logging.ts';
import type { AuditEntry, Store, StoredCall, StoredRecording } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import type { Vault } from '../vault.ts';
import { RecordingParts } from './parts.ts';
import { PeakCounter, peakBytes, readPeaks } from './peaks.ts';
import { type CallName, joinedLegs, recordedCall } from './recorded-call.ts';
import { SealedSounds } from './sealed-sounds.ts';
import type { SoundPlace } from './sound-place.ts';
import type { Stretch } from './stretches.ts';
import { type ChannelOrder, durationOf, invalid, mustFit, mustSwap, notLarger, WavReader, wavHeader } from './wav.ts';

const dayMs = 86_400_000;
const atOnce = 200;

/** A recording that can be read, until it is closed. */
export interface OpenRecording {
  readonly recording: StoredRecording;
  /** Of the whole WAV file, bytes. */
  readonly size: number;
  /** Bytes `from` (included) to `to` (not). @throws PatchcordError `store.unavailable` where the file was changed on disk */
  read(from: number, to: number): AsyncGenerator<Buffer>;
  /** How loud each channel is, in a thousand stretches, 0 to 255; null for a recording that was taken before this was counted. */
  peaks(): Promise<readonly (readonly number[])[] | null>;
  close(): Promise<void>;
}

interface RecordingsParts {
  readonly store: Pick<Store, 'recordings' | 'recordingParts' | 'calls' | 'keeping' | 'feed'>;
  readonly tenants: Pick<Tenants, 'find'>;
  readonly recorder: Pick<EventRecorder, 'noteRecording'>;
  readonly vault: Pick<Vault, 'read' | 'put'>;
  readonly settings: RecordingSettings;
  readonly place: SoundPlace;
  readonly log: Log;
  readonly now: () => number;
}

export class Recordings {
  /** Those that are being made. */
  readonly unfinished: RecordingParts;
  readonly #parts: RecordingsParts;
  readonly #sounds: SealedSounds;

  constructor(parts: RecordingsParts) {
    this.#parts = parts;
    const { place, store, vault, log, now } = parts;
    this.#sounds = new SealedSounds({
      ...{ place, vault, log, now, what: 'recordings', whose: 'call' },
      known: (files) => store.recordings.known(files),
      deployment: () => store.feed.deployment(),
    });
    this.unfinished = new RecordingParts({ store, files: this.#sounds, log, now });
  }

  /** The largest that is taken, bytes. */
  get largest(): number {
    return this.#parts.settings.largestMb * 1_000_000;
  }

  /** The call that a recording belongs to. @throws PatchcordError `call.unknown`, retryable: its phone may tell of it later */
  callOf(tenant: TenantId, name: CallName): Promise<StoredCall> {
    return recordedCall(this.#parts.store, tenant, name);
  }

  /**
   * Takes the recording of a call while it arrives. The same bytes again are no failure.
   * @param madeBy What the relay makes itself may be as large as the call was long
   * @param kept What of it may be heard, ms from its beginning; the rest becomes silence. Null: all
   * @returns whether it was new
   * @throws PatchcordError `request.invalid` for what is no such recording, or another one than the call has; `recording.deleted`; `store.unavailable`
   */
  async take(
    call: StoredCall,
    order: ChannelOrder,
    body: AsyncIterable<Buffer>,
    madeBy: StoredRecording['madeBy'] = 'phone-system',
    kept: readonly Stretch[] | null = null,
  ): Promise<{ readonly isNew: boolean; readonly recording: StoredRecording }> {
    const { store } = this.#parts;
    const bounded = madeBy === 'relay' ? body : notLarger(body, this.#parts.settings.largestMb);
    const [known] = await store.recordings.ofCalls(call.tenant, [call.callId]);
    if (known !== undefined) {
      mustBeThere(known);
      const digest = createHash('sha256');
      for await (const piece of bounded) digest.update(piece);
      return this.#again(known, digest.digest('base64url'));
    }
    const recording = { ...(await this.#write(call, order, bounded, kept)), madeBy };
    if (await store.recordings.add(recording)) {
      // Whose place it is stands there from the first file on; what cannot be said now is said by the next housekeeping.
      await this.#sounds.owns().catch(() => false);
      await this.#tell(recording);
      return { isNew: true, recording };
    }
    await this.#sounds.remove([recording.file]);
    const [meanwhile] = await store.recordings.ofCalls(call.tenant, [call.callId]);
    if (meanwhile !== undefined) return this.#again(meanwhile, recording.digest);
    throw new PatchcordError('call.unknown', 'The call was forgotten while its recording arrived; it was not kept.');
  }

  /** The recording of a call, or of the call whose log it went up in: HubSpot knows both by the id the log was written under. */
  async find(tenant: TenantId, callId: CallId): Promise<StoredRecording | null> {
    const found = await this.findEvenDeleted(tenant, callId);
    return found?.deletedAt == null ? found : null;
  }

  /** The same, also where it was deleted on request and only this is left of it. */
  async findEvenDeleted(tenant: TenantId, callId: CallId): Promise<StoredRecording | null> {
    const { store } = this.#parts;
    const [own] = await store.recordings.ofCalls(tenant, [callId]);
    if (own !== undefined) return own;
    const read = (await store.calls.readCalls([callId])).get(callId);
    if (read === undefined || read.call.tenant !== tenant) return null;
    const { call } = read;
    const sameLog = call.logId === null ? [] : await store.calls.callsOfLog(tenant, call.logId);
    const others = [
      ...(call.log?.joinedWith == null ? [] : [call.log.joinedWith]),
      ...sameLog.map((one) => one.callId),
      ...(await joinedLegs(store, read)),
    ];
    const found = await store.recordings.ofCalls(tenant, others);
    return found.find(({ deletedAt }) => deletedAt === null) ?? found[0] ?? null;
  }

  /** Says once more that a recording is there: a crash may have come between the two. @throws PatchcordError `store.unavailable` */
  tellAgain(recording: StoredRecording): Promise<void> {
    return this.#tell(recording);
  }

  /** Whether a legal hold keeps it. */
  async isHeld(recording: StoredRecording): Promise<boolean> {
    return (await this.#notHeld([recording])).length === 0;
  }

  /**
   * Deletes a recording on somebody's request: its key and its file go, `entry` is in the audit from the same moment on. Whoever calls it has looked
   * for holds.
   * @returns false where it is gone, or was deleted before: nothing was noted
   * @throws PatchcordError `store.unavailable`: it is there still
   */
  async delete(recording: StoredRecording, entry: AuditEntry): Promise<boolean> {
    const file = await this.#parts.store.recordings.delete(recording, entry);
    if (file === null) return false;
    // Nobody can open it any more: what can't be taken away now goes with a sweep.
    await this.#sounds.remove([file]).catch((error: unknown) => {
      this.#parts.log.warn({ err: error, callId: recording.callId }, 'the file of a deleted recording is there still');
    });
    return true;
  }

  /**
   * Opens it for reading. Whoever opens it closes it.
   * @throws PatchcordError `store.unavailable` when its file is not there, or not what was written
   */
  async open(recording: StoredRecording): Promise<OpenRecording> {
    const header = wavHeader(recording, recording.bytes);
    const size = header.length + recording.bytes + (recording.bytes % 2);
    const sound = await this.#sounds.open({ ...recording, of: recording.callId }, peakBytes(recording));
    async function* read(from: number, to: number): AsyncGenerator<Buffer> {
      const begins = header.length;
      const ends = begins + recording.bytes;
      // The header goes out with the first sound behind it: nothing is begun that does not open.
      let front = header.subarray(from, to);
      if (to > begins && from < ends) {
        const [first, last] = [Math.max(0, from - begins), Math.min(to, ends) - begins];
        for await (const piece of sound.read(first, last)) {
          yield front.length === 0 ? piece : Buffer.concat([front, piece]);
          front = Buffer.alloc(0);
        }
      }
      if (front.length > 0) yield front;
      if (to > ends) yield Buffer.alloc(to - Math.max(from, ends));
    }
    return { recording, size, read, peaks: () => readPeaks(sound, recording), close: () => sound.close() };
  }

  /** What an operator has to put right before files are taken away again. */
  troubles(): readonly string[] {
    return this.#sounds.troubles();
  }

  /**
   * Forgets recordings that are too old and not held, and takes away files that no recording has, where the place is this database's and not in
   * the first hour. Returns how many went.
   */
  async keepHouse(now: number): Promise<number> {
    const { settings, store, log } = this.#parts;
    const ours = await this.#sounds.owns();
    let gone = 0;
    let after: StoredRecording | null = null;
    for (;;) {
      const old: readonly StoredRecording[] = await store.recordings.before(now - settings.days * dayMs, after, atOnce);
      after = old.at(-1) ?? null;
      if (after === null) break;
      const free = await this.#notHeld(old);
      await store.recordings.forget(free.map(({ callId }) => callId));
      // Without its row nobody opens a file. In another database's place it may be theirs as well, who still have the row.
      if (ours) {
        await this.#sounds.remove(free.map(({ file }) => file));
      }
      gone += free.length;
    }
    gone += await this.#sounds.sweep(now);
    if (gone > 0) log.info({ recordings: gone }, 'recordings were deleted: too old, or nobody’s any more');
    return gone;
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

  async #write(
    call: StoredCall,
    order: ChannelOrder,
    body: AsyncIterable<Buffer>,
    kept: readonly Stretch[] | null,
  ): Promise<StoredRecording> {
    const digest = createHash('sha256');
    const reader = new WavReader(mustSwap(order, call.log?.direction ?? 'inbound'), kept);
    const peaks = new PeakCounter();
    let bytes = 0;
    async function* sound(): AsyncGenerator<Buffer> {
      for await (const piece of body) {
        digest.update(piece);
        const frames = reader.take(piece);
        if (reader.format !== null) {
          mustFit(order, reader.format.channels);
          peaks.take(reader.format, frames);
        }
        bytes += frames.length;
        yield frames;
      }
      reader.end();
      if (bytes === 0) throw invalid('has no sound in it.');
      yield peaks.bytes();
    }
    const { callId, tenant, agent } = call;
    const { file, salt } = await this.#sounds.write(tenant, callId, sound());
    const format = reader.end();
    return {
      ...{ callId, tenant, agent, file, salt, bytes, durationMs: durationOf(format, bytes) },
      ...{ codec: format.codec, rate: format.rate, channels: format.channels },
      digest: digest.digest('base64url'),
      storedAt: this.#parts.now(),
      madeBy: 'phone-system',
      deletedAt: null,
    };
  }

  async #again(
    recording: StoredRecording,
    digest: string,
  ): Promise<{ readonly isNew: false; readonly recording: StoredRecording }> {
    mustBeThere(recording);
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

  #tell({ callId, channels, durationMs, madeBy }: StoredRecording): Promise<void> {
    return this.#parts.recorder.noteRecording(callId, { channels, durationMs, madeBy });
  }
}

/** What somebody had deleted does not come back by being sent again. */
function mustBeThere({ deletedAt }: StoredRecording): void {
  if (deletedAt === null) return;
  throw new PatchcordError(
    'recording.deleted',
    'The recording of this call was deleted on request. It is not taken again.',
  );
}
