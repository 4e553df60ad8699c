/** The recipe for Asterisk's mailboxes on a real Asterisk: a message that was left there is the relay's, sound and caller, and the mailbox goes on. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { VoicemailsSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Asterisk, startAsterisk } from '../sip-lab/asterisk.ts';
import { type Baresip, startBaresip } from '../sip-lab/baresip.ts';
import { untilReady } from '../sip-lab/lab-process.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { goertzel, parseWav } from '../sip-lab/tone.ts';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';

const lab = labFromEnvironment();
const script = fileURLToPath(new URL('../../deploy/asterisk/voicemail/ship-voicemail', import.meta.url));
const secret = 'the-secret-of-asterisk-in-this-laboratory-01';
const arriving = { timeout: 30_000, interval: 100 };
const toneHz = 600;
const run = promisify(execFile);

let relay: RelayInTest;
let asterisk: Asterisk;
let desk: Baresip;
let mailboxes: string;

beforeAll(async () => {
  const agents = [{ id: 'ada', name: 'Ada Byron', extension: '1101', crmUserId: 'ada' }];
  relay = await startRelayInTest(
    testConfig({ tenants: [testTenant({ agents, callRecords: { asterisk: { secret } } })] }),
  );
  writeFileSync(join(lab.folder, 'voicemail.header'), `Authorization: Bearer ${secret}\n`, { mode: 0o600 });
  asterisk = await startAsterisk(lab, { more: { 'voicemail.conf': '1101 => 4711,Ada Byron\n' } });
  mailboxes = join(dirname(asterisk.log), 'spool/voicemail/default');
  const { user, password } = asterisk.desk;
  const [address = ''] = lab.far.addresses;
  desk = await startBaresip(lab, { user, password, address, toneHz, registrar: `${asterisk.address}:5060` });
});
afterAll(async () => {
  await desk?.stop();
  await asterisk?.stop();
  await relay?.closed();
});

const inbox = async (): Promise<readonly string[]> =>
  (await readdir(join(mailboxes, '1101/INBOX')).catch(() => [])).filter((name) => /\.(?:txt|wav)$/.test(name)).sort();
/** Skips the greeting, speaks for two seconds, and hangs up. */
async function leaveMessage(): Promise<void> {
  const recordings = (): number => readFileSync(asterisk.log, 'utf8').split('Recording the message').length;
  const before = recordings();
  await desk.dial('*981101');
  await desk.waitFor('established');
  await desk.sendDtmf('#');
  await untilReady('Nothing is recorded', () => recordings() > before || undefined);
  await desk.listen(2_000);
  await desk.hangUp();
  await expect.poll(inbox, arriving).toEqual(['msg0000.txt', 'msg0000.wav']);
}
async function ship(): Promise<string> {
  const { stderr } = await run(script, {
    env: {
      PATH: process.env.PATH ?? '',
      PATCHCORD_URL: `http://127.0.0.1:${relay.relay.port}/v1/voicemails/acme/asterisk`,
      PATCHCORD_HEADER: join(lab.folder, 'voicemail.header'),
      PATCHCORD_MAILBOXES: mailboxes,
      PATCHCORD_WORK: join(lab.folder, 'voicemail-work'),
      PATCHCORD_EVERY: '0',
    },
  });
  return stderr;
}

it('hands a message over with its caller and its sound, and the mailbox takes the next as its first', async () => {
  const { token } = await relay.signIn('ada');
  for (const count of [1, 2]) {
    await leaveMessage();
    // As the call records have it.
    expect(readFileSync(join(mailboxes, '1101/INBOX/msg0000.txt'), 'utf8')).toMatch(/^category=patchcord \d+\.\d+$/m);
    expect(await ship()).toBe('');
    expect(await inbox()).toEqual([]);
    const { voicemails } = v.parse(VoicemailsSchema, await (await relay.fetch('/v1/voicemails', { token })).json());
    expect(voicemails).toHaveLength(count);
    expect(voicemails[0]?.from.number).toBe('1001');
    expect(voicemails[0]?.durationMs).toBeGreaterThan(1_000);
    const link = await relay.fetch(`/v1/voicemails/${voicemails[0]?.id}/audio`, { token });
    const { url } = (await link.json()) as { url: string };
    const sound = Buffer.from(await (await fetch(url)).arrayBuffer());
    expect(goertzel(parseWav(sound).samples, 8_000, toneHz)).toBeGreaterThan(0.01);
  }
});
