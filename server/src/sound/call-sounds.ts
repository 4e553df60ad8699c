/**
 * The calls whose sound comes to this relay: whose they are, who sends them, how far they are, and their end. Owns the claim on a call's stream
 * among relays and connections, and the second's look that writes positions down before a page may forget its sound. Must never transcribe the
 * call of somebody else, nor for a customer who did not ask for it.
 */
import { randomUUID } from 'node:crypto';
import {
  type AgentId,
  type CallId,
  type DeviceId,
  errorCode,
  PatchcordError,
  type SoundBytes,
  type TenantId,
} from '@patchcord/call-protocol';
import { transcriptionOf } from '../config/transcription.ts';
import type { TenantConfig } from '../config.ts';
import type { SessionOwner } from '../identity/sessions.ts';
import type { TranscriptTeller } from '../live/transcripts.ts';
import type { Log } from '../logging.ts';
import type { Channel, ChannelOptions } from '../speech/channel-contract.ts';
import type { SpeechToText } from '../speech/speech-to-text.ts';
import type { Store } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import { isOwnCall, notHere, notOwn } from './own-call.ts';
import type { SoundMetrics } from './sound-metrics.ts';
import { type SoundSender, type Stream, soundOf } from './stream.ts';

export interface CallSoundsParts {
  readonly tenants: Tenants;
  readonly store: Pick<Store, 'calls' | 'sound'>;
  readonly transcripts: TranscriptTeller;
  /** The service of a tenant that has its calls transcribed. Asked once for each. */
  readonly openService: (config: TenantConfig) => SpeechToText;
  readonly createChannel: (options: ChannelOptions) => Channel;
  readonly metrics: SoundMetrics;
  readonly log: Log;
  readonly now: () => number;
  readonly random: () => number;
}

/** A stream, as its connection has it. */
export interface SoundSeat {
  readonly next: number;
  take(frame: SoundBytes): 'heard' | 'repeated' | 'too-much' | 'malformed';
  pause(atMs: number): void;
  /** The call is over: resolves when its last words were told. */
  end(): Promise<void>;
  /** The connection is gone; another one may come. */
  leave(): void;
}

/** Calls of one agent at once: one, those on hold, a consult, and what a crash left. */
const streamsOfAgent = 8;
const lookMs = 1_000;
/** A page that is gone is waited for this long, with the sound that the service has not finished. */
const patienceMs = 60_000;
/** A call that nobody told of within this time is none: a page's journal may come late, and its sound does not wait for that. */
const unknownMs = 120_000;
const lastWordsMs = 10_000;
/** When this relay stops: what is not heard by then is sent again to the next one. */
const stopMs = 3_000;

export class CallSounds {
  readonly #parts: CallSoundsParts;
  readonly #streams = new Map<CallId, Stream>();
  /** One after the other for each call: two connections never both begin it. */
  readonly #opening = new Map<CallId, Promise<unknown>>();
  readonly #services = new Map<TenantId, SpeechToText>();
  #looking: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(parts: CallSoundsParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), lookMs);
    this.#timer.unref();
  }

  /**
   * Takes the stream of a call over from whoever has it.
   * @throws PatchcordError `call.unknown`: not transcribed, over, or not this agent's; `request.too-many`; `store.unavailable`
   */
  async open(owner: SessionOwner, callId: CallId, sender: SoundSender): Promise<SoundSeat> {
    const before = this.#opening.get(callId) ?? Promise.resolve();
    const opening = before.then(() => this.#open(owner, callId, sender));
    const done = opening.catch(() => {});
    this.#opening.set(callId, done);
    try {
      return await opening;
    } finally {
      if (this.#opening.get(callId) === done) this.#opening.delete(callId);
    }
  }

  /** Ends the streams of an agent, or of one device: what was not told by now is not told. */
  endOf(tenant: TenantId, agent: AgentId, device: DeviceId | null): void {
    for (const stream of [...this.#streams.values()]) {
      const { owner } = stream;
      if (owner.tenant === tenant && owner.agent === agent && (device === null || owner.device === device))
        this.#drop(stream);
    }
  }

  /** Writes down how far the streams are and says so; ends what nobody sends any more. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  /** Takes nothing any more; resolves when last words were told and positions written, or after `withinMs`. */
  async stop(withinMs: number): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#timer);
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    const finish = async (): Promise<void> => {
      const streams = [...this.#streams.values()];
      await Promise.all(streams.map((stream) => stream.ending ?? this.#finish(stream, Math.min(stopMs, withinMs))));
      await this.#looking;
      await this.#write(streams);
    };
    await Promise.race([finish(), deadline]);
    clearTimeout(timer);
    for (const stream of [...this.#streams.values()]) this.#drop(stream);
  }

  async #open(owner: SessionOwner, callId: CallId, sender: SoundSender): Promise<SoundSeat> {
    const { tenants, store, now } = this.#parts;
    const { tenant, agent } = tenants.knownAgent(owner.tenant, owner.agent);
    const transcription = transcriptionOf(tenant.config, agent);
    if (transcription === null) throw notHere('The calls of this agent are not transcribed. Nothing was taken.');
    if (this.#isStopping) throw new PatchcordError('relay.unreachable', 'The relay is restarting. Come back later.');
    const here = this.#streams.get(callId);
    if (here !== undefined) return this.#moveTo(here, owner, sender);
    const own = [...this.#streams.values()].filter(
      (one) => one.owner.agent === owner.agent && one.owner.tenant === owner.tenant,
    );
    if (own.length >= streamsOfAgent)
      throw new PatchcordError('request.too-many', 'Too many calls of this agent are transcribed at once.');
    const isKnown = await isOwnCall(this.#parts, owner, callId);
    const holder = randomUUID();
    const position = await store.sound.claim({ tenant: owner.tenant, agent: owner.agent, callId }, holder, now());
    if (position === 'other') throw notOwn();
    const stream: Stream = {
      callId,
      owner,
      holder,
      sound: soundOf({
        parts: this.#parts,
        service: this.#serviceOf(tenant.config),
        owner,
        callId,
        request: transcription,
        position,
        sender: () => stream.sender,
      }),
      openedAt: now(),
      sender,
      leftAt: null,
      isKnown,
      lookedAt: now(),
      written: JSON.stringify(position),
      ending: null,
    };
    this.#streams.set(callId, stream);
    this.#parts.metrics.streams.inc();
    return this.#seat(stream, sender);
  }

  /** The page was loaded anew, or its connection broke without a word. */
  #moveTo(stream: Stream, owner: SessionOwner, sender: SoundSender): SoundSeat {
    if (stream.owner.tenant !== owner.tenant || stream.owner.agent !== owner.agent) throw notOwn();
    if (stream.ending !== null) throw notHere('This call is over. Nothing was taken.');
    const former = stream.sender;
    stream.sender = sender;
    stream.leftAt = null;
    former?.close(
      4409,
      new PatchcordError('request.invalid', 'The stream of this call goes on over another connection.'),
    );
    return this.#seat(stream, sender);
  }

  #serviceOf(config: TenantConfig): SpeechToText {
    const tenant = config.id as TenantId;
    const service = this.#services.get(tenant) ?? this.#parts.openService(config);
    this.#services.set(tenant, service);
    return service;
  }

  #seat(stream: Stream, sender: SoundSender): SoundSeat {
    const next = stream.sound.attach();
    const { state, message } = stream.sound.service;
    if (state !== 'there') sender.send({ type: 'service', state, message });
    const isOurs = (): boolean => stream.sender === sender && this.#streams.get(stream.callId) === stream;
    return {
      next,
      take: (frame) =>
        isOurs() && !this.#isStopping && stream.ending === null ? stream.sound.take(frame) : 'repeated',
      pause: (atMs) => {
        if (isOurs()) stream.sound.pause(atMs);
      },
      end: async () => {
        if (isOurs()) await this.#end(stream);
      },
      leave: () => {
        if (!isOurs()) return;
        stream.sender = null;
        stream.leftAt = this.#parts.now();
      },
    };
  }

  async #look(): Promise<void> {
    const { now } = this.#parts;
    const streams = [...this.#streams.values()].filter(({ ending }) => ending === null);
    await this.#write(streams);
    for (const stream of streams) {
      if (this.#streams.get(stream.callId) !== stream) continue;
      if (stream.leftAt !== null && now() - stream.leftAt > patienceMs) void this.#end(stream);
      else if (!stream.isKnown && now() - stream.lookedAt >= 5 * lookMs) await this.#lookWhose(stream);
    }
  }

  /** A call that was unknown when its stream began. */
  async #lookWhose(stream: Stream): Promise<void> {
    stream.lookedAt = this.#parts.now();
    try {
      stream.isKnown = await isOwnCall(this.#parts, stream.owner, stream.callId);
      if (!stream.isKnown && stream.lookedAt - stream.openedAt > unknownMs)
        throw notHere('Nobody told of this call. Its sound is not taken any longer.');
    } catch (error) {
      // While the store is away nobody can tell.
      if (errorCode(error) === 'call.unknown') this.#drop(stream, error as PatchcordError);
    }
  }

  /** Positions first, then the word to the page: what it forgets is never needed again. */
  async #write(streams: readonly Stream[]): Promise<void> {
    const { store, log, now } = this.#parts;
    const moved = streams.flatMap((stream) => {
      const position = stream.sound.position();
      const text = JSON.stringify(position);
      return text === stream.written ? [] : [{ stream, position, text }];
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
        this.#drop(
          stream,
          new PatchcordError('request.invalid', 'The stream of this call goes on at another relay.'),
          4409,
        );
        continue;
      }
      stream.written = text;
      stream.sender?.send({ type: 'settled', next: position.next });
    }
  }

  #end(stream: Stream): Promise<void> {
    stream.ending ??= this.#over(stream);
    return stream.ending;
  }

  async #over(stream: Stream): Promise<void> {
    const { store, log } = this.#parts;
    await this.#finish(stream, lastWordsMs);
    const { next } = stream.sound.position();
    const { sender } = stream;
    const wasHere = this.#streams.get(stream.callId) === stream;
    this.#drop(stream);
    if (!wasHere) return;
    try {
      await store.sound.remove(stream.callId, stream.holder);
    } catch (error) {
      log.warn({ err: error, callId: stream.callId }, 'that a transcribed call is over could not be written');
    }
    sender?.send({ type: 'settled', next });
  }

  async #finish(stream: Stream, withinMs: number): Promise<void> {
    await stream.sound.finish(withinMs);
    this.#parts.transcripts.release(stream.owner.tenant, stream.callId);
    await stream.sound.settled();
  }

  #drop(stream: Stream, error?: PatchcordError, code = 4404): void {
    if (this.#streams.get(stream.callId) !== stream) return;
    this.#streams.delete(stream.callId);
    this.#parts.metrics.streams.dec();
    stream.sound.drop();
    if (error !== undefined) stream.sender?.close(code, error);
  }
}
