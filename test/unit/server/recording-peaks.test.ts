/** How loud a recording is, counted while it is written: the same picture whatever its length, its form and the pieces it comes in. */
import { describe, expect, it } from 'vitest';
import { PeakCounter, readPeaks } from '../../../server/src/recordings/peaks.ts';

const rate = 8_000;
/** Two channels: the first loud in the first half, the second loud in the second; in 16 bits. */
function sound(seconds: number): Buffer {
  const pcm = Buffer.alloc(Math.round(seconds * rate) * 4);
  const frames = pcm.length / 4;
  for (let frame = 0; frame < frames; frame += 1)
    pcm.writeInt16LE(frame % 2 === 0 ? 32_767 : -32_768, frame * 4 + (frame < frames / 2 ? 0 : 2));
  return pcm;
}
async function peaksOf(counter: PeakCounter, channels: 1 | 2): Promise<readonly (readonly number[])[]> {
  const bytes = counter.bytes();
  async function* read(from: number, to: number): AsyncGenerator<Buffer> {
    yield bytes.subarray(from - 10, to - 10);
  }
  return (await readPeaks({ isFollowed: true, read }, { bytes: 10, channels })) ?? [];
}

describe('the peaks of a recording', () => {
  it.each([0.05, 1, 7.3, 95, 700])('stand where it is loud, after %s seconds of sound', async (seconds) => {
    const counter = new PeakCounter();
    const all = sound(seconds);
    for (let at = 0; at < all.length; at += 65_536)
      counter.take({ codec: 'pcm16', channels: 2 }, all.subarray(at, at + 65_536));
    const [first = [], second = []] = await peaksOf(counter, 2);
    expect([first.length, second.length]).toEqual([1_000, 1_000]);
    // A block in the middle may have both.
    const few = Math.ceil(1_000 / Math.min(1_000, (seconds * rate) / 64)) + 2;
    expect(first.slice(0, 500 - few).every((level) => level === 255)).toBe(true);
    expect(first.slice(500 + few).every((level) => level === 0)).toBe(true);
    expect(second.slice(0, 500 - few).every((level) => level === 0)).toBe(true);
    expect(second.slice(500 + few).every((level) => level === 255)).toBe(true);
  });

  it('read A-law and µ-law as loud as they sound', async () => {
    const levels = async (codec: 'alaw' | 'ulaw', byte: number): Promise<number | undefined> => {
      const counter = new PeakCounter();
      counter.take({ codec, channels: 1 }, Buffer.alloc(8_000, byte));
      return (await peaksOf(counter, 1))[0]?.[500];
    };
    // ITU-T G.711: the loudest and the quietest codes of both laws.
    expect(await levels('alaw', 0xaa)).toBe(Math.round(255 * Math.sqrt(32_256 / 32_768)));
    expect(await levels('alaw', 0xd5)).toBe(Math.round(255 * Math.sqrt(8 / 32_768)));
    expect(await levels('ulaw', 0x80)).toBe(Math.round(255 * Math.sqrt(32_124 / 32_768)));
    expect(await levels('ulaw', 0xff)).toBe(0);
  });

  it('are none where nothing was counted', async () => {
    const read = (): AsyncGenerator<Buffer> => {
      throw new Error('nothing is there to read');
    };
    expect(await readPeaks({ isFollowed: false, read }, { bytes: 10, channels: 2 })).toBeNull();
  });
});
