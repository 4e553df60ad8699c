/**
 * Owns what every test of the suite stands on: one Chromium with partitioned storage, HubSpot's pages on one site (localhost), the phone with the
 * genuine SDK on another (127.0.0.1), a hostile page on a third origin, and ways to speak to all of them. Must never decide what is right.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { BrowserContext, Frame, Page } from 'playwright-core';
import { expect } from 'vitest';
import { startBrowser } from '../browser/chromium.ts';
import { type Account, createAccount } from './account.ts';
import type { FrameLocation, Said } from './linter.ts';

export const portalId = 24_500_123;

/** `expect.poll` with the patience of a loaded machine. */
export const eventually = <T>(read: () => T | Promise<T>) => expect.poll(read, { timeout: 20_000, interval: 20 });

export interface Rig {
  readonly account: Account;
  readonly context: BrowserContext;
  readonly hostOrigin: string;
  readonly phoneOrigin: string;
  readonly hostileOrigin: string;
  /** Everything any page printed. */
  readonly printed: string[];
  openHost(options?: HostOptions): Promise<Host>;
  /** A page on the hostile origin. */
  openHostile(html: string): Promise<Page>;
  /** The host around a page that the browser opened. */
  hostOn(page: Page): Host;
  close(): Promise<void>;
}

export interface HostOptions {
  readonly location?: FrameLocation;
  readonly usesCallingWindow?: boolean;
  /** What the frame may do; as HubSpot has it when absent. */
  readonly allow?: string;
  /** Says no SYNC until the test lets it. */
  readonly hold?: boolean;
}

/** One tab of HubSpot with the phone in it. */
export interface Host {
  readonly page: Page;
  /** The phone's frame, greeted. */
  phone(): Promise<Phone>;
  /** The phone's frame with its script run, greeted or not. */
  loaded(): Promise<Phone>;
  /** Says SYNC until it is answered. */
  greet(): Promise<void>;
  say(type: string, data?: unknown, messageId?: unknown): Promise<void>;
  /** Any message, however broken. */
  post(message: unknown): Promise<void>;
  /** What the phone posted to this page, as it came. */
  raw(): Promise<readonly unknown[]>;
}

export interface Phone {
  readonly frame: Frame;
  step(step: 'start' | 'answer' | 'transfer' | 'end' | 'complete', call: object): Promise<void>;
  tell(method: string, ...args: readonly unknown[]): Promise<Attempt>;
  heard(what: string): Promise<readonly unknown[]>;
  role(): Promise<string>;
  knows(call: string): Promise<string | null>;
  timePasses(): Promise<void>;
  strangers(): Promise<number>;
}

export type Attempt =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

export async function startRig(): Promise<Rig> {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const one of closers.reverse()) await one();
  };
  try {
    const [hostScript, phoneScript] = await Promise.all([bundle('./host-page.ts'), bundle('./adapter-page.ts')]);
    const page = (script: string): string =>
      `<!doctype html><meta charset="utf-8"><title>${script}</title><body><script src="/${script}"></script></body>`;
    let hostile = '';
    const host = await serve((path) =>
      path === '/host.js' ? ['text/javascript', hostScript] : ['text/html', page('host.js')],
    );
    closers.push(host.close);
    const phone = await serve((path) =>
      path === '/phone.js' ? ['text/javascript', phoneScript] : ['text/html', page('phone.js')],
    );
    closers.push(phone.close);
    const stranger = await serve(() => ['text/html', hostile]);
    closers.push(stranger.close);
    const browser = await startBrowser();
    closers.push(() => browser.close());

    const { context } = browser;
    const account = createAccount();
    const hostOrigin = `http://localhost:${host.port}`;
    const phoneOrigin = `http://127.0.0.1:${phone.port}`;
    const phoneUrl = `${phoneOrigin}/?host=${encodeURIComponent(hostOrigin)}`;
    const printed: string[] = [];
    context.on('console', (message) => {
      printed.push(message.text());
    });
    await context.exposeBinding('accountTells', () => {
      const engagementId = account.liveInbound();
      return {
        phoneUrl,
        context: { portalId, userId: 4201, ownerId: 7701, ...(engagementId === null ? {} : { engagementId }) },
      };
    });
    await context.exposeBinding('accountHears', (_, said: Said) => account.hear(said));
    return {
      ...{ account, context, hostOrigin, phoneOrigin, hostileOrigin: `http://localhost:${stranger.port}`, printed },
      async openHost({ location = 'window', usesCallingWindow = true, allow, hold = false } = {}) {
        const tab = await context.newPage();
        const query = new URLSearchParams({
          location,
          usesCallingWindow: `${usesCallingWindow}`,
          ...(allow === undefined ? {} : { allow }),
          ...(hold ? { hold: 'yes' } : {}),
        });
        await tab.goto(
          location === 'window'
            ? `${hostOrigin}/calling-integration-popup-ui/${portalId}?${query}`
            : `${hostOrigin}/contacts/?${query}`,
        );
        return hostOn(tab);
      },
      async openHostile(html) {
        hostile = html.replaceAll('PHONE', phoneUrl).replaceAll('HOST', hostOrigin);
        const tab = await context.newPage();
        await tab.goto(`http://localhost:${stranger.port}/`);
        return tab;
      },
      hostOn,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

type HostWindow = Window & {
  readonly hostPage: {
    say(type: string, data?: unknown, messageId?: unknown): void;
    post(message: unknown): void;
    raw: unknown[];
  };
};

function hostOn(page: Page): Host {
  const frame = async (): Promise<Frame> => {
    const element = await page.waitForSelector('#phone', { state: 'attached' });
    const found = await element.contentFrame();
    if (!found) throw new Error('The phone has no frame.');
    return found;
  };
  return {
    page,
    async loaded() {
      const found = await frame();
      await found.waitForFunction('typeof adapter === "object"', undefined, { polling: 20 });
      return phoneIn(found);
    },
    greet: () => page.evaluate('hostPage.greet()'),
    async phone() {
      await page.waitForFunction('window.hostPage?.acknowledged()', undefined, { polling: 20 });
      return phoneIn(await frame());
    },
    say: (type, data, messageId) =>
      page.evaluate(([kind, more, id]) => (window as unknown as HostWindow).hostPage.say(kind, more, id ?? undefined), [
        type,
        data,
        messageId,
      ] as const),
    post: (message) => page.evaluate((data) => (window as unknown as HostWindow).hostPage.post(data), message),
    raw: () => page.evaluate(() => (window as unknown as HostWindow).hostPage.raw),
  };
}

type PhoneWindow = Window & {
  readonly adapter: {
    readonly host: Record<string, (...args: readonly unknown[]) => unknown>;
    readonly heard: Record<string, readonly unknown[]>;
    attempt(run: () => unknown): Promise<Attempt>;
    step(step: string, call: object): void;
    knows(call: string): string | null;
    role(): string;
    strangers(): number;
    timePasses(): void;
  };
};

export function phoneIn(frame: Frame): Phone {
  return {
    frame,
    step: (step, call) =>
      frame.evaluate(([what, which]) => (window as unknown as PhoneWindow).adapter.step(what, which), [
        step,
        call,
      ] as const),
    tell: (method, ...args) =>
      frame.evaluate(
        ([name, given]) => {
          const { adapter } = window as unknown as PhoneWindow;
          return adapter.attempt(() => adapter.host[name]?.(...given));
        },
        [method, args] as const,
      ),
    heard: (what) => frame.evaluate((name) => (window as unknown as PhoneWindow).adapter.heard[name] ?? [], what),
    role: () => frame.evaluate(() => (window as unknown as PhoneWindow).adapter.role()),
    knows: (call) => frame.evaluate((id) => (window as unknown as PhoneWindow).adapter.knows(id), call),
    timePasses: () => frame.evaluate(() => (window as unknown as PhoneWindow).adapter.timePasses()),
    strangers: () => frame.evaluate(() => (window as unknown as PhoneWindow).adapter.strangers()),
  };
}

async function serve(
  answer: (path: string) => readonly [type: string, body: string],
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    const [type, body] = answer(new URL(request.url ?? '/', 'http://x').pathname);
    response.writeHead(200, { 'content-type': `${type};charset=UTF-8`, 'cache-control': 'no-store' });
    response.end(body);
  });
  // One server for both names of loopback.
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bundle(entry: string): Promise<string> {
  const built = await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    target: ['chrome120'],
    charset: 'utf8',
    logLevel: 'silent',
  });
  const file = built.outputFiles[0];
  if (!file) throw new Error(`${entry} did not bundle.`);
  return file.text;
}
