/** The short form of `npm run torture`: what no PBX should send, to a phone with a call up. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { torture } from '../torture/torture.ts';
import { type PhonePageServer, servePhonePage } from './phone-in-browser.ts';

let browser: TestBrowser;
let server: PhonePageServer;
beforeAll(async () => {
  [browser, server] = await Promise.all([startBrowser({ toneHz: 440 }), servePhonePage()]);
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

it('survives a thousand broken messages with its call, its line and its memory', async () => {
  const result = await torture(browser, server, { seed: 4_475, count: 1_000, say: () => {} });
  expect(result.failures).toEqual([]);
  expect(result.cases).toBe(1_000);
  // Every kind was among them, and the phone read what it was sent: it answered.
  const kinds = [
    ...['binary', 'description', 'huge', 'keep-alive', 'request in a call', 'request in the call with sound'],
    ...['request outside of a call', 'response to REGISTER', 'response to a request of the phone', 'rfc4475'],
  ];
  expect(Object.keys(result.kinds).toSorted()).toEqual(kinds.toSorted());
  // About a hundred are in order; what comes before one of them may have broken off what it belongs to.
  expect(result.answers[200]).toBeGreaterThan(50);
  expect(Object.keys(result.answers).length).toBeGreaterThan(5);
  // Half a minute; more only where something fails and the smallest message for it is looked for.
}, 300_000);
