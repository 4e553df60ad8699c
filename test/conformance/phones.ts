/**
 * Phones of Patchcord in a browser, each in a page of its own with its wire, for a test file that shares one browser. Owns opening and closing them and
 * the words in which tests speak with them; must never decide what a far end is expected to do.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { SipAccount, SipCredential } from '@patchcord/phone-engine';
import { expect } from 'vitest';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from '../sip-port/phone-in-browser.ts';
import { Wire } from './wire.ts';

/** Everything that may be heard, so that a test can say "and nothing else". */
const known = [440, 550, 600, 700, 850, 1250, 1700];

export class DeskPhone {
  readonly port: PhoneInBrowser;
  readonly wire: Wire;

  constructor(port: PhoneInBrowser, wire: Wire) {
    this.port = port;
    this.wire = wire;
  }

  /** Dials; resolves when it is answered. */
  async connect(target: string): Promise<CallId> {
    const { call } = await this.port.dial(target);
    await this.port.next('sip.answered', call, 15_000);
    return call;
  }
  /** The call that comes in. */
  async invited() {
    return (await this.port.next('sip.invited', undefined, 15_000)).signal;
  }
  async answer(call: CallId): Promise<void> {
    await this.port.answer(call);
    await this.port.next('sip.answered', call, 15_000);
  }
  async hold(call: CallId, on: boolean): Promise<void> {
    await this.port.command('hold', call, on);
    await this.port.next(on ? 'sip.held' : 'sip.resumed', call);
  }
  async hangUp(call: CallId): Promise<void> {
    await this.port.command('hangUp', call);
    await this.port.next('sip.ended', call);
  }
  /** How a call ended. */
  async ended(call: CallId, withinMs = 15_000) {
    return (await this.port.next('sip.ended', call, withinMs)).signal;
  }
  /** These tones and, of all that sound in the laboratory, no other. */
  hears(...tones: readonly number[]): Promise<unknown> {
    return listenUntil(
      this.port.page.mainFrame(),
      `exactly ${tones.join(' and ')} Hz`,
      (heard) => known.every((hz) => (tones.includes(hz) ? heard.amplitude(hz) > 0.008 : heard.amplitude(hz) < 0.004)),
      12_000,
    );
  }
  /** What was told last of a watched extension. */
  async lamp(extension: string) {
    const told = (await this.port.signals()).flatMap(({ signal }) => (signal.type === 'sip.watched' ? [signal] : []));
    return told.at(-1)?.watched.find((it) => it.extension === extension);
  }
  lampBecomes(extension: string, status: string): Promise<void> {
    return expect.poll(async () => (await this.lamp(extension))?.status, { timeout: 12_000 }).toBe(status);
  }
  async newMessages(): Promise<number | undefined> {
    const told = (await this.port.signals()).flatMap(({ signal }) => (signal.type === 'sip.mailbox' ? [signal] : []));
    return told.at(-1)?.mailbox?.newMessages;
  }
  /** The codec in which sound leaves, by what really does. */
  speaks(): Promise<string[]> {
    return this.port.page.evaluate(async () => {
      const { connections } = window as unknown as { connections: Set<RTCPeerConnection> };
      const spoken: string[] = [];
      for (const connection of connections) {
        if (connection.signalingState === 'closed') continue;
        const reports = await connection.getStats();
        for (const report of reports.values())
          if (report.type === 'outbound-rtp' && report.codecId !== undefined)
            spoken.push(String(reports.get(report.codecId)?.mimeType).replace('audio/', ''));
      }
      return spoken;
    });
  }
}

export class Phones {
  readonly #browser: TestBrowser;
  readonly #server: PhonePageServer;
  readonly #open: DeskPhone[] = [];

  private constructor(browser: TestBrowser, server: PhonePageServer) {
    this.#browser = browser;
    this.#server = server;
  }

  static async start(toneHz: number): Promise<Phones> {
    const [browser, server] = await Promise.all([startBrowser({ toneHz }), servePhonePage()]);
    return new Phones(browser, server);
  }

  /** A page with a phone that has registered. */
  async open(
    place: { readonly url: string; readonly domain: string },
    extension: string,
    credential: SipCredential,
    changes: Partial<SipAccount> = {},
  ): Promise<DeskPhone> {
    const page = await this.#browser.newPage();
    const wire = new Wire(page);
    await page.addInitScript(() => {
      const connections = new Set<RTCPeerConnection>();
      Object.assign(window, { connections });
      const Native = RTCPeerConnection;
      window.RTCPeerConnection = class extends Native {
        constructor(configuration?: RTCConfiguration) {
          super(configuration);
          connections.add(this);
        }
      };
    });
    const port = await PhoneInBrowser.open(page, this.#server);
    const phone = new DeskPhone(port, wire);
    this.#open.push(phone);
    await port.start(accountFor(place, extension, changes), credential);
    await port.next('sip.registered', undefined, 15_000);
    return phone;
  }

  /** Ends every phone; what none of them handled is told. */
  async closeAll(): Promise<void> {
    const errors: string[] = [];
    for (const { port } of this.#open.splice(0)) {
      errors.push(...(await port.errors()));
      await port.stop();
      await port.page.close();
    }
    expect(errors).toEqual([]);
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    await this.#server.close();
  }
}
