/**
 * The real port on the real edge: Kamailio, rtpengine and coturn, with baresip and linphone as far ends. Sound is judged on both sides.
 * Run inside: node test/sip-lab/run-in-lab.ts -- npx vitest run --project lab test/sip-port/kamailio.lab.test.ts
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { CallId } from '@patchcord/call-protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listen, listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { conforms, limited } from '../conformance/record.ts';
import { type Baresip, startBaresip } from '../sip-lab/baresip.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import type { FarPhone } from '../sip-lab/far-phone.ts';
import { type Linphone, startLinphone } from '../sip-lab/linphone.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { ephemeralCredential } from '../sip-lab/wss-client.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';

const lab = labFromEnvironment();
const [firstAddress = '', secondAddress = '', thirdAddress = ''] = lab.far.addresses;
const credentialSecret = randomBytes(32).toString('hex');
const turnSecret = randomBytes(16).toString('hex');
const ourTone = 440;

let edge: Edge;
let browser: TestBrowser;
let server: PhonePageServer;
let phone: PhoneInBrowser;
let bob: Baresip;
let carol: Baresip;
let dora: Linphone;

const credential = (extension = '1001', seconds = 300) => ({
  ...ephemeralCredential(credentialSecret, extension, seconds),
  expiresAt: Date.now() + seconds * 1_000,
});

beforeAll(async () => {
  [edge, browser, server] = await Promise.all([
    startEdge(lab, { credentialSecret, turnSecret }),
    startBrowser({ toneHz: ourTone }),
    servePhonePage(),
  ]);
  bob = await startBaresip(lab, { user: '2001', address: firstAddress, toneHz: 600, autoAnswer: true });
  carol = await startBaresip(lab, { user: '2002', address: secondAddress, toneHz: 850, autoAnswer: true });
  dora = await startLinphone(lab, { user: '2003', address: thirdAddress, toneHz: 1700, autoAnswer: true });
});
afterAll(async () => {
  await Promise.all([bob?.stop(), carol?.stop(), dora?.stop()]);
  await browser?.close();
  await server?.close();
  await edge?.stop();
});

beforeEach(async () => {
  edge.forgetSip();
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  await phone.start(accountFor({ url: edge.wssUrl, domain: edge.domain }, '1001'), credential());
  await phone.next('sip.registered');
});
afterEach(async () => {
  const errors = await phone.errors();
  await phone.stop();
  await phone.page.close();
  expect(errors).toEqual([]);
});

async function connected(far: FarPhone): Promise<CallId> {
  const { call } = await phone.dial(far.user);
  await far.waitFor('established');
  await phone.next('sip.answered', call);
  return call;
}
/** This tone and none of the others: no sound leaks from one call into another. */
const hears = (hz: number) => {
  const others = [600, 850, 1700].filter((it) => it !== hz);
  return listenUntil(
    phone.page.mainFrame(),
    `${hz} Hz alone`,
    (heard) => heard.amplitude(hz) > 0.01 && others.every((other) => heard.amplitude(other) < 0.003),
  );
};

describe('a call through the edge', () => {
  it('is heard on both sides, held in silence, resumed, and carries digits', async () => {
    const call = await connected(bob);
    await hears(600);
    await bob.hears(ourTone);
    await phone.command('hold', call, true);
    await phone.next('sip.held', call);
    const frame = phone.page.mainFrame();
    const before = await listen(frame);
    await new Promise((resolve) => setTimeout(resolve, 600));
    const after = await listen(frame);
    expect(after.packetsSent - before.packetsSent).toBe(0);
    expect(after.packetsReceived - before.packetsReceived).toBe(0);
    await phone.command('hold', call, false);
    await phone.next('sip.resumed', call);
    await hears(600);
    await bob.hears(ourTone);
    await phone.command('sendDigits', call, '12#');
    await expect.poll(() => bob.dtmf.join(''), { timeout: 5_000 }).toMatch(/12#$/);
    await bob.hangUp();
    expect((await phone.next('sip.ended', call)).signal.by).toBe('far-side');
  });

  it('comes in, is answered and hung up here', async () => {
    await bob.dial('1001');
    const { signal } = await phone.next('sip.invited');
    expect(signal.from.number).toBe('2001');
    await phone.answer(signal.call);
    await phone.next('sip.answered', signal.call);
    await bob.waitFor('established');
    await hears(600);
    await bob.hears(ourTone);
    await phone.command('hangUp', signal.call);
    await bob.waitFor('closed');
  });

  it('rings from a phone whose 180 has no Contact', async () => {
    // Answered by hand: where a phone answers at once, its 200 may overtake its 180 on the way.
    await dora.stop();
    dora = await startLinphone(lab, { user: '2003', address: thirdAddress, toneHz: 1700, autoAnswer: false });
    const { call } = await phone.dial(dora.user);
    await phone.next('sip.ringing', call);
    await dora.answer();
    await phone.next('sip.answered', call);
    await hears(1700);
    await phone.command('hangUp', call);
    await dora.waitFor('closed');
    await dora.stop();
    dora = await startLinphone(lab, { user: '2003', address: thirdAddress, toneHz: 1700, autoAnswer: true });
  });

  it('is told when the far side holds', async () => {
    const call = await connected(bob);
    await hears(600);
    await bob.hold();
    await phone.next('sip.far-held', call);
    await bob.resume();
    await phone.next('sip.far-resumed', call);
    await phone.command('hangUp', call);
  });

  it('goes through TURN only, when the profile says so', async () => {
    await phone.stop();
    const username = `${Math.floor(Date.now() / 1_000) + 300}:1001`;
    const turn = {
      urls: [`${edge.turnUrl}?transport=udp`],
      username,
      credential: createHmac('sha1', turnSecret).update(username).digest('base64'),
    };
    const account = accountFor({ url: edge.wssUrl, domain: edge.domain }, '1001', { iceTransportPolicy: 'relay' });
    await phone.start(account, credential(), [turn]);
    await phone.next('sip.registered');
    const call = await connected(bob);
    await hears(600);
    await bob.hears(ourTone);
    const offer = (await phone.sent()).findLast(({ text }) => text.startsWith('INVITE'))?.text ?? '';
    expect(offer).toMatch(/typ relay/);
    expect(offer).not.toMatch(/typ host/);
    await phone.command('hangUp', call);
  });
});

describe('a transfer through the edge', () => {
  it('hands the far side over blindly', async () => {
    const call = await connected(bob);
    await hears(600);
    await phone.command('transfer', call, carol.user);
    await carol.waitFor('established');
    await phone.next('sip.transferred', call);
    await phone.next('sip.ended', call);
    await carol.hears(600);
    await carol.hangUp();
    const refer = (await phone.sent()).find(({ text }) => text.startsWith('REFER '))?.text;
    expect(refer).toMatch(new RegExp(`^Refer-To: .*sip:${carol.user}@`, 'm'));
    conforms('blind transfer', 'baresip', {
      heard: 'the third phone: 600 Hz of who was handed over',
      wire: 'REFER with the third in Refer-To → accepted by its target → BYE',
    });
  });

  it('gives the call back when the target does not exist', async () => {
    const call = await connected(bob);
    await phone.command('transfer', call, '2999');
    await phone.next('sip.transfer-refused', call, 20_000);
    await hears(600);
    await phone.command('hangUp', call);
    await phone.next('sip.ended', call);
  });

  it('joins a held call with a consult call', async () => {
    const first = await connected(dora);
    await hears(1700);
    await phone.command('hold', first, true);
    await phone.next('sip.held', first);
    const consult = await connected(carol);
    await hears(850);
    await phone.command('transferAttended', first, consult);
    // baresip cannot be replaced, so the consult call ends before the transfer.
    await phone.next('sip.ended', consult);
    await phone.next('sip.transferred', first, 15_000);
    await phone.next('sip.ended', first);
    await carol.hears(1700);
    await carol.hangUp();
    limited(
      'attended transfer',
      'baresip',
      'as the target of the transfer it does not know Replaces: the consult call ends first, then the other is sent to it',
    );
  });
});

describe('a line on the edge', () => {
  it('takes a renewed credential in place, and the call outlives the old one', async () => {
    await phone.stop();
    await phone.start(accountFor({ url: edge.wssUrl, domain: edge.domain }, '1001'), credential('1001', 4));
    await phone.next('sip.registered');
    const call = await connected(bob);
    await phone.renew(credential('1001', 300));
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    await phone.command('hold', call, true);
    await phone.next('sip.held', call);
    await phone.command('hangUp', call);
    await phone.next('sip.ended', call);
    await connected(carol).then((again) => phone.command('hangUp', again));
  });

  it('says that an expired or foreign credential is refused, and registers with the next one', async () => {
    await phone.stop();
    await phone.start(accountFor({ url: edge.wssUrl, domain: edge.domain }, '1001'), credential('1002'));
    expect((await phone.next('sip.rejected')).signal.code).toBe(403);
    await phone.renew(credential());
    await phone.next('sip.registered');
  });

  it('comes back after the server was restarted in a call, which goes on and ends from the far side', async () => {
    const call = await connected(bob);
    await hears(600);
    await edge.stopKamailio();
    await phone.next('sip.lost');
    await hears(600);
    await edge.startKamailio();
    await phone.next('sip.registered', undefined, 40_000);
    await phone.command('hold', call, true);
    await phone.next('sip.held', call);
    await phone.command('hold', call, false);
    await phone.next('sip.resumed', call);
    await hears(600);
    await bob.hangUp();
    expect((await phone.next('sip.ended', call)).signal.by).toBe('far-side');
  });

  it('mends the path when the media relay crashed', async () => {
    await bob.stop();
    bob = await startBaresip(lab, { user: '2001', address: firstAddress, toneHz: 600, autoAnswer: true });
    const call = await connected(bob);
    await hears(600);
    await edge.crashRtpengine();
    await listenUntil(phone.page.mainFrame(), 'silence', (heard) => heard.rms < 0.001);
    await edge.startRtpengine();
    await listenUntil(phone.page.mainFrame(), '600 Hz again', (heard) => heard.amplitude(600) > 0.01, 30_000);
    const offers = (await phone.sent()).filter(({ text }) => text.startsWith('INVITE ')).map(({ text }) => text);
    expect(new Set(offers.map((text) => /^a=ice-ufrag:(.*)$/m.exec(text)?.[1])).size).toBeGreaterThan(1);
    conforms('ICE restart', 'baresip', {
      heard: 'the agent: 600 Hz, silence while the media relay is gone, 600 Hz again in the same call',
      wire: 're-INVITE with a new a=ice-ufrag',
    });
    await phone.command('hangUp', call);
  });
});

describe('a conference mixed here, through the edge', () => {
  const tones = [ourTone, 600, 850, 1700];
  /** These tones and no other, measured on the wire at the phone. */
  const phoneHears = (far: FarPhone, wanted: readonly number[]) => {
    const heard = () => tones.filter((hz) => far.heard(500).amplitude(hz) > 0.005);
    return expect.poll(heard, { timeout: 20_000, interval: 100 }).toEqual(wanted);
  };
  const mix = (calls: readonly CallId[], silenced?: CallId) =>
    phone.command(
      'mix',
      calls.map((call) => ({ call, silenced: call === silenced })),
    );

  // Kamailio was restarted above, and with it went who was registered.
  beforeAll(async () => {
    await Promise.all([carol.stop(), dora.stop()]);
    carol = await startBaresip(lab, { user: '2002', address: secondAddress, toneHz: 850, autoAnswer: true });
    dora = await startLinphone(lab, { user: '2003', address: thirdAddress, toneHz: 1700, autoAnswer: true });
  });

  it('lets three phones hear each other and none itself, mutes, silences, drops and splits', async () => {
    const [first, second, third] = [await connected(bob), await connected(carol), await connected(dora)] as const;
    const all = [first, second, third];
    await mix(all);
    await phoneHears(bob, [ourTone, 850, 1700]);
    await phoneHears(carol, [ourTone, 600, 1700]);
    await phoneHears(dora, [ourTone, 600, 850]);
    await listenUntil(phone.page.mainFrame(), 'all three', (heard) =>
      [600, 850, 1700].every((hz) => heard.amplitude(hz) > 0.01),
    );
    for (const call of all) await phone.command('mute', call, true);
    await phoneHears(bob, [850, 1700]);
    await phoneHears(dora, [600, 850]);
    for (const call of all) await phone.command('mute', call, false);
    await mix(all, second);
    await phoneHears(bob, [ourTone, 1700]);
    await phoneHears(carol, [ourTone, 600, 1700]);
    await mix(all);
    await phoneHears(bob, [ourTone, 850, 1700]);

    await mix([first, second]);
    await phone.command('hold', third, true);
    await phone.next('sip.held', third);
    await dora.hearsSilence();
    await phoneHears(bob, [ourTone, 850]);
    await carol.hangUp();
    await phone.next('sip.ended', second);
    await phoneHears(bob, [ourTone]);
    await mix([first, third]);
    await phone.command('hold', third, false);
    await phone.next('sip.resumed', third);
    await phoneHears(dora, [ourTone, 600]);
    await phoneHears(bob, [ourTone, 1700]);
    for (const call of [first, third]) await phone.command('hangUp', call);
    await bob.waitFor('closed');
    conforms('conference mixed here', 'baresip', {
      heard: 'four tones: each of three phones hears the agent (440 Hz) and the two others, and not itself',
      wire: 'three calls that are mixed in the page; no message for it',
    });
    conforms('conference mixed here', 'linphone', {
      heard: 'its 1700 Hz at the two others, theirs and 440 Hz at it; silence while it is split off and held',
      wire: 'no message for the mixing; re-INVITE for the hold',
    });
  });
});
