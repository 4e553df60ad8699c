/** RFC 4028, with the clock in hand. */
import { beforeEach, describe, expect, it } from 'vitest';
import { intervalTooShort, SessionTimer } from '../../../packages/phone-engine/src/sip/session-timer.ts';
import { FakeClock } from '../../../packages/phone-engine/src/testing/fake-clock.ts';
import { message } from './messages.ts';

let clock: FakeClock;
let told: string[];
let connected: boolean;
const timer = (wantedSeconds: number) =>
  new SessionTimer({
    clock,
    wantedSeconds,
    connected: () => connected,
    refresh: () => told.push('refresh'),
    expired: (seconds) => told.push(`expired ${seconds}`),
  });
beforeEach(() => {
  clock = new FakeClock();
  told = [];
  connected = true;
});
const expires = (value: string) => message(['Session-Expires', value]);
const knowing = (value: string, more: readonly [string, string] = ['X', '']) =>
  message(['Session-Expires', value], ['Supported', 'replaces, timer'], more);

describe('a call we placed', () => {
  it('asks for what the profile wants, and for nothing where it wants nothing', () => {
    expect(timer(0).requestHeaders()).toEqual([]);
    expect(timer(60).requestHeaders()).toEqual(['Session-Expires: 90', 'Min-SE: 90']);
    expect(timer(1_800).requestHeaders()).toEqual(['Session-Expires: 1800', 'Min-SE: 90']);
  });

  it('asks once more with what is wanted at least, but not for ever', () => {
    const it = timer(1_800);
    expect(it.tooShort(message(['Min-SE', '3600']))).toBe(true);
    expect(it.requestHeaders()).toEqual(['Session-Expires: 3600', 'Min-SE: 3600']);
    expect(it.tooShort(message(['Min-SE', '3600']))).toBe(false);
    expect(it.tooShort(message(['Min-SE', '999999999']))).toBe(false);
    expect(it.tooShort(message())).toBe(false);
  });

  it('is refreshed at half time by us, again and again until that is answered, and over when it never is', () => {
    const it = timer(0);
    it.agreed(expires('1800;refresher=uac'));
    clock.advance(899_000);
    expect(told).toEqual([]);
    clock.advance(1_000);
    expect(told).toEqual(['refresh']);
    it.agreed(expires('1800;refresher=uac'));
    clock.advance(900_000);
    expect(told).toEqual(['refresh', 'refresh']);
    clock.advance(1_200_000);
    expect(told.at(-1)).toBe('expired 1800');
    expect(clock.pending).toBe(0);
  });

  it('is over shortly before the end where the far side should have refreshed it', () => {
    const it = timer(0);
    it.agreed(expires('1800;refresher=uas'));
    clock.advance(1_767_000);
    expect(told).toEqual([]);
    clock.advance(1_000);
    expect(told).toEqual(['expired 1800']);
  });

  it('is refreshed by us where the far side knows no timer and the profile wants one', () => {
    const it = timer(1_800);
    it.agreed(message());
    clock.advance(900_000);
    expect(told).toEqual(['refresh']);
    const without = timer(0);
    without.agreed(message());
    told = [];
    clock.advance(10_000_000);
    expect(told.filter((what) => what === 'expired 1800').length).toBeLessThanOrEqual(1);
    expect(without.requestHeaders()).toEqual([]);
  });
});

describe('a call to us', () => {
  it('that wants signs of life too often is refused, where the caller understands why', () => {
    expect(intervalTooShort(knowing('60'))).toEqual(['Min-SE: 90']);
    expect(intervalTooShort(expires('60'))).toBeNull();
    expect(intervalTooShort(knowing('90'))).toBeNull();
    expect(intervalTooShort(message())).toBeNull();
  });

  it.each([
    ['the caller asks', 0, knowing('1800'), ['Session-Expires: 1800;refresher=uac', 'Require: timer']],
    ['the caller wants us to', 0, knowing('1800;refresher=uas'), ['Session-Expires: 1800;refresher=uas']],
    ['the caller does not know timers', 0, expires('1800'), ['Session-Expires: 1800;refresher=uas']],
    ['we want it sooner', 600, knowing('1800'), ['Session-Expires: 600;refresher=uac', 'Require: timer']],
    [
      'we want it sooner than anybody on the way',
      600,
      knowing('1800', ['Min-SE', '900']),
      ['Session-Expires: 900;refresher=uac', 'Require: timer'],
    ],
    ['only we want it', 600, message(), ['Session-Expires: 600;refresher=uas']],
    ['nobody wants it', 0, message(), []],
  ] as const)('agrees where %s', (_what, wanted, request, headers) => {
    expect(timer(wanted).answer(request)).toEqual({ refusal: false, headers });
  });

  it('lives as long as the caller gives signs of life', () => {
    const it = timer(0);
    it.answer(knowing('90'));
    for (let again = 0; again < 5; again += 1) {
      clock.advance(45_000);
      it.answer(knowing('90;refresher=uac'));
    }
    clock.advance(59_000);
    expect(told).toEqual([]);
    clock.advance(1_000);
    expect(told).toEqual(['expired 90']);
  });
});

it('asks before it judges when nothing could be heard: the line was down', () => {
  const it = timer(0);
  it.agreed(expires('1800;refresher=uas'));
  connected = false;
  clock.advance(1_800_000);
  expect(told).toEqual([]);
  connected = true;
  clock.advance(300_000);
  expect(told[0]).toBe('refresh');
  it.agreed(expires('1800;refresher=uas'));
  clock.advance(1_700_000);
  expect(told.filter((what) => what.startsWith('expired'))).toEqual([]);
});

it('keeps nothing running after the end', () => {
  const it = timer(1_800);
  it.agreed(expires('1800;refresher=uac'));
  it.stop();
  expect(clock.pending).toBe(0);
  it.agreed(expires('1800;refresher=uac'));
  expect(clock.pending).toBe(0);
});
