/** Which codecs are spoken: on the wire, in the packets that really flow, and by what is heard. */
import type { SipAccount } from '@patchcord/phone-engine';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { BrowserFarEnd, inviteWith, warningOf } from './browser-far-end.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';
import { ScriptedPbx } from './scripted-pbx.ts';

const ourTone = 440;
const theirTone = 1700;
const credential = { username: '4102444800:1001', password: 'p', expiresAt: 4_102_444_800_000 };

let browser: TestBrowser;
let server: PhonePageServer;
let pbx: ScriptedPbx;
let phone: PhoneInBrowser;
let far: BrowserFarEnd;

beforeAll(async () => {
  [browser, server] = await Promise.all([startBrowser({ toneHz: ourTone }), servePhonePage()]);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});
afterEach(async () => {
  const errors = await phone.errors();
  await phone.stop();
  await phone.page.close();
  await far.close();
  await pbx.close();
  expect(errors).toEqual([]);
});

async function set(changes: Partial<SipAccount>): Promise<void> {
  pbx = await ScriptedPbx.start();
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  far = await BrowserFarEnd.open(browser, server.url, theirTone);
  await phone.start(accountFor(pbx, '1001', changes), credential);
  await phone.next('sip.registered');
}

/** The formats of the audio line in their order, by name. */
function formats(sdp: string): string[] {
  const types = /^m=audio \d+ \S+ ([\d ]+)/m.exec(sdp)?.[1]?.split(' ') ?? [];
  return types.map((type) => new RegExp(`^a=rtpmap:${type} (\\S+)`, 'm').exec(sdp)?.[1] ?? type);
}
const opusParameters = (sdp: string) => {
  const type = /^a=rtpmap:(\d+) opus/m.exec(sdp)?.[1];
  return new RegExp(`^a=fmtp:${type} (\\S+)`, 'm').exec(sdp)?.[1]?.split(';') ?? [];
};

/** Dials, and lets the far page answer. Resolves with our offer. */
async function dialled(): Promise<string> {
  const { call } = await phone.dial('2001');
  const theirs = await pbx.far[0].invited();
  const offer = theirs.invite?.request.body ?? '';
  theirs.invite?.respond(200, 'OK', {
    headers: [theirs.contact, { name: 'Content-Type', value: 'application/sdp' }],
    body: await far.answer(offer),
  });
  await phone.next('sip.answered', call);
  return offer;
}
async function heardBothWays(codec: string): Promise<void> {
  await far.hears(ourTone);
  await listenUntil(phone.page.mainFrame(), `${theirTone} Hz`, (heard) => heard.amplitude(theirTone) > 0.01);
  expect(await far.codecs()).toEqual({ sent: [codec], received: [codec] });
}

it.each([
  [['G722', 'PCMU'], ['G722/8000', 'PCMU/8000', 'telephone-event/8000', 'CN/8000'], 'G722'],
  [['PCMU'], ['PCMU/8000', 'telephone-event/8000', 'CN/8000'], 'PCMU'],
  [['opus', 'PCMA'], ['opus/48000/2', 'PCMA/8000', 'telephone-event/48000', 'telephone-event/8000', 'CN/8000'], 'opus'],
] as const)('offers %s in this order and nothing else, and speaks the first', async (codecs, wire, spoken) => {
  await set({ codecs });
  expect(formats(await dialled())).toEqual(wire);
  await heardBothWays(spoken);
});

it('answers in the order of the profile, not of the caller', async () => {
  await set({ codecs: ['PCMA', 'G722'] });
  const placed = inviteWith(pbx, await far.offer());
  const { signal } = await phone.next('sip.invited');
  await phone.answer(signal.call);
  const { response } = await placed;
  expect(formats(response.body)).toEqual(['PCMA/8000', 'G722/8000', 'telephone-event/8000', 'CN/8000']);
  await far.accept(response.body);
  await heardBothWays('PCMA');
});

it.each([
  [{ fec: true, dtx: false }, ['useinbandfec=1', 'usedtx=0']],
  [{ fec: false, dtx: true }, ['useinbandfec=0', 'usedtx=1']],
])('asks for opus with %o, in an offer and in an answer', async (opus, parameters) => {
  await set({ codecs: ['opus'], opus });
  expect(opusParameters(await dialled())).toEqual(expect.arrayContaining(parameters));
  await heardBothWays('opus');
  const placed = inviteWith(pbx, await far.offer());
  const { signal } = await phone.next('sip.invited');
  await phone.answer(signal.call);
  expect(opusParameters((await placed).response.body)).toEqual(expect.arrayContaining(parameters));
});

it('refuses a caller without a common codec before it rings, and says why', async () => {
  await set({ codecs: ['G722'] });
  const offer = (await far.offer()).replace(/^m=audio (\d+) (\S+) .*$/m, 'm=audio $1 $2 0 8');
  const { response } = await inviteWith(pbx, offer);
  expect(response.status).toBe(488);
  expect(warningOf(response)).toContain('no codec in common');
  expect((await phone.signals()).some(({ signal }) => signal.type === 'sip.invited')).toBe(false);
});

it('ends a call that was answered with a codec nobody offered, and says why', async () => {
  await set({ codecs: ['G722'] });
  const { call } = await phone.dial('2001');
  const theirs = await pbx.far[0].invited();
  const answer = await far.answer(theirs.invite?.request.body ?? '');
  theirs.invite?.respond(200, 'OK', {
    headers: [theirs.contact, { name: 'Content-Type', value: 'application/sdp' }],
    body: answer
      .replace(/^m=audio (\d+) (\S+) .*$/m, 'm=audio $1 $2 0')
      .replace(/^a=(rtpmap|fmtp|rtcp-fb):.*\r\n/gm, ''),
  });
  const { signal } = await phone.next('sip.ended', call);
  expect(signal).toMatchObject({ by: 'network', code: 488 });
  expect(signal.reason).toContain('no codec in common');
});
