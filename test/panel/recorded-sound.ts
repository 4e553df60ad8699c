/**
 * A recording as the relay gives it out, for a page in a test: twelve seconds of two channels. At first both sound, then nobody for five seconds, then the
 * second alone. Takes `Range`. Under `/recording-tones.wav` both sound throughout; under `/recording-ended.wav` the link has ended.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PeakCounter } from '../../server/src/recordings/peaks.ts';
import { spanOf } from '../../server/src/recordings/range.ts';
import { wavHeader } from '../../server/src/recordings/wav.ts';

const rate = 8_000;
export const recordedMs = 12_000;
/** Far side and agent, Hz. */
export const tones = [440, 1_000] as const;
const format = { codec: 'pcm16', rate, channels: 2 } as const;

function soundOf(speaks: (second: number, channel: number) => boolean): Buffer {
  const pcm = Buffer.alloc((recordedMs / 1_000) * rate * 4);
  for (let frame = 0; frame < pcm.length / 4; frame += 1) {
    const second = frame / rate;
    for (const [channel, hertz] of tones.entries()) {
      const sample = speaks(second, channel) ? Math.sin(2 * Math.PI * hertz * second) * 12_000 : 0;
      pcm.writeInt16LE(Math.round(sample), frame * 4 + channel * 2);
    }
  }
  return Buffer.concat([wavHeader(format, pcm.length), pcm]);
}
const fresh = soundOf((second, channel) => second < 3 || (second >= 8 && channel === 1));
const both = soundOf(() => true);

/** As the relay counts them. */
export function recordedPeaks(): number[][] {
  const counter = new PeakCounter();
  counter.take(format, fresh.subarray(44));
  const bytes = [...counter.bytes()];
  return [bytes.slice(0, 1_000), bytes.slice(1_000)];
}

/** Whether it was such a request; then it is answered. */
export function answerRecording(request: IncomingMessage, response: ServerResponse): boolean {
  const name = /^\/recording-([\w-]+)\.wav/.exec(request.url ?? '')?.[1];
  if (name === undefined) return false;
  if (name === 'ended') {
    response.writeHead(403).end();
    return true;
  }
  const file = name === 'tones' ? both : fresh;
  const span = spanOf({ range: request.headers.range }, file.length, '"it"') ?? { from: 0, to: 0, part: true };
  response
    .writeHead(span.part ? 206 : 200, {
      'content-type': 'audio/wav',
      'accept-ranges': 'bytes',
      'content-length': span.to - span.from,
      ...(span.part ? { 'content-range': `bytes ${span.from}-${span.to - 1}/${file.length}` } : {}),
    })
    .end(file.subarray(span.from, span.to));
  return true;
}
