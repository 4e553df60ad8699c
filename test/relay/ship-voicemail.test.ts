/** Messages as Asterisk leaves them in its spool, shipped to a real relay by the recipe's script: taken out when the relay has them, and not before. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { link, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { VoicemailsSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';
import { wavOf } from '../unit/server/wav-samples.ts';

const script = fileURLToPath(new URL('../../deploy/asterisk/voicemail/ship-voicemail', import.meta.url));
const secret = 'the-secret-of-the-phone-system-in-tests-01';
const run = promisify(execFile);

let one: RelayInTest;
let token: string;
let folder: string;
let inbox: string;
beforeAll(async () => {
  one = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant({ callRecords: { asterisk: { secret }, settleMs: 200, signedInSettleMs: 200, groupMs: 100 } }),
      ],
      voicemails: { largestMb: 1 },
    }),
  );
  ({ token } = await one.signIn());
});
afterAll(() => one.closed());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-spool-'));
  inbox = join(folder, 'default', '1001', 'INBOX');
  await mkdir(inbox, { recursive: true });
  await writeFile(join(folder, 'header'), `Authorization: Bearer ${secret}\n`, { mode: 0o600 });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function ship(url = `${one.relay.url}/v1/voicemails/acme/asterisk`): Promise<string> {
  const { stderr } = await run(script, {
    env: {
      PATH: process.env.PATH ?? '',
      PATCHCORD_URL: url,
      PATCHCORD_HEADER: join(folder, 'header'),
      PATCHCORD_MAILBOXES: join(folder, 'default'),
      PATCHCORD_WORK: join(folder, 'work'),
      PATCHCORD_EVERY: '0',
    },
  });
  return stderr;
}
let messages = 0;
async function leave(number: number, facts: string, place = inbox, category = ''): Promise<string> {
  messages += 1;
  const id = `179000${messages}-0000000${messages}`;
  const text = `;\n; Message Information file\n;\n[message]\norigmailbox=1001\n${facts}\norigtime=1790000000\ncategory=${category}\nmsg_id=${id}\nflag=\nduration=2\n`;
  const base = join(place, `msg000${number}`);
  await writeFile(`${base}.wav`, wavOf([440], { seconds: 2 }));
  await writeFile(`${base}.txt`, text);
  return id;
}
async function listed() {
  const answer = await one.fetch('/v1/voicemails', { token });
  return v.parse(VoicemailsSchema, await answer.json()).voicemails;
}
const left = async (): Promise<readonly string[]> => (await readdir(inbox)).sort();

it('hands over who called, when and the sound, and takes the message out of the mailbox', async () => {
  await leave(0, 'callerid="Grace \\ "The Amazing" Hopper" <+14155550101>');
  await leave(1, 'callerid=Unknown');
  expect(await ship()).toBe('');
  expect(await left()).toEqual([]);
  const list = await listed();
  expect(list).toHaveLength(2);
  expect(list.find(({ from }) => from.number !== '')).toMatchObject({
    from: { number: '+14155550101', e164: '+14155550101', name: 'Grace \\ "The Amazing" Hopper' },
    at: 1_790_000_000_000,
    durationMs: 2_000,
  });
  expect(list.find(({ from }) => from.number === '')?.from).toEqual({ number: '' });
});

it('says in which conversation it was left, so that the log of that call tells of it, whatever the number was', async () => {
  const conversation = '1790000000.42';
  const began = 1_790_000_000 - 30;
  const report = await one.fetch('/v1/call-records/acme/asterisk', {
    token: secret,
    json: {
      ...{
        id: 'leg-42',
        state: 'ended',
        sipCallId: 'leg-42@pbx',
        conversation,
        extension: '1001',
        direction: 'inbound',
      },
      ...{ number: '%2B14155550177', started: String(began), answered: '', ended: String(began + 20), cause: '16' },
    },
  });
  expect(await report.json()).toMatchObject({ stored: 1 });
  await leave(0, 'callerid=Unknown', inbox, `patchcord ${conversation}`);
  // Somebody else's category is no conversation.
  await leave(1, 'callerid=<+14155550188>', inbox, conversation);
  expect(await ship()).toBe('');
  const voicemails = () => one.crm.logs().filter(({ note }) => note.includes('Message left (0:02)'));
  await expect
    .poll(() => voicemails().map(({ title }) => title.includes('0177')), { timeout: 20_000, interval: 50 })
    .toContain(true);
  await expect.poll(() => voicemails().some(({ title }) => title.includes('0188')), { timeout: 20_000 }).toBe(true);
  expect(one.crm.logs().filter(({ title }) => title.includes('0177'))).toHaveLength(1);
});

it('keeps every message while the relay is away, and hands each over once when it is back', async () => {
  const before = (await listed()).length;
  await leave(0, 'callerid=<1002>');
  await leave(1, 'callerid=<1002>');
  expect(await ship('http://127.0.0.1:1/v1/voicemails/acme/asterisk')).toContain('it is kept');
  expect(await left()).toHaveLength(4);
  await ship();
  expect(await left()).toEqual([]);
  expect(await listed()).toHaveLength(before + 2);
});

it('leaves a message where it is that the relay can’t take, says why once, and holds no other back', async () => {
  const others = join(folder, 'default', '0009', 'INBOX');
  await mkdir(others, { recursive: true });
  await leave(0, 'callerid=<1002>', others);
  await leave(0, 'callerid=<1002>');
  const said = await ship();
  expect(said).toContain('no agent has the mailbox');
  expect(said.match(/can't take/g)).toHaveLength(1);
  expect(await readdir(others)).toHaveLength(2);
  expect(await left()).toEqual([]);
  expect(await ship()).toBe('');
});

it('does not begin while another one works in the same folder', async () => {
  await leave(0, 'callerid=<1002>');
  await mkdir(join(folder, 'work'));
  const other = spawn('flock', [join(folder, 'work', 'running'), 'cat']);
  try {
    // It echoes once it has the lock.
    other.stdin.write('held');
    await once(other.stdout, 'data');
    await expect(ship()).rejects.toThrow(/another ship-voicemail works/);
    expect(await left()).toHaveLength(2);
  } finally {
    other.stdin.end();
    await once(other, 'close');
  }
  await ship();
  expect(await left()).toEqual([]);
});

it('says so when the sound can’t be copied, and leaves the message', async () => {
  await leave(0, 'callerid=<1002>');
  await mkdir(join(folder, 'work', 'message.sound', 'in-the-way'), { recursive: true });
  await mkdir(join(folder, 'work', 'message.sound', 'msg0000.wav'), { recursive: true });
  expect(await ship()).toContain('message.sound');
  expect(await left()).toHaveLength(2);
});

it('touches nothing while Asterisk holds the folder, and frees it of a lock that it left itself', async () => {
  await leave(0, 'callerid=<1002>');
  await writeFile(join(inbox, '.lock'), '');
  await ship();
  expect(await left()).toEqual(['.lock', 'msg0000.txt', 'msg0000.wav']);
  await rm(join(inbox, '.lock'));
  await writeFile(join(inbox, '.lock-patchcord'), '');
  await link(join(inbox, '.lock-patchcord'), join(inbox, '.lock'));
  await ship();
  expect(await left()).toEqual([]);
});
