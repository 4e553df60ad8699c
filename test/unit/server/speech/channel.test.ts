import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Channel, ChannelLine } from '../../../../server/src/speech/channel-contract.ts';
import { type ChannelStage, channelStage, numbered } from './channel-stage.ts';
import { type FakeService, wordSound } from './fake-service.ts';

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
    expect(lines.at(-1)?.startMs).toBe(stage.atMs - 1_500 - 200);
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
    expect(channel.settledMs).toBe(600);
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
    channel.hear(wordSound(5, 200), stage.atMs);
    expect(lines).toHaveLength(told);
    expect(service.sessions).toHaveLength(1);
  });
});
