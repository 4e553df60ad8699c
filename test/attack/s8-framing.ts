/**
 * S8: framing, in a real browser: pages of the tenant, of another tenant and of a stranger put the phone into a frame, send it messages, ask the
 * relay across origins and open its socket. Counts what got through to anybody but the tenant.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startBrowser } from '../browser/chromium.ts';
import type { Drill, DrillResult } from '../drill.ts';
import { adminToken, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';

export const drill: Drill = {
  about: 'framing, messages, CORS and sockets from foreign pages, in Chromium',
  run: ({ say }) => frameFromEverywhere(say),
};

/** A panel that says it ran, and to whom. */
const script = `parent.postMessage('the panel runs', '*');`;

export async function frameFromEverywhere(say: (text: string) => void = () => {}): Promise<DrillResult> {
  const pages = await Promise.all([startPage(), startPage(), startPage()]);
  const [own, other, stranger] = pages.map(({ origin }) => origin) as [string, string, string];
  const one = await startRelayInTest(
    testConfig({ tenants: [testTenant({ hostOrigins: [own] }), testTenant({ id: 'globex', hostOrigins: [other] })] }),
    { panel: { files: new Map([['panel-page-0123456789ab.js', Buffer.from(script)]]) } },
  );
  const browser = await startBrowser();
  let tried = 0;
  let succeeded = 0;
  let ownFramed = false;
  const got = (what: string): void => {
    succeeded += 1;
    say(what);
  };
  try {
    for (const origin of [own, other, stranger]) {
      const page = await browser.newPage();
      await page.goto(origin);
      const framed = await page.evaluate(
        (src) =>
          new Promise<boolean>((resolve) => {
            const frame = document.createElement('iframe');
            addEventListener('message', (event) => {
              if (event.data === 'the panel runs') resolve(true);
            });
            // A refused frame loads an error page: the load event comes all the same, and the panel's word never.
            frame.onload = () => setTimeout(() => resolve(false), 500);
            frame.src = src;
            document.body.append(frame);
          }),
        `${one.relay.url}/t/acme/page/`,
      );
      if (origin === own) ownFramed = framed;
      else {
        tried += 1;
        if (framed) got(`${origin} framed the phone of another organisation`);
      }
      const asked = await page.evaluate(
        async ({ url, token }) => {
          const outcomes: string[] = [];
          const requests: [string, RequestInit][] = [
            ['/healthz', {}],
            ['/v1/profile', { headers: { authorization: `Bearer ${token}` } }],
            [
              '/v1/admin/pairing-codes',
              {
                method: 'POST',
                body: '{"tenant":"acme","agent":"ada"}',
                headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
              },
            ],
            ['/v1/sessions/resume', { method: 'POST', credentials: 'include', body: '{}' }],
          ];
          for (const [path, init] of requests) {
            const read = await fetch(url + path, init).then(
              (response) => response.text(),
              () => null,
            );
            if (read !== null) outcomes.push(`read ${path}`);
          }
          const opened = await new Promise<boolean>((resolve) => {
            const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/live`);
            socket.onopen = () => resolve(true);
            socket.onerror = () => resolve(false);
          });
          if (opened) outcomes.push('opened the socket');
          return outcomes;
        },
        { url: one.relay.url, token: adminToken },
      );
      tried += 5;
      // Not even the tenant's own page may read the relay: only the panel in its frame may.
      for (const outcome of asked) got(`${origin} ${outcome}`);
      await page.close();
    }
  } finally {
    await browser.close();
    await one.closed();
    for (const page of pages) await page.close();
  }
  return { passed: succeeded === 0 && ownFramed, tried, succeeded, ownFramed };
}

async function startPage(): Promise<{ readonly origin: string; close(): Promise<void> }> {
  const server: Server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>a page</title><body></body>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
