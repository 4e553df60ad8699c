/**
 * Listening along, with real sound in Chromium: what is sent and what is heard reach the relay each on its own channel and at its own time, whatever
 * becomes of the relay, and the far side notices nothing of it.
 */
import type { CallId, SoundFrame } from '@patchcord/call-protocol';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { goertzel } from '../sip-lab/tone.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer } from './phone-in-browser.ts';
import { type FarCall, ScriptedPbx } from './scripted-pbx.ts';
import { SoundRelay } from './sound-relay.ts';
import { serveTapPage, tapIn } from './tap-in-browser.ts';

/** Of the agent; no whole number of turns fits a packet of 20 ms, so that one that is missing shows. */
const agentHz = 1_017;
const farHz = 600;
const otherHz = 850;
const rate = 16_000;
const lookMs = 400;
const patience = { timeout: 10_000, interval: 50 };

let browser: TestBrowser;
let server: PhonePageServer;
let pbx: ScriptedPbx;
let relay: SoundRelay;
let phone: PhoneInBrowser;
let tap: ReturnType<typeof tapIn>;

beforeAll(async () => {
  [browser, server, pbx] = await Promise.all([startBrowser(), serveTapPage(), ScriptedPbx.start()]);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  await pbx?.close();
});
beforeEach(async () => {
  relay = await SoundRelay.start();
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  tap = tapIn(phone.page);
  await tap.bringMicrophone(agentHz);
  await phone.start(accountFor(pbx, '1001'), { username: 'u', password: 'p', expiresAt: 0 });
  await phone.next('sip.registered');
});
afterEach(async () => {
  const errors = await phone.errors();
  await tap.stop();
  await phone.stop();
  await phone.page.close();
  await relay.goAway();
  expect(errors).toEqual([]);
});

/** A call that is up, with the agent speaking and the tap on. @param before what is looked at while it is off */
async function talking(
  before: (theirs: FarCall) => Promise<void> = async () => {},
): Promise<{ readonly call: CallId; readonly theirs: FarCall; readonly answeredAt: number }> {
  const { call } = await phone.dial('2001');
  const theirs = await pbx.far[0].answers();
  const answeredAt = Math.round((await phone.next('sip.answered', call)).at);
  await tap.speak(true);
  await before(theirs);
  await tap.begin(relay.url);
  await tap.calls([{ id: call, phase: 'active', hold: 'off', answeredAt }]);
  return { call, theirs, answeredAt };
}

/** So many frames from here on. */
async function next(call: string, count: number): Promise<readonly SoundFrame[]> {
  const from = relay.of(call).length;
  await expect.poll(() => relay.of(call).length, patience).toBeGreaterThanOrEqual(from + count);
  return relay.of(call).slice(from, from + count);
}

function channel(frames: readonly SoundFrame[], side: 'agent' | 'farSide'): Float32Array {
  return Float32Array.from(
    frames.flatMap((frame) => [...(frame[side] ?? new Int16Array(frame.samples))]),
    (sample) => sample / 32_768,
  );
}
const amplitude = (frames: readonly SoundFrame[], side: 'agent' | 'farSide', hz: number) =>
  goertzel(channel(frames, side), rate, hz);
const decibels = (one: number, other: number) => 20 * Math.log10((one + 1e-9) / (other + 1e-9));

/** Where a sine does not go on from two samples to the third: a packet that was lost, doubled or broken. */
function breaks(samples: Int16Array): number {
  const turn = 2 * Math.cos((2 * Math.PI * agentHz) / 8_000);
  const loudest = Math.max(...samples);
  let count = loudest < 1_000 ? samples.length : 0;
  for (let n = 2; n < samples.length; n += 1) {
    const foreseen = turn * (samples[n - 1] ?? 0) - (samples[n - 2] ?? 0);
    if (Math.abs((samples[n] ?? 0) - foreseen) > loudest / 2) count += 1;
  }
  return count;
}

it('hears each side on its own channel, every 100 ms, and the far side hears the agent without a break', async () => {
  let fewest = Number.POSITIVE_INFINITY;
  const { call, theirs } = await talking(async (far) => {
    await expect.poll(() => Math.max(...far.heard(100)), patience).toBeGreaterThan(1_000);
    for (let look = 0; look < 8; look += 1) {
      await new Promise((resolve) => setTimeout(resolve, lookMs));
      fewest = Math.min(fewest, breaks(far.heard(lookMs)));
    }
  });
  await expect.poll(() => amplitude(relay.of(call).slice(-5), 'farSide', farHz), patience).toBeGreaterThan(0.05);
  const frames = await next(call, 15);
  expect(amplitude(frames, 'agent', agentHz)).toBeGreaterThan(0.05);
  expect(decibels(amplitude(frames, 'agent', farHz), amplitude(frames, 'farSide', farHz))).toBeLessThan(-40);
  expect(decibels(amplitude(frames, 'farSide', agentHz), amplitude(frames, 'agent', agentHz))).toBeLessThan(-40);
  for (const [index, { number, startMs, samples }] of frames.slice(1).entries()) {
    const before = frames[index];
    expect(number - (before?.number ?? 0)).toBe(1);
    expect(Math.abs(startMs - (before?.startMs ?? 0) - (before?.samples ?? 0) / 16)).toBeLessThanOrEqual(1);
    expect(samples).toBe(1_600);
  }
  // Four frames long no more breaks than without the tap: none, unless the machine is busy. A tap that broke the tone would break it in each.
  const fine = { timeout: 30_000, interval: 100 };
  await expect.poll(() => breaks(theirs.heard(lookMs)), fine).toBeLessThanOrEqual(fewest);
  expect(relay.repeated).toBe(0);
});

it('hears nothing of an agent who is muted, or has the call on hold', async () => {
  const { call } = await talking();
  await expect.poll(() => amplitude(relay.of(call).slice(-5), 'agent', agentHz), patience).toBeGreaterThan(0.05);
  const silent = async () => {
    await next(call, 8);
    const frames = await next(call, 10);
    expect(frames.every(({ agent }) => agent === null)).toBe(true);
    return frames;
  };
  await phone.command('mute', call, true);
  const muted = await silent();
  expect(amplitude(muted, 'farSide', farHz)).toBeGreaterThan(0.05);
  await phone.command('mute', call, false);
  await expect.poll(() => amplitude(relay.of(call).slice(-5), 'agent', agentHz), patience).toBeGreaterThan(0.05);
  await phone.command('hold', call, true);
  await phone.next('sip.held', call);
  await silent();
  await phone.command('hold', call, false);
  await expect.poll(() => amplitude(relay.of(call).slice(-5), 'agent', agentHz), patience).toBeGreaterThan(0.05);
});

it('hears what a member of a conference gets: the agent and the other member', async () => {
  const { call } = await talking();
  const { call: second } = await phone.dial('2002');
  await pbx.far[1].answers();
  await phone.next('sip.answered', second);
  await phone.command('mix', [
    { call, silenced: false },
    { call: second, silenced: false },
  ]);
  await expect.poll(() => amplitude(relay.of(call).slice(-8), 'agent', otherHz), patience).toBeGreaterThan(0.05);
  const frames = await next(call, 8);
  expect(amplitude(frames, 'agent', agentHz)).toBeGreaterThan(0.05);
  expect(amplitude(frames, 'farSide', farHz)).toBeGreaterThan(0.05);
  expect(decibels(amplitude(frames, 'agent', farHz), amplitude(frames, 'farSide', farHz))).toBeLessThan(-40);
  await phone.command('mix', []);
  await expect.poll(() => amplitude(relay.of(call).slice(-8), 'agent', otherHz), patience).toBeLessThan(0.001);
});

it('puts a word where it was said, to 50 ms', async () => {
  const { call, answeredAt } = await talking();
  await tap.speak(false);
  for (let word = 0; word < 3; word += 1) {
    const quiet = await next(call, 12);
    expect(quiet.at(-1)?.agent).toBeNull();
    const from = relay.of(call).length;
    const saidAt = await tap.speak(true);
    await next(call, 6);
    await tap.speak(false);
    const heard = relay
      .of(call)
      .slice(from)
      .find(({ agent }) => agent?.some((sample) => Math.abs(sample) > 500));
    const first = heard?.agent?.findIndex((sample) => Math.abs(sample) > 500) ?? 0;
    const offMs = (heard?.startMs ?? 0) + first / 16 - (saidAt - answeredAt);
    expect(Math.abs(offMs), `word ${word}`).toBeLessThan(50);
  }
});

it('loses nothing of a relay that was killed and comes back, and says the end', async () => {
  const { call, answeredAt } = await talking();
  await next(call, 10);
  await relay.goAway();
  const had = relay.of(call).length;
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect(relay.of(call)).toHaveLength(had);
  await relay.comeBack();
  const frames = [...relay.of(call).slice(-1), ...(await next(call, 45))];
  expect(frames.map(({ number }) => number - (frames[0]?.number ?? 0))).toEqual(frames.map((_, index) => index));
  // Every one of the agent's samples is there: the tone goes on over the gap.
  expect(amplitude(frames.slice(0, 40), 'agent', agentHz)).toBeGreaterThan(0.08);
  expect(relay.repeated).toBe(0);
  await tap.calls([{ id: call, phase: 'ended', hold: 'off', answeredAt }]);
  await expect.poll(() => relay.said.at(-1), patience).toEqual({ type: 'end' });
});

it('lets nothing out while it is paused', async () => {
  const { call, answeredAt } = await talking();
  await next(call, 10);
  await tap.calls([{ id: call, phase: 'active', hold: 'off', answeredAt, soundPaused: true }]);
  await expect.poll(() => relay.said.at(-1)?.type, patience).toBe('pause');
  const pause = relay.said.at(-1) as { readonly atMs: number };
  const had = relay.of(call).length;
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(relay.of(call)).toHaveLength(had);
  const last = relay.of(call).at(-1);
  expect((last?.startMs ?? 0) + 100).toBeLessThanOrEqual(pause.atMs);
  await tap.calls([{ id: call, phase: 'active', hold: 'off', answeredAt, soundPaused: false }]);
  const [first] = await next(call, 1);
  expect((first?.startMs ?? 0) - pause.atMs).toBeGreaterThan(1_000);
});
