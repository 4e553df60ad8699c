/**
 * The sound of a message as speech services take it: WAV of any rate and codec that is kept, to 16-bit PCM of 16 kHz with one channel, piece by
 * piece. Owns that conversion; must never hold more than the piece at hand.
 */
import { WavReader } from '../recordings/wav.ts';

const rateOut = 16_000;
/** G.711 (ITU-T G.711), by table. */
const muLaw = Int16Array.from({ length: 256 }, (_, code) => {
  const bits = ~code & 0xff;
  const size = ((((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84;
  return bits & 0x80 ? -size : size;
});
const aLaw = Int16Array.from({ length: 256 }, (_, code) => {
  const bits = code ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const mantissa = ((bits & 0x0f) << 4) + 8;
  const size = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return bits & 0x80 ? size : -size;
});

/**
 * @param file The bytes of a WAV file, in order
 * @throws PatchcordError `request.invalid` for what is no WAV file of these forms
 */
export async function* speechSound(file: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const reader = new WavReader(false);
  let resample: ((samples: Float64Array) => Buffer) | null = null;
  for await (const piece of file) {
    const frames = reader.take(piece);
    const { format } = reader;
    if (format === null || frames.length === 0) continue;
    resample ??= resampler(format.rate);
    const pcm = resample(samplesOf(frames, format));
    if (pcm.length > 0) yield pcm;
  }
}

/** One number a moment: of two channels their mean. */
function samplesOf(
  frames: Buffer,
  { codec, channels }: { readonly codec: 'pcm16' | 'alaw' | 'ulaw'; readonly channels: 1 | 2 },
): Float64Array {
  const width = codec === 'pcm16' ? 2 : 1;
  const table = codec === 'alaw' ? aLaw : muLaw;
  const one = (at: number): number => (width === 2 ? frames.readInt16LE(at) : (table[frames[at] ?? 0] ?? 0));
  return Float64Array.from({ length: frames.length / (width * channels) }, (_, index) => {
    const at = index * width * channels;
    return channels === 1 ? one(at) : (one(at) + one(at + width)) / 2;
  });
}

/** Straight lines between samples going up, the mean of what one stands for going down: speech services hear both alike. */
function resampler(rateIn: number): (samples: Float64Array) => Buffer {
  const step = rateIn / rateOut;
  let left = new Float64Array(0);
  /** Samples that went before `left`, and those that were made: whole numbers, so that pieces leave no trace. */
  let gone = 0;
  let made = 0;
  return (samples) => {
    const all = new Float64Array(left.length + samples.length);
    all.set(left);
    all.set(samples, left.length);
    const out: number[] = [];
    const placeOf = (index: number): number => (index * rateIn) / rateOut - gone;
    let at = placeOf(made);
    for (; at + Math.max(1, step) < all.length; at = placeOf(made)) {
      const first = Math.floor(at);
      if (step <= 1) {
        const [a = 0, b = 0] = [all[first], all[first + 1]];
        out.push(a + (b - a) * (at - first));
      } else {
        const some = all.subarray(first, Math.floor(placeOf(made + 1)));
        out.push(some.reduce((sum, value) => sum + value, 0) / Math.max(1, some.length));
      }
      made += 1;
    }
    const done = Math.min(Math.floor(at), all.length);
    left = all.slice(done);
    gone += done;
    const pcm = Buffer.alloc(out.length * 2);
    for (const [index, value] of out.entries())
      pcm.writeInt16LE(Math.max(-32_768, Math.min(32_767, Math.round(value))), index * 2);
    return pcm;
  };
}
