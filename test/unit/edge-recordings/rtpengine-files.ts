/** What rtpengine leaves of a call that it recorded, made by a test: packets, and what is written down of them. Owns no folder. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface MadePacket {
  /** Ms from the first ring. */
  readonly atMs: number;
  readonly port: number;
  readonly payloadType: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly payload: Buffer;
}

/** Where each end sends to, and when the first ring was, epoch ms. */
export const ports = { caller: 30_022, callee: 30_000 } as const;
export const rangAtMs = 1_795_380_000_000;

const packetMs = 20;

export interface Voice {
  readonly from: keyof typeof ports;
  readonly codec?: 'pcmu' | 'pcma';
  readonly hz: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly ssrc?: number;
  /** Number of the first packet, and its timestamp. */
  readonly sequence?: number;
  readonly timestamp?: number;
  /** How fast the sender's clock is, 1: as ours. */
  readonly pace?: number;
}

/** A tone as a phone sends it, 20 ms a packet. */
export function voice({ from, codec = 'pcmu', hz, fromMs, toMs, ...rest }: Voice): MadePacket[] {
  const { ssrc = hz, sequence = 65_530, timestamp = 4_294_967_000, pace = 1 } = rest;
  const packets: MadePacket[] = [];
  for (let count = 0; fromMs + (count * packetMs) / pace < toMs; count += 1) {
    const payload = Buffer.alloc(160);
    for (let at = 0; at < 160; at += 1) {
      const level = Math.round(0.25 * 32_767 * Math.sin((2 * Math.PI * hz * (count * 160 + at)) / 8_000));
      payload[at] = codec === 'pcmu' ? muLaw(level) : aLaw(level);
    }
    packets.push({
      ...{ atMs: fromMs + (count * packetMs) / pace, port: ports[from], payloadType: codec === 'pcmu' ? 0 : 8 },
      ...{ sequence: (sequence + count) % 65_536, timestamp: (timestamp + count * 160) % 2 ** 32, ssrc, payload },
    });
  }
  return packets;
}

/** G.711 by its definition: the code whose level is next. The program under test goes the other way, by arithmetic of its own. */
function muLaw(level: number): number {
  const magnitude = Math.min(32_635, Math.abs(level)) + 132;
  const exponent = Math.floor(Math.log2(magnitude)) - 7;
  const mantissa = (magnitude >> (exponent + 3)) & 15;
  return ~((level < 0 ? 128 : 0) | (exponent << 4) | mantissa) & 255;
}
function aLaw(level: number): number {
  const magnitude = Math.min(32_767, Math.abs(level)) >> 4;
  const exponent = magnitude < 16 ? 0 : Math.floor(Math.log2(magnitude)) - 3;
  const mantissa = (exponent === 0 ? magnitude : magnitude >> (exponent - 1)) & 15;
  return ((level < 0 ? 0 : 128) | (exponent << 4) | mantissa) ^ 0x55;
}

/** A pcap file of them, in the order of their arrival. */
export function pcapOf(packets: readonly MadePacket[], ethernet = false): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(ethernet ? 1 : 101, 20);
  const records = [...packets]
    .sort((a, b) => a.atMs - b.atMs)
    .map((packet) => {
      const rtp = Buffer.alloc(12);
      rtp[0] = 0x80;
      rtp[1] = packet.payloadType;
      rtp.writeUInt16BE(packet.sequence, 2);
      rtp.writeUInt32BE(packet.timestamp, 4);
      rtp.writeUInt32BE(packet.ssrc, 8);
      const ip = Buffer.alloc(28);
      ip[0] = 0x45;
      ip[9] = 17;
      ip.writeUInt16BE(packet.port, 22);
      const whole = Buffer.concat([Buffer.alloc(ethernet ? 14 : 0), ip, rtp, packet.payload]);
      const record = Buffer.alloc(16);
      const at = rangAtMs + packet.atMs;
      record.writeUInt32LE(Math.floor(at / 1_000), 0);
      record.writeUInt32LE(Math.round((at % 1_000) * 1_000), 4);
      record.writeUInt32LE(whole.length, 8);
      record.writeUInt32LE(whole.length, 12);
      return Buffer.concat([record, whole]);
    });
  return Buffer.concat([head, ...records]);
}

/** What is written down of a call; null: nobody answered it. */
export function metadataOf(name: string, sipCallId: string, answeredMs: number | null): string {
  const sdp = (label: string, mode: string, port: number): string =>
    [
      `\nLabel: ${label}`,
      'Timestamp started ms: 1795380000000.062',
      `SDP mode: ${mode}`,
      'SDP before RTP packet: 1\n',
      ...['v=0', 'o=- 1 1 IN IP4 10.77.0.1', 's=-', 'c=IN IP4 10.77.0.1', 't=0 0'],
      ...[`m=audio ${port} RTP/AVP 0 8 96 101`, 'a=rtpmap:0 PCMU/8000', 'a=rtpmap:8 PCMA/8000'],
      ...['a=rtpmap:96 opus/48000/2', 'a=rtpmap:101 telephone-event/8000', `a=rtcp:${port + 1}`, ''],
    ].join('\n');
  const mark =
    answeredMs === null
      ? ''
      : `patchcord:${Buffer.from(sipCallId).toString('hex')}:${((rangAtMs + answeredMs) / 1_000).toFixed(6)}`;
  return [
    `/var/spool/rtpengine/pcaps/${name}.pcap\n`,
    sdp('caller', 'offer', ports.callee),
    sdp('callee', 'answer', ports.caller),
    '\nTimestamp terminated ms(first monologue): 0.000\n',
    'call start time: 2026-11-22T20:44:49\ncall end time: 2026-11-22T20:44:54\n\n',
    `${mark}\n`,
  ].join('\n');
}

/** Puts a call that is over into rtpengine's folder. */
export async function leave(
  folder: string,
  { name, sipCallId = name, answeredMs = 0, packets }: LeftCall,
): Promise<void> {
  for (const inner of ['pcaps', 'metadata', 'tmp']) await mkdir(join(folder, inner), { recursive: true });
  await writeFile(join(folder, 'pcaps', `${name}.pcap`), pcapOf(packets));
  await writeFile(join(folder, 'metadata', `rtpengine-meta-${name}.txt`), metadataOf(name, sipCallId, answeredMs));
}

interface LeftCall {
  readonly name: string;
  readonly sipCallId?: string;
  readonly answeredMs?: number | null;
  readonly packets: readonly MadePacket[];
}

/** 600 Hz as libopus writes it: packets of 20 ms, mono, 16 kbit/s. */
export const opusPackets: readonly Buffer[] = [
  '+LBlre3NeR8WlvcdWsjQVTRHe10BQroPbmL8myU6OMjRCamtU4bbkQ==',
  'mKymYeHOTglRKj9yFoNUSBit4xr8X0kWFH26AAzKRpOpqO0Yda2xkQ==',
  'mKylmBYpCg7gI9Ey8N5oXjQ0HNHORpL8KP70ABmUjSdByO0aOGfhkQ==',
  'mKylmBYpCg7gI9Ey8cm5ewtGPTnMxPlkKPs0ABmUjSdByO0avGfhkQ==',
  'mKylmNfXaa0zQOx+w5xz5m50JGj7o9sACj+9AAZlI0nU1B5sxTLxkQ==',
  'mKylmBYpCg7gI9Ey8N5/KrE8HbM4oNxMKP70ABmUjSdByO0YuGfhkQ==',
  'mKylmBYpCg7gI9Ey8N5oYUPEBQisxJ2gKP70ABmUjSdByO0YeGfhkQ==',
  'mKylmA7xXvDIt5jm0DOIHp0+nyGCzVlgqm70ABmUjSdByO0YzGXhkQ==',
  'mKylmNlk8J1WWs/rmes/1isjmhkb7AkWFH96AAzKRpOpqO0YOmfhkQ==',
  'mKylmBYpCg7gI9Ey8coWFL+Kv7nMb4RYKPs0ABmUjSdByO0ceGXhkQ==',
  'mKysLRViIC09BStZOp5VTsqd9iE/I9sAltONId/4jfTSfRdecIV3TA==',
  'mLBlrfExPI5P+tddTeeEZGTN2nL6c87RFrB7OMdGBnlEIO0avg2rkQ==',
  'mKymYeS9UXoi1TjxqKt6deQ2ZsgEBMmCFH96AAzKRpOpqO0bNa2xkQ==',
  'mKylmBbs+/AREeve09mMEk33hNwlsa4mFH96AAzKRpOpqO0eeGfhkQ==',
  'mKylmNdJNQMqre2LS6qzM0WOHOEymMxkFH96AAzKRpOpqO0aimfhkQ==',
  'mKylmBgaWbUl0yvBCtcmiVWIfAlvD3ZYCj+9AAZlI0nU1B5snDLxkQ==',
  'mKylmBbs+/AREeve09lkCCZqjZ0vZryqFH96AAzKRpOpqO0euGfhkQ==',
  'mKylmNdJNQMqre2LS6q4+OvCH6rQHuykFH96AAzKRpOpqO0ZimfhkQ==',
  'mKylmBDYLzYPCndYJ9FjXLRx3ScOb6TBCj+9AAZlI0nU1B5s5DLxkQ==',
  'mKylmNlk8J1WWs/rmetFz2FNmR26SiykFH96AAzKRpOpqO0cemfhkQ==',
  'mKylmA7xXvDIt5jm0DOHct4Mh9ywoNlgqm70ABmUjSdByO0ZiGXhkQ==',
  'mKylmBYpCg7gI9Ey8N5kGBCcIaMyRrQMKP70ABmUjSdByO0YOGfhkQ==',
  'mKylmNlk8J1WWs/rmesh2xqNkdgi+NYAFH96AAzKRpOpqO0YumfhkQ==',
  'mKylmBYpCg7gI9Ey8N5oYQ4OupM0oJ98KP70ABmUjSdByO0aeGXhkQ==',
  'mKylmA7xXvDIt5jm0EHty6iSO6XNxB24KP70ABmUjSdByO0ayGfhkQ==',
].map((text) => Buffer.from(text, 'base64'));
