/**
 * What a recording looks like: how loud each of its channels is in a thousand stretches of the same length, counted once while it is written. Owns the
 * counting and its form, which stands behind the sound in the sealed file. Must never hold the sound.
 */
import type { StoredRecording } from '../store/contract.ts';
import type { OpenSound } from './sealed-sounds.ts';

type Format = Pick<StoredRecording, 'codec' | 'channels'>;

/** Stretches of a recording, whatever its length. */
const peakColumns = 1_000;
/** Counted finer than that, so that the stretches fit a length that is known at the end. */
const mostBlocks = 4_096;
const firstBlockFrames = 64;

/** How many bytes stand behind the sound. */
export function peakBytes({ channels }: Pick<Format, 'channels'>): number {
  return peakColumns * channels;
}

/** Counts the peaks of sound that comes piece by piece. */
export class PeakCounter {
  #format: Format | null = null;
  #blocks: [Uint8Array, Uint8Array] = [new Uint8Array(mostBlocks), new Uint8Array(mostBlocks)];
  #block = 0;
  #frame = 0;
  #blockFrames = firstBlockFrames;

  /** @param frames Whole moments of all channels */
  take(format: Format, frames: Buffer): void {
    this.#format = format;
    const { channels, codec } = format;
    const width = codec === 'pcm16' ? 2 : 1;
    const table = codec === 'pcm16' ? null : codec === 'alaw' ? alaw : ulaw;
    const step = width * channels;
    for (let at = 0; at + step <= frames.length; at += step) {
      if (this.#frame === this.#blockFrames) this.#next();
      for (let channel = 0; channel < channels; channel += 1) {
        const place = at + channel * width;
        const level = table === null ? levelOf(frames.readInt16LE(place)) : (table[frames[place] ?? 0] ?? 0);
        const blocks = channel === 0 ? this.#blocks[0] : this.#blocks[1];
        if (level > (blocks[this.#block] ?? 0)) blocks[this.#block] = level;
      }
      this.#frame += 1;
    }
  }

  /** For each channel a thousand levels, one channel after the other: the square root of the loudest sample, 0 to 255. */
  bytes(): Buffer {
    const { channels } = this.#format ?? { channels: 1 };
    const count = this.#block + (this.#frame === 0 ? 0 : this.#frame / this.#blockFrames);
    const out = Buffer.alloc(peakColumns * channels);
    for (let channel = 0; channel < channels; channel += 1) {
      const blocks = channel === 0 ? this.#blocks[0] : this.#blocks[1];
      for (let column = 0; column < peakColumns; column += 1) {
        const from = Math.floor((column * count) / peakColumns);
        const to = Math.max(from + 1, Math.floor(((column + 1) * count) / peakColumns));
        out[channel * peakColumns + column] = Math.max(...blocks.subarray(from, to));
      }
    }
    return out;
  }

  #next(): void {
    this.#block += 1;
    this.#frame = 0;
    if (this.#block < mostBlocks) return;
    for (const blocks of this.#blocks) {
      for (let n = 0; n < mostBlocks / 2; n += 1) blocks[n] = Math.max(blocks[2 * n] ?? 0, blocks[2 * n + 1] ?? 0);
      blocks.fill(0, mostBlocks / 2);
    }
    this.#block = mostBlocks / 2;
    this.#blockFrames *= 2;
  }
}

/**
 * What `PeakCounter` wrote behind a recording: a list for each channel; null where nothing stands there.
 * @throws PatchcordError `store.unavailable` where it was changed after it was written
 */
export async function readPeaks(
  sound: Pick<OpenSound, 'isFollowed' | 'read'>,
  { bytes, channels }: Pick<StoredRecording, 'bytes' | 'channels'>,
): Promise<readonly (readonly number[])[] | null> {
  if (!sound.isFollowed) return null;
  const pieces: Buffer[] = [];
  for await (const piece of sound.read(bytes, bytes + peakBytes({ channels }))) pieces.push(piece);
  const all = Buffer.concat(pieces);
  return Array.from({ length: channels }, (_, n) => [...all.subarray(n * peakColumns, (n + 1) * peakColumns)]);
}

/** Levels of all 16-bit samples, by their distance from silence: a root for each of an hour's samples would cost more than the encryption. */
const levels = Uint8Array.from({ length: 32_769 }, (_, distance) => Math.round(255 * Math.sqrt(distance / 32_768)));

function levelOf(sample: number): number {
  return levels[sample < 0 ? -sample : sample] ?? 0;
}

/** ITU-T G.711. */
const alaw = Uint8Array.from({ length: 256 }, (_, byte) => {
  const bits = byte ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const mantissa = ((bits & 15) << 4) + 8;
  return levelOf(exponent === 0 ? mantissa : (mantissa + 256) << (exponent - 1));
});
const ulaw = Uint8Array.from({ length: 256 }, (_, byte) => {
  const bits = ~byte & 0xff;
  return levelOf(((((bits & 15) << 3) + 132) << ((bits >> 4) & 7)) - 132);
});
