import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createChannel } from '../../../../server/src/speech/channel.ts';
import type { ChannelLine } from '../../../../server/src/speech/channel-contract.ts';
import type { SpeechEnd } from '../../../../server/src/speech/speech-to-text.ts';
import { createFakeService, wordSound } from './fake-service.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const wordMs = 200;
const stepMs = 100;
const ends: readonly SpeechEnd['why'][] = ['away', 'away', 'expired', 'limited', 'finished'];

/** A call: for each tenth of a second whether there is sound, and when the upstream breaks. */
const calls = fc.record({
  spurts: fc.array(fc.record({ words: fc.integer({ min: 1, max: 60 }), gapMs: fc.integer({ min: 1, max: 240 }) }), {
    minLength: 4,
    maxLength: 14,
  }),
  drops: fc.array(fc.record({ afterMs: fc.integer({ min: 2_500, max: 25_000 }), why: fc.constantFrom(...ends) }), {
    minLength: 1,
    maxLength: 30,
  }),
  finals: fc.array(fc.integer({ min: 20, max: 1_500 }), { minLength: 1, maxLength: 7 }),
  seed: fc.double({ min: 0, max: 0.999, noNaN: true }),
});

it('tells every word finally, once, in order and at its time, whenever the service breaks off', async () => {
  await fc.assert(
    fc.asyncProperty(calls, async ({ spurts, drops, finals, seed }) => {
      vi.clearAllTimers();
      const service = createFakeService();
      let finalIndex = 0;
      service.finalAfterMs = () => finals[finalIndex++ % finals.length] ?? 0;
      const lines: ChannelLine[] = [];
      const channel = createChannel({
        service,
        request: { language: 'en', vocabulary: [] },
        firstLine: 7,
        onLine: (line) => lines.push(line),
        onService: () => undefined,
        now: () => Date.now(),
        random: () => seed,
      });
      const spoken: { readonly text: string; readonly startMs: number; readonly endMs: number }[] = [];
      let atMs = 0;
      let settled = 0;
      let toDropMs = drops[0]?.afterMs ?? 0;
      let dropIndex = 0;
      const pass = async (ms: number): Promise<void> => {
        for (let left = ms; left > 0; left -= stepMs) {
          await vi.advanceTimersByTimeAsync(stepMs);
          atMs += stepMs;
          expect(channel.settledMs).toBeGreaterThanOrEqual(settled);
          settled = channel.settledMs;
          toDropMs -= stepMs;
          if (toDropMs > 0) continue;
          service.current?.end({ why: drops[dropIndex % drops.length]?.why ?? 'away', message: 'broken off' });
          dropIndex++;
          toDropMs = drops[dropIndex % drops.length]?.afterMs ?? 10_000;
        }
      };
      for (const { words, gapMs } of spurts) {
        for (let count = 0; count < words; count++) {
          const sound = wordSound(spoken.length, wordMs);
          spoken.push({ text: `w${spoken.length}`, startMs: atMs, endMs: atMs + wordMs });
          channel.hear(sound.subarray(0, sound.length / 2), atMs);
          await pass(wordMs / 2);
          channel.hear(sound.subarray(sound.length / 2), atMs);
          await pass(wordMs / 2);
        }
        await pass(gapMs * 100);
      }
      const finished = channel.finish(60_000);
      await vi.advanceTimersByTimeAsync(60_000);
      await finished;

      const told = lines.filter((line) => line.final);
      expect(told.flatMap((line) => line.text.split(' '))).toEqual(spoken.map((word) => word.text));
      expect(told.map((line) => line.line)).toEqual(told.map((_, index) => 7 + index));
      for (const line of told) {
        const named = line.text.split(' ').map((text) => spoken[Number(text.slice(1))]);
        expect(Math.abs(line.startMs - (named[0]?.startMs ?? -1_000))).toBeLessThanOrEqual(100);
        expect(Math.abs(line.endMs - (named.at(-1)?.endMs ?? -1_000))).toBeLessThanOrEqual(100);
      }
      expect(service.sessions.every((session) => session.isOver)).toBe(true);
      expect(vi.getTimerCount()).toBe(0);
    }),
    { numRuns: 20 },
  );
}, 120_000);
