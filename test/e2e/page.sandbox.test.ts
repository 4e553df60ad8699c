/** The phone in somebody's own page: a handful of messages, a pairing code, no CRM. On the sandbox switch. */
import { expect, test } from 'vitest';
import { openStage } from '../../scripts/stage.ts';
import { listenUntil, startBrowser } from '../browser/chromium.ts';
import { startSwitchTelephony } from './switch-telephony.ts';
import { until } from './telephony.ts';

test('a plain page dials by a click, opens the caller’s record, and the history tells both calls', async () => {
  const telephony = await startSwitchTelephony();
  const stage = await openStage({ telephony });
  const browser = await startBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(stage.page.url);
    const panel = await until('the panel', () => page.frames().find((frame) => frame.url().includes('/page/')), 15_000);
    const button = (name: string) => panel.getByRole('button', { name, exact: true });
    const { code } = await stage.relay().createPairingCode('page-sandbox', 'robin');
    await panel.getByLabel('Pairing code').fill(code);
    await button('Sign in').click();
    await panel.getByText('The line is ready.').waitFor({ state: 'attached' });

    await page.locator('button.dial[data-number="415.555.0103"]').click();
    await listenUntil(panel, '600 Hz', (sound) => sound.amplitude(600) > 0.02);
    await telephony.first.hears(440);
    await button('Hang up').click();
    await button('Save and finish').click();

    await telephony.call(telephony.second, '301');
    await button('Answer').click();
    await listenUntil(panel, '850 Hz', (sound) => sound.amplitude(850) > 0.02);
    await page.locator('[aria-pressed="true"]', { hasText: 'Oliver Whitcombe' }).waitFor();
    await telephony.second.hangUp();
    await button('Save and finish').click();

    await panel.getByRole('tab', { name: /Recent/ }).click();
    for (const name of ['Mina Sato', 'Oliver Whitcombe']) await panel.getByText(name).first().waitFor();
    await expect.poll(() => panel.getByText('Waiting to be logged').count()).toBe(0);
  } finally {
    await browser.close();
    await stage.close();
    await telephony.close();
  }
});
