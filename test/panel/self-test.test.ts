/** The self-test in a real browser: every way to it, by keyboard and by link, what it says, and the text that is copied. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { wholeBrowser } from '../browser/chromium.ts';
import { type PanelBrowser, startPanelBrowser } from './panel-in-browser.ts';

declare global {
  interface Window {
    opened: number;
  }
}

let chromium: PanelBrowser;

beforeAll(async () => {
  chromium = await startPanelBrowser(wholeBrowser);
});
afterAll(() => chromium.close());

/** How often the microphone is opened from now on. */
async function countMicrophone(page: Page): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    const { sound } = window.lab;
    const open = sound.microphone.bind(sound);
    window.opened = 0;
    sound.microphone = () => {
      window.opened += 1;
      return open();
    };
  });
  return () => page.evaluate(() => window.opened);
}

it('opens by its link, where a phone works and where none started, and closes to what was there', async () => {
  const panel = await chromium.open('#self-test');
  const { page } = panel;
  await page.getByRole('status').getByText('One thing is unclear.').waitFor();
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Check the set-up');
  await page.keyboard.press('Escape');
  await page.getByRole('tab', { name: 'Keypad' }).waitFor();
  expect(new URL(page.url()).hash).toBe('');
  await panel.close();

  const outside = await chromium.open('?outside#self-test');
  await outside.page.getByText('The phone has not started').first().waitFor();
  await outside.page.getByRole('button', { name: 'Close' }).click();
  await outside.page.getByText('can’t work here').waitFor();
  await outside.page.waitForFunction(() => document.activeElement?.textContent === 'Check the set-up');
  expect(outside.complaints).toEqual([]);
  await outside.close();
});

it('opens from the settings and is run again after the trouble is mended', async () => {
  const panel = await chromium.open();
  const { page } = panel;
  await page.evaluate(() => {
    window.lab.setMicrophone('not-passed-on');
    // No other credential is to be had, so the refusal stays.
    window.lab.relay.failures.set('/v1/credentials', { status: 502, code: 'internal', message: 'Not now.' });
    window.lab.sip.reject(403, 'Forbidden');
  });
  await page.getByRole('tab', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Check the set-up' }).click();
  await page.getByText('2 things are wrong.').waitFor();
  await page.getByText('Setup > Trusted URLs').waitFor();
  await page.getByText('403 Forbidden').last().waitFor();
  await page.evaluate(() => {
    window.lab.setMicrophone('allowed');
    window.lab.relay.failures.clear();
    window.lab.sip.register();
  });
  await page.getByRole('button', { name: 'Run again' }).click();
  await page.getByText('Everything works.').waitFor();
  await panel.close();
});

it('copies the result without the agent’s name, or selects it where the clipboard is kept from the page', async () => {
  const allowed = await chromium.open('#self-test', { permissions: ['clipboard-read', 'clipboard-write'] });
  await allowed.page.getByText('One thing is unclear.').waitFor();
  await allowed.page.getByText('Maria Santos').waitFor();
  await allowed.page.getByRole('button', { name: 'Copy the result' }).click();
  await allowed.page.getByText('Copied, without names and numbers').waitFor();
  const text = await allowed.page.evaluate(() => navigator.clipboard.readText());
  expect(text).toContain('[Good] The line: Registered with wss://sip.example.test');
  expect(text).not.toMatch(/Maria|Santos|Northwind/);
  await allowed.close();

  const kept = await chromium.open('#self-test');
  await kept.page.getByText('One thing is unclear.').waitFor();
  await kept.page.evaluate(() => {
    navigator.clipboard.writeText = () => Promise.reject(new DOMException('blocked', 'NotAllowedError'));
  });
  await kept.page.getByRole('button', { name: 'Copy the result' }).click();
  const area = kept.page.getByLabel('Result of the checks');
  await area.waitFor();
  expect(await kept.page.evaluate(() => getSelection()?.toString())).toBe(await area.inputValue());
  await kept.close();
});

it('is gone with the call that took its place: nothing runs, and nothing has the focus, after the wrap-up', async () => {
  const panel = await chromium.open('#self-test');
  const { page } = panel;
  await page.getByRole('button', { name: 'Run again' }).click();
  await page.getByText('Everything works.').waitFor();
  const opened = await countMicrophone(page);
  await panel.talk();
  await page.getByRole('timer').waitFor();
  await page.keyboard.press('Alt+x');
  await page.getByRole('button', { name: 'Save and finish' }).click();
  await page.getByRole('tab', { name: 'Keypad' }).waitFor();
  expect(await page.getByRole('heading', { name: 'Check the set-up' }).count()).toBe(0);
  expect(new URL(page.url()).hash).toBe('');
  expect(await opened()).toBe(0);
  await panel.close();
});

it('opened by a link, or beside a call, leaves the microphone alone until the agent says so', async () => {
  const panel = await chromium.open('#self-test');
  const { page } = panel;
  await page.getByText('One thing is unclear.').waitFor();
  await page.getByText('Press “Run again” to check it.').waitFor();
  const opened = await countMicrophone(page);
  await page.getByRole('button', { name: 'Run again' }).click();
  await page.getByText('Everything works.').waitFor();
  expect(await opened()).toBe(1);
  await panel.close();

  const busy = await chromium.open();
  await busy.page.getByRole('tab', { name: 'Settings' }).click();
  const heard = await countMicrophone(busy.page);
  await busy.ring();
  await busy.page.getByRole('button', { name: 'Check the set-up' }).click();
  await busy.page.getByText('One thing is unclear.').waitFor();
  expect(await heard()).toBe(0);
  await busy.close();
});

it('takes no focus from the page around it', async () => {
  const panel = await chromium.open();
  const { page } = panel;
  await page.evaluate(() => {
    document.hasFocus = () => false;
    location.hash = '#self-test';
  });
  await page.getByText('One thing is unclear.').waitFor();
  expect(await page.evaluate(() => document.activeElement === document.body)).toBe(true);
  await panel.close();
});

it.each([
  ['works', '?real-sound', ['microphone'], /It works: level \d+ of 100/],
  [
    'is kept from the phone by the page',
    '?real-sound&no-microphone',
    ['microphone'],
    /The page around the phone keeps/,
  ],
  ['is refused by the browser', '?real-sound', [], /does not let the phone use the microphone/],
] as const)('tells that the real microphone %s', async (_, query, permissions, words) => {
  const panel = await chromium.open(query, { permissions: [...permissions] });
  await panel.page.getByRole('tab', { name: 'Settings' }).click();
  await panel.page.getByRole('button', { name: 'Check the set-up' }).click();
  await panel.page.locator('.check-found').getByText(words).waitFor();
  await panel.close();
});
