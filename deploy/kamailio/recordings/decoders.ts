/** From a packet's payload to sound: G.711 by table, Opus by libopus (the package `opus-decoder`). Owns nothing else. */
import { OpusDecoder } from 'opus-decoder';
import type { SoundCodec } from './time-line.ts';

/** Samples per second of what comes out: as many as G.711 has, or enough for Opus. */
export type Rate = 8_000 | 16_000;

export interface Decoders {
  /** One packet as 16-bit samples. What can't be decoded is empty. @param stream Of Opus: whose it is, since each packet builds on those before */
  decode(codec: SoundCodec, stream: string, payload: Buffer): Int16Array;
  close(): void;
}

/** @param opus Names of the streams that are Opus */
export async function openDecoders(rate: Rate, opus: Iterable<string>): Promise<Decoders> {
  const streams = new Map([...opus].map((stream) => [stream, new OpusDecoder({ sampleRate: rate })] as const));
  await Promise.all([...streams.values()].map((decoder) => decoder.ready));
  return {
    decode(codec, stream, payload) {
      if (codec !== 'opus') return widened(payload, codec === 'pcmu' ? muLaw : aLaw, rate);
      const { channelData, samplesDecoded } = streams.get(stream)?.decodeFrame(payload) ?? nothing;
      const [left = empty, right = left] = channelData;
      const sound = new Int16Array(samplesDecoded);
      for (let at = 0; at < samplesDecoded; at += 1) sound[at] = sample(((left[at] ?? 0) + (right[at] ?? 0)) / 2);
      return sound;
    },
    close() {
      for (const decoder of streams.values()) decoder.free();
    },
  };
}

const empty = new Float32Array();
const nothing = { channelData: [], samplesDecoded: 0 };

function sample(level: number): number {
  return Math.max(-32_768, Math.min(32_767, Math.round(level * 32_767)));
}

/** ITU-T G.711: each byte as a 16-bit sample. */
const muLaw = Int16Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff;
  const level = (((code & 15) << 3) + 132) << ((code >> 4) & 7);
  return (code & 128) === 0 ? level - 132 : 132 - level;
});
const aLaw = Int16Array.from({ length: 256 }, (_, byte) => {
  const code = byte ^ 0x55;
  const segment = (code >> 4) & 7;
  const step = ((code & 15) << 4) + 8;
  const level = segment === 0 ? step : (step + 256) << (segment - 1);
  return (code & 128) === 0 ? -level : level;
});

/** At twice the rate, each second sample is between its neighbours. */
function widened(payload: Buffer, table: Int16Array, rate: Rate): Int16Array {
  const step = rate / 8_000;
  const sound = new Int16Array(payload.length * step);
  for (let at = 0; at < payload.length; at += 1) sound[at * step] = table[payload[at] ?? 0] ?? 0;
  if (step === 1) return sound;
  for (let at = 1; at < sound.length; at += 2) {
    const before = sound[at - 1] ?? 0;
    sound[at] = (before + (sound[at + 1] ?? before)) / 2;
  }
  return sound;
}
