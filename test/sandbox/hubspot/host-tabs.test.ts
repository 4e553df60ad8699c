import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type HubSpotSandbox, startHubSpotSandbox } from '../../../sandbox/src/hubspot/sandbox.ts';
import { launchChromium, servePanel } from '../salesforce/browser-page.ts';

type Heard = [string, Record<string, unknown>][];
declare const heard: Heard;
declare const cti: Record<string, (payload?: unknown) => void>;

let browser: Browser;
let panel: { origin: string; close(): Promise<void> };
let sandbox: HubSpotSandbox;
let context: BrowserContext;

beforeAll(async () => {
  browser = await launchChromium();
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL('./widget.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
  });
  panel = await servePanel(
    '<!doctype html><body>Widget<script src="/script.js"></script>',
    bundle.outputFiles[0]?.text,
  );
  sandbox = await startHubSpotSandbox({
    panelUrl: `${panel.origin}/hubspot/`,
    relayUrl: 'http://localhost:1',
    clientSecret: 'test-client-secret',
    appId: 99,
  });
});
afterAll(async () => {
  await browser.close();
  await sandbox.close();
  await panel.close();
});
const usual = () => sandbox.calling.settings() ?? expect.fail('the app has no settings');
let settings: ReturnType<typeof usual>;
beforeEach(async () => {
  settings = usual();
  context = await browser.newContext();
});
afterEach(async () => {
  sandbox.calling.set(settings);
  sandbox.providers.choose(4201, 'ours');
  await context.close();
});

async function open(path = ''): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${sandbox.url}${path}`);
  await page.waitForSelector('[data-shown]');
  return page;
}
async function inner(page: Page) {
  const frame = await (
    await page.waitForSelector('#hubspot-calling-extension-iframe', { state: 'attached' })
  ).contentFrame();
  if (!frame) throw new Error('the page has no panel');
  await frame.waitForFunction('typeof heard === "object" && heard.some(([name]) => name === "onReady")');
  return frame;
}
const say = async (page: Page, method: string, payload?: unknown) =>
  (await inner(page)).evaluate(([name, given]) => cti[`${name}`]?.(given), [method, payload] as const);
const got = async (page: Page, wanted: string): Promise<Record<string, unknown>[]> =>
  (await inner(page)).evaluate((name) => heard.filter(([one]) => one === name).map(([, data]) => data), wanted);
const idOf = (type: 'contacts' | 'tickets', name: string): string =>
  `${sandbox.records[type].find(({ properties }) => (properties.firstname ?? properties.subject) === name)?.id}`;

it('a click opens the calling window, and the number waits there until somebody is signed in', async () => {
  const tab = await open();
  expect((await got(tab, 'onReady'))[0]).toMatchObject({ iframeLocation: 'remote', usesCallingWindow: true });
  const opened = tab.waitForEvent('popup');
  await tab.locator('button.dial').first().click();
  const popup = await opened;
  expect((await got(popup, 'onReady'))[0]).toMatchObject({ iframeLocation: 'window', usesCallingWindow: true });
  await say(popup, 'initialized', { isLoggedIn: false });
  await popup.waitForSelector('.status:has-text("signed out")');
  expect(await got(popup, 'onDialNumber')).toEqual([]);
  await say(popup, 'userLoggedIn');
  await expect.poll(() => got(popup, 'onDialNumber')).toHaveLength(1);
  // The next click goes to the window that is open.
  await tab.bringToFront();
  await tab.locator('button.dial').first().click();
  await expect.poll(() => got(popup, 'onDialNumber')).toHaveLength(2);
  expect(await got(tab, 'onDialNumber')).toEqual([]);
  expect(context.pages()).toHaveLength(2);
});

it('a second calling window has no phone', async () => {
  const first = await context.newPage();
  await first.goto(sandbox.windowUrl);
  await inner(first);
  const second = await context.newPage();
  await second.goto(sandbox.windowUrl);
  await second.waitForSelector('text=open already');
  expect(await second.locator('iframe').count()).toBe(0);
});

it('a record that the window opens comes up in the tab that was looked at last, and in no other', async () => {
  const [one, two] = [await open('?contact=501'), await open('?contact=502')];
  const popup = await context.newPage();
  await popup.goto(sandbox.windowUrl);
  await say(popup, 'initialized', {});
  await one.bringToFront();
  await one.locator('h1').click();
  const mina = idOf('contacts', 'Mina');
  await popup.bringToFront();
  await say(popup, 'navigateToRecord', {
    objectCoordinates: { portalId: sandbox.portalId, objectId: mina, objectTypeId: '0-1' },
  });
  await one.waitForSelector(`[data-shown="${mina}"]`);
  expect(await two.locator('[data-shown]').getAttribute('data-shown')).toBe('502');
});

it('a call on a ticket’s page is logged on who was called and on the ticket', async () => {
  sandbox.calling.set({ ...settings, usesCallingWindow: false });
  const ticket = idOf('tickets', 'Invoice 2041 was sent twice');
  const tab = await open(`help-desk/${sandbox.portalId}/thread/${ticket}`);
  await say(tab, 'initialized', { isLoggedIn: true });
  await tab.locator('button.dial').first().click();
  await expect.poll(() => got(tab, 'onDialNumber')).toHaveLength(1);
  const mina = Number(idOf('contacts', 'Mina'));
  expect((await got(tab, 'onDialNumber'))[0]).toMatchObject({
    objectId: 0,
    objectType: 'TICKET',
    calleeInfo: { calleeId: mina, calleeObjectTypeId: '0-1' },
  });
  const call = { externalCallId: 't1', toNumber: '+14155550103', fromNumber: '+14155550190' };
  await say(tab, 'outgoingCall', { ...call, createEngagement: true });
  await expect.poll(() => got(tab, 'onCreateEngagementSucceeded')).toHaveLength(1);
  const { engagementId } = (await got(tab, 'onCreateEngagementSucceeded'))[0] ?? {};
  expect(sandbox.ghosts()).toEqual([`${engagementId}`]);
  await tab.click('[data-end-call]');
  await expect.poll(() => got(tab, 'onEndCall')).toHaveLength(1);
  await say(tab, 'callEnded', { externalCallId: 't1', engagementId, callEndStatus: 'CANCELED' });
  await say(tab, 'callCompleted', { externalCallId: 't1', engagementId });
  await expect.poll(() => got(tab, 'onUpdateEngagementSucceeded')).toHaveLength(1);
  expect(sandbox.ghosts()).toEqual([]);
  const linked = (type: 'contacts' | 'tickets') =>
    sandbox.portal.associated('calls', `${engagementId}`, type).map((link) => link.toId);
  expect([linked('contacts'), linked('tickets')]).toEqual([[`${mina}`], [ticket]]);
  expect(sandbox.lint()).toEqual([]);
});

it('the settings of HubSpot have the app’s own page, which asks the relay', async () => {
  const tab = await open();
  await tab.getByRole('link', { name: 'Settings' }).click();
  await tab.getByRole('region', { name: 'Patchcord settings' }).getByText('The settings could not be loaded').waitFor();
  expect(new URL(tab.url()).pathname).toBe(`/connected-apps/${sandbox.portalId}/patchcord`);
});

it('the settings decide which frames there are, and a person which app calls', async () => {
  const frames = async (): Promise<unknown> => {
    const tab = await open();
    const setup = JSON.parse((await tab.locator('#setup').textContent()) ?? '{}') as Record<string, unknown>;
    expect(await tab.locator('#hubspot-calling-extension-iframe').count()).toBe(setup.location === 'none' ? 0 : 1);
    await tab.close();
    return setup.location;
  };
  sandbox.calling.set({ ...settings, isReady: false });
  expect(await frames()).toBe('none');
  sandbox.calling.set({ ...settings, usesRemote: false });
  expect(await frames()).toBe('none');
  sandbox.calling.set({ ...settings, supportsInboundCalling: false });
  expect(await frames()).toBe('widget');
  sandbox.calling.set(settings);
  sandbox.providers.choose(4201, 'hubspot');
  const tab = await open();
  await tab.locator('button.dial').first().click();
  await tab.waitForSelector('.toast:has-text("HubSpot’s own calling")');
  expect(context.pages()).toHaveLength(1);
});

it('the next task of a queue dials nothing by itself', async () => {
  sandbox.calling.set({ ...settings, usesCallingWindow: false });
  const tab = await open(`tasks/${sandbox.portalId}/queue`);
  await say(tab, 'initialized', { isLoggedIn: true });
  await tab.locator('button.dial').first().click();
  await expect.poll(() => got(tab, 'onDialNumber')).toHaveLength(1);
  await tab.click('[data-next-task]');
  await tab.waitForSelector('text=Call 2 of');
  await tab.evaluate('sandbox.minimise(true)');
  await expect.poll(() => got(tab, 'onVisibilityChanged')).toHaveLength(1);
  expect(await got(tab, 'onDialNumber')).toHaveLength(1);
});

it('a page of another origin plays HubSpot to a panel without a guard, and is told everything', async () => {
  const hostile = await sandbox.hostilePage();
  const page = await context.newPage();
  await page.goto(hostile.url);
  await page.waitForFunction('loot.some((one) => one.type === "SYNC_ACK")');
  const frame = await (await page.waitForSelector('iframe')).contentFrame();
  await frame?.waitForFunction('heard.some(([name]) => name === "onDialNumber")');
});
