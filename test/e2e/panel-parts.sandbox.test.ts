/** The parts of the built panel are really fetched as files: by themselves, before they are needed; and what a phone does when one does not come. */
import type { Page, Request } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { openStage, type Stage } from '../../scripts/stage.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { startSwitchTelephony } from './switch-telephony.ts';
import { until } from './telephony.ts';

let telephony: Awaited<ReturnType<typeof startSwitchTelephony>>;
let browser: TestBrowser;
let stage: Stage;
let signedIn = false;
let page: Page;

beforeAll(async () => {
  telephony = await startSwitchTelephony(true);
  [browser, stage] = await Promise.all([startBrowser(), openStage({ telephony, logLevel: 'silent' })]);
});
afterAll(async () => {
  await browser?.close();
  await stage?.close();
  await telephony?.close();
});
afterEach(async () => {
  await page?.close();
});

/** A phone in a page, with what it has asked for by name of the part; `before` runs ahead of its first request. The first one signs in, for both. */
async function openPhone(before: (opened: Page) => Promise<unknown> = async () => {}) {
  page = await browser.newPage();
  const asked: Request[] = [];
  page.on('request', (request) => {
    if (request.url().includes('/assets/') && request.url().includes('.js')) asked.push(request);
  });
  await before(page);
  await page.goto(stage.page.url);
  const panel = await until('the panel', () => page.frames().find((frame) => frame.url().includes('/page/')), 15_000);
  const button = (name: string) => panel.getByRole('button', { name, exact: true });
  if (!signedIn) {
    const { code } = await stage.relay().createPairingCode('page-sandbox', 'robin');
    await panel.getByLabel('Pairing code').fill(code);
    await button('Sign in').click();
    signedIn = true;
  }
  await panel.getByText('The line is ready.').waitFor({ state: 'attached' });
  const asks = (part: string) => asked.filter((request) => request.url().includes(`/assets/${part}-page-`));
  const fetched = (part: string) =>
    until(`the part "${part}"`, async () => ((await asks(part).at(-1)?.response())?.ok() ? true : undefined), 15_000);
  return { panel, button, asks, fetched };
}

test('a phone fetches what its calls need by itself; from then on it needs no file', async () => {
  const { panel, button, asks, fetched } = await openPhone();
  await fetched('screens');
  await fetched('watching');
  await fetched('taking-up');
  expect(asks('self-test')).toEqual([]);
  // The relay gives out no file any more.
  await page.route('**/assets/**', (route) => route.abort());

  // Watching runs: the switch has said what a colleague does.
  await panel.getByRole('tab', { name: /Colleagues/ }).click();
  await panel
    .getByText(/^Free · /)
    .first()
    .waitFor();

  await telephony.call(telephony.first, '301');
  await button('Answer').click();
  await listenUntil(panel, '600 Hz', (sound) => sound.amplitude(600) > 0.02);
  await panel.getByRole('textbox', { name: 'Note' }).fill('Asked for the new price list.');
  await button('Transfer').click();
  await panel.getByRole('button', { name: 'Transfer now' }).waitFor();
  await button('Hang up').click();
  await button('Save and finish').click();
  await panel.getByRole('tab', { name: /Settings/ }).click();
  await panel.getByRole('heading', { name: 'Sound' }).waitFor();

  await page.unroute('**/assets/**');
  await button('Check the set-up').click();
  await fetched('self-test');
});

test('a call goes on without a part that does not come, and it is fetched anew', async () => {
  const screens = '**/assets/screens-*';
  const { panel, button, asks, fetched } = await openPhone((opened) => opened.route(screens, (route) => route.abort()));
  await until('a first try', () => (asks('screens').length > 0 ? true : undefined), 15_000);
  await telephony.call(telephony.second, '301');
  await button('Answer').click();
  await listenUntil(panel, '850 Hz', (sound) => sound.amplitude(850) > 0.02);
  await panel.getByText('This part could not be loaded').waitFor();
  await button('Hold').click();
  await button('Resume').click();
  await listenUntil(panel, '850 Hz', (sound) => sound.amplitude(850) > 0.02);
  await page.unroute(screens);
  await button('Try again').click();
  await panel.getByRole('textbox', { name: 'Note' }).waitFor();
  await fetched('screens');
  // A browser may remember for a whole page that an address failed.
  const addresses = asks('screens').map((request) => request.url());
  expect(new Set(addresses).size).toBe(addresses.length);
  await button('Hang up').click();
  await button('Save and finish').click();
});
