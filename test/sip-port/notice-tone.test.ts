/** The tone that tells of a recording, with real sound in Chromium: what it is, how often, and that nobody is heard the less for it. */
import type { CallId, SoundFrame } from '@patchcord/call-protocol';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { goertzel } from '../sip-lab/tone.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer } from './phone-in-browser.ts';
import { type FarCall, ScriptedPbx } from './scripted-pbx.ts';
import { SoundRelay } from './sound-relay.ts';
import { serveTapPage, tapIn } from './tap-in-browser.ts';

const toneHz = 1_400;
const agentHz = 1_017;
const rate = 16_000;
/** A stretch in which the tone is looked for. */
const lookMs = 10;
const samplesOfLook = (rate * lookMs) / 1_000;
const patience = { timeout: 20_000, interval: 40 };

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

async function talking(): Promise<{ readonly call: CallId; readonly theirs: FarCall }> {
  const { call } = await phone.dial('2001');
  const theirs = await pbx.far[0].answers();
  const answeredAt = Math.round((await phone.next('sip.answered', call)).at);
  await tap.begin(relay.url);
  await tap.calls([{ id: call, phase: 'active', hold: 'off', answeredAt }]);
  return { call, theirs };
}

/** What the phone sent, as whoever records it has it: every look in which the tone sounds, ms of the call, and how loud. */
function tones(frames: readonly SoundFrame[]): readonly { readonly atMs: number; readonly level: number }[] {
  return frames.flatMap(({ startMs, agent }) => {
    const samples = Float32Array.from(agent ?? [], (sample) => sample / 32_768);
    return Array.from({ length: Math.floor(samples.length / samplesOfLook) }, (_, n) => ({
      atMs: startMs + n * lookMs,
      level: goertzel(samples.subarray(n * samplesOfLook, (n + 1) * samplesOfLook), rate, toneHz),
    })).filter(({ level }) => level > 0.03);
  });
}

const heard = (theirs: FarCall, hz: number, ms = 120): number =>
  goertzel(
    Float32Array.from(theirs.heard(ms), (sample) => sample / 32_768),
    8_000,
    hz,
  );

/** What it sounds like once it stands: a look that begins with the sound is half silence. */
async function settled(level: () => number): Promise<number> {
  let before = Number.NaN;
  let now = level();
  const stands = () => now > 0.03 && Math.abs(now - before) < now / 100;
  await expect
    .poll(() => {
      before = now;
      now = level();
      return stands();
    }, patience)
    .toBe(true);
  return now;
}

it('is 1400 Hz at -20 dBFS for a quarter of a second, every 15 seconds', async () => {
  const rendered = Float32Array.from(await tap.renderNotice(17));
  const sounding = [...rendered.keys()].filter((n) => Math.abs(rendered[n] ?? 0) > 0.005);
  const [begins = 0] = sounding;
  const next = sounding.find((n) => n > begins + 8_000) ?? 0;
  const ends = sounding.filter((n) => n < next).at(-1) ?? 0;
  expect(Math.abs((ends - begins) / 8 - 250)).toBeLessThan(2);
  expect(Math.abs((next - begins) / 8 - 15_000)).toBeLessThan(1);
  const middle = rendered.subarray(begins + 160, begins + 1_840);
  expect(Math.abs(20 * Math.log10(goertzel(middle, 8_000, toneHz)) + 20)).toBeLessThan(0.2);
});

it('sounds like that to both sides', async () => {
  const { call, theirs } = await talking();
  await tap.notice([call]);
  let loudest = 0;
  let spoken = 0;
  await expect
    .poll(async () => {
      loudest = Math.max(loudest, heard(theirs, toneHz));
      spoken = Math.max(spoken, await tap.spoken(toneHz));
      return Math.min(loudest, spoken);
    }, patience)
    .toBeGreaterThan(0.06);
  await expect.poll(() => tones(relay.of(call)).length, patience).toBeGreaterThan(20);
  await expect
    .poll(() => (relay.of(call).at(-1)?.startMs ?? 0) - (tones(relay.of(call))[0]?.atMs ?? 0), patience)
    .toBeGreaterThan(15_600);
  const found = tones(relay.of(call));
  const isFirst = ({ atMs }: { readonly atMs: number }) => atMs < (found[0]?.atMs ?? 0) + 1_000;
  const both = [found.filter(isFirst), found.filter((look) => !isFirst(look))];
  expect(both.map((looks) => looks.length > 0)).toEqual([true, true]);
  // A starved audio thread takes pieces out of a tone, and never adds one: the better of the two tells how long it sounds.
  const spans = both.map((looks) => (looks.at(-1)?.atMs ?? 0) - (looks[0]?.atMs ?? 0) + lookMs);
  expect(Math.max(...spans)).toBeGreaterThanOrEqual(220);
  expect(Math.max(...spans)).toBeLessThanOrEqual(270);
  expect(Math.max(...both.map((looks) => looks.length * lookMs))).toBeGreaterThanOrEqual(200);
  const [middle = 0] = both.map(
    (looks) => [...looks].sort((one, other) => one.level - other.level)[looks.length >> 1]?.level ?? 0,
  );
  expect(Math.abs(20 * Math.log10(middle) + 20)).toBeLessThan(1);
  const [first = 0, second = 0] = both.map((looks) => looks[0]?.atMs);
  expect(Math.abs(second - first - 15_000)).toBeLessThan(60);
}, 90_000);

it('lets the far side hear the agent as before, and ends with the recording', async () => {
  const { call, theirs } = await talking();
  await tap.speak(true);
  const alone = await settled(() => heard(theirs, agentHz));
  await tap.notice([call]);
  await expect.poll(() => heard(theirs, toneHz), patience).toBeGreaterThan(0.03);
  await expect.poll(() => heard(theirs, toneHz), patience).toBeLessThan(0.01);
  await expect.poll(() => Math.abs(20 * Math.log10(heard(theirs, agentHz) / alone)), patience).toBeLessThan(2);
  // Muted is muted: only the tone may still be heard.
  await phone.command('mute', call, true);
  await expect.poll(() => heard(theirs, agentHz), patience).toBeLessThan(0.003);
  await phone.command('mute', call, false);
  await tap.notice([]);
  await expect.poll(() => Math.abs(20 * Math.log10(heard(theirs, agentHz) / alone)), patience).toBeLessThan(2);
  // It begins with a tone, so that none is missed.
  await tap.notice([call]);
  await expect.poll(() => heard(theirs, toneHz), patience).toBeGreaterThan(0.03);
}, 90_000);
