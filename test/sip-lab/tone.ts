/**
 * Owns sound as numbers: writes tones as WAV files, reads WAV files (also while they are still being written), measures one frequency.
 * Must never start a process or know what a call is.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';

export interface Sound {
  /** Samples per second. */
  readonly rate: number;
  /** One channel, -1 to 1. */
  readonly samples: Float32Array;
}

/** A sine of `hz` as samples. `amplitude` 0 to 1 (default 0.25, far from clipping when two sounds are mixed). */
export function tone(options: { hz: number; seconds: number; rate?: number; amplitude?: number }): Sound {
  const rate = options.rate ?? 8000;
  const amplitude = options.amplitude ?? 0.25;
  const samples = new Float32Array(Math.round(options.seconds * rate));
  const step = (2 * Math.PI * options.hz) / rate;
  for (let index = 0; index < samples.length; index++) samples[index] = amplitude * Math.sin(step * index);
  return { rate, samples };
}

/**
 * Writes a mono 16-bit WAV file with a sine of `hz`. Whole hertz only: one second is computed and repeated, so that an hour of
 * tone costs no more than writing it. Throws on a fraction of a hertz or of a second, which would click at every repetition.
 */
export function writeToneWav(
  path: string,
  options: { hz: number; seconds: number; rate?: number; amplitude?: number },
): void {
  if (!Number.isInteger(options.hz) || !Number.isInteger(options.seconds))
    throw new RangeError(`A tone file needs whole hertz and seconds, not ${options.hz} Hz for ${options.seconds} s.`);
  const second = tone({ ...options, seconds: 1 });
  const data = pcm16(second.samples);
  const file = openSync(path, 'w');
  try {
    writeSync(file, wavHeader(second.rate, data.length * options.seconds));
    for (let done = 0; done < options.seconds; done++) writeSync(file, data);
  } finally {
    closeSync(file);
  }
}

/** Writes any sound as a mono 16-bit WAV file. */
export function writeWav(path: string, sound: Sound): void {
  const data = pcm16(sound.samples);
  const file = openSync(path, 'w');
  try {
    writeSync(file, wavHeader(sound.rate, data.length));
    writeSync(file, data);
  } finally {
    closeSync(file);
  }
}

/**
 * Reads a WAV file: 16-bit or 32-bit-float PCM; of several channels the first. The lengths in the header are not believed when
 * the file is longer or shorter: a recorder fills them in at the end. Throws when it is no such file.
 */
export function readWav(path: string): Sound {
  return parseWav(readFileSync(path), path);
}

/** Like readWav, for bytes already in memory; `name` is used in messages. */
export function parseWav(bytes: Buffer, name = 'sound'): Sound {
  if (bytes.length < 12 || bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE')
    throw new Error(`${name} is no WAV file: it does not begin with RIFF…WAVE.`);
  let format: { float: boolean; channels: number; rate: number; bits: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const chunk = bytes.toString('latin1', at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    const start = at + 8;
    if (chunk === 'fmt ' && start + 16 <= bytes.length) {
      // In the extensible format (0xfffe) the real code is the beginning of the sub-format.
      const code = bytes.readUInt16LE(start);
      const kind = code === 0xfffe && start + 26 <= bytes.length ? bytes.readUInt16LE(start + 24) : code;
      format = {
        float: kind === 3,
        channels: bytes.readUInt16LE(start + 2),
        rate: bytes.readUInt32LE(start + 4),
        bits: bytes.readUInt16LE(start + 14),
      };
      if (!((kind === 1 && format.bits === 16) || (kind === 3 && format.bits === 32)))
        throw new Error(
          `${name} holds WAV format ${kind} with ${format.bits} bits; 16-bit or 32-bit-float PCM can be read.`,
        );
    }
    if (chunk === 'data') {
      if (!format) throw new Error(`${name} is no proper WAV file: its data come before its format.`);
      return { rate: format.rate, samples: decode(bytes.subarray(start), format) };
    }
    at = start + length + (length % 2);
  }
  throw new Error(`${name} holds no sound: there is no data chunk.`);
}

/**
 * Amplitude (0 to 1; a sine of amplitude 0.25 gives 0.25) of one frequency, by Goertzel's algorithm under a Hann window, so
 * that a loud neighbour does not leak in: tones 10 / duration apart or more are told apart by a factor of over 1000.
 */
export function goertzel(samples: Float32Array, rate: number, hz: number): number {
  const count = samples.length;
  if (count < 2) return 0;
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / rate);
  const turn = (2 * Math.PI) / (count - 1);
  let previous = 0;
  let beforeThat = 0;
  let weight = 0;
  for (let index = 0; index < count; index++) {
    const window = 0.5 - 0.5 * Math.cos(turn * index);
    weight += window;
    const next = window * (samples[index] ?? 0) + coefficient * previous - beforeThat;
    beforeThat = previous;
    previous = next;
  }
  const power = previous * previous + beforeThat * beforeThat - coefficient * previous * beforeThat;
  return (2 * Math.sqrt(Math.max(0, power))) / weight;
}

/** Root mean square of all samples: loudness without regard to frequency. */
export function rms(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length === 0 ? 0 : Math.sqrt(sum / samples.length);
}

/** Adds sounds of one rate sample by sample; the longest decides the length. */
export function mix(sounds: readonly Float32Array[], atLeast = 0): Float32Array {
  const mixed = new Float32Array(Math.max(atLeast, ...sounds.map((sound) => sound.length)));
  for (const sound of sounds)
    for (let index = 0; index < sound.length; index++) mixed[index] = (mixed[index] ?? 0) + (sound[index] ?? 0);
  return mixed;
}

function decode(data: Buffer, format: { float: boolean; channels: number; bits: number }): Float32Array {
  const frame = (format.bits / 8) * Math.max(1, format.channels);
  const samples = new Float32Array(Math.floor(data.length / frame));
  for (let index = 0; index < samples.length; index++)
    samples[index] = format.float ? data.readFloatLE(index * frame) : data.readInt16LE(index * frame) / 32768;
  return samples;
}

function pcm16(samples: Float32Array): Buffer {
  const data = Buffer.alloc(samples.length * 2);
  for (const [index, sample] of samples.entries())
    data.writeInt16LE(Math.max(-32768, Math.min(32767, Math.round(sample * 32767))), index * 2);
  return data;
}

function wavHeader(rate: number, dataLength: number): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + dataLength, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(dataLength, 40);
  return header;
}
