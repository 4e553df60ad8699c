/** Is the connection alive: how a server is asked, how soon a silent one is noticed, and which ones are not called dead wrongly. */
import { beforeEach, describe, expect, it } from 'vitest';
import { KeepAlive } from '../../../packages/phone-engine/src/sip/keep-alive.ts';
import { watchForWake } from '../../../packages/phone-engine/src/sip/wake-watch.ts';
import { FakeClock } from '../../../packages/phone-engine/src/testing/fake-clock.ts';

let clock: FakeClock;
let asked: string[];
let keepAlive: KeepAlive;

/** What the server does with a question, after how many ms; nothing when it is not named. */
let answers: { ping?: number; options?: number };

const about = (question: 'ping' | 'options', heard: 'pong' | 'response') => {
  asked.push(question);
  const after = answers[question];
  if (after !== undefined) clock.setTimeout(() => keepAlive.heard(heard), after);
};
const passes = (ms: number) => {
  for (let gone = 0; gone < ms; gone += 50) clock.advance(50);
};
/** How long until it is called dead, ms. */
const msUntilDead = (atMost: number) => {
  const from = clock.now();
  while (!asked.includes('dead') && clock.now() - from < atMost) clock.advance(50);
  return clock.now() - from;
};

beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  answers = {};
  keepAlive = new KeepAlive({
    clock,
    sendPing: () => about('ping', 'pong'),
    sendOptions: () => about('options', 'response'),
    register: () => asked.push('register'),
    onDead: () => asked.push('dead'),
  });
});

describe('a server that answers pings', () => {
  beforeEach(() => {
    answers = { ping: 20 };
    keepAlive.start('wss://a');
    passes(10_000);
    expect(new Set(asked)).toEqual(new Set(['ping']));
  });

  it('is called dead within five seconds of its silence', () => {
    answers = {};
    expect(msUntilDead(10_000)).toBeLessThanOrEqual(5_000);
    const count = asked.length;
    passes(60_000);
    expect(asked).toHaveLength(count);
  });

  it('is called dead when it only sends and no longer answers', () => {
    answers = {};
    const from = clock.now();
    while (!asked.includes('dead') && clock.now() - from < 20_000) {
      clock.advance(50);
      keepAlive.heard('request');
    }
    expect(clock.now() - from).toBeLessThanOrEqual(5_000);
  });

  it('is asked at once when there is reason to doubt', () => {
    asked.length = 0;
    keepAlive.doubt();
    expect(asked).toEqual(['ping']);
  });

  it('is asked once more instead of called dead when the page slept over the deadline', () => {
    answers = {};
    asked.length = 0;
    while (asked.length === 0) clock.advance(50);
    asked.length = 0;
    clock.sleep(60_000);
    expect(asked).toContain('ping');
    expect(asked).not.toContain('dead');
    passes(2_050);
    expect(asked).toContain('dead');
  });

  it('is asked as often as its Flow-Timer wants, when that is more often', () => {
    keepAlive.stop();
    keepAlive.start('wss://a', 1_000);
    asked.length = 0;
    passes(5_000);
    expect(asked.length).toBeGreaterThanOrEqual(4);
  });
});

describe('a server that is slow', () => {
  it('is given more time, and is still noticed when it dies', () => {
    answers = { ping: 1_500 };
    keepAlive.start('wss://a');
    passes(30_000);
    answers = { ping: 4_000 };
    passes(60_000);
    expect(asked).not.toContain('dead');
    answers = {};
    expect(msUntilDead(20_000)).toBeLessThanOrEqual(12_500);
  });

  it('is not called dead while nobody knows yet that it answers at all', () => {
    answers = { ping: 6_000, options: 7_000 };
    keepAlive.start('wss://a');
    passes(120_000);
    expect(asked).not.toContain('dead');
  });

  it('is given more time after each time it was called dead', () => {
    answers = { ping: 20 };
    keepAlive.start('wss://a');
    passes(3_000);
    const spans: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      answers = {};
      asked.length = 0;
      spans.push(msUntilDead(20_000));
      keepAlive.start('wss://a');
    }
    expect(spans[3]).toBeGreaterThan((spans[0] ?? 0) + 2_000);
  });
});

it('learns that a server answers OPTIONS only, and remembers it', () => {
  answers = { options: 30 };
  keepAlive.start('wss://a');
  passes(20_000);
  expect(asked.filter((it) => it === 'ping')).toHaveLength(1);
  expect(asked).not.toContain('dead');
  keepAlive.stop();
  asked.length = 0;
  keepAlive.start('wss://a');
  passes(3_000);
  expect(asked).toEqual(['options']);
  answers = {};
  expect(msUntilDead(10_000)).toBeLessThanOrEqual(5_000);
});

it('does not take what a server sends by itself for an answer', () => {
  answers = { options: 30 };
  keepAlive.start('wss://a');
  passes(29_000);
  keepAlive.heard('pong');
  asked.length = 0;
  passes(60_000);
  expect(new Set(asked)).toEqual(new Set(['options']));
});

it('asks a server that answers neither by REGISTER, seldom, and never calls it dead itself', () => {
  keepAlive.start('wss://a');
  passes(7_000);
  expect(asked).toEqual(['ping', 'options', 'register']);
  passes(120_000);
  expect(asked).not.toContain('dead');
  expect(asked.filter((it) => it === 'register').length).toBeLessThanOrEqual(6);
});

it('asks each server in its own way', () => {
  answers = { options: 30 };
  keepAlive.start('wss://a');
  passes(5_000);
  answers = { ping: 30 };
  keepAlive.start('wss://b');
  asked.length = 0;
  passes(5_000);
  expect(new Set(asked)).toEqual(new Set(['ping']));
});

describe('waking', () => {
  it('is noticed when no timer saw the time pass, and not otherwise', () => {
    let woken = 0;
    const stop = watchForWake({ clock, onDoubt: () => {}, onReturn: () => (woken += 1) });
    passes(60_000);
    expect(woken).toBe(0);
    clock.sleep(600_000);
    expect(woken).toBe(1);
    stop();
    expect(clock.pending).toBe(0);
  });
});
