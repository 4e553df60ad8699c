/**
 * Recordings of calls: taken once per call, kept encrypted, found again, opened by a link that ends. Owns when one counts as taken (its file is
 * synced and whole, then its row) and which call it belongs to. Must never keep a recording of a call that the store does not have.
 */
import { createHash } from 'node:crypto';
import { type CallId, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { isReportedCall } from '../call-log/call-report.ts';
import type { EventRecorder } from '../call-log/record-events.ts';
import type { RecordingSettings } from '../config/recordings.ts';
import { isHeld } from '../keeping/retention.ts';
import type { Log } from '../logging.ts';
import type { Store, StoredCall, StoredRecording } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import type { Vault } from '../vault.ts';
import { SoundFolder } from './sound-folder.ts';
import { type ChannelOrder, durationOf, invalid, mustSwap, WavReader, wavHeader } from './wav.ts';

const dayMs = 86_400_000;
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
  readonly #folder: SoundFolder;

  constructor(parts: RecordingParts) {
    this.#parts = parts;
    const { folder, store, vault, log, now } = parts;
    this.#folder = new SoundFolder({
      ...{ folder, vault, log, now, what: 'recordings', whose: 'call' },
      known: (files) => store.recordings.known(files),
      deployment: () => store.feed.deployment(),
    });
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
      await this.#folder.owns().catch(() => false);
      await this.#tell(recording);
      return { isNew: true, recording };
    }
    await this.#folder.remove([recording.file]);
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
    const header = wavHeader(recording, recording.bytes);
    const size = header.length + recording.bytes + (recording.bytes % 2);
    const sound = await this.#folder.open({ ...recording, of: recording.callId });
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
    return { recording, size, read, close: () => sound.close() };
  }

  /** What an operator has to put right before files are taken away again. */
  troubles(): readonly string[] {
    return this.#folder.troubles();
  }

  /**
   * Forgets recordings that are too old and not held, and takes away files that no recording has, where the folder is this database's and not in
   * the first hour. Returns how many went.
   */
  async keepHouse(now: number): Promise<number> {
    const { settings, store, log } = this.#parts;
    const ours = await this.#folder.owns();
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
        await this.#folder.remove(free.map(({ file }) => file));
      }
      gone += free.length;
    }
    gone += await this.#folder.sweep(now);
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

  async #write(call: StoredCall, order: ChannelOrder, body: AsyncIterable<Buffer>): Promise<StoredRecording> {
    const digest = createHash('sha256');
    const reader = new WavReader(mustSwap(order, call.log?.direction ?? 'inbound'));
    async function* sound(): AsyncGenerator<Buffer> {
      let bytes = 0;
      for await (const piece of body) {
        digest.update(piece);
        const frames = reader.take(piece);
        if (reader.format !== null) mustFit(order, reader.format.channels);
        bytes += frames.length;
        yield frames;
      }
      reader.end();
      if (bytes === 0) throw invalid('has no sound in it.');
    }
    const { callId, tenant, agent } = call;
    const { file, salt, bytes } = await this.#folder.write(tenant, callId, sound());
    const format = reader.end();
    return {
      ...{ callId, tenant, agent, file, salt, bytes, durationMs: durationOf(format, bytes) },
      ...{ codec: format.codec, rate: format.rate, channels: format.channels },
      digest: digest.digest('base64url'),
      storedAt: this.#parts.now(),
    };
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
