/**
 * Services that transcribe a file: `POST /v1/audio/transcriptions` as OpenAI has it (Groq, speaches, whisper.cpp). Owns the cutting of sound into what
 * was spoken between pauses, and asking for one piece after the other. Must never follow a redirect: the key would go with it.
 */
import * as v from 'valibot';
import type { SpeechEnd, SpeechListener, SpeechRequest, SpeechSession, SpeechToText } from '../speech-to-text.ts';
import { readAnswer } from './answer.ts';
import { end, endOfStatus } from './ends.ts';
import { createVoiceActivity, type SpeechPiece } from './voice-activity.ts';

export interface SegmentsOptions {
  /** Whole: `https://api.openai.com/v1/audio/transcriptions`. */
  readonly url: string;
  readonly key?: string;
  readonly model: string;
  /** For one piece. Default 30 s. */
  readonly answerMs?: number;
}

const largestAnswer = 262_144;
/** For the answer to a whole file. */
const wholeFileMs = 300_000;
const longestPrompt = 800;
/** Sound without speech is told as settled in steps of this. */
const quietStepMs = 3_000;

const AnswerSchema = v.object({ text: v.string() });

/** Speech to text, a piece at a time. */
export function createSegments(options: SegmentsOptions): SpeechToText {
  return { open: (request, listener) => openSegments(options, request, listener) };
}

function openSegments(options: SegmentsOptions, request: SpeechRequest, listener: SpeechListener): SpeechSession {
  const voice = createVoiceActivity();
  const given = new AbortController();
  let queue: SpeechPiece[] = [];
  let isBusy = false;
  let isOver = false;
  let isFinishing = false;
  let isKnown = false;
  let told = 0;
  let settledMs = 0;
  let deadline: NodeJS.Timeout | undefined;

  const finishWith = (why: SpeechEnd): void => {
    if (isOver) return;
    isOver = true;
    queue = [];
    clearTimeout(deadline);
    given.abort();
    listener.ended(why);
  };
  const tell = (startMs: number, endMs: number, text: string): void => {
    settledMs = endMs;
    listener.heard({ utterance: String(told++), text, startMs, endMs, final: true });
  };
  const ask = async (piece: SpeechPiece): Promise<void> => {
    const answer = await transcribe(options, request, pieceFile(piece.pcm), given.signal);
    if (isOver) return;
    if (typeof answer !== 'string') {
      // a service that has taken pieces does not like this one: there is nothing in it that it could say
      if (!isKnown || answer.why !== 'refused' || !answer.message.includes('HTTP 400')) return finishWith(answer);
      return tell(piece.startMs, piece.endMs, '');
    }
    if (!isKnown) listener.opened?.();
    isKnown = true;
    tell(piece.startMs, piece.endMs, answer);
  };
  const next = (): void => {
    if (isOver || isBusy) return;
    const piece = queue.shift();
    if (piece === undefined) {
      if (isFinishing) finishWith(end('finished', 'has told everything'));
      else if (voice.quietMs - settledMs >= quietStepMs) tell(settledMs, voice.quietMs, '');
      return;
    }
    isBusy = true;
    void ask(piece).then(() => {
      isBusy = false;
      next();
    });
  };

  return {
    send(pcm) {
      if (isOver || isFinishing) return;
      queue.push(...voice.push(pcm));
      next();
    },
    get waitingBytes() {
      return queue.reduce((total, piece) => total + piece.pcm.byteLength, 0);
    },
    finish(withinMs) {
      if (isOver || isFinishing) return;
      isFinishing = true;
      deadline = setTimeout(() => finishWith(end('away', 'did not tell its last words in time')), withinMs);
      const last = voice.flush();
      if (last !== null) queue.push(last);
      queueMicrotask(next);
    },
    drop() {
      isOver = true;
      queue = [];
      clearTimeout(deadline);
      given.abort();
    },
  };
}

function pieceFile(pcm: Uint8Array): File {
  return new File([wav(pcm)], 'speech.wav', { type: 'audio/wav' });
}

/** The words of one file as it is, or why there are none. For forms that no session takes, such as MP3. @param given Ends it at once */
export async function hearFile(
  options: SegmentsOptions,
  request: SpeechRequest,
  file: { readonly bytes: Buffer; readonly name: string },
  given: AbortSignal,
): Promise<string | SpeechEnd> {
  const whole = new File([new Uint8Array(file.bytes)], file.name, { type: 'audio/mpeg' });
  return await transcribe({ answerMs: wholeFileMs, ...options }, request, whole, given);
}

/** The words of one piece, or why there are none. */
async function transcribe(
  options: SegmentsOptions,
  request: SpeechRequest,
  file: File,
  given: AbortSignal,
): Promise<string | SpeechEnd> {
  const form = new FormData();
  form.set('file', file);
  form.set('model', options.model);
  form.set('language', request.language.split('-')[0] ?? request.language);
  form.set('response_format', 'json');
  form.set('temperature', '0');
  if (request.vocabulary.length > 0) form.set('prompt', request.vocabulary.join(', ').slice(0, longestPrompt));
  try {
    const response = await fetch(options.url, {
      method: 'POST',
      body: form,
      headers: options.key === undefined ? {} : { Authorization: `Bearer ${options.key}` },
      redirect: 'manual',
      signal: AbortSignal.any([given, AbortSignal.timeout(options.answerMs ?? 30_000)]),
    });
    if (!response.ok) {
      await response.body?.cancel();
      return endOfStatus(response.status, response.headers.get('retry-after'));
    }
    const answer = readAnswer(AnswerSchema, await readBounded(response));
    return answer === null ? end('away', 'sends what is not of its protocol') : answer.text.trim();
  } catch (error) {
    const isLate = error instanceof Error && error.name === 'TimeoutError';
    return end('away', isLate ? 'did not answer in time' : 'cannot be reached, or the connection broke');
  }
}

async function readBounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > largestAnswer) return '';
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A WAV file of PCM16, 16 kHz, mono. */
function wav(pcm: Uint8Array): Uint8Array<ArrayBuffer> {
  const file = Buffer.alloc(44 + pcm.byteLength);
  file.write('RIFF', 0, 'latin1');
  file.writeUInt32LE(36 + pcm.byteLength, 4);
  file.write('WAVEfmt ', 8, 'latin1');
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(16_000, 24);
  file.writeUInt32LE(32_000, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write('data', 36, 'latin1');
  file.writeUInt32LE(pcm.byteLength, 40);
  file.set(pcm, 44);
  return file;
}
