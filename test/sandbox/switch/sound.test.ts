import { describe, expect, it } from 'vitest';
import { decodeMuLaw, encodeMuLaw } from '../../../sandbox/src/switch/g711.ts';
import {
  announcement,
  cadence,
  Ear,
  FRAME_SAMPLES,
  holdMusic,
  keyToneHz,
  levelAt,
  person,
  rms,
  tone,
  toneOfNumber,
  type Voice,
} from '../../../sandbox/src/switch/sound.ts';

function record(voice: Voice, frames: number): Int16Array {
  const samples = new Int16Array(frames * FRAME_SAMPLES);
  for (let index = 0; index < frames; index += 1) {
    voice.fill(samples.subarray(index * FRAME_SAMPLES, (index + 1) * FRAME_SAMPLES));
  }
  return samples;
}

describe('measuring sound', () => {
  it('finds a tone at its own level and no other tone beside it', () => {
    const samples = record(tone(600, 0.25), 50);
    expect(levelAt(samples, 600)).toBeCloseTo(0.25, 3);
    for (const hz of [380, 560, 640, 850, 1000, 1200]) expect(levelAt(samples, hz)).toBeLessThan(0.001);
    expect(rms(samples)).toBeCloseTo(0.25 / Math.SQRT2, 3);
  });

  it('is not fooled by a lost packet that shifts the phase', () => {
    const samples = record(tone(1000, 0.25), 50);
    samples.copyWithin(4000, 4004);
    expect(levelAt(samples, 1000)).toBeGreaterThan(0.23);
  });

  it('measures nothing in nothing', () => {
    expect(levelAt(new Int16Array(0), 600)).toBe(0);
    expect(rms(new Int16Array(0))).toBe(0);
  });

  it('remembers the last ten seconds and gives the newest part of them', () => {
    const ear = new Ear();
    expect(ear.last(500)).toHaveLength(0);
    for (let index = 0; index < 600; index += 1) ear.hear(new Int16Array(FRAME_SAMPLES).fill(index));
    expect(ear.last(60_000)).toHaveLength(80_000);
    expect([...new Set(ear.last(40))]).toEqual([598, 599]);
  });
});

describe('voices', () => {
  it('are inside full scale and audible in pleasant style', () => {
    for (const voice of [person('pleasant', 600), announcement('pleasant', 1200), holdMusic('pleasant')]) {
      const samples = record(voice, 250);
      expect(rms(samples)).toBeGreaterThan(0.03);
      expect(samples.every((sample) => Math.abs(sample) < 20_000)).toBe(true);
    }
  });

  it('are one sine each in tones style', () => {
    expect(levelAt(record(person('tones', 850), 25), 850)).toBeCloseTo(0.25, 2);
    expect(levelAt(record(announcement('tones', 1200), 25), 1200)).toBeCloseTo(0.25, 2);
  });

  it('ring in turns', () => {
    const samples = record(cadence(425, 100, 100), 10);
    expect(rms(samples.subarray(0, 800))).toBeGreaterThan(0.05);
    expect(rms(samples.subarray(800))).toBe(0);
  });

  it('have a tone for every key and the same tone for the same number', () => {
    expect(new Set([...'0123456789*#ABCD'].map(keyToneHz)).size).toBe(16);
    expect(toneOfNumber('+49 30 1234567')).toBe(toneOfNumber('+49301234567'));
  });
});

describe('μ-law', () => {
  // Values of ITU-T G.711: silence, the two extremes, and the smallest steps.
  it('has the codes of the standard', () => {
    expect([...encodeMuLaw(Int16Array.of(0, 32767, -32768))]).toEqual([0xff, 0x80, 0x00]);
    expect([...decodeMuLaw(Uint8Array.of(0xff, 0x80, 0x00))]).toEqual([0, 32124, -32124]);
  });

  it('gives back every sample within its step', () => {
    const samples = Int16Array.from({ length: 4001 }, (_value, index) => (index - 2000) * 16);
    const back = decodeMuLaw(encodeMuLaw(samples));
    for (const [index, sample] of samples.entries()) {
      expect(Math.abs((back[index] ?? 0) - sample)).toBeLessThanOrEqual(Math.max(8, Math.abs(sample) / 16));
    }
  });
});
