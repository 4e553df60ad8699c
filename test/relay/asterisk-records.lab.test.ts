/** The recipe for Asterisk 22: what it spools of each leg, and that the shipper brings it to the relay, also after the relay was away. */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createMemoryRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Asterisk, startAsterisk } from '../sip-lab/asterisk.ts';
import { type Baresip, startBaresip } from '../sip-lab/baresip.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';

const lab = labFromEnvironment();
const recipe = fileURLToPath(new URL('../../deploy/asterisk/call-records/', import.meta.url));
const secret = 'the-secret-of-asterisk-in-this-laboratory-01';
const folder = join(lab.folder, 'relay-of-asterisk');
const crm = createMemoryRelay();
const arriving = { timeout: 10_000, interval: 50 };
const run = promisify(execFile);

let relay: RelayInTest;
let asterisk: Asterisk;
let ada: Baresip;
let bob: Baresip;
let spool: string;

function startRelay(port: number): Promise<RelayInTest> {
  const callRecords = { asterisk: { secret }, settleMs: 300, signedInSettleMs: 300, groupMs: 0 };
  const agents = [
    { id: 'ada', name: 'Ada Byron', extension: '1102', crmUserId: 'ada' },
    { id: 'bob', name: 'Bob Moog', extension: '1103', crmUserId: 'bob' },
  ];
  return startRelayInTest(testConfig({ port, dataDir: folder, tenants: [testTenant({ callRecords, agents })] }), {
    connectCrm: () => crm,
    folder,
  });
}

/** One look of the shipper; a relay that is away is no error of it. */
async function ship(): Promise<void> {
  await run(join(recipe, 'ship-call-records'), {
    env: {
      PATH: process.env.PATH,
      PATCHCORD_URL: `http://127.0.0.1:${relay.relay.port}/v1/call-records/acme/asterisk`,
      PATCHCORD_HEADER: join(lab.folder, 'asterisk-records.header'),
      PATCHCORD_SPOOL: spool,
      PATCHCORD_EVERY: '0',
    },
  });
}
const spooled = () => readdirSync(spool).filter((name) => name.endsWith('.json'));
const logs = () => crm.logs().map(({ owner, direction, outcome, seconds }) => ({ owner, direction, outcome, seconds }));

beforeAll(async () => {
  relay = await startRelay(0);
  writeFileSync(join(lab.folder, 'asterisk-records.header'), `Authorization: Bearer ${secret}\n`, { mode: 0o600 });
  const endpoint = (user: string) =>
    [
      `[${user}](desk)\nauth=${user}\naors=${user}\ncallerid=Phone ${user} <${user}>`,
      'set_var=CHANNEL(hangup_handler_push)=patchcord-records,s,1',
      `[${user}]\ntype=auth\nauth_type=digest\nusername=${user}\npassword=password-${user}`,
      `[${user}]\ntype=aor\nmax_contacts=1\nremove_existing=yes\n`,
    ].join('\n');
  asterisk = await startAsterisk(lab, {
    more: {
      'pjsip.conf': endpoint('1102') + endpoint('1103'),
      'extensions.conf': `${readFileSync(join(recipe, 'extensions.conf'), 'utf8')}\n[from-internal](+)\nexten => 600,1,Dial(PJSIP/1102&PJSIP/1103,3)\n same => n,Hangup()\n`,
    },
  });
  spool = join(dirname(asterisk.log), 'spool', 'patchcord');
  mkdirSync(spool);
  const phone = (user: string, address = '', toneHz = 600) =>
    startBaresip(lab, { user, password: `password-${user}`, address, toneHz, registrar: `${asterisk.address}:5060` });
  [ada, bob] = await Promise.all([phone('1102', lab.far.addresses[0]), phone('1103', lab.far.addresses[1], 850)]);
});
afterAll(async () => {
  await Promise.all([ada?.stop(), bob?.stop()]);
  await asterisk?.stop();
  await relay?.closed();
  await rm(folder, { recursive: true, force: true });
});

it('tells both legs of a call between two agents, after the relay was away', async () => {
  const { port } = relay.relay;
  await relay.relay.close();
  await ada.dial('1103');
  await bob.waitFor('incoming');
  await bob.answer();
  await Promise.all([ada.waitFor('established'), bob.waitFor('established')]);
  await ada.hears(bob.toneHz);
  await ada.hangUp();
  await bob.waitFor('closed');
  await expect.poll(spooled, arriving).toHaveLength(2);
  await ship();
  expect(spooled()).toHaveLength(2);
  relay = await startRelay(port);
  await ship();
  expect(spooled()).toEqual([]);
  await expect
    .poll(() => logs().sort((a, b) => a.direction.localeCompare(b.direction)), arriving)
    .toMatchObject([
      { owner: 'bob', direction: 'inbound', outcome: 'answered' },
      { owner: 'ada', direction: 'outbound', outcome: 'answered' },
    ]);
  expect(Math.max(...logs().map(({ seconds }) => seconds))).toBeLessThan(60);
});

it('leaves one missed log when a group rings out', async () => {
  for (const { id } of crm.logs()) crm.remove(id);
  const desk = await startBaresip(lab, {
    user: asterisk.desk.user,
    password: asterisk.desk.password,
    registrar: `${asterisk.address}:5060`,
    address: lab.far.addresses[2] ?? '',
    toneHz: 1_000,
  });
  try {
    await desk.dial('600');
    await Promise.all([ada.waitFor('incoming'), bob.waitFor('incoming')]);
    await Promise.all([ada.waitFor('closed'), bob.waitFor('closed')]);
    await expect.poll(spooled, arriving).toHaveLength(2);
    await ship();
    await expect.poll(logs, arriving).toMatchObject([{ owner: 'ada', direction: 'inbound', outcome: 'missed' }]);
    expect(crm.logs()[0]?.title).toBe('Missed call from Desk phone');
  } finally {
    await desk.stop();
  }
});

it('puts a file that can’t be read aside, and sends the others', async () => {
  writeFileSync(join(spool, 'broken.json'), '{"id":"x"}');
  writeFileSync(join(spool, 'torn.json'), '{"id":');
  await ship();
  expect(spooled()).toEqual(['torn.json']);
});
