/**
 * HubSpot's frames around one agent, the whole product on the sandbox switch: the calling window that owns the line, the remotes in three tabs,
 * and what happens to a call when any of them goes away.
 */
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStage, type Stage } from '../../scripts/stage.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type CrmPage, hubspotPage } from './crm-pages.ts';
import { startSwitchTelephony } from './switch-telephony.ts';
import { until } from './telephony.ts';

const patience = 20_000;

let telephony: Awaited<ReturnType<typeof startSwitchTelephony>>;
let browser: TestBrowser;
let stage: Stage;
let crm: CrmPage;
/** The calling window, and the tabs. Each has the panel in a frame, which is another one after every navigation. */
let phone: Page;
let tabs: Page[];
let before = { calls: 0, placed: 0, messages: 0 };

beforeAll(async () => {
  telephony = await startSwitchTelephony();
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await telephony?.close();
});

/** A portal of its own, with what differs from the app's usual calling settings. */
async function openAccount(change: { readonly usesCallingWindow?: boolean }): Promise<void> {
  stage = await openStage({ telephony, logLevel: 'silent' });
  crm = hubspotPage(stage);
  const settings = stage.hubspot.calling.settings() ?? expect.fail('the app has no calling settings');
  stage.hubspot.calling.set({ ...settings, ...change });
}

async function closeAccount(): Promise<void> {
  for (const page of [phone, ...(tabs ?? [])]) await page?.close();
  await stage?.close();
}

const panel = (page: Page) => page.frameLocator('#hubspot-calling-extension-iframe');
const button = (page: Page, name: string) => panel(page).getByRole('button', { name, exact: true });
async function press(page: Page, name: string): Promise<void> {
  await page.bringToFront();
  await button(page, name).click({ timeout: patience });
}
const rings = (page: Page) => panel(page).getByText('Incoming call', { exact: true }).waitFor({ timeout: patience });
const inCall = (page: Page) => panel(page).getByRole('timer').waitFor({ timeout: patience });
const idle = (page: Page) => panel(page).getByRole('textbox', { name: 'Number' }).waitFor({ timeout: patience });
const frameOf = (page: Page): Promise<Frame> =>
  until('the panel of a page', () =>
    page.frames().find((one) => new URL(one.url() || 'about:blank').pathname === '/hubspot/'),
  );
const lines = () => telephony.switchboard.registered().filter((one) => one.extension === crm.extension);
const said = () => stage.hubspot.hostMessages().slice(before.messages);
const starts = () => said().filter(({ message }) => /^(OUTGOING_CALL_STARTED|INCOMING_CALL)$/.test(`${message.type}`));
const newCalls = () => stage.hubspot.records.calls.slice(before.calls);

/** Sound in both directions, as the two ends get it. */
async function talks(page: Page): Promise<void> {
  const { toneHz } = telephony.first;
  await listenUntil(await frameOf(page), `${toneHz} Hz`, (sound) => sound.amplitude(toneHz) > 0.02, patience);
  await telephony.first.hears(440);
}

/** Loads another record in a tab, as HubSpot does: a new page, and a new frame with it. */
async function navigate(page: Page, person: string): Promise<void> {
  await page.bringToFront();
  const gone = await frameOf(page);
  await crm.showRecord(page, person);
  await until('the frame of the new page', async () => ((await frameOf(page)) === gone ? undefined : true), patience);
}

async function openTab(): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(stage.hubspot.url);
  return page;
}

/** Exactly one log of the call, written by the relay, on Mina, and nothing that HubSpot would complain about. */
async function oneLog(result: string): Promise<void> {
  const log = await until(
    `one log with the status ${result}`,
    () => {
      const [only, ...more] = newCalls();
      const properties = only?.properties;
      return more.length === 0 && properties?.patchcord_call_id && properties.hs_call_status === result
        ? only
        : undefined;
    },
    patience,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)} HubSpot holds: ${JSON.stringify(newCalls().map((one) => one.properties))}`);
  });
  const [contact] = stage.hubspot.portal.associated('calls', log.id, 'contacts');
  expect(stage.hubspot.portal.get('contacts', contact?.toId ?? '')?.properties.firstname).toBe('Mina');
  expect(stage.hubspot.ghosts()).toEqual([]);
  expect(stage.hubspot.lint()).toEqual([]);
}

function remember(): void {
  before = {
    calls: stage.hubspot.records.calls.length,
    placed: telephony.switchboard.calls().length,
    messages: stage.hubspot.hostMessages().length,
  };
}

describe('a calling window and three tabs', () => {
  beforeAll(async () => {
    await openAccount({});
    const page = await browser.newPage();
    const opened = page.waitForEvent('popup');
    await crm.open(page);
    phone = await opened;
    tabs = [page, await openTab(), await openTab()];
    for (const tab of tabs) await idle(tab);
  });
  afterAll(closeAccount);
  beforeEach(remember);
  const tab = (index: number): Page => tabs[index] ?? expect.fail(`there is no tab ${index}`);

  test('an inbound call is one ring and one engagement; a second tab answers it and a third hangs it up', async () => {
    await telephony.call(telephony.first, crm.extension);
    for (const page of [phone, ...tabs]) await rings(page);
    expect(lines()).toHaveLength(1);
    await press(tab(1), 'Answer');
    await talks(phone);
    for (const page of tabs) await inCall(page);
    await press(tab(2), 'Hang up');
    await press(tab(0), 'Save and finish');
    await oneLog(crm.words.answered);
    expect(starts().map(({ location }) => location)).toEqual(['window']);
    expect(telephony.switchboard.calls()).toHaveLength(before.placed + 1);
    for (const page of [phone, ...tabs]) await idle(page);
  });

  test('a number clicked twice is one call, and it goes on while every tab loads another record', async () => {
    await navigate(tab(0), 'Mina Sato');
    await idle(tab(0));
    await tab(0).locator('button.dial').first().dblclick();
    await inCall(phone);
    await talks(phone);
    for (const [index, person] of ['Theo Okafor', 'Elena Marchetti', 'Jonas Weber'].entries()) {
      await navigate(tab(index), person);
      await inCall(tab(index));
      await panel(tab(index)).getByText('Mina Sato').first().waitFor();
    }
    await talks(phone);
    await press(tab(1), 'Hold');
    await telephony.first.hearsNot(440);
    await press(tab(2), 'Resume');
    await talks(phone);
    expect(telephony.switchboard.calls()).toHaveLength(before.placed + 1);
    expect(starts()).toHaveLength(1);
    await press(tab(0), 'Hang up');
    await press(tab(1), 'Save and finish');
    await oneLog(crm.words.answered);
    for (const page of [phone, ...tabs]) await idle(page);
  });

  test('a calling window that is killed in a call leaves one finished log and no engagement that goes on for ever', async () => {
    await telephony.call(telephony.first, crm.extension);
    await rings(phone);
    await press(tab(0), 'Answer');
    await talks(phone);
    await until('the engagement', () => (newCalls().length === 1 ? true : undefined));
    await phone.close();
    await telephony.first.hangUp();
    // The next window finishes what the last one left.
    await tab(0).bringToFront();
    const opened = tab(0).waitForEvent('popup');
    await tab(0).locator('[data-open-window]').click();
    phone = await opened;
    await oneLog(crm.words.answered);
  });
});

describe('an account without a calling window', () => {
  beforeAll(async () => {
    await openAccount({ usesCallingWindow: false });
    const page = await browser.newPage();
    await crm.open(page);
    tabs = [page, await openTab()];
    for (const tab of tabs) await idle(tab);
  });
  afterAll(closeAccount);
  beforeEach(remember);
  const tab = (index: number): Page => tabs[index] ?? expect.fail(`there is no tab ${index}`);
  /** The agent turns to this tab, without a click that would let it open another. */
  const look = async (page: Page): Promise<void> => {
    await page.bringToFront();
    await panel(page).getByRole('textbox', { name: 'Number' }).focus();
  };

  test('a call that comes in stays when its record would take the place of the page: that opens in a new tab, by the agent', async () => {
    const [owner, other] = [tab(0), tab(1)];
    // The line moves to the tab that stays: at last to the first one again.
    for (const [page, person] of [[owner, 'Theo Okafor'] as const, [other, 'Elena Marchetti'] as const]) {
      await navigate(page, person);
      await idle(page);
    }
    await look(owner);
    // To the browser, whatever a test does in a frame is a click of the agent's.
    await (await frameOf(owner)).evaluate(() =>
      Object.defineProperty(navigator, 'userActivation', { value: { isActive: false } }),
    );
    await telephony.call(telephony.first, crm.extension);
    for (const page of tabs) await rings(page);
    await panel(owner)
      .getByText(/Mina Sato was not opened/)
      .waitFor({ timeout: patience });
    await press(owner, 'Answer');
    await talks(owner);
    const [record] = await Promise.all([
      owner.context().waitForEvent('page'),
      press(owner, 'Open Mina Sato in the CRM'),
    ]);
    await record.locator('[data-shown] h1', { hasText: 'Mina Sato' }).waitFor({ timeout: patience });
    expect(await crm.shownRecord(owner)).toBe('Theo Okafor');
    await talks(owner);
    await record.close();
    await press(owner, 'Hang up');
    await press(owner, 'Save and finish');
    await oneLog(crm.words.answered);
    expect(starts()).toHaveLength(1);
  });

  test('a call that comes in while the agent looks at another tab opens its record there, and stays where it is', async () => {
    const [owner, other] = [tab(0), tab(1)];
    await navigate(other, 'Theo Okafor');
    await idle(other);
    await look(other);
    await telephony.call(telephony.first, crm.extension);
    await rings(owner);
    await other.locator('[data-shown] h1', { hasText: 'Mina Sato' }).waitFor({ timeout: patience });
    await rings(other);
    await press(other, 'Answer');
    await talks(owner);
    await press(other, 'Hang up');
    await press(other, 'Save and finish');
    await oneLog(crm.words.answered);
    expect(starts()).toHaveLength(1);
  });

  test('the line moves to a tab that stays, and so does a call whose tab is left; it has one finished log', async () => {
    const [first, second] = tabs as [Page, Page];
    expect(lines()).toHaveLength(1);
    await navigate(first, 'Mina Sato');
    await idle(first);
    await crm.clickNumber(first);
    for (const page of tabs) await inCall(page);
    await talks(second);
    expect(lines()).toHaveLength(1);
    // The sound lives in the frame that goes: the other one takes the call up.
    await navigate(second, 'Theo Okafor');
    await talks(first);
    for (const page of tabs) await inCall(page);
    await telephony.first.hangUp();
    await press(second, 'Save and finish');
    await oneLog(crm.words.answered);
    for (const page of tabs) await idle(page);
    expect(starts()).toHaveLength(1);
    expect(lines()).toHaveLength(1);
    expect(telephony.switchboard.calls()).toHaveLength(before.placed + 1);
  });
});
