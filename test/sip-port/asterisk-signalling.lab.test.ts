/**
 * The wire with a real Asterisk 22 that insists on acknowledged ringing, runs session timers and says by UPDATE who the far side is.
 * Run inside: node test/sip-lab/run-in-lab.ts -- npx vitest run --project lab test/sip-port/asterisk-signalling.lab.test.ts
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { conforms } from '../conformance/record.ts';
import { type Asterisk, browserEndpoint, startAsterisk } from '../sip-lab/asterisk.ts';
import { type Baresip, startBaresip } from '../sip-lab/baresip.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { headerOf } from './phone-desk.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';

const lab = labFromEnvironment();
const [deskAddress = ''] = lab.far.addresses;

let asterisk: Asterisk;
let browser: TestBrowser;
let server: PhonePageServer;
let desk: Baresip;
let phone: PhoneInBrowser;

beforeAll(async () => {
  [asterisk, browser, server] = await Promise.all([
    startAsterisk(lab, {
      more: {
        'pjsip.conf': browserEndpoint({
          endpoint: `100rel=required
timers=required
timers_min_se=90
timers_sess_expires=90
send_pai=yes
send_rpid=no
trust_id_outbound=yes
connected_line_method=update
rtp_symmetric=yes`,
        }),
        'extensions.conf': `
[from-internal]
exten => 3001,1,Dial(PJSIP/3001,30)
exten => 3010,1,Progress()
 same => n,Playtones(600)
 same => n,Wait(2)
 same => n,Answer()
 same => n,Set(CONNECTEDLINE(name,i)=Sales Desk)
 same => n,Set(CONNECTEDLINE(num,i)=3099)
 same => n,Set(CONNECTEDLINE(pres)=allowed)
 same => n,Playtones(850)
 same => n,Wait(120)
`,
      },
    }),
    startBrowser({ toneHz: 440 }),
    servePhonePage(),
  ]);
  desk = await startBaresip(lab, {
    user: asterisk.desk.user,
    password: asterisk.desk.password,
    registrar: `${asterisk.address}:5060`,
    address: deskAddress,
    toneHz: 600,
    autoAnswer: true,
  });
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  const credential = { username: '3001', password: 'agent', expiresAt: 4_102_444_800_000 };
  await phone.start(
    accountFor({ url: asterisk.wssUrl, domain: asterisk.domain }, '3001', { sessionSeconds: 90 }),
    credential,
  );
  await phone.next('sip.registered');
});
afterAll(async () => {
  expect(await phone?.errors()).toEqual([]);
  await phone?.stop();
  await desk?.stop();
  await browser?.close();
  await server?.close();
  await asterisk?.stop();
});

const sent = async (method: string) =>
  (await phone.sent()).map(({ text }) => text).filter((text) => text.startsWith(`${method} `));

it('acknowledges ringing with sound, and learns by UPDATE whom it reached', async () => {
  const { call } = await phone.dial('3010');
  expect((await phone.next('sip.ringing', call)).signal.earlyMedia).toBe(true);
  await expect.poll(async () => (await sent('PRACK')).length).toBeGreaterThan(0);
  await phone.next('sip.answered', call);
  const invite = (await sent('INVITE'))[0];
  expect(headerOf(invite, 'Supported')).toMatch(/100rel.*timer|timer.*100rel/);
  phone.rewind();
  expect((await phone.next('sip.identified', call)).signal.farSide).toEqual({ number: '3099', name: 'Sales Desk' });
  await listenUntil(phone.page.mainFrame(), '850 Hz', (it) => it.amplitude(850) > 0.01);
  await phone.command('hangUp', call);
  await phone.next('sip.ended', call);
  const updates = (await phone.sent()).map(({ text }) => text).filter((text) => /^CSeq: \d+ UPDATE/m.test(text));
  expect(updates.every((text) => text.startsWith('SIP/2.0 200'))).toBe(true);
  expect(headerOf(updates[0], 'Session-Expires')).toMatch(/^90;refresher=/);
  conforms('reliable ringing (PRACK)', 'asterisk', {
    heard: 'the agent: 850 Hz after the answer',
    wire: 'ringing that requires 100rel → PRACK → 200',
  });
  conforms('session timer', 'asterisk', {
    heard: 'the agent: 850 Hz',
    wire: 'UPDATE of Asterisk → 200 with Session-Expires: 90',
  });
});

it('rings acknowledged, and is heard both ways once it is answered', async () => {
  await desk.dial('3001');
  const { signal } = await phone.next('sip.invited');
  expect(signal.from.number).toBe('1001');
  await expect
    .poll(
      async () => (await phone.sent()).filter(({ text }) => /^SIP\/2\.0 180/.test(text) && /^RSeq:/m.test(text)).length,
    )
    .toBeGreaterThan(0);
  await phone.answer(signal.call);
  await phone.next('sip.answered', signal.call);
  const accepted = (await phone.sent())
    .map(({ text }) => text)
    .findLast((text) => /^SIP\/2\.0 200/.test(text) && /INVITE\r?$/m.test(text));
  expect(headerOf(accepted, 'Session-Expires')).toMatch(/^90;refresher=/);
  await listenUntil(phone.page.mainFrame(), '600 Hz', (it) => it.amplitude(600) > 0.01);
  await desk.hears(440);
  await desk.hangUp();
  expect((await phone.next('sip.ended', signal.call)).signal.by).toBe('far-side');
});
