/**
 * The calls whose sound comes to this relay: who may send them, over which connection, and until when. Owns the claim on a call's stream among relays
 * and connections, and the second's look; how far streams are and their end is `open-streams.ts`. Must never transcribe or record the call of somebody
 * else, nor for a customer who did not ask for it.
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
import { recordingPolicyOf } from '../config/recording-policy.ts';
import { transcriptionOf } from '../config/transcription.ts';
import type { TenantConfig } from '../config.ts';
import type { SessionOwner } from '../identity/sessions.ts';
import type { TranscriptTeller } from '../live/transcripts.ts';
import type { Log } from '../logging.ts';
import type { RecordingParts } from '../recordings/parts.ts';
import type { Channel, ChannelOptions } from '../speech/channel-contract.ts';
import type { SpeechToText } from '../speech/speech-to-text.ts';
import type { Store } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import { OpenStreams } from './open-streams.ts';
import { isOwnCall, notHere, notOwn } from './own-call.ts';
import { recorderOf, stateOf } from './recorder-of.ts';
import type { SoundMetrics } from './sound-metrics.ts';
import { type SoundSender, type Stream, soundOf } from './stream.ts';

export interface CallSoundsParts {
  readonly tenants: Tenants;
  readonly store: Pick<Store, 'calls' | 'sound'>;
  readonly transcripts: TranscriptTeller;
  /** Where what is recorded goes. */
  readonly recordings: RecordingParts;
  readonly recorded: (tenant: TenantId, callId: CallId) => void;
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
  /** The sound from `fromMs` of the call on is to be kept; the connection hears whether it is. */
  record(fromMs: number): void;
  endRecord(atMs: number): void;
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
/** When this relay stops: what is not heard by then is sent again to the next one. */
const stopMs = 3_000;

export class CallSounds {
  readonly #parts: CallSoundsParts;
  readonly #streams: OpenStreams;
  /** One after the other for each call: two connections never both begin it. */
  readonly #opening = new Map<CallId, Promise<unknown>>();
  readonly #services = new Map<TenantId, SpeechToText>();
  #looking: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isStopping = false;

  constructor(parts: CallSoundsParts) {
    this.#parts = parts;
    this.#streams = new OpenStreams(parts);
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), lookMs);
    this.#timer.unref();
  }

  /**
   * Takes the stream of a call over from whoever has it.
   * @throws PatchcordError `call.unknown`: neither transcribed nor recorded, over, or not this agent's; `request.too-many`; `store.unavailable`
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
    for (const stream of this.#streams.of(tenant, agent))
      if (device === null || stream.owner.device === device) this.#streams.drop(stream);
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
      const streams = this.#streams.all();
      const lastMs = Math.min(stopMs, withinMs);
      await Promise.all(streams.map((stream) => stream.ending ?? this.#streams.finish(stream, lastMs, false)));
      await this.#looking;
      await this.#streams.write(streams);
    };
    await Promise.race([finish(), deadline]);
    clearTimeout(timer);
    for (const stream of this.#streams.all()) this.#streams.drop(stream);
  }

  async #open(owner: SessionOwner, callId: CallId, sender: SoundSender): Promise<SoundSeat> {
    const { tenants, store, now } = this.#parts;
    const { tenant, agent } = tenants.knownAgent(owner.tenant, owner.agent);
    const transcription = transcriptionOf(tenant.config, agent);
    const { mode } = recordingPolicyOf(tenant.config, agent);
    if (transcription === null && mode === 'never')
      throw notHere('The calls of this agent are neither transcribed nor recorded. Nothing was taken.');
    this.#mustTakeMore(null);
    const here = await this.#streamOf(callId);
    if (here !== undefined) return this.#moveTo(here, owner, sender);
    this.#mustTakeMore(owner);
    const isKnown = await isOwnCall(this.#parts, owner, callId);
    const holder = randomUUID();
    const position = await store.sound.claim({ tenant: owner.tenant, agent: owner.agent, callId }, holder, now());
    if (position === 'other') throw notOwn();
    const recorder = await recorderOf({
      parts: this.#parts,
      mode,
      call: { tenant: owner.tenant, agent: owner.agent, callId, holder },
      sender: () => stream.sender,
    });
    // Once more: a page may begin as many at once as it likes, and the relay may have been told to stop.
    this.#mustTakeMore(owner);
    const stream: Stream = {
      callId,
      owner,
      holder,
      recorder,
      sound: soundOf({
        parts: this.#parts,
        speech: transcription === null ? null : { service: this.#serviceOf(tenant.config), request: transcription },
        owner,
        callId,
        recorder,
        position,
        sender: () => stream.sender,
        isOurs: () => this.#streams.isOurs(stream),
      }),
      openedAt: now(),
      sender,
      leftAt: null,
      isKnown,
      lookedAt: now(),
      written: JSON.stringify(position),
      isHeard: true,
      ending: null,
      isCallOver: false,
    };
    this.#streams.add(stream);
    return this.#seat(stream, sender);
  }

  /** The stream that a connection may take over. One that is being given up is waited for: its call goes on from the store. */
  async #streamOf(callId: CallId): Promise<Stream | undefined> {
    const here = this.#streams.get(callId);
    if (here === undefined || here.ending === null || here.isCallOver) return here;
    await here.ending;
    return this.#streams.get(callId);
  }

  /** @param owner Whose next stream it is; null: one that is here already */
  #mustTakeMore(owner: SessionOwner | null): void {
    if (this.#isStopping) throw new PatchcordError('relay.unreachable', 'The relay is restarting. Come back later.');
    if (owner !== null && this.#streams.of(owner.tenant, owner.agent).length >= streamsOfAgent)
      throw new PatchcordError('request.too-many', 'Too many calls of this agent are heard at once.');
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
    const isOurs = (): boolean => stream.sender === sender && this.#streams.has(stream);
    return {
      next,
      take: (frame) => {
        if (!isOurs() || this.#isStopping || stream.ending !== null) return 'repeated';
        stream.isHeard = true;
        return stream.sound.take(frame);
      },
      pause: (atMs) => {
        if (isOurs()) stream.sound.pause(atMs);
      },
      record: (fromMs) => {
        if (!isOurs()) return;
        stream.recorder?.record(fromMs);
        sender.send(stateOf(stream.recorder?.state ?? null));
      },
      endRecord: (atMs) => {
        if (isOurs()) stream.recorder?.end(atMs);
      },
      end: async () => {
        if (isOurs()) await this.#streams.end(stream);
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
    const streams = this.#streams.all().filter(({ ending }) => ending === null);
    for (const { recorder } of streams) recorder?.look();
    await this.#streams.write(streams);
    for (const stream of streams) {
      if (!this.#streams.has(stream)) continue;
      if (stream.leftAt !== null && now() - stream.leftAt > patienceMs) void this.#streams.giveUp(stream);
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
      if (errorCode(error) === 'call.unknown') this.#streams.drop(stream, error as PatchcordError);
    }
  }
}
