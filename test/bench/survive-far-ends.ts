/**
 * Who is at the other end of a call that has to survive: real phones and servers of the lab, a second browser, the sandbox switch by its own manners
 * and by FreeSWITCH's. Owns how each is started, dialled and listened to; must never know what happens to the page.
 */
import { randomBytes } from 'node:crypto';
import type { SipAccount, SipCredential } from '@patchcord/phone-engine';
import { startSwitch } from '../../sandbox/src/switch/index.ts';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { browserEndpoint, startAsterisk } from '../sip-lab/asterisk.ts';
import { startBaresip } from '../sip-lab/baresip.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import type { FarPhone } from '../sip-lab/far-phone.ts';
import { startLinphone } from '../sip-lab/linphone.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { ephemeralCredential } from '../sip-lab/wss-client.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer } from '../sip-port/phone-in-browser.ts';
import { toneNow } from './survive-sound.ts';

/** What every page's microphone says. */
export const ourToneHz = 440;
/** A voice at the far end; Chromium's own processing leaves 0.03 and more of a microphone's tone. */
const audible = 0.004;
/** Short enough to see a gap of a tenth of a second. */
const windowMs = 60;

export interface FarEnd {
  readonly name: string;
  /** The browser whose page can reach it: one on loopback offers its address for sound, one in the lab does not. */
  readonly browser: TestBrowser;
  readonly dial: string;
  readonly toneHz: number;
  readonly account: SipAccount;
  credential(): SipCredential;
  /** Whether the agent is heard there at this moment. */
  hears(): boolean | Promise<boolean>;
  /** Resolves when no call is left there. */
  idle(): Promise<void>;
}

interface FarEnds {
  readonly all: readonly FarEnd[];
  close(): Promise<void>;
}

const inAnHour = (): number => Date.now() + 3_600_000;
const until = async (what: string, done: () => boolean | Promise<boolean>): Promise<void> => {
  const deadline = Date.now() + 15_000;
  while (!(await done())) {
    if (Date.now() > deadline) throw new Error(`Not within 15 s: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

/** Starts them all. Runs inside the lab. */
export async function startFarEnds(server: PhonePageServer): Promise<FarEnds> {
  const lab = labFromEnvironment();
  const [first = '', second = '', third = ''] = lab.far.addresses;
  const stops: (() => Promise<unknown>)[] = [];
  const keep = <T>(thing: T, stop: () => Promise<unknown>): T => {
    stops.unshift(stop);
    return thing;
  };
  const close = async (): Promise<void> => {
    for (const stop of stops) await stop();
  };
  try {
    const secret = randomBytes(32).toString('hex');
    const edge = await startEdge(lab, { credentialSecret: secret, turnSecret: randomBytes(16).toString('hex') });
    keep(edge, () => edge.stop());
    const asterisk = await startAsterisk(lab, {
      more: { 'pjsip.conf': browserEndpoint({ aor: 'max_contacts=5\nremove_existing=yes' }) },
    });
    keep(asterisk, () => asterisk.stop());
    const [inLab, onLoopback, other] = await Promise.all([
      startBrowser({ toneHz: ourToneHz, loopbackMedia: false }),
      startBrowser({ toneHz: ourToneHz }),
      startBrowser({ toneHz: 1250, loopbackMedia: false }),
    ]);
    for (const browser of [inLab, onLoopback, other]) keep(browser, () => browser.close());

    const atEdge = { url: edge.wssUrl, domain: edge.domain };
    const ephemeral = (extension: string): SipCredential => ({
      ...ephemeralCredential(secret, extension, 3_600),
      expiresAt: inAnHour(),
    });
    const baresip = await startBaresip(lab, { user: 'far1', address: first, toneHz: 600, autoAnswer: true });
    keep(baresip, () => baresip.stop());
    const linphone = await startLinphone(lab, { user: 'far2', address: second, toneHz: 1700, autoAnswer: true });
    keep(linphone, () => linphone.stop());
    const desk = await startBaresip(lab, {
      user: asterisk.desk.user,
      password: asterisk.desk.password,
      registrar: `${asterisk.address}:5060`,
      address: third,
      toneHz: 850,
      autoAnswer: true,
    });
    keep(desk, () => desk.stop());

    const all: FarEnd[] = [
      phone('baresip', inLab, baresip, accountFor(atEdge, '1001'), () => ephemeral('1001')),
      phone('linphone', inLab, linphone, accountFor(atEdge, '1001'), () => ephemeral('1001')),
      phone('Asterisk', inLab, desk, accountFor({ url: asterisk.wssUrl, domain: asterisk.domain }, '3001'), () => ({
        username: '3001',
        password: 'agent',
        expiresAt: inAnHour(),
      })),
      await secondBrowser(other, server, edge, ephemeral, inLab),
    ];
    for (const behaveLike of ['own', 'freeswitch'] as const) {
      const pbx = await startSwitch({
        domain: 'sandbox.example',
        credentialSecret: secret,
        iceAddresses: ['127.0.0.1'],
        sound: 'tones',
        behaveLike,
      });
      keep(pbx, () => pbx.close());
      const person = '+493023125001';
      all.push({
        name: behaveLike === 'own' ? 'sandbox switch' : 'FreeSWITCH-like switch',
        browser: onLoopback,
        dial: person,
        toneHz: 600,
        account: accountFor(pbx, '1001'),
        credential: () => pbx.credential('1001'),
        hears: () => pbx.heard(person, windowMs).levelAt(ourToneHz) > audible,
        idle: async () => {
          for (const call of pbx.calls()) if (call.state !== 'ended') pbx.hangUp(call.id);
        },
      });
    }
    return { all, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function phone(
  name: string,
  browser: TestBrowser,
  far: FarPhone,
  account: SipAccount,
  credential: () => SipCredential,
): FarEnd {
  return {
    name,
    browser,
    dial: far.user,
    toneHz: far.toneHz,
    account,
    credential,
    hears: () => far.heard(windowMs).amplitude(ourToneHz) > audible,
    // A call that nobody ended stands here, as it would with a client that lost it.
    idle: async () => {
      const open = far.events.filter(({ kind }) => kind === 'established').length;
      const closed = far.events.filter(({ kind }) => kind === 'closed').length;
      if (closed < open) await far.hangUp();
      await far.hearsSilence();
    },
  };
}

/** Another agent's Patchcord, which answers by itself: a new call, and one that replaces another. */
async function secondBrowser(
  other: TestBrowser,
  server: PhonePageServer,
  edge: Edge,
  ephemeral: (extension: string) => SipCredential,
  browser: TestBrowser,
): Promise<FarEnd> {
  const far = await PhoneInBrowser.open(await other.newPage(), server);
  await far.page.evaluate(() => {
    const { phonePage } = window as unknown as {
      phonePage: {
        onSignal(listener: (signal: { type: string; call?: string }) => void): void;
        answer(call: string): void;
      };
    };
    phonePage.onSignal(({ type, call }) => {
      if (type === 'sip.invited' && call !== undefined) phonePage.answer(call);
    });
  });
  await far.start(accountFor({ url: edge.wssUrl, domain: edge.domain }, '1002'), ephemeral('1002'));
  await far.next('sip.registered');
  return {
    name: 'second browser',
    browser,
    dial: '1002',
    toneHz: 1250,
    account: accountFor({ url: edge.wssUrl, domain: edge.domain }, '1001'),
    credential: () => ephemeral('1001'),
    hears: async () => (await far.page.evaluate(toneNow, ourToneHz)) > audible,
    idle: () =>
      until('the other browser has no call', async () => {
        const signals = await far.signals();
        const count = (type: string): number => signals.filter(({ signal }) => signal.type === type).length;
        return count('sip.ended') >= count('sip.invited');
      }),
  };
}
