/**
 * The parts of recordings that are being made: a sealed file with a row each, written while the call lasts. Owns when a part counts as kept (its file
 * is whole, then its row) and that what was forgotten is in no file. Must never keep a part for whoever has lost its call's stream.
 */
import type { AgentId, CallId, TenantId } from '@patchcord/call-protocol';
import type { Log } from '../logging.ts';
import type { RecordingPart, Store } from '../store/contract.ts';
import type { KeptSound, OpenSound } from './sealed-sounds.ts';

/** Of both channels at 16 kHz. */
export const partBytesPerMs = 64;

/** Where the files lie. */
interface PartFiles {
  write(tenant: TenantId, of: string, sound: AsyncIterable<Buffer>): Promise<KeptSound>;
  open(kept: KeptSound): Promise<OpenSound>;
  remove(files: readonly string[]): Promise<void>;
}

/** A call whose recording is being made, and who has its stream. */
export interface RecordedCall {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly callId: CallId;
  readonly holder: string;
}

interface RecordingPartsParts {
  readonly store: Pick<Store, 'recordingParts'>;
  readonly files: PartFiles;
  readonly log: Log;
  readonly now: () => number;
}

export class RecordingParts {
  readonly #parts: RecordingPartsParts;

  constructor(parts: RecordingPartsParts) {
    this.#parts = parts;
  }

  /** Up to where a call is on disk, ms of the call; 0: nothing of it. @throws PatchcordError `store.unavailable` */
  async storedMs({ tenant, callId }: Pick<RecordedCall, 'tenant' | 'callId'>): Promise<number> {
    return Math.max(0, ...(await this.of(tenant, callId)).map(endOf));
  }

  /** The parts of a call, in its order. @throws PatchcordError `store.unavailable` */
  of(tenant: TenantId, callId: CallId): Promise<readonly RecordingPart[]> {
    return this.#parts.store.recordingParts.ofCalls(tenant, [callId]);
  }

  /**
   * Keeps a stretch of a call.
   * @returns false where somebody else has the call's stream by now: nothing was kept
   * @throws PatchcordError `store.unavailable` where it can't be written
   */
  async keep(call: RecordedCall, startMs: number, pcm: Buffer): Promise<boolean> {
    const { store } = this.#parts;
    const part = await this.#write(call, startMs, [pcm]);
    if (await this.#told(part, () => store.recordingParts.add(part, call.holder))) return true;
    await this.#remove([part.file]);
    return false;
  }

  /**
   * Takes what was said from `atMs` on out of what is on disk. Where the rest of a part can't be written anew all of it goes: what must not be kept
   * counts more than what may be.
   * @returns false where somebody else has the call's stream by now
   * @throws PatchcordError `store.unavailable`: some of it may still be there
   */
  async cut(call: RecordedCall, atMs: number): Promise<boolean> {
    const { store, log } = this.#parts;
    for (const part of await this.of(call.tenant, call.callId)) {
      if (endOf(part) <= atMs) continue;
      const bytes = Math.max(0, Math.floor((atMs - part.startMs) * 16) * 4);
      let shorter: RecordingPart | null = null;
      if (bytes > 0) {
        try {
          shorter = await this.#write(call, part.startMs, this.read(part, 0, bytes));
        } catch (error) {
          const { callId } = call;
          log.error({ err: error, callId }, 'a part of a recording could not be shortened for a pause; all of it goes');
        }
      }
      const by = shorter;
      const isDone = await this.#told(by, () => store.recordingParts.replace(part.file, by, call.holder));
      await this.#remove(isDone ? [part.file] : by === null ? [] : [by.file]);
      if (!isDone) return false;
    }
    return true;
  }

  /** Sound of a part, bytes `from` (included) to `to` (not). @throws PatchcordError `store.unavailable` where its file is not there, or not what was written */
  async *read(part: RecordingPart, from: number, to: number): AsyncGenerator<Buffer> {
    const opened = await this.#parts.files.open({ ...part, of: part.callId });
    try {
      yield* opened.read(from, to);
    } finally {
      await opened.close();
    }
  }

  /**
   * Forgets the parts of a call.
   * @returns how many this took away
   * @throws PatchcordError `store.unavailable`: nothing was forgotten
   */
  async forget(callId: CallId): Promise<number> {
    const gone = await this.#parts.store.recordingParts.forget(callId);
    await this.#remove(gone.map(({ file }) => file));
    return gone.length;
  }

  async #write(
    { tenant, agent, callId }: RecordedCall,
    startMs: number,
    pcm: Iterable<Buffer> | AsyncIterable<Buffer>,
  ): Promise<RecordingPart> {
    const { files, now } = this.#parts;
    async function* sound(): AsyncGenerator<Buffer> {
      yield* pcm;
    }
    const { file, salt, bytes } = await files.write(tenant, callId, sound());
    return { callId, tenant, agent, file, salt, startMs, bytes, storedAt: now() };
  }

  /** A file whose row could not be written is nobody's. */
  async #told(part: RecordingPart | null, tell: () => Promise<boolean>): Promise<boolean> {
    try {
      return await tell();
    } catch (error) {
      // The store may have taken it without saying so: then the file is known, and stays.
      if (part !== null) await this.#removeUnknown(part);
      throw error;
    }
  }

  async #removeUnknown(part: RecordingPart): Promise<void> {
    try {
      const known = await this.of(part.tenant, part.callId);
      if (!known.some(({ file }) => file === part.file)) await this.#remove([part.file]);
    } catch {
      // Goes with a sweep.
    }
  }

  /** Nobody opens these any more; what can't be taken away now goes with a sweep. */
  async #remove(files: readonly string[]): Promise<void> {
    try {
      await this.#parts.files.remove(files);
    } catch (error) {
      this.#parts.log.warn({ err: error, files: files.length }, 'parts of recordings could not be taken away yet');
    }
  }
}

export function endOf({ startMs, bytes }: Pick<RecordingPart, 'startMs' | 'bytes'>): number {
  return startMs + bytes / partBytesPerMs;
}
