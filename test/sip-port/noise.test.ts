/**
 * Noise suppression on the device, with real sound in Chromium: what it takes away and what it leaves, that nobody hears it come and go, and that the
 * call has its sound whatever it can't do.
 */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type NoiseWorld, noiseIn, serveNoisePage } from './noise-in-browser.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer } from './phone-in-browser.ts';
import { type FarCall, ScriptedPbx } from './scripted-pbx.ts';

const patience = { timeout: 20_000, interval: 100 };
/** Of the far side, samples a second. */
const farRate = 8_000;

let browser: TestBrowser;
let server: PhonePageServer;
let pbx: ScriptedPbx;
let phone: PhoneInBrowser;
let noise: ReturnType<typeof noiseIn>;

beforeAll(async () => {
  [browser, server, pbx] = await Promise.all([startBrowser(), serveNoisePage(), ScriptedPbx.start()]);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  await pbx?.close();
});
afterEach(async () => {
  const errors = await phone.errors();
  await phone.page.evaluate(() => localStorage.clear());
  await phone.stop();
  await phone.page.close();
  expect(errors).toEqual([]);
});

async function open(world: NoiseWorld): Promise<void> {
  const { url } = server;
  phone = await PhoneInBrowser.open(await browser.newPage(), { ...server, url: `${url}${world}/` });
  noise = noiseIn(phone.page);
}

/** A call that is up. */
async function talking(): Promise<FarCall> {
  await phone.start(accountFor(pbx, '1001'), { username: 'u', password: 'p', expiresAt: 0 });
  await phone.next('sip.registered');
  const { call } = await phone.dial('2001');
  const theirs = await pbx.far[0].answers();
  await phone.next('sip.answered', call);
  await expect.poll(() => theirs.heard(500).length, patience).toBe(farRate / 2);
  return theirs;
}

/** dB of full scale over the last ms. */
function level(theirs: FarCall, ms: number): number {
  const samples = theirs.heard(ms);
  let sum = 0;
  for (const sample of samples) sum += (sample / 32_768) ** 2;
  return 10 * Math.log10(sum / samples.length + 1e-12);
}

/** The longest silence in it, ms. */
function longestSilence(samples: Int16Array): number {
  let longest = 0;
  let length = 0;
  for (const sample of samples) {
    length = Math.abs(sample) < 24 ? length + 1 : 0;
    longest = Math.max(longest, length);
  }
  return (longest * 1_000) / farRate;
}

it('takes the noise away and leaves the voice, 20.7 ms late', async () => {
  await open('works');
  const { noise: heard, voice, delay } = await noise.measure();
  expect(heard.before - heard.after).toBeGreaterThan(20);
  expect(Math.abs(voice.after - voice.before)).toBeLessThan(1);
  expect(delay).toBe(992);
});

it('comes and goes in a call, and nobody hears a gap', async () => {
  await open('works');
  await noise.speak(false, true);
  const theirs = await talking();
  await expect.poll(() => level(theirs, 500), patience).toBeGreaterThan(-50);
  const before = level(theirs, 1_000);
  await noise.choose({ noise: 'rnnoise' });
  await expect.poll(() => before - level(theirs, 1_000), patience).toBeGreaterThan(15);
  await noise.choose({ noise: 'browser' });
  await expect.poll(() => Math.abs(before - level(theirs, 1_000)), patience).toBeLessThan(2);
  expect((await noise.state()).asked).toEqual([true, false, true]);

  await noise.speak(true, true);
  await expect.poll(() => level(theirs, 1_000) - before, patience).toBeGreaterThan(6);
  // Five seconds without a change have what gaps this machine makes at all.
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const usual = longestSilence(theirs.heard(4_500));
  for (const choice of ['rnnoise', 'browser', 'rnnoise'] as const) {
    const { asked } = await noise.state();
    await noise.choose({ noise: choice });
    await expect.poll(async () => (await noise.state()).asked.length, patience).toBe(asked.length + 1);
    await expect.poll(async () => (await noise.state()).open, patience).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const gap = longestSilence(theirs.heard(4_500));
    expect(gap, choice).toBeLessThanOrEqual(Math.max(usual, 40));
  }
  expect((await noise.state()).notices).toEqual([]);
});

/** The voice comes through, and then nothing of the noise: before a microphone gives anything there is silence too. */
async function takesNoiseAlone(theirs: FarCall): Promise<void> {
  await noise.speak(true, true);
  await expect.poll(() => level(theirs, 500), patience).toBeGreaterThan(-40);
  await noise.speak(false, true);
  await expect.poll(() => level(theirs, 500), patience).toBeLessThan(-55);
}

it('stays over a reload and another microphone', async () => {
  await open('works');
  await noise.choose({ noise: 'rnnoise' });
  await phone.page.reload();
  const theirs = await talking();
  await takesNoiseAlone(theirs);
  expect((await noise.state()).asked.at(-1)).toBe(false);
  const { asked } = await noise.state();
  await phone.page.evaluate(() =>
    (
      window as unknown as { phonePage: { sound: { choose(kind: string, id: string): Promise<void> } } }
    ).phonePage.sound.choose('microphone', 'another'),
  );
  await expect
    .poll(async () => {
      const now = await noise.state();
      return [now.asked.length, now.asked.at(-1), now.open];
    }, patience)
    .toEqual([asked.length + 1, false, 1]);
  await takesNoiseAlone(theirs);
  expect((await noise.state()).notices).toEqual([]);
});

it('is the browser’s own, with a word why, where the page’s policy forbids RNNoise', async () => {
  await open('forbidden');
  await noise.speak(true, true);
  const theirs = await talking();
  await expect.poll(() => level(theirs, 500), patience).toBeGreaterThan(-40);
  await noise.choose({ noise: 'rnnoise' });
  await expect.poll(async () => (await noise.state()).trouble, patience).toBe('forbidden');
  const { notices, asked } = await noise.state();
  expect(notices).toEqual([expect.stringContaining('the browser’s own is used')]);
  expect(asked).toEqual([true]);
  expect(level(theirs, 1_000)).toBeGreaterThan(-40);
});

it('is turned off, once and with a word, where the audio thread can’t keep up', async () => {
  await open('slow');
  await noise.speak(true, true);
  const theirs = await talking();
  await noise.choose({ noise: 'rnnoise' });
  await expect.poll(async () => (await noise.state()).trouble, { ...patience, timeout: 60_000 }).toBe('overload');
  await expect.poll(async () => (await noise.state()).asked, patience).toEqual([true, false, true]);
  await expect.poll(async () => (await noise.state()).open, patience).toBe(1);
  await expect.poll(() => level(theirs, 1_000), patience).toBeGreaterThan(-40);
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const { notices, asked, choice } = await noise.state();
  expect(notices).toEqual([expect.stringContaining('can’t keep up')]);
  expect(asked).toEqual([true, false, true]);
  expect(choice.noise).toBe('browser');
});

it('stays where the machine has something else to do for five seconds', async () => {
  await open('busy');
  await noise.speak(true, true);
  const theirs = await talking();
  const before = level(theirs, 1_000);
  await noise.choose({ noise: 'rnnoise' });
  await expect.poll(async () => (await noise.state()).asked.length, patience).toBe(2);
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  expect(await noise.state()).toMatchObject({ asked: [true, false], trouble: null, notices: [], open: 1 });
  await noise.speak(false, true);
  await expect.poll(() => before - level(theirs, 1_000), patience).toBeGreaterThan(15);
});

it('is never heard where it gives no sound', async () => {
  await open('silent');
  await noise.speak(true, true);
  const theirs = await talking();
  await expect.poll(() => level(theirs, 500), patience).toBeGreaterThan(-40);
  // The beginning of the call has a gap of its own.
  const from = Date.now();
  await noise.choose({ noise: 'rnnoise' });
  await expect.poll(async () => (await noise.state()).trouble, patience).toBe('silent');
  await expect.poll(async () => (await noise.state()).open, patience).toBe(1);
  expect(longestSilence(theirs.heard(Date.now() - from))).toBeLessThan(200);
  expect((await noise.state()).asked).toEqual([true, false, true]);
  expect((await noise.state()).notices).toHaveLength(1);
});
