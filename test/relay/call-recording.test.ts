/** A call is recorded over its sound stream, by real relays with real files: what is in the file, what is not, and that nothing that was settled is lost. */
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CallId, newCallId, recordedSoundKeptMs, type SoundAnswer, type TenantId } from '@patchcord/call-protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RelayConfigInput, RelayDependencies } from '../../server/src/index.ts';
import type { Store } from '../../server/src/store/contract.ts';
import { openStore } from '../../server/src/store/open.ts';
import { goertzel } from '../sip-lab/tone.ts';
import { newDevice, relayProcess } from '../store/relay-process.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
  type Life,
  type Panel,
  phoneKey,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';
import { wavOf } from '../unit/server/wav-samples.ts';
import { SoundPage } from './sound-page.ts';

const rate = 16_000;
const secret = 'the-secret-of-the-phone-system-in-tests-02';
const agentHz = 440;
const farHz = 1_000;
const tenant = 'acme' as TenantId;

let folder: string;
let running: RelayInTest[];
let pages: SoundPage[];
let stores: Store[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-recorded-'));
  running = [];
  pages = [];
  stores = [];
});
afterEach(async () => {
  for (const page of pages) page.socket.terminate();
  await Promise.all(running.map((one) => one.closed()));
  await Promise.all(stores.map((store) => store.close()));
  await rm(folder, { recursive: true, force: true });
});

const tenantOf = (change: Partial<RelayConfigInput['tenants'][number]> = {}) =>
  testTenant({
    recording: { mode: 'always' },
    callRecords: { settleMs: 0, signedInSettleMs: 0, groupMs: 0, asterisk: { secret } },
    agents: [
      ...testTenant().agents,
      { id: 'sue', name: 'Sue', extension: '1003', crmUserId: '005000000000003', role: 'supervisor' },
      { id: 'max', name: 'Max', extension: '1004', crmUserId: '005000000000004', recording: { mode: 'never' } },
    ],
    ...change,
  });
async function relay(
  dependencies: RelayDependencies = {},
  change: Partial<RelayConfigInput['tenants'][number]> = {},
): Promise<RelayInTest> {
  const one = await startRelayInTest(testConfig({ tenants: [tenantOf(change)] }), { folder, ...dependencies });
  running.push(one);
  return one;
}
const lookInto = async (): Promise<Store> => {
  const store = await openStore({ kind: 'sqlite', folder });
  stores.push(store);
  return store;
};

/** A call that its phone told of, up to its end. */
async function call(panel: Panel, direction: 'inbound' | 'outbound' = 'inbound'): Promise<CallId> {
  const callId = newCallId();
  const life = answeredCall.slice(0, 3).map((event): Life => {
    const data = event.name === 'call.started' ? { ...(event.data as object), direction } : event.data;
    return { ...event, data };
  });
  panel.publish(...envelopes(callId, life));
  await panel.acknowledged();
  return callId;
}
async function over(panel: Panel, callId: CallId): Promise<void> {
  panel.publish(...envelopes(callId, answeredCall.slice(3), 4));
  await panel.acknowledged();
}
async function page(one: { readonly url: string }, token: string, callId: CallId): Promise<SoundPage> {
  const opened = new SoundPage(callId, recordedSoundKeptMs);
  pages.push(opened);
  await opened.connect({ url: one.url, token });
  return opened;
}
/** Both sides speak, each in a tone of its own. */
function speak(to: SoundPage, ms: number): void {
  const of = (hz: number): Int16Array =>
    Int16Array.from({ length: (ms * rate) / 1_000 }, (_, n) => 8_000 * Math.sin((2 * Math.PI * hz * n) / rate));
  to.speak(of(agentHz), of(farHz));
}
const said = (to: SoundPage, type: SoundAnswer['type']): readonly SoundAnswer[] =>
  to.answers.filter((answer) => answer.type === type);
const recorders = (to: SoundPage): readonly string[] =>
  said(to, 'recorder').map((answer) => (answer.type === 'recorder' ? answer.state : ''));

async function linkOf(one: RelayInTest, token: string, callId: CallId): Promise<string | null> {
  const response = await one.fetch(`/v1/calls/${callId}/recording`, { token });
  // 202: it is being made.
  return response.status === 200 ? ((await response.json()) as { url: string }).url : null;
}
/** The recording as its link gives it, once it is there. */
async function recordingOf(one: RelayInTest, token: string, callId: CallId): Promise<Buffer> {
  await expect.poll(() => linkOf(one, token, callId), { timeout: 240_000, interval: 200 }).not.toBeNull();
  const response = await fetch((await linkOf(one, token, callId)) ?? '');
  expect(response.status).toBe(200);
  return Buffer.from(await response.arrayBuffer());
}
interface Heard {
  readonly channels: number;
  readonly ms: number;
  /** Amplitudes of both tones on a channel between two moments: 0.244 where it is spoken. */
  tones(channel: 1 | 2, fromMs: number, toMs: number): { readonly agent: number; readonly far: number };
  /** Stretches of 100 ms in which something is heard, joined. */
  readonly sounding: readonly (readonly [number, number])[];
  isSilent(fromMs: number, toMs: number): boolean;
}
function heardIn(wav: Buffer): Heard {
  expect(wav.toString('latin1', 0, 4)).toBe('RIFF');
  expect([wav.readUInt16LE(20), wav.readUInt32LE(24), wav.readUInt16LE(34)]).toEqual([1, rate, 16]);
  const sound = wav.subarray(44);
  expect(wav.readUInt32LE(40)).toBe(sound.length);
  const bytes = (ms: number): number => ms * 64;
  const isSilent = (fromMs: number, toMs: number): boolean =>
    sound.subarray(bytes(fromMs), bytes(toMs)).every((byte) => byte === 0);
  const sounding: [number, number][] = [];
  for (let ms = 0; ms < sound.length / 64; ms += 100) {
    if (isSilent(ms, ms + 100)) continue;
    const last = sounding.at(-1);
    if (last?.[1] === ms) last[1] += 100;
    else sounding.push([ms, ms + 100]);
  }
  return {
    channels: wav.readUInt16LE(22),
    ms: sound.length / 64,
    tones: (channel, fromMs, toMs) => {
      const samples = Float32Array.from(
        { length: (toMs - fromMs) * 16 },
        (_, n) => sound.readInt16LE(bytes(fromMs) + n * 4 + (channel - 1) * 2) / 32_768,
      );
      return { agent: goertzel(samples, rate, agentHz), far: goertzel(samples, rate, farHz) };
    },
    sounding,
    isSilent,
  };
}
async function files(): Promise<readonly string[]> {
  const names = await readdir(join(folder, 'recordings'), { recursive: true }).catch(() => []);
  return names.filter((name) => /\.(?:rec|part)$/.test(name));
}
async function audit(one: RelayInTest, act: string): Promise<readonly Record<string, unknown>[]> {
  const response = await one.fetch('/v1/admin/audit?tenant=acme&limit=1000', { token: adminToken });
  const { entries } = (await response.json()) as { entries: Record<string, unknown>[] };
  return entries.filter((entry) => entry.act === act);
}

describe('a recording', () => {
  it('has the caller on its first channel and whoever was called on the second, in the time of the call', async () => {
    const one = await relay();
    const { token } = await one.signIn();
    const panel = await one.connect(token);
    for (const direction of ['inbound', 'outbound'] as const) {
      const callId = await call(panel, direction);
      const stream = await page(one.relay, token, callId);
      speak(stream, 1_000);
      stream.record(1_000);
      speak(stream, 6_000);
      stream.say({ type: 'end' });
      expect(await stream.closed).toMatchObject({ code: 1000 });
      expect(stream.settled).toBe(stream.number);
      expect(recorders(stream)).toEqual(['there']);
      await over(panel, callId);
      const heard = heardIn(await recordingOf(one, token, callId));
      expect([heard.channels, heard.ms, heard.sounding]).toEqual([2, 7_000, [[1_000, 7_000]]]);
      const [caller, callee] = [heard.tones(1, 2_000, 3_000), heard.tones(2, 2_000, 3_000)];
      const [agent, far] = direction === 'inbound' ? [callee, caller] : [caller, callee];
      expect([agent.agent, far.far].map((amplitude) => amplitude > 0.2)).toEqual([true, true]);
      expect([agent.far, far.agent].map((amplitude) => amplitude < 0.001)).toEqual([true, true]);
    }
    // A recording each, and nothing of their parts.
    expect(await files()).toHaveLength(2);
    expect(await audit(one, 'recording.stored')).toHaveLength(2);
  });

  it('has silence where it was paused, also where that was written before the pause was said', async () => {
    const one = await relay();
    const { token } = await one.signIn();
    const panel = await one.connect(token);
    const callId = await call(panel);
    const stream = await page(one.relay, token, callId);
    stream.record(0);
    speak(stream, 12_000);
    await expect.poll(() => stream.settled, { timeout: 120_000 }).toBe(100);
    stream.pause(7_300);
    const store = await lookInto();
    const endsAt = async (): Promise<number> =>
      Math.max(...(await store.recordingParts.ofCalls(tenant, [callId])).map((part) => part.startMs + part.bytes / 64));
    await expect.poll(endsAt, { timeout: 120_000 }).toBe(7_300);
    stream.ms = 20_000;
    speak(stream, 2_000);
    stream.say({ type: 'record-end', atMs: 22_000 });
    speak(stream, 1_000);
    stream.say({ type: 'end' });
    await stream.closed;
    await over(panel, callId);
    const heard = heardIn(await recordingOf(one, token, callId));
    expect(heard.ms).toBe(22_000);
    expect(heard.isSilent(7_300, 20_000)).toBe(true);
    expect(heard.sounding).toEqual([
      [0, 7_300],
      [20_000, 22_000],
    ]);
    expect(await files()).toHaveLength(1);
  });

  it('is not made for an agent whose calls are not recorded, whatever the page says', async () => {
    const deaf = {
      open: () => ({ send: () => {}, waitingBytes: 0, finish: () => Promise.resolve(), drop: () => {} }),
    };
    const service = { kind: 'deepgram', url: 'ws://127.0.0.1:1/v1/listen', key: 'a-key-of-nobody' } as const;
    const one = await relay({ openSpeech: () => deaf }, { transcription: { service, language: 'en' } });
    const { token } = await one.signIn('max');
    const panel = await one.connect(token);
    const callId = await call(panel);
    const stream = await page(one.relay, token, callId);
    stream.record(0);
    speak(stream, 6_000);
    await expect.poll(() => recorders(stream)).toEqual(['refused']);
    stream.say({ type: 'end' });
    await stream.closed;
    expect(await (await lookInto()).recordingParts.ofCalls(tenant, [callId])).toEqual([]);
    expect(await files()).toEqual([]);
    const profile = (await (await one.fetch('/v1/profile', { token })).json()) as { recording: unknown };
    expect(profile.recording).toEqual({ mode: 'never', countries: {}, notice: 'none', resumeAfterSeconds: 120 });
  });

  it('loses nothing that was settled when its relay is killed, and nothing that the page still has', async () => {
    const killed = await relayProcess({ tenants: [tenantOf()] });
    try {
      await killed.start();
      const token = await killed.signIn('acme', 'ada', newDevice());
      const panel = await killed.connect(token);
      const callId = await call(panel);
      const stream = await page(killed, token, callId);
      stream.record(0);
      speak(stream, 13_000);
      await expect.poll(() => stream.settled, { timeout: 240_000 }).toBe(100);
      await killed.kill();
      await stream.closed;
      expect(stream.kept.size).toBe(30);
      speak(stream, 60_000);
      await killed.start();
      await stream.connect({ url: killed.url, token });
      speak(stream, 1_000);
      stream.say({ type: 'end' });
      expect(await stream.closed).toMatchObject({ code: 1000 });
      expect(stream.settled).toBe(stream.number);
      await over(await killed.connect(token), callId);
      // The same doors as `recordingOf`, of a relay that is a process.
      const path = `${killed.url}/v1/calls/${callId}/recording`;
      const link = async (): Promise<string | null> => {
        const response = await fetch(path, { headers: phoneKey.headers({ method: 'GET', url: path, token }) });
        // 202: it is being made.
        return response.status === 200 ? ((await response.json()) as { url: string }).url : null;
      };
      await expect.poll(link, { timeout: 240_000, interval: 300 }).not.toBeNull();
      const wav = Buffer.from(await (await fetch((await link()) ?? '')).arrayBuffer());
      const heard = heardIn(wav);
      expect([heard.ms, heard.sounding]).toEqual([74_000, [[0, 74_000]]]);
    } finally {
      await killed.remove();
    }
  });

  it('that its relay left is made by any other, once, also by two at the same moment', async () => {
    const first = await relay();
    const { token } = await first.signIn();
    const panel = await first.connect(token);
    const callId = await call(panel);
    const stream = await page(first.relay, token, callId);
    stream.record(0);
    speak(stream, 11_000);
    await expect.poll(() => stream.settled, { timeout: 120_000 }).toBe(100);
    await over(panel, callId);
    // The page is gone without a word, and so is its relay.
    stream.socket.terminate();
    await first.closed();
    running = [];
    const now = (): number => Date.now() + 200_000;
    const [second, third] = await Promise.all([relay({ now }), relay({ now })]);
    const heard = heardIn(await recordingOf(second, (await second.signIn()).token, callId));
    expect([heard.ms, heard.sounding]).toEqual([11_000, [[0, 11_000]]]);
    const store = await lookInto();
    await expect.poll(() => store.recordingParts.ofCalls(tenant, [callId]), { timeout: 120_000 }).toEqual([]);
    await expect.poll(files, { timeout: 120_000 }).toHaveLength(1);
    expect(await audit(third, 'recording.stored')).toHaveLength(1);
    expect(await audit(third, 'recording.discarded')).toEqual([]);
    const events = (await store.calls.readCalls([callId])).get(callId)?.events ?? [];
    expect(events.filter(({ name }) => name === 'recording.available')).toHaveLength(1);
  });

  it('waits with the page while the disk takes nothing, and lacks nothing afterwards', async () => {
    const place = join(folder, 'recordings');
    await writeFile(place, 'no folder');
    const one = await relay();
    const { token } = await one.signIn();
    const panel = await one.connect(token);
    const callId = await call(panel);
    const stream = await page(one.relay, token, callId);
    stream.record(0);
    speak(stream, 6_000);
    await expect.poll(() => recorders(stream), { timeout: 120_000 }).toEqual(['there', 'away']);
    // More than waits at the relay.
    speak(stream, 54_000);
    expect(stream.settled).toBe(0);
    await rm(place);
    expect(await stream.closed).toMatchObject({ code: 1013 });
    expect(stream.settled).toBeLessThan(300);
    await stream.connect({ url: one.relay.url, token });
    expect(recorders(stream).at(-1)).toBe('there');
    speak(stream, 1_000);
    stream.say({ type: 'end' });
    expect(await stream.closed).toMatchObject({ code: 1000 });
    await over(panel, callId);
    const heard = heardIn(await recordingOf(one, token, callId));
    expect([heard.ms, heard.sounding]).toEqual([61_000, [[0, 61_000]]]);
  });

  it('gives way to the one that a phone system handed over', async () => {
    const one = await relay();
    const { token } = await one.signIn();
    const panel = await one.connect(token);
    const callId = await call(panel);
    const stream = await page(one.relay, token, callId);
    stream.record(0);
    speak(stream, 6_000);
    const theirs = wavOf([300, 700], { seconds: 2 });
    const put = (body: Buffer): Promise<Response> =>
      one.fetch(`/v1/recordings/acme/asterisk/calls/${callId}?channels=caller,callee`, {
        method: 'PUT',
        body: body as Buffer<ArrayBuffer>,
        headers: { authorization: `Bearer ${secret}` },
      });
    expect((await put(theirs)).status).toBe(201);
    stream.say({ type: 'end' });
    await stream.closed;
    await over(panel, callId);
    await expect
      .poll(() => audit(one, 'recording.discarded'), { timeout: 120_000 })
      .toMatchObject([
        { actor: 'relay', subject: `call:${callId}`, data: { why: 'phone system’s is kept', ms: 6_000 } },
      ]);
    expect((await recordingOf(one, token, callId)).equals(theirs)).toBe(true);
    expect(await files()).toHaveLength(1);
  });
});

describe('a recording that is deleted', () => {
  it('is gone with its key, proven, and does not come back', async () => {
    const one = await relay();
    const [{ token }, sue] = [await one.signIn(), await one.signIn('sue')];
    const panel = await one.connect(token);
    const callId = await call(panel);
    const stream = await page(one.relay, token, callId);
    stream.record(0);
    speak(stream, 6_000);
    const remove = (by: string, json: object = { reason: 'asked by +1 415 555 0101, ticket 7' }): Promise<Response> =>
      one.fetch(`/v1/calls/${callId}/recording`, { method: 'DELETE', token: by, json });
    await expect.poll(() => stream.settled, { timeout: 120_000 }).toBe(50);
    expect((await remove(sue.token)).status).toBe(404);
    stream.say({ type: 'end' });
    await stream.closed;
    await over(panel, callId);
    const wav = await recordingOf(one, token, callId);
    const url = (await linkOf(one, token, callId)) ?? '';
    expect((await remove(token)).status).toBe(403);
    expect((await remove(sue.token, {})).status).toBe(400);
    const store = await lookInto();
    await store.keeping.addHold({ tenant, kind: 'number', subject: '+14155550101', reason: 'court', at: 1 });
    const held = await remove(sue.token);
    expect([held.status, ((await held.json()) as { error: { code: string } }).error.code]).toEqual([
      409,
      'recording.held',
    ]);
    await store.keeping.releaseHold(tenant, 'number', '+14155550101');

    const done = await remove(sue.token);
    expect(done.status).toBe(200);
    const { digest } = (await done.json()) as { digest: string };
    expect(await files()).toEqual([]);
    const [kept] = await store.recordings.ofCalls(tenant, [callId]);
    expect(kept).toMatchObject({ file: '', salt: '', digest, madeBy: 'relay' });
    expect(await audit(one, 'recording.deleted')).toMatchObject([
      { actor: 'agent:sue', subject: `call:${callId}`, data: { digest, reason: 'asked by [erased], ticket 7' } },
    ]);
    expect((await fetch(url)).status).toBe(410);
    const asked = await one.fetch(`/v1/calls/${callId}/recording`, { token });
    expect([asked.status, ((await asked.json()) as { error: { message: string } }).error.message]).toEqual([
      410,
      expect.stringContaining('was deleted on request'),
    ]);
    expect((await remove(sue.token)).status).toBe(410);
    const again = await one.fetch(`/v1/recordings/acme/asterisk/calls/${callId}?channels=caller,callee`, {
      method: 'PUT',
      body: wav as Buffer<ArrayBuffer>,
      headers: { authorization: `Bearer ${secret}` },
    });
    expect(again.status).toBe(410);
    // The digest is of the file as it was handed over: the agent first, whatever the direction.
    const turned = Buffer.from(wav);
    for (let at = 44; at < wav.length; at += 4) {
      wav.copy(turned, at, at + 2, at + 4);
      wav.copy(turned, at + 2, at, at + 2);
    }
    expect(createHash('sha256').update(turned).digest('base64url')).toBe(digest);
  });
});
