/**
 * WAV (RIFF/WAVE) as phone systems record: read while it arrives, and the header that goes in front of the sound when it is given out again. Owns
 * which formats are taken and which channel is whose. Must never hold more of the sound than the piece at hand, nor believe a length.
 */
import { type Direction, PatchcordError } from '@patchcord/call-protocol';
import { type Stretch, silenced } from './stretches.ts';

type Codec = 'pcm16' | 'alaw' | 'ulaw';

interface WavFormat {
  readonly codec: Codec;
  /** Samples per second. */
  readonly rate: number;
  readonly channels: 1 | 2;
}

/** Whose voice is on which channel, as the phone system says it: one word for a single channel, else the first and the second. */
export const channelOrders = ['mono', 'caller,callee', 'callee,caller', 'agent,far-side', 'far-side,agent'] as const;
export type ChannelOrder = (typeof channelOrders)[number];

/** Format codes of RIFF's `fmt ` chunk. */
const codecs: Readonly<Record<number, { readonly codec: Codec; readonly bits: number }>> = {
  1: { codec: 'pcm16', bits: 16 },
  6: { codec: 'alaw', bits: 8 },
  7: { codec: 'ulaw', bits: 8 },
};
const extensible = 0xfffe;
/** What may stand before the sound: titles, markers. */
const longestHeader = 65_536;
/** A recorder that could not go back to fill the length in leaves nothing, or as much as fits. */
const unknownFrom = 0xffff_ff00;
const nothing = Buffer.alloc(0);

/** Bytes of one sample of one channel. */
function widthOf(codec: Codec): number {
  return codec === 'pcm16' ? 2 : 1;
}

/** Bytes of one moment of all channels. */
function frameOf({ codec, channels }: WavFormat): number {
  return widthOf(codec) * channels;
}

/** How long so many bytes of sound last. */
export function durationOf(format: WavFormat, bytes: number): number {
  return Math.round((bytes / frameOf(format) / format.rate) * 1_000);
}

/**
 * Whether the two channels must change places, for the caller to be on the first and whoever was called on the second.
 * @param direction Of the call, as the agent sees it
 */
export function mustSwap(order: ChannelOrder, direction: Direction): boolean {
  switch (order) {
    case 'mono':
    case 'caller,callee':
      return false;
    case 'callee,caller':
      return true;
    case 'agent,far-side':
      return direction === 'inbound';
    case 'far-side,agent':
      return direction === 'outbound';
  }
}

/** Reads one WAV file piece by piece and gives its sound: whole frames, the channels in the order wanted. */
export class WavReader {
  readonly #swap: boolean;
  #header: Buffer = Buffer.alloc(0);
  #format: WavFormat | null = null;
  /** Of the sound, as the header says; null while it was not reached, Infinity when the header does not know. */
  #left: number | null = null;
  #rest: Buffer = Buffer.alloc(0);
  readonly #kept: readonly Stretch[] | null;
  /** How much of the sound went by, bytes. */
  #at = 0;

  /** @param kept What of the sound may be heard, the rest is silence; null: all */
  constructor(swap: boolean, kept: readonly Stretch[] | null = null) {
    this.#swap = swap;
    this.#kept = kept;
  }

  /** Known once the sound begins. */
  get format(): WavFormat | null {
    return this.#left === null ? null : this.#format;
  }

  /**
   * The sound in this piece; empty while there is none.
   * @throws PatchcordError `request.invalid` for what is no WAV file, or none of these formats
   */
  take(piece: Buffer): Buffer {
    if (this.#left !== null) return this.#sound(piece);
    this.#header = this.#header.length === 0 ? piece : Buffer.concat([this.#header, piece]);
    const start = this.#readHeader(this.#header);
    if (start === null) {
      if (this.#header.length > longestHeader)
        throw invalid('has no sound in its first 65,536 bytes: a "data" chunk must follow the format.');
      return Buffer.alloc(0);
    }
    const rest = this.#header.subarray(start);
    this.#header = Buffer.alloc(0);
    return this.#sound(rest);
  }

  /** @throws PatchcordError `request.invalid` when the file ended before what it promised, or has no sound */
  end(): WavFormat {
    if (this.#left === null || this.#format === null) throw invalid('ends before its sound begins.');
    if (Number.isFinite(this.#left) && this.#left > 0) {
      throw invalid('is shorter than its own header says: send it once the recorder has closed it.');
    }
    return this.#format;
  }

  /** Where the sound begins; null while that is not known. */
  #readHeader(bytes: Buffer): number | null {
    if (bytes.length < 12) return null;
    if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE')
      throw invalid('does not begin with RIFF…WAVE.');
    for (let at = 12; at + 8 <= bytes.length; ) {
      const chunk = bytes.toString('latin1', at, at + 4);
      const length = bytes.readUInt32LE(at + 4);
      const start = at + 8;
      if (chunk === 'data') {
        if (this.#format === null) throw invalid('says nothing of its format before the sound.');
        this.#left = length === 0 || length >= unknownFrom ? Number.POSITIVE_INFINITY : length;
        return start;
      }
      if (chunk === 'fmt ') {
        if (length < 16) throw invalid('has a format chunk that is too short.');
        if (bytes.length < start + Math.min(length, 40)) return null;
        this.#format = formatOf(bytes.subarray(start, start + length));
      }
      at = start + length + (length % 2);
    }
    return null;
  }

  #sound(piece: Buffer): Buffer {
    if (this.#format === null || this.#left === null || this.#left <= 0) return Buffer.alloc(0);
    const own = piece.length > this.#left ? piece.subarray(0, this.#left) : piece;
    this.#left -= own.length;
    const all = this.#rest.length === 0 ? own : Buffer.concat([this.#rest, own]);
    const whole = all.length - (all.length % frameOf(this.#format));
    this.#rest = whole === all.length ? nothing : Buffer.from(all.subarray(whole));
    const frames = this.#heard(all.subarray(0, whole), this.#format);
    return this.#swap && this.#format.channels === 2 ? swapped(frames, widthOf(this.#format.codec)) : frames;
  }

  #heard(frames: Buffer, format: WavFormat): Buffer {
    const at = this.#at;
    this.#at += frames.length;
    return this.#kept === null ? frames : silenced(frames, at, { ...format, frame: frameOf(format) }, this.#kept);
  }
}

function formatOf(chunk: Buffer): WavFormat {
  const code = chunk.readUInt16LE(0);
  // In the extensible form the real code begins the sub-format.
  const kind = code === extensible && chunk.length >= 26 ? chunk.readUInt16LE(24) : code;
  const channels = chunk.readUInt16LE(2);
  const rate = chunk.readUInt32LE(4);
  const known = codecs[kind];
  if (known === undefined || chunk.readUInt16LE(14) !== known.bits) {
    throw invalid(
      `holds sound of format ${kind} with ${chunk.readUInt16LE(14)} bits; PCM with 16 bits, A-law and µ-law are taken.`,
    );
  }
  if (channels !== 1 && channels !== 2) throw invalid(`has ${channels} channels; one or two are taken.`);
  if (rate < 4_000 || rate > 192_000) throw invalid(`has ${rate} samples per second; 4,000 to 192,000 are taken.`);
  return { codec: known.codec, rate, channels };
}

function swapped(frames: Buffer, width: number): Buffer {
  const turned = Buffer.allocUnsafe(frames.length);
  if (width === 2) {
    // Both samples at once: an hour has 29 million moments.
    for (let at = 0; at < frames.length; at += 4) {
      const both = frames.readUInt32LE(at);
      turned.writeUInt32LE(((both >>> 16) | (both << 16)) >>> 0, at);
    }
    return turned;
  }
  for (let at = 0; at < frames.length; at += 2) {
    turned[at] = frames[at + 1] ?? 0;
    turned[at + 1] = frames[at] ?? 0;
  }
  return turned;
}

/** The header in front of so many bytes of sound, as RIFF wants it; formats other than PCM carry a `fact` chunk. */
export function wavHeader(format: WavFormat, bytes: number): Buffer {
  const { codec, rate, channels } = format;
  const pcm = codec === 'pcm16';
  const header = Buffer.alloc(pcm ? 44 : 58);
  const frame = frameOf(format);
  // Sound of an odd length is padded behind.
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(header.length - 8 + bytes + (bytes % 2), 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(pcm ? 16 : 18, 16);
  header.writeUInt16LE(pcm ? 1 : codec === 'alaw' ? 6 : 7, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * frame, 28);
  header.writeUInt16LE(frame, 32);
  header.writeUInt16LE(widthOf(codec) * 8, 34);
  if (!pcm) {
    header.write('fact', 38, 'latin1');
    header.writeUInt32LE(4, 42);
    header.writeUInt32LE(bytes / frame, 46);
  }
  header.write('data', header.length - 8, 'latin1');
  header.writeUInt32LE(bytes, header.length - 4);
  return header;
}

/** @param what Follows "The recording …" */
export function invalid(what: string): PatchcordError {
  return new PatchcordError('request.invalid', `The recording ${what} It was not kept.`);
}

/** @throws PatchcordError `request.invalid` where a file has another number of channels than its sender said */
export function mustFit(order: ChannelOrder, channels: 1 | 2): void {
  if ((order === 'mono') !== (channels === 1)) {
    throw invalid(
      channels === 1
        ? `has one channel and was sent as "${order}": send it as "mono".`
        : 'has two channels and was sent as "mono": say whose they are, for instance "agent,far-side".',
    );
  }
}

/** A file as it arrives. @throws PatchcordError `request.invalid` once there is more than `mostMb`, in units of 1,000,000 bytes */
export async function* notLarger(body: AsyncIterable<Buffer>, mostMb: number): AsyncGenerator<Buffer> {
  let total = 0;
  for await (const piece of body) {
    total += piece.length;
    if (total > mostMb * 1_000_000) throw invalid(`is larger than ${mostMb} MB ("recordings.largestMb").`);
    yield piece;
  }
}
