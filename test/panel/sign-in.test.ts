/** Signing in in a real browser: the provider's window, the way back into a framed page, a reload that asks for nothing, and leaving. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type OpenIdSandbox, startOpenIdSandbox } from '@patchcord/sandbox';
import { expect, test } from 'vitest';
import { panelForRelay } from '../../scripts/panel-bundle.ts';
import { startBrowser } from '../browser/chromium.ts';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';

/** The customer's own page, on another site than the relay, so that the phone's frame is a third party in it. */
async function startHostPage(panel: () => string): Promise<{ readonly server: Server; readonly origin: string }> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<!doctype html><title>Host</title><iframe src="${panel()}" width="400" height="640" allow="microphone"></iframe>
<script>
  const hello = () => frames[0].postMessage({ patchcord: 1, type: 'hello', hostOrigin: location.origin }, '*');
  setInterval(hello, 200);
</script>`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, origin: `http://localhost:${(server.address() as AddressInfo).port}` };
}

test('an agent signs in at a provider’s window, stays signed in over a reload, and leaves', async () => {
  let relay: RelayInTest | null = null;
  let provider: OpenIdSandbox | null = null;
  const host = await startHostPage(() => `${relay?.relay.url}/page/`);
  const browser = await startBrowser({ viewport: { width: 420, height: 680 } });
  try {
    const claims = { email: 'ada@acme.example', email_verified: true };
    provider = await startOpenIdSandbox({ people: [{ id: 'ada', name: 'Ada Byron', claims }] });
    const { issuer, clientId, clientSecret } = provider;
    const panel = await panelForRelay();
    relay = await startRelayInTest(
      testConfig({
        tenants: [
          testTenant({
            hostOrigins: [host.origin],
            signIn: { oidc: { issuer, clientId, clientSecret, label: 'Sign in with Acme' } },
            agents: [{ id: 'ada', name: 'Ada Byron', extension: '1001', crmUserId: 'a', email: 'ada@acme.example' }],
          }),
        ],
      }),
      { panel },
    );
    const page = await browser.newPage();
    await page.goto(`${host.origin}/`);
    const phone = page.frameLocator('iframe');
    // What is recommended comes first, and stands out.
    const main = phone.locator('.button-primary');
    await main.waitFor();
    expect(await main.allTextContents()).toEqual(['Sign in with Acme']);
    await phone.getByText('or', { exact: true }).waitFor();
    const opening = page.waitForEvent('popup');
    await phone.getByRole('button', { name: 'Sign in with Acme' }).click();
    const popup = await opening;
    await popup.getByRole('link', { name: 'Ada Byron' }).click();
    await phone.getByRole('tab', { name: /Settings/ }).click();
    await phone.getByText('Ada Byron').waitFor();
    expect(popup.isClosed()).toBe(true);

    await page.reload();
    await phone.getByRole('tab', { name: /Settings/ }).click();
    await phone.getByText('Ada Byron').waitFor();
    const kept = await page.frames()[1]?.evaluate(async () => {
      const storages = JSON.stringify([{ ...localStorage }, { ...sessionStorage }]);
      return { storages, cookie: document.cookie };
    });
    expect(kept?.cookie).toBe('');
    expect(kept?.storages).not.toMatch(/[\w-]{22}\.[\w-]{43}/);

    await phone.getByRole('button', { name: 'Sign out' }).click();
    await phone.getByText('You are signed out').waitFor();
    await page.reload();
    await phone.getByLabel('Pairing code').waitFor();
  } finally {
    await browser.close();
    await relay?.closed();
    await provider?.close();
    host.server.close();
  }
});

test('a link to a recording asks who one is, and starts no phone', async () => {
  const relay = await startRelayInTest(testConfig(), { panel: await panelForRelay() });
  const browser = await startBrowser({ viewport: { width: 320, height: 560 } });
  try {
    const page = await browser.newPage();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    page.on('websocket', (socket) => asked.push(new URL(socket.url()).pathname));
    const call = crypto.randomUUID();
    await page.goto(`${relay.relay.url}/page/#recording=${call}`);
    const { code } = await relay.relay.createPairingCode('acme', 'ada');
    await page.getByLabel('Pairing code').fill(code);
    await page.keyboard.press('Enter');
    await page.getByRole('alert').filter({ hasText: 'no recording' }).waitFor();
    expect(asked).toContain(`/v1/calls/${call}/recording`);
    expect(asked.filter((path) => /profile|credentials|live|sound/.test(path))).toEqual([]);
    expect(await page.evaluate(async () => (await navigator.locks.query()).held)).toEqual([]);
  } finally {
    await browser.close();
    await relay.closed();
  }
});
