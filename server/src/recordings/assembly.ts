/**
 * From the parts of a recording to the recording, once its call is over: one WAV file of two channels in which what was paused, lost or not to be
 * recorded is silence. Any relay does it, for calls that ended here and for those that another one left behind. Owns when a call's parts are complete
 * and that they go only when the recording is kept. Must never keep two recordings of a call.
 */
import { type CallId, errorCode, soundRate, type TenantId } from '@patchcord/call-protocol';
import type { Audit } from '../audit.ts';
import type { Log } from '../logging.ts';
import type { CallInParts, RecordingPart, Store, StoredCall, StoredRecording } from '../store/contract.ts';
import { endOf, partBytesPerMs } from './parts.ts';
import type { Recordings } from './recordings.ts';
import { wavHeader } from './wav.ts';

interface AssemblyParts {
  readonly store: Pick<Store, 'recordings' | 'recordingParts' | 'calls' | 'keeping'>;
  readonly recordings: Recordings;
  readonly audit: Pick<Audit, 'note'>;
  /** Counts what becomes of recordings. */
  readonly count: (result: 'stored') => void;
  readonly log: Log;
  readonly now: () => number;
}

const lookMs = 1_000;
/** Calls that other relays left are looked for this often. */
const leftEveryMs = 5_000;
/** A stream of which nothing was heard for so long has no page any more: sound is not taken later after a call's end. */
const streamGoneMs = 120_000;
/** After the last word of a call: a page that was cut off may still have sound of it. */
const settleMs = 15_000;
/** The same where a rule ended the call: its phone may think otherwise. */
const ruleSettleMs = 600_000;
/** A call whose end this relay was told over its stream is tried for so long each second, then with the others. */
const soonMs = 120_000;
/** A part whose file does not open may be on a disk that is away; then its time is silence. */
const patientMs = 86_400_000;
/** A call nobody told of in this time is none. */
const unknownMs = 86_400_000;
const atOnce = 100;
const silence = Buffer.alloc(65_536);
const format = { codec: 'pcm16', rate: soundRate, channels: 2 } as const;

export class Assembly {
  readonly #parts: AssemblyParts;
  /** Calls that ended here, and when. */
  readonly #ended = new Map<CallId, { readonly tenant: TenantId; readonly at: number }>();
  #leftAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: AssemblyParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), lookMs);
    this.#timer.unref();
  }

  /** Resolves when the recording that is being made is kept. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** The stream of a call is over: all that will be heard of it is in its parts. */
  over(tenant: TenantId, callId: CallId): void {
    this.#ended.set(callId, { tenant, at: this.#parts.now() });
  }

  /** Makes what can be made. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  /**
   * Makes the recording of a call that is over, now, whoever asks at the same moment.
   * @returns it; null where the call is not over, or nothing of it was recorded
   * @throws PatchcordError `store.unavailable`
   */
  async finish(call: StoredCall): Promise<StoredRecording | null> {
    const { recordings, store, log } = this.#parts;
    const { tenant, callId } = call;
    const all = await recordings.unfinished.of(tenant, callId);
    // A stream may begin before anybody told whose call it is.
    const parts = all.filter(({ agent }) => agent === call.agent);
    if (all.length === 0 || call.log === null || call.log.stage === 'live') return null;
    if (parts.length === 0) {
      await this.#discard(tenant, all, 'another agent’s call');
      return null;
    }
    const [known] = await store.recordings.ofCalls(tenant, [callId]);
    if (known !== undefined) return this.#besides(known, parts);
    const readable = await this.#readable(parts);
    if (readable.size === 0) {
      log.error({ callId, parts: parts.length }, 'no part of a recording can be read any more');
      await this.#discard(tenant, parts, 'unreadable');
      return null;
    }
    try {
      const { isNew, recording } = await recordings.take(call, 'agent,far-side', this.#file(parts, readable), 'relay');
      const { durationMs, channels } = recording;
      if (isNew) {
        this.#parts.count('stored');
        const data = { durationMs, channels, parts: parts.length };
        void this.#note(tenant, 'recording.stored', callId, data);
      }
      await recordings.unfinished.forget(callId);
      return recording;
    } catch (error) {
      // Somebody else's came in between: another relay's, or a phone system's.
      const code = errorCode(error);
      if (code !== 'request.invalid' && code !== 'recording.deleted') throw error;
      const [meanwhile] = await store.recordings.ofCalls(tenant, [callId]);
      if (meanwhile === undefined) throw error;
      return this.#besides(meanwhile, parts);
    }
  }

  async #look(): Promise<void> {
    const { now, log, store } = this.#parts;
    try {
      for (const [callId, { tenant, at }] of [...this.#ended]) {
        const isDone = await this.#tried({ tenant, callId, storedAt: at }, true);
        if (isDone || now() - at > soonMs) this.#ended.delete(callId);
      }
      if (now() - this.#leftAt < leftEveryMs) return;
      this.#leftAt = now();
      for (let after: CallId | null = null; ; ) {
        const left: readonly CallInParts[] = await store.recordingParts.left(now() - streamGoneMs, after, atOnce);
        after = left.at(-1)?.callId ?? null;
        for (const one of left) if (!this.#ended.has(one.callId)) await this.#tried(one, false);
        if (left.length < atOnce || after === null) return;
      }
    } catch (error) {
      log.warn({ err: error }, 'recordings could not be looked after');
    }
  }

  /** @returns whether nothing is left to do for it */
  async #tried({ tenant, callId, storedAt }: CallInParts, isTold: boolean): Promise<boolean> {
    const { store, log, now } = this.#parts;
    try {
      const call = (await store.calls.readCalls([callId])).get(callId)?.call;
      if (call === undefined || call.tenant !== tenant) {
        if (isTold || now() - storedAt < unknownMs || (await this.#isHeld(tenant, callId))) return false;
        await this.#discard(tenant, await this.#parts.recordings.unfinished.of(tenant, callId), 'no call');
        return true;
      }
      if (!(isTold ? isOver(call) : isQuiet(call, storedAt, now()))) return false;
      await this.finish(call);
      return true;
    } catch (error) {
      log.warn({ err: error, tenant, callId }, 'the recording of a call could not be made yet');
      return false;
    }
  }

  /** The call has a recording: its parts are that, or go. */
  async #besides(known: StoredRecording, parts: readonly RecordingPart[]): Promise<StoredRecording | null> {
    const { recordings } = this.#parts;
    const lastMs = Math.max(0, ...parts.map(endOf));
    const isOurs = known.madeBy === 'relay' && known.deletedAt === null;
    if (isOurs) await recordings.tellAgain(known);
    if (isOurs && known.durationMs + 1 >= lastMs) await recordings.unfinished.forget(known.callId);
    else {
      const why = isOurs ? 'late' : known.deletedAt === null ? 'phone system’s is kept' : 'deleted before';
      await this.#discard(known.tenant, parts, why);
    }
    return known.deletedAt === null ? known : null;
  }

  async #discard(tenant: TenantId, parts: readonly RecordingPart[], why: string): Promise<void> {
    const [first] = parts;
    if (first === undefined) return;
    const gone = await this.#parts.recordings.unfinished.forget(first.callId);
    const ms = Math.round(parts.reduce((sum, { bytes }) => sum + bytes / partBytesPerMs, 0));
    if (gone > 0) void this.#note(tenant, 'recording.discarded', first.callId, { why, parts: gone, ms });
  }

  #note(
    tenant: TenantId,
    act: 'recording.stored' | 'recording.discarded',
    callId: CallId,
    data: Readonly<Record<string, string | number>>,
  ): Promise<void> {
    const { audit, now } = this.#parts;
    return audit.note({ tenant, actor: 'relay', act, subject: `call:${callId}`, data, at: now() });
  }

  async #isHeld(tenant: TenantId, callId: CallId): Promise<boolean> {
    const holds = await this.#parts.store.keeping.holds(tenant);
    return holds.some(({ kind, subject }) => kind === 'call' && subject === callId);
  }

  /** Parts that can be read; one whose file does not open is waited for at first, since its disk may be away. */
  async #readable(parts: readonly RecordingPart[]): Promise<ReadonlySet<RecordingPart>> {
    const { recordings, now, log } = this.#parts;
    const readable = new Set<RecordingPart>();
    for (const part of parts) {
      try {
        if (now() - part.storedAt >= patientMs) await readThrough(recordings.unfinished.read(part, 0, part.bytes));
        readable.add(part);
      } catch (error) {
        const { callId, startMs } = part;
        log.error({ err: error, callId, startMs }, 'a part of a recording can’t be read; its time is silence');
      }
    }
    return readable;
  }

  /** The parts as one file, from the answer of the call to the end of the last. */
  async *#file(parts: readonly RecordingPart[], readable: ReadonlySet<RecordingPart>): AsyncGenerator<Buffer> {
    const bytes = Math.max(...parts.map(endByte));
    yield wavHeader(format, bytes);
    let at = 0;
    for (const part of parts) {
      const start = startByte(part);
      if (!readable.has(part) || endByte(part) <= at) continue;
      yield* silent(start - at);
      const from = Math.max(0, at - start);
      yield* this.#parts.recordings.unfinished.read(part, from, part.bytes);
      at = endByte(part);
    }
    yield* silent(bytes - at);
  }
}

async function readThrough(sound: AsyncGenerator<Buffer>): Promise<void> {
  let piece = await sound.next();
  while (!piece.done) piece = await sound.next();
}

function isOver({ log }: StoredCall): boolean {
  return log !== null && log.stage !== 'live';
}

/** Whether a call that nobody said the end of over its stream has no more sound to come. */
function isQuiet(call: StoredCall, storedAt: number, now: number): boolean {
  const { log, touchedAt } = call;
  if (log === null || !isOver(call)) return false;
  const waitMs = log.endedByRule ? ruleSettleMs : settleMs;
  // While an agent writes the wrap-up the call is heard of again and again.
  return now - Math.max(touchedAt, storedAt) > waitMs || now - Math.max(log.endedAt ?? now, storedAt) > ruleSettleMs;
}

function startByte({ startMs }: RecordingPart): number {
  return Math.round(startMs * (soundRate / 1_000)) * 4;
}

function endByte(part: RecordingPart): number {
  return startByte(part) + part.bytes;
}

function* silent(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= silence.length) yield silence.subarray(0, Math.min(left, silence.length));
}
