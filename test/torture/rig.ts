/**
 * A registered phone with a call that has sound both ways, a second call that may break and one that rings out, behind a wiretap. Owns their making,
 * the looks whether the phone is still well, and their end. Must never judge a look: it says what it saw.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { CDPSession, Page } from 'playwright-core';
import { MediaPeer } from '../../sandbox/src/switch/media-peer.ts';
import { levelAt } from '../../sandbox/src/switch/sound.ts';
import { listen, type TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer } from '../sip-port/phone-in-browser.ts';
import type { PhonePage } from '../sip-port/phone-page.ts';
import { type FarCall, ScriptedPbx } from '../sip-port/scripted-pbx.ts';
import { heldBytes } from './heap.ts';
import { fresh, type Scene } from './messages.ts';
import { Wiretap } from './wiretap.ts';

const ourTone = 440;
const credential = { username: '4102444800:1001', password: 'p', expiresAt: 4_102_444_800_000 };
/** How long the phone may take to answer OPTIONS after everything before it, and to be heard and to hear, ms. A machine that does much else is slow. */
const answerMs = 10_000;
const soundMs = 40_000;
/** Packets of 20 ms, so many that all the sound that is judged came after the question: the page's ear keeps a third of a second, the other is asked for less. */
const freshPackets = 20;
/** What the rig itself waits for on a machine that does much else, ms. */
const patienceMs = 20_000;

interface TorturedWindow {
  readonly phonePage: PhonePage;
  RTCPeerConnection: typeof RTCPeerConnection;
  tapped?: typeof RTCPeerConnection;
  opened?: WeakRef<RTCPeerConnection>[];
  /** Where the errors came from that nobody handled. */
  stacks?: string[];
}

export interface Measured {
  /** What the page's scripts and their objects hold, after everything that could be let go was let go. Without code: the browser compiles on for hours. */
  readonly heapBytes: number;
  readonly listeners: number;
  /** Open, beside the one of the call with sound. */
  readonly peerConnections: number;
  /** Open or closed, as many as the browser still has. A call that is not let go keeps its own; Chromium itself lets one or two go late. */
  readonly connectionsInMemory: number;
}

export class Rig {
  readonly phone: PhoneInBrowser;
  readonly tap: Wiretap;
  readonly #pbx: ScriptedPbx;
  readonly #cdp: CDPSession;
  #steady: { readonly call: CallId; readonly far: FarCall } | undefined;
  #victim: { readonly call: CallId; readonly far: FarCall } | undefined;
  #pending: CallId | undefined;
  #offer = '';
  #crashed = false;
  #gone = false;
  #options = 0;
  /** What was signalled of the call with sound. */
  readonly #said: string[] = [];
  /** Calls that rang or were dialled and have not ended, with what was signalled of them. */
  readonly #open = new Map<CallId, string>();

  private constructor(phone: PhoneInBrowser, tap: Wiretap, pbx: ScriptedPbx, cdp: CDPSession) {
    this.phone = phone;
    this.tap = tap;
    this.#pbx = pbx;
    this.#cdp = cdp;
    phone.page.on('crash', () => {
      this.#crashed = true;
    });
    phone.page.on('close', () => {
      this.#gone = true;
    });
  }

  /** Registers a phone in a page of its own and connects the call with sound. Leaves nothing behind when it fails. */
  static async start(browser: TestBrowser, server: PhonePageServer): Promise<Rig> {
    const page = await browser.newPage();
    const pbx = await ScriptedPbx.start();
    const tap = await Wiretap.start(pbx.url);
    return Rig.#connect(page, server, tap, pbx).catch(async (error: unknown) => {
      await page.close().catch(() => {});
      await tap.close();
      await pbx.close();
      throw error;
    });
  }

  static async #connect(page: Page, server: PhonePageServer, tap: Wiretap, pbx: ScriptedPbx): Promise<Rig> {
    const phone = await PhoneInBrowser.open(page, server);
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('HeapProfiler.enable');
    await cdp.send('Performance.enable');
    const rig = new Rig(phone, tap, pbx, cdp);
    await phone.start(accountFor({ url: tap.url, domain: pbx.domain }, '1001'), credential);
    await phone.next('sip.registered');
    const { call } = await phone.dial('2001');
    const far = await pbx.far[0].answers();
    await phone.next('sip.answered', call);
    rig.#steady = { call, far };
    // Only a call that had sound can lose it: a path that never came up is the rig's own trouble.
    await Promise.all([
      hears(far, 'the far end hears the phone at the start'),
      rig.#hears(pbx.far[0].toneHz, 'the phone hears the far end at the start'),
    ]);
    // Of nobody: with the credentials of the call with sound, another call could take its far end's sound over.
    const nobody = new MediaPeer(['127.0.0.1']);
    rig.#offer = await nobody.offer();
    nobody.close();
    // From here on connections are counted, not listened to: the ear would keep every one of them.
    await page.evaluate(() => {
      const here = window as unknown as TorturedWindow;
      here.tapped = here.RTCPeerConnection;
      const opened: WeakRef<RTCPeerConnection>[] = [];
      here.opened = opened;
      const stacks: string[] = [];
      here.stacks = stacks;
      addEventListener('error', ({ error }) => stacks.push(String(error?.stack).slice(0, 900)));
      addEventListener('unhandledrejection', ({ reason }) => stacks.push(String(reason?.stack).slice(0, 900)));
      here.RTCPeerConnection = class extends (Object.getPrototypeOf(here.tapped) as typeof RTCPeerConnection) {
        constructor(configuration?: RTCConfiguration) {
          super(configuration);
          opened.push(new WeakRef<RTCPeerConnection>(this));
        }
      };
    });
    return rig;
  }

  /** Makes sure that there is a second call and one that rings out. Ends what else has come up. */
  async prepare(): Promise<void> {
    await this.#tidy();
    if (!this.#victim || !this.#open.has(this.#victim.call)) this.#victim = await this.#makeVictim();
    if (this.#pending === undefined || !this.#open.has(this.#pending)) {
      const before = this.tap.asked.get('INVITE');
      const { call } = await this.phone.dial('2002');
      this.#pending = call;
      this.#open.set(call, 'dialled');
      await until(() => this.tap.asked.get('INVITE') !== before, 'the phone dials', patienceMs);
    }
  }

  /** Ends every call but the one with sound, the second and the one that rings out. @throws Error when one does not end */
  settle(): Promise<void> {
    return this.#tidy();
  }

  get scene(): Scene {
    if (!this.#steady || !this.#victim) throw new Error('The rig is not prepared.');
    return {
      domain: this.#pbx.domain,
      contact: this.#pbx.device.contact,
      offer: this.#offer,
      steady: this.#steady.far,
      victim: this.#victim.far,
      asked: this.tap.asked,
    };
  }

  /** Asks to register anew while `answers` make broken answers of the right one, which comes last. */
  async registerAmid(answers: (right: string) => readonly string[]): Promise<void> {
    let made = false;
    this.tap.beforeResponse = (text) => {
      if (made || !/^cseq\s*:\s*\d+\s+REGISTER/im.test(text)) return [];
      made = true;
      return answers(text);
    };
    await this.phone.renew(credential);
    // Not before an answer has passed: of a round that ends sooner, nothing would have been broken.
    await until(() => made, 'the phone is answered that it is registered', patienceMs);
    this.tap.beforeResponse = () => [];
    // A refusal among the answers may be a good one: then the phone waits for a new credential, as it should.
    await until(
      async () => {
        if (await this.#answersOptions(1_000)) return true;
        await this.phone.renew(credential);
        return false;
      },
      'the phone is back on the line',
      30_000,
    );
    await this.phone.renew(credential);
    await until(() => this.#answersOptions(1_000), 'the phone is registered', 30_000);
  }

  /** What is wrong with the phone, or nothing. */
  async fault(): Promise<string | undefined> {
    if (this.#crashed) return 'The page crashed.';
    if (this.#gone) return 'The page is gone.';
    if (!(await this.#answersOptions(answerMs)))
      return this.#crashed
        ? 'The page crashed.'
        : this.#gone
          ? 'The page is gone.'
          : `The phone did not answer OPTIONS within ${answerMs} ms.`;
    const errors = await this.phone.errors();
    if (errors.length > 0) {
      const stacks = await this.phone.page.evaluate(() => (window as unknown as TorturedWindow).stacks ?? []);
      return `Errors that nobody handled: ${errors.slice(0, 3).join(' | ')} ${stacks[0] ?? ''}`;
    }
    return this.#silence();
  }

  async measure(): Promise<Measured> {
    await this.#tidy(true);
    const open = () =>
      this.phone.page.evaluate(() => {
        const { opened = [] } = window as unknown as TorturedWindow;
        const still = opened.filter((one) => one.deref() && one.deref()?.connectionState !== 'closed');
        // What this list holds of connections that are over would be measured as the phone's.
        opened.splice(0, opened.length, ...still);
        return still.length;
      });
    await until(async () => (await open()) === 0, 'no peer connection is left over', 3_000).catch(() => {});
    const peerConnections = await open();
    for (let round = 0; round < 2; round += 1) {
      await this.#cdp.send('HeapProfiler.collectGarbage');
      // What the first round let go is put away between the two.
      await delay(200);
      await this.#cdp.send('HeapProfiler.collectGarbage');
    }
    const { jsEventListeners } = await this.#cdp.send('Memory.getDOMCounters');
    const { metrics } = await this.#cdp.send('Performance.getMetrics');
    const connectionsInMemory = metrics.find(({ name }) => name === 'RTCPeerConnections')?.value ?? Number.NaN;
    const heapBytes = await heldBytes(this.#cdp);
    return { heapBytes, listeners: jsEventListeners, peerConnections, connectionsInMemory };
  }

  /** Registers, calls and is called, each with sound; then ends everything. What went wrong, or nothing. */
  async afterwards(): Promise<string | undefined> {
    await this.#tidy(true);
    await this.phone.page.evaluate(() => {
      const here = window as unknown as TorturedWindow;
      if (here.tapped) here.RTCPeerConnection = here.tapped;
    });
    const [, far] = this.#pbx.far;
    try {
      const asked = this.#pbx.registers.length;
      await this.phone.renew(credential);
      await until(() => this.#pbx.registers.length > asked, 'the phone registers', patienceMs);
      const calls = far.calls.length;
      const { call } = await this.phone.dial('2002');
      await until(() => far.calls.length > calls, 'the phone calls', patienceMs);
      const theirs = far.call;
      await theirs.answer();
      await this.phone.next('sip.answered', call);
      await hears(theirs, 'the far end of a call made afterwards hears the phone');
      await this.#hears(far.toneHz, 'the phone hears a call made afterwards');
      await this.phone.command('hangUp', call);
      await this.phone.next('sip.ended', call);
      const again = await this.#makeVictim();
      await hears(again.far, 'the far end of a call taken afterwards hears the phone');
      await this.phone.command('hangUp', again.call);
      const { call: steady } = this.#steady ?? again;
      await this.phone.command('hangUp', steady);
      await this.phone.next('sip.ended', steady);
      const players = () =>
        this.phone.page.evaluate(() => (window as unknown as TorturedWindow).phonePage.audioElements());
      await until(async () => (await players()) === 0, 'no player is left over', patienceMs);
      return undefined;
    } catch (error) {
      return `Afterwards: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  async close(): Promise<void> {
    if (!this.#crashed) await Promise.race([this.phone.stop().catch(() => {}), delay(3_000)]);
    await this.phone.page.close().catch(() => {});
    await this.tap.close();
    await this.#pbx.close();
  }

  async #makeVictim(): Promise<{ call: CallId; far: FarCall }> {
    const [, far] = this.#pbx.far;
    await far.invites();
    const { callId } = far.call;
    const handle = await this.phone.page.waitForFunction(
      (id) => {
        const all = (window as unknown as TorturedWindow).phonePage.signals;
        const found = all.find(({ signal }) => signal.type === 'sip.invited' && signal.sipCallId === id);
        return found?.signal.type === 'sip.invited' ? found.signal.call : null;
      },
      callId,
      { polling: 10, timeout: patienceMs },
    );
    const call = (await handle.jsonValue()) as CallId;
    this.#open.set(call, 'invited');
    await this.phone.answer(call);
    return { call, far: await far.answered() };
  }

  /** Reads what was signalled, ends calls that nobody needs (`all`: the second and the ringing one too), and empties the page's own lists. */
  async #tidy(all = false): Promise<void> {
    const needed = new Set([this.#steady?.call, ...(all ? [] : [this.#victim?.call, this.#pending])]);
    const look = async () => {
      const signals = await this.phone.page.evaluate(() => {
        const { phonePage } = window as unknown as TorturedWindow;
        phonePage.sent.splice(0);
        phonePage.logs.splice(0);
        return phonePage.signals.splice(0).map(({ signal }) => signal);
      });
      this.phone.rewind();
      for (const signal of signals) {
        if ('call' in signal && signal.call === this.#steady?.call) this.#said.push(JSON.stringify(signal));
        if (signal.type === 'sip.invited') this.#open.set(signal.call, 'invited');
        else if ('call' in signal && this.#open.has(signal.call))
          this.#open.set(signal.call, `${this.#open.get(signal.call)} ${signal.type}`);
        if (signal.type === 'sip.ended') this.#open.delete(signal.call);
      }
    };
    await look();
    const superfluous = () => [...this.#open.keys()].filter((call) => !needed.has(call));
    await until(
      async () => {
        // What was slipped in just before may still be on its way, and ring later than the first look.
        for (const call of superfluous()) await this.phone.command('hangUp', call);
        await look();
        return superfluous().length === 0;
      },
      'calls that nobody needs end',
      patienceMs,
    ).catch((error: unknown) => {
      const [left] = superfluous();
      throw new Error(`${error instanceof Error ? error.message : error} (${left && this.#open.get(left)})`);
    });
  }

  async #answersOptions(withinMs: number): Promise<boolean> {
    this.#options += 1;
    const mark = `look${this.#options}`;
    const scene = { ...this.scene };
    const answered = this.tap.answerTo(`z9hG4bKtorture${mark}`);
    const ask = () => this.tap.slip(fresh({ scene, mark }, 'OPTIONS'));
    // A phone on a machine that does much else takes its connection for dead at times; what was asked over that one is lost.
    this.tap.onPhone = ask;
    ask();
    const late = delay(withinMs).then(() => false);
    return Promise.race([answered.then(() => true), late]).finally(() => {
      this.tap.onPhone = () => {};
    });
  }

  async #silence(): Promise<string | undefined> {
    const steady = this.#steady;
    if (!steady) return 'There is no call.';
    const [far] = this.#pbx.far;
    try {
      await Promise.all([
        hears(steady.far, 'the far end hears the phone'),
        this.#hears(far.toneHz, 'the phone hears the far end'),
      ]);
      return undefined;
    } catch (error) {
      const said = this.#said.slice(-3).join(' ');
      const gone = steady.far.closed ? ' Its far end is gone.' : '';
      if (this.#gone) return 'The page is gone.';
      const { packetsReceived, packetsSent, rms } = await listen(this.phone.page.mainFrame());
      const sound = `${packetsReceived} packets received, ${packetsSent} sent, rms ${rms.toFixed(4)}`;
      return `The call lost its sound: ${error instanceof Error ? error.message : error}${gone} ${sound}. ${said}`;
    }
  }

  /** Waits for the tone in what is received from now on. */
  async #hears(hz: number, what: string): Promise<void> {
    const look = () => listen(this.phone.page.mainFrame());
    const before = (await look()).packetsReceived;
    await until(
      async () => {
        const heard = await look();
        return heard.packetsReceived - before >= freshPackets && heard.amplitude(hz) > 0.02;
      },
      what,
      soundMs,
    );
  }
}

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for the phone's tone in what the far end receives from now on. */
async function hears(far: FarCall, what: string): Promise<void> {
  const before = far.media.packetsReceived;
  const fresh = () => far.media.packetsReceived - before >= freshPackets;
  await until(() => fresh() && levelAt(far.heard(200), ourTone) > 0.005, what, soundMs);
}

/** Looks until it is so. @throws Error with what was waited for */
async function until(so: () => boolean | Promise<boolean>, what: string, withinMs: number): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await so())) {
    if (Date.now() > deadline) throw new Error(`In ${withinMs} ms this did not come: ${what}.`);
    await delay(20);
  }
}
