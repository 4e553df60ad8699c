import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { goertzel, mix, parseWav, readWav, rms, tone, writeToneWav, writeWav } from './tone.ts';

const folder = mkdtempSync(join(tmpdir(), 'patchcord-tone-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the measured amplitude of a tone is the amplitude it was made with', () => {
  const { samples, rate } = tone({ hz: 600, seconds: 0.5, amplitude: 0.3 });
  expect(goertzel(samples, rate, 600)).toBeCloseTo(0.3, 2);
});

test('a loud tone does not show up at the frequency of another one', () => {
  const { samples, rate } = tone({ hz: 600, seconds: 0.5, amplitude: 0.9 });
  for (const hz of [440, 700, 850, 1250, 1700]) expect(goertzel(samples, rate, hz)).toBeLessThan(0.001);
});

test('two mixed tones are both measured at their own level', () => {
  const low = tone({ hz: 440, seconds: 1, amplitude: 0.2 });
  const high = tone({ hz: 1250, seconds: 1, amplitude: 0.1 });
  const both = mix([low.samples, high.samples]);
  expect(goertzel(both, 8000, 440)).toBeCloseTo(0.2, 2);
  expect(goertzel(both, 8000, 1250)).toBeCloseTo(0.1, 2);
});

test('silence and an empty sound measure as nothing', () => {
  expect(goertzel(new Float32Array(4000), 8000, 440)).toBe(0);
  expect(goertzel(new Float32Array(0), 8000, 440)).toBe(0);
  expect(rms(new Float32Array(0))).toBe(0);
});

test('a written tone file reads back with its rate, length and frequency, without a click between seconds', () => {
  const path = join(folder, 'tone.wav');
  writeToneWav(path, { hz: 850, seconds: 3 });
  const sound = readWav(path);
  expect(sound.rate).toBe(8000);
  expect(sound.samples.length).toBe(24_000);
  // The stretch over the seam of two repetitions is as pure as any other.
  expect(goertzel(sound.samples.subarray(6000, 10_000), 8000, 850)).toBeCloseTo(0.25, 2);
  expect(rms(sound.samples)).toBeCloseTo(0.25 / Math.SQRT2, 3);
});

test('a tone file refuses a fraction of a hertz, which would click', () => {
  expect(() => writeToneWav(join(folder, 'bad.wav'), { hz: 440.5, seconds: 1 })).toThrow(/whole hertz/);
});

test('a recording that is still growing is read up to its end, whatever its header says', () => {
  const path = join(folder, 'growing.wav');
  writeWav(path, tone({ hz: 440, seconds: 1 }));
  const bytes = readFileSync(path);
  bytes.writeUInt32LE(0, 40);
  writeFileSync(path, bytes);
  expect(readWav(path).samples.length).toBe(8000);
});

test('what is no WAV file is refused by name', () => {
  expect(() => parseWav(Buffer.from('hello, this is text'), 'note.txt')).toThrow(/note\.txt is no WAV file/);
});
