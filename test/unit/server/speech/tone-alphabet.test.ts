import { describe, expect, it, vi } from 'vitest';
import type { DecodedWord } from '../../../speech/decode.ts';
import { type Alphabet, speak, syllables, toneDecoder, tonesOf } from '../../../speech/tone-alphabet.ts';

/** Sound is computed here: a busy machine takes its time. */
vi.setConfig({ testTimeout: 120_000 });

/** A generator whose numbers are the same in every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** There and back through G.711 μ-law (ITU-T G.711, 14-bit form). */
function throughMuLaw(sample: number): number {
  const sign = sample < 0 ? -1 : 1;
  const magnitude = Math.min(Math.abs(sample) >> 2, 8_158) + 33;
  const exponent = Math.max(0, 31 - Math.clz32(magnitude) - 5);
  const mantissa = (magnitude >> (exponent + 1)) & 0xf;
  const decoded = (((mantissa << 1) + 33) << exponent) - 33;
  return sign * decoded * 4;
}

const decode = (samples: Int16Array, alphabet: Alphabet, rate: number, chunk: number): DecodedWord[] => {
  const decoder = toneDecoder(alphabet)(rate);
  const words: DecodedWord[] = [];
  for (let from = 0; from < samples.length; from += chunk)
    words.push(...decoder.push(samples.subarray(from, from + chunk)));
  return [...words, ...decoder.flush()];
};

describe.each(['near', 'far'] as const)('the %s alphabet', (alphabet) => {
  const random = seeded(alphabet.length);
  const names = syllables(alphabet);
  const said = Array.from({ length: 200 }, () => names[Math.floor(random() * names.length)] ?? '');

  it('is heard without fault at every rate, whatever the pieces', () => {
    for (const [rate, chunk] of [
      [8_000, 160],
      [16_000, 1_600],
      [24_000, 777],
    ] as const)
      expect(decode(speak(said, { alphabet, rate }), alphabet, rate, chunk).map((word) => word.text)).toEqual(said);
  });

  it('is heard without fault through μ-law and noise of -30 dB', () => {
    const amplitude = 0.4;
    // the power of two sines of this amplitude, 30 dB down
    const noise = 16_383 * amplitude * 10 ** (-30 / 20);
    const samples = speak(said, { alphabet, rate: 8_000, amplitude }).map((sample) => {
      const gaussian = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      return throughMuLaw(Math.round(sample + noise * gaussian));
    });
    expect(decode(samples, alphabet, 8_000, 160).map((word) => word.text)).toEqual(said);
  });

  it('says when a syllable was spoken, to 15 ms', () => {
    decode(speak(said, { alphabet, rate: 16_000 }), alphabet, 16_000, 1_600).forEach((word, index) => {
      expect(Math.abs(word.startMs - index * 160)).toBeLessThanOrEqual(15);
      expect(Math.abs(word.endMs - (index * 160 + 100))).toBeLessThanOrEqual(15);
    });
  });

  it('does not hear the other alphabet, nor a telephone’s keys', () => {
    const other = alphabet === 'near' ? 'far' : 'near';
    expect(decode(speak(syllables(other), { alphabet: other, rate: 8_000 }), alphabet, 8_000, 160)).toEqual([]);
    for (const low of [697, 770, 852, 941])
      for (const high of [1_209, 1_336, 1_477, 1_633]) {
        const keys = Int16Array.from({ length: 1_600 }, (_, at) =>
          Math.round(
            8_000 * (Math.sin((2 * Math.PI * low * at) / 8_000) + Math.sin((2 * Math.PI * high * at) / 8_000)),
          ),
        );
        expect(decode(keys, alphabet, 8_000, 160), `${low} + ${high}`).toEqual([]);
      }
  });

  it('stays inside what a telephone carries and away from its keys', () => {
    for (const hz of names.flatMap((name) => tonesOf(alphabet, name))) {
      expect(hz).toBeGreaterThan(300);
      expect(hz).toBeLessThan(3_400);
      for (const key of [697, 770, 852, 941, 1_209, 1_336, 1_477, 1_633])
        expect(Math.abs(hz / key - 1)).toBeGreaterThan(0.03);
    }
  });
});
