import { afterEach, describe, expect, it, vi } from 'vitest';
import { createUpsampler } from '../../../../server/src/speech/adapters/resample.ts';
import { createSegments } from '../../../../server/src/speech/adapters/segments.ts';
import { createVoiceActivity } from '../../../../server/src/speech/adapters/voice-activity.ts';
import { toBytes, toSamples } from '../../../speech/decode.ts';
import { type SegmentsService, segmentsKey, startSegments } from '../../../speech/segments-server.ts';
import { speak, toneDecoder } from '../../../speech/tone-alphabet.ts';
import { feed, type Hearing, hearing, sayPhrases } from './hearing.ts';

/** Sound is computed here: a busy machine takes its time. */
vi.setConfig({ testTimeout: 120_000 });

/** The machine may be busy. */
const patient = { timeout: 20_000 };
let cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});

const phrases = [
  { words: ['ba', 'be', 'bi'], pauseMs: 900 },
  { words: ['do', 'do'], pauseMs: 1_200 },
  { words: ['mi', 'ga'], pauseMs: 40 },
];
const { sound, times } = sayPhrases(phrases);

describe('services that transcribe files', () => {
  const start = async (key = segmentsKey, answerMs = 5_000) => {
    const server: SegmentsService = await startSegments({ decode: toneDecoder('near') });
    cleanups.push(() => server.close());
    const service = createSegments({ url: server.url, key, model: 'whisper-1', answerMs });
    const open = (): Hearing => {
      const one = hearing(service, { vocabulary: ['Patchcord'] });
      cleanups.push(() => one.session.drop());
      return one;
    };
    return { server, open };
  };

  it('get one file for what was spoken between two pauses', async () => {
    const { server, open } = await start();
    const one = open();
    await feed(one.session, sound);
    one.session.finish(5_000);
    expect(await one.ended).toMatchObject({ why: 'finished' });
    expect(one.finals()).toEqual(['ba be bi', 'do do', 'mi ga']);
    await one.opened;
    expect(server.seen).toHaveLength(3);
    expect(server.seen[0]?.fields).toEqual({
      model: 'whisper-1',
      language: 'en',
      response_format: 'json',
      temperature: '0',
      prompt: 'Patchcord',
    });
    one.heard
      .filter(({ text }) => text !== '')
      .forEach(({ startMs, endMs }, index) => {
        // a moment before it and the pause after it belong to a piece
        expect((times[index]?.startMs ?? 0) - startMs).toBeGreaterThanOrEqual(-20);
        expect((times[index]?.startMs ?? 0) - startMs).toBeLessThanOrEqual(400);
        expect(endMs - (times[index]?.endMs ?? 0)).toBeGreaterThanOrEqual(-20);
        expect(endMs - (times[index]?.endMs ?? 0)).toBeLessThanOrEqual(600);
      });
  });

  it('are not asked about sound without speech, which is settled', async () => {
    const { server, open } = await start();
    const one = open();
    const hum = Int16Array.from({ length: 16_000 * 10 }, (_, at) =>
      Math.round(300 * Math.sin((2 * Math.PI * 50 * at) / 16_000)),
    );
    await feed(one.session, toBytes(hum.map((sample, at) => (at < 8_000 ? Math.round(sample / 20) : sample))));
    await feed(one.session, new Uint8Array(32_000 * 4));
    expect(server.seen.length).toBeLessThanOrEqual(1);
    await expect.poll(() => one.heard.at(-1), patient).toMatchObject({ text: '', final: true });
    expect(one.heard.at(-1)?.endMs).toBeGreaterThan(12_000);
  });

  it.each([
    [
      { status: 429, headers: { 'Retry-After': '3' } },
      { why: 'limited', retryAfterMs: 3_000 },
    ],
    [{ status: 500 }, { why: 'away' }],
    [{ status: 401 }, { why: 'refused' }],
    [{ status: 307, headers: { Location: 'http://127.0.0.1:1/' } }, { why: 'refused' }],
    ['break', { why: 'away' }],
    ['garbage', { why: 'away' }],
  ] as const)('that answer %j end the session: %j', async (failure, end) => {
    const { server, open } = await start();
    server.failNext.push(failure);
    const one = open();
    await feed(one.session, sound);
    expect(await one.ended).toMatchObject(end);
    expect(one.finals()).toEqual([]);
    expect(one.session.waitingBytes).toBe(0);
  });

  it('that never answer are away, and one that is dropped is asked nothing more', async () => {
    const { server, open } = await start(segmentsKey, 100);
    server.failNext.push('mute');
    const one = open();
    await feed(one.session, sound);
    expect(await one.ended).toMatchObject({ why: 'away', message: expect.stringContaining('in time') });
    expect(server.seen).toHaveLength(1);
  });

  it('may dislike one piece without ending the session', async () => {
    const { server, open } = await start();
    const one = open();
    const first = sayPhrases([{ words: ['ba'], pauseMs: 700 }]).sound;
    await feed(one.session, first);
    await one.opened;
    server.failNext.push({ status: 400 });
    await feed(one.session, first);
    await feed(one.session, first);
    one.session.finish(5_000);
    expect(await one.ended).toMatchObject({ why: 'finished' });
    expect(one.finals()).toEqual(['ba', 'ba']);
  });

  it('refuse a wrong key, and it is not repeated', async () => {
    const { open } = await start('another-key');
    const one = open();
    await feed(one.session, sound);
    const end = await one.ended;
    expect(end.why).toBe('refused');
    expect(end.message).not.toContain('another-key');
  });
});

describe('voice activity', () => {
  it('cuts what is too long at its quietest moment, and loses no sample', () => {
    const words = Array.from({ length: 200 }, () => 'ba');
    const spoken = toBytes(speak(words, { alphabet: 'near', rate: 16_000, gapMs: 60 }));
    const voice = createVoiceActivity();
    const pieces = [...voice.push(spoken)];
    const last = voice.flush();
    if (last !== null) pieces.push(last);
    expect(pieces.length).toBeGreaterThanOrEqual(2);
    expect(Math.max(...pieces.map(({ startMs, endMs }) => endMs - startMs))).toBeLessThanOrEqual(15_000);
    expect(Buffer.concat(pieces.map(({ pcm }) => pcm)).equals(spoken)).toBe(true);
    const decoded = pieces.flatMap(({ pcm }) => {
      const decoder = toneDecoder('near')(16_000);
      return [...decoder.push(toSamples(pcm)), ...decoder.flush()];
    });
    expect(decoded).toHaveLength(200);
  });

  it('follows noise, and hears speech above it', () => {
    const noisy = (seconds: number, level: number): Int16Array =>
      Int16Array.from({ length: 16_000 * seconds }, (_, at) => Math.round(level * Math.sin(at * at * 0.37)));
    const voice = createVoiceActivity();
    voice.push(toBytes(noisy(2, 20)));
    voice.push(toBytes(noisy(40, 150)));
    voice.flush();
    expect(voice.push(toBytes(noisy(5, 150)))).toEqual([]);
    expect(voice.push(toBytes(speak(['ba', 'be'], { alphabet: 'near', rate: 16_000 })))).toEqual([]);
    expect(voice.push(toBytes(noisy(1, 150)))).toHaveLength(1);
  });
});

describe('16 to 24 kHz', () => {
  it('keeps tones, in whatever pieces they come', () => {
    for (const hz of [300, 1_000, 3_400]) {
      const tone = toBytes(
        Int16Array.from({ length: 16_000 }, (_, at) => Math.round(8_000 * Math.sin((2 * Math.PI * hz * at) / 16_000))),
      );
      const whole = toSamples(createUpsampler()(tone));
      const upsample = createUpsampler();
      const pieces: Buffer[] = [];
      for (let from = 0; from < tone.byteLength; from += 1_234)
        pieces.push(upsample(tone.subarray(from, from + 1_234)));
      expect(toSamples(Buffer.concat(pieces))).toEqual(whole);
      expect(Math.abs(whole.length - 24_000)).toBeLessThanOrEqual(4);
      const wrong = whole.map((sample, at) =>
        // four input samples late
        Math.round(sample - 8_000 * Math.sin((2 * Math.PI * hz * (at / 1.5 - 4)) / 16_000)),
      );
      const error = Math.sqrt(wrong.slice(10).reduce((sum, value) => sum + value ** 2, 0) / whole.length);
      // 8000 / √2 is the tone: 40 dB below it
      expect(error).toBeLessThan((8_000 / Math.SQRT2) * 10 ** (-40 / 20));
    }
  });
});
