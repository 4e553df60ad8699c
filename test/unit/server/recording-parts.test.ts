/** The parts of a recording's keeping: reading WAV as it arrives, one range of bytes, and a file that lies encrypted. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorCode } from '@patchcord/call-protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { spanOf } from '../../../server/src/recordings/range.ts';
import { pieceBytes, readSealed, SealedWriter, sealedLength } from '../../../server/src/recordings/sealed-file.ts';
import { mustSwap, WavReader, wavHeader } from '../../../server/src/recordings/wav.ts';
import { parseWav } from '../../sip-lab/tone.ts';
import { loudness, riff, wavOf } from './wav-samples.ts';

/** Everything a reader makes of a file that comes in pieces of this size. */
function readAll(file: Buffer, swap = false, pieces = 1_000): { sound: Buffer; reader: WavReader } {
  const reader = new WavReader(swap);
  const sound: Buffer[] = [];
  for (let at = 0; at < file.length; at += pieces) sound.push(Buffer.from(reader.take(file.subarray(at, at + pieces))));
  return { sound: Buffer.concat(sound), reader };
}
const refusal = (file: Buffer): string => {
  try {
    readAll(file).reader.end();
  } catch (error) {
    expect(errorCode(error)).toBe('request.invalid');
    return (error as Error).message;
  }
  return 'taken';
};

describe('a WAV file', () => {
  const stereo = wavOf([440, 880]);

  it('gives the same sound in whatever pieces it arrives', () => {
    const whole = readAll(stereo, false, stereo.length).sound;
    expect(whole).toHaveLength(8_000 * 4);
    for (const pieces of [1, 3, 7, 45, 65_536]) expect(readAll(stereo, false, pieces).sound.equals(whole)).toBe(true);
  });

  it('has its channels change places, also across pieces that cut a sample', () => {
    for (const pieces of [1, 3, 10_001]) {
      const { sound, reader } = readAll(stereo, true, pieces);
      const turned = Buffer.concat([wavHeader(reader.end(), sound.length), sound]);
      expect(loudness(turned, 1, 880)).toBeCloseTo(0.25, 2);
      expect(loudness(turned, 2, 440)).toBeCloseTo(0.25, 2);
      expect(loudness(turned, 1, 440)).toBeLessThan(0.01);
    }
    const { sound } = readAll(wavOf([1, 1], { codec: 'alaw' }), true);
    expect(sound.subarray(0, 4).toString('hex')).toBe('22112211');
  });

  it('is read past chunks that say other things, and only as far as its sound goes', () => {
    const padded = Buffer.concat([wavOf([440, 880], { extra: Buffer.alloc(301) }), Buffer.from('LIST\x04\0\0\0abcd')]);
    expect(readAll(padded).sound.equals(readAll(stereo).sound)).toBe(true);
  });

  it('of a recorder that never filled the length in is read to its end', () => {
    for (const dataLength of [0, 0xffff_ffff]) {
      const { sound, reader } = readAll(wavOf([440, 880], { dataLength }));
      expect(sound).toHaveLength(8_000 * 4);
      expect(reader.end()).toEqual({ codec: 'pcm16', rate: 8_000, channels: 2 });
    }
  });

  it('is refused, saying why, when it is something else, cut short or of another format', () => {
    expect(refusal(Buffer.from('ID3 this is an mp3 and no wave'))).toContain('RIFF');
    expect(refusal(stereo.subarray(0, 20_000))).toContain('shorter than its own header says');
    expect(refusal(stereo.subarray(0, 30))).toContain('ends before its sound begins');
    const float = wavOf([440]);
    float.writeUInt16LE(3, 20);
    expect(refusal(float)).toContain('format 3');
    const many = wavOf([440]);
    many.writeUInt16LE(6, 22);
    expect(refusal(many)).toContain('6 channels');
    expect(refusal(riff([['data', Buffer.alloc(8)]]))).toContain('nothing of its format');
    expect(refusal(riff([['LIST', Buffer.alloc(70_000)]]))).toContain('65,536');
  });

  it('gets a header that any reader of WAV takes, for each format', () => {
    const header = wavHeader({ codec: 'pcm16', rate: 16_000, channels: 1 }, 320);
    expect(parseWav(Buffer.concat([header, Buffer.alloc(320)]))).toMatchObject({ rate: 16_000 });
    const alaw = wavHeader({ codec: 'alaw', rate: 8_000, channels: 1 }, 801);
    expect(alaw.readUInt32LE(4)).toBe(alaw.length - 8 + 802);
    const { sound, reader } = readAll(Buffer.concat([alaw, Buffer.alloc(802)]));
    expect(sound).toHaveLength(801);
    expect(reader.end()).toEqual({ codec: 'alaw', rate: 8_000, channels: 1 });
  });
});

it('the caller is on the first channel whatever the direction of the call', () => {
  expect(mustSwap('caller,callee', 'inbound')).toBe(false);
  expect(mustSwap('callee,caller', 'outbound')).toBe(true);
  expect(mustSwap('agent,far-side', 'inbound')).toBe(true);
  expect(mustSwap('agent,far-side', 'outbound')).toBe(false);
  expect(mustSwap('far-side,agent', 'inbound')).toBe(false);
  expect(mustSwap('far-side,agent', 'outbound')).toBe(true);
  expect(mustSwap('mono', 'outbound')).toBe(false);
});

describe('a range', () => {
  const of = (range?: string, ifRange?: string) => spanOf({ range, ifRange }, 1_000, '"v1"');
  const whole = { from: 0, to: 1_000, part: false };

  it('is one span, from a place, of a length at the end, or between', () => {
    expect(of('bytes=0-0')).toEqual({ from: 0, to: 1, part: true });
    expect(of('bytes=10-19')).toEqual({ from: 10, to: 20, part: true });
    expect(of('bytes=0-')).toEqual({ from: 0, to: 1_000, part: true });
    expect(of('bytes=999-')).toEqual({ from: 999, to: 1_000, part: true });
    expect(of('bytes=990-5000')).toEqual({ from: 990, to: 1_000, part: true });
    expect(of('bytes=-1')).toEqual({ from: 999, to: 1_000, part: true });
    expect(of('bytes=-5000')).toEqual({ from: 0, to: 1_000, part: true });
  });

  it('beyond the end has nothing to give', () => {
    expect(of('bytes=1000-')).toBeNull();
    expect(of('bytes=1000-1001')).toBeNull();
    expect(of('bytes=-0')).toBeNull();
  });

  it('that is none, several or nonsense gives everything', () => {
    for (const range of [undefined, '', 'bytes=', 'bytes=-', 'bytes=5-2', 'items=0-1', 'bytes=0-1,5-6', 'bytes=a-b'])
      expect(of(range)).toEqual(whole);
  });

  it('of another version gives everything', () => {
    expect(of('bytes=0-1', '"v1"')).toMatchObject({ part: true });
    for (const other of ['"v2"', 'W/"v1"', 'Sat, 21 Nov 2026 10:00:00 GMT'])
      expect(of('bytes=0-1', other)).toEqual(whole);
  });
});

describe('a sealed file', () => {
  let folder: string;
  const sealed = { key: randomBytes(32), name: 'acme call file' };
  const lengths = [1, 100, pieceBytes - 1, pieceBytes, pieceBytes + 1, 3 * pieceBytes + 17];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'patchcord-sealed-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function written(bytes: Buffer, pieces = 10_000): Promise<string> {
    const path = join(folder, randomBytes(8).toString('hex'));
    const handle = await open(path, 'wx');
    const writer = new SealedWriter({ write: async (piece) => void (await handle.write(piece)) }, sealed);
    for (let at = 0; at < bytes.length; at += pieces) await writer.write(bytes.subarray(at, at + pieces));
    await writer.end();
    await handle.close();
    return path;
  }
  async function readBack(path: string, bytes: number, from = 0, to = bytes, as = sealed): Promise<Buffer> {
    const handle = await open(path, 'r');
    try {
      const parts: Buffer[] = [];
      const placed = {
        read: (begin: number, end: number): AsyncIterable<Buffer> =>
          handle.createReadStream({ start: begin, end: end - 1, autoClose: false }),
      };
      for await (const part of readSealed(placed, as, bytes, from, to)) parts.push(part);
      return Buffer.concat(parts);
    } finally {
      await handle.close();
    }
  }

  it('gives back what was written, whole and from anywhere in it, and shows none of it on the disk', async () => {
    for (const length of lengths) {
      const bytes = Buffer.alloc(length, 'the words of a caller ');
      const path = await written(bytes);
      const onDisk = await readFile(path);
      expect(onDisk).toHaveLength(sealedLength(length));
      expect(onDisk.includes('words of')).toBe(false);
      expect((await readBack(path, length)).equals(bytes)).toBe(true);
      for (const [from, to] of [
        [0, 1],
        [length - 1, length],
        [Math.floor(length / 2), length],
        [Math.max(0, pieceBytes - 1), Math.min(length, pieceBytes + 1)],
      ] as const) {
        if (from >= to) continue;
        expect((await readBack(path, length, from, to)).equals(bytes.subarray(from, to))).toBe(true);
      }
    }
  });

  it('gives out nothing of a piece that was changed, and all of those before it', async () => {
    const bytes = randomBytes(3 * pieceBytes);
    const path = await written(bytes);
    const onDisk = await readFile(path);
    onDisk[pieceBytes + 16 + 5] = (onDisk[pieceBytes + 16 + 5] ?? 0) ^ 1;
    await writeFile(path, onDisk);
    expect((await readBack(path, bytes.length, 0, pieceBytes)).equals(bytes.subarray(0, pieceBytes))).toBe(true);
    await expect(readBack(path, bytes.length, pieceBytes, pieceBytes + 1)).rejects.toThrow('changed or damaged');
  });

  it('does not open when pieces changed places, the end was cut off, or it is taken for another file', async () => {
    const bytes = randomBytes(3 * pieceBytes);
    const path = await written(bytes);
    const onDisk = await readFile(path);
    const piece = pieceBytes + 16;
    const turned = Buffer.concat([
      onDisk.subarray(piece, 2 * piece),
      onDisk.subarray(0, piece),
      onDisk.subarray(2 * piece),
    ]);
    await writeFile(path, turned);
    await expect(readBack(path, bytes.length)).rejects.toThrow('changed or damaged');
    await writeFile(path, onDisk.subarray(0, 2 * piece));
    // Also where the length that is asked for fits what is left.
    await expect(readBack(path, 2 * pieceBytes)).rejects.toThrow('changed or damaged');
    await expect(readBack(path, bytes.length)).rejects.toThrow('changed or damaged');
    await writeFile(path, onDisk);
    await expect(readBack(path, bytes.length, 0, 1, { ...sealed, name: 'acme other file' })).rejects.toThrow('changed');
    await expect(readBack(path, bytes.length, 0, 1, { ...sealed, key: randomBytes(32) })).rejects.toThrow('changed');
  });
});
