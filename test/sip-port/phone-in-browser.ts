/**
 * Owns the way from a test to the real ports: bundles the phone page, serves it on loopback, opens it in Chromium and speaks with it.
 * Must never fake any part of the ports.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type CallId, toCallId } from '@patchcord/call-protocol';
import type { IceServer, KeptDialog, SipAccount, SipCredential, SipSignal } from '@patchcord/phone-engine';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { sipJsParts } from '../../scripts/sip-js-parts.ts';
import type { PhonePage, SentMessage, StampedSignal } from './phone-page.ts';

type SignalOf<T extends SipSignal['type']> = Extract<SipSignal, { type: T }>;

/** Serves the phone page on a free loopback port. */
export interface PhonePageServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Bundles and serves the page; one server can feed any number of phones.
 * @param headers further headers of the page itself
 */
export async function servePhonePage(headers: Readonly<Record<string, string>> = {}): Promise<PhonePageServer> {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL('./phone-page.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    minify: true,
    plugins: [sipJsParts],
  });
  const script = bundle.outputFiles[0]?.text ?? '';
  const server: Server = createServer((request, response) => {
    if (request.url === '/phone.js') response.setHeader('content-type', 'text/javascript').end(script);
    else
      response
        .writeHead(200, { ...headers, 'content-type': 'text/html' })
        .end(
          '<!doctype html><meta charset="utf-8"><title>Phone under test</title><script type="module" src="/phone.js"></script>',
        );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** The real port in one browser page. */
export class PhoneInBrowser {
  readonly page: Page;
  #read = 0;

  private constructor(page: Page) {
    this.page = page;
  }

  static async open(page: Page, server: PhonePageServer): Promise<PhoneInBrowser> {
    await page.goto(server.url);
    return new PhoneInBrowser(page);
  }

  start(account: SipAccount, credential: SipCredential, iceServers: readonly IceServer[] = []): Promise<void> {
    return this.page.evaluate(([a, c, i]) => (window as unknown as { phonePage: PhonePage }).phonePage.start(a, c, i), [
      account,
      credential,
      iceServers,
    ] as const);
  }
  renew(credential: SipCredential, iceServers: readonly IceServer[] = []): Promise<void> {
    return this.page.evaluate(([c, i]) => (window as unknown as { phonePage: PhonePage }).phonePage.renew(c, i), [
      credential,
      iceServers,
    ] as const);
  }
  stop(): Promise<void> {
    return this.page.evaluate(() => (window as unknown as { phonePage: PhonePage }).phonePage.stop());
  }

  /** Dials; resolves with the call's id and the moment of dialling. */
  async dial(target: string): Promise<{ readonly call: CallId; readonly at: number }> {
    const call = toCallId(randomUUID());
    return { call, at: await this.dialAs(call, target) };
  }
  dialAs(call: CallId, target: string): Promise<number> {
    return this.page.evaluate(([id, to]) => (window as unknown as { phonePage: PhonePage }).phonePage.dial(id, to), [
      call,
      target,
    ] as const);
  }
  answer(call: CallId): Promise<number> {
    return this.page.evaluate((id) => (window as unknown as { phonePage: PhonePage }).phonePage.answer(id), call);
  }
  command(...parameters: Parameters<PhonePage['command']>): Promise<void> {
    return this.page.evaluate(
      ([name, ...rest]) =>
        (window as unknown as { phonePage: PhonePage }).phonePage.command(
          name as Parameters<PhonePage['command']>[0],
          ...rest,
        ),
      parameters as [string, ...unknown[]],
    );
  }

  /** What a successor must know, as it was told last. */
  dialogs(): Promise<readonly KeptDialog[]> {
    return this.page.evaluate(() => (window as unknown as { phonePage: PhonePage }).phonePage.dialogs);
  }
  handOver(): Promise<readonly KeptDialog[]> {
    return this.page.evaluate(() => (window as unknown as { phonePage: PhonePage }).phonePage.handOver());
  }
  /** Loads the page anew, without a word to anybody, and begins to read its signals from the start. Resolves to what was kept. */
  async reload(): Promise<readonly KeptDialog[]> {
    const dialogs = await this.dialogs();
    await this.page.reload();
    this.#read = 0;
    return dialogs;
  }

  /** Everything signalled so far. */
  async signals(): Promise<StampedSignal[]> {
    return this.page.evaluate(() => (window as unknown as { phonePage: PhonePage }).phonePage.signals);
  }
  receive(text: string): Promise<void> {
    return this.page.evaluate((it) => (window as unknown as { phonePage: PhonePage }).phonePage.receive(it), text);
  }
  async sent(): Promise<SentMessage[]> {
    return this.page.evaluate(() => (window as unknown as { phonePage: PhonePage }).phonePage.sent);
  }
  async errors(): Promise<readonly string[]> {
    return this.page.evaluate(() => (window as unknown as { phonePage: PhonePage }).phonePage.pageErrors());
  }

  /**
   * The next signal of this type (and of this call), from where the last one that was awaited ended.
   * @throws with everything that was signalled, when it does not come within `withinMs`.
   */
  async next<T extends SipSignal['type']>(
    type: T,
    call?: CallId,
    withinMs = 10_000,
  ): Promise<{ readonly at: number; readonly signal: SignalOf<T> }> {
    const from = this.#read;
    const found = await this.page
      .waitForFunction(
        ([start, wanted, id]) => {
          const all = (window as unknown as { phonePage: PhonePage }).phonePage.signals;
          const index = all.findIndex(
            ({ signal }, at) =>
              at >= start && signal.type === wanted && (id === null || ('call' in signal && signal.call === id)),
          );
          return index < 0 ? null : { index, stamped: all[index] };
        },
        [from, type, call ?? null] as const,
        { polling: 10, timeout: withinMs },
      )
      .then(async (handle) => {
        const value = await handle.jsonValue();
        // Else the page keeps what was found for as long as it lives.
        await handle.dispose();
        return value;
      })
      .catch(() => null);
    if (!found) {
      const all = (await this.signals()).map(({ signal }) => JSON.stringify(signal)).join('\n  ');
      throw new Error(`No ${type} within ${withinMs} ms. Signalled so far (${from} already read):\n  ${all}`);
    }
    this.#read = found.index + 1;
    return found.stamped as { at: number; signal: SignalOf<T> };
  }

  /** Looks again at signals that were already read. */
  rewind(): void {
    this.#read = 0;
  }
}

/** An account as a profile gives it. */
export function accountFor(
  server: { readonly url: string; readonly domain: string },
  extension: string,
  changes: Partial<SipAccount> = {},
): SipAccount {
  return {
    domain: server.domain,
    servers: [server.url],
    extension,
    displayName: `Agent ${extension}`,
    registerSeconds: 120,
    instance: randomUUID(),
    candidates: 'first-host',
    iceTransportPolicy: 'all',
    outboundProxy: null,
    failBackSeconds: 0,
    codecs: ['opus', 'G722', 'PCMU', 'PCMA'],
    opus: { fec: true, dtx: false },
    digits: 'rfc4733',
    followTransfers: false,
    callerIdIn: 'p-preferred-identity',
    sessionSeconds: 0,
    recovery: { way: 'auto', applications: [], known: [] },
    ...changes,
  };
}
