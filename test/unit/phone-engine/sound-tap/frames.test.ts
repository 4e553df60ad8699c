/** Frames on their way from the audio thread: two channels side by side, silence told from sound, and the call's clock under all of it. */
import { soundFrameMs, soundRate } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import { FrameClock } from '../../../../packages/phone-engine/src/sound-tap/frame-clock.ts';
import { FrameMaker } from '../../../../packages/phone-engine/src/sound-tap/frame-maker.ts';
import { SilenceGate } from '../../../../packages/phone-engine/src/sound-tap/silence-gate.ts';
import { type TapFrame, tapFrame, tapSamples } from '../../../../packages/phone-engine/src/sound-tap/tap-frame.ts';

const quantum = 128;

it('has frames of the length that the wire says', () => {
  expect(tapSamples).toBe((soundRate * soundFrameMs) / 1_000);
});

describe('what the audio thread makes', () => {
  function make(rate: number, seconds: number, frames: number) {
    const done: TapFrame[] = [];
    const maker = new FrameMaker(rate, (frame) => done.push(frame));
    for (let n = 0; n < frames; n += 1) maker.give(tapFrame());
    const agent = new Float32Array(quantum);
    for (let at = 0; at < rate * seconds; at += quantum) {
      for (let n = 0; n < quantum; n += 1) agent[n] = 0.5 * Math.sin((2 * Math.PI * 440 * (at + n)) / rate);
      maker.take(agent, null, quantum, at / rate);
    }
    return done;
  }

  it.each([48_000, 44_100])('keeps the sides apart, and says when and how loud, from %i Hz', (rate) => {
    const done = make(rate, 1, 20);
    expect(done.length).toBeGreaterThanOrEqual(9);
    for (const [index, { time, levels, agent, farSide }] of done.entries()) {
      expect(Math.abs((time[0] ?? 0) - index / 10)).toBeLessThan(0.005);
      if (index > 0) expect(levels[0]).toBeCloseTo(0.125, 2);
      expect(levels[1]).toBe(0);
      expect(farSide.every((sample) => sample === 0)).toBe(true);
      expect(Math.max(...agent)).toBeGreaterThan(16_000);
    }
  });

  it('loses the sound of a page that gives nothing back, and nothing of the time', () => {
    const done = make(48_000, 1, 3);
    expect(done.map(({ time }) => time[0]?.toFixed(1))).toEqual(['0.0', '0.1', '0.2']);
  });

  it('is cut at full scale, not turned over', () => {
    const done: TapFrame[] = [];
    const maker = new FrameMaker(soundRate, (frame) => done.push(frame));
    for (let n = 0; n < 3; n += 1) maker.give(tapFrame());
    const loud = new Float32Array(quantum).fill(3);
    for (let n = 0; n < 30; n += 1) maker.take(null, loud, quantum, 0);
    expect(done[1]?.farSide.every((sample) => sample === 32_767)).toBe(true);
  });
});

describe('silence', () => {
  const loud = 1e-3;
  const quiet = 1e-9;
  const opened = (...levels: readonly number[]) => {
    const gate = new SilenceGate();
    return levels.map((level) => gate.hear(level));
  };

  it('is kept for a while after a word, and the moment before one', () => {
    const heard = opened(quiet, loud, quiet, quiet, quiet, quiet, quiet, quiet, quiet, quiet, loud);
    expect(heard.map(({ open }) => (open ? 1 : 0)).join('')).toBe('01111111001');
    expect(heard.map(({ begins }) => (begins ? 1 : 0)).join('')).toBe('01000000001');
  });

  it('is not the pause between two syllables', () => {
    expect(opened(loud, quiet, quiet, loud, quiet).every(({ open }) => open)).toBe(true);
    expect(opened(loud, quiet, quiet, loud).filter(({ begins }) => begins)).toHaveLength(1);
  });

  it('is told by the level of speech: -55 dB is heard, -65 dB is not', () => {
    expect(opened(10 ** -5.5)[0]?.open).toBe(true);
    expect(opened(10 ** -6.5)[0]?.open).toBe(false);
  });
});

describe('the clock of a call', () => {
  /** Frames of an audio device whose clock is `fast` parts of a million ahead, told `lateMs` after each. */
  function run(frames: number, fast: number, silent: (index: number) => boolean, beginMs = 1_000) {
    const clock = new FrameClock();
    return Array.from({ length: frames }, (_, index) => {
      const heardMs = index * 100;
      const realMs = beginMs + heardMs / (1 + fast / 1e6);
      const late = [9, 0, 4, 20, 2][index % 5] ?? 0;
      const audioMs = heardMs + 100;
      const callMs = beginMs + audioMs / (1 + fast / 1e6) + late;
      return { ...clock.place(heardMs, audioMs, callMs, silent(index)), realMs };
    });
  }

  it('is met within 50 ms from the first frame to the last of an hour, however the device counts', () => {
    for (const fast of [-120, 0, 120]) {
      const placed = run(36_000, fast, (index) => index % 40 > 30);
      const worst = Math.max(...placed.map(({ startMs, realMs }) => Math.abs(startMs - realMs)));
      expect(worst, `${fast} ppm`).toBeLessThan(50);
    }
  });

  it('cuts nothing that is heard: only silence is longer or shorter', () => {
    const placed = run(36_000, 120, (index) => index % 40 > 30);
    expect(placed.every(({ samples }, index) => samples === tapSamples || index % 40 > 30)).toBe(true);
    expect(placed.some(({ samples }) => samples !== tapSamples)).toBe(true);
    for (const [index, { startMs, samples }] of placed.slice(0, -1).entries())
      expect(Math.abs((placed[index + 1]?.startMs ?? 0) - (startMs + samples / 16))).toBeLessThanOrEqual(1);
  });

  it('counts every frame, and goes on beyond any earlier number after a gap', () => {
    const clock = new FrameClock();
    const first = clock.place(0, 100, 5_130, false);
    expect(first).toEqual({ number: 50, startMs: 5_030, samples: 1_600 });
    expect(clock.place(100, 200, 5_230, false).number).toBe(51);
    // The audio stood still for three seconds.
    clock.forget();
    expect(clock.place(200, 300, 8_330, false)).toEqual({ number: 82, startMs: 8_230, samples: 1_600 });
    // A page loaded anew knows nothing but the time.
    expect(new FrameClock().place(0, 100, 9_999, false).number).toBe(98);
  });
});
