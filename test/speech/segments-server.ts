/** `POST /v1/audio/transcriptions` as OpenAI has it, for one WAV file at a time. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Decode } from './decode.ts';
import { textOf, toSamples } from './decode.ts';

export const segmentsKey = 'segments-key-in-tests';

export interface SegmentSeen {
  readonly seconds: number;
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
        const form = await new Response(Buffer.concat(chunks), { headers: { 'content-type': type } }).formData();
        const file = form.get('file');
        if (!(file instanceof File)) return say(400, '{}');
        const { rate, samples } = readWav(Buffer.from(await file.arrayBuffer()));
        const fields = [...form].flatMap(([name, value]) =>
          typeof value === 'string' ? [[name, value] as const] : [],
        );
        seen.push({ seconds: samples.length / rate, fields: Object.fromEntries(fields) });
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
