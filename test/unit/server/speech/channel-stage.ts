/** A channel in tests, on the clock of the test: says numbered words into it, in frames of 100 ms, and keeps what it tells. */
import { vi } from 'vitest';
import { createChannel } from '../../../../server/src/speech/channel.ts';
import type { Channel, ChannelLine } from '../../../../server/src/speech/channel-contract.ts';
import { createFakeService, type FakeService, wordSound } from './fake-service.ts';

export interface ChannelStage {
  readonly service: FakeService;
  readonly channel: Channel;
  readonly lines: readonly ChannelLine[];
  readonly states: readonly string[];
  /** Time of the call. */
  readonly atMs: number;
  pass(ms: number): Promise<void>;
  /** Says so many words, each of 200 ms. */
  say(count: number): Promise<void>;
  finals(): readonly string[];
}

/** Wants fake timers. */
export function channelStage(): ChannelStage {
  const service = createFakeService();
  const lines: ChannelLine[] = [];
  const states: string[] = [];
  let atMs = 0;
  let words = 0;
  const channel = createChannel({
    service,
    request: { language: 'en-GB', vocabulary: ['Patchcord'] },
    firstLine: 0,
    onLine: (line) => lines.push(line),
    onService: (state) => states.push(state),
    now: () => Date.now(),
    random: () => 0.5,
  });
  const pass = async (ms: number): Promise<void> => {
    await vi.advanceTimersByTimeAsync(ms);
    atMs += ms;
  };
  return {
    service,
    channel,
    lines,
    states,
    get atMs() {
      return atMs;
    },
    pass,
    async say(count) {
      for (; count > 0; count--) {
        const sound = wordSound(words++, 200);
        channel.hear(sound.subarray(0, 3_200), atMs);
        await pass(100);
        channel.hear(sound.subarray(3_200), atMs);
        await pass(100);
      }
    },
    finals: () => lines.filter((line) => line.final).map((line) => line.text),
  };
}

/** The words that were said, from one number to before another. */
export const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `w${from + index}`).join(' ');
