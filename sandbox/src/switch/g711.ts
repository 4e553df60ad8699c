/** G.711 μ-law and A-law (PCMU and PCMA, RFC 3551 payload types 0 and 8), both ways, by table. Owns the codecs and nothing else. */

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

const ALAW_DECODED = new Int16Array(256);
for (let code = 0; code < 256; code += 1) {
  const inverted = code ^ 0x55;
  const exponent = (inverted >> 4) & 7;
  const mantissa = ((inverted & 0x0f) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  ALAW_DECODED[code] = inverted & 0x80 ? magnitude : -magnitude;
}

function encodeALawSample(sample: number): number {
  const sign = sample < 0 ? 0 : 0x80;
  const magnitude = Math.min(CLIP, sample < 0 ? -sample - 1 : sample);
  const exponent = magnitude < 256 ? 0 : 24 - Math.clz32(magnitude);
  const mantissa = exponent === 0 ? magnitude >> 4 : (magnitude >> (exponent + 3)) & 0x0f;
  return (sign | (exponent << 4) | mantissa) ^ 0x55;
}

const ALAW_ENCODED = new Uint8Array(65536);
for (let sample = -32768; sample < 32768; sample += 1) ALAW_ENCODED[sample + 32768] = encodeALawSample(sample);

/** 16-bit samples to A-law bytes. */
export function encodeALaw(samples: Int16Array): Buffer {
  const bytes = Buffer.allocUnsafe(samples.length);
  for (let index = 0; index < samples.length; index += 1)
    bytes[index] = ALAW_ENCODED[(samples[index] ?? 0) + 32768] ?? 0xd5;
  return bytes;
}

/** A-law bytes to 16-bit samples. */
export function decodeALaw(bytes: Uint8Array): Int16Array {
  const samples = new Int16Array(bytes.length);
  for (let index = 0; index < bytes.length; index += 1) samples[index] = ALAW_DECODED[bytes[index] ?? 0xd5] ?? 0;
  return samples;
}
