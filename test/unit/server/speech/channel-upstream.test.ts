import { afterEach, describe, expect, it, vi } from 'vitest';
import { createChannel } from '../../../../server/src/speech/channel.ts';
import type { ChannelLine } from '../../../../server/src/speech/channel-contract.ts';
import { openSpeechService, type SpeechServiceSettings } from '../../../../server/src/speech/services.ts';
import { deepgramKey, startDeepgram } from '../../../speech/deepgram-server.ts';
import { openAiKey, startOpenAiRealtime } from '../../../speech/openai-realtime-server.ts';
import type { SpeechService } from '../../../speech/socket-service.ts';
import { syllables, toneDecoder } from '../../../speech/tone-alphabet.ts';
import { startVosk } from '../../../speech/vosk-server.ts';
import { startWhisperLive } from '../../../speech/whisper-live-server.ts';
import { frameBytes, sayPhrases } from './hearing.ts';

/** Sound is computed here: a busy machine takes its time. */
vi.setConfig({ testTimeout: 120_000 });

let cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});

const decode = toneDecoder('far');
const names = syllables('far');
/** Ten phrases, each of another length. */
const phrases = Array.from({ length: 10 }, (_, index) => ({
  words: Array.from({ length: 2 + ((index * 3) % 7) }, (__, at) => names[(index * 5 + at * 3) % names.length] ?? ''),
  pauseMs: 700 + ((index * 37) % 400),
}));
const { sound, times } = sayPhrases(phrases, 'far');

/** When each syllable begins, in the time of the call. */
const startsMs = phrases.flatMap(({ words }, index) =>
  words.map((_, at) => 10_000 + (times[index]?.startMs ?? 0) + at * 160),
);

const kinds: readonly {
  readonly name: string;
  readonly start: () => Promise<SpeechService>;
  readonly settings: (url: string) => SpeechServiceSettings;
}[] = [
  {
    name: 'deepgram',
    start: () => startDeepgram({ decode }),
    settings: (url) => ({ kind: 'deepgram', url, key: deepgramKey, model: 'nova-3' }),
  },
  {
    name: 'openai-realtime',
    start: () => startOpenAiRealtime({ decode, shape: 'flat' }),
    settings: (url) => ({
      kind: 'openai-realtime',
      url,
      key: openAiKey,
      keyHeader: 'authorization',
      model: 'gpt-4o-transcribe',
      shape: 'flat',
      turns: 'service',
    }),
  },
  {
    name: 'vosk',
    start: () => startVosk({ decode }),
    settings: (url) => ({ kind: 'pcm-ws', url, dialect: 'vosk' }),
  },
  {
    name: 'whisper-live',
    start: () => startWhisperLive({ decode }),
    settings: (url) => ({ kind: 'pcm-ws', url, dialect: 'whisper-live' }),
  },
];

describe.each(kinds)('a side of a call over $name', ({ start, settings }) => {
  const transcribe = async (server: SpeechService) => {
    const lines: ChannelLine[] = [];
    const channel = createChannel({
      service: openSpeechService(settings(server.url)),
      request: { language: 'en', vocabulary: [] },
      firstLine: 0,
      onLine: (line) => lines.push(line),
      onService: () => undefined,
      now: () => Date.now(),
      random: () => 0.5,
    });
    cleanups.push(() => channel.drop());
    for (let from = 0; from < sound.byteLength; from += frameBytes) {
      channel.hear(sound.slice(from, from + frameBytes), 10_000 + from / 32);
      await new Promise((resolve) => setTimeout(resolve, 8));
    }
    return { channel, finals: () => lines.filter(({ final }) => final), lines };
  };
  const open = async (): Promise<SpeechService> => {
    const server = await start();
    cleanups.push(() => server.close());
    return server;
  };
  const texts = phrases.map(({ words }) => words.join(' '));

  it('has every word once although the service breaks off again and again, in the middle of words', async () => {
    const server = await open();
    server.faults.closeAfterMs = 6_450;
    const { channel, finals } = await transcribe(server);
    await channel.finish(20_000);
    expect(server.sessions.length).toBeGreaterThanOrEqual(3);
    expect(
      finals()
        .map(({ text }) => text)
        .join(' '),
    ).toBe(texts.join(' '));
    expect(channel.settledMs).toBeGreaterThanOrEqual(10_000 + (times.at(-1)?.endMs ?? 0) - 20);
    let next = 0;
    for (const { text, startMs, endMs } of finals()) {
      expect(Math.abs((startsMs[next] ?? 0) - startMs)).toBeLessThanOrEqual(40);
      next += text.split(' ').length;
      expect(Math.abs((startsMs[next - 1] ?? 0) + 100 - endMs)).toBeLessThanOrEqual(40);
    }
  });

  it('has every word although finals are late', async () => {
    const server = await open();
    server.faults.finalAfterMs = 120;
    const { channel, finals } = await transcribe(server);
    await channel.finish(20_000);
    expect(finals().map(({ text }) => text)).toEqual(texts);
    finals().forEach(({ startMs, endMs }, index) => {
      expect(Math.abs(startMs - 10_000 - (times[index]?.startMs ?? 0))).toBeLessThanOrEqual(30);
      expect(Math.abs(endMs - 10_000 - (times[index]?.endMs ?? 0))).toBeLessThanOrEqual(30);
    });
  });
});
