/** What goes wrong in a day: each time the panel says what happened and what to do, and nothing is lost. On the sandbox switch. */
import type { Frame, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStage, type Stage } from '../../scripts/stage.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type CrmPage, hubspotPage, salesforcePage } from './crm-pages.ts';
import { startSwitchTelephony } from './switch-telephony.ts';
import { until } from './telephony.ts';

let telephony: Awaited<ReturnType<typeof startSwitchTelephony>>;
let browser: TestBrowser;
let stage: Stage;
let crm: CrmPage;
let page: Page;

beforeAll(async () => {
  telephony = await startSwitchTelephony();
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await telephony?.close();
});
beforeEach(async () => {
  stage = await openStage({ telephony, logLevel: 'silent' });
  crm = salesforcePage(stage);
  page = await browser.newPage();
});
afterEach(async () => {
  telephony.switchboard.faults.clear();
  await page?.close();
  await stage?.close();
});

const button = (panel: Frame, name: string) => panel.getByRole('button', { name, exact: true });

async function inCall(panel: Frame): Promise<void> {
  await crm.showRecord(page, 'Mina Sato');
  await crm.clickNumber(page);
  await panel.getByRole('timer').waitFor();
}

describe('bad input', () => {
  test('a wrong number is refused in plain words and stays in the field', async () => {
    const panel = await crm.open(page);
    const field = panel.getByRole('textbox', { name: 'Number' });
    await field.fill('(415) 555-01');
    await button(panel, 'Call').click();
    await panel.getByText('This number').first().waitFor();
    expect(await field.inputValue()).toBe('(415) 555-01');
    expect(telephony.switchboard.calls().filter((call) => call.state !== 'ended')).toHaveLength(0);
  });

  test('a profile that does not fit names the field and what to do', async () => {
    await page.route('**/v1/profile', (route) => route.fulfill({ json: { tenant: { id: 'acme' } } }));
    const panel = await crm.visit(page);
    await panel.getByText('tell your admin', { exact: false }).first().waitFor();
    await panel.getByText('/v1/profile', { exact: false }).first().waitFor();
  });

  test('a page opened outside its host explains itself', async () => {
    await page.goto(`${stage.relayUrl}/salesforce/`);
    await page.getByText('Patchcord can’t work here').waitFor();
    await page.getByText('Salesforce', { exact: false }).first().waitFor();
  });

  test('a record that is gone from the CRM loses no call', async () => {
    const panel = await crm.open(page);
    await inCall(panel);
    const mina = stage.salesforce.records.Contact.find((one) => one.Name === 'Mina Sato');
    stage.salesforce.store.remove('Contact', String(mina?.Id));
    await button(panel, 'Hang up').click();
    await panel.getByLabel('Note').fill('Kept in spite of it');
    await button(panel, 'Save and finish').click();
    // Either the log is written without the record, or the agent is told that it waits: never silence.
    await Promise.race([
      panel.getByText('A call is not in your CRM').waitFor(),
      until('a log without its record', () => crm.calls().find((call) => call.text.includes('in spite of it'))),
    ]);
  });
});

describe('microphone', () => {
  test('a refused microphone is named before anybody could be fooled, with what to click', async () => {
    const strict = await startBrowser({ microphone: 'refused' });
    try {
      const tab = await strict.newPage();
      const panel = await crm.open(tab);
      await panel.getByRole('textbox', { name: 'Number' }).fill(telephony.first.number);
      await button(panel, 'Call').click();
      await panel.getByText('The microphone is blocked').waitFor();
      expect(telephony.switchboard.calls().filter((call) => call.state === 'answered')).toHaveLength(0);
    } finally {
      await strict.close();
    }
  });
});

describe('servers away', () => {
  test('the relay dies in a call: sound goes on, the note is kept, and exactly one log arrives when it is back', async () => {
    const panel = await crm.open(page);
    await inCall(panel);
    await stage.stopRelay();
    await panel.getByText('The relay can’t be reached').first().waitFor({ timeout: 20_000 });
    await listenUntil(panel, '600 Hz without the relay', (sound) => sound.amplitude(600) > 0.02);
    await panel.getByLabel('Note').fill('Noted while the relay was away');
    await button(panel, 'Hang up').click();
    await button(panel, 'Save and finish').click();
    expect(crm.calls()).toHaveLength(0);
    await stage.restartRelay();
    await until(
      'the log after the relay is back',
      () => crm.calls().find((call) => call.text.includes('while the relay was away')),
      40_000,
    );
    expect(crm.calls()).toHaveLength(1);
  });

  test('the SIP server dies in a call: sound goes on, the line comes back by itself and the call can be ended', async () => {
    const panel = await crm.open(page);
    await inCall(panel);
    telephony.switchboard.faults.set({ refuseSockets: true });
    telephony.switchboard.dropSockets();
    await panel.getByText('The line is away').first().waitFor({ timeout: 20_000 });
    await listenUntil(panel, '600 Hz without the line', (sound) => sound.amplitude(600) > 0.02);
    telephony.switchboard.faults.clear();
    await panel.getByText('The line is away').first().waitFor({ state: 'detached', timeout: 40_000 });
    await button(panel, 'Hang up').click();
    await until('the far side is told', () =>
      telephony.switchboard.calls().every((call) => call.state === 'ended') ? true : undefined,
    );
    await button(panel, 'Save and finish').click();
    await until('one log', () => (crm.calls().length === 1 ? true : undefined));
  });

  test('no SIP server from the start: the panel says so, and works as soon as there is one', async () => {
    telephony.switchboard.faults.set({ refuseSockets: true });
    const panel = await crm.visit(page);
    await panel.getByText('The phone system can’t be reached').waitFor({ timeout: 20_000 });
    telephony.switchboard.faults.clear();
    await panel.getByText('The line is ready.').waitFor({ state: 'attached', timeout: 40_000 });
  });

  test('the CRM answers 500, 429 and a lost success: exactly one log', async () => {
    await stage.close();
    stage = await openStage({ telephony, logLevel: 'silent', delivery: { firstRetryMs: 50, longestRetryMs: 500 } });
    crm = hubspotPage(stage);
    const panel = await crm.open(page);
    // HubSpot's page refuses to make the log, so that the relay does.
    stage.hubspot.faults.add({ fault: 'host-error', on: 'OUTGOING_CALL_STARTED' });
    await inCall(panel);
    const on = 'POST */calls/batch/upsert';
    stage.hubspot.faults.add({ fault: 'server-error', on, times: 1 });
    stage.hubspot.faults.add({ fault: 'rate-limited', on, times: 1, retryAfterSeconds: 1 });
    stage.hubspot.faults.add({ fault: 'answer-lost', on, times: 1 });
    await button(panel, 'Hang up').click();
    await button(panel, 'Save and finish').click();
    await until('the log', () => (crm.calls().length > 0 ? true : undefined), 60_000);
    const attempts = () => stage.hubspot.requests().filter((one) => one.path.endsWith('/calls/batch/upsert')).length;
    await until('an attempt after each fault', () => (attempts() >= 3 ? true : undefined), 30_000);
    await until(
      'the right record on the log',
      () => (crm.calls()[0]?.record === 'Mina Sato' ? true : undefined),
      30_000,
    );
    expect(crm.calls()).toHaveLength(1);
  });
});

describe('a page that goes', () => {
  test('a call whose far side hung up meanwhile has its end and its wrap-up as soon as the phone is back, and exactly one log', async () => {
    const panel = await crm.open(page);
    await inCall(panel);
    await page.goto('about:blank');
    await telephony.first.hangUp();
    await until('the end of the call at the switch', () =>
      telephony.switchboard.calls().every(({ state }) => state === 'ended') ? true : undefined,
    );
    const back = await crm.visit(page);
    await back.getByLabel('Note').fill('Cut off, I called again');
    await button(back, 'Save and finish').click();
    await back.getByRole('textbox', { name: 'Number' }).waitFor();
    await until('the log with its note', () => crm.calls().find(({ text }) => text.includes('Cut off')), 15_000);
    expect(crm.calls()).toMatchObject([{ result: crm.words.answered, record: 'Mina Sato' }]);
  });
});

describe('several tabs', () => {
  test('one tab owns the line, the other shows the same call and can end it; one call, one log', async () => {
    const first = await crm.open(page);
    const other = await browser.newPage();
    const second = await crm.open(other);
    await inCall(first);
    await second.getByRole('timer').waitFor();
    await second.getByText('Mina Sato').first().waitFor();
    expect(telephony.switchboard.registered().filter((one) => one.extension === crm.extension)).toHaveLength(1);
    await button(second, 'Hang up').click();
    await button(second, 'Save and finish').click();
    await until('one log', () => (crm.calls().length === 1 ? true : undefined));
    await first.getByRole('textbox', { name: 'Number' }).waitFor();
    await other.close();
    expect(crm.calls()).toHaveLength(1);
  });
});
