/** Hands a recording to the relay over HTTP. Owns what each of its answers means for the file here. Must never take the silence of a relay for a word of it. */
import { once } from 'node:events';
import { type IncomingMessage, request as plain } from 'node:http';
import { request as encrypted } from 'node:https';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/**
 * `taken`: it is on the relay's disk. `unwanted`: it must not be kept, there or here. `refused`: it can never be taken, a person should look. `unknown`: the
 * relay does not know the call, or not all of it. `away`: nobody there, or nobody that takes it now.
 */
export interface Verdict {
  readonly kind: 'taken' | 'unwanted' | 'refused' | 'unknown' | 'away';
  readonly why: string;
}

const silentMs = 120_000;
const mostAnswer = 65_536;
/** Words of the relay that end it. */
const unwanted = ['recording.not-allowed', 'recording.deleted'];

/**
 * Sends a WAV file as it is made. A refusal ends it before everything was sent.
 * @param bytes How long the file is
 * @param authorization The header's value; never shown
 */
export async function handOver(
  url: URL,
  authorization: string,
  sound: AsyncIterable<Buffer>,
  bytes: number,
): Promise<Verdict> {
  const open = url.protocol === 'https:' ? encrypted : plain;
  const headers = { authorization, 'content-type': 'audio/wav', 'content-length': bytes };
  const request = open(url, { method: 'PUT', headers, timeout: silentMs });
  request.on('timeout', () => request.destroy(new Error(`the relay was silent for ${silentMs / 1_000} s`)));
  // A connection that breaks after the answer is no failure.
  request.on('error', () => undefined);
  const answer = once(request, 'response') as Promise<[IncomingMessage]>;
  const sent = pipeline(Readable.from(sound), request);
  sent.catch(() => undefined);
  try {
    const [response] = await answer;
    return verdictOf(response.statusCode ?? 0, await textOf(response));
  } catch (error) {
    return { kind: 'away', why: error instanceof Error ? error.message || error.name : String(error) };
  } finally {
    request.destroy();
    // The sound is no longer read from its file when this resolves.
    await sent.catch(() => undefined);
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const piece of response.setEncoding('utf8')) {
    text += String(piece);
    if (text.length > mostAnswer) break;
  }
  return text;
}

function verdictOf(status: number, text: string): Verdict {
  if (status === 200 || status === 201) return { kind: 'taken', why: '' };
  const { code, message } = errorOf(text);
  const why = message === '' ? `HTTP ${status}` : message;
  if (unwanted.includes(code)) return { kind: 'unwanted', why };
  if (code === 'call.unknown') return { kind: 'unknown', why };
  if ((status === 400 && code === 'request.invalid') || status === 413) return { kind: 'refused', why };
  return { kind: 'away', why: `HTTP ${status}${message === '' ? '' : `: ${message}`}` };
}

/** The relay's own words; what a proxy says in its place is none. */
function errorOf(text: string): { readonly code: string; readonly message: string } {
  try {
    const { error } = JSON.parse(text) as { readonly error?: { readonly code?: unknown; readonly message?: unknown } };
    return { code: String(error?.code ?? ''), message: String(error?.message ?? '') };
  } catch {
    return { code: '', message: '' };
  }
}
