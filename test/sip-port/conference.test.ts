/** Conferences mixed in the browser, on the sandbox switch: every party has a tone of its own, and what each one hears is measured where it listens. */
import type { CallId } from '@patchcord/call-protocol';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Switch, startSwitch } from '../../sandbox/src/switch/index.ts';
import { listen, listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';
import type { PhonePage } from './phone-page.ts';
import { plugIn, plugInAgain, secondMicrophone, unplug } from './second-microphone.ts';

type Window = { readonly phonePage: PhonePage };

const agent = 440;
const ada = { number: '+493023125001', hz: 600 };
const jonas = { number: '+493023125002', hz: 850 };
const clock = { number: '+442079460123', hz: 1200 };
const three = [ada, jonas, clock];
/** Amplitudes: what is heard at all, and what counts as silence. */
const audible = 0.005;
const silent = 0.002;

let browser: TestBrowser;
let server: PhonePageServer;
let pbx: Switch;
let phone: PhoneInBrowser;

beforeAll(async () => {
  [browser, server, pbx] = await Promise.all([
    startBrowser({ toneHz: agent }),
    servePhonePage(),
    startSwitch({
      domain: 'sandbox.example',
      credentialSecret: 'secret',
      iceAddresses: ['127.0.0.1'],
      sound: 'tones',
    }),
  ]);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  await pbx?.close();
});
beforeEach(async () => {
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  await plugIn(phone.page, 1000);
  await phone.page.evaluate(watchSound);
  await phone.start(accountFor(pbx, '1001'), pbx.credential('1001'));
  await phone.next('sip.registered');
});
afterEach(async () => {
  const errors = await phone.errors();
  await phone.stop();
  // Whatever happened: with the calls, the conference is gone without a rest.
  await expect.poll(() => soundLeft()).toEqual({ contexts: 0, tracks: 0, players: 0 });
  await phone.page.close();
  expect(errors).toEqual([]);
});

/** Runs in the page: keeps hold of every audio context and of every track that is made in one. */
function watchSound(): void {
  const contexts: AudioContext[] = [];
  const tracks: MediaStreamTrack[] = [];
  const Native = AudioContext;
  class Watched extends Native {
    override createMediaStreamDestination(): MediaStreamAudioDestinationNode {
      const node = super.createMediaStreamDestination();
      // The ear of the test makes none.
      if (!contexts.includes(this)) contexts.push(this);
      tracks.push(...node.stream.getTracks());
      return node;
    }
  }
  window.AudioContext = Watched;
  Object.assign(window, {
    soundLeft: () => ({
      contexts: contexts.filter(({ state }) => state !== 'closed').length,
      tracks: tracks.filter(({ readyState }) => readyState === 'live').length,
      players: document.querySelectorAll('audio').length,
    }),
    contexts,
  });
}
type Watched = { soundLeft(): { contexts: number; tracks: number; players: number }; contexts: AudioContext[] };
const soundLeft = () => phone.page.evaluate(() => (window as unknown as Watched).soundLeft());

async function connected(number: string): Promise<CallId> {
  const { call } = await phone.dial(number);
  await phone.next('sip.answered', call);
  return call;
}
const connectedAll = async (parties: readonly { readonly number: string }[]): Promise<CallId[]> => {
  const calls: CallId[] = [];
  for (const { number } of parties) calls.push(await connected(number));
  return calls;
};
const mix = (calls: readonly CallId[], silenced: readonly CallId[] = []) =>
  phone.command(
    'mix',
    calls.map((call) => ({ call, silenced: silenced.includes(call) })),
  );

/** Waits until this party hears exactly these tones, of all that there are. */
async function partyHears(
  party: { readonly number: string },
  tones: readonly number[],
  all: readonly number[] = [agent, ...three.map(({ hz }) => hz)],
): Promise<void> {
  const heard = () => {
    const { levelAt } = pbx.heard(party.number, 400);
    return all.map((hz) => (levelAt(hz) > audible ? `${hz}` : levelAt(hz) < silent ? '' : `${hz}?`)).filter(Boolean);
  };
  const wanted = all.filter((hz) => tones.includes(hz)).map(String);
  await expect.poll(heard, { timeout: 20_000, interval: 50 }).toEqual(wanted);
}
const agentHears = (tones: readonly number[]) =>
  listenUntil(phone.page.mainFrame(), `exactly ${tones.join(' and ')} Hz`, (heard) =>
    three.every(({ hz }) => (tones.includes(hz) ? heard.amplitude(hz) > 0.01 : heard.amplitude(hz) < 0.003)),
  );

it('lets three callers and the agent hear each other, and nobody himself', async () => {
  const calls = await connectedAll(three);
  await mix(calls);
  await partyHears(ada, [agent, jonas.hz, clock.hz]);
  await partyHears(jonas, [agent, ada.hz, clock.hz]);
  await partyHears(clock, [agent, ada.hz, jonas.hz]);
  await agentHears([ada.hz, jonas.hz, clock.hz]);
});

it('silences one member for all, and the agent alone when the agent is muted', async () => {
  const [first, second, third] = await connectedAll(three);
  if (!first || !second || !third) throw new Error('Not all three answered.');
  await mix([first, second, third], [second]);
  await partyHears(ada, [agent, clock.hz]);
  await partyHears(jonas, [agent, ada.hz, clock.hz]);
  await partyHears(clock, [agent, ada.hz]);
  // What the page receives is not what it plays: the silenced member has no player.
  expect((await soundLeft()).players).toBe(2);

  await mix([first, second, third]);
  expect((await soundLeft()).players).toBe(3);
  for (const call of [first, second, third]) await phone.command('mute', call, true);
  await partyHears(ada, [jonas.hz, clock.hz]);
  await partyHears(jonas, [ada.hz, clock.hz]);
  for (const call of [first, second, third]) await phone.command('mute', call, false);
  await partyHears(clock, [agent, ada.hz, jonas.hz]);
});

it('goes on when a member hangs up, is dropped, or is split off and held, and ends with the last', async () => {
  const [first, second, third] = await connectedAll(three);
  if (!first || !second || !third) throw new Error('Not all three answered.');
  await mix([first, second, third]);
  await partyHears(ada, [agent, jonas.hz, clock.hz]);

  // Split: out of the mix and on hold.
  await mix([first, third]);
  await phone.command('hold', second, true);
  await phone.next('sip.held', second);
  await partyHears(ada, [agent, clock.hz]);
  await partyHears(clock, [agent, ada.hz]);
  await partyHears(jonas, []);

  // And back again.
  await mix([first, second, third]);
  await phone.command('hold', second, false);
  await phone.next('sip.resumed', second);
  await partyHears(jonas, [agent, ada.hz, clock.hz]);
  await partyHears(ada, [agent, jonas.hz, clock.hz]);

  pbx.hangUp(clock.number);
  await phone.next('sip.ended', third);
  await partyHears(ada, [agent, jonas.hz]);
  await phone.command('hangUp', second);
  await phone.next('sip.ended', second);
  await partyHears(ada, [agent]);
  await mix([]);
  await partyHears(ada, [agent]);
  expect(await soundLeft()).toEqual({ contexts: 0, tracks: 0, players: 1 });
});

it('sends nothing to members on hold, all of them or one, and takes them back', async () => {
  const calls = await connectedAll(three);
  const [first] = calls;
  if (!first) throw new Error('Nobody answered.');
  await mix(calls);
  await partyHears(ada, [agent, jonas.hz, clock.hz]);
  await phone.command('hold', first, true);
  await phone.next('sip.held', first);
  // What the switch plays to a held agent is not for the others.
  await partyHears(jonas, [agent, clock.hz]);
  for (const call of calls.slice(1)) {
    await phone.command('hold', call, true);
    await phone.next('sip.held', call);
  }
  const frame = phone.page.mainFrame();
  const before = await listen(frame);
  // The time in which packets would have left.
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect((await listen(frame)).packetsSent - before.packetsSent).toBe(0);
  for (const call of calls) {
    await phone.command('hold', call, false);
    await phone.next('sip.resumed', call);
  }
  await partyHears(ada, [agent, jonas.hz, clock.hz]);
  await partyHears(clock, [agent, ada.hz, jonas.hz]);
});

it('keeps the conference when the microphone is changed, unplugged, or the browser stops the sound for a moment', async () => {
  const [first, second] = await connectedAll([ada, jonas]);
  if (!first || !second) throw new Error('Not both answered.');
  await mix([first, second]);
  await partyHears(ada, [agent, jonas.hz]);
  await partyHears(jonas, [agent, ada.hz]);
  await phone.page.evaluate(
    (id) => (window as unknown as Window).phonePage.sound.choose('microphone', id),
    secondMicrophone,
  );
  const all = [agent, 1000, ada.hz, jonas.hz];
  await partyHears(ada, [1000, jonas.hz], all);
  await partyHears(jonas, [1000, ada.hz], all);
  await phone.command('mute', first, true);
  await unplug(phone.page);
  await partyHears(jonas, [agent, ada.hz], all);
  await partyHears(ada, [jonas.hz], all);
  await phone.command('mute', first, false);
  await partyHears(ada, [agent, jonas.hz], all);
  await plugInAgain(phone.page);
  await partyHears(ada, [1000, jonas.hz], all);

  const resumed = await phone.page.evaluate(async () => {
    const context = (window as unknown as Watched).contexts.find(({ state }) => state === 'running');
    // Neither the agent nor the phone does this: a phone call on the same computer does.
    await context?.suspend();
    await new Promise<void>((resolve) => {
      const look = () => (context?.state === 'running' ? resolve() : setTimeout(look, 20));
      look();
    });
    return context?.state;
  });
  expect(resumed).toBe('running');
  await partyHears(jonas, [1000, ada.hz], all);
  await phone.page.evaluate(() => (window as unknown as Window).phonePage.sound.choose('microphone', 'default'));
  await partyHears(jonas, [agent, ada.hz], all);
});

it('still carries the agent while the browser keeps the mix back', async () => {
  const [first, second] = await connectedAll([ada, jonas]);
  if (!first || !second) throw new Error('Not both answered.');
  await phone.page.evaluate(() => {
    AudioContext.prototype.resume = () => Promise.reject(new DOMException('not yet', 'NotAllowedError'));
    const Running = window.AudioContext;
    window.AudioContext = class extends Running {
      constructor() {
        super();
        void this.suspend();
      }
    };
  });
  await mix([first, second]);
  await partyHears(ada, [agent]);
  await phone.page.evaluate(() => {
    Reflect.deleteProperty(AudioContext.prototype, 'resume');
  });
});

it('sounds keys to one member alone, who is in the conversation again after them', async () => {
  await phone.start(accountFor(pbx, '1001', { digits: 'in-band' }), pbx.credential('1001'));
  await phone.next('sip.registered');
  const [first, second] = await connectedAll([ada, jonas]);
  if (!first || !second) throw new Error('Not both answered.');
  await mix([first, second]);
  await partyHears(ada, [agent, jonas.hz]);
  const key = [697, 1209];
  await phone.command('sendDigits', first, '1111');
  await partyHears(ada, key, [agent, jonas.hz, ...key]);
  const other = pbx.heard(jonas.number, 400);
  for (const hz of key) expect(other.levelAt(hz)).toBeLessThan(audible);
  await partyHears(ada, [agent, jonas.hz], [agent, jonas.hz, ...key]);
  await partyHears(jonas, [agent, ada.hz]);
});

it('holds five members', async () => {
  const five = [...three, { number: '+493023129901', hz: 0 }, { number: '+493023129902', hz: 0 }];
  const calls = await connectedAll(five);
  await mix(calls);
  await partyHears(ada, [agent, jonas.hz, clock.hz]);
  for (const { number } of five.slice(3)) await partyHears({ number }, [agent, ada.hz, jonas.hz, clock.hz]);
});

it('leaves nothing behind in many rounds', async () => {
  const calls = await connectedAll([ada, jonas]);
  await phone.page.evaluate(
    async (members) => {
      for (let round = 0; round < 40; round += 1) {
        (window as unknown as Window).phonePage.command('mix', members);
        await new Promise((resolve) => setTimeout(resolve, 10));
        (window as unknown as Window).phonePage.command('mix', []);
      }
    },
    calls.map((call) => ({ call, silenced: false })),
  );
  await expect.poll(soundLeft).toEqual({ contexts: 0, tracks: 0, players: 2 });
  await mix(calls);
  await partyHears(ada, [agent, jonas.hz]);
});
