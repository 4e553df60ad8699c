/**
 * A language that machines hear without fail: sixteen syllables, each a pair of tones, in two alphabets that share no frequency, so that one knows which
 * side of a call a syllable is of. Within 300 to 3400 Hz, and away from every DTMF tone by 3 % at least. Owns encoding to and decoding from samples;
 * must know no protocol.
 */
import type { Decode, DecodedWord, Decoder } from './decode.ts';

export type Alphabet = 'near' | 'far';

interface Tones {
  readonly first: readonly [number, number, number, number];
  readonly second: readonly [number, number, number, number];
  readonly consonants: string;
}

const tones: Readonly<Record<Alphabet, Tones>> = {
  near: { first: [400, 480, 570, 660], second: [1_010, 1_100, 1_270, 1_400], consonants: 'bdgm' },
  far: { first: [1_750, 1_880, 2_020, 2_170], second: [2_330, 2_500, 2_690, 2_890], consonants: 'kpts' },
};
const vowels = 'aeio';

/** The sixteen syllables of an alphabet. */
export function syllables(alphabet: Alphabet): readonly string[] {
  return [...tones[alphabet].consonants].flatMap((consonant) => [...vowels].map((vowel) => consonant + vowel));
}

/** The two frequencies of a syllable. @throws RangeError for what is none of the alphabet */
export function tonesOf(alphabet: Alphabet, syllable: string): readonly [number, number] {
  const index = syllables(alphabet).indexOf(syllable);
  const first = tones[alphabet].first[Math.floor(index / 4)];
  const second = tones[alphabet].second[index % 4];
  if (first === undefined || second === undefined)
    throw new RangeError(`"${syllable}" is no syllable of "${alphabet}".`);
  return [first, second];
}

const rampMs = 5;

export interface Speaking {
  readonly alphabet: Alphabet;
  readonly rate: number;
  /** Of one syllable. Default 100. */
  readonly toneMs?: number;
  /** After each syllable. Default 60. */
  readonly gapMs?: number;
  /** Of both tones together, 0 to 1. Default 0.5. */
  readonly amplitude?: number;
}

/** Syllables as samples, one after the other. */
export function speak(words: readonly string[], speaking: Speaking): Int16Array {
  const { alphabet, rate, toneMs = 100, gapMs = 60, amplitude = 0.5 } = speaking;
  const toneLength = Math.round((toneMs * rate) / 1_000);
  const slot = toneLength + Math.round((gapMs * rate) / 1_000);
  const ramp = (rampMs * rate) / 1_000;
  const samples = new Int16Array(slot * words.length);
  words.forEach((word, index) => {
    const [first, second] = tonesOf(alphabet, word).map((hz) => (2 * Math.PI * hz) / rate);
    for (let at = 0; at < toneLength; at++) {
      const edge = Math.min(1, (at + 1) / ramp, (toneLength - at) / ramp);
      const value = Math.sin((first ?? 0) * at) + Math.sin((second ?? 0) * at);
      samples[index * slot + at] = Math.round(16_383 * amplitude * edge * value);
    }
  });
  return samples;
}

const windowMs = 40;
const hopMs = 10;
/** Of a window's energy that must lie in the two tones. */
const purity = 0.5;
/** A tone is at least this part of the two together: a syllable is two. */
const balance = 0.15;
/** RMS (16-bit units) below which nothing is to be heard: -50 dBFS. */
const quiet = 104;
const leastHops = 4;

/** Hears the syllables of one alphabet in samples of `rate`. */
export const toneDecoder =
  (alphabet: Alphabet): Decode =>
  (rate) => {
    const { first, second } = tones[alphabet];
    const names = syllables(alphabet);
    const length = Math.round((windowMs * rate) / 1_000);
    const hop = Math.round((hopMs * rate) / 1_000);
    const hann = Float64Array.from({ length }, (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (at + 0.5)) / length));
    const window = new Float64Array(length);
    let buffer = new Float64Array(0);
    let hops = 0;
    let open: { readonly text: string; from: number; to: number; heard: number; missed: number } | null = null;

    const strongest = (group: readonly number[]): { index: number; energy: number } => {
      let best = { index: 0, energy: -1 };
      group.forEach((hz, index) => {
        const energy = goertzel(window, hz / rate);
        if (energy > best.energy) best = { index, energy };
      });
      return best;
    };
    const classify = (): string | null => {
      let energy = 0;
      for (let at = 0; at < length; at++) {
        window[at] = (buffer[at] ?? 0) * (hann[at] ?? 0);
        energy += (window[at] ?? 0) ** 2;
      }
      if (Math.sqrt(energy / length) < quiet / 2) return null;
      const low = strongest(first);
      const high = strongest(second);
      // a sine of the window's whole energy measures length / 2 * (mean of the window)^2 / (mean of its square)
      const whole = (energy * length) / 3;
      const both = low.energy + high.energy;
      if (both < purity * whole || Math.min(low.energy, high.energy) < balance * both) return null;
      return names[low.index * 4 + high.index] ?? null;
    };
    const close = (): DecodedWord[] => {
      const word = open;
      open = null;
      if (word === null || word.heard < leastHops) return [];
      // a window counts when half of it is in the tone: between this one's middle and the next's
      const [start, end] = [windowMs / 2 - hopMs / 2, windowMs / 2 + hopMs / 2];
      return [{ text: word.text, startMs: word.from * hopMs + start, endMs: word.to * hopMs + end }];
    };
    const step = (): DecodedWord[] => {
      const text = classify();
      const at = hops++;
      if (open !== null && text === open.text) {
        open.to = at;
        open.heard++;
        open.missed = 0;
        return [];
      }
      if (open !== null && ++open.missed < 2) return [];
      const words = close();
      if (text !== null) open = { text, from: at, to: at, heard: 1, missed: 0 };
      return words;
    };

    const decoder: Decoder = {
      push(samples) {
        const all = new Float64Array(buffer.length + samples.length);
        all.set(buffer);
        all.set(samples, buffer.length);
        buffer = all;
        const words: DecodedWord[] = [];
        let from = 0;
        for (; from + length <= all.length; from += hop) {
          buffer = all.subarray(from, from + length);
          words.push(...step());
        }
        buffer = all.slice(from);
        return words;
      },
      flush: () => close(),
    };
    return decoder;
  };

/** The energy of one frequency, given as a part of the rate (Goertzel's algorithm). */
function goertzel(samples: Float64Array, part: number): number {
  const turn = 2 * Math.cos(2 * Math.PI * part);
  let one = 0;
  let two = 0;
  for (const sample of samples) {
    const next = sample + turn * one - two;
    two = one;
    one = next;
  }
  return one ** 2 + two ** 2 - turn * one * two;
}
