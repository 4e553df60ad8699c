/** The line that says where the phone is, in a real browser: readable, reachable by keyboard, and gone when the phone is here. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keepPicture, type PanelBrowser, startPanelBrowser, violationsOf } from './panel-in-browser.ts';

let panels: PanelBrowser;
beforeAll(async () => {
  panels = await startPanelBrowser();
});
afterAll(() => panels.close());

test.each(['light', 'dark'] as const)(
  'a frame without the phone says where it is, and Tab and Enter bring it here (%s)',
  async (colorScheme) => {
    const { page, complaints, close } = await panels.open('?elsewhere', {
      colorScheme,
      viewport: { width: 320, height: 480 },
    });
    await page.getByText('The phone is on Chrome on Windows').waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await keepPicture(page, `phone-elsewhere-${colorScheme}`);
    const here = page.getByRole('button', { name: 'Use the phone here' });
    await here.focus();
    await page.keyboard.press('Enter');
    await page.getByText('The phone is here now.').waitFor();
    await here.waitFor({ state: 'detached' });
    await page.getByRole('switch', { name: 'Take calls' }).waitFor();
    await keepPicture(page, `phone-here-${colorScheme}`);
    expect(complaints).toEqual([]);
    await close();
  },
);

test('a call in a second tab can be taken there, and goes back from the first', async () => {
  const { page: first, close } = await panels.open();
  const second = await first.context().newPage();
  await second.goto(panels.url);
  await second.getByText('The phone is in another window').waitFor();
  await first.evaluate(() => window.lab.invite({ number: '+14155550101' }));
  await second.getByRole('button', { name: 'Answer' }).waitFor();
  await keepPicture(second, 'phone-in-window-ringing');
  await second.bringToFront();
  await second.keyboard.press('Alt+a');
  await second.getByRole('button', { name: 'Mute', exact: true }).waitFor();
  await keepPicture(second, 'phone-in-window-call');
  await second.getByRole('button', { name: 'Use the phone here' }).click();
  await first.getByText('The phone is now used in another window.').waitFor();
  await first.getByText('The phone is in another window').waitFor();
  await keepPicture(first, 'phone-went');
  expect(await first.evaluate(() => window.lab.sip.sent('hand-over').length)).toBe(1);
  expect(await second.evaluate(() => window.lab.sip.sent('take-up').length)).toBe(1);
  await close();
});

test('a computer that is never idle says so too', async () => {
  const { page: first, close } = await panels.open();
  const second = await first.context().newPage();
  await second.addInitScript(() => {
    window.requestIdleCallback = (run, options) =>
      options?.timeout === undefined
        ? 0
        : window.setTimeout(() => run({ didTimeout: true, timeRemaining: () => 0 }), options.timeout);
  });
  await second.goto(panels.url);
  await second.getByText('The phone is in another window').waitFor();
  await close();
});
