/** A phone that reaches another relay on the same database in the middle of a call: its lines go on there, under their numbers, and nowhere else. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { newCallId, type RelayMessage, type TranscriptLine } from '@patchcord/call-protocol';
import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { RelayConfigInput } from '../../server/src/index.ts';
import { deepgramKey, startDeepgram } from '../speech/deepgram-server.ts';
import type { SpeechService } from '../speech/socket-service.ts';
import { newDevice } from '../store/relay-process.ts';
import {
  Panel,
  phoneKey,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';
import { type ClusterRelay, clusterRelay } from './cluster-relay.ts';
import { SoundPage } from './sound-page.ts';
import { bothEars, far, near, silent } from './sound-stage.ts';

const patient = { timeout: 30_000 };

let cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.reverse()) await clean();
  cleanups = [];
});

async function speechAndTenants(): Promise<{
  readonly speech: SpeechService;
  readonly tenants: RelayConfigInput['tenants'];
}> {
  const speech = await startDeepgram({ decode: bothEars });
  cleanups.push(() => speech.close());
  const service = { kind: 'deepgram', url: `${speech.url}/v1/listen`, key: deepgramKey } as const;
  return {
    speech,
    tenants: [testTenant({ transcription: { service, language: 'en' }, transcripts: { keep: true } })],
  };
}

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'patchcord-sound-two-'));
  cleanups.push(() => rm(made, { recursive: true, force: true }));
  return made;
}

/** The final lines that a panel was told, in that order. */
function finalsOf(panel: Panel): TranscriptLine[] {
  cleanups.push(() => panel.socket.terminate());
  const lines: TranscriptLine[] = [];
  const more = async (): Promise<void> => {
    for (;;) {
      const { event } = await panel.next<Extract<RelayMessage, { type: 'event' }>>(
        (message) => message.type === 'event' && message.event.type === 'dev.patchcord.transcript.final.v1',
      );
      lines.push(event.data as TranscriptLine);
    }
  };
  void more();
  return lines;
}

/** What is kept of a call, by time. */
function keptIn(dataDir: string, call: string): readonly TranscriptLine[] {
  const database = new DatabaseSync(join(dataDir, 'patchcord.sqlite'), { readOnly: true });
  try {
    const rows = database.prepare('select said from transcript_lines where call_id = ?').all(call);
    return rows
      .map(({ said }) => JSON.parse(String(said)) as TranscriptLine)
      .sort((a, b) => a.startMs - b.startMs || a.line - b.line);
  } finally {
    database.close();
  }
}
const wordsOf = (lines: readonly TranscriptLine[], speaker: string): string =>
  lines
    .filter((line) => line.speaker === speaker && line.gap === undefined)
    .map(({ text }) => text)
    .join(' ');
/** Every number of a side once, without a hole. */
const expectNumbered = (lines: readonly TranscriptLine[]): void => {
  for (const speaker of ['agent', 'far-side']) {
    const numbers = lines.filter((line) => line.speaker === speaker).map(({ line }) => line);
    expect(numbers.sort((a, b) => a - b)).toEqual(numbers.map((_, index) => index));
  }
};

function soundPage(call = newCallId()): SoundPage {
  const page = new SoundPage(call);
  cleanups.push(() => page.socket.terminate());
  return page;
}

async function panelAt(relay: ClusterRelay, token: string): Promise<Panel> {
  const socket = new WebSocket(`${relay.url.replace('http', 'ws')}/v1/live`, { origin: relay.url });
  const panel = new Panel(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.once('error', reject);
  });
  socket.on('error', () => {});
  panel.send(relay.authentication(token, phoneKey));
  await panel.next(({ type }) => type === 'authenticated');
  return panel;
}

it('a stream goes on at another relay when its own was killed: numbers go on, no word is lost or told twice, the gap is marked', async () => {
  const { tenants } = await speechAndTenants();
  const dataDir = await folder();
  const relays: ClusterRelay[] = [];
  for (let count = 0; count < 2; count += 1) {
    const relay = await clusterRelay({ tenants, dataDir });
    cleanups.push(() => relay.remove());
    await relay.start();
    relays.push(relay);
  }
  const [here, there] = relays as [ClusterRelay, ClusterRelay];
  const { token } = await here.signIn('ada', phoneKey, newDevice());
  const page = soundPage();
  await page.connect({ url: here.url, token });
  page.speak(near('ba', 'be', 'bi'), silent);
  page.hush(900);
  page.speak(silent, far('ka', 'ke'));
  page.hush(900);
  await expect.poll(() => wordsOf(keptIn(dataDir, page.call), 'far-side'), patient).toBe('ka ke');
  await expect.poll(() => page.settled, patient).toBeGreaterThan(3);

  // In the middle of a sentence of both.
  page.speak(near('da', 'de'), far('pa'));
  await here.kill();
  await page.closed;
  page.speak(near('di'), far('pe'));
  const panel = finalsOf(await panelAt(there, token));
  await page.connect({ url: there.url, token });
  page.speak(near('do'), far('pi'));
  page.hush(900);
  await expect.poll(() => wordsOf(panel, 'agent'), patient).toContain('do');
  await expect.poll(() => page.settled, patient).toBeGreaterThan(30);

  // Longer away than a phone keeps sound.
  const settledMs = page.settled * 100;
  await there.kill();
  await page.closed;
  page.hush(39_000);
  page.speak(near('mo'), far('so'));
  const oldestMs = (page.kept.keys().next().value ?? 0) * 100;
  await here.start();
  await page.connect({ url: here.url, token });
  page.say({ type: 'end' });
  expect(await page.closed).toMatchObject({ code: 1_000 });

  const kept = keptIn(dataDir, page.call);
  expect(wordsOf(kept, 'agent')).toBe('ba be bi da de di do mo');
  expect(wordsOf(kept, 'far-side')).toBe('ka ke pa pe pi so');
  expectNumbered(kept);
  const gaps = kept.filter(({ gap }) => gap !== undefined);
  expect(gaps).toMatchObject([{ speaker: 'far-side', gap: 'lost', endMs: oldestMs, text: '' }]);
  expect(gaps[0]?.startMs).toBeGreaterThanOrEqual(settledMs);
});

it('a relay whose phone went over to another tells nothing of that call any more, and lets the service go', async () => {
  const { speech, tenants } = await speechAndTenants();
  const shared = await folder();
  const start = async (): Promise<RelayInTest> => {
    const one = await startRelayInTest(testConfig({ tenants }), { folder: shared });
    cleanups.push(() => one.closed());
    return one;
  };
  const [here, there] = [await start(), await start()];
  const { token } = await here.signIn('ada');
  const [before, after] = [finalsOf(await here.connect(token)), finalsOf(await there.connect(token))];
  const page = soundPage();
  await page.connect({ url: here.relay.url, token });
  page.speak(near('ba', 'be'), silent);
  page.hush(900);
  await expect.poll(() => wordsOf(before, 'agent'), patient).toBe('ba be');
  await expect.poll(() => page.settled, patient).toBeGreaterThan(3);

  // Half of a sentence, and half of a card number that is still held back.
  page.speak(near('da', 'de'), silent);
  await expect.poll(() => speech.sessions[0]?.soundMs, patient).toBeGreaterThanOrEqual(page.ms - 100);
  here.relay.transcript.tell('acme', 'ada', page.call, {
    line: 9,
    speaker: 'far-side',
    text: 'four one one one',
    startMs: page.ms,
    endMs: page.ms + 500,
    final: true,
  });
  page.socket.terminate();
  await page.closed;
  const told = before.length;
  await page.connect({ url: there.relay.url, token });
  page.speak(near('di', 'do'), silent);
  page.hush(900);
  page.say({ type: 'end' });
  expect(await page.closed).toMatchObject({ code: 1_000 });
  expect(wordsOf(after, 'agent')).toBe('da de di do');
  expectNumbered([...before, ...after].filter(({ speaker }) => speaker === 'agent'));

  const metrics = async (): Promise<string> => (await here.fetch('/metrics')).text();
  await expect.poll(metrics, patient).toContain('patchcord_sound_streams 0');
  await expect.poll(() => speech.sessions.every(({ isClosed }) => isClosed), patient).toBe(true);
  expect(before.slice(told)).toEqual([]);
  // What is held back is told when a relay stops; this is another's to tell.
  await here.relay.close();
  expect(before.slice(told)).toEqual([]);
});
