/** One call's sound: which frame is heard, what is marked, what a relay that starts anew needs again. Channels are fakes with pedals. */
import type { SoundBytes, TranscriptLine } from '@patchcord/call-protocol';
import { Registry } from '@prometheus-io/client';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { CallSound } from '../../../server/src/sound/call-sound.ts';
import { Allowance } from '../../../server/src/sound/sound-allowance.ts';
import { createSoundMetrics } from '../../../server/src/sound/sound-metrics.ts';
import type { Channel, ChannelLine, ChannelOptions } from '../../../server/src/speech/channel-contract.ts';
import type { SoundPosition } from '../../../server/src/store/contract.ts';

class FakeChannel implements Channel {
  readonly options: ChannelOptions;
  readonly heard: { readonly atMs: number; readonly ms: number; readonly first: number }[] = [];
  readonly forgotten: number[] = [];
  settledMs = 0;
  isDropped = false;

  constructor(options: ChannelOptions) {
    this.options = options;
  }

  hear(pcm: Uint8Array, atMs: number): void {
    this.heard.push({ atMs, ms: pcm.byteLength / 32, first: pcm[0] ?? 0 });
  }

  forget(atMs: number): void {
    this.forgotten.push(atMs);
  }

  finish(): Promise<void> {
    return Promise.resolve();
  }

  drop(): void {
    this.isDropped = true;
  }

  say(line: number, text: string, startMs: number, endMs: number, final = true): void {
    const said: ChannelLine = { line, text, startMs, endMs, final };
    this.options.onLine(said);
  }

  /** Where it was heard from and to, each stretch that follows another as one. */
  get stretches(): readonly (readonly [number, number])[] {
    const joined: [number, number][] = [];
    for (const { atMs, ms } of this.heard) {
      const last = joined.at(-1);
      if (last?.[1] === atMs) last[1] += ms;
      else joined.push([atMs, atMs + ms]);
    }
    return joined;
  }
}

let now = 0;
let told: TranscriptLine[];
let forgotten: number[];
let service: string[];
/** Of the last stage. */
let registry: Registry;
/** Final lines wait here where a test wants that. */
let keeping: Promise<void>;
beforeEach(() => {
  now = 0;
  told = [];
  forgotten = [];
  service = [];
  keeping = Promise.resolve();
});

interface Stage {
  readonly sound: CallSound;
  readonly agent: FakeChannel;
  readonly farSide: FakeChannel;
}

function stage(position: SoundPosition | null = null): Stage {
  const channels: FakeChannel[] = [];
  registry = new Registry();
  const sound = new CallSound({
    service: { open: () => Promise.reject(new Error('nobody opens it')) as never },
    request: { language: 'en', vocabulary: [] },
    createChannel: (options) => {
      const channel = new FakeChannel(options);
      channels.push(channel);
      return channel;
    },
    position,
    recorder: null,
    tell: (line) => {
      told.push(line);
      return line.final ? keeping : Promise.resolve();
    },
    forget: (atMs) => void forgotten.push(atMs),
    onService: (state) => void service.push(state),
    metrics: createSoundMetrics(registry),
    now: () => now,
    random: () => 0.5,
  });
  sound.attach();
  const [agent, farSide] = channels;
  if (agent === undefined || farSide === undefined) throw new Error('two channels');
  return { sound, agent, farSide };
}

const pcm = (ms: number, first = 1): Uint8Array => new Uint8Array(ms * 32).fill(first);
/** 100 ms; `startMs` as if none was left out. */
const frame = (number: number, change: Partial<SoundBytes> = {}): SoundBytes => ({
  number,
  startMs: number * 100,
  samples: 1_600,
  agent: pcm(100),
  farSide: pcm(100, 2),
  ...change,
});
const take = (sound: CallSound, from: number, to: number): readonly string[] =>
  Array.from({ length: to - from }, (_, index) => sound.take(frame(from + index)));
const gaps = (): readonly unknown[] =>
  told
    .filter(({ gap }) => gap !== undefined)
    .map(({ speaker, gap, startMs, endMs, text }) => [speaker, gap, startMs, endMs, text]);
const kept = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('frames', () => {
  it('go to two channels, each frame once, in order', () => {
    const { sound, agent, farSide } = stage();
    expect(take(sound, 0, 3)).toEqual(['heard', 'heard', 'heard']);
    expect(take(sound, 1, 3)).toEqual(['repeated', 'repeated']);
    sound.take(frame(3, { agent: null }));
    sound.take(frame(4, { agent: null, farSide: null }));
    expect(agent.stretches).toEqual([[0, 300]]);
    expect(farSide.stretches).toEqual([[0, 400]]);
    expect([agent.heard[0]?.first, farSide.heard[0]?.first]).toEqual([1, 2]);
    expect(gaps()).toEqual([]);
  });

  it('that are missing are marked once, as a line of the far side, before what comes after them', () => {
    const { sound } = stage();
    take(sound, 0, 10);
    expect(sound.take(frame(40))).toBe('heard');
    expect(gaps()).toEqual([['far-side', 'lost', 1_000, 4_000, '']]);
    // Less than half a second is no line.
    sound.take(frame(44));
    expect(gaps()).toHaveLength(1);
  });

  it('of a page that sends nothing for a while leave no mark, of one that was loaded anew they do', () => {
    const { sound } = stage();
    take(sound, 0, 10);
    sound.take(frame(10, { startMs: 60_000 }));
    expect(gaps()).toEqual([]);
    expect(sound.attach()).toBe(11);
    sound.take(frame(11, { startMs: 63_000 }));
    expect(gaps()).toEqual([['far-side', 'lost', 60_100, 63_000, '']]);
  });

  it('that overlap are heard from where the last one ended', () => {
    const { sound, agent } = stage();
    take(sound, 0, 2);
    expect(sound.take(frame(2, { startMs: 150 }))).toBe('heard');
    expect(sound.take(frame(3, { startMs: 100 }))).toBe('repeated');
    expect(agent.stretches).toEqual([[0, 250]]);
  });

  it('beyond what a call can have are refused', () => {
    const { sound } = stage();
    const results = Array.from({ length: 460 }, (_, index) => sound.take(frame(index)));
    expect(results.filter((result) => result === 'too-much')).toHaveLength(10);
    now += 1_000;
    expect(take(sound, 450, 455)).not.toContain('too-much');
    expect(sound.take(frame(500, { startMs: 90_000_000 }))).toBe('malformed');
  });
});

describe('what is settled', () => {
  it('is what both sides are done with', () => {
    const { sound, agent, farSide } = stage();
    take(sound, 0, 20);
    agent.settledMs = 1_500;
    farSide.settledMs = 700;
    expect(sound.position()).toMatchObject({
      next: 7,
      ms: 700,
      agent: { line: 0, ms: 1_500 },
      farSide: { line: 0, ms: 700 },
    });
    farSide.settledMs = 2_000;
    agent.settledMs = 2_000;
    expect(sound.position()).toMatchObject({ next: 20, ms: 2_000 });
  });

  it('goes on for a side that is silent', () => {
    const { sound, agent } = stage();
    for (let number = 0; number < 10; number += 1) sound.take(frame(number, { farSide: null }));
    agent.settledMs = 1_000;
    expect(sound.position()).toMatchObject({ next: 10, ms: 1_000 });
  });

  it('waits for a final line to be kept', async () => {
    const { sound, agent, farSide } = stage();
    const { promise, resolve } = Promise.withResolvers<void>();
    keeping = promise;
    take(sound, 0, 20);
    [agent.settledMs, farSide.settledMs] = [2_000, 2_000];
    agent.say(0, 'Hello', 400, 900);
    expect(sound.position()).toMatchObject({ next: 4, agent: { line: 0, ms: 400 } });
    resolve();
    await kept();
    expect(sound.position()).toMatchObject({ next: 20, agent: { line: 1, ms: 2_000 } });
  });

  it('never holds more than it needs, however long nothing is settled', () => {
    const { sound } = stage();
    for (let number = 0; number < 3_000; number += 1) {
      now += 100;
      sound.take(frame(number));
    }
    expect(sound.position().next).toBe(0);
  });
});

describe('a relay that starts anew', () => {
  it('asks from where it is needed, hears no side twice, and goes on counting lines', async () => {
    const before = stage();
    take(before.sound, 0, 20);
    [before.agent.settledMs, before.farSide.settledMs] = [2_000, 1_000];
    before.agent.say(0, 'Good morning', 100, 900);
    before.agent.say(1, 'How are', 1_000, 1_500, false);
    before.agent.say(1, 'How are you?', 1_000, 1_900);
    before.farSide.say(0, 'Fine', 1_200, 1_500, false);
    await kept();
    const position = JSON.parse(JSON.stringify(before.sound.position())) as SoundPosition;
    expect(position).toEqual({ next: 10, ms: 1_000, agent: { line: 2, ms: 2_000 }, farSide: { line: 0, ms: 1_000 } });

    const after = stage(position);
    expect(after.sound.attach()).toBe(10);
    take(after.sound, 10, 22);
    expect(after.agent.stretches).toEqual([[2_000, 2_200]]);
    expect(after.farSide.stretches).toEqual([[1_000, 2_200]]);
    after.farSide.say(after.farSide.options.firstLine, 'Fine, thanks', 1_200, 1_800);
    expect(told.at(-1)).toMatchObject({ speaker: 'far-side', line: 0, text: 'Fine, thanks', final: true });
    after.agent.say(after.agent.options.firstLine, 'Good', 2_000, 2_100);
    expect(told.at(-1)).toMatchObject({ speaker: 'agent', line: 2 });
    expect(gaps()).toEqual([]);
  });

  it('marks what no page has any more', () => {
    const { sound } = stage({ next: 10, ms: 1_000, agent: { line: 3, ms: 1_500 }, farSide: { line: 5, ms: 1_000 } });
    sound.take(frame(400));
    expect(told).toMatchObject([
      { speaker: 'far-side', line: 5, gap: 'lost', startMs: 1_000, endMs: 40_000, final: true },
    ]);
  });
});

describe('a pause', () => {
  it('is forgotten by all, and its length marked when somebody is heard again', () => {
    const { sound, agent, farSide } = stage();
    take(sound, 0, 12);
    sound.pause(1_050);
    sound.pause(1_050);
    expect([agent.forgotten, farSide.forgotten, forgotten]).toEqual([[1_050], [1_050], [1_050]]);
    expect(gaps()).toEqual([]);
    sound.take(frame(19, { startMs: 9_000 }));
    expect(gaps()).toEqual([['far-side', 'paused', 1_050, 9_000, '']]);
    sound.take(frame(20, { startMs: 9_100 }));
    expect(gaps()).toHaveLength(1);
  });

  it('cuts a frame that reaches into it, and drops words of it that come late', () => {
    const { sound, agent } = stage();
    take(sound, 0, 10);
    sound.pause(1_040);
    sound.take(frame(10));
    expect(agent.stretches).toEqual([[0, 1_040]]);
    agent.say(0, 'four one one one', 1_040, 1_900);
    agent.say(1, 'before', 200, 600);
    expect(told.map(({ text }) => text)).toEqual(['before']);
  });
});

describe('lines', () => {
  it('keep their number while their words change, and empty ones are not told', () => {
    const { farSide } = stage();
    farSide.say(7, '', 0, 10, false);
    farSide.say(7, 'Hel', 0, 200, false);
    farSide.say(8, 'Later', 600, 700, false);
    farSide.say(7, 'Hello', 0, 400);
    farSide.say(8, '', 600, 700, false);
    expect(told.map(({ line, text, final }) => [line, text, final])).toEqual([
      [0, 'Hel', false],
      [1, 'Later', false],
      [0, 'Hello', true],
      [1, '', false],
    ]);
  });

  it('fit the protocol whatever a service says', () => {
    const { agent } = stage();
    agent.options.onLine({ line: 0, text: 'x'.repeat(9_000), startMs: -5, endMs: -9, confidence: 1.2, final: true });
    expect(told).toMatchObject([{ startMs: 0, endMs: 0, confidence: 1 }]);
    expect(told[0]?.text).toHaveLength(4_000);
  });
});

describe('the service', () => {
  it('is as good as its worse side, told when that changes', () => {
    const { sound, agent, farSide } = stage();
    agent.options.onService('away', 'It does not answer.');
    farSide.options.onService('refused', 'The key is not valid.');
    agent.options.onService('there', '');
    expect(service).toEqual(['away', 'refused']);
    expect(sound.service).toEqual({ state: 'refused', message: 'The key is not valid.' });
    farSide.options.onService('there', '');
    expect(service).toEqual(['away', 'refused', 'there']);
  });

  it('that was away for longer than sound is kept leaves a mark of that side, and is counted', async () => {
    const { sound, agent } = stage();
    take(sound, 0, 10);
    agent.settledMs = 800;
    agent.options.onService('away', '');
    agent.settledMs = 30_000;
    agent.options.onService('there', '');
    expect(gaps()).toEqual([['agent', 'lost', 800, 30_000, '']]);
    expect(await registry.metrics()).toContain('patchcord_sound_gaps_total{why="lost"} 1');
  });

  it('that was away when the relay was killed leaves a mark at the next one, of what no page has', () => {
    const { sound, agent, farSide } = stage();
    take(sound, 0, 20);
    [agent.settledMs, farSide.settledMs] = [800, 2_000];
    agent.options.onService('away', '');
    // The channel keeps no more than it must; the page no longer than that.
    agent.settledMs = 1_600;
    const position = sound.position();
    expect(position).toMatchObject({ next: 8, ms: 800, agent: { ms: 800 }, farSide: { ms: 2_000 } });
    const after = stage(position);
    after.sound.take(frame(16));
    expect(gaps()).toEqual([['far-side', 'lost', 800, 1_600, '']]);
    expect([after.agent.stretches, after.farSide.stretches]).toEqual([[[1_600, 1_700]], []]);
  });

  it('that came back in time leaves none', () => {
    const { sound, agent } = stage();
    take(sound, 0, 10);
    agent.options.onService('away', '');
    agent.options.onService('there', '');
    expect(gaps()).toEqual([]);
  });
});

it('whatever arrives in whatever order, no channel hears a moment twice, nor backwards', () => {
  const one = fc.record({
    number: fc.nat(40),
    startMs: fc.nat(6_000),
    samples: fc.constantFrom(160, 1_600, 3_200),
    again: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(one, { maxLength: 60 }), (frames) => {
      const { sound, agent } = stage();
      for (const { number, startMs, samples, again } of frames) {
        if (again) sound.attach();
        sound.take({ number, startMs, samples, agent: pcm(samples / 16), farSide: null });
      }
      let end = 0;
      for (const { atMs, ms } of agent.heard) {
        expect(atMs).toBeGreaterThanOrEqual(end);
        end = atMs + ms;
      }
      const marks = told.filter(({ gap }) => gap !== undefined);
      for (const { startMs, endMs } of marks) expect(endMs).toBeGreaterThan(startMs);
      told = [];
    }),
    { numRuns: 300 },
  );
});

it('an allowance fills with time, and a clock that is set back changes nothing', () => {
  const allowance = new Allowance(100, 0.1, 1_000);
  expect(allowance.take(100, 1_000)).toBe(true);
  expect(allowance.take(1, 1_000)).toBe(false);
  expect(allowance.take(1, 500)).toBe(false);
  expect(allowance.take(50, 1_000)).toBe(true);
  expect(allowance.take(101, 900_000)).toBe(false);
});
