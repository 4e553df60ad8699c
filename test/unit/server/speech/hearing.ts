/** One session at a service in tests: opens it, feeds it sound frame by frame, keeps what it tells. */
import type {
  Heard,
  SpeechEnd,
  SpeechRequest,
  SpeechSession,
  SpeechToText,
} from '../../../../server/src/speech/speech-to-text.ts';
import { toBytes } from '../../../speech/decode.ts';
import type { SpeechService } from '../../../speech/socket-service.ts';
import { type Alphabet, speak } from '../../../speech/tone-alphabet.ts';

export interface Hearing {
  readonly session: SpeechSession;
  readonly heard: readonly Heard[];
  readonly ends: readonly SpeechEnd[];
  readonly ended: Promise<SpeechEnd>;
  readonly opened: Promise<void>;
  /** Texts of what is final and has words. */
  finals(): readonly string[];
}

export function hearing(service: SpeechToText, request: Partial<SpeechRequest> = {}): Hearing {
  const heard: Heard[] = [];
  const ends: SpeechEnd[] = [];
  const ended = Promise.withResolvers<SpeechEnd>();
  const opened = Promise.withResolvers<void>();
  const session = service.open(
    { language: 'en-US', vocabulary: [], ...request },
    {
      opened: () => opened.resolve(),
      heard: (words) => heard.push(words),
      ended: (end) => {
        ends.push(end);
        ended.resolve(end);
      },
    },
  );
  return {
    session,
    heard,
    ends,
    ended: ended.promise,
    opened: opened.promise,
    finals: () => heard.filter(({ final, text }) => final && text !== '').map(({ text }) => text),
  };
}

/** What a test of a protocol starts and opens, and takes down together. */
export interface HearingStage {
  started(server: Promise<SpeechService>): Promise<SpeechService>;
  open(service: SpeechToText, vocabulary?: readonly string[]): Hearing;
  /** How a session ends that the service closes so, once it was open. */
  endOfClose(
    server: SpeechService,
    service: SpeechToText,
    close: { readonly code: number; readonly reason: string },
  ): Promise<SpeechEnd>;
  clean(): Promise<void>;
}

export function hearingStage(): HearingStage {
  let cleanups: (() => unknown)[] = [];
  return {
    async started(server) {
      const service = await server;
      cleanups.push(() => service.close());
      return service;
    },
    open(service, vocabulary = []) {
      const one = hearing(service, { vocabulary });
      cleanups.push(() => one.session.drop());
      return one;
    },
    async endOfClose(server, service, close) {
      server.faults.closeAfterMs = 0;
      server.faults.close = close;
      const one = this.open(service);
      await one.opened;
      one.session.send(new Uint8Array(6_400));
      return one.ended;
    },
    async clean() {
      for (const cleanup of cleanups.reverse()) await cleanup();
      cleanups = [];
    },
  };
}

export const frameBytes = 3_200;

/** Sends sound in frames of 100 ms, as fast as it is taken. */
export async function feed(session: SpeechSession, sound: Uint8Array): Promise<void> {
  for (let from = 0; from < sound.byteLength; from += frameBytes) {
    for (let tries = 0; session.waitingBytes > 16_000 && tries < 2_000; tries++)
      await new Promise((resolve) => setTimeout(resolve, 1));
    session.send(sound.subarray(from, from + frameBytes));
  }
}

const rate = 16_000;

export interface Phrase {
  readonly words: readonly string[];
  /** Silence after it. */
  readonly pauseMs: number;
}

/** Phrases as PCM16 at 16 kHz, and when each begins and ends. */
export function sayPhrases(
  phrases: readonly Phrase[],
  alphabet: Alphabet = 'near',
): { readonly sound: Uint8Array; readonly times: readonly { readonly startMs: number; readonly endMs: number }[] } {
  const parts: Int16Array[] = [new Int16Array(rate * 0.3)];
  const times: { startMs: number; endMs: number }[] = [];
  let samples = parts[0]?.length ?? 0;
  for (const { words, pauseMs } of phrases) {
    const spoken = speak(words, { alphabet, rate });
    // the gap after the last syllable is part of the pause
    times.push({ startMs: samples / 16, endMs: (samples + spoken.length) / 16 - 60 });
    parts.push(spoken, new Int16Array((rate * pauseMs) / 1_000));
    samples += spoken.length + (rate * pauseMs) / 1_000;
  }
  const all = new Int16Array(samples);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return { sound: toBytes(all), times };
}
