/** The short form of the endurance run: forty calls in one page, with every feature, and nothing left of them. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type PhonePageServer, servePhonePage } from '../sip-port/phone-in-browser.ts';
import { endure } from './endurance.ts';
import { ourTone } from './scenes.ts';

let browser: TestBrowser;
let server: PhonePageServer;
beforeAll(async () => {
  [browser, server] = await Promise.all([startBrowser({ toneHz: ourTone }), servePhonePage()]);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

it('leaves nothing of forty calls', async () => {
  const result = await endure(browser, server, { seed: 4475, calls: 40, short: true, say: () => {} });
  expect(result.failures).toEqual([]);
  expect(result.calls).toBeGreaterThanOrEqual(40);
});
