/**
 * Owns one Chromium for a test file and a small server that plays the panel: a page of its own origin whose HTML the test gives.
 * Must never be shared between files.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, type BrowserContext, chromium, type Frame, type Page } from 'playwright-core';
import { headlessShell } from '../../browser/chromium.ts';

export async function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: headlessShell,
    args: ['--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
  });
}

/** Serves `html` (and `script` under /script.js) on a free port, whatever the path. */
export async function servePanel(html: string, script = ''): Promise<{ origin: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const isScript = request.url === '/script.js';
    response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html;charset=UTF-8' });
    response.end(isScript ? script : html);
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://localhost:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export interface OpenPage {
  readonly context: BrowserContext;
  readonly page: Page;
  /** The panel's frame, once it is there and `ready` holds in it. */
  panel(ready: string): Promise<Frame>;
}

export async function openPage(browser: Browser, url: string): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.goto(url);
  return {
    context,
    page,
    async panel(ready) {
      const element = await page.waitForSelector('iframe:not([hidden])');
      const frame = await element.contentFrame();
      if (!frame) throw new Error('the panel has no frame');
      await frame.waitForFunction(ready);
      return frame;
    },
  };
}
