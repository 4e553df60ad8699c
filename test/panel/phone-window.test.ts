/** A frame that never holds the phone, beside the window that does, in a real browser: opened by a click, killed in a call, opened again. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { keepPicture, type PanelBrowser, type PanelPage, startPanelBrowser, violationsOf } from './panel-in-browser.ts';

let chromium: PanelBrowser;

beforeAll(async () => {
  chromium = await startPanelBrowser();
});
afterAll(() => chromium.close());

const gone = 'The phone window is not connected';

/** Does what opens the phone window, and waits for it. */
async function openedBy({ page }: PanelPage, act: () => Promise<void>) {
  const [opened] = await Promise.all([page.context().waitForEvent('page'), act()]);
  await opened.waitForFunction(() => window.lab !== undefined);
  return opened;
}

it('shows and commands a window that comes later, misses it at once when it is killed in a call, and goes on with the next', async () => {
  const panel = await chromium.open('?remote');
  const { page } = panel;
  await page.getByText(gone).waitFor();
  expect(await violationsOf(page)).toEqual([]);
  await page.getByRole('tab', { name: 'Settings' }).click();
  await page.getByText('Open the phone window to choose its sound devices.').waitFor();
  await page.getByRole('tab', { name: 'Keypad' }).click();
  await keepPicture(page, 'phone-window-closed');

  // The number field is ready, and its number is called as soon as the window has the line.
  await page.getByLabel('Number').fill('+4930901820');
  const first = await openedBy(panel, () => page.getByRole('button', { name: 'Call', exact: true }).click());
  await first.waitForFunction(() => window.lab.sip.sent('dial').length > 0);
  await page.bringToFront();
  await page.getByText('Remote', { exact: true }).waitFor();
  await first.evaluate(() => window.lab.sip.answered(window.lab.sip.sent('dial')[0]?.call as never));
  await page.getByRole('button', { name: 'Mute', exact: true }).click();
  await first.waitForFunction(() => window.lab.sip.sent('mute').length === 1);
  expect(await first.evaluate(() => window.lab.sip.sent('dial').map(({ target }) => target))).toEqual(['+4930901820']);
  expect(await page.getByText(gone).isVisible()).toBe(false);

  const killed = await first.evaluate(() => window.lab.sip.sent('dial')[0]?.call);
  await first.close();
  await page.getByText(gone).waitFor();
  await page.getByText('waits for the phone window. Open it now, and it goes on.').waitFor();
  // Nothing of the call is left to press, and the field is ready for the next one.
  expect(await page.getByRole('button', { name: 'Hang up' }).isVisible()).toBe(false);
  expect(await page.getByRole('switch').isVisible()).toBe(false);
  expect(await page.getByLabel('Number').inputValue()).toBe('');

  const second = await openedBy(panel, () => page.getByRole('button', { name: 'Open the phone window' }).click());
  await page.bringToFront();
  // The next window takes the call up; then the network ends it for good.
  await page.getByRole('button', { name: 'Hang up' }).waitFor();
  await second.evaluate((call) => window.lab.sip.drop(call as never), killed);
  await page.getByLabel('Note').fill('Was cut off');
  await page.getByRole('button', { name: 'Save and finish' }).click();
  await page.getByRole('tab', { name: 'Settings' }).click();
  await page.getByText('in the phone window. Choose devices there.').waitFor();
  await second.waitForFunction(() => window.lab.relay.names.includes('wrap-up.submitted'));
  expect(await second.evaluate(() => window.lab.sip.sent('dial'))).toEqual([]);
  expect(await page.getByText(gone).isVisible()).toBe(false);
  expect(panel.complaints).toEqual([]);
  await panel.close();
});

it('calls nobody when the agent says so while the window opens', async () => {
  const panel = await chromium.open('?remote');
  const { page } = panel;
  await page.evaluate(() => {
    window.open = () => window;
  });
  await page.getByRole('button', { name: 'Open the phone window' }).click();
  await page.getByText('Opening the phone window…').waitFor();
  expect(await page.getByRole('button', { name: 'Open the phone window' }).isVisible()).toBe(false);
  await page.getByLabel('Number').fill('+4930901820');
  await page.getByRole('button', { name: 'Call', exact: true }).click();
  await page.getByText('Opening the phone window to call +49 30 901820').waitFor();
  await page.getByRole('button', { name: 'Don’t call' }).click();
  await page.getByText(gone).waitFor();
  await panel.close();
});

it('says what to do when the browser opens no window', async () => {
  const panel = await chromium.open('?remote');
  const { page } = panel;
  await page.evaluate(() => {
    window.open = () => null;
  });
  await page.getByRole('button', { name: 'Open the phone window' }).click();
  await page.getByText('Allow pop-up windows for this page').waitFor();
  await panel.close();
});
