/** An office phone in a real browser: conferences, colleagues, forwarding, the number shown, redial; by keyboard where it can be. */
import type { Watched } from '@patchcord/phone-engine';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keepPicture, type PanelBrowser, type PanelPage, startPanelBrowser, violationsOf } from './panel-in-browser.ts';

let chromium: PanelBrowser;
beforeAll(async () => {
  chromium = await startPanelBrowser();
}, 60_000);
afterAll(() => chromium.close());

const small = { viewport: { width: 320, height: 560 } };

/** Answers a second call by key; the first one goes on hold. */
async function another({ page, ring }: PanelPage, number: string): Promise<void> {
  await ring(number);
  await page.getByText('answering holds the other one').waitFor();
  await page.keyboard.press('Alt+a');
  await page.getByText('answering holds the other one').waitFor({ state: 'detached' });
  await page
    .getByRole('button', { name: /^Swap to/ })
    .first()
    .waitFor();
}

/** Gives a call up that was dialled, and its wrap-up with it. */
async function hangUp({ page }: PanelPage): Promise<void> {
  await page.keyboard.press('Alt+x');
  await page.getByRole('button', { name: 'Save and finish' }).click();
}

async function show({ page }: PanelPage, ...lamps: readonly (readonly [string, Watched['status'], boolean?])[]) {
  await page.evaluate(
    (list) =>
      window.lab.sip.watched(
        list.map(
          ([extension, status, canTake = false]): Watched => ({
            extension,
            status,
            farSide: status === 'free' || status === 'unknown' ? null : { number: '+14155550101' },
            direction: null,
            canTake,
          }),
        ),
      ),
    lamps,
  );
}

describe('a conference', () => {
  it('of three others is made by key, said, and members are silenced, split off and dropped', async () => {
    const panel = await chromium.open('?office', small);
    const { page } = panel;
    await panel.talk();
    await another(panel, '+4930901820');
    await page.keyboard.press('Alt+g');
    await page.getByText('You and 2 others').waitFor();
    await page
      .getByText(/ is in the conference\.$/)
      .first()
      .waitFor({ state: 'attached' });
    await another(panel, '+442071838750');
    // The conference is on hold by now; it comes back and takes the third one in.
    await page.keyboard.press('Alt+g');
    await page.getByText('You and 3 others').waitFor();
    expect(await page.evaluate(() => window.lab.sip.sent('mix').at(-1)?.members.length)).toBe(3);
    await keepPicture(page, 'office-conference');
    expect(await violationsOf(page)).toEqual([]);
    const members = page.getByRole('region', { name: 'Conference' });
    await members.getByRole('button', { name: 'Silence +49 30 901820' }).press('Enter');
    await members.getByRole('button', { name: 'Let +49 30 901820 speak' }).waitFor();
    await members.getByRole('button', { name: 'Take +49 30 901820 out and put on hold' }).press('Enter');
    await page.getByText('You and 2 others').waitFor();
    await page.getByText('+49 30 901820 is on hold.').waitFor({ state: 'attached' });
    await members.getByRole('button', { name: 'Hang up +44 20 7183 8750' }).press('Enter');
    await members.waitFor({ state: 'detached' });
    expect(panel.complaints).toEqual([]);
    await panel.close();
  });
});

describe('a call in progress', () => {
  it('is parked by key, and a transfer is taken back', async () => {
    const panel = await chromium.open('?office', small);
    const { page } = panel;
    await panel.talk();
    await page.keyboard.press('Alt+p');
    await page.getByText('Parking at 700').first().waitFor();
    await page.getByRole('button', { name: 'Take back' }).press('Enter');
    await page.getByRole('button', { name: 'Take back' }).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'More', exact: true }).press('Enter');
    const move = page.getByRole('button', { name: 'Move to Desk phone' });
    await move.press('Enter');
    expect(await page.evaluate(() => window.lab.sip.sent('transfer').map(({ to }) => to))).toEqual(['700', '1201']);
    await panel.close();
  });
});

describe('colleagues', () => {
  it('show what their phones do, in words; a ringing one is picked up, a parked call taken back', async () => {
    const panel = await chromium.open('?office', small);
    const { page } = panel;
    await page.getByRole('tab', { name: 'Colleagues' }).click();
    await page.getByText('does not say what these phones do').waitFor();
    await show(panel, ['202', 'free'], ['203', 'ringing', true], ['204', 'busy'], ['701', 'busy'], ['702', 'unknown']);
    await page.getByText('does not say what these phones do').waitFor({ state: 'detached' });
    const states = page.getByRole('list', { name: 'Colleagues' }).locator('.strip-state');
    expect(await states.allTextContents()).toEqual([
      'Free · 202',
      'Ringing · (415) 555-0101',
      'On a call · (415) 555-0101',
    ]);
    expect(await page.getByRole('list', { name: 'Parked calls' }).locator('.strip-state').allTextContents()).toEqual([
      'Call waits · (415) 555-0101',
      'Unknown',
    ]);
    expect(await violationsOf(page)).toEqual([]);
    await keepPicture(page, 'office-colleagues');
    await page.getByRole('button', { name: 'Pick up the call at Jonas Weber' }).press('Enter');
    await page.waitForFunction(() => window.lab.sip.sent('pick-up').length === 1);
    expect(await page.evaluate(() => window.lab.sip.sent('pick-up')[0])).toMatchObject({
      extension: '203',
      code: '**203',
    });
    await hangUp(panel);
    await page.getByRole('tab', { name: 'Colleagues' }).waitFor();
    await page.getByRole('button', { name: 'Pick up the call at Slot 701' }).press('Enter');
    await page.waitForFunction(() => window.lab.sip.sent('dial').at(-1)?.target === '701');
    await hangUp(panel);
    await page.getByRole('button', { name: 'Group pickup' }).press('Enter');
    await page.waitForFunction(() => window.lab.sip.sent('dial').at(-1)?.target === '*8');
    expect(panel.complaints).toEqual([]);
    await panel.close();
  });

  it('have no tab where nobody is watched', async () => {
    const panel = await chromium.open();
    expect(await panel.page.getByRole('tab').allTextContents()).toEqual([
      expect.stringContaining('Keypad'),
      expect.stringContaining('Recent'),
      'Settings',
    ]);
    await panel.close();
  });
});

describe('forwarding', () => {
  it('is set by keyboard, shown on the keypad while on, and switched off with one press', async () => {
    const panel = await chromium.open('?office', small);
    const { page } = panel;
    await page.getByRole('tab', { name: 'Settings' }).click();
    await page.getByLabel('Send calls on').selectOption('no-answer');
    await page.getByLabel('To', { exact: true }).selectOption('number');
    await page.getByLabel('Number or extension').fill('flowers');
    await page.getByRole('button', { name: 'Use this' }).press('Enter');
    await page.getByText('Letters can’t be dialled').waitFor();
    await page.getByLabel('Number or extension').fill('204');
    await page.getByLabel('After seconds').fill('15');
    await page.getByLabel('After seconds').press('Enter');
    await page.getByText('Saved.', { exact: true }).waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await page.getByRole('tab', { name: 'Keypad' }).click();
    await page.getByText('After 15 s, calls go to 204').waitFor();
    await keepPicture(page, 'office-forwarding');
    await page.getByRole('button', { name: 'Switch off' }).press('Enter');
    await page.getByText('After 15 s').waitFor({ state: 'detached' });
    expect(panel.complaints).toEqual([]);
    await panel.close();
  });
});

describe('the keypad', () => {
  it('shows the chosen number to the far side, keeps the choice over a reload, and calls the last number again', async () => {
    const panel = await chromium.open('?office', small);
    const { page } = panel;
    await page.getByLabel('Show as').selectOption('+14155550120');
    await page.reload();
    await page.getByRole('switch').waitFor();
    expect(await page.getByLabel('Show as').inputValue()).toBe('+14155550120');
    const number = page.getByLabel('Number', { exact: true });
    await number.fill('+442071838750');
    await number.press('Enter');
    await page.getByText('Calling…').waitFor();
    expect(await page.evaluate(() => window.lab.sip.sent('dial')[0]?.callerId)).toBe('+14155550120');
    await hangUp(panel);
    await number.press('Enter');
    await page.waitForFunction(() => document.querySelector('input')?.value === '+44 20 7183 8750');
    expect(await page.evaluate(() => window.lab.sip.sent('dial').length)).toBe(1);
    await number.press('Enter');
    await page.waitForFunction(() => window.lab.sip.sent('dial').length === 2);
    expect(panel.complaints).toEqual([]);
    await panel.close();
  });

  it('asks before somebody is called who asked not to be, and tells who must not be', async () => {
    const panel = await chromium.open('?office', small);
    const { page } = panel;
    await page.evaluate(() => {
      const record = { crm: 'salesforce' as const, object: 'Contact', id: '003000000000001AAA', name: 'Ada Lindqvist' };
      window.lab.relay.mayCall = {
        '+14155550101': { verdict: 'ask', reason: 'The contact says so in the CRM.', record },
        '+4930901820': { verdict: 'no', reason: 'This number is on the list of your company.' },
      };
    });
    const number = page.getByLabel('Number', { exact: true });
    await number.fill('+4930901820');
    await number.press('Enter');
    await page.getByText('on the list of your company').waitFor();
    await number.fill('4155550101');
    await number.press('Enter');
    const question = page.getByRole('alertdialog');
    await question.getByText('Ada Lindqvist').waitFor();
    await page.waitForFunction(() => document.activeElement?.textContent === 'Don’t call');
    expect(await violationsOf(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await question.waitFor({ state: 'detached' });
    expect(await page.evaluate(() => window.lab.sip.sent('dial').length)).toBe(0);
    await number.press('Enter');
    // The question takes the keyboard as it comes; nobody presses a button of it before.
    await page.waitForFunction(() => document.activeElement?.textContent === 'Don’t call');
    await question.getByRole('button', { name: 'Call anyway' }).press('Enter');
    await page.getByText('Calling…').waitFor();
    expect(panel.complaints).toEqual([]);
    await panel.close();
  });
});
