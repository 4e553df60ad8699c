/** What becomes of each recorded call: handed over once, kept while the relay is away, removed when it is not to be kept, put aside when it can't be taken. */
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Spool } from '../../../deploy/kamailio/recordings/spool.ts';
import { leave, voice } from './rtpengine-files.ts';

const authorization = 'Bearer the-secret-of-the-edge';
const hourMs = 3_600_000;

interface Came {
  readonly method: string;
  readonly path: string;
  readonly authorization: string;
  readonly bytes: Buffer;
}
type Answer = readonly [status: number, code: string];

let folder: string;
let server: Server;
let port: number;
/** What the relay was sent, whole; what it answers, the last one again and again. */
let came: Came[];
let answers: Answer[];
let answersAtOnce: boolean;
let said: string[];
let nowMs: number;

async function listen(onPort: number): Promise<void> {
  server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => server.listen(onPort, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
}
async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [status, code] = answers[Math.min(came.length, answers.length - 1)] ?? [201, ''];
  const entry = {
    method: request.method ?? '',
    path: request.url ?? '',
    authorization: request.headers.authorization ?? '',
  };
  const body =
    code === '' ? '{}' : JSON.stringify({ error: { code, message: `because of ${code}`, retryable: false } });
  if (answersAtOnce) {
    came.push({ ...entry, bytes: Buffer.alloc(0) });
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    return;
  }
  const pieces: Buffer[] = [];
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece);
  came.push({ ...entry, bytes: Buffer.concat(pieces) });
  response.writeHead(status, { 'content-type': 'application/json' }).end(body);
}
function closeRelay(): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => void server.close(() => resolve()));
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-edge-spool-'));
  [came, answers, said, nowMs, answersAtOnce] = [[], [[201, '']], [], Date.now(), false];
  await listen(0);
});
afterEach(async () => {
  await closeRelay();
  await rm(folder, { recursive: true, force: true });
});

function spool(): Spool {
  const url = `http://127.0.0.1:${port}/v1/recordings/acme/kamailio`;
  return new Spool({ folder, url, authorization, say: (line) => said.push(line), now: () => nowMs });
}
const packets = [
  ...voice({ from: 'caller', hz: 600, fromMs: 0, toMs: 2_000 }),
  ...voice({ from: 'callee', hz: 850, fromMs: 0, toMs: 2_000 }),
];
const call = (name: string) => leave(folder, { name, packets });
/** What is left of calls, and where. */
async function left(inner = ''): Promise<readonly string[]> {
  const all = await readdir(join(folder, inner), { recursive: true, withFileTypes: true });
  return all.flatMap((entry) => (entry.isFile() ? [entry.name] : [])).sort();
}

it('hands a call over by its Call-ID, proves who it is, and removes it', async () => {
  await leave(folder, { name: 'a%40b-1234', sipCallId: 'a@b/c?d', packets });
  await spool().look();
  expect(came.map(({ bytes, ...rest }) => ({ ...rest, length: bytes.length }))).toEqual([
    {
      ...{ method: 'PUT', path: '/v1/recordings/acme/kamailio/sip/a%40b%2Fc%3Fd?channels=caller,callee' },
      ...{ authorization, length: 44 + 2 * 8_000 * 4 },
    },
  ]);
  expect(await left()).toEqual([]);
});

it('keeps everything while the relay is away, says so once, and hands each call over once when it is back', async () => {
  await Promise.all([call('one'), call('two')]);
  await closeRelay();
  const it = spool();
  await it.look();
  await it.look();
  expect(await left('pcaps')).toEqual(['one.pcap', 'two.pcap']);
  expect(said).toHaveLength(1);
  await listen(port);
  await it.look();
  await it.look();
  expect(came.map(({ path }) => path.split(/[/?]/).at(-2)).sort()).toEqual(['one', 'two']);
  expect(await left()).toEqual([]);
});

it('sends the same bytes again after an answer that was lost', async () => {
  await call('one');
  answers = [
    [502, ''],
    [200, ''],
  ];
  await spool().look();
  await spool().look();
  expect(came).toHaveLength(2);
  expect(came[0]?.bytes.equals(came[1]?.bytes ?? Buffer.alloc(0))).toBe(true);
  expect(await left()).toEqual([]);
});

it.each([
  [503, 'store.unavailable'],
  [401, 'identity.required'],
  [429, 'request.too-many'],
  [403, ''],
  [400, ''],
  [404, ''],
] as const)('keeps a call that is answered %i %s: it may be taken later', async (status, code) => {
  await call('one');
  answers = [[status, code]];
  await spool().look();
  expect(await left()).toEqual(['one.pcap', 'rtpengine-meta-one.txt']);
});

it.each([
  [403, 'recording.not-allowed'],
  [410, 'recording.deleted'],
] as const)('removes what must not be kept (%i %s), and says why', async (status, code) => {
  await call('one');
  answers = [[status, code]];
  await spool().look();
  expect(await left()).toEqual([]);
  expect(said).toEqual([`rtpengine-meta-one.txt: removed: because of ${code}`]);
});

it('does not send the rest of a call that is refused at once', async () => {
  await leave(folder, { name: 'long', packets: voice({ from: 'caller', hz: 600, fromMs: 0, toMs: 600_000 }) });
  answers = [[403, 'recording.not-allowed']];
  answersAtOnce = true;
  await spool().look();
  expect(came).toHaveLength(1);
  expect(await left()).toEqual([]);
});

it('puts aside what can never be taken, with the reason, and goes on with the next', async () => {
  await call('one');
  await call('two');
  answers = [
    [400, 'request.invalid'],
    [201, ''],
  ];
  await spool().look();
  const aside = await left('refused');
  expect(aside).toEqual([
    expect.stringContaining('.pcap'),
    expect.stringContaining('.txt'),
    expect.stringContaining('.why'),
  ]);
  expect(await readFile(join(folder, 'refused', aside[2] ?? ''), 'utf8')).toBe('because of request.invalid\n');
  expect(await left('pcaps')).toEqual([]);
  await spool().look();
  expect(came).toHaveLength(2);
});

it('asks again about a call that the relay does not know, and forgets it after a day of answers', async () => {
  await call('one');
  answers = [[404, 'call.unknown']];
  const it = spool();
  await it.look();
  await it.look();
  expect(came).toHaveLength(1);
  nowMs += 60_000;
  await it.look();
  expect(came).toHaveLength(2);
  nowMs += 23 * hourMs;
  await it.look();
  expect(await left('pcaps')).toEqual(['one.pcap']);
  nowMs += hourMs;
  await it.look();
  expect(await left()).toEqual([]);
  expect(said).toEqual(['rtpengine-meta-one.txt: removed: because of call.unknown']);
});

it('counts the day anew after it was started again: only the relay’s answers count', async () => {
  await call('one');
  answers = [[404, 'call.unknown']];
  await spool().look();
  nowMs += 25 * hourMs;
  await spool().look();
  expect(await left('pcaps')).toEqual(['one.pcap']);
});

it('removes what nobody answered, and what has no sound, without a word to the relay', async () => {
  await leave(folder, { name: 'rang', answeredMs: null, packets });
  await leave(folder, { name: 'still', packets: [] });
  await spool().look();
  expect(came).toEqual([]);
  expect(await left()).toEqual([]);
});

it('finishes what a crash cut short between the hand-over and the last file', async () => {
  await call('one');
  await rm(join(folder, 'pcaps', 'one.pcap'));
  await spool().look();
  expect(came).toEqual([]);
  expect(await left()).toEqual([]);
});

it('leaves calls that go on alone, and removes after a day what an rtpengine that died left', async () => {
  await call('one');
  for (const name of ['one', 'two']) await rm(join(folder, 'metadata', `rtpengine-meta-${name}.txt`), { force: true });
  await writeFile(join(folder, 'tmp', 'rtpengine-meta-one.tmp'), 'unfinished');
  await spool().look();
  expect(await left()).toEqual(['one.pcap', 'rtpengine-meta-one.tmp']);
  const old = new Date(nowMs - 25 * hourMs);
  await utimes(join(folder, 'pcaps', 'one.pcap'), old, old);
  await spool().look();
  expect(await left()).toEqual([]);
});

it('puts aside what is no recording', async () => {
  await call('one');
  await writeFile(join(folder, 'pcaps', 'one.pcap'), 'not at all');
  await spool().look();
  expect(await left('refused')).toHaveLength(3);
  expect((await stat(join(folder, 'refused'))).mode & 0o777).toBe(0o700);
});
