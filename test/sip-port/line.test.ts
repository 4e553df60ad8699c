/** The real port in a real browser on a network with pedals: a server that is away, comes back, goes silent; a page that is throttled or frozen. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Switch, startSwitch } from '../../sandbox/src/switch/index.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { Hurdle } from './hurdle.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';
import { ScriptedPbx } from './scripted-pbx.ts';

const person = '+493023125001';

let browser: TestBrowser;
let server: PhonePageServer;
/** The same page under a policy that lets it start no worker. */
let strict: PhonePageServer;
let pbx: Switch;
let phone: PhoneInBrowser;
/** Two ways to the same server, as two edges of one PBX. */
let first: Hurdle;
let second: Hurdle;

beforeAll(async () => {
  [browser, server, strict] = await Promise.all([
    startBrowser({ toneHz: 440 }),
    servePhonePage(),
    servePhonePage({ 'content-security-policy': "worker-src 'none'" }),
  ]);
  pbx = await startSwitch({
    domain: 'sandbox.example',
    credentialSecret: 'secret',
    iceAddresses: ['127.0.0.1'],
    sound: 'tones',
  });
});
afterAll(async () => {
  await browser.close();
  await Promise.all([server.close(), strict.close(), pbx.close()]);
});
beforeEach(async () => {
  const address = new URL(pbx.url).host;
  [first, second] = await Promise.all([Hurdle.before(address), Hurdle.before(address)]);
});
afterEach(async () => {
  const errors = await phone.errors();
  await phone.stop();
  await phone.page.close();
  await Promise.all([first.close(), second.close()]);
  expect(errors).toEqual([]);
});

const open = async (prepare: (page: PhoneInBrowser['page']) => Promise<unknown> = async () => {}) => {
  const page = await browser.newPage();
  await prepare(page);
  phone = await PhoneInBrowser.open(page, server);
};
const hurdleUrl = (hurdle: Hurdle) => `ws://${hurdle.address}`;
const start = (hurdles = [first], failBackSeconds = 0) =>
  phone.start(accountFor(pbx, '1001', { servers: hurdles.map(hurdleUrl), failBackSeconds }), pbx.credential('1001'));
/** Registered, and through which of the two. */
const registeredOver = async (hurdle: Hurdle) =>
  expect((await phone.next('sip.registered')).signal.server).toBe(hurdleUrl(hurdle));
/** At least one keep-alive was answered, so that the server is known to answer them. */
const pings = () =>
  expect
    .poll(async () => (await phone.sent()).filter(({ text }) => text === '\r\n\r\n').length, { timeout: 8_000 })
    .toBeGreaterThan(1);
const settled = async () => {
  await registeredOver(first);
  await pings();
};
const hears = (hz: number) => listenUntil(phone.page.mainFrame(), `${hz} Hz`, (heard) => heard.amplitude(hz) > 0.02);

it('goes to the second server at once, and back to the first without a gap in the line or in a call', async () => {
  await first.goAway();
  await open();
  await start([first, second], 1);
  await registeredOver(second);
  const { call } = await phone.dial(person);
  await phone.next('sip.answered', call);
  await hears(600);
  await first.comeBack();
  await registeredOver(first);
  // Only the new way is left: what goes on goes on over it.
  second.swallow();
  await hears(600);
  await phone.command('hold', call, true);
  await phone.next('sip.held', call);
  await phone.command('hold', call, false);
  await phone.next('sip.resumed', call);
  pbx.hangUp(person);
  expect((await phone.next('sip.ended', call)).signal.by).toBe('far-side');
  const lost = (await phone.signals()).filter(({ signal }) => signal.type === 'sip.lost');
  expect(lost).toHaveLength(1);
});

it('tells each far side the new way where the server hands out no GRUU', async () => {
  const scripted = await ScriptedPbx.start({ gruu: false });
  const [here, there] = await Promise.all([Hurdle.before(scripted.address), Hurdle.before(scripted.address)]);
  try {
    await here.goAway();
    await open();
    const servers = [hurdleUrl(here), hurdleUrl(there)];
    await phone.start(accountFor(scripted, '1001', { servers, failBackSeconds: 1 }), {
      username: '1001',
      password: 'p',
      expiresAt: Date.now() + 600_000,
    });
    await registeredOver(there);
    const [far] = scripted.far;
    const { call } = await phone.dial(far.target);
    await far.answers();
    await phone.next('sip.answered', call);
    await here.comeBack();
    await registeredOver(here);
    await expect.poll(() => far.reinvites.length, { timeout: 8_000 }).toBe(1);
    const invites = (await phone.sent()).filter(({ text }) => text.startsWith('INVITE '));
    expect(invites[0]?.text).toMatch(/^Contact: <[^>]+;ob>/im);
    there.swallow();
    await far.hangsUp();
    await phone.next('sip.ended', call);
  } finally {
    await Promise.all([here.close(), there.close()]);
    await scripted.close();
  }
});

it.each(['both ways', 'from the server'] as const)(
  'notices that a connection is silent %s, in a hidden tab whose own timers come once a minute',
  async (silence) => {
    await open((page) =>
      page.addInitScript(() => {
        const real = window.setTimeout.bind(window);
        Object.assign(window, {
          setTimeout: (run: () => void, ms = 0, ...rest: unknown[]) => real(run, ms + 60_000, ...rest),
        });
      }),
    );
    // The page's own timers are of no use here: asked from outside.
    const signalled = (type: string, times: number) =>
      expect
        .poll(async () => (await phone.signals()).filter(({ signal }) => signal.type === type).length, {
          timeout: 15_000,
        })
        .toBe(times);
    await start();
    await signalled('sip.registered', 1);
    await pings();
    const { call } = await phone.dial(person);
    await signalled('sip.answered', 1);
    first.swallow(silence);
    await signalled('sip.lost', 1);
    await signalled('sip.registered', 2);
    await phone.command('hold', call, true);
    await signalled('sip.held', 1);
    await phone.command('hangUp', call);
  },
);

it('keeps the line where a policy forbids workers', async () => {
  phone = await PhoneInBrowser.open(await browser.newPage(), strict);
  await start();
  await settled();
  first.swallow();
  await phone.next('sip.lost');
  await registeredOver(first);
});

it('registers at once when the machine wakes, over the old connection or, where that died, over a new one', async () => {
  await open();
  await start();
  await settled();
  const registers = async () => (await phone.sent()).filter(({ text }) => text.startsWith('REGISTER ')).length;
  // What a page sees of an hour's sleep is that its clock has gone on.
  const sleep = () =>
    phone.page.evaluate(() => {
      const now = Date.now;
      Date.now = () => now() + 3_600_000;
    });
  const before = await registers();
  await sleep();
  await expect.poll(registers, { timeout: 8_000 }).toBeGreaterThan(before);
  const registered = async () =>
    (await phone.signals()).filter(({ signal }) => signal.type === 'sip.registered').length;
  const had = await registered();
  first.swallow();
  await sleep();
  await expect.poll(registered, { timeout: 8_000 }).toBe(had + 1);
  // Over a second connection, which took the place of the first: the line was never without one.
  expect((await phone.signals()).some(({ signal }) => signal.type === 'sip.lost')).toBe(false);
});

it('finds a server again that was away, however often it has to ask', async () => {
  await open();
  await start();
  await registeredOver(first);
  for (let time = 0; time < 2; time += 1) {
    await first.goAway();
    await phone.next('sip.lost');
    await first.comeBack();
    await registeredOver(first);
  }
  first.reset();
  await phone.next('sip.lost');
  await registeredOver(first);
});
