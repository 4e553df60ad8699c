/**
 * The streams that are open at this relay: whose they are, how far each is written down, and how one ends. Owns that a page is told to forget only what
 * stands in the store, and that a stream which another relay has taken is let go of here. Must never decide who may begin one.
 */
import { type AgentId, type CallId, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { TranscriptTeller } from '../live/transcripts.ts';
import type { Log } from '../logging.ts';
import type { Store } from '../store/contract.ts';
import type { SoundMetrics } from './sound-metrics.ts';
import type { Stream } from './stream.ts';

export interface OpenStreamsParts {
  readonly store: Pick<Store, 'sound'>;
  readonly transcripts: Pick<TranscriptTeller, 'release' | 'drop'>;
  /** Told of each stream that ended with its call, once all of it that was recorded is in parts. */
  readonly recorded: (tenant: TenantId, callId: CallId) => void;
  readonly metrics: Pick<SoundMetrics, 'streams'>;
  readonly log: Log;
  readonly now: () => number;
}

const lastWordsMs = 10_000;

export class OpenStreams {
  readonly #parts: OpenStreamsParts;
  readonly #streams = new Map<CallId, Stream>();

  constructor(parts: OpenStreamsParts) {
    this.#parts = parts;
  }

  /** A copy: streams may end while somebody looks at them. */
  all(): readonly Stream[] {
    return [...this.#streams.values()];
  }

  of(tenant: TenantId, agent: AgentId): readonly Stream[] {
    return this.all().filter(({ owner }) => owner.tenant === tenant && owner.agent === agent);
  }

  get(callId: CallId): Stream | undefined {
    return this.#streams.get(callId);
  }

  /** Whether it is still the stream of its call at this relay. */
  has(stream: Stream): boolean {
    return this.#streams.get(stream.callId) === stream;
  }

  add(stream: Stream): void {
    this.#streams.set(stream.callId, stream);
    this.#parts.metrics.streams.inc();
  }

  /**
   * Writes positions first, then says so to the pages: what a page forgets is never needed again. Lets go of what another relay has by now, also
   * where nothing moved. Never rejects; while the store is away pages keep their sound.
   */
  async write(streams: readonly Stream[]): Promise<void> {
    const { store, log, now } = this.#parts;
    const moved = streams.flatMap((stream) => {
      const position = stream.sound.position();
      const text = JSON.stringify(position);
      const isSure = text === stream.written && stream.isHeard;
      stream.isHeard = false;
      return isSure ? [] : [{ stream, position, text }];
    });
    if (moved.length === 0) return;
    let lost: readonly CallId[];
    try {
      lost = await store.sound.put(
        moved.map(({ stream: { callId, holder }, position }) => ({ callId, holder, position })),
        now(),
      );
    } catch (error) {
      log.warn({ err: error }, 'how far calls are transcribed could not be written; pages keep their sound');
      return;
    }
    for (const { stream, position, text } of moved) {
      if (lost.includes(stream.callId)) {
        const elsewhere = 'The stream of this call goes on at another relay.';
        this.drop(stream, new PatchcordError('request.invalid', elsewhere), 4409);
        continue;
      }
      if (stream.written === text) continue;
      stream.written = text;
      stream.sender?.send({ type: 'settled', next: position.next });
    }
  }

  /** Asks the store whether a stream is still this relay's, and lets go of it if not. True while the store is away. */
  async isOurs(stream: Stream): Promise<boolean> {
    stream.isHeard = false;
    await this.write([stream]);
    return this.has(stream);
  }

  /** The call is over: resolves when its last words were told. Asked twice it ends once. */
  end(stream: Stream): Promise<void> {
    stream.isCallOver = true;
    stream.ending ??= this.#over(stream);
    return stream.ending;
  }

  /** Nobody sends it here any more. Its last words are told; how far it was stays, for a page that comes late: lines never get a number twice. */
  giveUp(stream: Stream): Promise<void> {
    stream.ending ??= this.#over(stream);
    return stream.ending;
  }

  /** Waits for the last words and for where they stay, `withinMs` at most for the service. @param isLast No relay is to go on with it */
  async finish(stream: Stream, withinMs: number, isLast: boolean): Promise<void> {
    await stream.sound.finish(withinMs, isLast);
    this.#parts.transcripts.release(stream.owner.tenant, stream.callId);
    await stream.sound.settled();
  }

  /** Ends it at once: what was not told by now is not told. @param code Close code of its connection, with an error only */
  drop(stream: Stream, error?: PatchcordError, code = 4404): void {
    if (!this.has(stream)) return;
    this.#streams.delete(stream.callId);
    this.#parts.metrics.streams.dec();
    stream.sound.drop();
    this.#parts.transcripts.drop(stream.owner.tenant, stream.callId);
    if (error !== undefined) stream.sender?.close(code, error);
  }

  async #over(stream: Stream): Promise<void> {
    const { store, log } = this.#parts;
    await this.finish(stream, lastWordsMs, true);
    if (!stream.isCallOver) await this.write([stream]);
    const { next } = stream.sound.position();
    const { sender } = stream;
    const wasHere = this.has(stream);
    this.drop(stream);
    if (!wasHere || !stream.isCallOver) return;
    try {
      await store.sound.remove(stream.callId, stream.holder);
    } catch (error) {
      log.warn({ err: error, callId: stream.callId }, 'that a transcribed call is over could not be written');
    }
    if (stream.recorder !== null) this.#parts.recorded(stream.owner.tenant, stream.callId);
    sender?.send({ type: 'settled', next });
  }
}
