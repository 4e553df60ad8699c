/**
 * Owns what every test of the suite stands on: one Chromium, one org on loopback names, the sandbox's host page with our panel half in it, and
 * ways to speak to both. Must never decide what is right: the suites do.
 */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { BrowserContext, Frame, Page } from 'playwright-core';
import { expect } from 'vitest';
import { type SalesforceSandbox, startSalesforceSandbox } from '../../sandbox/src/salesforce/sandbox.ts';
import { type Front, launchOrgBrowser, startFront } from './front.ts';
import type { ScriptUnderTest } from './script-under-test.ts';

/** What a call of the panel half came to. */
export type Attempt =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** `expect.poll` with the patience of a loaded machine. */
export const eventually = <T>(read: () => T | Promise<T>) => expect.poll(read, { timeout: 20_000, interval: 30 });

export interface Rig {
  readonly front: Front;
  readonly sandbox: SalesforceSandbox;
  readonly context: BrowserContext;
  /** From now on the org serves this version. */
  serve(version: number): Promise<void>;
  /** A host page of the sandbox; `query` as `?app=console`. */
  openHost(query?: string): Promise<Host>;
  close(): Promise<void>;
}

/** One tab of the org with the phone in it. */
export interface Host {
  readonly page: Page;
  /** Makes the phone's frame anew and answers it, not started. */
  fresh(): Promise<Adapter>;
  /** The frame there is. */
  adapter(): Promise<Adapter>;
  /** Calls `window.sandbox.<name>(…)`. */
  tell(name: string, ...args: readonly unknown[]): Promise<unknown>;
}

export interface Adapter {
  readonly frame: Frame;
  /** Calls a method of the panel half. */
  host(method: string, ...args: readonly unknown[]): Promise<Attempt>;
  /** Starts it. @throws when that fails */
  start(): Promise<void>;
  heard(what: 'dials' | 'shown' | 'commands'): Promise<readonly Record<string, unknown>[]>;
  /** Waits until a listener has heard at least so much. */
  heardAtLeast(what: 'dials' | 'shown' | 'commands', count: number): Promise<readonly Record<string, unknown>[]>;
  /** A round trip: what was said before it is done with on both sides. */
  settled(): Promise<void>;
  /** Waits for so many messages from an origin that is no page's. */
  strangers(count: number): Promise<void>;
  /** Every deadline that runs now has passed. */
  timePasses(): Promise<void>;
}

export async function startRig(script: ScriptUnderTest): Promise<Rig> {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const one of closers.reverse()) await one();
  };
  try {
    const front = await startFront();
    closers.push(front.close);
    const [browser, sandbox, adapterScript] = await Promise.all([
      launchOrgBrowser(),
      startSalesforceSandbox({ panelUrl: `${front.origin.phone}/salesforce/` }),
      bundleAdapter(),
    ]);
    closers.push(sandbox.close, () => browser.close());
    front.sandboxAt(sandbox.instanceUrl);
    front.phoneFiles.set('/salesforce/', [
      'text/html',
      '<!doctype html><title>Phone</title><script src="/adapter.js"></script>',
    ]);
    front.phoneFiles.set('/adapter.js', ['text/javascript', adapterScript]);
    const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 } });
    return {
      front,
      sandbox,
      context,
      async serve(version) {
        front.script.source = await script.source(version);
        front.script.from = 'classic';
      },
      async openHost(query = '') {
        const page = await context.newPage();
        await page.goto(`${front.origin.lightning}/${query}`);
        return hostOn(page);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function hostOn(page: Page): Host {
  const tell: Host['tell'] = (name, ...args) =>
    page.evaluate(
      ([method, given]) => {
        const { sandbox } = window as unknown as { sandbox: Record<string, (...all: readonly unknown[]) => unknown> };
        return sandbox[method]?.(...given);
      },
      [name, args] as const,
    );
  const adapter = async (): Promise<Adapter> => {
    const element = await page.waitForSelector('iframe.openctiSoftPhone', { state: 'attached' });
    const frame = await element.contentFrame();
    if (!frame) throw new Error('The phone has no frame.');
    await frame.waitForFunction('typeof adapter === "object"', undefined, { polling: 20 });
    return adapterIn(frame);
  };
  return {
    page,
    tell,
    adapter,
    async fresh() {
      await tell('recreateFrame');
      return adapter();
    },
  };
}

type AdapterWindow = Window & {
  readonly adapter: {
    readonly host: Record<string, (...args: readonly unknown[]) => unknown>;
    readonly heard: Record<string, Record<string, unknown>[]>;
    attempt(run: () => unknown): Promise<Attempt>;
    timePasses(): void;
  };
};

function adapterIn(frame: Frame): Adapter {
  const host: Adapter['host'] = (method, ...args) =>
    frame.evaluate(
      ([name, given]) => {
        const { adapter } = window as unknown as AdapterWindow;
        return adapter.attempt(() => adapter.host[name]?.(...given));
      },
      [method, args] as const,
    );
  const heard: Adapter['heard'] = (what) =>
    frame.evaluate((name) => (window as unknown as AdapterWindow).adapter.heard[name] ?? [], what);
  return {
    frame,
    host,
    heard,
    async start() {
      const started = await host('start');
      if (!started.ok) throw new Error(`The panel half did not start: ${started.code}: ${started.message}`);
    },
    async heardAtLeast(what, count) {
      await frame.waitForFunction(`adapter.heard.${what}.length >= ${count}`, undefined, { polling: 20 });
      return heard(what);
    },
    async settled() {
      await frame.evaluate('new Promise((done) => sforce.opencti.isSoftphonePanelVisible({ callback: () => done() }))');
    },
    async strangers(count) {
      await frame.waitForFunction(`adapter.strangers() >= ${count}`, undefined, { polling: 20 });
    },
    async timePasses() {
      await frame.evaluate('adapter.timePasses()');
    },
  };
}

async function bundleAdapter(): Promise<string> {
  const built = await build({
    entryPoints: [fileURLToPath(new URL('./adapter-page.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    target: ['chrome120'],
    charset: 'utf8',
    logLevel: 'silent',
  });
  const file = built.outputFiles[0];
  if (!file) throw new Error('The adapter page did not bundle.');
  return file.text;
}
