/** The sound of calls over a real socket, to a speech service that hears tones: whose it is, who ends it, and that it holds nobody up. */
import { randomUUID } from 'node:crypto';
import { encodeSoundFrame, newCallId, type RelayMessage, type TranscriptLine } from '@patchcord/call-protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { RelayConfigInput } from '../../server/src/index.ts';
import { deepgramKey, startDeepgram } from '../speech/deepgram-server.ts';
import type { SpeechService } from '../speech/socket-service.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
  type Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';
import { SoundPage } from './sound-page.ts';
import { bothEars, far, near, silent } from './sound-stage.ts';

let speech: SpeechService;
let running: RelayInTest[] = [];
let pages: SoundPage[] = [];
beforeEach(async () => {
  speech = await startDeepgram({ decode: bothEars });
});
afterEach(async () => {
  for (const page of pages) page.socket.terminate();
  await Promise.all(running.map((one) => one.closed()));
  await speech.close();
  running = [];
  pages = [];
});

function config(change: Partial<RelayConfigInput['tenants'][number]> = {}): RelayConfigInput {
  const service = { kind: 'deepgram', url: `${speech.url}/v1/listen`, key: deepgramKey } as const;
  return testConfig({
    tenants: [testTenant({ transcription: { service, language: 'en-US' }, transcripts: { keep: true }, ...change })],
  });
}

async function relay(...options: Parameters<typeof startRelayInTest>): Promise<RelayInTest> {
  const one = await startRelayInTest(...options);
  running.push(one);
  return one;
}

async function page(one: RelayInTest, token: string, call: string = newCallId()): Promise<SoundPage> {
  const opened = new SoundPage(call);
  pages.push(opened);
  await opened.connect({ url: one.relay.url, token });
  return opened;
}

async function linesUntil(
  panel: Panel,
  enough: (lines: readonly TranscriptLine[]) => boolean,
): Promise<readonly TranscriptLine[]> {
  const lines: TranscriptLine[] = [];
  while (!enough(lines)) {
    const { event } = await panel.next<Extract<RelayMessage, { type: 'event' }>>(
      (message) => message.type === 'event' && message.event.type === 'dev.patchcord.transcript.final.v1',
    );
    lines.push(event.data as TranscriptLine);
  }
  return lines;
}
const words = (lines: readonly TranscriptLine[], speaker: string): string =>
  lines
    .filter((line) => line.speaker === speaker)
    .map(({ text }) => text)
    .join(' ');
const has = (count: number) => (lines: readonly TranscriptLine[]) =>
  lines.flatMap(({ text }) => text.split(' ')).length >= count;

describe('a stream', () => {
  it('is heard side by side, told to the agent’s frames, settled and, at its end, complete', async () => {
    const one = await relay(config());
    const { token } = await one.signIn();
    const panel = await one.connect(token);
    const stream = await page(one, token);
    stream.hush(200);
    stream.speak(near('ba', 'de', 'gi'), far('ka', 'pe'));
    stream.speak(silent, far('ti', 'so', 'ki'));
    stream.hush(900);
    const heard = await linesUntil(panel, has(8));
    expect(words(heard, 'agent')).toBe('ba de gi');
    expect(words(heard, 'far-side')).toBe('ka pe ti so ki');
    expect(heard[0]?.startMs).toBeGreaterThan(100);
    expect(heard[0]?.startMs).toBeLessThan(400);
    await expect.poll(() => stream.settled, { timeout: 20_000 }).toBeGreaterThan(0);
    expect(speech.sessions).toHaveLength(2);

    stream.speak(near('mo'), null);
    stream.say({ type: 'end' });
    expect(words(await linesUntil(panel, has(1)), 'agent')).toBe('mo');
    expect(await stream.closed).toMatchObject({ code: 1000 });
    expect(stream.settled).toBe(stream.number);
    const metrics = await (await one.fetch('/metrics')).text();
    expect(metrics).toContain('patchcord_sound_streams 0');
    expect(metrics).toMatch(/patchcord_sound_added_seconds_count\{way="in"\} [1-9]/);
    expect(metrics).toMatch(/patchcord_sound_lines_total\{kind="final"\} [1-9]/);
  });

  it('goes on over another connection of the same agent, and the first is told so', async () => {
    const one = await relay(config());
    const { token } = await one.signIn();
    const panel = await one.connect(token);
    const first = await page(one, token);
    first.speak(near('ba', 'de'), null);
    const second = new SoundPage(first.call);
    pages.push(second);
    second.ms = first.ms;
    await second.connect({ url: one.relay.url, token });
    expect(await first.closed).toMatchObject({ code: 4409 });
    expect(second.number).toBe(first.number);
    second.speak(near('gi', 'mo'), null);
    second.say({ type: 'end' });
    expect(words(await linesUntil(panel, has(4)), 'agent')).toBe('ba de gi mo');
  });

  it('leaves what was paused at the page and in nobody’s memory, and marks how long it was', async () => {
    const one = await relay(config());
    const { token } = await one.signIn();
    const panel = await one.connect(token);
    const stream = await page(one, token);
    stream.speak(null, far('ka', 'pe'));
    stream.hush(900);
    expect(words(await linesUntil(panel, has(2)), 'far-side')).toBe('ka pe');
    const pausedAt = stream.ms;
    stream.speak(null, far('so', 'so', 'so'));
    stream.say({ type: 'pause', atMs: pausedAt });
    stream.ms = pausedAt + 10_000;
    stream.speak(null, far('ti', 'ki'));
    stream.say({ type: 'end' });
    const after = await linesUntil(panel, has(3));
    expect(after.find(({ gap }) => gap === 'paused')).toMatchObject({
      startMs: pausedAt,
      endMs: pausedAt + 10_000,
      text: '',
    });
    expect(words(after, 'far-side').trim()).toBe('ti ki');
  });

  it('is of no use to another agent, nor for one whose calls are not transcribed', async () => {
    const off = { id: 'eve', name: 'Eve', extension: '1003', crmUserId: '3', transcription: { on: false } };
    const one = await relay(config({ agents: [...testTenant().agents, off] }));
    const [ada, bob, eve] = await Promise.all(
      ['ada', 'bob', 'eve'].map(async (agent) => (await one.signIn(agent)).token),
    );
    if (ada === undefined || bob === undefined || eve === undefined) throw new Error();
    const profileOf = async (token: string): Promise<unknown> =>
      ((await (await one.fetch('/v1/profile', { token })).json()) as { transcription: string }).transcription;
    expect(await Promise.all([ada, eve].map(profileOf))).toEqual(['on', 'off']);
    expect(await (await page(one, eve)).closed).toMatchObject({ code: 4404 });

    // Known by its events, as Ada's.
    const known = newCallId();
    const panel = await one.connect(ada);
    panel.publish(...envelopes(known, answeredCall.slice(0, 3)));
    await panel.acknowledged();
    expect(await (await page(one, bob, known)).closed).toMatchObject({ code: 4404, reason: 'call.unknown' });
    // Known by its stream alone.
    const stream = await page(one, ada);
    expect(await (await page(one, bob, stream.call)).closed).toMatchObject({ code: 4404 });
    expect(stream.answers.map(({ type }) => type)).not.toContain('error');
  });

  it('of a call that turns out to be another agent’s ends', async () => {
    const one = await relay(config());
    const [ada, bob] = await Promise.all(['ada', 'bob'].map(async (agent) => (await one.signIn(agent)).token));
    if (ada === undefined || bob === undefined) throw new Error();
    const stream = await page(one, bob);
    const panel = await one.connect(ada);
    panel.publish(...envelopes(stream.call, answeredCall.slice(0, 3)));
    await panel.acknowledged();
    expect(await stream.closed).toMatchObject({ code: 4404 });
  }, 20_000);

  it('ends when the agent is revoked, with the sessions at the service', async () => {
    const one = await relay(config());
    const { token } = await one.signIn();
    const stream = await page(one, token);
    stream.speak(near('ba', 'de', 'gi'), null);
    await expect.poll(() => speech.sessions.length).toBe(1);
    const answer = await one.fetch('/v1/admin/agents/acme/ada/revoke', { json: {}, token: adminToken });
    expect(answer.status).toBe(200);
    expect(await stream.closed).toMatchObject({ code: 4403 });
    await expect.poll(() => speech.sessions.every(({ isClosed }) => isClosed)).toBe(true);
  });
});

describe('a page that is not trusted', () => {
  const open = (one: RelayInTest, path: string, origin: string): Promise<number> =>
    new Promise((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${one.relay.port}${path}`, { origin });
      socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      socket.once('open', () => resolve(101));
      socket.once('error', () => {});
    });

  it('is not let in from another origin', async () => {
    const one = await relay(config());
    expect(await open(one, '/v1/sound', 'https://evil.example')).toBe(403);
    expect(await open(one, '/v1/sounds', one.relay.url)).toBe(404);
  });

  it('says who it is first, with a proof made for this socket', async () => {
    const one = await relay(config());
    const { token } = await one.signIn();
    const attempts: readonly unknown[] = [
      new Uint8Array(12),
      { type: 'call', call: randomUUID(), from: 0 },
      one.authentication(token),
      { type: 'authenticate', token },
    ];
    for (const first of attempts) {
      const socket = new WebSocket(`${one.relay.url.replace('http', 'ws')}/v1/sound`, { origin: one.relay.url });
      const closed = new Promise<number>((resolve) => socket.once('close', resolve));
      socket.once('open', () => socket.send(first instanceof Uint8Array ? first : JSON.stringify(first)));
      expect(await closed).toBe(4401);
    }
  });

  it('is cut off for what is none of the protocol, and for more sound than a call has', async () => {
    const one = await relay(config());
    const { token } = await one.signIn();
    for (const wrong of [
      'nonsense',
      new Uint8Array([9, 9, 9]),
      { type: 'call', call: 'none', from: 0 },
      { type: 'authenticate', token },
    ]) {
      const stream = await page(one, token);
      stream.say(wrong);
      expect(await stream.closed).toMatchObject({ code: 4400 });
    }
    const large = await page(one, token);
    large.say(new Uint8Array(70_000));
    expect(await large.closed).toMatchObject({ code: 1009 });

    const day = await page(one, token);
    for (let second = 0; second < 60; second += 1) day.hush(1_000);
    expect(await day.closed).toMatchObject({ code: 4429 });
    const same = await page(one, token);
    // Two minutes of the shortest that a phone keeps may come at once, and be repeated; not that over and over.
    const again = encodeSoundFrame({ number: 0, startMs: 0, samples: 1_600, agent: null, farSide: null });
    for (let count = 0; count < 10_000; count += 1) same.say(again);
    expect(await same.closed).toMatchObject({ code: 4429 });
  });

  it('has eight streams and no more', async () => {
    const one = await relay(config());
    const { token } = await one.signIn();
    for (let count = 0; count < 8; count += 1) expect((await page(one, token)).answers.at(-1)?.type).toBe('listening');
    expect(await (await page(one, token)).closed).toMatchObject({ code: 4429 });
  });
});

it('a service that takes nothing holds up no acknowledgement and closes no stream', async () => {
  speech.faults.stalled = true;
  const one = await relay(config());
  const { token } = await one.signIn();
  const panel = await one.connect(token);
  const streams = await Promise.all(Array.from({ length: 4 }, () => page(one, token)));
  for (let second = 0; second < 30; second += 1) for (const stream of streams) stream.hush(1_000);
  panel.publish(...envelopes(newCallId(), answeredCall));
  expect(await panel.acknowledged()).toHaveLength(answeredCall.length);
  for (const stream of streams) expect(stream.socket.readyState).toBe(WebSocket.OPEN);
});

it('a card number is in no line that is told or kept, whole or in pieces', async () => {
  const one = await relay(config());
  const { token } = await one.signIn();
  const panel = await one.connect(token);
  const call = newCallId();
  const line = (number: number, text: string): TranscriptLine => ({
    line: number,
    speaker: 'far-side',
    text,
    startMs: number * 2_000,
    endMs: number * 2_000 + 1_000,
    final: true,
  });
  for (const [number, text] of [
    'my card is four one one one',
    'one one one one',
    '1111',
    '1111',
    'that is what it says',
  ].entries())
    one.relay.transcript.tell('acme', 'ada', call, line(number, text));
  const told = await linesUntil(panel, (lines) => lines.length === 5);
  expect(told.map(({ text }) => text).join('|')).toBe(
    'my card is [card …1111]|[card …1111]|[card …1111]|[card …1111]|that is what it says',
  );
});
