/**
 * `POST /v1/audio/transcriptions` as OpenAI has it, for one file at a time: WAV, whose words it hears, and MP3, of which it looks at every frame. As
 * OpenAI's it goes by the name of the file.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Decode } from './decode.ts';
import { textOf, toSamples } from './decode.ts';

export const segmentsKey = 'segments-key-in-tests';

export interface SegmentSeen {
  readonly seconds: number;
  readonly form: 'wav' | 'mp3';
  readonly fields: Readonly<Record<string, string>>;
}

export interface SegmentsService {
  /** Whole. */
  readonly url: string;
  readonly seen: readonly SegmentSeen[];
  /** Instead of an answer to the next requests, one each; `break`: the connection breaks, `mute`: nothing comes, `garbage`: no JSON. */
  readonly failNext: (
    | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
    | 'break'
    | 'mute'
    | 'garbage'
  )[];
  close(): Promise<void>;
}

export async function startSegments(options: { readonly decode: Decode }): Promise<SegmentsService> {
  const seen: SegmentSeen[] = [];
  const failNext: SegmentsService['failNext'] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const answer = async (): Promise<void> => {
        const say = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): void => {
          response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
        };
        if (request.headers.authorization !== `Bearer ${segmentsKey}`) return say(401, '{}');
        const type = request.headers['content-type'] ?? '';
        const data = await new Response(Buffer.concat(chunks), { headers: { 'content-type': type } }).formData();
        const file = data.get('file');
        if (!(file instanceof File)) return say(400, '{}');
        const bytes = Buffer.from(await file.arrayBuffer());
        const form = /\.(wav|mp3)$/.exec(file.name)?.[1];
        if (form !== 'wav' && form !== 'mp3') return say(400, '{}');
        if (form === 'mp3' && file.type !== 'audio/mpeg') return say(400, '{}');
        const { rate, samples } = form === 'wav' ? readWav(bytes) : readMp3(bytes);
        const fields = [...data].flatMap(([name, value]) =>
          typeof value === 'string' ? [[name, value] as const] : [],
        );
        seen.push({ seconds: samples.length / rate, form, fields: Object.fromEntries(fields) });
        const failure = failNext.shift();
        if (failure === 'mute') return;
        if (failure === 'break') {
          request.socket.destroy();
          return;
        }
        if (failure === 'garbage') return say(200, '<html>');
        if (failure !== undefined) return say(failure.status, '{}', failure.headers);
        const decoder = options.decode(rate);
        say(200, JSON.stringify({ text: ` ${textOf([...decoder.push(samples), ...decoder.flush()])}` }));
      };
      answer().catch(() => request.socket.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/audio/transcriptions`,
    seen,
    failNext,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** @throws Error for what is no WAV file of 16-bit PCM with one channel */
function readWav(file: Buffer): { readonly rate: number; readonly samples: Int16Array } {
  const isWav =
    file.toString('latin1', 0, 4) === 'RIFF' &&
    file.readUInt32LE(4) === file.length - 8 &&
    file.toString('latin1', 8, 16) === 'WAVEfmt ' &&
    file.readUInt16LE(20) === 1 &&
    file.readUInt16LE(22) === 1 &&
    file.readUInt16LE(34) === 16 &&
    file.readUInt32LE(40) === file.length - 44;
  if (!isWav) throw new Error('no WAV file of 16-bit PCM, one channel');
  return { rate: file.readUInt32LE(24), samples: toSamples(file.subarray(44)) };
}

/** Bit rates of MPEG-1 layer III by the index in a frame's head (ISO/IEC 11172-3, 2.4.2.3), kbit/s. */
const kbits = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const mp3Rates = [44_100, 48_000, 32_000];
const samplesInFrame = 1_152;

/** How long it lasts; as sound it is silent here. @throws Error for what is no row of whole frames of MPEG-1 layer III */
function readMp3(file: Buffer): { readonly rate: number; readonly samples: Int16Array } {
  let frames = 0;
  let rate = 0;
  for (let at = 0; at < file.length; frames += 1) {
    const head = file.readUInt32BE(at);
    const [kbit = 0, hertz = 0] = [kbits[(head >>> 12) & 15], mp3Rates[(head >>> 10) & 3]];
    if (head >>> 17 !== 0x7ffd || kbit === 0 || hertz === 0) throw new Error('no frame of MPEG-1 layer III');
    rate = hertz;
    at += Math.floor((144_000 * kbit) / hertz) + ((head >>> 9) & 1);
    if (at > file.length) throw new Error('the last frame is not whole');
  }
  return { rate, samples: new Int16Array(frames * samplesInFrame) };
}
