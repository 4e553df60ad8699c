/**
 * Has a speech service hear one message from its beginning to its end, in one session. Owns the pace, and what the end of a session means for the
 * message. Must never keep sound, nor put what was heard into an error.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { PatchcordError } from '@patchcord/call-protocol';
import type { Heard, SpeechEnd, SpeechRequest, SpeechToText } from '../speech/speech-to-text.ts';

const bytesPerMs = 32;
const frameBytes = 100 * bytesPerMs;
/** What a session may have unread before it gets more. */
const mostUnread = 1_000 * bytesPerMs;
const usualFastest = 8;
const aheadMs = 2_000;
const lookMs = 25;
/** So that the last utterance ends like any other. */
const silence = Buffer.alloc(1_500 * bytesPerMs);
const lastWordsMs = 60_000;

/**
 * @param sound 16-bit PCM of 16 kHz, one channel
 * @param signal Ends it at once
 * @returns what was said, in the order it was said
 * @throws PatchcordError `crm.unavailable`, `request.too-many` (try again), `config.invalid` (nothing comes of it before somebody changes something)
 */
export async function hearMessage(
  service: SpeechToText,
  request: SpeechRequest,
  sound: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<readonly Heard[]> {
  const finals = new Map<string, Heard>();
  const over = Promise.withResolvers<SpeechEnd>();
  let end: SpeechEnd | null = null;
  const session = service.open(request, {
    heard: (words) => {
      if (words.final) finals.set(words.utterance, words);
    },
    ended: (why) => {
      end = why;
      over.resolve(why);
    },
  });
  const isOver = (): boolean => end !== null || signal.aborted;
  const startedAt = performance.now();
  let sentMs = 0;
  const send = async (pcm: Buffer): Promise<void> => {
    for (let at = 0; at < pcm.length; at += frameBytes) {
      const frame = pcm.subarray(at, at + frameBytes);
      const fastest = service.fastest ?? usualFastest;
      const mustWait = (): boolean =>
        sentMs > (performance.now() - startedAt) * fastest + aheadMs ||
        (session.waitingBytes > 0 && session.waitingBytes + frame.length > mostUnread);
      while (!isOver() && mustWait()) await sleep(lookMs);
      if (isOver()) return;
      session.send(frame);
      sentMs += frame.length / bytesPerMs;
    }
  };
  const stopped = (): void => over.resolve({ why: 'away', message: 'The relay stops; another one goes on.' });
  signal.addEventListener('abort', stopped, { once: true });
  if (signal.aborted) stopped();
  try {
    for await (const pcm of sound) {
      if (isOver()) break;
      await send(pcm);
    }
    await send(silence);
    if (!isOver()) session.finish(lastWordsMs);
    refuse(await over.promise);
  } finally {
    signal.removeEventListener('abort', stopped);
    session.drop();
  }
  return [...finals.values()].filter(({ text }) => text.trim() !== '').sort((a, b) => a.startMs - b.startMs);
}

/** What the end of a session means, where it did not hear everything. @throws PatchcordError */
export function refuse({ why, message, retryAfterMs }: SpeechEnd): void {
  if (why === 'finished') return;
  if (why === 'refused') throw new PatchcordError('config.invalid', message);
  const later = { retryable: true, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } as const;
  throw new PatchcordError(why === 'limited' ? 'request.too-many' : 'crm.unavailable', message, later);
}
