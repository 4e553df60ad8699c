/** Recordings from a phone system to whoever may hear them, through the real relay: taken, kept, told to the CRM, opened, gone. */
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, utimes, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newCallId, PatchcordError } from '@patchcord/call-protocol';
import { createMemoryRelay, type SpokenLine } from '@patchcord/crm-adapters/relay';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSqlite } from '../../server/src/store/database.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
  type Life,
  type Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';
import { loudness, wavOf } from '../unit/server/wav-samples.ts';

const secret = 'the-secret-of-the-phone-system-in-tests-01';
const clientSecret = 'the-client-secret-of-the-app-in-tests';
const dayMs = 86_400_000;

const hubspot = (portalId: number, appSecret: string) =>
  ({ kind: 'hubspot', portalId, appId: 99, clientId: 'client', clientSecret: appSecret, refreshToken: 'r' }) as const;
const people = [
  ...testTenant().agents,
  { id: 'sue', name: 'Sue', extension: '1003', crmUserId: '3', role: 'supervisor' as const },
];

/** What the CRM was told, and whether it answers. */
const ready: string[] = [];
const transcripts: { readonly logId: string; readonly lines: readonly SpokenLine[] }[] = [];
let refusals: PatchcordError[] = [];
function crmInTest() {
  const memory = createMemoryRelay();
  return {
    ...memory,
    writeLog: (...[log, , logId]: Parameters<typeof memory.writeLog>) =>
      Promise.resolve(logId ?? String(Number.parseInt(log.callId.slice(0, 8), 16))),
    recordingReady: (logId: string) => {
      const refusal = refusals.shift();
      if (refusal !== undefined) return Promise.reject(refusal);
      ready.push(logId);
      return Promise.resolve();
    },
    writeTranscript: (logId: string, lines: readonly SpokenLine[]) => {
      transcripts.push({ logId, lines });
      return Promise.resolve(`t-${logId}`);
    },
  };
}
const logIdOf = (callId: string): string => String(Number.parseInt(callId.slice(0, 8), 16));

let one: RelayInTest;
let folder: string;
let panel: Panel;
let token: string;
/** How far the relay's clock is ahead of ours, ms. */
let aheadMs = 0;

const config = () => {
  const callRecords = { settleMs: 0, signedInSettleMs: 0, groupMs: 0 };
  return testConfig({
    recordings: { largestMb: 12, days: 30, linkMinutes: 5 },
    tenants: [
      testTenant({
        crm: hubspot(1_111, clientSecret),
        agents: people,
        callRecords: { ...callRecords, asterisk: { secret } },
        transcripts: { keep: true, settleMs: 0 },
      }),
      testTenant({
        id: 'globex',
        crm: hubspot(2_222, `${clientSecret}-2`),
        callRecords: { ...callRecords, asterisk: { secret: `${secret}-2` } },
      }),
    ],
  });
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-recordings-'));
  one = await startRelayInTest(config(), { connectCrm: crmInTest, now: () => Date.now() + aheadMs, folder });
  ({ token } = await one.signIn());
  panel = await one.connect(token);
});
afterAll(async () => {
  await one.closed();
  await rm(folder, { recursive: true, force: true });
});

/** A call that a phone told. */
async function call(life: readonly Life[] = answeredCall, by = panel): Promise<string> {
  const callId = newCallId();
  by.publish(...envelopes(callId, life));
  await by.acknowledged();
  return callId;
}
const outbound = answeredCall.map((event) =>
  event.name === 'call.started' ? { ...event, data: { ...(event.data as object), direction: 'outbound' } } : event,
);
function put(
  path: string,
  body: Buffer | string | ReadableStream,
  options: { by?: string; tenant?: string; channels?: string } = {},
): Promise<Response> {
  const { by = secret, tenant = 'acme', channels = 'agent,far-side' } = options;
  return one.fetch(`/v1/recordings/${tenant}/asterisk/${path}?channels=${channels}`, {
    method: 'PUT',
    body: body as Buffer<ArrayBuffer>,
    duplex: 'half',
    headers: { authorization: `Bearer ${by}`, 'content-type': 'audio/wav' },
  } as RequestInit);
}
const message = async (response: Response): Promise<string> =>
  ((await response.json()) as { error: { message: string } }).error.message;
/** The link an agent gets. */
async function linkOf(callId: string, by = token): Promise<string> {
  const response = await one.fetch(`/v1/calls/${callId}/recording`, { token: by });
  expect(response.status).toBe(200);
  return ((await response.json()) as { url: string }).url;
}
/** HubSpot's signed question. */
function ask(
  externalId: string,
  options: { appId?: string; account?: string; by?: string; changed?: string } = {},
): Promise<Response> {
  const { appId = '99', account = 'acme', by = clientSecret, changed = '' } = options;
  const path = `/v1/hubspot/recordings/${externalId}?appId=${appId}&externalAccountId=${account}`;
  const at = Date.now() + aheadMs;
  const signature = createHmac('sha256', by).update(`GET${one.relay.url}${path}${at}`).digest('base64');
  return one.fetch(`${path}${changed}`, {
    headers: { 'x-hubspot-signature-v3': signature, 'x-hubspot-request-timestamp': String(at) },
  });
}
async function filesOnDisk(): Promise<string[]> {
  const place = join(folder, 'recordings');
  const names = await readdir(place, { recursive: true }).catch(() => []);
  return names.filter((name) => /\.(?:rec|part)$/.test(name)).map((name) => join(place, name));
}
/** The file of the recording that `take` hands over. */
async function newFile(take: () => Promise<unknown>): Promise<string> {
  const before = new Set(await filesOnDisk());
  await take();
  const [file = ''] = (await filesOnDisk()).filter((path) => !before.has(path));
  return file;
}
const stereo = (): Buffer => wavOf([440, 880], { seconds: 1 });
/** Another recording each time. */
const another = (): Buffer => Buffer.concat([wavOf([440, 880]), randomBytes(16)]);

describe('a recording that a phone system hands over', () => {
  it('is told with the caller on the first channel, whatever the direction of the call', async () => {
    for (const [life, caller, callee] of [
      [answeredCall, 880, 440],
      [outbound, 440, 880],
    ] as const) {
      const callId = await call(life);
      const response = await put(`calls/${callId}`, stereo());
      expect(response.status).toBe(201);
      expect(await response.json()).toEqual({ callId, channels: 2, durationMs: 1_000 });
      const heard = await fetch(await linkOf(callId));
      expect(heard.headers.get('content-type')).toBe('audio/wav');
      const wav = Buffer.from(await heard.arrayBuffer());
      expect(wav.subarray(0, 44).equals(stereo().subarray(0, 44))).toBe(true);
      expect([loudness(wav, 1, caller), loudness(wav, 2, callee)]).toEqual([
        expect.closeTo(0.25, 2),
        expect.closeTo(0.25, 2),
      ]);
      expect(loudness(wav, 1, callee)).toBeLessThan(0.01);
      expect(loudness(wav, 2, caller)).toBeLessThan(0.01);
    }
  });

  it('finds its call by the SIP Call-ID, also one that was told after a first try', async () => {
    const sipCallId = `${randomUUID()}@pbx.example.com`;
    const early = await put(`sip/${encodeURIComponent(sipCallId)}`, stereo());
    expect(early.status).toBe(404);
    expect(await early.json()).toMatchObject({ error: { code: 'call.unknown', retryable: true } });
    const [started, ...rest] = answeredCall;
    const data = { ...(started?.data as object), sipCallId };
    const callId = await call([{ name: 'call.started', data }, ...rest]);
    const response = await put(`sip/${encodeURIComponent(sipCallId)}`, stereo());
    expect([response.status, await response.json()]).toMatchObject([201, { callId }]);
  });

  it('may come again as it was; another one of the same call is refused, and the first stays', async () => {
    const callId = await call();
    expect((await put(`calls/${callId}`, stereo())).status).toBe(201);
    expect((await put(`calls/${callId}`, stereo())).status).toBe(200);
    const other = await put(`calls/${callId}`, another());
    expect([other.status, await message(other)]).toEqual([
      400,
      expect.stringContaining('another recording, which stays'),
    ]);
    const wav = Buffer.from(await (await fetch(await linkOf(callId))).arrayBuffer());
    expect(wav).toHaveLength(stereo().length);
  });

  it('is kept once, however many send it at the same time, and leaves nothing beside it', async () => {
    const callId = await call();
    const before = (await filesOnDisk()).length;
    const statuses = await Promise.all(
      Array.from({ length: 5 }, async () => (await put(`calls/${callId}`, stereo())).status),
    );
    expect(statuses.sort()).toEqual([200, 200, 200, 200, 201]);
    expect(await filesOnDisk()).toHaveLength(before + 1);
  });

  it('is refused with words when it is no such file, too large or says too little, and nothing of it is kept', async () => {
    const callId = await call();
    const before = await filesOnDisk();
    const refused = async (sent: Promise<Response>): Promise<string> => {
      const response = await sent;
      expect(response.status).toBe(400);
      return message(response);
    };
    expect(await refused(put(`calls/${callId}`, 'this is no sound at all'))).toContain('RIFF');
    expect(await refused(put(`calls/${callId}`, stereo().subarray(0, 9_000)))).toContain('shorter than its own header');
    expect(await refused(put(`calls/${callId}`, ''))).toContain('ends before its sound begins');
    expect(await refused(put(`calls/${callId}`, stereo(), { channels: 'mono' }))).toContain('two channels');
    expect(await refused(put(`calls/${callId}`, wavOf([440])))).toContain('send it as "mono"');
    expect(await refused(put(`calls/${callId}`, stereo(), { channels: 'left,right' }))).toContain('agent,far-side');
    const endless = wavOf([440, 880], { dataLength: 0xffff_ffff });
    const large = Buffer.concat([endless, Buffer.alloc(12_000_000)]);
    const streamed = new Blob([new Uint8Array(large)]).stream();
    expect(await refused(put(`calls/${callId}`, streamed))).toContain('larger than 12 MB');
    expect(await filesOnDisk()).toEqual(before);
    expect((await one.fetch(`/v1/calls/${callId}/recording`, { token })).status).toBe(404);
  });

  it('comes from nobody without the secret, and who has none learns of no customer', async () => {
    const callId = await call();
    const answers = await Promise.all(
      [
        put(`calls/${callId}`, 'x', { by: 'another-secret-that-is-long-enough-0001' }),
        put(`calls/${callId}`, 'x', { by: `${secret}-2` }),
        put(`calls/${callId}`, 'x', { tenant: 'nobody' }),
        put(`calls/${randomUUID()}`, 'x', { by: 'another-secret-that-is-long-enough-0001' }),
      ].map(async (sent) => [(await sent).status, await message(await sent)]),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]?.[0]).toBe(401);
    // The other customer's own phone system does not reach this call either.
    expect((await put(`calls/${callId}`, stereo(), { tenant: 'globex', by: `${secret}-2` })).status).toBe(404);
  });

  it('that breaks off leaves nothing behind', async () => {
    const callId = await call();
    const before = await filesOnDisk();
    const controller = new AbortController();
    const body = new ReadableStream({
      async start(stream) {
        stream.enqueue(new Uint8Array(stereo().subarray(0, 20_000)));
        await expect.poll(filesOnDisk).toHaveLength(before.length + 1);
        controller.abort();
      },
    });
    await expect(
      one.fetch(`/v1/recordings/acme/asterisk/calls/${callId}?channels=agent,far-side`, {
        method: 'PUT',
        body,
        duplex: 'half',
        signal: controller.signal,
        headers: { authorization: `Bearer ${secret}` },
      } as RequestInit),
    ).rejects.toThrow();
    await expect.poll(filesOnDisk).toEqual(before);
    expect((await put(`calls/${callId}`, stereo())).status).toBe(201);
  });

  it('is an event of its call, and shows none of its sound on the disk', async () => {
    const callId = await call();
    const file = await newFile(() => put(`calls/${callId}`, wavOf([440], { codec: 'alaw' }), { channels: 'mono' }));
    const events = await one.fetch(`/v1/calls/${callId}/events`, { token });
    expect(await events.text()).toContain('dev.patchcord.recording.available.v1');
    expect((await readFile(file)).includes(Buffer.alloc(8, 0x11))).toBe(false);
    const wav = Buffer.from(await (await fetch(await linkOf(callId))).arrayBuffer());
    expect(wav.equals(Buffer.concat([wav.subarray(0, 58), Buffer.alloc(8_000, 0x11)]))).toBe(true);
  });
});

describe('the CRM', () => {
  it('is told of a recording once the log is there, again after a failure, and once', async () => {
    refusals = [new PatchcordError('crm.unavailable', 'HubSpot did not answer.', { retryable: true })];
    const [started, ringing, answered, ended] = answeredCall as [Life, Life, Life, Life];
    const callId = newCallId();
    panel.publish(...envelopes(callId, [started, ringing, answered]));
    await panel.acknowledged();
    expect((await put(`calls/${callId}`, stereo())).status).toBe(201);
    expect(ready).not.toContain(logIdOf(callId));
    panel.publish(...envelopes(callId, [ended], 4));
    await panel.acknowledged();
    await expect.poll(() => ready.filter((id) => id === logIdOf(callId)), { timeout: 10_000 }).toHaveLength(1);
    expect(refusals).toEqual([]);
    expect((await put(`calls/${callId}`, stereo())).status).toBe(200);
    const next = await call();
    await put(`calls/${next}`, another());
    await expect.poll(() => ready, { timeout: 10_000 }).toContain(logIdOf(next));
    expect(ready.filter((id) => id === logIdOf(callId))).toHaveLength(1);
  });

  it('is told once more of a recording that waited for its log for days, and then met a failure', async () => {
    let ahead = 0;
    const relay = await startRelayInTest(config(), { connectCrm: crmInTest, now: () => Date.now() + ahead });
    try {
      const agent = await relay.connect((await relay.signIn()).token);
      const callId = newCallId();
      agent.publish(...envelopes(callId, answeredCall.slice(0, 3)));
      await agent.acknowledged();
      const path = `/v1/recordings/acme/asterisk/calls/${callId}?channels=agent,far-side`;
      const body = stereo() as Buffer<ArrayBuffer>;
      const taken = await relay.fetch(path, { method: 'PUT', body, headers: { authorization: `Bearer ${secret}` } });
      expect(taken.status).toBe(201);
      refusals = [new PatchcordError('crm.unavailable', 'HubSpot did not answer.', { retryable: true })];
      ahead = 4 * dayMs;
      await relay.relay.sweep();
      const { token: again } = await relay.signIn();
      const history = async () => await (await relay.fetch('/v1/calls', { token: again })).json();
      await expect.poll(history, { timeout: 10_000 }).toMatchObject({ calls: [{ callId, log: 'saved' }] });
      // It is looked at once a minute by now.
      ahead += 61_000;
      await expect.poll(() => ready, { timeout: 10_000 }).toContain(logIdOf(callId));
      expect(refusals).toEqual([]);
    } finally {
      refusals = [];
      await relay.closed();
    }
  });

  it('gets the final words of a call after its end, once, by time from its beginning and with names', async () => {
    const callId = newCallId();
    const [started, ringing, answered, ended] = answeredCall as [Life, Life, Life, Life];
    panel.publish(...envelopes(callId, [started, ringing, answered]));
    await panel.acknowledged();
    const tell = (line: number, speaker: 'agent' | 'far-side', text: string, startMs: number, final = true): void =>
      one.relay.transcript.tell('acme', 'ada', callId, { line, speaker, text, startMs, endMs: startMs + 900, final });
    tell(1, 'agent', 'Patchcord, Ada', 0, false);
    tell(1, 'agent', 'Patchcord, Ada speaking', 0);
    tell(1, 'far-side', 'My card is 4111 1111 1111 1111', 1_000);
    tell(2, 'agent', 'I did not hear that', 2_000, false);
    panel.publish(...envelopes(callId, [ended], 4));
    await panel.acknowledged();
    const given = () => transcripts.filter(({ logId }) => logId === logIdOf(callId));
    await expect.poll(given, { timeout: 10_000 }).toHaveLength(1);
    // It rang for two seconds.
    expect(given()[0]?.lines).toEqual([
      { speaker: 'agent', speakerName: 'Ada Byron', text: 'Patchcord, Ada speaking', startMs: 2_000, endMs: 2_900 },
      expect.objectContaining({ speaker: 'far-side', speakerName: 'Grace Hopper', startMs: 3_000 }),
    ]);
    expect(given()[0]?.lines[1]?.text).not.toContain('4111');
  });
});

describe('HubSpot', () => {
  it('fetches a recording in parts by a link that the relay gives for its signed question', async () => {
    const callId = await call();
    await put(`calls/${callId}`, stereo());
    const answer = await ask(callId);
    expect(answer.status).toBe(200);
    const { authenticatedUrl } = (await answer.json()) as { authenticatedUrl: string };
    const whole = await fetch(authenticatedUrl);
    const bytes = Buffer.from(await whole.arrayBuffer());
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      'content-length': String(bytes.length),
      'content-disposition': `attachment; filename="call-${callId}.wav"`,
      'cache-control': 'no-store',
    });
    const etag = whole.headers.get('etag') ?? '';
    const part = async (range: string, more: Record<string, string> = {}) => {
      const response = await fetch(authenticatedUrl, { headers: { range, ...more } });
      const got = Buffer.from(await response.arrayBuffer());
      return { status: response.status, range: response.headers.get('content-range'), got };
    };
    const { length } = bytes;
    for (const [range, from, to] of [
      ['bytes=0-0', 0, 1],
      ['bytes=40-50', 40, 51],
      ['bytes=1000-', 1_000, length],
      ['bytes=-100', length - 100, length],
      [`bytes=${length - 1}-${length + 500}`, length - 1, length],
    ] as const) {
      const { status, range: said, got } = await part(range);
      expect([status, said]).toEqual([206, `bytes ${from}-${to - 1}/${length}`]);
      expect(got.equals(bytes.subarray(from, to))).toBe(true);
    }
    expect(await part(`bytes=${length}-`)).toMatchObject({ status: 416, range: `bytes */${length}` });
    expect((await part('bytes=0-1,5-6')).got).toHaveLength(length);
    expect(await part('bytes=0-9', { 'if-range': etag })).toMatchObject({ status: 206 });
    expect(await part('bytes=0-9', { 'if-range': '"other"' })).toMatchObject({ status: 200 });
    const head = await fetch(authenticatedUrl, { method: 'HEAD', headers: { range: 'bytes=0-9' } });
    expect([head.status, head.headers.get('content-length'), head.headers.get('etag')]).toEqual([
      200,
      String(length),
      etag,
    ]);
  });

  it('learns nothing by asking for another account, another app, a call or a recording that is not there', async () => {
    const callId = await call();
    const silent = await call();
    await put(`calls/${callId}`, stereo());
    const refused = await Promise.all(
      [
        ask(callId, { account: 'globex' }),
        ask(callId, { account: 'nobody' }),
        ask(callId, { appId: '98' }),
        ask(callId, { account: 'globex', by: `${clientSecret}-2` }),
        ask(silent),
        ask(newCallId()),
        ask('no-call-id'),
      ].map(async (asked) => [(await asked).status, await message(await asked)]),
    );
    expect(new Set(refused.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(refused[0]?.[0]).toBe(404);
    for (const forged of [ask(callId, { by: 'a-guess' }), ask(callId, { changed: '&more=1' })])
      expect((await forged).status).toBe(403);
  });

  it('finds the recording of a call whose log was written under another call’s id', async () => {
    const sipCallId = `${randomUUID()}@pbx`;
    const reports = await one.fetch('/v1/call-records/acme/asterisk', {
      token: secret,
      json: {
        id: randomUUID(),
        state: 'ended',
        sipCallId,
        extension: '1001',
        direction: 'inbound',
        number: '%2B14155550101',
        started: '1790000000',
        answered: '1790000002',
        ended: '1790000010',
      },
    });
    expect(await reports.json()).toMatchObject({ stored: 1 });
    type History = { calls: { callId: string; log: string }[] };
    const history = async () => (await (await one.fetch('/v1/calls', { token })).json()) as History;
    const reported = async () => (await history()).calls.find(({ callId }) => callId[14] === '8');
    await expect.poll(async () => (await reported())?.log, { timeout: 10_000 }).toBe('saved');
    const writtenAs = (await reported())?.callId ?? '';
    const [started, ...rest] = answeredCall;
    const callId = await call([{ name: 'call.started', data: { ...(started?.data as object), sipCallId } }, ...rest]);
    const taken = await put(`sip/${encodeURIComponent(sipCallId)}`, stereo());
    expect([taken.status, await taken.json()]).toMatchObject([201, { callId }]);
    await expect.poll(async () => (await ask(writtenAs)).status, { timeout: 10_000 }).toBe(200);
  });
});

describe('a link', () => {
  it('is for the agent who had the call and for supervisors, not for others', async () => {
    const callId = await call();
    await put(`calls/${callId}`, stereo());
    const [bob, sue] = await Promise.all([one.signIn('bob'), one.signIn('sue')]);
    expect((await fetch(await linkOf(callId, sue.token))).status).toBe(200);
    const refused = await one.fetch(`/v1/calls/${callId}/recording`, { token: bob.token });
    const unknown = await one.fetch(`/v1/calls/${newCallId()}/recording`, { token: bob.token });
    expect([refused.status, await refused.text()]).toEqual([unknown.status, await unknown.text()]);
    expect((await one.fetch(`/v1/calls/${callId}/recording`)).status).toBe(401);
  });

  it('ends, and opens nothing when it was changed', async () => {
    const callId = await call();
    await put(`calls/${callId}`, stereo());
    const url = await linkOf(callId);
    const at = url.length - 10;
    const changed = `${url.slice(0, at)}${url[at] === 'A' ? 'B' : 'A'}${url.slice(at + 1)}`;
    for (const wrong of [changed, url.replace(/[^/]*$/, 'local.AAAA'), url.replace(/[^/]*$/, 'x')])
      expect((await fetch(wrong)).status).toBe(403);
    expect((await fetch(url)).status).toBe(200);
    aheadMs = 5 * 60_000 + 1_000;
    try {
      const late = await fetch(url);
      expect([late.status, await message(late)]).toEqual([403, expect.stringContaining('ends after some minutes')]);
    } finally {
      aheadMs = 0;
    }
  });

  it('is in the audit from its first use on, whatever part is heard, and each time it is heard from the beginning', async () => {
    const callId = await call();
    await put(`calls/${callId}`, stereo());
    type Entry = { readonly act: string; readonly subject: string; readonly actor: string };
    const openings = async (): Promise<readonly string[]> => {
      const answer = await one.fetch('/v1/admin/audit?tenant=acme&limit=1000', { token: adminToken });
      const { entries } = (await answer.json()) as { entries: readonly Entry[] };
      return entries
        .filter(({ act, subject }) => act === 'recording.opened' && subject === `call:${callId}`)
        .map(({ actor }) => actor);
    };
    const hear = async (url: string, range?: string): Promise<void> => {
      const answer = await fetch(url, range === undefined ? {} : { headers: { range } });
      await answer.arrayBuffer();
    };
    const url = await linkOf(callId);
    await fetch(url, { method: 'HEAD' });
    await hear(url, 'bytes=9999999-');
    expect(await openings()).toEqual([]);
    await hear(url, 'bytes=1-');
    await hear(url, 'bytes=500-');
    await expect.poll(openings).toEqual(['agent:ada']);
    await hear(url);
    await expect.poll(openings).toEqual(['agent:ada', 'agent:ada']);
    await hear(await linkOf(callId), 'bytes=-100');
    await expect.poll(openings).toHaveLength(3);
  });

  it('gives nothing of a file that was changed on disk, and says so', async () => {
    const callId = await call();
    const file = await newFile(() => put(`calls/${callId}`, stereo()));
    const good = await readFile(file);
    const url = await linkOf(callId);
    const bad = Buffer.from(good);
    bad[100] = (bad[100] ?? 0) ^ 1;
    for (const content of [bad, good.subarray(0, -1), Buffer.concat([good, Buffer.alloc(1)])]) {
      await writeFile(file, content);
      const response = await fetch(url);
      expect([response.status, await message(response)]).toEqual([503, expect.stringContaining('changed or damaged')]);
    }
    await writeFile(file, good);
    expect((await fetch(url)).status).toBe(200);
  });

  it('lets the file go when who listens goes', async () => {
    const callId = await call();
    const long = Buffer.concat([wavOf([440, 880], { dataLength: 0xffff_ffff }), Buffer.alloc(11_000_000)]);
    const file = await newFile(() => put(`calls/${callId}`, long));
    const openNow = async (): Promise<number> => {
      const handles = await readdir('/proc/self/fd');
      const targets = await Promise.all(handles.map((handle) => readlink(`/proc/self/fd/${handle}`).catch(() => '')));
      return targets.filter((target) => target === file).length;
    };
    // Reads nothing, so that the relay is in the middle of the file when the connection goes.
    const request = get(await linkOf(callId));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.pause();
    expect(await openNow()).toBe(1);
    request.destroy();
    await expect.poll(openNow).toBe(0);
  });
});

it('words are kept for nobody who did not ask for it', async () => {
  const { token: grace } = await one.signIn('ada', undefined, 'globex');
  const frame = await one.connect(grace);
  const callId = newCallId();
  one.relay.transcript.tell('globex', 'ada', callId, {
    line: 1,
    speaker: 'agent',
    text: 'Hello',
    startMs: 0,
    endMs: 1,
    final: true,
  });
  frame.publish(...envelopes(callId, answeredCall));
  await frame.acknowledged();
  // The other customer's words come after, and are given to the CRM.
  const theirs = newCallId();
  one.relay.transcript.tell('acme', 'ada', theirs, {
    line: 1,
    speaker: 'agent',
    text: 'Hello',
    startMs: 0,
    endMs: 1,
    final: true,
  });
  panel.publish(...envelopes(theirs, answeredCall));
  await panel.acknowledged();
  await expect.poll(() => transcripts.map(({ logId }) => logId), { timeout: 10_000 }).toContain(logIdOf(theirs));
  expect(transcripts.map(({ logId }) => logId)).not.toContain(logIdOf(callId));
});

it('housekeeping takes away what is too old and nothing that is held; what has no row it leaves alone in its first hour', async () => {
  const [kept, old, held] = [await call(), await call(), await call()];
  const file = await newFile(() => put(`calls/${kept}`, another()));
  const oldFile = await newFile(() => put(`calls/${old}`, another()));
  const heldFile = await newFile(() => put(`calls/${held}`, another()));
  await one.closed();

  const database = await openSqlite(folder);
  await database.db
    .insertInto('legal_holds')
    .values({ tenant: 'acme', kind: 'call', subject: held, reason: 'court', at: 1 })
    .execute();
  const stored_at = Date.now() - 31 * dayMs;
  await database.db.updateTable('recordings').set({ stored_at }).where('call_id', 'in', [old, held]).execute();
  await database.close();
  // As a crash leaves them: half written, or whole and not told of yet.
  const shelf = join(folder, 'recordings', '00');
  await mkdir(shelf, { recursive: true });
  const left = ['part', 'rec'].map((kind) => join(shelf, `${'0'.repeat(32)}.${kind}`));
  const young = join(shelf, `${'0'.repeat(31)}1.part`);
  const foreign = join(shelf, 'notes.txt');
  for (const path of [...left, young, foreign]) await writeFile(path, 'x');
  const longAgo = new Date(Date.now() - 3 * 3_600_000);
  for (const path of [...left, foreign, file, heldFile]) await utimes(path, longAgo, longAgo);

  const again = await startRelayInTest(config(), { connectCrm: crmInTest, folder, housekeepingMs: 50 });
  try {
    await expect.poll(filesOnDisk, { timeout: 10_000 }).not.toContain(oldFile);
    const files = await filesOnDisk();
    expect(files).toEqual(expect.arrayContaining([...left, file, heldFile, young]));
    expect(await readFile(foreign, 'utf8')).toBe('x');
    const { token: ada } = await again.signIn();
    const statusOf = async (callId: string) =>
      (await again.fetch(`/v1/calls/${callId}/recording`, { token: ada })).status;
    expect([await statusOf(kept), await statusOf(old), await statusOf(held)]).toEqual([200, 404, 200]);
  } finally {
    await again.closed();
  }
});
