/**
 * Sends a file of sound, or the part of it that a player asks for. Owns ranges and headers of such answers. Must never hold a whole file, nor begin
 * one that does not open.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { errorCode } from '@patchcord/call-protocol';
import type { Request, Response } from 'express';
import { spanOf } from '../recordings/range.ts';

export interface SentSound {
  /** Of the whole file, bytes. */
  readonly size: number;
  /** Never the same for two files. */
  readonly file: string;
  readonly type: 'audio/wav' | 'audio/mpeg';
  /** What it is saved as. */
  readonly name: string;
  /** A file to keep, or sound that a browser plays. */
  readonly use: 'download' | 'play';
  /** Bytes `from` (included) to `to` (not). */
  read(from: number, to: number): AsyncGenerator<Buffer>;
  /** Called when something is about to be heard: from its beginning or not. */
  heard(fromTheBeginning: boolean): void;
  /** Called when it could not be sent to its end for a reason of ours. */
  failed(error: unknown): void;
}

/** @throws PatchcordError `store.unavailable` before anything was sent; what turns out later cuts the answer off */
export async function sendSound(sound: SentSound, request: Request, response: Response): Promise<void> {
  const { size, name, use } = sound;
  const etag = `"${sound.file}"`;
  const span = askedSpan(request.method, request.headers, size, etag);
  response.set({
    'accept-ranges': 'bytes',
    etag,
    // Whoever has the link may play it in a page of their own: the CRM's.
    'cross-origin-resource-policy': 'cross-origin',
    ...(use === 'play'
      ? {
          'content-type': sound.type,
          'content-disposition': `inline; filename="${name}"`,
          'content-security-policy':
            "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        }
      : {
          'content-type': 'application/octet-stream',
          'content-disposition': `attachment; filename="${name}"`,
        }),
  });
  if (span === null) {
    response.status(416).set('content-range', `bytes */${size}`).end();
    return;
  }
  const { from, to } = span;
  const pieces = sound.read(from, to);
  // The first piece before the status: what does not open is refused, not begun.
  const begun = request.method === 'HEAD' ? null : await pieces.next();
  response.status(span.part ? 206 : 200).set('content-length', String(to - from));
  if (span.part) response.set('content-range', `bytes ${from}-${to - 1}/${size}`);
  if (begun === null) {
    response.end();
    return;
  }
  sound.heard(from === 0);
  async function* all(): AsyncGenerator<Buffer> {
    if (begun?.done === false) yield begun.value;
    yield* pieces;
  }
  try {
    await pipeline(Readable.from(all(), { objectMode: false }), response);
  } catch (error) {
    // Who listens may go at any time; a file that was changed is another matter.
    if (errorCode(error) !== 'internal') sound.failed(error);
  }
}

/** RFC 9110 section 14.2: a range is of a GET alone. */
function askedSpan(method: string, headers: IncomingHttpHeaders, size: number, etag: string) {
  const ifRange = headers['if-range'];
  return spanOf(
    { range: method === 'GET' ? headers.range : undefined, ifRange: Array.isArray(ifRange) ? '' : ifRange },
    size,
    etag,
  );
}
