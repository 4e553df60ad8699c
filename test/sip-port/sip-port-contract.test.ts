/** The real port, in Chromium, against the obligations that its fake keeps too. */
import { randomUUID } from 'node:crypto';
import type { CallId } from '@patchcord/call-protocol';
import type { DeclineCode, KeptDialog, MixedCall, SipPort, SipSignal, Watching } from '@patchcord/phone-engine';
import { afterAll, beforeAll } from 'vitest';
import {
  type FarEnd,
  type SipPortHarness,
  sipPortContract,
} from '../../packages/phone-engine/src/testing/sip-port-contract.ts';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';
import type { PhonePage } from './phone-page.ts';
import { type ScriptedFar, ScriptedPbx } from './scripted-pbx.ts';

let browser: TestBrowser;
let server: PhonePageServer;
beforeAll(async () => {
  [browser, server] = await Promise.all([startBrowser(), servePhonePage()]);
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

/** The port of the page, as a port here: commands go in order, signals come in order. */
class RemotePort implements SipPort {
  readonly #phone: PhoneInBrowser;
  readonly #listeners = new Set<(signal: SipSignal) => void>();
  readonly #dialogListeners = new Set<(dialogs: readonly KeptDialog[]) => void>();
  #heard = 0;
  #stopped = false;

  constructor(phone: PhoneInBrowser) {
    this.#phone = phone;
  }
  async connect(): Promise<void> {
    await this.#phone.page.exposeFunction('tellTest', (signal: SipSignal) => {
      this.#heard += 1;
      for (const listener of [...this.#listeners]) listener(signal);
    });
    await this.#phone.page.exposeFunction('tellDialogs', (dialogs: readonly KeptDialog[]) => {
      for (const listener of [...this.#dialogListeners]) listener(dialogs);
    });
    await this.#phone.page.evaluate(() => {
      const page = window as unknown as {
        phonePage: PhonePage;
        tellTest: (signal: SipSignal) => void;
        tellDialogs: (dialogs: readonly KeptDialog[]) => void;
      };
      page.phonePage.onSignal((signal) => page.tellTest(signal));
      page.phonePage.onDialogs((dialogs) => page.tellDialogs(dialogs));
    });
  }
  get stopped(): boolean {
    return this.#stopped;
  }

  start(...parameters: Parameters<SipPort['start']>): void {
    this.#stopped = false;
    this.#do(this.#phone.start(...parameters));
  }
  renew(...parameters: Parameters<SipPort['renew']>): void {
    this.#do(this.#phone.renew(...parameters));
  }
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#phone.stop();
    const { length } = await this.#phone.signals();
    while (this.#heard < length) await new Promise((resolve) => setImmediate(resolve));
  }
  dial(call: CallId, target: string): void {
    this.#do(this.#phone.dialAs(call, target));
  }
  answer(call: CallId): void {
    this.#do(this.#phone.answer(call));
  }
  pickUp(call: CallId, extension: string, code: string | null): void {
    this.#do(this.#phone.command('pickUp', call, extension, code));
  }
  redirect(call: CallId, to: string): void {
    this.#do(this.#phone.command('redirect', call, to));
  }
  cancelTransfer(call: CallId): void {
    this.#do(this.#phone.command('cancelTransfer', call));
  }
  mix(members: readonly MixedCall[]): void {
    this.#do(this.#phone.command('mix', members));
  }
  watch(watching: Watching): void {
    this.#do(this.#phone.command('watch', watching));
  }
  sendCode(code: string): void {
    this.#do(this.#phone.command('sendCode', code));
  }
  decline(call: CallId, code: DeclineCode): void {
    this.#do(this.#phone.command('decline', call, code));
  }
  hangUp(call: CallId): void {
    this.#do(this.#phone.command('hangUp', call));
  }
  hold(call: CallId, on: boolean): void {
    this.#do(this.#phone.command('hold', call, on));
  }
  mute(call: CallId, muted: boolean): void {
    this.#do(this.#phone.command('mute', call, muted));
  }
  sendDigits(call: CallId, digits: string): void {
    this.#do(this.#phone.command('sendDigits', call, digits));
  }
  transfer(call: CallId, to: string): void {
    this.#do(this.#phone.command('transfer', call, to));
  }
  transferAttended(call: CallId, consult: CallId): void {
    this.#do(this.#phone.command('transferAttended', call, consult));
  }
  takeUp(dialogs: readonly KeptDialog[]): void {
    this.#do(this.#phone.command('takeUp', dialogs));
  }
  onDialogs(listener: (dialogs: readonly KeptDialog[]) => void): () => void {
    this.#dialogListeners.add(listener);
    return () => this.#dialogListeners.delete(listener);
  }
  handOver(): Promise<readonly KeptDialog[]> {
    this.#stopped = true;
    return this.#phone.handOver();
  }
  onSignal(listener: (signal: SipSignal) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #do(sent: Promise<unknown>): void {
    // A page that is already closed has nothing left to tell.
    sent.catch(() => {});
  }
}

function farEnd(far: ScriptedFar): FarEnd {
  return {
    target: far.target,
    invites: () => far.invites(),
    rings: (earlyMedia) => far.rings(earlyMedia),
    answers: async () => void (await far.answers()),
    refuses: (code) => far.refuses(code),
    cancels: (elsewhere) => far.cancels(elsewhere),
    hangsUp: () => far.hangsUp(),
    holds: (on) => far.holds(on),
    refusesNextHold: () => far.refusesNextHold(),
    acceptsTransfer: () => far.acceptsTransfer(),
    refusesTransfer: (code) => far.refusesTransfer(code),
    heardDigits: () => far.heardDigits(),
  };
}

async function makeHarness(): Promise<SipPortHarness> {
  const pbx = await ScriptedPbx.start();
  const pages: { readonly phone: PhoneInBrowser; readonly port: RemotePort }[] = [];
  const open = async () => {
    const phone = await PhoneInBrowser.open(await browser.newPage(), server);
    const port = new RemotePort(phone);
    pages.push({ phone, port });
    await port.connect();
    return port;
  };
  const port = await open();
  return {
    port,
    account: accountFor(pbx, '1001', { recovery: { way: 'resume', applications: [], known: [] } }),
    credential: { username: `4102444800:1001`, password: randomUUID(), expiresAt: Date.now() + 3_600_000 },
    iceServers: [],
    far: [farEnd(pbx.far[0]), farEnd(pbx.far[1])],
    refusesRegistration: () => void pbx.nextRegister.push({ status: 403, reason: 'Forbidden' }),
    async dropsSocket() {
      pbx.faults.set({ refuseSockets: true });
      pbx.dropSockets();
    },
    async restoresSocket() {
      pbx.faults.set({ refuseSockets: undefined });
    },
    successor: open,
    async close() {
      for (const { phone, port } of pages) {
        if (!port.stopped) await port.stop();
        await phone.page.close();
      }
      await pbx.close();
    },
  };
}

sipPortContract('sip.js in Chromium', makeHarness);
