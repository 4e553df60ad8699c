/** The sound's path in a call at the sandbox switch: packets that stop, and what the phone does about it. */
import type { CallId } from '@patchcord/call-protocol';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Switch, startSwitch } from '../../sandbox/src/switch/index.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';

const person = '+493023125001';

let browser: TestBrowser;
let server: PhonePageServer;
let pbx: Switch;
let phone: PhoneInBrowser;

beforeAll(async () => {
  [browser, server] = await Promise.all([startBrowser({ toneHz: 440 }), servePhonePage()]);
});
afterAll(async () => {
  await browser.close();
  await server.close();
});
beforeEach(async () => {
  pbx = await startSwitch({
    domain: 'sandbox.example',
    credentialSecret: 'secret',
    iceAddresses: ['127.0.0.1'],
    sound: 'tones',
  });
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  await phone.start(accountFor(pbx, '1001'), pbx.credential('1001'));
  await phone.next('sip.registered');
});
afterEach(async () => {
  const errors = await phone.errors();
  await phone.stop();
  await phone.page.close();
  await pbx.close();
  expect(errors).toEqual([]);
});

const hears = (hz: number) =>
  listenUntil(phone.page.mainFrame(), `${hz} Hz`, (heard) => heard.amplitude(hz) > 0.02, 20_000);
const hearsNothing = () => listenUntil(phone.page.mainFrame(), 'silence', (heard) => heard.rms < 0.001);
async function connected(): Promise<CallId> {
  const { call } = await phone.dial(person);
  await phone.next('sip.answered', call);
  await hears(600);
  return call;
}
/** The paths that the phone has offered so far, by their ICE names. */
async function paths(): Promise<readonly string[]> {
  const offers = (await phone.sent()).map(({ text }) => text).filter((text) => text.startsWith('INVITE '));
  return [...new Set(offers.flatMap((text) => /^a=ice-ufrag:(.*)$/m.exec(text)?.[1] ?? []))];
}
/** Steady sound, as the phone wants it before it takes silence for a fault. */
const steadyPackets = async (): Promise<void> => {
  const { packetsReceived } = await listenUntil(phone.page.mainFrame(), 'anything', () => true);
  await listenUntil(
    phone.page.mainFrame(),
    'three seconds',
    (it) => it.packetsReceived > packetsReceived + 150,
    20_000,
  );
};

it('is offered anew when packets stop though ICE is well, and the sound is back both ways, the call held or muted as before', async () => {
  const call = await connected();
  await phone.command('mute', call, true);
  await steadyPackets();
  pbx.faults.set({ lostPaths: 1 });
  await expect.poll(async () => (await paths()).length, { timeout: 10_000 }).toBe(2);
  await hears(600);
  expect(pbx.heard(person).levelAt(440)).toBeLessThan(0.005);
  await phone.command('mute', call, false);
  await expect.poll(() => pbx.heard(person).levelAt(440), { timeout: 10_000 }).toBeGreaterThan(0.005);
  await phone.command('hangUp', call);
});

it('is offered anew once for a far side that falls silent by itself, and the call goes on', async () => {
  const call = await connected();
  await steadyPackets();
  pbx.faults.set({ muteFarSide: true });
  await expect.poll(async () => (await paths()).length, { timeout: 10_000 }).toBe(2);
  pbx.faults.set({ muteFarSide: false });
  await hears(600);
  expect(await paths()).toHaveLength(2);
  await phone.command('hangUp', call);
});

it('that was lost on hold is offered anew when the call is resumed', async () => {
  const call = await connected();
  await steadyPackets();
  await phone.command('hold', call, true);
  await phone.next('sip.held', call);
  pbx.faults.set({ lostPaths: 1 });
  await hearsNothing();
  expect(await paths()).toHaveLength(1);
  await phone.command('hold', call, false);
  await phone.next('sip.resumed', call);
  await hears(600);
  expect(await paths()).toHaveLength(2);
  await phone.command('hangUp', call);
});
