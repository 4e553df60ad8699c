/**
 * The RTP packets in a pcap file as rtpengine writes it (raw IP, or with an Ethernet header), one after the other. Owns those headers. Must never hold
 * the file, nor fail because its end is missing: a full disk or a crash leaves it so.
 */
import type { FileHandle } from 'node:fs/promises';

/** One RTP packet; its payload stays in the file. */
export interface RtpPacket {
  /** When rtpengine had it, epoch ms with fractions. */
  readonly atMs: number;
  /** The port of rtpengine it came to. */
  readonly port: number;
  readonly payloadType: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  /** Of the payload, bytes from the beginning of the file. */
  readonly offset: number;
  readonly length: number;
}

const chunkBytes = 1 << 20;
/** No packet is longer: what says so is no pcap file any more. */
const longestRecord = 1 << 18;
const fileHeader = 24;
const recordHeader = 16;
/** LINKTYPE_ETHERNET, and the bytes in front of IP; the others are raw IP (LINKTYPE_RAW, and DLT_RAW as some write it). */
const linkHeaders: Readonly<Record<number, number>> = { 1: 14, 12: 0, 101: 0 };
const udp = 17;

/** @throws Error in words for an operator where it is no pcap file */
export async function* readPackets(file: Pick<FileHandle, 'read'>): AsyncGenerator<RtpPacket> {
  const read = async (at: number, bytes: Buffer): Promise<Buffer> => {
    const { bytesRead } = await file.read(bytes, 0, bytes.length, at);
    return bytes.subarray(0, bytesRead);
  };
  const head = await read(0, Buffer.alloc(fileHeader));
  if (head.length < fileHeader) throw new Error('it is no pcap file: it is too short');
  const magic = [head.readUInt32LE(0), head.readUInt32BE(0)];
  const isLittle = magic[0] === 0xa1b2c3d4 || magic[0] === 0xa1b23c4d;
  const known = isLittle ? magic[0] : magic[1];
  if (known !== 0xa1b2c3d4 && known !== 0xa1b23c4d) throw new Error('it is no pcap file: it does not begin like one');
  const perMs = known === 0xa1b2c3d4 ? 1_000 : 1_000_000;
  const uint32 = (bytes: Buffer, at: number): number => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const link = linkHeaders[uint32(head, 20) & 0xffff];
  if (link === undefined) throw new Error(`it holds packets of link type ${uint32(head, 20)}, not raw IP`);

  let start = fileHeader;
  for (;;) {
    const chunk = await read(start, Buffer.allocUnsafe(chunkBytes));
    let at = 0;
    while (at + recordHeader <= chunk.length) {
      const length = uint32(chunk, at + 8);
      if (length > longestRecord) return;
      const begins = at + recordHeader;
      if (begins + length > chunk.length) break;
      const rtp = readIp(chunk.subarray(begins + link, begins + length));
      if (rtp !== null) {
        const atMs = uint32(chunk, at) * 1_000 + uint32(chunk, at + 4) / perMs;
        yield { ...rtp, atMs, offset: start + begins + link + rtp.offset };
      }
      at = begins + length;
    }
    // Nothing whole is left: what follows was never written.
    if (at === 0) return;
    start += at;
  }
}

/** IPv4 or IPv6 without extension headers, and UDP in it. */
function readIp(packet: Buffer): Omit<RtpPacket, 'atMs'> | null {
  const version = (packet[0] ?? 0) >> 4;
  const header = version === 4 ? ((packet[0] ?? 0) & 15) * 4 : version === 6 ? 40 : 0;
  if (header === 0 || packet.length < header + 8 || packet[version === 4 ? 9 : 6] !== udp) return null;
  return readRtp(packet, header + 8, packet.readUInt16BE(header + 2));
}

/** RFC 3550 section 5.1. Null for RTCP on the same port (RFC 5761), and for what is neither. */
function readRtp(packet: Buffer, start: number, port: number): Omit<RtpPacket, 'atMs'> | null {
  if (packet.length < start + 12) return null;
  const [first = 0, second = 0] = packet.subarray(start, start + 2);
  if (first >> 6 !== 2 || (second >= 192 && second <= 223)) return null;
  let from = start + 12 + (first & 15) * 4;
  if ((first & 0x10) !== 0) {
    if (packet.length < from + 4) return null;
    from += 4 + packet.readUInt16BE(from + 2) * 4;
  }
  const padding = (first & 0x20) === 0 ? 0 : (packet.at(-1) ?? 0);
  const length = packet.length - padding - from;
  if (length <= 0) return null;
  return {
    ...{
      port,
      payloadType: second & 127,
      sequence: packet.readUInt16BE(start + 2),
      timestamp: packet.readUInt32BE(start + 4),
    },
    ...{ ssrc: packet.readUInt32BE(start + 8), offset: from, length },
  };
}
