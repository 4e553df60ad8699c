/** What an office phone does, through the panel in the CRM page, with the sound measured at every end. On the sandbox switch. */
import type { Frame, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { DONE_TONE_HZ } from '../../sandbox/src/switch/machine.ts';
import { openStage, type Stage } from '../../scripts/stage.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type CrmPage, salesforcePage } from './crm-pages.ts';
import { startSwitchTelephony } from './switch-telephony.ts';
import { until } from './telephony.ts';

const ourTone = 440;

let telephony: Awaited<ReturnType<typeof startSwitchTelephony>>;
let browser: TestBrowser;
let stage: Stage;
let crm: CrmPage;
let page: Page;
let panel: Frame;

beforeAll(async () => {
  telephony = await startSwitchTelephony(true);
  browser = await startBrowser({ toneHz: ourTone });
});
afterAll(async () => {
  await browser?.close();
  await telephony?.close();
});
beforeEach(async () => {
  stage = await openStage({ telephony, logLevel: 'silent' });
  crm = salesforcePage(stage);
  page = await browser.newPage();
  panel = await crm.open(page);
});
afterEach(async () => {
  await page?.close();
  await stage?.close();
});

const button = (name: string | RegExp) => panel.getByRole('button', { name, exact: typeof name === 'string' });
const hears = (...tones: readonly number[]) =>
  listenUntil(panel, `${tones.join(' and ')} Hz`, (sound) => tones.every((hz) => sound.amplitude(hz) > 0.02));
const called = async (person: string): Promise<void> => {
  await crm.showRecord(page, person);
  await crm.clickNumber(page);
  await panel.getByRole('timer').waitFor();
};
const secondCall = async (number: string): Promise<void> => {
  await button('New call').click();
  await panel.getByRole('textbox', { name: 'Second call' }).fill(number);
  await panel.getByRole('form', { name: 'Second call' }).getByRole('button', { name: 'Call', exact: true }).click();
};
const finish = () => button('Save and finish').click();

test('three people talk together; one is silenced, one is let go, and each call is one log', async () => {
  const { first, second } = telephony;
  await called(first.person);
  await hears(first.toneHz);
  await secondCall(second.number);
  await hears(second.toneHz);
  await first.hearsNot(ourTone);
  await button(/Bring Mina Sato into the call/).click();
  await panel.getByRole('region', { name: 'Conference' }).waitFor();
  await hears(first.toneHz, second.toneHz);
  await Promise.all([first.hears(ourTone), first.hears(second.toneHz), second.hears(ourTone)]);
  await second.hears(first.toneHz);
  await first.hearsNot(first.toneHz);

  await button('Silence Mina Sato').click();
  await second.hearsNot(first.toneHz);
  await first.hears(second.toneHz);
  await button('Let Mina Sato speak').click();
  await second.hears(first.toneHz);

  await button('Hang up Mina Sato').click();
  await second.hearsNot(first.toneHz);
  await hears(second.toneHz);
  await button('Hang up').click();
  await finish();
  await finish();
  await until('two logs', () => (crm.calls().length === 2 ? true : undefined));
});

test('a call is parked, seen in its slot, and taken back', async () => {
  const { first } = telephony;
  await called(first.person);
  await hears(first.toneHz);
  await button('More').click();
  await button('Park').click();
  await finish();
  await panel.getByRole('tab', { name: /Colleagues/ }).click();
  await button(/Pick up the call at Slot 701/).click();
  await hears(first.toneHz);
  await first.hears(ourTone);
  expect(telephony.switchboard.parked()).toEqual([]);
});

test('a call that rings at a colleague is picked up from the list', async () => {
  const [colleague] = telephony.switchboard.directory.filter(({ kind }) => kind === 'colleague');
  await panel.getByRole('tab', { name: /Colleagues/ }).click();
  telephony.switchboard.colleague(colleague?.number ?? '').ringFrom(telephony.first.number, 'Mina Sato');
  await button(new RegExp(`Pick up the call at ${colleague?.name ?? ''}`)).click();
  await panel.getByRole('timer').waitFor();
  await listenUntil(panel, 'the caller', (sound) => sound.rms > 0.05);
});

test('an intercom call answers itself after a warning', async () => {
  const placed = await telephony.switchboard.callAgent(crm.extension, {
    callerNumber: telephony.first.number,
    headers: { 'Call-Info': '<sip:sandbox.patchcord.test>;answer-after=0' },
  });
  await panel.getByText('your microphone opens by itself').waitFor();
  expect(await placed.answered).toBe(true);
  await telephony.first.hears(ourTone);
});

test('a ringing call is sent to voicemail, and the message counts', async () => {
  const { switchboard, first } = telephony;
  const before = switchboard.voicemail(crm.extension).fresh;
  const placed = await telephony.call(first, crm.extension);
  await button('Voicemail').click();
  // After the beep the mailbox listens.
  await first.hears(DONE_TONE_HZ);
  await first.hearsNot(DONE_TONE_HZ);
  await placed.hangUp();
  await until('one more message', () => (switchboard.voicemail(crm.extension).fresh === before + 1 ? true : undefined));
});
