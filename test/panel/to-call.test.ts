/** What there is to call, in a real browser: calm, by keyboard alone, read out and never in the way of the focus. */
import type { ToCall } from '@patchcord/call-protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keepPicture, type PanelBrowser, type PanelPage, startPanelBrowser, violationsOf } from './panel-in-browser.ts';

let chromium: PanelBrowser;
beforeAll(async () => {
  chromium = await startPanelBrowser();
}, 60_000);
afterAll(() => chromium.close());

const minute = 60_000;

/** Gives the agent something to call; `dueIn`: ms from now, null for the dial list. */
async function give(panel: PanelPage, ...entries: readonly (readonly [name: string, dueIn: number | null])[]) {
  await panel.page.evaluate((list) => {
    const now = Date.now();
    window.lab.relay.toCall = list.map(
      ([name, dueIn], index): ToCall => ({
        id: crypto.randomUUID(),
        kind: dueIn === null ? 'dial-list' : 'call-back',
        number: index === 0 ? '+14155550101' : `+1415555011${index}`,
        name,
        record: null,
        note: index === 0 ? 'Wants the new prices before Friday, ask for the pallet count too' : null,
        dueAt: dueIn === null ? null : now + dueIn,
        askedBy: 'Maria Santos',
        createdAt: now,
        doneAt: null,
      }),
    );
    window.lab.relay.tell({ name: 'to-call.changed', at: now, data: {} });
  }, entries);
}

describe('what there is to call', () => {
  it('takes no room while there is nothing, and then shows what is due and folds the rest', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    expect(await page.getByRole('region', { name: 'To call' }).count()).toBe(0);
    await give(panel, ['Ada Lindqvist', -12 * minute], ['Bruno Keller', 90 * minute], ['Contoso Ltd', null]);
    const part = page.getByRole('region', { name: 'To call' });
    await part.getByText('12 min late').waitFor();
    expect(await part.getByRole('listitem').count()).toBe(1);
    const head = part.getByRole('button', { name: 'To call: 3, 1 due' });
    await head.focus();
    await page.keyboard.press('Enter');
    expect(await part.locator('.recent-name').allTextContents()).toEqual([
      'Ada Lindqvist',
      'Bruno Keller',
      'Contoso Ltd',
    ]);
    expect(panel.complaints).toEqual([]);
    await panel.close();
  });

  it('is called, put off, done and undone by keyboard', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await give(panel, ['Ada Lindqvist', -minute], ['Bruno Keller', -minute]);
    const more = page.getByRole('button', { name: 'Done or later: Bruno Keller' });
    await more.press('Enter');
    await page.getByRole('button', { name: 'In 15 min' }).press('Enter');
    await page.getByRole('button', { name: 'To call: 2, 1 due' }).waitFor();
    await page.getByText(/^Call-back: /).waitFor();
    await page.getByRole('button', { name: 'Done or later: Ada Lindqvist' }).press('Enter');
    await page.getByRole('button', { name: 'Done', exact: true }).press('Space');
    await page.getByRole('button', { name: 'To call: 1', exact: true }).waitFor();
    await page.getByRole('button', { name: 'Undo' }).press('Enter');
    const call = page.getByRole('button', { name: 'Call Ada Lindqvist' });
    await call.press('Enter');
    await panel.farAnswers();
    await page.getByRole('button', { name: 'Mute', exact: true }).waitFor();
    await page.keyboard.press('Alt+x');
    await page.waitForFunction(() => window.lab.relay.toCall[0]?.doneAt !== null);
    await page.getByRole('button', { name: 'Save and finish' }).click();
    await page.getByRole('region', { name: 'To call' }).getByText('Ada Lindqvist').waitFor();
    expect(await page.getByRole('button', { name: 'Undo' }).count()).toBe(1);
    await panel.close();
  });

  it('is read out when it becomes due, and takes the focus from nobody', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await page.clock.install();
    await page.getByRole('textbox').focus();
    await give(panel, ['Ada Lindqvist', minute]);
    await page.getByRole('button', { name: 'To call: 1', exact: true }).waitFor();
    await page.clock.runFor(minute);
    await page
      .locator('[aria-live=polite]')
      .getByText('Time to call back Ada Lindqvist.')
      .waitFor({ state: 'attached' });
    await page.getByText('due now').waitFor();
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('INPUT');
    await panel.close();
  });

  it('gets a call-back from the wrap-up', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await panel.talk();
    await page.keyboard.press('Alt+x');
    await page.getByLabel('Note').fill('Ask for the boss');
    await page.getByRole('button', { name: 'Plan a call-back' }).press('Enter');
    await page.getByRole('button', { name: 'Tomorrow 9:00' }).press('Enter');
    await page.getByText(/^Call-back: /).waitFor();
    // The keyboard goes on where it was.
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Change');
    await page.waitForFunction(() => window.lab.relay.toCall.length === 1);
    const [entry] = await page.evaluate(() => window.lab.relay.toCall);
    expect(entry).toMatchObject({ number: '+14155550101', name: 'Ada Lindqvist', note: 'Ask for the boss' });
    expect(new Date(entry?.dueAt ?? 0).getHours()).toBe(
      await page.evaluate((at) => new Date(at).getHours(), entry?.dueAt ?? 0),
    );
    await keepPicture(page, 'call-back-later');
    await panel.close();
  });

  it('leaves the button that calls in reach in a low frame, also below a banner', async () => {
    const panel = await chromium.open('?remote', { viewport: { width: 400, height: 650 } });
    const { page } = panel;
    await page.getByRole('button', { name: 'Open the phone window' }).waitFor();
    await give(panel, ['Ada Lindqvist', -12 * minute], ['Bruno Keller', -minute], ['Contoso Ltd', null]);
    await page.getByText('12 min late').waitFor();
    await keepPicture(page, 'to-call-low');
    // By its own middle: nothing scrolls for it, nothing lies over it.
    const button = page.getByRole('button', { name: 'Call', exact: true });
    const isInReach = button.evaluate((element) => {
      const { left, right, top, bottom } = element.getBoundingClientRect();
      return [top + 4, bottom - 4].every((y) => element.contains(document.elementFromPoint((left + right) / 2, y)));
    });
    expect(await isInReach).toBe(true);
    await panel.close();
  });

  it('shows the times to choose from above the foot of the wrap-up in a small frame', async () => {
    const panel = await chromium.open('', { viewport: { width: 320, height: 500 } });
    const { page } = panel;
    await panel.talk();
    await page.keyboard.press('Alt+x');
    await page.getByRole('button', { name: 'Plan a call-back' }).press('Enter');
    for (const name of ['In 15 min', 'In 1 hour', 'Tomorrow 9:00']) {
      const isInReach = await page.getByRole('button', { name }).evaluate((element) => {
        const { left, right, top, bottom } = element.getBoundingClientRect();
        return [top + 4, bottom - 4].every((y) => element.contains(document.elementFromPoint((left + right) / 2, y)));
      });
      expect([name, isInReach]).toEqual([name, true]);
    }
    await keepPicture(page, 'call-back-small');
    await panel.close();
  });

  it.each([
    ['light', 360],
    ['dark', 320],
  ] as const)('is legible in the %s at %i px, without scrolling sideways', async (colorScheme, width) => {
    const panel = await chromium.open('', { colorScheme, viewport: { width, height: 560 } });
    const { page } = panel;
    await give(
      panel,
      ['Ada Lindqvist of Fabrikam Purchasing and Logistics', -12 * minute],
      ['Bruno Keller', -minute],
      ['Contoso Ltd', null],
    );
    await page.getByText('12 min late').waitFor();
    await keepPicture(page, `to-call-${colorScheme}-folded`);
    await page.getByRole('button', { name: 'To call: 3, 2 due' }).click();
    await page.getByRole('button', { name: /^Done or later: Ada/ }).click();
    await page.getByRole('button', { name: 'In 15 min' }).waitFor();
    await keepPicture(page, `to-call-${colorScheme}`);
    expect(await violationsOf(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
    expect(panel.complaints).toEqual([]);
    await panel.close();
  });
});
