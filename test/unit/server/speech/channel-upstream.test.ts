import { afterEach, describe, expect, it, vi } from 'vitest';
import { createChannel } from '../../../../server/src/speech/channel.ts';
import type { ChannelLine } from '../../../../server/src/speech/channel-contract.ts';
import { openSpeechService } from '../../../../server/src/speech/services.ts';
import type { SpeechService } from '../../../speech/socket-service.ts';
import { syllables, toneDecoder } from '../../../speech/tone-alphabet.ts';
import { adapterKinds } from './adapter-kinds.ts';
import { frameBytes, sayPhrases } from './hearing.ts';

/** Sound is computed here: a busy machine takes its time. */
vi.setConfig({ testTimeout: 120_000 });

let cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});

const decode = toneDecoder('far');
const syllable = syllables('far');
/** Ten phrases, each of another length. */
const phrases = Array.from({ length: 10 }, (_, index) => ({
  words: Array.from(
    { length: 2 + ((index * 3) % 7) },
    (__, at) => syllable[(index * 5 + at * 3) % syllable.length] ?? '',
  ),
  pauseMs: 700 + ((index * 37) % 400),
}));
const { sound, times } = sayPhrases(phrases, 'far');

/** When each syllable begins, in the time of the call. */
const startsMs = phrases.flatMap(({ words }, index) =>
  words.map((_, at) => 10_000 + (times[index]?.startMs ?? 0) + at * 160),
);

/** One of each protocol, of those that say times: what is sent again is known by them. */
const names = ['deepgram', 'assemblyai', 'openai-realtime, flat', 'vosk', 'sherpa-onnx', 'whisper-live'];
const kinds = adapterKinds.filter(({ name }) => names.includes(name));

describe.each(kinds)('a side of a call over $name', ({ start, settings, toleranceMs }) => {
  const transcribe = (server: SpeechService) => {
    const lines: ChannelLine[] = [];
    const states: string[] = [];
    const channel = createChannel({
      service: openSpeechService(settings(server.url, true)),
      request: { language: 'en', vocabulary: [] },
      firstLine: 0,
      onLine: (line) => lines.push(line),
      onService: (state) => states.push(state),
      now: () => Date.now(),
      random: () => 0.5,
    });
    cleanups.push(() => channel.drop());
    // All at once: less than is kept, so that no pause of a busy machine comes between two frames.
    for (let from = 0; from < sound.byteLength; from += frameBytes)
      channel.hear(sound.slice(from, from + frameBytes), 10_000 + from / 32);
    return { channel, finals: () => lines.filter(({ final }) => final), states };
  };
  const open = async (): Promise<SpeechService> => {
    const server = await start(decode);
    cleanups.push(() => server.close());
    return server;
  };
  /** Every word once, in order, at its time. Where a line ends is not looked at: a busy machine makes pauses of its own. */
  const expectEveryWord = (finals: readonly ChannelLine[]): void => {
    expect(finals.map(({ text }) => text).join(' ')).toBe(phrases.map(({ words }) => words.join(' ')).join(' '));
    let next = 0;
    for (const { text, startMs, endMs } of finals) {
      expect(Math.abs((startsMs[next] ?? 0) - startMs)).toBeLessThanOrEqual(40);
      next += text.split(' ').length;
      expect(Math.abs((startsMs[next - 1] ?? 0) + 100 - endMs)).toBeLessThanOrEqual(toleranceMs + 20);
    }
  };

  it('has every word once although the service breaks off again and again, in the middle of words', async () => {
    const server = await open();
    server.faults.closeAfterMs = 6_450;
    const { channel, finals } = transcribe(server);
    await channel.finish(60_000);
    expect(server.sessions.length).toBeGreaterThanOrEqual(3);
    expectEveryWord(finals());
    expect(channel.settledMs).toBeGreaterThanOrEqual(10_000 + (times.at(-1)?.endMs ?? 0) - 20);
  });

  it('keeps what is said while the service is down, says that it is, and tells all of it when it is back', async () => {
    const server = await open();
    server.faults.refuse = { status: 503 };
    const { channel, finals, states } = transcribe(server);
    await expect.poll(() => states, { timeout: 60_000 }).toEqual(['away']);
    expect(finals()).toEqual([]);
    server.faults.refuse = undefined;
    await expect.poll(() => states, { timeout: 60_000 }).toEqual(['away', 'there']);
    await channel.finish(60_000);
    expectEveryWord(finals());
  });

  it('has every word although finals are late', async () => {
    const server = await open();
    server.faults.finalAfterMs = 120;
    const { channel, finals } = transcribe(server);
    await channel.finish(60_000);
    expectEveryWord(finals());
  });
});
