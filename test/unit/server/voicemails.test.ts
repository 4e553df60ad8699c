/** Voicemails from a phone system to whose mailbox it is, through the real relay: taken, told, heard, deleted, brought back, gone. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Match,
  PatchcordError,
  type Voicemail,
  VoicemailAudioSchema,
  VoicemailSchema,
  VoicemailsSchema,
} from '@patchcord/call-protocol';
import { createMemoryRelay } from '@patchcord/crm-adapters/relay';
import * as v from 'valibot';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../../server/src/store/open.ts';
import { startReceiver } from './http-receiver.ts';
import { adminToken, type RelayInTest, startRelayInTest, testConfig, testTenant } from './relay-in-test.ts';
import { wavOf } from './wav-samples.ts';

/** For what follows by itself, on a machine that may be busy. */
const patient = { timeout: 20_000 };

const secret = 'the-secret-of-the-phone-system-in-tests-01';
const hookSecret = `whsec_${Buffer.from('a secret that only this test knows').toString('base64')}`;
const dayMs = 86_400_000;

let one: RelayInTest;
let folder: string;
let hook: Awaited<ReturnType<typeof startReceiver>>;
/** How far the relay's clock is ahead of ours, ms. */
let aheadMs = 0;
/** Held back as long as it is there: a CRM that does not answer. */
let silence: Promise<void> | null = null;
const now = () => Date.now() + aheadMs;

function crmInTest() {
  const memory = createMemoryRelay({
    records: [{ object: 'Contact', id: 'grace', name: 'Grace Hopper', numbers: ['(415) 555-0101'] }],
  });
  return {
    ...memory,
    findByNumber: async (...asked: Parameters<typeof memory.findByNumber>): Promise<readonly Match[]> => {
      if (silence !== null) await silence;
      return await memory.findByNumber(...asked);
    },
  };
}

async function start(): Promise<void> {
  const callRecords = { asterisk: { secret } };
  const [ada, bob] = testTenant().agents;
  if (ada === undefined || bob === undefined) throw new Error('the configuration of tests has two agents');
  one = await startRelayInTest(
    testConfig({
      voicemails: { days: 30, undoDays: 7, largestMb: 1 },
      tenants: [
        testTenant({
          callRecords,
          agents: [
            { ...ada, features: { mailboxes: ['1001', '600'] } },
            { ...bob, features: { mailboxes: ['1002', '600'] } },
            { id: 'cy', name: 'Cy', extension: '1003', crmUserId: '005000000000003' },
          ],
          webhooks: [{ url: hook.url, secret: hookSecret, events: ['voicemail.received'], allowPrivate: true }],
        }),
        testTenant({ id: 'globex', callRecords: { asterisk: { secret: `${secret}-2` } } }),
      ],
    }),
    { connectCrm: crmInTest, now, folder, housekeepingMs: 20 },
  );
}
/** The relay is away for so long: what a clock that jumps says is not believed by one that runs. */
async function passDays(days: number): Promise<void> {
  await one.closed();
  aheadMs += days * dayMs;
  await start();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-voicemails-'));
  hook = await startReceiver();
  await start();
});
afterAll(async () => {
  await one.closed();
  await hook.close();
  await rm(folder, { recursive: true, force: true });
});

let messages = 0;
function form(message: object, sound: Buffer = wavOf([440])): FormData {
  messages += 1;
  const said = { id: `msg-${messages}`, mailbox: '1001', number: '+1 415 555 0101', at: now(), ...message };
  const data = new FormData();
  data.set('message', JSON.stringify(said));
  data.set('sound', new Blob([new Uint8Array(sound)], { type: 'audio/wav' }), 'msg0000.wav');
  return data;
}
function post(data: FormData | string, options: { by?: string; tenant?: string } = {}): Promise<Response> {
  const { by = secret, tenant = 'acme' } = options;
  return one.fetch(`/v1/voicemails/${tenant}/asterisk`, {
    method: 'POST',
    body: data,
    headers: { authorization: `Bearer ${by}` },
  });
}
async function leave(message: object = {}, sound?: Buffer): Promise<string> {
  const response = await post(form(message, sound));
  expect(response.status).toBe(201);
  return ((await response.json()) as { voicemail: string }).voicemail;
}
const problem = async (response: Response): Promise<string> =>
  ((await response.json()) as { error: { message: string } }).error.message;
async function listOf(token: string): Promise<readonly Voicemail[]> {
  const response = await one.fetch('/v1/voicemails', { token });
  expect(response.status).toBe(200);
  return v.parse(VoicemailsSchema, await response.json()).voicemails;
}
const inList = async (token: string, id: string) => (await listOf(token)).find((each) => each.id === id);
const change = (token: string, id: string, to: object) =>
  one.fetch(`/v1/voicemails/${id}`, { token, json: to, method: 'PATCH' });
async function linkOf(token: string, id: string): Promise<string> {
  const response = await one.fetch(`/v1/voicemails/${id}/audio`, { token });
  expect(response.status).toBe(200);
  return v.parse(VoicemailAudioSchema, await response.json()).url;
}
async function filesOnDisk(): Promise<readonly string[]> {
  const place = join(folder, 'recordings', 'voicemails');
  const names = await readdir(place, { recursive: true }).catch(() => []);
  return names.filter((name) => /\.(?:rec|part)$/.test(name)).map((name) => join(place, name));
}

describe('a message that a phone system hands over', () => {
  it('is in its owner’s list with the caller’s record, and in nobody else’s', async () => {
    const [ada, cy] = [(await one.signIn('ada')).token, (await one.signIn('cy')).token];
    const at = Math.floor(now() / 1_000) - 60;
    const id = await leave({ at: String(at), name: 'HOPPER G', text: ' Call me on 4111 1111 1111 1111, please. ' });
    const told = await inList(ada, id);
    expect(told).toMatchObject({
      from: { number: '+1 415 555 0101', e164: '+14155550101', name: 'HOPPER G' },
      at: at * 1_000,
      durationMs: 1_000,
      heard: false,
      deletedAt: null,
    });
    await expect
      .poll(async () => (await inList(ada, id))?.matches, patient)
      .toMatchObject([{ record: { id: 'grace', name: 'Grace Hopper' } }]);
    // A card number is no business of the relay's.
    expect(told?.text).toMatch(/^Call me on .*please\.$/);
    expect(told?.text).not.toContain('4111');
    expect(await inList(cy, id)).toBeUndefined();
    for (const refused of [
      await one.fetch(`/v1/voicemails/${id}/audio`, { token: cy }),
      await change(cy, id, { heard: true }),
      await one.fetch(`/v1/voicemails/${id}`, { token: cy, method: 'DELETE' }),
    ])
      expect(refused.status).toBe(404);
    expect(await inList(ada, id)).toMatchObject({ heard: false, deletedAt: null });
  });

  it('arrives whatever the caller calls himself, and is no newer than now', async () => {
    const ada = (await one.signIn('ada')).token;
    const id = await leave({
      name: `Bob\u0000\r\nX-Evil: 1${'x'.repeat(400)}`,
      number: '7'.repeat(300),
      at: now() + dayMs,
      text: 'cvv 123 '.repeat(4_000),
    });
    const told = await inList(ada, id);
    expect(told?.from.name).toMatch(/^Bob {3}X-Evil: 1x+$/);
    expect([told?.from.name?.length, told?.from.number.length]).toEqual([255, 128]);
    expect(told?.at).toBeLessThanOrEqual(now());
  });

  it('is told at once to the panels of whose mailbox it is, and to webhooks, with who called', async () => {
    const session = await one.signIn('ada');
    const panel = await one.connect(session.token);
    const id = await leave({ number: 'anonymous', name: '' });
    const event = await panel.event('voicemail.received');
    expect(event.data).toEqual({ voicemail: id, mailbox: '1001', from: { number: '' }, durationMs: 1_000 });
    await expect
      .poll(() => hook.received.map(({ body }) => JSON.parse(body) as { data: { voicemail: string } }), patient)
      .toContainEqual(expect.objectContaining({ type: 'dev.patchcord.voicemail.received.v1', data: event.data }));
  });

  it('is kept once, however often and by how many it is handed over', async () => {
    const { token } = await one.signIn('ada');
    const before = (await filesOnDisk()).length;
    const statuses = await Promise.all(
      Array.from({ length: 5 }, async () => (await post(form({ id: 'the same', number: '1002' }))).status),
    );
    expect(statuses.sort()).toEqual([200, 200, 200, 200, 201]);
    expect((await post(form({ id: 'the same', number: '1002' }))).status).toBe(200);
    expect((await listOf(token)).filter(({ from }) => from.number === '1002')).toHaveLength(1);
    expect(await filesOnDisk()).toHaveLength(before + 1);
  });

  it('in a mailbox that two agents have is both agents’, and heard for both', async () => {
    const [ada, bob] = [(await one.signIn('ada')).token, (await one.signIn('bob')).token];
    const id = await leave({ mailbox: '600' });
    expect((await change(bob, id, { heard: true })).status).toBe(200);
    expect(await inList(ada, id)).toMatchObject({ heard: true });
  });

  it('shows none of its sound on the disk', async () => {
    const sound = wavOf([440], { codec: 'alaw' });
    const before = new Set(await filesOnDisk());
    await leave({}, sound);
    const [file = ''] = (await filesOnDisk()).filter((path) => !before.has(path));
    const bytes = await readFile(file);
    expect(bytes.length).toBeGreaterThan(8_000);
    expect(bytes.includes(Buffer.alloc(8, 0x11))).toBe(false);
  });

  it('is refused with words when it is none, and nothing of it is kept', async () => {
    const before = await filesOnDisk();
    const refused = async (sent: Promise<Response>, status = 400): Promise<string> => {
      const response = await sent;
      expect(response.status).toBe(status);
      return problem(response);
    };
    const without = form({});
    without.delete('sound');
    const broken = form({});
    broken.set('message', '{"id":');
    expect(await refused(post('no form at all'))).toContain('multipart/form-data');
    expect(await refused(post(without))).toContain('a part "sound" with a file');
    expect(await refused(post(broken))).toContain('no JSON');
    expect(await refused(post(form({ at: 'yesterday' })))).toContain('does not fit at "at"');
    expect(await refused(post(form({ at: 1e300 })))).toContain('does not fit at "at"');
    const scattered = form({});
    for (let part = 0; part < 20; part += 1) scattered.append('more', '');
    expect(await refused(post(scattered))).toContain('more than 20 parts');
    expect(await refused(post(form({ mailbox: '1009' })))).toContain('no agent has the mailbox "1009"');
    expect(await refused(post(form({}, Buffer.from('this is no sound at all'))))).toContain('neither WAV nor MP3');
    expect(await refused(post(form({}, wavOf([440]).subarray(0, 9_000))))).toContain('shorter than its own header');
    expect(await refused(post(form({}, Buffer.from('ID3 an MP3 of unknown length'))))).toContain(
      '"seconds" is missing',
    );
    expect(await refused(post(form({}, wavOf([440], { seconds: 70 }))))).toContain('larger than 1 MB');
    expect(await refused(post(form({}, wavOf([440], { seconds: 90 }))), 413)).toContain('too large');
    expect(await filesOnDisk()).toEqual(before);
  });

  it('comes from nobody without the secret, and who has none learns of no customer', async () => {
    const answers = await Promise.all(
      [
        post(form({}), { by: 'another-secret-that-is-long-enough-0001' }),
        post(form({}), { by: `${secret}-2` }),
        post(form({}), { tenant: 'nobody' }),
      ].map(async (sent) => [(await sent).status, await problem(await sent)]),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]?.[0]).toBe(401);
  });
});

describe('an agent', () => {
  it('hears a message by a link, from anywhere in it, without a session', async () => {
    const { token } = await one.signIn('ada');
    const sound = wavOf([440], { seconds: 3 });
    const link = await linkOf(token, await leave({}, sound));
    const whole = await fetch(link);
    expect([whole.status, whole.headers.get('content-type'), whole.headers.get('cache-control')]).toEqual([
      200,
      'audio/wav',
      'no-store',
    ]);
    expect(Buffer.from(await whole.arrayBuffer()).equals(sound)).toBe(true);
    const part = await fetch(link, { headers: { range: 'bytes=40000-40009' } });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 40000-40009/${sound.length}`]);
    expect(Buffer.from(await part.arrayBuffer()).equals(sound.subarray(40_000, 40_010))).toBe(true);
    expect((await fetch(link, { headers: { range: 'bytes=900000-' } })).status).toBe(416);
    const audit = await (await one.fetch('/v1/admin/audit?tenant=acme&limit=1000', { token: adminToken })).text();
    expect(audit.match(/"act":"voicemail\.opened"/g)).toHaveLength(1);
    expect(audit).toContain('"act":"voicemail.stored"');
  });

  it('hears an MP3 as it was handed over', async () => {
    const { token } = await one.signIn('ada');
    const sound = Buffer.concat([Buffer.from([0xff, 0xfb, 0x90, 0x00]), randomBytes(70_000)]);
    const id = await leave({ seconds: '12.5' }, sound);
    expect(await inList(token, id)).toMatchObject({ durationMs: 12_500 });
    const heard = await fetch(await linkOf(token, id));
    expect(heard.headers.get('content-type')).toBe('audio/mpeg');
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(digest(Buffer.from(await heard.arrayBuffer()))).toBe(digest(sound));
  });

  it('opens nothing by a link that was changed, has ended or is of another kind', async () => {
    const { token } = await one.signIn('ada');
    const link = await linkOf(token, await leave());
    const sealed = link.split('/').at(-1) ?? '';
    const flipped = `${sealed.slice(0, -2)}${sealed.at(-2) === 'A' ? 'B' : 'A'}${sealed.at(-1)}`;
    expect((await one.fetch(`/v1/voicemail-files/${flipped}`)).status).toBe(403);
    expect((await one.fetch(`/v1/recording-files/${sealed}`)).status).toBe(403);
    aheadMs += 11 * 60_000;
    expect((await fetch(link)).status).toBe(403);
  });

  it('marks a message as heard and takes it back, and every panel of theirs is told', async () => {
    const session = await one.signIn('ada');
    const panel = await one.connect(session.token);
    const id = await leave();
    const heard = await change(session.token, id, { heard: true });
    expect(v.parse(VoicemailSchema, await heard.json())).toMatchObject({ id, heard: true });
    expect((await panel.event('voicemail.changed')).data).toEqual({ voicemail: id });
    expect(await inList(session.token, id)).toMatchObject({ heard: true, deletedAt: null });
    expect((await change(session.token, id, { heard: false })).status).toBe(200);
    expect(await inList(session.token, id)).toMatchObject({ heard: false });
    expect((await change(session.token, id, { heard: 'yes' })).status).toBe(400);
  });

  it('deletes a message and brings it back; after the grace it is gone for good, with its file', async () => {
    const { token } = await one.signIn('ada');
    const [kept, deleted, restored] = [await leave(), await leave(), await leave()];
    const before = (await filesOnDisk()).length;
    for (const id of [deleted, restored]) {
      const answer = await one.fetch(`/v1/voicemails/${id}`, { token, method: 'DELETE' });
      expect(v.parse(VoicemailSchema, await answer.json()).deletedAt).toBeGreaterThan(0);
    }
    const link = await linkOf(token, deleted);
    expect((await change(token, restored, { deleted: false })).status).toBe(200);
    expect(await inList(token, restored)).toMatchObject({ deletedAt: null });
    expect((await inList(token, deleted))?.deletedAt).not.toBeNull();
    await passDays(8);
    const { token: later } = await one.signIn('ada');
    expect(await inList(later, deleted)).toBeUndefined();
    expect((await change(later, deleted, { deleted: false })).status).toBe(404);
    expect((await one.fetch(new URL(link).pathname)).status).toBe(403);
    await expect.poll(async () => (await filesOnDisk()).length, patient).toBe(before - 1);
    expect(await inList(later, kept)).toBeDefined();
  });

  it('has a list also while the CRM does not answer, and the names once it does', async () => {
    const { token } = await one.signIn('bob');
    const id = await leave({ mailbox: '1002', number: '+14155550101' });
    let speak = () => {};
    silence = new Promise((resolve) => {
      speak = resolve;
    });
    expect(await inList(token, id)).not.toHaveProperty('matches');
    speak();
    silence = null;
    await expect.poll(async () => (await inList(token, id))?.matches, patient).toHaveLength(1);
  });
});

describe('a message that is old', () => {
  it('goes with its file, unless a hold keeps the caller’s number', async () => {
    const [old, held] = [await leave({ number: '+14155550177' }), await leave({ number: '+14155550188' })];
    const { token: before } = await one.signIn('ada');
    expect(await inList(before, old)).toBeDefined();
    const store = await openStore({ kind: 'sqlite', folder });
    try {
      const hold = { tenant: 'acme', kind: 'number', subject: '+14155550188', reason: 'court', at: 1 } as const;
      expect(await store.keeping.addHold(hold as never)).toBe(true);
    } finally {
      await store.close();
    }
    await passDays(31);
    const { token } = await one.signIn('ada');
    await expect.poll(async () => await inList(token, old), patient).toBeUndefined();
    expect(await inList(token, held)).toBeDefined();
    await expect.poll(filesOnDisk, patient).toHaveLength(1);
  });

  it('whose file was damaged is refused, not begun', async () => {
    const { token } = await one.signIn('ada');
    const before = new Set(await filesOnDisk());
    const id = await leave();
    const [file = ''] = (await filesOnDisk()).filter((path) => !before.has(path));
    const bytes = await readFile(file);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await writeFile(file, bytes);
    const answer = await fetch(await linkOf(token, id));
    expect([answer.status, await problem(answer)]).toEqual([503, expect.stringContaining('changed or damaged')]);
  });
});

it('an error of a CRM is no error of the list', async () => {
  const { token } = await one.signIn('ada');
  const id = await leave({ number: '+14155550166' });
  silence = Promise.reject(new PatchcordError('crm.unavailable', 'It is down.', { retryable: true }));
  silence.catch(() => {});
  expect(await inList(token, id)).not.toHaveProperty('matches');
  silence = null;
});
