/**
 * What panel and relay say to each other over `WS /v1/sound`: the sound of one call, once, for whoever transcribes it. Owns the shape of a frame
 * and of the messages around it. Two channels of 16-bit PCM, 16 kHz, little-endian; a channel that is silent is left out of its frame.
 */
import * as v from 'valibot';
import { CallIdSchema } from './ids.ts';

export const soundRate = 16_000;
/** The usual length of a frame: frames, not bytes, are what a relay works for. */
export const soundFrameMs = 100;
/** What the phone keeps of a call's sound until the relay needs it no more. Older sound is a gap, and marked. */
export const soundKeptMs = 30_000;
/** The same while the call is recorded: 64 kB a second. */
export const recordedSoundKeptMs = 120_000;

const headerBytes = 12;
const version = 1;
const carriesAgent = 1;
const carriesFarSide = 2;
const mostSamples = soundRate;

/** One stretch of a call. `null`: nothing was to be heard of that side. */
export interface SoundFrame {
  /** Counts from 0 within a call; a reload goes on counting. */
  readonly number: number;
  /** From the answer, ms. What lies between two frames was not heard. */
  readonly startMs: number;
  readonly samples: number;
  readonly agent: Int16Array | null;
  readonly farSide: Int16Array | null;
}

/** A frame as bytes: version, flags, samples (16 bit), number, start (32 bit, network order), then the channels that it carries. */
export function encodeSoundFrame(frame: SoundFrame): Uint8Array<ArrayBuffer> {
  const channels = [frame.agent, frame.farSide].filter((channel) => channel !== null);
  const bytes = new Uint8Array(headerBytes + channels.length * frame.samples * 2);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, version);
  view.setUint8(1, (frame.agent ? carriesAgent : 0) | (frame.farSide ? carriesFarSide : 0));
  view.setUint16(2, frame.samples);
  view.setUint32(4, frame.number);
  view.setUint32(8, frame.startMs);
  let at = headerBytes;
  for (const channel of channels) {
    for (const sample of channel) {
      view.setInt16(at, sample, true);
      at += 2;
    }
  }
  return bytes;
}

/** A frame as it lies in the message: a relay that only hands sound on copies none of it. */
export interface SoundBytes {
  readonly number: number;
  readonly startMs: number;
  readonly samples: number;
  /** PCM16 little-endian; they share the memory of the message. */
  readonly agent: Uint8Array | null;
  readonly farSide: Uint8Array | null;
}

/** Looks into a frame; null for bytes that are none: they come from a page. */
export function readSoundFrame(bytes: Uint8Array): SoundBytes | null {
  if (bytes.byteLength < headerBytes) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint8(1);
  const samples = view.getUint16(2);
  const channels = (flags & carriesAgent ? 1 : 0) + (flags & carriesFarSide ? 1 : 0);
  const fits = bytes.byteLength === headerBytes + channels * samples * 2;
  if (view.getUint8(0) !== version || flags > 3 || samples === 0 || samples > mostSamples || !fits) return null;
  const channel = (index: number): Uint8Array =>
    bytes.subarray(headerBytes + index * samples * 2, headerBytes + (index + 1) * samples * 2);
  return {
    number: view.getUint32(4),
    startMs: view.getUint32(8),
    samples,
    agent: flags & carriesAgent ? channel(0) : null,
    farSide: flags & carriesFarSide ? channel(flags & carriesAgent ? 1 : 0) : null,
  };
}

/** Reads a frame into samples; null for bytes that are none. */
export function decodeSoundFrame(bytes: Uint8Array): SoundFrame | null {
  const read = readSoundFrame(bytes);
  if (read === null) return null;
  const samples = (pcm: Uint8Array | null): Int16Array | null => {
    if (pcm === null) return null;
    const view = new DataView(pcm.buffer, pcm.byteOffset, pcm.byteLength);
    return Int16Array.from({ length: read.samples }, (_, at) => view.getInt16(at * 2, true));
  };
  return { ...read, agent: samples(read.agent), farSide: samples(read.farSide) };
}

/** `WS /v1/sound`, panel → relay. The first message authenticates, the second names the call; then frames, as binary messages. */
export const SoundMessageSchema = v.variant('type', [
  v.object({
    type: v.literal('authenticate'),
    token: v.pipe(v.string(), v.maxLength(4_096)),
    /** DPoP proof (method GET, the socket's URL). */
    proof: v.optional(v.pipe(v.string(), v.maxLength(4_096))),
  }),
  /** `from`: the number of the next frame that can be sent; earlier ones that the relay still needs are a gap. */
  v.object({ type: v.literal('call'), call: CallIdSchema, from: v.pipe(v.number(), v.integer(), v.minValue(0)) }),
  /**
   * Nothing may be heard from `atMs` of the call on: what was is forgotten, also where its words are still to come. The phone forgets what it keeps
   * from there on; the next frame that begins later ends the pause, and the transcript says how long it was. Said again on a new connection
   * while it lasts.
   */
  v.object({ type: v.literal('pause'), atMs: v.pipe(v.number(), v.minValue(0), v.maxValue(0xffff_ffff)) }),
  /** The sound from `fromMs` of the call on is to be kept as its recording, beside whatever else is done with it. Said again on a new connection while it lasts. */
  v.object({ type: v.literal('record'), fromMs: v.pipe(v.number(), v.minValue(0), v.maxValue(0xffff_ffff)) }),
  /** From here on it is not kept any more; what was stays. */
  v.object({ type: v.literal('record-end'), atMs: v.pipe(v.number(), v.minValue(0), v.maxValue(0xffff_ffff)) }),
  /** Nothing more comes: last words may be waited for. */
  v.object({ type: v.literal('end') }),
]);
export type SoundMessage = v.InferOutput<typeof SoundMessageSchema>;

/**
 * `WS /v1/sound`, relay → panel. Besides the live socket's close codes: 1000 after `end`, 4404 this call is not transcribed (off, over, or not this
 * agent's: asking again is no use), 4409 the stream goes on over another connection, 4429 too much at once.
 */
export const SoundAnswerSchema = v.variant('type', [
  v.object({ type: v.literal('authenticated') }),
  /** Send from this number on, or from the first that is kept; whoever counts lower (its count was lost) goes on with this one. */
  v.object({ type: v.literal('listening'), next: v.pipe(v.number(), v.integer(), v.minValue(0)) }),
  /** Frames before this number are needed no more, even by a relay that starts anew. */
  v.object({ type: v.literal('settled'), next: v.pipe(v.number(), v.integer(), v.minValue(0)) }),
  /** Whether words come: `away` while the service does not answer, and why, in words for a person. The sound is kept meanwhile. */
  v.object({ type: v.literal('service'), state: v.picklist(['there', 'away', 'refused']), message: v.string() }),
  /** Whether what is to be recorded is being kept: `away` while it can't be written (the phone keeps what it can), `refused` where it may not. */
  v.object({ type: v.literal('recorder'), state: v.picklist(['there', 'away', 'refused']), message: v.string() }),
  v.object({ type: v.literal('error'), code: v.string(), message: v.string() }),
]);
export type SoundAnswer = v.InferOutput<typeof SoundAnswerSchema>;
