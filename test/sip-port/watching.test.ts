/** Watching colleagues, park slots and the mailbox, and taking over what is seen there: the real port on the sandbox switch. */
import { newCallId } from '@patchcord/call-protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type CallerDescription, type Switch, startSwitch } from '../../sandbox/src/switch/index.ts';
import { toneOfNumber } from '../../sandbox/src/switch/sound.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';

const person = '+493023125001';
const callers: readonly CallerDescription[] = [
  { number: person, kind: 'person', toneHz: 600, name: 'Petra' },
  { number: '2001', kind: 'colleague', toneHz: 850, name: 'Noor Haddad' },
  { number: '2002', kind: 'colleague', toneHz: 1_250, name: 'Jonas Weber' },
];

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
    ...{ domain: 'sandbox.example', credentialSecret: 'secret', iceAddresses: ['127.0.0.1'], sound: 'tones', callers },
  });
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
});
afterEach(async () => {
  const errors = await phone.errors();
  await phone.stop();
  await phone.page.close();
  await pbx.close();
  expect(errors).toEqual([]);
});

const watch = (...extensions: readonly string[]) => phone.command('watch', { extensions, mailbox: true });
const register = async () => {
  await phone.start(accountFor(pbx, '1001'), pbx.credential('1001'));
  await phone.next('sip.registered');
};
/** What was told last. */
const lamps = async () => {
  const told = (await phone.signals()).flatMap(({ signal }) => (signal.type === 'sip.watched' ? [signal.watched] : []));
  return told.at(-1) ?? [];
};
const lamp = async (extension: string) => (await lamps()).find((it) => it.extension === extension);
const becomes = (extension: string, status: string) =>
  expect.poll(async () => (await lamp(extension))?.status, { timeout: 8_000 }).toBe(status);
const mailbox = async () =>
  (await phone.signals()).flatMap(({ signal }) => (signal.type === 'sip.mailbox' ? [signal.mailbox] : [])).at(-1);
const troubles = async () =>
  (await phone.signals()).flatMap(({ signal }) => (signal.type === 'sip.watch-trouble' ? [signal.reason] : []));

describe('a colleague', () => {
  beforeEach(async () => {
    await watch('2001', '2002', '701');
    await register();
    await becomes('2001', 'free');
  });

  it('is seen ringing, talking and free again, with whom', async () => {
    pbx.colleague('2001').ringFrom('+14155550101', 'Ada');
    await becomes('2001', 'ringing');
    expect(await lamp('2001')).toMatchObject({
      direction: 'inbound',
      farSide: { number: '+14155550101', name: 'Ada' },
      canTake: true,
    });
    pbx.colleague('2001').answer();
    await becomes('2001', 'busy');
    pbx.colleague('2001').hangUp();
    await becomes('2001', 'free');
    expect((await lamps()).map((it) => it.extension)).toEqual(['2001', '2002', '701']);
  });

  it('rings, and the call is picked up by its dialog, with sound both ways', async () => {
    pbx.colleague('2001').ringFrom(person, 'Petra');
    await becomes('2001', 'ringing');
    const call = newCallId();
    await phone.command('pickUp', call, '2001', '**2001');
    await phone.next('sip.answered', call);
    const invite = (await phone.sent()).map(({ text }) => text).find((text) => /^INVITE .*\r\nReplaces: /s.test(text));
    expect(invite).toMatch(/^INVITE sip:2001@/);
    expect(invite).toMatch(/^Replaces: [^\r]*;early-only\r$/m);
    const theirs = toneOfNumber(person);
    await listenUntil(phone.page.mainFrame(), 'who was ringing', (heard) => heard.amplitude(theirs) > 0.02);
    await becomes('2001', 'free');
  });

  it('rings, and somebody else was quicker', async () => {
    pbx.colleague('2001').ringFrom(person, 'Petra');
    await becomes('2001', 'ringing');
    pbx.faults.set({ refuseInvite: { status: 481, reason: 'Call/Transaction Does Not Exist', times: 1 } });
    const call = newCallId();
    await phone.command('pickUp', call, '2001', '**2001');
    expect((await phone.next('sip.ended', call)).signal.reason).toContain('Somebody else took it');
  });

  it('is watched again on the new connection when the line was lost', async () => {
    pbx.dropSockets();
    await phone.next('sip.lost');
    await phone.next('sip.registered');
    pbx.colleague('2002').busyWith('+14155550101');
    await becomes('2002', 'busy');
  });

  it('is watched again when the phone system ends the subscription', async () => {
    pbx.endSubscriptions('deactivated');
    pbx.colleague('2002').busyWith('+14155550101');
    await becomes('2002', 'busy');
  });

  it('is not watched any more when it is taken off the list', async () => {
    await watch('2002');
    await expect.poll(() => pbx.subscriptions().map((it) => it.resource)).not.toContain('2001');
    expect((await lamps()).map((it) => it.extension)).toEqual(['2002']);
  });
});

it('sees a parked call in its slot, and takes it back', async () => {
  await watch('701');
  await register();
  const { call } = await phone.dial(person);
  await phone.next('sip.answered', call);
  await phone.command('transfer', call, '701');
  await phone.next('sip.transferred', call);
  await becomes('701', 'busy');
  expect(pbx.parked()).toHaveLength(1);
  const back = await phone.dial('701');
  await phone.next('sip.answered', back.call);
  await listenUntil(phone.page.mainFrame(), 'Petra', (heard) => heard.amplitude(600) > 0.02);
  await becomes('701', 'free');
});

describe('the mailbox', () => {
  it('counts what waits, and what was left meanwhile', async () => {
    pbx.voicemail('1001').leave({ number: '+14155550101' }, 700);
    await watch();
    await register();
    await expect.poll(mailbox).toMatchObject({ waiting: true, newMessages: 1 });
    pbx.voicemail('1001').leave({ number: '+14155550101' }, 700);
    await expect.poll(mailbox).toMatchObject({ newMessages: 2 });
  });

  it('is told without a subscription too, and then nothing is amiss', async () => {
    pbx.faults.set({ refuseSubscribe: { status: 489, reason: 'Bad Event' }, unsolicitedMwi: true });
    pbx.voicemail('1001').leave({ number: '+14155550101' }, 700);
    await watch();
    await register();
    await expect.poll(mailbox).toMatchObject({ newMessages: 1 });
    await expect.poll(async () => (await troubles()).at(-1) ?? '').toBe('');
  });
});

describe('a phone system that does not tell', () => {
  it('is named when it refuses', async () => {
    pbx.faults.set({ refuseSubscribe: { status: 403, reason: 'Forbidden' } });
    await watch('2001');
    await register();
    await expect.poll(troubles).toEqual(expect.arrayContaining([expect.stringMatching(/2001 is not shown.*403/)]));
    expect((await lamp('2001'))?.status).toBe('unknown');
  });

  it('is named when it accepts and stays silent, as FreeSWITCH does', async () => {
    pbx.faults.set({ subscriptions: 'silent' });
    await watch('2001');
    await register();
    await expect
      .poll(troubles, { timeout: 12_000 })
      .toEqual(expect.arrayContaining([expect.stringContaining('aggressive-nat-detection')]));
  });
});
