/** From the packets that rtpengine recorded to a file of two channels: each voice where it belongs, and silence for all that is no voice. */
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { soundOf } from '../../../deploy/kamailio/recordings/call-sound.ts';
import { readRecordedCall } from '../../../deploy/kamailio/recordings/recorded-call.ts';
import { goertzel } from '../../sip-lab/tone.ts';
import { type MadePacket, metadataOf, opusPackets, pcapOf, ports, voice } from './rtpengine-files.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-edge-sound-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Heard {
  readonly rate: number;
  readonly seconds: number;
  readonly unreadable: number;
  /** How loud a tone is on a channel between two moments, ms: 0.25 as it was made. */
  loud(channel: 1 | 2, hz: number, fromMs: number, toMs: number): number;
  /** The greatest sample between two moments. */
  peak(channel: 1 | 2, fromMs: number, toMs: number): number;
  readonly wav: Buffer;
}

async function hear(packets: readonly MadePacket[], answeredMs = 0, bytes = pcapOf(packets)): Promise<Heard> {
  const path = join(folder, 'call.pcap');
  await writeFile(path, bytes);
  const file = await open(path);
  try {
    const sound = await soundOf(readRecordedCall(metadataOf('call', 'call', answeredMs)), file);
    const pieces: Buffer[] = [];
    for await (const piece of sound.read()) pieces.push(piece);
    const wav = Buffer.concat(pieces);
    expect(wav.length).toBe(sound.bytes);
    const rate = wav.readUInt32LE(24);
    const samples = (channel: 1 | 2, fromMs: number, toMs: number): Float32Array =>
      Float32Array.from({ length: Math.round(((toMs - fromMs) / 1_000) * rate) }, (_, at) => {
        const place = 44 + (Math.round((fromMs / 1_000) * rate) + at) * 4 + (channel - 1) * 2;
        return place + 2 > wav.length ? 0 : wav.readInt16LE(place) / 32_768;
      });
    return {
      ...{ rate, wav, seconds: (wav.length - 44) / 4 / rate, unreadable: sound.unreadable },
      loud: (channel, hz, fromMs, toMs) => goertzel(samples(channel, fromMs, toMs), rate, hz),
      peak: (channel, fromMs, toMs) => Math.max(...samples(channel, fromMs, toMs).map(Math.abs)),
    };
  } finally {
    await file.close();
  }
}

const callerTone = { from: 'caller', hz: 600, fromMs: 0, toMs: 4_000 } as const;
const calleeTone = { from: 'callee', hz: 850, fromMs: 0, toMs: 4_000 } as const;
const isLoud = (level: number): boolean => level > 0.24 && level < 0.26;

describe('the sound of a call that the edge recorded', () => {
  it('has each voice on its own channel, the caller first, whatever G.711 it came in', async () => {
    const heard = await hear([...voice(callerTone), ...voice({ ...calleeTone, codec: 'pcma' })]);
    expect([heard.rate, heard.seconds]).toEqual([8_000, 4]);
    expect(isLoud(heard.loud(1, 600, 100, 3_900))).toBe(true);
    expect(isLoud(heard.loud(2, 850, 100, 3_900))).toBe(true);
    expect(heard.loud(1, 850, 100, 3_900)).toBeLessThan(0.001);
    expect(heard.loud(2, 600, 100, 3_900)).toBeLessThan(0.001);
    // No step anywhere: what is not the tone is the codec's noise.
    expect(heard.peak(1, 0, 4_000)).toBeLessThan(0.26);
  });

  it('begins with the answer: what was heard before is not in it, and who speaks later is silent until then', async () => {
    const packets = [...voice(callerTone), ...voice({ ...calleeTone, fromMs: 2_500 })];
    const heard = await hear(packets, 1_500);
    expect(heard.seconds).toBe(2.5);
    expect(heard.peak(2, 0, 1_000)).toBe(0);
    expect(isLoud(heard.loud(2, 850, 1_000, 2_500))).toBe(true);
    expect(isLoud(heard.loud(1, 600, 0, 2_500))).toBe(true);
  });

  it('is silent where packets are missing, and only there', async () => {
    const packets = voice(callerTone).filter(({ atMs }) => atMs < 1_000 || atMs >= 1_200);
    const heard = await hear(packets);
    expect(heard.peak(1, 1_000, 1_200)).toBe(0);
    expect(isLoud(heard.loud(1, 600, 0, 1_000))).toBe(true);
    expect(isLoud(heard.loud(1, 600, 1_200, 4_000))).toBe(true);
  });

  it('is the same when packets come out of order, late or twice', async () => {
    const packets = voice(callerTone);
    const { wav } = await hear(packets);
    const disturbed = packets.flatMap((packet, count) => {
      const jitter = count === 0 ? 0 : (count % 7) * 9;
      const moved = { ...packet, atMs: packet.atMs + jitter + (count % 50 === 49 ? 300 : 0) };
      return count % 5 === 0 ? [moved, { ...packet, atMs: packet.atMs + 400 }] : [moved];
    });
    expect(wav.equals((await hear(disturbed)).wav)).toBe(true);
  });

  it('goes on when a phone begins another stream', async () => {
    const later = { ...callerTone, fromMs: 2_000, ssrc: 7, sequence: 100, timestamp: 5_000 };
    const heard = await hear([...voice({ ...callerTone, toMs: 2_000 }), ...voice(later)]);
    expect(heard.seconds).toBe(4);
    expect(isLoud(heard.loud(1, 600, 0, 2_000))).toBe(true);
    expect(isLoud(heard.loud(1, 600, 2_000, 4_000))).toBe(true);
  });

  it('keeps the call’s time when a phone’s clock stood still while it was on hold', async () => {
    const before = voice({ ...callerTone, toMs: 1_000 });
    const after = voice({
      ...callerTone,
      fromMs: 3_000,
      sequence: (65_530 + 50) % 65_536,
      timestamp: 4_294_967_000 + 8_000,
    });
    const heard = await hear([...before, ...after]);
    expect(heard.peak(1, 1_000, 3_000)).toBe(0);
    expect(isLoud(heard.loud(1, 600, 3_000, 4_000))).toBe(true);
  });

  it('keeps the call’s time when a phone’s clock is slow', async () => {
    // 2 per thousand: after three minutes 360 ms.
    const slow = voice({ ...callerTone, toMs: 180_000, pace: 0.998 });
    const heard = await hear([...slow, ...voice({ ...calleeTone, toMs: 180_000 })]);
    expect(heard.seconds).toBeGreaterThan(179.9);
    expect(heard.seconds).toBeLessThan(180.1);
    expect(isLoud(heard.loud(1, 600, 179_500, 179_800))).toBe(true);
  });

  it('has no key in it, also where the phone sends its tone as sound', async () => {
    const keys = [1_000, 1_050, 1_100, 1_250].map((atMs, count) => ({
      ...{
        atMs,
        port: ports.caller,
        payloadType: 101,
        sequence: (65_530 + 50 + count) % 65_536,
        timestamp: 0,
        ssrc: 600,
      },
      payload: Buffer.from([5, 10, 0, 160]),
    }));
    const heard = await hear([...voice(callerTone), ...keys, ...voice(calleeTone)]);
    expect(heard.peak(1, 900, 1_350)).toBe(0);
    expect(isLoud(heard.loud(1, 600, 0, 750))).toBe(true);
    expect(isLoud(heard.loud(1, 600, 1_400, 4_000))).toBe(true);
    expect(isLoud(heard.loud(2, 850, 800, 1_400))).toBe(true);
  });

  it('reads Opus, and G.711 beside it', async () => {
    const packets = opusPackets.map((payload, count) => ({
      ...{ atMs: count * 20, port: ports.caller, payloadType: 96, sequence: count, timestamp: count * 960, ssrc: 1 },
      payload,
    }));
    const heard = await hear([...packets, ...voice({ ...calleeTone, toMs: 500 })]);
    expect(heard.rate).toBe(16_000);
    expect(heard.loud(1, 600, 200, 480)).toBeGreaterThan(0.2);
    expect(heard.loud(1, 850, 200, 480)).toBeLessThan(0.01);
    expect(isLoud(heard.loud(2, 850, 100, 480))).toBe(true);
    expect(heard.loud(2, 600, 100, 480)).toBeLessThan(0.001);
  });

  it('counts what it can’t read, and is silent there; comfort noise is silence by itself', async () => {
    const other = voice({ ...callerTone, toMs: 1_000 }).map((packet) => ({ ...packet, payloadType: 18 }));
    const noise = voice({ ...callerTone, fromMs: 1_000, toMs: 2_000, ssrc: 2 }).map((packet) => ({
      ...packet,
      payloadType: 13,
    }));
    const heard = await hear([...other, ...noise, ...voice(calleeTone)]);
    expect(heard.unreadable).toBe(50);
    expect(heard.peak(1, 0, 4_000)).toBe(0);
  });

  it('is taken as far as it was written, and from Ethernet as well', async () => {
    const whole = pcapOf(voice(callerTone), true);
    const heard = await hear([], 0, whole.subarray(0, whole.length - 1_000));
    expect(heard.seconds).toBe(3.9);
    expect(isLoud(heard.loud(1, 600, 0, 3_900))).toBe(true);
  });
});

it('says what is wrong with a file that is none', async () => {
  await expect(hear([], 0, Buffer.alloc(100))).rejects.toThrow('it is no pcap file');
  expect(() => readRecordedCall('something else')).toThrow('its first line names no pcap file');
});
