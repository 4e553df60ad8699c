/**
 * One agent with three phones open at once: a Salesforce tab and a page of their own in one browser, and a Salesforce tab on a second computer, whose
 * storage knows nothing of the first. The whole product on the sandbox switch. Each computer's microphone has a tone of its own.
 */
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openStage, type Stage } from '../../scripts/stage.ts';
import { listen, listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type CrmPage, salesforcePage } from './crm-pages.ts';
import { startSwitchTelephony } from './switch-telephony.ts';
import { until } from './telephony.ts';

interface Place {
  readonly page: Page;
  readonly panel: Frame;
  readonly microphoneHz: number;
}

const deskHz = 440;
const homeHz = 1_200;
const patience = 20_000;

let telephony: Awaited<ReturnType<typeof startSwitchTelephony>>;
let stage: Stage;
let crm: CrmPage;
let browsers: TestBrowser[] = [];
/** The first to be open: it has the line. */
let desk: Place;
/** Beside it in the same browser. */
let own: Place;
let home: Place;
let before = { tasks: 0, calls: 0, pops: 0 };

beforeAll(async () => {
  telephony = await startSwitchTelephony();
  const opening = openStage({ telephony, logLevel: 'silent' });
  browsers = await Promise.all([startBrowser({ toneHz: deskHz }), startBrowser({ toneHz: homeHz })]);
  stage = await opening;
  crm = salesforcePage(stage);
  const [here, there] = browsers as [TestBrowser, TestBrowser];
  for (const { context } of browsers) await context.addInitScript(countTones);
  desk = { ...(await openTab(here)), microphoneHz: deskHz };
  const [atHome, beside] = await Promise.all([openTab(there), openPage(here)]);
  home = { ...atHome, microphoneHz: homeHz };
  own = { ...beside, microphoneHz: deskHz };
}, 180_000);
afterAll(async () => {
  for (const browser of browsers) await browser.close();
  await stage?.close();
  await telephony?.close();
});
beforeEach(() => {
  before = counts();
});

/** Driven pages all claim the focus at once. An agent has one in front. */
async function withoutFocus(browser: TestBrowser): Promise<Page> {
  const page = await browser.newPage();
  const devtools = await browser.context.newCDPSession(page);
  await devtools.send('Emulation.setFocusEmulationEnabled', { enabled: false });
  return page;
}

async function openTab(browser: TestBrowser) {
  const page = await withoutFocus(browser);
  return { page, panel: await crm.open(page) };
}

async function openPage(browser: TestBrowser) {
  const page = await withoutFocus(browser);
  await page.goto(stage.page.url);
  const panel = await until('the panel', () => page.frames().find((frame) => frame.url().includes('/page/')), patience);
  const { code } = await stage.relay().createPairingCode('salesforce-sandbox', 'robin');
  await panel.getByLabel('Pairing code').fill(code);
  await panel.getByRole('button', { name: 'Sign in' }).click();
  await panel.getByText('The line is ready.').waitFor({ state: 'attached', timeout: patience });
  return { page, panel };
}

const counts = () => ({
  tasks: stage.salesforce.records.Task.length,
  calls: stage.salesforce.records.Patchcord_Call__c.length,
  pops: stage.salesforce.hostMessages().filter((one) => one.message.methodName === 'screenPop').length,
});
const button = ({ panel }: Place, name: string) => panel.getByRole('button', { name, exact: true });
/** Nobody clicks in a tab that is behind another. */
async function press(place: Place, name: string): Promise<void> {
  await place.page.bringToFront();
  await button(place, name).click({ timeout: patience });
}
const everywhere = () => [desk, own, home];
const lines = () => telephony.switchboard.registered().filter((one) => one.extension === crm.extension);
const tones = ({ panel }: Place) => panel.evaluate(() => (window as unknown as { tonesStarted: number }).tonesStarted);
const elsewhere = ({ panel }: Place) => panel.getByText(/^The phone is (on|in) /);

/** Sound in both directions at one place, and at none of the others. */
async function talksOnlyAt(place: Place): Promise<void> {
  const { toneHz } = telephony.first;
  await listenUntil(place.panel, `${toneHz} Hz`, (sound) => sound.amplitude(toneHz) > 0.02, patience);
  await telephony.first.hears(place.microphoneHz);
  await telephony.first.hearsNot(place.microphoneHz === deskHz ? homeHz : deskHz);
  for (const other of everywhere()) if (other !== place) expect((await listen(other.panel)).amplitude(toneHz)).toBe(0);
}

/** Saves the wrap-up and waits for exactly one more log. */
async function logged(place: Place): Promise<void> {
  await press(place, 'Save and finish');
  await until('the log', () => (counts().calls > before.calls ? true : undefined), patience);
  for (const { panel } of everywhere())
    await panel.getByRole('textbox', { name: 'Number' }).waitFor({ timeout: patience });
  expect(counts()).toMatchObject({ tasks: before.tasks + 1, calls: before.calls + 1 });
}

test('three phones of one agent are one line; the two without it say where it is', async () => {
  expect(lines()).toHaveLength(1);
  expect(await elsewhere(desk).count()).toBe(0);
  expect(await elsewhere(own).textContent()).toBe('The phone is in another window');
  expect(await elsewhere(home).textContent()).toMatch(/^The phone is on .*Linux/);
  for (const place of [own, home]) expect(await button(place, 'Use the phone here').count()).toBe(1);
});

test('an inbound call rings once, opens its record once where the agent looks, and is answered and ended from elsewhere', async () => {
  await crm.showRecord(desk.page, 'Theo Okafor');
  await home.page.bringToFront();
  await crm.showRecord(home.page, 'Elena Marchetti');
  const quiet = await Promise.all([own, home].map(tones));
  await telephony.call(telephony.first, crm.extension);
  for (const { panel } of everywhere())
    await panel.getByText('Incoming call', { exact: true }).waitFor({ timeout: patience });
  await until('the record in front of the agent', async () =>
    (await crm.shownRecord(home.page)) === 'Mina Sato' ? true : undefined,
  );
  expect(await Promise.all([own, home].map(tones))).toEqual(quiet);
  expect(await tones(desk)).toBeGreaterThan(0);

  await press(home, 'Answer');
  await talksOnlyAt(desk);
  await press(own, 'Hang up');
  await logged(home);
  expect(counts().pops).toBe(before.pops + 1);
  expect(await crm.shownRecord(desk.page)).toBe('Theo Okafor');
  expect(lines()).toHaveLength(1);
});

test('a live call goes to the other computer and back, with its sound, and is one call in the log', async () => {
  await telephony.call(telephony.first, crm.extension);
  await press(desk, 'Answer');
  await talksOnlyAt(desk);

  await press(home, 'Use the phone here');
  await talksOnlyAt(home);
  await elsewhere(desk).waitFor({ timeout: patience });
  expect(await elsewhere(home).count()).toBe(0);
  expect(lines().length).toBeLessThanOrEqual(1);

  await press(desk, 'Use the phone here');
  await talksOnlyAt(desk);
  await elsewhere(home).waitFor({ timeout: patience });
  await press(desk, 'Hang up');
  await logged(desk);
  expect(counts().pops - before.pops).toBeLessThanOrEqual(1);
});

test('a live call goes to another window of the same browser, where a mute from the other computer works', async () => {
  await telephony.call(telephony.first, crm.extension);
  await press(own, 'Answer');
  await talksOnlyAt(desk);
  await press(own, 'Use the phone here');
  await talksOnlyAt(own);
  await press(home, 'Mute');
  await telephony.first.hearsNot(deskHz);
  await telephony.first.hangUp();
  await logged(own);
});

test('a live call goes on at the other computer when the one that has it is switched off', async () => {
  await telephony.call(telephony.first, crm.extension);
  await press(home, 'Answer');
  await talksOnlyAt(own);
  await browsers.shift()?.close();
  await telephony.first.hears(homeHz);
  const { toneHz } = telephony.first;
  await listenUntil(home.panel, `${toneHz} Hz`, (sound) => sound.amplitude(toneHz) > 0.02, patience);
  await elsewhere(home).waitFor({ state: 'detached', timeout: patience });
  await press(home, 'Hang up');
  await press(home, 'Save and finish');
  await until('the log', () => (counts().calls > before.calls ? true : undefined), patience);
  expect(counts()).toMatchObject({ tasks: before.tasks + 1, calls: before.calls + 1 });
  expect(lines()).toHaveLength(1);
});

/** Runs in every frame before its scripts: counts the tones that are started. */
function countTones(): void {
  const counter = window as unknown as { tonesStarted: number };
  counter.tonesStarted = 0;
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (this: OscillatorNode, when?: number) {
    counter.tonesStarted += 1;
    start.call(this, when);
  };
}
