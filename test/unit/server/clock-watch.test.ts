import { describe, expect, it } from 'vitest';
import { ClockWatch } from '../../../server/src/keeping/clock-watch.ts';

const hourMs = 3_600_000;

function clocks(): { watch: ClockWatch; pass(ms: number): void; jump(ms: number): void; wall(): number } {
  let steady = 500;
  let wall = 1_790_000_000_000;
  return {
    watch: new ClockWatch(
      () => wall,
      () => steady,
    ),
    pass: (ms) => {
      steady += ms;
      wall += ms;
    },
    jump: (ms) => {
      wall += ms;
    },
    wall: () => wall,
  };
}

describe('the watch over the clock', () => {
  it('says how far the clock was set back, once', () => {
    const { watch, pass, jump } = clocks();
    pass(10_000);
    expect(watch.look()).toBe(0);
    jump(-hourMs);
    expect(watch.look()).toBe(hourMs);
    pass(10_000);
    expect(watch.look()).toBe(0);
  });

  it('takes a correction by little, and a jump forward, for no setting back', () => {
    const { watch, jump } = clocks();
    jump(-500);
    expect(watch.look()).toBe(0);
    jump(25 * hourMs);
    expect(watch.look()).toBe(0);
    jump(-25 * hourMs);
    expect(watch.look()).toBe(25 * hourMs);
  });

  it('lets time pass for certain only as fast as it passes', () => {
    const { watch, pass, jump, wall } = clocks();
    pass(10_000);
    expect(watch.passed()).toBe(wall());
    const before = wall();
    jump(25 * hourMs);
    pass(5_000);
    expect(watch.passed()).toBe(before + 5_000);
    jump(-25 * hourMs);
    expect(watch.passed()).toBe(wall());
    jump(-hourMs);
    expect(watch.passed()).toBe(wall());
    jump(hourMs);
    pass(1_000);
    expect(watch.passed()).toBe(wall() - hourMs);
  });

  it('does not lose a setting back to somebody who asks what has passed', () => {
    const { watch, jump } = clocks();
    jump(-hourMs);
    watch.passed();
    expect(watch.look()).toBe(hourMs);
  });
});
