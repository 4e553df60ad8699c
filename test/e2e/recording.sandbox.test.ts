/**
 * A call is recorded as its agent wants it, and found again: real sound from both sides through Chromium and the sandbox switch, each a tone of its own,
 * and the file that the agent's link opens. The page may be loaded anew in the middle of it.
 */
import { randomUUID } from 'node:crypto';
import {
  decodeSoundFrame,
  type Listening,
  ListeningSchema,
  type Session,
  type SoundFrame,
} from '@patchcord/call-protocol';
import type { Frame, Page } from 'playwright-core';
import * as v from 'valibot';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStage, type Stage } from '../../scripts/stage.ts';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { goertzel } from '../sip-lab/tone.ts';
import { phoneKey } from '../unit/server/relay-in-test.ts';
import { type CrmPage, hubspotPage } from './crm-pages.ts';
import { startSwitchTelephony } from './switch-telephony.ts';
import { type TestTelephony, until } from './telephony.ts';

const agentHz = 440;
const farHz = 600;
const rate = 16_000;
/** What is looked at together: a whole number of turns of both tones. */
const lookMs = 100;
/** Sound takes its time to begin and to end: the codec's memory, and the phone's frame of 100 ms. */
const edgeMs = 600;
/** Amplitude from which a tone counts as heard, and up to which it counts as absent: a gain control is at work on the microphone. */
const heard = 0.008;
const absent = 0.004;
const patience = 30_000;
const polled = { timeout: patience, interval: 200 };

let telephony: TestTelephony;
let browser: TestBrowser;
beforeAll(async () => {
  telephony = await startSwitchTelephony();
  browser = await startBrowser({ toneHz: agentHz });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await telephony?.close();
});

/** What one page said over its sound sockets. */
interface Told {
  call: string;
  readonly said: { readonly type: string; readonly fromMs?: number; readonly atMs?: number }[];
  readonly frames: SoundFrame[];
  /** Ms of the call of the last frame's end. */
  sentTo: number;
}

/** Ms of the call. */
const endOf = ({ startMs, samples }: SoundFrame): number => startMs + (samples * 1_000) / rate;

function listenTo(page: Page): Told {
  const told: Told = { call: '', said: [], frames: [], sentTo: 0 };
  page.on('websocket', (socket) => {
    if (!socket.url().endsWith('/v1/sound')) return;
    socket.on('framesent', ({ payload }) => {
      if (typeof payload === 'string') {
        const message = JSON.parse(payload) as Told['said'][number] & { readonly call?: string };
        told.call = message.call ?? told.call;
        told.said.push(message);
        return;
      }
      const frame = decodeSoundFrame(new Uint8Array(payload));
      if (frame === null) return;
      told.frames.push(frame);
      told.sentTo = endOf(frame);
    });
  });
  return told;
}

interface Recorded {
  readonly stage: Stage;
  readonly page: Page;
  readonly told: Told;
  panel(): Promise<Frame>;
  press(name: string): Promise<void>;
  shows(words: string | RegExp): Promise<void>;
  /** Loads the page anew; resolves when the call is up again. */
  reload(): Promise<void>;
  finish(): Promise<Heard>;
}

/** Calls Mina Sato from her record, in a customer's page whose calls are recorded in this way. */
async function calling(mode: 'ask' | 'always'): Promise<Recorded> {
  const stage = await openStage({ telephony, hubspotTenant: { recording: { mode } } });
  // The phone in the page itself, so that it is this page that is loaded anew.
  const window = stage.hubspot.calling.settings();
  if (window !== null) stage.hubspot.calling.set({ ...window, usesCallingWindow: false });
  const crm: CrmPage = hubspotPage(stage);
  const page = await browser.newPage();
  const told = listenTo(page);
  await crm.open(page);
  await crm.showRecord(page, 'Mina Sato');
  await crm.clickNumber(page);
  const panel = (): Promise<Frame> =>
    until('the panel of the page', () =>
      page.frames().find((one) => !one.isDetached() && new URL(one.url() || 'about:blank').pathname === '/hubspot/'),
    );
  const bar = async () => (await panel()).getByRole('region', { name: 'Recording of this call' });
  await (await panel()).getByRole('timer', { name: /call/i }).waitFor({ timeout: patience });
  return {
    ...{ stage, page, told, panel },
    press: async (name) => (await bar()).getByRole('button', { name, exact: true }).press('Enter'),
    shows: async (words) => (await bar()).getByText(words, { exact: true }).waitFor({ timeout: patience }),
    async reload() {
      await page.reload();
      await (await panel()).getByRole('timer', { name: /call/i }).waitFor({ timeout: patience });
    },
    async finish() {
      const frame = await panel();
      await frame.getByRole('button', { name: 'Hang up', exact: true }).click();
      await frame.getByRole('button', { name: 'Save and finish', exact: true }).click();
      const found = await playerHears(stage, told.call);
      await page.close();
      await stage.close();
      return found;
    },
  };
}

interface Heard {
  readonly pauses: Extract<Listening, { state: 'ready' }>['pauses'];
  readonly durationMs: number;
  /** How loud this tone is on this channel: looks of 100 ms from one time of the call to another. */
  levels(channel: 0 | 1, hz: number, fromMs: number, toMs: number): readonly number[];
  /** Whether every sample of the frame stands where it belongs, on its channel. */
  holds(frame: SoundFrame): boolean;
  /** The loudest sample of both channels. */
  loudest(fromMs: number, toMs: number): number;
}

async function playerHears({ relayUrl, adminToken }: Stage, call: string): Promise<Heard> {
  const json = { 'content-type': 'application/json' };
  const code = await fetch(`${relayUrl}/v1/admin/pairing-codes`, {
    method: 'POST',
    headers: { ...json, authorization: `Bearer ${adminToken}` },
    body: JSON.stringify({ tenant: 'hubspot-sandbox', agent: 'robin' }),
  });
  const proof = { kind: 'pairing-code', code: ((await code.json()) as { code: string }).code };
  const sessions = `${relayUrl}/v1/sessions`;
  const opened = await fetch(sessions, {
    method: 'POST',
    headers: { ...json, ...phoneKey.headers({ method: 'POST', url: sessions }) },
    body: JSON.stringify({ device: randomUUID(), proof }),
  });
  const { token } = (await opened.json()) as Session;
  const url = `${relayUrl}/v1/calls/${call}/recording`;
  const ready = await until(
    'the recording of the call',
    async () => {
      const response = await fetch(url, { headers: phoneKey.headers({ method: 'GET', url, token, now: Date.now() }) });
      const listening = response.ok ? v.parse(ListeningSchema, await response.json()) : null;
      return listening?.state === 'ready' ? listening : undefined;
    },
    120_000,
  );
  const wav = new DataView(await (await fetch(ready.url)).arrayBuffer());
  // RIFF, with a format of its own before the samples: two channels of 16 bit.
  expect([wav.getUint16(22, true), wav.getUint32(24, true), wav.getUint16(34, true)]).toEqual([2, rate, 16]);
  const data = 44;
  const sample = (channel: number, at: number): number => wav.getInt16(data + at * 4 + channel * 2, true) / 32_768;
  const stretch = (channel: number, fromMs: number, toMs: number): Float32Array =>
    Float32Array.from({ length: ((toMs - fromMs) * rate) / 1_000 }, (_, n) =>
      sample(channel, (fromMs * rate) / 1_000 + n),
    );
  return {
    pauses: ready.pauses,
    durationMs: ((wav.byteLength - data) / 4 / rate) * 1_000,
    levels: (channel, hz, fromMs, toMs) => {
      const first = Math.ceil(fromMs / lookMs) * lookMs;
      const looks = Math.max(0, Math.floor((toMs - first) / lookMs));
      return Array.from({ length: looks }, (_, n) => {
        const from = first + n * lookMs;
        return goertzel(stretch(channel, from, from + lookMs), rate, hz);
      });
    },
    holds: ({ startMs, samples, agent, farSide }) =>
      [agent, farSide].every((sound, channel) =>
        Array.from({ length: samples }, (_, n) => n).every(
          (n) => sample(channel, (startMs * rate) / 1_000 + n) * 32_768 === (sound?.[n] ?? 0),
        ),
      ),
    loudest: (fromMs, toMs) =>
      [0, 1].reduce((most, channel) => {
        const whole = stretch(channel, Math.ceil(fromMs), Math.floor(toMs));
        return whole.reduce((one, other) => Math.max(one, Math.abs(other)), most);
      }, 0),
  };
}

/** The agent called: her tone is on the first channel, the far side's on the second, and neither on the other. */
function expectBoth(found: Heard, told: Told, fromMs: number, toMs: number): void {
  const own = [found.levels(0, agentHz, fromMs, toMs), found.levels(1, farHz, fromMs, toMs)];
  expect(own[0]?.length).toBeGreaterThan(5);
  for (const looks of own) expect(median(looks)).toBeGreaterThan(heard);
  for (const looks of [found.levels(0, farHz, fromMs, toMs), found.levels(1, agentHz, fromMs, toMs)])
    expect(median(looks)).toBeLessThan(absent);
  expectKept(found, told, fromMs, toMs);
}

/** All that the page sent is there, sample by sample. */
function expectKept(found: Heard, { frames }: Told, fromMs: number, toMs: number): void {
  const sent = frames.filter((frame) => frame.startMs >= fromMs && endOf(frame) <= toMs);
  expect(sent.length).toBeGreaterThan(5);
  expect(sent.filter((frame) => !found.holds(frame)).map(({ startMs }) => startMs)).toEqual([]);
}

/** Processors may be busy, and then the sound itself breaks now and then before anybody records it. */
function median(looks: readonly number[]): number {
  return [...looks].sort((one, other) => one - other)[Math.floor(looks.length / 2)] ?? Number.NaN;
}

const talk = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('nothing is kept before the far side agreed nor in a pause, which outlives a reload; the rest has each side on its own channel', async () => {
  const call = await calling('ask');
  await call.shows('Ask the far side whether it may be recorded');
  await talk(1_500);
  expect(call.told.said).toEqual([]);
  await call.press('Agreed');
  await call.shows('Recording');
  const from = await until('the beginning', () => call.told.said.find(({ type }) => type === 'record')?.fromMs);
  await expect.poll(() => call.told.sentTo - from, polled).toBeGreaterThan(3_000);
  await call.press('Pause');
  await call.shows('Paused');
  const pausedAt = await until('the pause', () => call.told.said.find(({ type }) => type === 'pause')?.atMs);
  const sentTo = call.told.sentTo;
  await talk(1_000);
  await call.reload();
  await call.shows('Paused');
  await talk(1_000);
  expect(call.told.sentTo).toBe(sentTo);
  await call.press('Go on');
  await call.shows('Recording');
  await expect.poll(() => call.told.sentTo, polled).toBeGreaterThan(sentTo);
  const goesOn = call.told.sentTo;
  await expect.poll(() => call.told.sentTo - goesOn, polled).toBeGreaterThan(4_000);
  const heardTo = call.told.sentTo;
  const found = await call.finish();

  expect(found.durationMs).toBeGreaterThanOrEqual(heardTo - lookMs);
  // What came before the far side agreed is left out like a pause.
  expect(found.pauses).toHaveLength(2);
  const [unasked, pause] = found.pauses;
  if (unasked === undefined || pause === undefined) return;
  expect(unasked.startMs).toBe(0);
  expect(Math.abs(unasked.endMs - from)).toBeLessThan(edgeMs);
  expect(Math.abs(pause.startMs - pausedAt)).toBeLessThan(edgeMs);
  expect(found.loudest(0, from)).toBe(0);
  expectBoth(found, call.told, from + edgeMs, pausedAt - lookMs);
  expect(found.loudest(pausedAt, pause.endMs - lookMs)).toBe(0);
  expectBoth(found, call.told, pause.endMs + 2 * edgeMs, heardTo - lookMs);
}, 300_000);

test('a page that is loaded anew goes on recording, and nothing that had left it is missing', async () => {
  const call = await calling('always');
  await call.shows('Recording');
  await expect.poll(() => call.told.sentTo, polled).toBeGreaterThan(4_000);
  const before = call.told.sentTo;
  await call.reload();
  await call.shows('Recording');
  // A page may take seconds to load: what is looked at comes after the first that the new one sent.
  await expect.poll(() => call.told.sentTo, polled).toBeGreaterThan(before);
  const resumed = call.told.sentTo;
  await expect.poll(() => call.told.sentTo, polled).toBeGreaterThan(resumed + 3_000);
  const after = call.told.sentTo;
  expect(call.told.said.filter(({ type }) => type === 'record').map(({ fromMs }) => fromMs)).toEqual([0, 0]);
  const found = await call.finish();
  const begins = found.levels(1, farHz, 0, before).findIndex((level) => level > heard) * lookMs;
  expect(begins).toBeLessThan(2_000);
  expectKept(found, call.told, 0, after);
  expectBoth(found, call.told, begins + edgeMs, before);
  expectBoth(found, call.told, after - 2_000, after);
}, 300_000);
