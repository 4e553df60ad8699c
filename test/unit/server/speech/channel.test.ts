import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { channelTiming, createChannel } from '../../../../server/src/speech/channel.ts';
import type { Channel, ChannelLine } from '../../../../server/src/speech/channel-contract.ts';
import { createFakeService, type FakeService, wordSound } from './fake-service.ts';

/** Sound is computed here: a busy machine takes its time. */
vi.setConfig({ testTimeout: 120_000 });

let service: FakeService;
let lines: ChannelLine[];
let states: string[];
let channel: Channel;
let atMs: number;
let words: number;

beforeEach(() => {
  vi.useFakeTimers();
  service = createFakeService();
  lines = [];
  states = [];
  atMs = 0;
  words = 0;
  channel = createChannel({
    service,
    request: { language: 'en-GB', vocabulary: ['Patchcord'] },
    firstLine: 0,
    onLine: (line) => lines.push(line),
    onService: (state) => states.push(state),
    now: () => Date.now(),
    random: () => 0.5,
  });
});
afterEach(() => {
  channel.drop();
  expect(vi.getTimerCount(), 'timers are left').toBe(0);
  vi.useRealTimers();
});

const pass = async (ms: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
  atMs += ms;
};
/** Says so many words, each of 200 ms, in frames of 100 ms. */
const say = async (count: number): Promise<void> => {
  for (; count > 0; count--) {
    const sound = wordSound(words++, 200);
    channel.hear(sound.subarray(0, 3_200), atMs);
    await pass(100);
    channel.hear(sound.subarray(3_200), atMs);
    await pass(100);
  }
};
const finals = (): string[] => lines.filter((line) => line.final).map((line) => line.text);
const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `w${from + index}`).join(' ');

describe('a channel', () => {
  it('opens a session with the first sound and tells words as they come, then finally', async () => {
    await pass(1_000);
    expect(service.sessions).toHaveLength(0);
    await say(3);
    await pass(2_000);
    expect(service.sessions).toHaveLength(1);
    expect(lines.filter((line) => !line.final).map((line) => line.text)).toEqual(['w0', 'w0 w1', 'w0 w1 w2']);
    expect(lines.at(-1)).toEqual({ line: 0, text: 'w0 w1 w2', startMs: 1_000, endMs: 1_600, final: true });
    expect(channel.settledMs).toBe(1_600);
    expect(states).toEqual(['there']);
  });

  it('puts words into the time of the call after gaps that were not sent', async () => {
    await say(2);
    await pass(5_000);
    await say(2);
    await pass(200);
    await say(1);
    await pass(2_000);
    expect(lines.filter((line) => line.final)).toEqual([
      { line: 0, text: 'w0 w1', startMs: 0, endMs: 400, final: true },
      { line: 1, text: 'w2 w3 w4', startMs: 5_400, endMs: 6_200, final: true },
    ]);
  });

  it('ends the session after fifteen seconds without sound, and opens another for the next', async () => {
    await say(1);
    await pass(14_000);
    expect(service.sessions[0]?.isOver).toBe(false);
    await pass(2_500);
    expect(service.sessions[0]?.isOver).toBe(true);
    expect(service.sessions).toHaveLength(1);
    await say(1);
    await pass(1_500);
    expect(service.sessions).toHaveLength(2);
    expect(finals()).toEqual(['w0', 'w1']);
    expect(lines.at(-1)?.startMs).toBe(atMs - 1_500 - 200);
  });

  it('sends again from the end of the last final words, and no second of sound is lost', async () => {
    service.mostWords = 5;
    await say(8);
    service.current?.end({ why: 'away', message: 'gone' });
    await say(8);
    await pass(3_000);
    expect(finals().join(' ')).toBe(numbered(0, 16));
    // words 0 to 4 were final; 5 to 7 had to be said again
    expect(service.sessions[1]?.words[0]).toBe('w5');
  });

  it('waits longer with every failure, as long as the service asks, and says so once', async () => {
    service.openWith = { why: 'away', message: 'no one there' };
    await say(1);
    await pass(20_000);
    const tried = service.sessions.length;
    expect(tried).toBeGreaterThan(4);
    expect(tried).toBeLessThan(10);
    expect(states).toEqual(['away']);
    service.openWith = { why: 'limited', message: 'too much', retryAfterMs: 100_000 };
    await pass(30_000);
    const limited = service.sessions.length;
    await pass(70_000);
    expect(service.sessions).toHaveLength(limited);
    service.openWith = undefined;
    await pass(30_000);
    expect(finals()).toEqual(['w0']);
    expect(states).toEqual(['away', 'there']);
  });

  it('asks no more once it was refused, and settles everything', async () => {
    service.openWith = { why: 'refused', message: 'wrong key' };
    await say(2);
    await pass(60_000);
    await say(2);
    expect(service.sessions).toHaveLength(1);
    expect(states).toEqual(['refused']);
    expect(channel.settledMs).toBe(atMs);
    await channel.finish(5_000);
  });

  it('keeps thirty seconds while the service is away, gives the oldest up, and tells the rest later', async () => {
    service.openWith = { why: 'away', message: 'gone' };
    await say(200);
    expect(channel.settledMs).toBe(atMs - channelTiming.keptMs);
    service.openWith = undefined;
    service.mostWords = 1;
    await pass(60_000);
    expect(finals().join(' ')).toBe(numbered(50, 200));
  });

  it('does not send to a service that does not read, and forgets nothing younger than thirty seconds', async () => {
    await say(2);
    const { current } = service;
    if (current === undefined) throw new Error('no session');
    current.waitingBytes = 40_000;
    const before = current.soundMs;
    await say(100);
    expect(current.soundMs).toBe(before);
    current.waitingBytes = 0;
    service.mostWords = 4;
    await pass(10_000);
    expect(finals().join(' ')).toBe(numbered(0, 102));
  });

  it('sends what was kept not faster than the service takes it', async () => {
    service.openWith = { why: 'away', message: 'gone' };
    await say(100);
    service.openWith = undefined;
    while (service.current === undefined) await pass(100);
    await pass(1_000);
    // a burst of two seconds, and eight times as fast as it was spoken
    expect(service.current.soundMs).toBeLessThanOrEqual(11_000);
    await pass(20_000);
    expect(finals().join(' ')).toBe(numbered(0, 100));
  });

  it('gives up after thirty seconds on a service that makes nothing final, and tells the words once', async () => {
    service.finalAfterMs = () => null;
    service.mostWords = 1_000;
    await say(200);
    expect(channel.settledMs).toBe(atMs - channelTiming.keptMs);
    expect(finals()).toEqual([]);
    await pass(60_000);
    // their sound is gone, so they stay as they were told
    expect(finals()).toEqual([numbered(0, 200)]);
    expect(channel.settledMs).toBe(atMs - 60_000);
    expect(service.sessions).toHaveLength(1);
  });

  it('asks a service twice for its last words, and then takes those that it told', async () => {
    service.finalAfterMs = () => null;
    await say(5);
    await pass(20_000);
    expect(finals()).toEqual([]);
    await pass(10_000);
    expect(finals()).toEqual([numbered(0, 5)]);
    await pass(120_000);
    expect(service.sessions).toHaveLength(2);
  });

  it('takes a service that hears no words in loud sound for away, asks ever more seldom', async () => {
    service.mute = true;
    await say(700);
    const tried = service.sessions.length;
    expect(tried).toBeGreaterThanOrEqual(2);
    expect(tried).toBeLessThanOrEqual(4);
    expect(states).toEqual(['away']);
    service.mute = false;
    await say(350);
    await pass(3_000);
    expect(states).toEqual(['away', 'there']);
    expect(finals().at(-1)?.split(' ').at(-1)).toBe('w1049');
  });

  it('tells final words once, whatever a service says again or makes up', async () => {
    await say(3);
    await pass(1_000);
    const session = service.current;
    for (let count = 0; count < 500; count++) {
      session?.hear({ utterance: '0', text: 'w0 w1 w2', startMs: 0, endMs: 600, final: true });
      session?.hear({ utterance: `new${count}`, text: 'w0 w1 w2', startMs: 0, endMs: 600, final: true });
      session?.hear({ utterance: `later${count}`, text: 'later', startMs: 9e9, endMs: 9e9, final: true });
      session?.hear({ utterance: `not${count}`, text: 'no time', startMs: Number.NaN, endMs: 1e300, final: true });
      session?.hear({ utterance: `part${count}`, text: `flood ${count}`, startMs: 0, endMs: 550, final: false });
    }
    expect(finals()).toEqual(['w0 w1 w2']);
    expect(lines.length).toBeLessThan(6);
    await say(2);
    await pass(2_000);
    expect(finals()).toEqual(['w0 w1 w2', 'w3 w4']);
    await say(2);
    session?.hear({ utterance: '1', text: 'w3 w4 and more', startMs: 2_100, endMs: 9e9, final: true });
    await pass(2_000);
    expect(finals()).toEqual(['w0 w1 w2', 'w3 w4', 'w5 w6']);
  });

  it('tells at most ten partial lines a second', async () => {
    await say(1);
    const before = lines.length;
    for (let count = 0; count < 1_000; count++) {
      service.current?.hear({ utterance: `u${count % 40}`, text: `a${count}`, startMs: 0, endMs: 200, final: false });
      if (count % 100 === 0) await pass(10);
    }
    expect(lines.length - before).toBeLessThanOrEqual(2);
  });

  it('gives the words of a broken session the number they had', async () => {
    service.mostWords = 100;
    await say(4);
    service.current?.end({ why: 'expired', message: 'too old' });
    await say(2);
    await pass(3_000);
    expect(new Set(lines.map((line) => line.line))).toEqual(new Set([0]));
    expect(finals()).toEqual([numbered(0, 6)]);
  });

  it('forgets from a moment on: the session that heard it is gone, what was said before is told', async () => {
    await say(10);
    const heard = service.current;
    channel.forget(1_200);
    expect(heard?.isOver).toBe(true);
    // what live readers saw of it is taken back
    expect(lines.findLast(({ text }) => text !== 'w0')).toMatchObject({ line: 0, text: '', final: false });
    await pass(3_000);
    expect(finals()).toEqual([numbered(0, 6)]);
    expect(service.sessions[1]?.words).toEqual(numbered(0, 6).split(' '));
    expect(channel.settledMs).toBe(2_000);
    await say(2);
    await pass(3_000);
    expect(finals()).toEqual([numbered(0, 6), numbered(10, 12)]);
  });

  it('waits for the last words when it is finished, and not longer than it is let', async () => {
    service.finalAfterMs = () => 900;
    await say(3);
    const startedAt = Date.now();
    const finished = channel.finish(5_000).then(() => Date.now());
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await finished) - startedAt).toBeLessThan(1_500);
    expect(finals()).toEqual(['w0 w1 w2']);
  });

  it('tells words as they stand when the last ones do not come in time', async () => {
    service.finalAfterMs = () => null;
    await say(3);
    const startedAt = Date.now();
    const finished = channel.finish(2_000).then(() => Date.now());
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await finished) - startedAt).toBe(2_000);
    expect(finals()).toEqual(['w0 w1 w2']);
  });

  it('comes back while it is finished when the session breaks', async () => {
    await say(3);
    const finished = channel.finish(8_000);
    service.current?.end({ why: 'away', message: 'gone' });
    await vi.advanceTimersByTimeAsync(8_000);
    await finished;
    expect(finals()).toEqual(['w0 w1 w2']);
    expect(service.sessions).toHaveLength(2);
  });

  it('finishes at once when nothing was heard', async () => {
    await channel.finish(60_000);
    expect(service.sessions).toHaveLength(0);
  });

  it('tells nothing after it was dropped', async () => {
    await say(3);
    channel.drop();
    const told = lines.length;
    await pass(60_000);
    channel.hear(wordSound(5, 200), atMs);
    expect(lines).toHaveLength(told);
    expect(service.sessions).toHaveLength(1);
  });
});
