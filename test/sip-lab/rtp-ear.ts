/**
 * Owns the ear of a far phone: the PCMU or PCMA sound that arrives at the phone's media ports, taken from the wire in its namespace.
 * Must never send a packet, and never claim that a phone program plays what arrives.
 *
 * Why the wire and not the phone's own recording: baresip 1.0.0 stops recording at the first hold (it drops its decode filters and
 * never restores them), linphonec writes its file late; packets have a time, so "silence while on hold" can be measured to 20 ms.
 */
import { type LabProcess, startLabProcess, untilReady } from './lab-process.ts';
import { goertzel, mix, rms } from './tone.ts';

export interface Heard {
  /** Samples per second. */
  readonly rate: number;
  readonly samples: Float32Array;
  /** Root mean square: loudness of everything. */
  readonly rms: number;
  /** RTP packets with sound that arrived in the time. */
  readonly packets: number;
  /** Amplitude 0 to 1 of one frequency; a phone's full tone is about 0.25. */
  amplitude(hz: number): number;
}

export interface RtpEar {
  /** What arrived in the last `ms`; what did not arrive counts as silence. At most the last 20 seconds are kept. */
  heard(ms: number): Heard;
  /**
   * The longest piece of sound that is missing among what arrived within the last `ms`, in ms, by the clock of whoever sent it: a packet that came late
   * is not missing. What is missing at the end, up to now, counts as well.
   */
  longestGap(ms: number): number;
  /** When packets came again after the longest pause since then, epoch ms; undefined while they have not. */
  backSince(since: number): number | undefined;
  /** Listens for `ms` (default 400) from now on. */
  listen(ms?: number): Promise<Heard>;
  /** Resolves once the tone is heard with at least `amplitude` (default 0.01). Throws with the levels heard after `withinMs` (default 8000). */
  hears(hz: number, options?: { amplitude?: number; withinMs?: number }): Promise<Heard>;
  /** Resolves once a whole listening period has an rms below `rms` (default 0.002). Throws after `withinMs` (default 8000). */
  hearsSilence(options?: { rms?: number; withinMs?: number }): Promise<Heard>;
  stop(): Promise<void>;
}

interface Packet {
  at: number;
  /** Port and source identifier: one stream of one call. */
  stream: string;
  sequence: number;
  /** In samples. */
  timestamp: number;
  sound: Float32Array;
}

const rate = 8000;
const keptMs = 20_000;

/**
 * Prints "<port> <UDP payload in hexadecimal>" for every UDP packet that comes in for the port range. Perl because every Debian has
 * it and Node opens no packet socket: 17 = AF_PACKET, 2 = SOCK_DGRAM (frames without link header), packet type 4 = outgoing.
 */
const tap = `
my ($low, $high) = @ARGV;
$| = 1;
socket(my $tap, 17, 2, unpack("S", pack("n", 0x0800))) or die "no packet socket: $!\\n";
print "ready\\n";
while (defined(my $from = recv($tap, my $packet, 2048, 0))) {
  next if unpack("x10 C", $from) == 4;
  my ($first, $protocol) = unpack("C x8 C", $packet);
  next if $protocol != 17;
  my $header = ($first & 15) * 4;
  my $port = unpack("x$header x2 n", $packet);
  next if $port < $low || $port > $high;
  print $port, " ", unpack("H*", substr($packet, $header + 8)), "\\n";
}
`;

/** Starts listening for media that arrive in `namespace` on the ports `from` to `to`. `name` is used in messages. */
export async function startRtpEar(options: {
  name: string;
  namespace: string;
  ports: { from: number; to: number };
}): Promise<RtpEar> {
  const { name, ports } = options;
  const process: LabProcess = startLabProcess({
    namespace: options.namespace,
    command: ['perl', '-e', tap, String(ports.from), String(ports.to)],
  });
  const packets: Packet[] = [];
  let ready = false;
  process.onLine((line) => {
    if (line === 'ready') ready = true;
    const packet = parseRtp(line, Date.now());
    if (packet === undefined) return;
    packets.push(packet);
    const oldest = packet.at - keptMs;
    if ((packets[0]?.at ?? 0) < oldest - 1000)
      packets.splice(
        0,
        packets.findIndex((kept) => kept.at >= oldest),
      );
  });
  try {
    await untilReady(`The ear of ${name} could not be opened`, () => ready || undefined, { process, everyMs: 5 });
  } catch (error) {
    await process.stop();
    throw error;
  }

  const between = (from: number, to: number): Heard => {
    const streams = new Map<string, Packet[]>();
    let count = 0;
    for (const packet of packets) {
      if (packet.at < from || packet.at > to) continue;
      count += 1;
      const stream = streams.get(packet.stream);
      if (stream) stream.push(packet);
      else streams.set(packet.stream, [packet]);
    }
    const sounds = [...streams.values()].map(inOrder);
    const samples = mix(sounds, Math.round(((to - from) / 1000) * rate));
    return { rate, samples, rms: rms(samples), packets: count, amplitude: (hz) => goertzel(samples, rate, hz) };
  };
  const listen = async (ms = 400) => {
    const from = Date.now();
    await new Promise((resolve) => setTimeout(resolve, ms));
    return between(from, from + ms);
  };
  const until = async (fits: (heard: Heard) => boolean, withinMs: number, what: string) => {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const heard = await listen(400);
      if (fits(heard)) return heard;
      if (Date.now() > deadline) {
        const usual = [440, 600, 700, 850, 1250, 1700].map((hz) => `${hz} Hz ${heard.amplitude(hz).toFixed(4)}`);
        throw new Error(
          `${name} heard ${what} within ${withinMs} ms. Last: ${heard.packets} packets, rms ${heard.rms.toFixed(4)}, ${usual.join(', ')}.`,
        );
      }
    }
  };
  return {
    heard: (ms) => between(Date.now() - ms, Date.now()),
    backSince(since) {
      const times = [since, ...packets.map(({ at }) => at).filter((at) => at > since), Date.now()];
      const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at));
      const longest = gaps.indexOf(Math.max(...gaps));
      return longest < gaps.length - 1 ? times[longest + 1] : undefined;
    },
    longestGap(ms) {
      const now = Date.now();
      const recent = packets.filter(({ at }) => at > now - ms);
      let longest = now - (recent.at(-1)?.at ?? now - ms);
      for (const stream of new Set(recent.map((packet) => packet.stream))) {
        const of = recent.filter((packet) => packet.stream === stream).toSorted((a, b) => a.timestamp - b.timestamp);
        for (const [index, { timestamp }] of of.entries()) {
          const before = of[index - 1];
          const missing = before ? timestamp - before.timestamp - before.sound.length : 0;
          longest = Math.max(longest, (missing / rate) * 1_000);
        }
      }
      return longest;
    },
    listen,
    hears(hz, { amplitude = 0.01, withinMs = 8000 } = {}) {
      return until((heard) => heard.amplitude(hz) >= amplitude, withinMs, `no ${hz} Hz of at least ${amplitude}`);
    },
    hearsSilence({ rms: most = 0.002, withinMs = 8000 } = {}) {
      return until((heard) => heard.rms < most, withinMs, `no silence below rms ${most}`);
    },
    stop: () => process.stop(),
  };
}

/** One RTP packet (RFC 3550 section 5.1) with PCMU or PCMA (payload types 0 and 8); undefined for anything else. */
function parseRtp(line: string, at: number): Packet | undefined {
  const blank = line.indexOf(' ');
  if (blank < 0) return undefined;
  const bytes = Buffer.from(line.slice(blank + 1), 'hex');
  const first = bytes[0] ?? 0;
  const type = (bytes[1] ?? 0) & 0x7f;
  if (bytes.length < 12 || first >> 6 !== 2 || (type !== 0 && type !== 8)) return undefined;
  let start = 12 + (first & 0x0f) * 4;
  // A header extension says its length in 32-bit words behind its own four bytes.
  if (first & 0x10 && bytes.length >= start + 4) start += 4 + bytes.readUInt16BE(start + 2) * 4;
  const padding = first & 0x20 ? (bytes.at(-1) ?? 0) : 0;
  const payload = bytes.subarray(start, bytes.length - padding);
  const sound = new Float32Array(payload.length);
  for (const [index, code] of payload.entries()) sound[index] = type === 0 ? fromMuLaw(code) : fromALaw(code);
  return {
    ...{ at, sound },
    stream: `${line.slice(0, blank)}/${bytes.readUInt32BE(8)}`,
    sequence: bytes.readUInt16BE(2),
    timestamp: bytes.readUInt32BE(4),
  };
}

/** The samples of one stream's packets by sequence number, which wraps at 65536. */
function inOrder(packets: Packet[]): Float32Array {
  const base = packets[0]?.sequence ?? 0;
  const distance = (packet: Packet) => ((packet.sequence - base + 0x8000) & 0xffff) - 0x8000;
  const sorted = packets.toSorted((a, b) => distance(a) - distance(b));
  const samples = new Float32Array(sorted.reduce((length, packet) => length + packet.sound.length, 0));
  let at = 0;
  for (const packet of sorted) {
    samples.set(packet.sound, at);
    at += packet.sound.length;
  }
  return samples;
}

/** ITU-T G.711 mu-law to a sample between -1 and 1. */
function fromMuLaw(code: number): number {
  const inverted = ~code & 0xff;
  const magnitude = (((inverted & 0x0f) << 3) + 0x84) << ((inverted >> 4) & 7);
  const value = magnitude - 0x84;
  return (inverted & 0x80 ? -value : value) / 32768;
}

/** ITU-T G.711 A-law to a sample between -1 and 1. */
function fromALaw(code: number): number {
  const plain = code ^ 0x55;
  const exponent = (plain >> 4) & 7;
  const mantissa = ((plain & 0x0f) << 4) + 8;
  const value = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return (plain & 0x80 ? value : -value) / 32768;
}
