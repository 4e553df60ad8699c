/** One call's recorder: what is written of its sound, when a page may forget it, and what is left after a pause, a slow disk, or none. */
import { Registry } from '@prometheus-io/client';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { CallRecorder, type CallRecorderOptions } from '../../../server/src/sound/call-recorder.ts';
import { CallSound } from '../../../server/src/sound/call-sound.ts';
import { createDeafChannel, nobody } from '../../../server/src/sound/deaf-channel.ts';
import { endOf, type GatheredPart, partBefore, recordedBytesPerMs } from '../../../server/src/sound/part-buffer.ts';
import { RecordedSpans } from '../../../server/src/sound/recorded-spans.ts';
import { createSoundMetrics } from '../../../server/src/sound/sound-metrics.ts';

let now: number;
/** Answers that a test gives by hand; without one the disk takes everything. */
let disk: (() => Promise<boolean>) | null;
let stored: GatheredPart[];
let states: string[];
let missing: number;
beforeEach(() => {
  now = 0;
  disk = null;
  stored = [];
  states = [];
  missing = 0;
});

function stage(change: Partial<CallRecorderOptions> = {}): CallRecorder {
  return new CallRecorder({
    storedMs: 0,
    keep: async (part) => {
      const isOurs = disk === null ? true : await disk();
      if (isOurs) stored.push({ startMs: part.startMs, pcm: Buffer.from(part.pcm) });
      return isOurs;
    },
    cut: async (atMs) => {
      const isOurs = disk === null ? true : await disk();
      stored = stored.flatMap((part) => partBefore(part, atMs) ?? []);
      return isOurs;
    },
    onState: (state) => states.push(state),
    onMissing: () => {
      missing += 1;
    },
    count: () => {},
    now: () => now,
    ...change,
  });
}

/** Each millisecond's samples are its own time, the far side's with the sign turned. */
const sound = (fromMs: number, ms: number, sign = 1): Uint8Array => {
  const pcm = Buffer.alloc(ms * 32);
  for (let at = 0; at < pcm.length; at += 2) pcm.writeInt16LE(sign * ((fromMs + Math.floor(at / 32)) % 30_000), at);
  return pcm;
};
function hear(recorder: CallRecorder, fromMs: number, toMs: number, untilMs = Number.POSITIVE_INFINITY): void {
  for (let startMs = fromMs; startMs < toMs; startMs += 100) {
    const frame = { startMs, samples: 1_600, agent: sound(startMs, 100), farSide: sound(startMs, 100, -1) };
    recorder.hear(frame, untilMs);
  }
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const lasted = (ms: number): Promise<void> => {
  now += ms;
  return turn();
};
/** Milliseconds of the call that stand on disk with their own sound, as stretches. */
function onDisk(): readonly (readonly [number, number])[] {
  const marks = new Set<number>();
  for (const { startMs, pcm } of stored)
    for (let ms = 0; ms < pcm.length / recordedBytesPerMs; ms += 1) {
      const at = (startMs + ms) % 30_000;
      const [agent, farSide] = [pcm.readInt16LE(ms * recordedBytesPerMs), pcm.readInt16LE(ms * recordedBytesPerMs + 2)];
      if (agent === at && farSide === -at && at !== 0) marks.add(startMs + ms);
    }
  const stretches: [number, number][] = [];
  for (const ms of [...marks].sort((a, b) => a - b)) {
    const last = stretches.at(-1);
    // The sample of 0 looks like silence.
    if (last !== undefined && ms - last[1] <= 1) last[1] = ms + 1;
    else stretches.push([ms, ms + 1]);
  }
  return stretches;
}

describe('a recorder', () => {
  it('writes parts of five seconds, each side where it belongs, and lets go of what is written alone', async () => {
    const recorder = stage();
    recorder.record(0);
    hear(recorder, 0, 12_000);
    expect(recorder.settledMs(12_000)).toBe(0);
    await turn();
    expect(stored.map((part) => [part.startMs, endOf(part)])).toEqual([
      [0, 5_000],
      [5_000, 10_000],
    ]);
    expect(recorder.settledMs(12_000)).toBe(10_000);
    await recorder.finish(1_000);
    expect(onDisk()).toEqual([[1, 12_000]]);
    expect(recorder.settledMs(12_000)).toBe(12_000);
  });

  it('writes what was gathered after five seconds, also where nobody speaks on', async () => {
    const recorder = stage();
    recorder.record(0);
    hear(recorder, 0, 1_000);
    recorder.look();
    await lasted(4_999);
    expect(stored).toEqual([]);
    await lasted(1);
    recorder.look();
    await turn();
    expect(recorder.settledMs(1_000)).toBe(1_000);
    expect(onDisk()).toEqual([[1, 1_000]]);
  });

  it('keeps nothing before it is told to, nothing after, and nothing of what is between', async () => {
    const recorder = stage();
    hear(recorder, 0, 1_000);
    recorder.record(950);
    hear(recorder, 1_000, 2_000);
    recorder.end(1_850);
    recorder.record(2_040);
    hear(recorder, 2_000, 3_000);
    recorder.end(2_980);
    await recorder.finish(1_000);
    // What was heard before the word is gone; what was heard before the end stays.
    expect(onDisk()).toEqual([
      [1_000, 2_000],
      [2_040, 3_000],
    ]);
    expect(recorder.settledMs(3_000)).toBe(3_000);
  });

  it('takes one side for silence where it is left out, and time between two frames', async () => {
    const recorder = stage();
    recorder.record(0);
    recorder.hear({ startMs: 0, samples: 1_600, agent: null, farSide: sound(0, 100) }, 1e9);
    recorder.hear({ startMs: 300, samples: 1_600, agent: sound(300, 100), farSide: null }, 1e9);
    await recorder.finish(1_000);
    const pcm = stored[0]?.pcm ?? Buffer.alloc(0);
    expect(pcm.length).toBe(400 * recordedBytesPerMs);
    expect([pcm.readInt16LE(50 * 64), pcm.readInt16LE(50 * 64 + 2)]).toEqual([0, 50]);
    expect(pcm.subarray(100 * 64, 300 * 64).every((byte) => byte === 0)).toBe(true);
    expect([pcm.readInt16LE(350 * 64), pcm.readInt16LE(350 * 64 + 2)]).toEqual([350, 0]);
  });

  it('begins a new part where the call was silent for longer than a part', async () => {
    const recorder = stage();
    recorder.record(0);
    hear(recorder, 0, 1_000);
    hear(recorder, 60_000, 61_000);
    await recorder.finish(1_000);
    expect(stored.map(({ startMs }) => startMs)).toEqual([0, 60_000]);
  });

  it('goes on behind what an earlier relay has written', async () => {
    const recorder = stage({ storedMs: 5_000 });
    recorder.record(0);
    hear(recorder, 3_000, 8_000);
    await recorder.finish(1_000);
    expect(onDisk()).toEqual([[5_000, 8_000]]);
  });

  it('stops with its connection, and is told again by the next', async () => {
    const recorder = stage();
    recorder.record(0);
    hear(recorder, 0, 1_000);
    expect(recorder.attach(1_000)).toBeNull();
    hear(recorder, 1_000, 2_000);
    recorder.record(0);
    hear(recorder, 2_000, 3_000);
    await recorder.finish(1_000);
    expect(onDisk()).toEqual([
      [1, 1_000],
      [2_000, 3_000],
    ]);
  });
});

describe('a pause', () => {
  it('takes what was said from its moment on out of what is gathered, waits and is written', async () => {
    let written: ((isOurs: boolean) => void) | null = null;
    disk = () =>
      new Promise((resolve) => {
        written = resolve;
      });
    for (const atMs of [12_340, 9_000, 5_000, 4_321]) {
      stored = [];
      const recorder = stage();
      recorder.record(0);
      hear(recorder, 0, 12_400);
      recorder.forget(atMs);
      hear(recorder, 12_400, 12_500, atMs);
      hear(recorder, 20_000, 21_000);
      const done = recorder.finish(5_000);
      // The first part was being written when the pause was said.
      for (let answer = 0; answer < 6; answer += 1) {
        await turn();
        (written as ((isOurs: boolean) => void) | null)?.(true);
      }
      await done;
      expect(onDisk()).toEqual([
        [1, atMs],
        [20_000, 21_000],
      ]);
    }
  });

  it('leaves nothing of itself on disk, whatever was written by then', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ ms: fc.integer({ min: 1, max: 70 }), pausedMs: fc.integer({ min: 1, max: 80 }) }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.array(fc.boolean(), { maxLength: 20 }),
        async (stretches, breaths) => {
          stored = [];
          const recorder = stage();
          recorder.record(0);
          const said: [number, number][] = [];
          let at = 100;
          let breath = 0;
          for (const { ms, pausedMs } of stretches) {
            hear(recorder, at, at + ms * 100);
            if (breaths[breath++]) await turn();
            // Said a moment late, as people do.
            const pausedAt = at + ms * 100 - Math.min(40, ms * 50);
            recorder.forget(pausedAt);
            if (breaths[breath++]) await turn();
            said.push([at, pausedAt]);
            at += ms * 100 + pausedMs * 100;
          }
          await recorder.finish(10_000);
          const kept = onDisk();
          for (const [from, to] of kept)
            for (let ms = from; ms < to; ms += 10)
              expect(said.some(([first, last]) => ms >= first && ms < last)).toBe(true);
          const total = (list: readonly (readonly [number, number])[]): number =>
            list.reduce((sum, [from, to]) => sum + to - from, 0);
          // A millisecond of silence each 30 s is the test's own.
          expect(total(kept)).toBeGreaterThanOrEqual(total(said) - 10);
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('a disk that takes nothing', () => {
  it('is told, tried again, and costs nothing while what waits is little', async () => {
    disk = () => Promise.reject(new Error('full'));
    const recorder = stage();
    recorder.record(0);
    hear(recorder, 0, 6_000);
    await turn();
    expect(states).toEqual(['away']);
    expect(recorder.settledMs(6_000)).toBe(0);
    disk = null;
    await lasted(2_000);
    recorder.look();
    await turn();
    expect(states).toEqual(['away', 'there']);
    await recorder.finish(1_000);
    expect(onDisk()).toEqual([[1, 6_000]]);
    expect(missing).toBe(0);
  });

  it('leaves the rest with the page, which is asked for it once the disk is back', async () => {
    disk = () => Promise.reject(new Error('full'));
    const recorder = stage();
    recorder.record(0);
    for (let at = 0; at < 60_000; at += 1_000) {
      hear(recorder, at, at + 1_000);
      recorder.look();
      await lasted(1_000);
    }
    expect(recorder.settledMs(60_000)).toBe(0);
    disk = null;
    await lasted(2_000);
    recorder.look();
    await turn();
    expect(missing).toBe(1);
    // Four parts waited.
    const from = recorder.attach(60_000);
    expect(from).toBe(20_000);
    recorder.record(0);
    hear(recorder, from ?? 0, 70_000);
    for (let turns = 0; turns < 20; turns += 1) await turn();
    await recorder.finish(1_000);
    expect(onDisk()).toEqual([[1, 70_000]]);
  });

  it('is given up after the time there is, and nothing is let go of', async () => {
    disk = () => Promise.reject(new Error('full'));
    const recorder = stage();
    recorder.record(0);
    hear(recorder, 0, 3_000);
    await recorder.finish(300);
    expect(recorder.settledMs(3_000)).toBe(0);
  });
});

it('a recorder whose call another relay has writes nothing any more', async () => {
  disk = () => Promise.resolve(false);
  const recorder = stage();
  recorder.record(0);
  hear(recorder, 0, 6_000);
  await turn();
  disk = null;
  hear(recorder, 6_000, 20_000);
  await recorder.finish(500);
  expect(stored).toEqual([]);
});

it('spans meet, end, and begin again', () => {
  const spans = new RecordedSpans();
  expect(spans.within(0, 100)).toEqual([]);
  spans.begin(10);
  spans.end(20);
  spans.begin(15);
  expect(spans.isOpen).toBe(true);
  spans.end(30);
  spans.begin(50);
  expect(spans.within(0, 100)).toEqual([
    { fromMs: 10, toMs: 30 },
    { fromMs: 50, toMs: 100 },
  ]);
  spans.end(40);
  expect(spans.isOpen).toBe(false);
  expect(spans.within(0, 100)).toEqual([{ fromMs: 10, toMs: 30 }]);
});

describe('a stream that is recorded and not transcribed', () => {
  const streamOf = (recorder: CallRecorder): CallSound => {
    const sound = new CallSound({
      service: nobody,
      request: { language: '', vocabulary: [] },
      createChannel: createDeafChannel,
      position: null,
      recorder,
      tell: () => Promise.resolve(),
      forget: () => {},
      onService: () => {},
      metrics: createSoundMetrics(new Registry()),
      now: () => now,
      random: () => 0.5,
    });
    sound.attach();
    return sound;
  };
  const take = (to: CallSound, number: number, startMs = number * 100): string =>
    to.take({ number, startMs, samples: 1_600, agent: sound(startMs, 100), farSide: sound(startMs, 100, -1) });

  it('lets go of what is on disk alone, and of everything where nothing is recorded', async () => {
    const recorder = stage();
    const stream = streamOf(recorder);
    for (let number = 0; number < 10; number += 1) take(stream, number);
    expect(stream.position()).toMatchObject({ next: 10, ms: 1_000 });
    recorder.record(1_000);
    for (let number = 10; number < 70; number += 1) take(stream, number);
    expect(stream.position()).toMatchObject({ next: 10, ms: 1_000 });
    await turn();
    expect(stream.position()).toMatchObject({ next: 60, ms: 6_000 });
    stream.pause(6_500);
    await stream.finish(1_000, true);
    expect(stream.position()).toMatchObject({ next: 70 });
    expect(onDisk()).toEqual([[1_000, 6_500]]);
  });

  it('asks for what the recording lacks, and takes no more of it than the call had', async () => {
    disk = () => Promise.reject(new Error('full'));
    const recorder = stage();
    const stream = streamOf(recorder);
    recorder.record(0);
    for (let number = 0; number < 500; number += 1) {
      take(stream, number);
      if (number % 50 === 49) await lasted(5_000);
    }
    disk = null;
    await lasted(2_000);
    recorder.look();
    await turn();
    expect(missing).toBe(1);
    expect(stream.attach()).toBe(200);
    recorder.record(0);
    // A page that makes up times does not fill the disk.
    expect(take(stream, 0, 3_600_000)).toBe('repeated');
    for (let number = 200; number < 510; number += 1) take(stream, number);
    await stream.finish(1_000, true);
    expect(onDisk()).toEqual([[1, 51_000]]);
  });
});
