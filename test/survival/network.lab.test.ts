/**
 * Calls on the real edge while what is beneath them goes: the agent's network, the media relay, the signalling server, the connection to it. Sound is
 * measured at both ends, and every call is held, sent keys and hung up afterwards.
 * Run inside: node test/sip-lab/run-in-lab.ts -- npx vitest run --project lab test/survival/network.lab.test.ts
 */
import { randomBytes } from 'node:crypto';
import type { CallId } from '@patchcord/call-protocol';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listen, listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type Baresip, startBaresip } from '../sip-lab/baresip.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import type { FarPhone } from '../sip-lab/far-phone.ts';
import { type Linphone, startLinphone } from '../sip-lab/linphone.ts';
import { labFromEnvironment, type Uplink, useUplink } from '../sip-lab/namespaces.ts';
import { ephemeralCredential } from '../sip-lab/wss-client.ts';
import { Hurdle } from '../sip-port/hurdle.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from '../sip-port/phone-in-browser.ts';

const lab = labFromEnvironment();
const [firstAddress = '', secondAddress = ''] = lab.far.addresses;
const secret = randomBytes(32).toString('hex');
const ourTone = 440;

let edge: Edge;
let browser: TestBrowser;
let server: PhonePageServer;
let phone: PhoneInBrowser;
let bob: Baresip;
let dora: Linphone;
let uplink: Uplink = 'first';

beforeAll(async () => {
  [edge, browser, server] = await Promise.all([
    startEdge(lab, { credentialSecret: secret, turnSecret: randomBytes(16).toString('hex') }),
    // An address of loopback would outlive every network.
    startBrowser({ toneHz: ourTone, loopbackMedia: false }),
    servePhonePage(),
  ]);
  await startPhones();
});
afterAll(async () => {
  await Promise.all([bob?.stop(), dora?.stop()]);
  await browser?.close();
  await server?.close();
  await edge?.stop();
});
afterEach(async () => {
  const errors = await phone.errors();
  await phone.stop();
  await phone.page.close();
  if (uplink !== 'first') await moveTo('first');
  expect(errors).toEqual([]);
});

/** Also after Kamailio was restarted: with it went who was registered. */
async function startPhones(): Promise<void> {
  [bob, dora] = await Promise.all([
    startBaresip(lab, { user: '2001', address: firstAddress, toneHz: 600, autoAnswer: true }),
    startLinphone(lab, { user: '2002', address: secondAddress, toneHz: 850, autoAnswer: true }),
  ]);
}

async function moveTo(next: Uplink, between?: () => Promise<void>): Promise<void> {
  uplink = next;
  await useUplink(lab, next, between);
  await bob.reconnect();
}

async function open(servers: readonly string[] = [edge.wssUrl]): Promise<void> {
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  await phone.start(accountFor({ url: edge.wssUrl, domain: edge.domain }, '1001', { servers }), {
    ...ephemeralCredential(secret, '1001', 300),
    expiresAt: Date.now() + 300_000,
  });
  await phone.next('sip.registered');
}

async function connected(far: FarPhone): Promise<CallId> {
  const { call } = await phone.dial(far.user);
  await far.waitFor('established');
  await phone.next('sip.answered', call);
  return call;
}

const hears = (hz: number) =>
  listenUntil(phone.page.mainFrame(), `${hz} Hz`, (heard) => heard.amplitude(hz) > 0.01, 20_000);
/** Both hear each other, with sound of this very moment. */
async function talk(far: FarPhone): Promise<void> {
  await hears(far.toneHz);
  await far.hears(ourTone, { withinMs: 20_000 });
}
async function reinvites(): Promise<string[]> {
  return (await phone.sent()).map(({ text }) => text).filter((text) => /^INVITE [\s\S]*\r\nTo:[^\r]*;tag=/i.test(text));
}

/** So many calls have offered the address of the second network; by then the sound of the first has long been gone. */
async function offeredFromThere(calls: number): Promise<void> {
  const offered = async () => {
    const offers = (await reinvites()).filter((text) => text.includes(`${lab.agent.secondAddress} `));
    return new Set(offers.map((text) => /^Call-ID:.*$/im.exec(text)?.[0])).size;
  };
  await expect.poll(offered, { timeout: 20_000 }).toBe(calls);
}

/** What has to work in a call after anything: keys, hold and back, an INFO of ours answered, and the far side's goodbye. */
async function worksAfterwards(call: CallId, far: FarPhone): Promise<void> {
  const keys = far.dtmf.length;
  await phone.command('sendDigits', call, '42#');
  await expect.poll(() => far.dtmf.slice(keys).join(''), { timeout: 10_000 }).toMatch(/42#$/);
  await phone.command('hold', call, true);
  await phone.next('sip.held', call);
  await far.hearsSilence();
  await phone.command('hold', call, false);
  await phone.next('sip.resumed', call);
  await talk(far);
  await far.hangUp();
  expect((await phone.next('sip.ended', call)).signal.by).toBe('far-side');
}

describe('the agent’s computer changes its network', () => {
  it('in a call and with another on hold: both go on, the held one held, and all can be done with them afterwards', async () => {
    await open();
    const held = await connected(dora);
    await talk(dora);
    await phone.command('hold', held, true);
    await phone.next('sip.held', held);
    const call = await connected(bob);
    await talk(bob);
    await moveTo('second');
    await offeredFromThere(2);
    await talk(bob);
    await dora.hearsSilence();
    // Both from the new address, and the line beneath them was never reported lost.
    expect((await phone.signals()).map(({ signal }) => signal.type)).not.toContain('sip.lost');
    await phone.command('hold', held, false);
    await phone.next('sip.resumed', held);
    await dora.hears(ourTone);
    await phone.command('hold', held, true);
    await phone.next('sip.held', held);
    await worksAfterwards(call, bob);
    await phone.command('hangUp', held);
    await dora.waitFor('closed');
  });

  it('while the far side holds, and while muted: neither is undone', async () => {
    await open();
    const call = await connected(bob);
    await talk(bob);
    await bob.hold();
    await phone.next('sip.far-held', call);
    await phone.command('mute', call, true);
    await moveTo('second');
    await offeredFromThere(1);
    expect((await phone.signals()).map(({ signal }) => signal.type)).not.toContain('sip.far-resumed');
    await bob.resume();
    await phone.next('sip.far-resumed', call);
    await hears(600);
    await bob.hearsSilence();
    await phone.command('mute', call, false);
    await bob.hears(ourTone);
    await phone.command('hangUp', call);
    await bob.waitFor('closed');
  });

  it('in a conference mixed here: everybody is back in it', async () => {
    await open();
    const calls = [await connected(bob), await connected(dora)];
    await phone.command(
      'mix',
      calls.map((call) => ({ call, silenced: false })),
    );
    await bob.hears(850);
    await moveTo('second');
    await offeredFromThere(2);
    await bob.hears(850, { withinMs: 20_000 });
    await bob.hears(ourTone);
    await dora.hears(600);
    for (const call of calls) await phone.command('hangUp', call);
    await Promise.all([bob.waitFor('closed'), dora.waitFor('closed')]);
  });

  it('and has none for a while: the call is there again when there is one', async () => {
    await open();
    const call = await connected(bob);
    await talk(bob);
    await moveTo('second', async () => {
      await phone.next('sip.lost', undefined, 20_000);
    });
    await phone.next('sip.registered', undefined, 30_000);
    await talk(bob);
    await worksAfterwards(call, bob);
  });
});

describe('the media relay', () => {
  it('is killed and started again: sound comes back both ways, and a call on hold has it when it is resumed', async () => {
    await open();
    const held = await connected(dora);
    await talk(dora);
    await phone.command('hold', held, true);
    await phone.next('sip.held', held);
    const call = await connected(bob);
    await talk(bob);
    await edge.crashRtpengine();
    await edge.startRtpengine();
    await listenUntil(phone.page.mainFrame(), 'silence', (heard) => heard.rms < 0.001, 5_000);
    await talk(bob);
    await phone.command('hold', held, false);
    await phone.next('sip.resumed', held);
    await talk(dora);
    await phone.command('hold', held, true);
    await phone.next('sip.held', held);
    await worksAfterwards(call, bob);
    await phone.command('hangUp', held);
    await dora.waitFor('closed');
  });
});

describe('the media relay, away for longer', () => {
  it('refuses the first offers: the call is not ended by that, and has its sound when the relay is there again', async () => {
    await open();
    const call = await connected(bob);
    await talk(bob);
    await edge.crashRtpengine();
    await expect.poll(async () => (await reinvites()).length, { timeout: 20_000 }).toBeGreaterThan(1);
    await edge.startRtpengine();
    const before = (await listen(phone.page.mainFrame())).packetsReceived;
    await listenUntil(phone.page.mainFrame(), 'packets', (heard) => heard.packetsReceived > before + 20, 20_000);
    await talk(bob);
    await worksAfterwards(call, bob);
  });
});

describe('the connection to the server', () => {
  it('is reset in a call: the sound goes on, and all can be done afterwards', async () => {
    const hurdle = await Hurdle.before(new URL(edge.wssUrl).host);
    try {
      await open([`wss://${hurdle.address}`]);
      const call = await connected(bob);
      await talk(bob);
      const before = (await listen(phone.page.mainFrame())).packetsReceived;
      hurdle.reset();
      await phone.next('sip.lost');
      await phone.next('sip.registered');
      const { packets } = await bob.listen(1_000);
      expect(packets).toBeGreaterThan(40);
      expect(bob.longestGap(2_000)).toBeLessThan(200);
      expect((await listen(phone.page.mainFrame())).packetsReceived).toBeGreaterThan(before + 40);
      await worksAfterwards(call, bob);
    } finally {
      await hurdle.close();
    }
  });

  it('falls silent while a hold is on its way: the hold is asked for again over the next one', async () => {
    const hurdle = await Hurdle.before(new URL(edge.wssUrl).host);
    try {
      await open([`wss://${hurdle.address}`]);
      const call = await connected(bob);
      await talk(bob);
      hurdle.swallow('from the server');
      await phone.command('hold', call, true);
      await phone.next('sip.held', call, 30_000);
      await bob.hearsSilence();
      await phone.command('hold', call, false);
      await phone.next('sip.resumed', call);
      await talk(bob);
      await worksAfterwards(call, bob);
    } finally {
      await hurdle.close();
    }
  });

  it('is gone with its server: the call goes on at the second one, and its goodbye arrives there', async () => {
    const options = {
      credentialSecret: secret,
      dialogSecret: randomBytes(32).toString('hex'),
      turnSecret: randomBytes(16).toString('hex'),
      pbxUri: `sip:${lab.far.addresses[2]}:5060`,
    };
    const first = await startEdge(lab, { ...options, portsFrom: 100 });
    const second = await startEdge(lab, { ...options, portsFrom: 200, siblingPortsFrom: 100 });
    // As a PBX: known to both edges by its address alone.
    const pbx = await startBaresip(lab, {
      ...{ user: '2003', address: lab.far.addresses[2] ?? '', toneHz: 1700, autoAnswer: true },
      register: false,
    });
    try {
      await open([first.wssUrl, second.wssUrl]);
      const { call } = await phone.dial(pbx.user);
      await phone.next('sip.answered', call);
      await talk(pbx);
      await first.stopKamailio();
      await phone.next('sip.registered');
      await talk(pbx);
      await phone.command('hold', call, true);
      await phone.next('sip.held', call);
      await phone.command('hold', call, false);
      await phone.next('sip.resumed', call);
      await talk(pbx);
      await phone.command('hangUp', call);
      await pbx.waitFor('closed');
    } finally {
      await Promise.all([first.stop(), second.stop(), pbx.stop()]);
    }
  });

  it('is gone with its server, which is restarted: the sound goes on, and all can be done afterwards', async () => {
    await open();
    const call = await connected(bob);
    await talk(bob);
    await edge.restartKamailio();
    await phone.next('sip.registered', undefined, 40_000);
    expect(bob.longestGap(2_000)).toBeLessThan(200);
    await worksAfterwards(call, bob);
    await Promise.all([bob.stop(), dora.stop()]);
    await startPhones();
    const next = await connected(bob);
    await talk(bob);
    await phone.command('transfer', next, '2002');
    await phone.next('sip.transferred', next, 20_000);
    await dora.hears(600);
    await bob.hangUp();
  });
});
