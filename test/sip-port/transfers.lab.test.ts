/**
 * Transfers between real phones on the real edge: by the agent where the second far side can be replaced (linphone) and where it cannot (baresip),
 * and by a far side that sends the agent on. Who hears whom is judged by tones.
 * Run inside: node test/sip-lab/run-in-lab.ts -- npx vitest run --project lab test/sip-port/transfers.lab.test.ts
 */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { conforms } from '../conformance/record.ts';
import { type Baresip, startBaresip } from '../sip-lab/baresip.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import type { FarPhone } from '../sip-lab/far-phone.ts';
import { type Linphone, startLinphone } from '../sip-lab/linphone.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { ephemeralCredential } from '../sip-lab/wss-client.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';

const lab = labFromEnvironment();
const [firstAddress = '', secondAddress = '', thirdAddress = '', fourthAddress = ''] = lab.far.addresses;
const credentialSecret = randomBytes(32).toString('hex');

let edge: Edge;
let browser: TestBrowser;
let server: PhonePageServer;
let phone: PhoneInBrowser;
let bob: Baresip;
let carol: Baresip;
let dora: Linphone;
let erik: Linphone;

beforeAll(async () => {
  [edge, browser, server] = await Promise.all([
    startEdge(lab, { credentialSecret, turnSecret: randomBytes(16).toString('hex') }),
    startBrowser({ toneHz: 440 }),
    servePhonePage(),
  ]);
  bob = await startBaresip(lab, { user: '2001', address: firstAddress, toneHz: 600, autoAnswer: true });
  carol = await startBaresip(lab, { user: '2002', address: secondAddress, toneHz: 850, autoAnswer: true });
  dora = await startLinphone(lab, { user: '2003', address: thirdAddress, toneHz: 1700, autoAnswer: true });
  erik = await startLinphone(lab, { user: '2004', address: fourthAddress, toneHz: 1250, autoAnswer: true });
});
afterAll(async () => {
  await Promise.all([bob?.stop(), carol?.stop(), dora?.stop(), erik?.stop()]);
  await browser?.close();
  await server?.close();
  await edge?.stop();
});
afterEach(async () => {
  const errors = await phone.errors();
  await phone.stop();
  await phone.page.close();
  expect(errors).toEqual([]);
});

async function register(followTransfers = false): Promise<void> {
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  const credential = { ...ephemeralCredential(credentialSecret, '1001', 300), expiresAt: Date.now() + 300_000 };
  await phone.start(accountFor({ url: edge.wssUrl, domain: edge.domain }, '1001', { followTransfers }), credential);
  await phone.next('sip.registered');
}
async function connected(far: FarPhone) {
  const { call } = await phone.dial(far.user);
  await far.waitFor('established');
  await phone.next('sip.answered', call);
  return call;
}
const hears = (hz: number) => listenUntil(phone.page.mainFrame(), `${hz} Hz`, (heard) => heard.amplitude(hz) > 0.01);
const heldAndConsulted = async (first: FarPhone, second: FarPhone) => {
  const call = await connected(first);
  await phone.command('hold', call, true);
  await phone.next('sip.held', call);
  const consult = await connected(second);
  await hears(second.toneHz);
  await phone.command('transferAttended', call, consult);
  return { call, consult };
};

it('joins two far sides in one call where the second can be replaced', async () => {
  await register();
  const { call, consult } = await heldAndConsulted(erik, dora);
  await phone.next('sip.transferred', call, 20_000);
  await expect
    .poll(async () => (await phone.signals()).filter(({ signal }) => signal.type === 'sip.ended').length, {
      timeout: 10_000,
    })
    .toBe(2);
  await dora.hears(1250);
  expect(consult).not.toBe(call);
  await erik.hangUp();
  await dora.waitFor('closed');
  const refer = (await phone.sent()).find(({ text }) => text.startsWith('REFER '))?.text;
  expect(refer).toMatch(/^Refer-To: .*Replaces=/m);
  conforms('attended transfer', 'linphone', {
    heard: 'the two far sides hear each other (1250 Hz at the other)',
    wire: 'REFER with Replaces in Refer-To → accepted → both calls end',
  });
});

it('ends the second call first where its far side cannot be replaced, and the two talk in one call', async () => {
  await register();
  const { call, consult } = await heldAndConsulted(dora, carol);
  expect((await phone.next('sip.ended', consult)).signal.by).toBe('agent');
  await phone.next('sip.transferred', call, 20_000);
  await carol.hears(1700);
  await phone.next('sip.ended', call);
  await carol.hangUp();
});

it('goes where its far side sends it, under the same call', async () => {
  await register(true);
  const call = await connected(bob);
  await hears(600);
  await bob.transfer(carol.user);
  expect((await phone.next('sip.identified', call, 20_000)).signal.farSide.number).toBe(carol.user);
  await hears(850);
  await carol.hears(440);
  await phone.command('hangUp', call);
  await carol.waitFor('closed');
  expect((await phone.sent()).some(({ text }) => /^SIP\/2\.0 202/.test(text))).toBe(true);
  conforms('far side transfers us', 'baresip', {
    heard: 'the agent: 600 Hz, then 850 Hz of the third, which hears 440 Hz',
    wire: 'REFER → 202, INVITE to the third under the same call',
  });
});

it('stays where its far side would send it nowhere', async () => {
  await register(true);
  const call = await connected(bob);
  await bob.transfer('2999');
  await expect
    .poll(
      async () => (await phone.sent()).some(({ text }) => text.startsWith('NOTIFY') && /SIP\/2\.0 [45]\d\d/.test(text)),
      {
        timeout: 20_000,
      },
    )
    .toBe(true);
  await phone.command('hangUp', call);
  await phone.next('sip.ended', call);
});
