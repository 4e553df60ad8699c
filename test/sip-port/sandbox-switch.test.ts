/** The real port on the sandbox switch: the callers every demo has, with their sound. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Switch, startSwitch } from '../../sandbox/src/switch/index.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';

const person = '+493023125001';
const other = '+493023125002';
const announcement = '+442079460123';

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

const hears = (hz: number) => listenUntil(phone.page.mainFrame(), `${hz} Hz`, (heard) => heard.amplitude(hz) > 0.02);
const connected = async (target: string) => {
  const { call } = await phone.dial(target);
  await phone.next('sip.answered', call);
  return call;
};

it('talks with a person, presses keys for an announcement, and no sound leaks between the two', async () => {
  const first = await connected(person);
  await hears(600);
  await expect.poll(() => pbx.heard(person).levelAt(440), { timeout: 6_000 }).toBeGreaterThan(0.005);
  await phone.command('hold', first, true);
  await phone.next('sip.held', first);
  const second = await connected(announcement);
  const heard = await listenUntil(
    phone.page.mainFrame(),
    '1200 Hz alone',
    (it) => it.amplitude(1200) > 0.02 && it.amplitude(600) < 0.003,
  );
  expect(heard.amplitude(850)).toBeLessThan(0.003);
  await phone.command('sendDigits', second, '42#');
  await expect.poll(() => pbx.digits(announcement), { timeout: 5_000 }).toBe('42#');
  expect(pbx.heard(person).levelAt(440)).toBeLessThan(0.005);
});

it.each([
  ['+493023125486', 486],
  ['+493023125603', 603],
  ['+493023125404', 404],
])('tells how %s refuses', async (number, code) => {
  const { call } = await phone.dial(number);
  expect((await phone.next('sip.ended', call)).signal).toMatchObject({ by: 'far-side', code });
});

it('is called, answers, and hears the caller hang up', async () => {
  const placed = await pbx.callAgent('1001', { callerNumber: other });
  const { signal } = await phone.next('sip.invited');
  expect(signal.from).toEqual({ number: other, name: 'Jonas Winter' });
  await phone.answer(signal.call);
  await phone.next('sip.answered', signal.call);
  await hears(850);
  placed.hangUp();
  expect((await phone.next('sip.ended', signal.call)).signal.by).toBe('far-side');
});

it('transfers blindly, and joins two calls after consulting', async () => {
  const blind = await connected(person);
  await phone.command('transfer', blind, other);
  await phone.next('sip.transferred', blind);
  await phone.next('sip.ended', blind);

  const first = await connected(person);
  await phone.command('hold', first, true);
  await phone.next('sip.held', first);
  const consult = await connected(announcement);
  await phone.command('transferAttended', first, consult);
  await phone.next('sip.transferred', first);
  await phone.next('sip.ended');
  await phone.next('sip.ended');
});

it('is refused at once when its credential is revoked, and the call goes on', async () => {
  const call = await connected(person);
  pbx.revoke('1001');
  await phone.renew(pbx.credential('1001'));
  expect((await phone.next('sip.rejected')).signal.code).toBe(403);
  await hears(600);
  pbx.allow('1001');
  await phone.renew(pbx.credential('1001'));
  await phone.next('sip.registered');
  await phone.command('hangUp', call);
  await phone.next('sip.ended', call);
});
