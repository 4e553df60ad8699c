/** How the sound of a call is brought back: what is tried, how often, and when it is enough. */
import { beforeEach, describe, expect, it } from 'vitest';
import { PathMending } from '../../../packages/phone-engine/src/sip/path-mending.ts';
import { FakeClock } from '../../../packages/phone-engine/src/testing/fake-clock.ts';

let clock: FakeClock;
let connected: boolean;
let ended: boolean;
let evidence: { way: string; packets: number };
let offers: number[];
let proofs: number;
/** What the far side does with the next offer; default: takes it, and a new way is there at once. */
let answers: () => Promise<boolean>;
let whileProving: () => void;
let mending: PathMending;

beforeEach(() => {
  clock = new FakeClock();
  connected = true;
  ended = false;
  evidence = { way: 'a', packets: 500 };
  offers = [];
  proofs = 0;
  whileProving = () => {};
  answers = async () => {
    evidence = { way: `b${offers.length}`, packets: 500 };
    return true;
  };
  mending = new PathMending({
    clock,
    prove: async () => {
      proofs += 1;
      whileProving();
    },
    connected: () => connected,
    offer: () => {
      offers.push(clock.now());
      return answers();
    },
    evidence: async () => evidence,
    ended: () => ended,
  });
});

const turns = async () => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};
async function passes(ms: number): Promise<void> {
  await turns();
  for (let passed = 0; passed < ms; passed += 20) {
    clock.advance(20);
    await turns();
  }
}

it('proves the line, offers once, and is content with another way', async () => {
  mending.begin();
  await passes(600_000);
  expect([proofs, offers.length]).toEqual([1, 1]);
});

it('is content with sound, too', async () => {
  answers = async () => {
    evidence = { way: 'a', packets: 520 };
    return true;
  };
  mending.begin();
  await passes(60_000);
  expect(offers).toHaveLength(1);
});

it('offers nothing when the sound came back by itself while the line was proven', async () => {
  whileProving = () => (evidence = { way: 'a', packets: 530 });
  mending.begin();
  await passes(60_000);
  expect(offers).toHaveLength(0);
});

describe('while nothing helps', () => {
  it('tries at growing intervals, and not for ever', async () => {
    answers = async () => false;
    mending.begin();
    await passes(10_000);
    const soon = offers.length;
    expect(soon).toBeGreaterThanOrEqual(4);
    await passes(600_000);
    expect(offers.length).toBeLessThanOrEqual(12);
    const gaps = offers.slice(1).map((at, index) => at - (offers[index] ?? 0));
    expect(gaps.every((gap, index) => gap >= (gaps[index - 1] ?? 0))).toBe(true);
    const all = offers.length;
    mending.begin();
    await passes(1_000);
    expect(offers.length).toBeGreaterThan(all);
  });

  it('goes on after an agreement that brought neither sound nor another way', async () => {
    const good = answers;
    answers = async () => true;
    mending.begin();
    await passes(1_000);
    expect(offers).toHaveLength(1);
    answers = good;
    await passes(60_000);
    expect(offers).toHaveLength(2);
  });

  it('never offers over a line that is down, and at once when it is back', async () => {
    connected = false;
    mending.begin();
    await passes(20_000);
    expect(offers).toHaveLength(0);
    connected = true;
    const backAt = clock.now();
    mending.anew();
    await passes(1_000);
    expect(offers).toEqual([backAt]);
  });

  it('ends with the call', async () => {
    answers = async () => false;
    mending.begin();
    await passes(1_000);
    ended = true;
    mending.stop();
    await passes(1_000);
    expect(clock.pending).toBe(0);
  });
});

it('does not offer twice when the line came back while an offer was under way', async () => {
  let take: (taken: boolean) => void = () => {};
  answers = () =>
    new Promise((resolve) => {
      take = resolve;
    });
  mending.begin();
  await passes(100);
  mending.anew();
  evidence = { way: 'b', packets: 500 };
  take(true);
  await passes(60_000);
  expect(offers).toHaveLength(1);
});
