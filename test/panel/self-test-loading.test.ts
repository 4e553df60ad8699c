/** The built panel on a relay, in a real browser: the self-test is loaded when it is asked for, not before, and a load that fails is told. */
import type { Page, Response } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { panelForRelay } from '../../scripts/panel-bundle.ts';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';

const hubspot = {
  kind: 'hubspot',
  portalId: 1,
  appId: 2,
  clientId: 'c',
  clientSecret: 's',
  refreshToken: 'r',
} as const;
const salesforce = {
  kind: 'salesforce',
  loginUrl: 'https://login.salesforce.com',
  clientId: 'consumer-key',
  orgId: '00D000000000001',
  privateKey: 'a private key',
  username: 'relay@acme.example',
  assertionPublicKey: '-----BEGIN CERTIFICATE-----\nof the org',
} as const;

let relay: RelayInTest;
let browser: TestBrowser;

beforeAll(async () => {
  relay = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant(),
        testTenant({ id: 'hub', crm: hubspot, hostOrigins: ['https://app.hubspot.com'] }),
        testTenant({ id: 'force', crm: salesforce, hostOrigins: ['https://acme.lightning.force.com'] }),
      ],
    }),
    { panel: await panelForRelay() },
  );
  browser = await startBrowser({ viewport: { width: 360, height: 640 } });
});
afterAll(async () => {
  await browser.close();
  await relay.closed();
});

/** A page of the panel by itself, with every script that it loads, and what the browser complains about. */
async function openPanel(path: string) {
  const page = await browser.newPage();
  const scripts: Response[] = [];
  const complaints: string[] = [];
  page.on('response', (response) => {
    if (response.url().endsWith('.js') || response.url().includes('.js?')) scripts.push(response);
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // Nobody is signed in and there is no icon; what matters here is what a policy refuses.
    if (message.type() === 'error' && !/status of 40[14]/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(`${relay.relay.url}${path}`);
  return { page, scripts, complaints, names: () => scripts.map((script) => new URL(script.url()).pathname) };
}

async function pressButton(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Check the set-up' }).click();
}

/** Nothing in this page offers it before somebody is signed in; its link does. */
async function followLink(page: Page): Promise<void> {
  await page.getByRole('heading').first().waitFor();
  await page.evaluate(() => {
    location.hash = '#self-test';
  });
}

it.each([
  ['salesforce', '/t/force/salesforce/', pressButton, 'The phone was opened as a page of its own.'],
  ['hubspot', '/t/hub/hubspot/', pressButton, 'Open the phone inside HubSpot'],
  ['page', '/t/acme/page/', followLink, 'It answers after'],
] as const)(
  'the self-test inside %s is loaded when it is asked for, under the panel’s own rules',
  async (crm, path, ask, words) => {
    const { page, scripts, complaints, names } = await openPanel(path);
    await page.getByRole('heading').first().waitFor();
    expect(names()).toEqual([expect.stringMatching(new RegExp(`^/assets/panel-${crm}-\\w{12}\\.js$`))]);
    await ask(page);
    await page.getByText(words).waitFor();
    await page.getByRole('button', { name: 'Run again' }).waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Check the set-up');
    expect(names().slice(1)).toEqual([expect.stringMatching(new RegExp(`^/assets/self-test-${crm}-\\w{12}\\.js$`))]);
    const [panel, part] = await Promise.all(
      scripts.map(async (script) => {
        const { date, etag, 'content-length': length, 'x-request-id': id, ...headers } = await script.allHeaders();
        return headers;
      }),
    );
    expect(part).toEqual(panel);
    expect(part?.['cache-control']).toContain('immutable');
    expect(complaints).toEqual([]);
    await page.close();
  },
);

it('a load that fails is told, closes, and can be tried again', async () => {
  const { page, names } = await openPanel('/t/hub/hubspot/');
  const part = '**/assets/self-test-*';
  const tries: string[] = [];
  page.on('request', (request) => {
    if (request.url().includes('/self-test-')) tries.push(request.url());
  });
  await page.route(part, (route) => route.abort());
  await pressButton(page);
  const told = page.getByRole('status').getByText('The checks could not be loaded');
  await told.waitFor();
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.activeElement?.textContent === 'Check the set-up');
  await pressButton(page);
  await told.waitFor();
  await page.unroute(part);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('Open the phone inside HubSpot').waitFor();
  expect(names().filter((name) => name.includes('/self-test-'))).toHaveLength(1);
  // A browser may remember for a whole page that an address failed.
  expect(new Set(tries).size).toBe(3);
  await page.close();
});
