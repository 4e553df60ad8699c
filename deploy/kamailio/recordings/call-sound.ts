/**
 * The recording of a call as a WAV file of two channels, made while it is read: the caller first, from the answer on, silence where nothing came. Owns that the
 * same files give the same bytes, and that only a second of sound is in memory at a time.
 */
import { readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { endianness } from 'node:os';
import { type Decoders, openDecoders, type Rate } from './decoders.ts';
import { type RtpPacket, readPackets } from './pcap.ts';
import type { RecordedCall, Side } from './recorded-call.ts';
import { type Placed, placed } from './time-line.ts';

export interface CallSound {
  /** Of the whole file; 0: nothing was said that can be decoded. */
  readonly bytes: number;
  /** Packets that are in no format known here, on either side. */
  readonly unreadable: number;
  read(): AsyncGenerator<Buffer>;
}

/** What a WAV file can hold of this: what is beyond is not kept. */
const longestMs = 17 * 3_600_000;
/** A packet of Opus is not longer. */
const longestOpusMs = 120;
const headerBytes = 44;
/** Two samples of 16 bits. */
const frameBytes = 4;
/** Parts that meet are not torn apart by a rounding. */
const nearSamples = 2;

/**
 * @param file The pcap file, open while its sound is read
 * @throws Error in words for an operator
 */
export async function soundOf(call: RecordedCall, file: FileHandle): Promise<CallSound> {
  const packets: Record<Side, RtpPacket[]> = { caller: [], callee: [] };
  let unreadable = 0;
  for await (const packet of readPackets(file)) {
    const side = (['caller', 'callee'] as const).find((one) => call.from[one].ports.has(packet.port));
    if (side === undefined) continue;
    packets[side].push(packet);
    const codec = call.from[side].codecs.get(packet.payloadType);
    if ((codec === undefined || codec === 'other') && packet.payloadType !== comfortNoise) unreadable += 1;
  }
  const answeredMs = call.answered?.atMs ?? 0;
  const voices = (['caller', 'callee'] as const).map((side) =>
    placed(packets[side], call.from[side].codecs, answeredMs).filter((one) => one.startMs < longestMs - longestOpusMs),
  );
  const rate: Rate = voices.flat().some(({ codec }) => codec === 'opus') ? 16_000 : 8_000;
  const samples = Math.max(0, ...voices.map((voice) => endOf(voice, rate)));
  const bytes = samples === 0 ? 0 : headerBytes + samples * frameBytes;
  return { bytes, unreadable, read: () => wav(voices, rate, samples, file) };
}

/** Payload type of comfort noise (RFC 3389): silence. */
const comfortNoise = 13;

function endOf(voice: readonly Placed[], rate: Rate): number {
  const last = voice.at(-1);
  if (last === undefined) return 0;
  const lastsMs = last.codec === 'opus' ? longestOpusMs : last.packet.length / 8;
  return Math.round(((last.startMs + lastsMs) / 1_000) * rate);
}

async function* wav(
  voices: readonly (readonly Placed[])[],
  rate: Rate,
  samples: number,
  file: FileHandle,
): AsyncGenerator<Buffer> {
  yield header(rate, samples);
  const opus = voices.flat().flatMap((one) => (one.codec === 'opus' ? [streamOf(one)] : []));
  const decoders = await openDecoders(rate, new Set(opus));
  try {
    const channels = voices.map((voice) => new Channel(voice, rate, decoders, file.fd));
    for (let from = 0; from < samples; from += rate) {
      const length = Math.min(rate, samples - from);
      const second = new Int16Array(length * channels.length);
      for (const [at, channel] of channels.entries()) channel.render(second, at, from, length);
      yield littleEndian(second);
    }
  } finally {
    decoders.close();
  }
}

const streamOf = ({ packet }: Placed): string => `${packet.port} ${packet.ssrc}`;

/** One voice, second by second. */
class Channel {
  readonly #voice: readonly Placed[];
  readonly #rate: Rate;
  readonly #decoders: Decoders;
  readonly #file: number;
  #next = 0;
  /** What was decoded last, and where it begins. */
  #sound: Int16Array = new Int16Array();
  #start = 0;

  constructor(voice: readonly Placed[], rate: Rate, decoders: Decoders, file: number) {
    this.#voice = voice;
    this.#rate = rate;
    this.#decoders = decoders;
    this.#file = file;
  }

  /** Writes samples `from` … of the call into every second place. */
  render(into: Int16Array, offset: number, from: number, length: number): void {
    this.#write(into, offset, from, length);
    while (this.#start + this.#sound.length < from + length && this.#decode(from + length)) {
      this.#write(into, offset, from, length);
    }
  }

  /** False where nothing begins before `end`. */
  #decode(end: number): boolean {
    const next = this.#voice[this.#next];
    const start = next === undefined ? end : Math.round((next.startMs / 1_000) * this.#rate);
    if (next === undefined || start >= end) return false;
    this.#next += 1;
    const payload = Buffer.allocUnsafe(next.packet.length);
    const had = readSync(this.#file, payload, 0, payload.length, next.packet.offset);
    const sound = this.#decoders.decode(next.codec, streamOf(next), payload.subarray(0, had));
    // What is there stays: only what goes beyond it is new.
    const before = this.#start + this.#sound.length;
    const skip = start < before - nearSamples ? Math.min(sound.length, before - start) : 0;
    this.#sound = sound.subarray(skip);
    this.#start = skip > 0 || Math.abs(start - before) <= nearSamples ? before : start;
    return true;
  }

  #write(into: Int16Array, offset: number, from: number, length: number): void {
    const first = Math.max(this.#start, from);
    const last = Math.min(this.#start + this.#sound.length, from + length);
    for (let at = first; at < last; at += 1) into[(at - from) * 2 + offset] = this.#sound[at - this.#start] ?? 0;
  }
}

/** As a WAV file has it. */
function littleEndian(samples: Int16Array<ArrayBuffer>): Buffer {
  const bytes = Buffer.from(samples.buffer);
  return endianness() === 'LE' ? bytes : bytes.swap16();
}

function header(rate: Rate, samples: number): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(headerBytes - 8 + samples * frameBytes, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(2, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(rate * frameBytes, 28);
  bytes.writeUInt16LE(frameBytes, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(samples * frameBytes, 40);
  return bytes;
}
