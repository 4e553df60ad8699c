/** The way from the audio device's rate to 16 kHz: what is kept, what must not come back folded, and that stretches join without a seam. */
import { expect, it } from 'vitest';
import { Resampler } from '../../../../packages/phone-engine/src/sound-tap/resampler.ts';

const to = 16_000;
const quantum = 128;

function through(rate: number, hz: number, seconds = 1): Float32Array {
  const resampler = new Resampler(rate, to);
  const input = new Float32Array(quantum);
  const output = new Float32Array(Math.ceil((quantum * to) / rate) + 1);
  const made: number[] = [];
  for (let at = 0; at < rate * seconds; at += quantum) {
    for (let n = 0; n < quantum; n += 1) input[n] = Math.sin((2 * Math.PI * hz * (at + n)) / rate);
    const written = resampler.push(input, quantum, output);
    made.push(...output.subarray(0, written));
  }
  return Float32Array.from(made);
}

/** Loudness of what is left once the filter has settled, dB of the sine that went in. */
function level(samples: Float32Array): number {
  const settled = samples.subarray(samples.length >> 1);
  const power = settled.reduce((sum, sample) => sum + sample * sample, 0) / settled.length;
  return 10 * Math.log10(power * 2 + 1e-15);
}

it.each([48_000, 44_100, 32_000, 96_000, 16_000, 8_000])('is flat in the band of speech, from %i Hz', (rate) => {
  for (const hz of [60, 300, 1_000, 2_500, 3_390]) expect(Math.abs(level(through(rate, hz)))).toBeLessThan(0.5);
});

it.each([48_000, 44_100, 96_000])('leaves nothing of what 16 kHz can’t hold, from %i Hz', (rate) => {
  for (const hz of [8_000, 8_500, 10_000, 12_600, 15_000, 19_000, 21_900]) {
    if (hz < rate / 2) expect(level(through(rate, hz)), `${hz} Hz`).toBeLessThan(-60);
  }
});

it.each([48_000, 44_100])('makes 16,000 samples a second without a seam between stretches, from %i Hz', (rate) => {
  const made = through(rate, 440, 2);
  expect(Math.abs(made.length - 2 * to)).toBeLessThanOrEqual(64);
  // A sine goes on from two samples to the next: what differs is a seam.
  const turn = 2 * Math.cos((2 * Math.PI * 440) / to);
  let worst = 0;
  for (let n = 1_000; n < made.length; n += 1) {
    const foreseen = turn * (made[n - 1] ?? 0) - (made[n - 2] ?? 0);
    worst = Math.max(worst, Math.abs((made[n] ?? 0) - foreseen));
  }
  expect(worst).toBeLessThan(1e-3);
});

it('takes silence for what is not there', () => {
  const resampler = new Resampler(48_000, to);
  const output = new Float32Array(64);
  expect(resampler.push(null, 96, output)).toBe(32);
  expect(output.every((sample) => sample === 0)).toBe(true);
});
