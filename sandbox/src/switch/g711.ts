/** G.711 μ-law (PCMU, RFC 3551 payload type 0), both ways, by table. Owns the codec and nothing else. */

const BIAS = 0x84;
const CLIP = 32635;

const DECODED = new Int16Array(256);
for (let code = 0; code < 256; code += 1) {
  const inverted = ~code & 0xff;
  const exponent = (inverted >> 4) & 7;
  const magnitude = ((((inverted & 0x0f) << 3) + BIAS) << exponent) - BIAS;
  DECODED[code] = inverted & 0x80 ? -magnitude : magnitude;
}

function encodeSample(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(CLIP, Math.abs(sample)) + BIAS;
  const exponent = 31 - Math.clz32(magnitude) - 7;
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

const ENCODED = new Uint8Array(65536);
for (let sample = -32768; sample < 32768; sample += 1) ENCODED[sample + 32768] = encodeSample(sample);

/** 16-bit samples to μ-law bytes. */
export function encodeMuLaw(samples: Int16Array): Buffer {
  const bytes = Buffer.allocUnsafe(samples.length);
  for (let index = 0; index < samples.length; index += 1) bytes[index] = ENCODED[(samples[index] ?? 0) + 32768] ?? 0xff;
  return bytes;
}

/** μ-law bytes to 16-bit samples. */
export function decodeMuLaw(bytes: Uint8Array): Int16Array {
  const samples = new Int16Array(bytes.length);
  for (let index = 0; index < bytes.length; index += 1) samples[index] = DECODED[bytes[index] ?? 0xff] ?? 0;
  return samples;
}
