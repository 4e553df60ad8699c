/**
 * Where in the call each packet of one voice belongs: by its RTP timestamp, held against the time at which it came. Owns order, duplicates, keys, and the
 * sender's clock, which stops (hold), jumps (another stream) and runs at its own pace. Pure.
 */
import type { RtpPacket } from './pcap.ts';
import type { Codec } from './recorded-call.ts';

/** A packet of sound and where it begins, ms from the answer; before it: negative. */
export interface Placed {
  readonly startMs: number;
  readonly packet: RtpPacket;
  readonly codec: SoundCodec;
}
export type SoundCodec = Exclude<Codec, 'keys' | 'other'>;

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}
interface Numbered {
  readonly packet: RtpPacket;
  /** The sender's clock, ms from the first packet of the run. */
  readonly clockMs: number;
}
/** Packets of one stream whose clock goes on. */
interface Run {
  readonly codec: SoundCodec;
  readonly seen: Set<number>;
  readonly packets: Numbered[];
  /** Of the packet with the highest number. */
  last: { readonly sequence: number; readonly timestamp: number; readonly clockMs: number; readonly atMs: number };
}

/** Between two packets the sender's clock and ours may part by so much; more, and it was stopped or set anew. */
const jumpMs = 500;
/** A packet as far behind as this is late; further behind, the sender counts anew. */
const latestPackets = 500;
const latestMs = 10_000;
/** The sender's clock is held against ours this often: the packets that came quickest tell how far it is. */
const lookMs = 30_000;
/** Less is left alone: a step can be heard. */
const stepMs = 30;
/** Keys are silent for so much longer, and between two of their packets: loss, jitter, and the tone that a phone plays before. */
const aroundKeysMs = 100;
const acrossKeysMs = 250;
/** No packet of sound is longer. */
const longestPacketMs = 120;
const perMs: Readonly<Record<SoundCodec, number>> = { pcmu: 8, pcma: 8, opus: 48 };

/**
 * The sound of one voice in the order of the call: without duplicates, and without what was said while keys were sent (RFC 4733).
 * @param packets Of one end, as they came
 * @param answeredMs When the call was answered, epoch ms
 */
export function placed(
  packets: readonly RtpPacket[],
  codecs: ReadonlyMap<number, Codec>,
  answeredMs: number,
): readonly Placed[] {
  const keys: Span[] = [];
  const current = new Map<string, Run>();
  const runs: Run[] = [];
  for (const packet of packets) {
    const codec = codecs.get(packet.payloadType) ?? 'other';
    if (codec === 'keys') addKeys(keys, packet.atMs - answeredMs);
    if (codec === 'keys' || codec === 'other') continue;
    const stream = `${packet.ssrc} ${codec}`;
    const run = current.get(stream);
    if (run !== undefined && goesOn(run, packet)) continue;
    const begun = begin(packet, codec);
    current.set(stream, begun);
    runs.push(begun);
  }
  return runs
    .flatMap((run) => atTheirTime(run, answeredMs))
    .filter(({ startMs }) => !keys.some(({ fromMs, toMs }) => startMs > fromMs && startMs < toMs))
    .sort((a, b) => a.startMs - b.startMs);
}

function addKeys(keys: Span[], atMs: number): void {
  const before = keys.at(-1);
  const toMs = atMs + aroundKeysMs;
  if (before !== undefined && atMs - before.toMs < acrossKeysMs) keys[keys.length - 1] = { ...before, toMs };
  else keys.push({ fromMs: atMs - aroundKeysMs - longestPacketMs, toMs });
}

function begin(packet: RtpPacket, codec: SoundCodec): Run {
  const { sequence, timestamp, atMs } = packet;
  const first = { packet, clockMs: 0 };
  return { codec, seen: new Set([sequence]), packets: [first], last: { sequence, timestamp, clockMs: 0, atMs } };
}

/** Takes a packet into a run; false where it is of none that went before. */
function goesOn(run: Run, packet: RtpPacket): boolean {
  const { last } = run;
  // Numbers of 16 and 32 bits that begin anew: the nearest one is meant.
  const ahead = ((packet.sequence - last.sequence) << 16) >> 16;
  const sequence = last.sequence + ahead;
  const elapsedMs = ((packet.timestamp - last.timestamp) | 0) / perMs[run.codec];
  const apartMs = Math.abs(packet.atMs - last.atMs - elapsedMs);
  const isLate = ahead <= 0 && ahead > -latestPackets;
  if (!isLate && (ahead <= 0 || apartMs > jumpMs)) return false;
  // Too late, or from before a jump: nobody knows where it belongs.
  if (run.seen.has(sequence) || apartMs > latestMs) return true;
  run.seen.add(sequence);
  const clockMs = last.clockMs + elapsedMs;
  run.packets.push({ packet, clockMs });
  if (!isLate) run.last = { sequence, timestamp: packet.timestamp, clockMs, atMs: packet.atMs };
  return true;
}

/** The packets of a run on our clock, which the quickest of each stretch tell. */
function atTheirTime({ codec, packets }: Run, answeredMs: number): readonly Placed[] {
  const quickest = new Map<number, number>();
  for (const { packet, clockMs } of packets) {
    const stretch = Math.floor(clockMs / lookMs);
    const behind = packet.atMs - answeredMs - clockMs;
    quickest.set(stretch, Math.min(behind, quickest.get(stretch) ?? behind));
  }
  let offset: number | null = null;
  for (const [stretch, behind] of [...quickest].sort(([a], [b]) => a - b)) {
    if (offset === null || Math.abs(behind - offset) >= stepMs) offset = behind;
    quickest.set(stretch, offset);
  }
  return packets.map(({ packet, clockMs }) => ({
    startMs: clockMs + (quickest.get(Math.floor(clockMs / lookMs)) ?? 0),
    ...{ packet, codec },
  }));
}
