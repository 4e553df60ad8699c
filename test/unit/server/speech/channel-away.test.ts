import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { channelTiming } from '../../../../server/src/speech/channel.ts';
import type { Channel, ChannelLine } from '../../../../server/src/speech/channel-contract.ts';
import { type ChannelStage, channelStage, numbered } from './channel-stage.ts';
import type { FakeService } from './fake-service.ts';

/** Sound is computed here: a busy machine takes its time. */
vi.setConfig({ testTimeout: 120_000 });

let stage: ChannelStage;
let service: FakeService;
let lines: readonly ChannelLine[];
let states: readonly string[];
let channel: Channel;
beforeEach(() => {
  vi.useFakeTimers();
  stage = channelStage();
  ({ service, lines, states, channel } = stage);
});
afterEach(() => {
  stage.channel.drop();
  expect(vi.getTimerCount(), 'timers are left').toBe(0);
  vi.useRealTimers();
});
const pass = (ms: number): Promise<void> => stage.pass(ms);
const say = (count: number): Promise<void> => stage.say(count);
const finals = (): readonly string[] => stage.finals();

describe('a channel whose service is away, slow or of no use', () => {
  it('loses no first word while the service has not answered, however little is said before a pause', async () => {
    service.answerAfterMs = 5_000;
    await say(2);
    await pass(2_000);
    await say(2);
    await pass(700);
    await say(1);
    await pass(6_000);
    expect(service.sessions).toHaveLength(1);
    // each by itself: the silence between them was sent all the same
    expect(lines.filter((line) => line.final)).toMatchObject([
      { text: 'w0 w1', startMs: 0, endMs: 400 },
      { text: 'w2 w3', startMs: 2_400, endMs: 2_800 },
      { text: 'w4', startMs: 3_500, endMs: 3_700 },
    ]);
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
    expect(channel.settledMs).toBe(stage.atMs);
    await channel.finish(5_000);
  });

  it('keeps thirty seconds while the service is away, gives the oldest up, and tells the rest later', async () => {
    service.openWith = { why: 'away', message: 'gone' };
    await say(200);
    expect(channel.settledMs).toBe(stage.atMs - channelTiming.keptMs);
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
    expect(channel.settledMs).toBe(stage.atMs - channelTiming.keptMs);
    expect(finals()).toEqual([]);
    await pass(60_000);
    // their sound is gone, so they stay as they were told
    expect(finals()).toEqual([numbered(0, 200)]);
    expect(channel.settledMs).toBe(stage.atMs - 60_000);
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
});
