/** Calls of a page that went away, taken up by the next: the real port in Chromium on the sandbox switch, sound measured at both ends. */
import type { CallId } from '@patchcord/call-protocol';
import type { KeptDialog, SipAccount } from '@patchcord/phone-engine';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Switch, startSwitch } from '../../sandbox/src/switch/index.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';
import type { PhonePage } from './phone-page.ts';

const person = '+493023125001';
const other = '+493023125002';
const patienceMs = 25_000;

let browser: TestBrowser;
let server: PhonePageServer;
let pbx: Switch;
let phone: PhoneInBrowser;
let account: SipAccount;

beforeAll(async () => {
  [browser, server] = await Promise.all([startBrowser({ toneHz: 440 }), servePhonePage()]);
});
afterAll(async () => {
  await browser.close();
  await server.close();
});
afterEach(async () => {
  const errors = await phone.errors();
  await phone.stop();
  await phone.page.close();
  await pbx.close();
  expect(errors).toEqual([]);
});

const setUp = async (
  recovery: Partial<SipAccount['recovery']> = {},
  more: Partial<Parameters<typeof startSwitch>[0]> = {},
) => {
  pbx = await startSwitch({
    domain: 'sandbox.example',
    credentialSecret: 'secret',
    iceAddresses: ['127.0.0.1'],
    sound: 'tones',
    ...more,
  });
  account = accountFor(pbx, '1001', { recovery: { way: 'auto', applications: [], known: [], ...recovery } });
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  await start();
};
const start = async (dialogs: readonly KeptDialog[] = []) => {
  await phone.command('takeUp', dialogs);
  await phone.start(account, pbx.credential('1001'));
  await phone.next('sip.registered');
};
const connected = async (target: string) => {
  const { call } = await phone.dial(target);
  await phone.next('sip.answered', call);
  await hears(600);
  return call;
};
const hears = (hz: number) =>
  listenUntil(phone.page.mainFrame(), `${hz} Hz`, (heard) => heard.amplitude(hz) > 0.02, patienceMs);
const isHeard = () => expect.poll(() => pbx.heard(person).levelAt(440), { timeout: patienceMs }).toBeGreaterThan(0.005);
const reload = async () => {
  const dialogs = await phone.reload();
  await start(dialogs);
  return dialogs;
};

const live = () => pbx.calls().filter(({ state }) => state !== 'ended');
const held = (level = 0.005) =>
  expect.poll(() => pbx.heard(person).levelAt(440), { timeout: patienceMs }).toBeLessThan(level);
const recovered = async (call: CallId) => (await phone.next('sip.recovered', call, patienceMs)).signal.way;
/** Every INVITE of this page, by its first line. */
const invites = async () =>
  (await phone.sent()).filter(({ text }) => text.startsWith('INVITE ')).map(({ text }) => text);
const tries = async () =>
  (await phone.signals()).flatMap(({ signal }) =>
    signal.type === 'sip.recovery-tried' ? [[signal.way, signal.worked]] : [],
  );

it.each(['resume', 'replaces'] as const)(
  'goes on with its sound both ways after a reload, by %s, and again after another',
  async (way) => {
    await setUp({ way });
    const call = await connected(person);
    const dialogs = await reload();
    expect(dialogs).toMatchObject([{ call, stage: 'confirmed', direction: 'outbound', held: false, muted: false }]);
    expect(await recovered(call)).toBe(way);
    await hears(600);
    await isHeard();
    expect(await tries()).toEqual([[way, true]]);
    const written = await phone.dialogs();
    // The whole of it works as before: hold, keys, the next reload, the far side's BYE.
    await phone.command('hold', call, true);
    await phone.next('sip.held', call);
    await held();
    await phone.command('hold', call, false);
    await phone.next('sip.resumed', call);
    await isHeard();
    await phone.command('sendDigits', call, '42');
    await expect.poll(() => pbx.digits(person), { timeout: patienceMs }).toBe('42');
    // The page went before the numbers of the last requests were written down: none of them may be used again.
    await phone.reload();
    await start(written);
    expect(await recovered(call)).toBe(way);
    expect(await tries()).toEqual([[way, true]]);
    await hears(600);
    await isHeard();
    expect(live()).toHaveLength(1);
    pbx.hangUp(person);
    expect((await phone.next('sip.ended', call)).signal.by).toBe('far-side');
    expect(await phone.dialogs()).toEqual([]);
  },
);

it.each(['resume', 'replaces'] as const)('comes back on hold, or muted, as it was, by %s', async (way) => {
  await setUp({ way });
  const call = await connected(person);
  await isHeard();
  await phone.command('hold', call, true);
  await phone.next('sip.held', call);
  expect((await reload())[0]?.held).toBe(true);
  expect(await recovered(call)).toBe(way);
  expect(live()).toMatchObject([{ heldByAgent: true }]);
  await held();
  await phone.command('hold', call, false);
  await phone.next('sip.resumed', call);
  await hears(600);
  await isHeard();
  await phone.command('mute', call, true);
  await held();
  expect((await reload())[0]?.muted).toBe(true);
  expect(await recovered(call)).toBe(way);
  await hears(600);
  await held();
  await phone.command('mute', call, false);
  await isHeard();
  pbx.faults.set({ farHold: 'sendonly' });
  pbx.hold(person, true);
  await phone.next('sip.far-held', call);
  expect((await reload())[0]?.farHeld).toBe(true);
  expect(await recovered(call)).toBe(way);
  pbx.hold(person, false);
  await hears(600);
});

it.each(['resume', 'replaces'] as const)(
  'goes on in a call that came in, by %s, until the agent hangs up',
  async (way) => {
    await setUp({ way });
    const placed = await pbx.callAgent('1001', { callerNumber: person });
    const { call } = (await phone.next('sip.invited')).signal;
    await phone.answer(call);
    await phone.next('sip.answered', call);
    await hears(600);
    const [kept] = await reload();
    expect(kept).toMatchObject({ call, direction: 'inbound', number: person });
    expect(await recovered(call)).toBe(way);
    await hears(600);
    await expect.poll(() => placed.heard().levelAt(440), { timeout: patienceMs }).toBeGreaterThan(0.005);
    await phone.command('hangUp', call);
    expect((await placed.ended).ended?.by).toBe('agent');
    expect(live()).toEqual([]);
  },
);

it('takes the other way where the first brings no sound, and says which worked', async () => {
  await setUp({ way: 'resume' }, { behaveLike: 'asterisk' });
  const call = await connected(person);
  await reload();
  expect(await recovered(call)).toBe('replaces');
  await hears(600);
  await isHeard();
  expect(await tries()).toEqual([
    ['resume', false],
    ['replaces', true],
  ]);
  pbx.hangUp(person);
  expect((await phone.next('sip.ended', call)).signal.by).toBe('far-side');
});

it('cancels what was still being placed', async () => {
  await setUp();
  const { call } = await phone.dial('+493023125408');
  await phone.next('sip.ringing', call);
  expect(live()).toHaveLength(1);
  const dialogs = await reload();
  expect(dialogs).toMatchObject([{ call, stage: 'inviting' }]);
  expect((await phone.next('sip.ended', call)).signal.by).toBe('network');
  await expect.poll(live).toEqual([]);
});

const lineGoesAway = async () => {
  pbx.faults.set({ refuseSockets: true });
  pbx.dropSockets();
  await phone.next('sip.lost');
};
const lineMayComeBack = () => pbx.faults.set({ refuseSockets: undefined });

it('cancels what was still being placed also in the page after the next, where that one never had a line', async () => {
  await setUp();
  const { call } = await phone.dial('+493023125408');
  await phone.next('sip.ringing', call);
  pbx.faults.set({ refuseSockets: true });
  const dialogs = await phone.reload();
  await phone.command('takeUp', dialogs);
  await phone.start(account, pbx.credential('1001'));
  await phone.next('sip.lost');
  expect(await phone.reload()).toMatchObject([{ call, stage: 'inviting' }]);
  lineMayComeBack();
  await start(dialogs);
  await expect.poll(live, { timeout: patienceMs }).toEqual([]);
});

/** What a page knows that went before anything of its call came back. */
const unheard = (kept: KeptDialog): KeptDialog => ({ ...kept, remoteTag: '', remoteTarget: '', routes: [] });

it.each([
  ['had heard it ring', (kept: KeptDialog) => kept],
  ['had heard nothing of it', unheard],
])(
  'hangs up what was answered to the page that is gone, which %s, long before the far side gives up waiting for its ACK',
  async (_, known) => {
    await setUp({}, { callers: [{ number: person, name: 'Erika Sommer', kind: 'person', answerAfterMs: 1_500 }] });
    const { call } = await phone.dial(person);
    await phone.next('sip.ringing', call);
    const dialogs = await phone.dialogs();
    pbx.faults.set({ refuseSockets: true });
    await phone.reload();
    await expect.poll(() => live()[0]?.state, { timeout: patienceMs }).toBe('answered');
    lineMayComeBack();
    await start(dialogs.map(known));
    await expect.poll(live, { timeout: 10_000 }).toEqual([]);
  },
);

it('cancels a call that was hung up while the line was away as soon as it is back', async () => {
  await setUp();
  const { call } = await phone.dial('+493023125408');
  await phone.next('sip.ringing', call);
  await lineGoesAway();
  await phone.command('hangUp', call);
  expect((await phone.next('sip.ended', call)).signal.by).toBe('agent');
  expect(await phone.dialogs()).toMatchObject([{ call, stage: 'inviting' }]);
  lineMayComeBack();
  await expect.poll(live, { timeout: patienceMs }).toEqual([]);
});

it('leaves to the next page the end of a call that was hung up while the line was away, until it has been said', async () => {
  await setUp();
  const call = await connected(person);
  await lineGoesAway();
  await phone.command('hangUp', call);
  expect((await phone.next('sip.ended', call)).signal.by).toBe('agent');
  const dialogs = await phone.reload();
  expect(dialogs).toMatchObject([{ call, stage: 'confirmed' }]);
  await phone.command('takeUp', dialogs);
  await phone.command('hangUp', call);
  expect(await phone.dialogs()).toMatchObject([{ call, stage: 'confirmed' }]);
  lineMayComeBack();
  await start();
  await expect.poll(live, { timeout: patienceMs }).toEqual([]);
  await expect.poll(() => phone.dialogs(), { timeout: patienceMs }).toEqual([]);
});

it('rings on under its own id when the server offers it again, and is answered', async () => {
  await setUp();
  const placed = await pbx.callAgent('1001', { callerNumber: person });
  const { call } = (await phone.next('sip.invited')).signal;
  expect(await reload()).toMatchObject([{ call, stage: 'invited' }]);
  expect(await recovered(call)).toBe('rung-again');
  await phone.answer(call);
  await phone.next('sip.answered', call);
  await hears(600);
  expect(await placed.answered).toBe(true);
  expect((await phone.signals()).filter(({ signal }) => signal.type === 'sip.invited')).toEqual([]);
});

it('is missed where the server does not offer it again; one that the agent sent away does not ring again', async () => {
  await setUp({}, { behaveLike: 'freeswitch' });
  await pbx.callAgent('1001', { callerNumber: person });
  const { call } = (await phone.next('sip.invited')).signal;
  await reload();
  expect((await phone.next('sip.ended', call)).signal.by).toBe('network');
  await pbx.close();
  await setUp();
  const placed = await pbx.callAgent('1001', { callerNumber: person });
  const again = (await phone.next('sip.invited')).signal.call;
  const dialogs = await phone.reload();
  await phone.command('takeUp', dialogs);
  await phone.command('hangUp', again);
  await start();
  expect((await placed.ended).ended).toBeDefined();
  expect((await phone.signals()).filter(({ signal }) => signal.type === 'sip.invited')).toEqual([]);
});

it('ends what the agent hung up before there was a line', async () => {
  await setUp();
  const call = await connected(person);
  const dialogs = await phone.reload();
  await phone.command('takeUp', dialogs);
  await phone.command('hangUp', call);
  expect((await phone.next('sip.ended', call)).signal.by).toBe('agent');
  await start();
  await expect.poll(live, { timeout: patienceMs }).toEqual([]);
});

it('says so when the far side is gone', async () => {
  // Its goodbye goes to the connection that went with the page, and to no other.
  await setUp({ way: 'resume' }, { behaveLike: 'asterisk' });
  const call = await connected(person);
  const dialogs = await phone.reload();
  pbx.hangUp(person);
  await start(dialogs);
  expect((await phone.next('sip.ended', call)).signal.by).toBe('network');
});

it('replaces a call at FreeSWITCH under a number that nobody has, and moves it whenever its connection changes', async () => {
  await setUp({}, { behaveLike: 'freeswitch' });
  const call = await connected(person);
  await reload();
  expect(await recovered(call)).toBe('replaces');
  await hears(600);
  await isHeard();
  expect((await invites()).every((it) => it.startsWith('INVITE sip:resume-none@sandbox.example'))).toBe(true);
  // Whoever does not know Replaces refuses it, and does not take it for a new call.
  expect((await invites()).every((it) => /^Require:.*\breplaces\b/im.test(it))).toBe(true);
  pbx.dropSockets();
  await phone.next('sip.registered');
  await expect.poll(async () => (await invites()).length, { timeout: patienceMs }).toBeGreaterThan(1);
  await expect.poll(async () => (await tries()).length, { timeout: patienceMs }).toBe(2);
  await hears(600);
  await isHeard();
  expect(live()).toHaveLength(1);
  pbx.hangUp(person);
  expect((await phone.next('sip.ended', call)).signal.by).toBe('far-side');
});

it('never replaces a call that an application of FreeSWITCH answered, and notices its end', async () => {
  await setUp({ applications: ['+442079460123'] }, { behaveLike: 'freeswitch' });
  const { call } = await phone.dial('+442079460123');
  await phone.next('sip.answered', call);
  await hears(1200);
  await reload();
  expect(await recovered(call)).toBe('resume');
  await hears(1200);
  pbx.dropSockets();
  await phone.next('sip.registered');
  expect((await invites()).every((it) => !/^Replaces:/im.test(it))).toBe(true);
  pbx.hangUp('+442079460123');
  expect((await phone.next('sip.ended', call, patienceMs)).signal.by).toBe('network');
});

it.each(['resume', 'replaces'] as const)(
  'joins two calls after a reload, by %s: in a conference, and by an attended transfer',
  async (way) => {
    await setUp({ way });
    const first = await connected(person);
    await phone.command('hold', first, true);
    await phone.next('sip.held', first);
    const { call: second } = await phone.dial(other);
    await phone.next('sip.answered', second);
    await hears(850);
    const dialogs = await reload();
    expect(dialogs.map(({ call, held }) => [call, held])).toEqual([
      [first, true],
      [second, false],
    ]);
    for (const call of [first, second]) {
      phone.rewind();
      expect(await recovered(call)).toBe(way);
    }
    await phone.command('hold', first, false);
    await phone.next('sip.resumed', first);
    await phone.page.mouse.click(5, 5);
    await phone.command('mix', [
      { call: first, silenced: false },
      { call: second, silenced: false },
    ]);
    await expect.poll(() => pbx.heard(person).levelAt(850), { timeout: patienceMs }).toBeGreaterThan(0.005);
    await expect.poll(() => pbx.heard(other).levelAt(600), { timeout: patienceMs }).toBeGreaterThan(0.005);
    await phone.command('mix', []);
    await phone.command('hold', first, true);
    await phone.next('sip.held', first);
    await phone.command('transferAttended', first, second);
    await phone.next('sip.transferred', first);
    await expect.poll(() => live().map(({ direction }) => direction), { timeout: patienceMs }).toEqual(['transferred']);
    await expect
      .poll(async () => (await phone.signals()).filter(({ signal }) => signal.type === 'sip.ended').length)
      .toBe(2);
  },
);

it('is handed over without a word, and goes on in another page', async () => {
  await setUp({ way: 'resume' });
  const call = await connected(person);
  await expect.poll(async () => (await phone.dialogs()).length).toBe(1);
  const told = (await phone.signals()).length;
  const words = (await phone.sent()).length;
  const dialogs = await phone.handOver();
  expect(dialogs).toMatchObject([{ call, stage: 'confirmed' }]);
  expect((await phone.signals()).length).toBe(told);
  expect((await phone.sent()).length).toBe(words);
  expect(await phone.dialogs()).toEqual(dialogs);
  const earlier = phone;
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  await start(dialogs);
  expect(await recovered(call)).toBe('resume');
  await hears(600);
  await isHeard();
  expect(await earlier.errors()).toEqual([]);
  await earlier.page.close();
});

it('tells nobody the names of a dialog but its successor', async () => {
  await setUp({ way: 'replaces' });
  const call = await connected(person);
  await reload();
  await recovered(call);
  const dialogs = await phone.dialogs();
  const said = await phone.page.evaluate(() =>
    JSON.stringify([
      (window as unknown as { phonePage: PhonePage }).phonePage.logs,
      (window as unknown as { phonePage: PhonePage }).phonePage.signals,
    ]),
  );
  for (const { localTag, remoteTag, remoteTarget } of dialogs)
    for (const secret of [localTag, remoteTag, remoteTarget]) expect(said).not.toContain(secret);
});
