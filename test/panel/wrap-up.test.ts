/** The end of a call in a real browser: what it was about by keyboard, an outcome that is needed, the clock, and a page that is loaded anew. */
import type { Match } from '@patchcord/call-protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PanelBrowser, type PanelPage, startPanelBrowser } from './panel-in-browser.ts';

let chromium: PanelBrowser;

beforeAll(async () => {
  chromium = await startPanelBrowser();
});
afterAll(() => chromium.close());

const invoice = { crm: 'salesforce', object: 'Case', id: '500000000000009AAA', name: '00001044 Invoice' } as const;

/** Data of the newest event of this name that the relay took. */
function told({ page }: PanelPage, name: string): Promise<unknown> {
  return page.evaluate(
    (wanted) => window.lab.relay.received.findLast(({ type }) => type === `dev.patchcord.${wanted}.v1`)?.data ?? null,
    name,
  );
}

/** What the relay was told last by events of this name, once there is one: the journal sends a moment after the panel shows it. */
async function heard(panel: PanelPage, name: string): Promise<unknown> {
  await panel.page.waitForFunction(
    (wanted) => window.lab.relay.received.some(({ type }) => type === `dev.patchcord.${wanted}.v1`),
    name,
  );
  return told(panel, name);
}

async function aboutIs(panel: PanelPage, id: string | null): Promise<void> {
  await panel.page.waitForFunction((wanted) => {
    const last = window.lab.relay.received.findLast(({ type }) => type.includes('record.associated'));
    const record = last?.data.record as { id: string } | null | undefined;
    return record !== undefined && (record?.id ?? null) === wanted;
  }, id);
}

function focused({ page }: PanelPage): Promise<string> {
  return page.evaluate(() => {
    const { labels, textContent } = document.activeElement as HTMLInputElement;
    return (labels?.[0]?.textContent ?? textContent ?? '').trim();
  });
}

describe('what a call is about', () => {
  it('is chosen, changed and cleared by arrow keys in the wrap-up', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await panel.talk();
    await page.keyboard.press('Alt+x');
    const group = page.getByRole('group', { name: 'About' });
    await group.getByRole('radio', { name: /Pallets arrived wet/ }).waitFor();
    expect(await group.getByRole('radio', { name: 'Nothing in particular' }).isChecked()).toBe(true);
    await group.getByRole('radio', { name: 'Nothing in particular' }).focus();
    await page.keyboard.press('ArrowUp');
    await aboutIs(panel, '006000000000001AAA');
    await page.keyboard.press('ArrowUp');
    await aboutIs(panel, '500000000000001AAA');
    await page.getByRole('button', { name: 'Open 00001026 Pallets arrived wet in the CRM' }).click();
    expect(await page.evaluate(() => window.lab.host.told('opened').at(-1)?.record.id)).toBe('500000000000001AAA');
    await group.getByRole('radio', { name: 'Nothing in particular' }).check();
    await aboutIs(panel, null);
    expect(await page.evaluate(() => window.lab.relay.requests.filter((it) => it.includes('related')).length)).toBe(1);
    expect(panel.complaints).toEqual([]);
    await panel.close();
  });

  it('is one click away during the call when the agent has it open, and asks the relay for nothing while folded', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await panel.talk();
    await page.evaluate((record) => window.lab.host.show(record), invoice);
    const suggestion = page.getByRole('button', { name: 'It is about 00001044 Invoice' });
    await suggestion.waitFor();
    expect(await told(panel, 'record.associated')).toBeNull();
    await suggestion.click();
    await aboutIs(panel, invoice.id);
    expect(await page.evaluate(() => window.lab.relay.requests.some((it) => it.includes('related')))).toBe(false);
    const change = page.getByRole('button', { name: /^Change/ });
    await change.press('Enter');
    expect(await change.getAttribute('aria-expanded')).toBe('true');
    expect(await page.getByRole('radio', { name: /00001044 Invoice/ }).isChecked()).toBe(true);
    await page.getByRole('radio', { name: /Fabrikam, 400 pallets/ }).check();
    await aboutIs(panel, '006000000000001AAA');
    await panel.close();
  });

  it('is asked for again after a failure, and the agent can say the call was with somebody else', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await page.evaluate(() =>
      window.lab.relay.failures.set('/v1/records/related', { status: 502, code: 'crm.unavailable', message: 'Away.' }),
    );
    await panel.talk();
    await page.keyboard.press('Alt+x');
    await page.getByText('could not be loaded').waitFor();
    await page.evaluate(() => window.lab.relay.failures.clear());
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('radio', { name: /Pallets arrived wet/ }).waitFor();
    await page.evaluate(() =>
      window.lab.host.show({ crm: 'salesforce', object: 'Contact', id: '003000000000009AAA', name: 'Bruno Keller' }),
    );
    await page.getByRole('button', { name: 'Link to Bruno Keller' }).click();
    await page.getByRole('heading', { name: 'Bruno Keller' }).waitFor();
    await page.getByText('Nothing is open for Bruno Keller').waitFor();
    await panel.close();
  });
});

describe('whom a call was with', () => {
  const named = (name: string, source: 'directory' | 'enrichment', number: string): Match => ({
    record: { crm: 'page', object: 'Caller', id: name, name },
    number: number as Match['number'],
    reason: `Name from the ${source}`,
    source,
  });

  it('is no name from a directory: it is shown, said not to be in the CRM, and the open record can be linked', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await page.evaluate(
      (match) => {
        window.lab.relay.matches = [match];
      },
      named('Dora Directory', 'directory', '+14155550155'),
    );
    await panel.talk('+14155550155');
    await page.getByRole('heading', { name: 'Dora Directory' }).waitFor();
    await page.getByText('Not in your CRM').waitFor();
    await page.keyboard.press('Alt+x');
    await page.evaluate(() =>
      window.lab.host.show({ crm: 'salesforce', object: 'Contact', id: '003000000000009AAA', name: 'Bruno Keller' }),
    );
    await page.getByRole('button', { name: 'Link to Bruno Keller' }).click();
    await page.getByRole('heading', { name: 'Bruno Keller' }).waitFor();
    expect(await heard(panel, 'record.chosen')).toMatchObject({ record: { crm: 'salesforce' } });
    await panel.close();
  });

  it('is chosen among records of the CRM only; other names are said beside', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await page.evaluate(
      (match) => {
        window.lab.relay.matches = [match, ...window.lab.relay.matches];
      },
      named('Dora Directory', 'directory', '+14155550102'),
    );
    await panel.ring('+14155550102');
    await page.getByText('3 records have this number. Which').waitFor();
    expect(await page.locator('.choice-name bdi').allTextContents()).not.toContain('Dora Directory');
    await page.evaluate(
      (matches) => {
        window.lab.relay.matches = matches;
      },
      [named('Dora Directory', 'directory', '+14155550156'), named('Dora & Sons', 'enrichment', '+14155550156')],
    );
    await page.keyboard.press('Alt+x');
    await panel.ring('+14155550156');
    await page.getByText('Not in your CRM').waitFor();
    await page.locator('.quiet-line bdi').getByText('Dora Directory').waitFor();
    await page.locator('.quiet-line bdi').getByText('Dora & Sons').waitFor();
    await panel.close();
  });
});

describe('an outcome that is needed', () => {
  it('gets the focus and says why when the wrap-up is submitted without it', async () => {
    const panel = await chromium.open('?required');
    const { page } = panel;
    await panel.talk();
    await page.keyboard.press('Alt+x');
    await page.getByRole('button', { name: 'Save and finish' }).click();
    await page.getByRole('alert').getByText('Choose an outcome first').waitFor();
    expect(await focused(panel)).toBe('Reached');
    const group = page.getByRole('group', { name: /Outcome/ });
    const described = await group.getAttribute('aria-describedby');
    expect(await page.locator(`[id="${described}"]`).textContent()).toBe('Choose an outcome first.');
    await page.keyboard.press('Space');
    await page.getByRole('button', { name: 'Save and finish' }).click();
    await page.getByRole('tab', { name: 'Keypad' }).waitFor();
    await page.waitForFunction(() => window.lab.relay.names.includes('wrap-up.submitted'));
    expect(await heard(panel, 'wrap-up.submitted')).toMatchObject({ disposition: 'reached' });
    await panel.close();
  });
});

describe('the time for the wrap-up', () => {
  it('runs on screen, is lengthened by a press, and ends with what is there', async () => {
    const context = await chromium.browser.newContext({ viewport: { width: 320, height: 560 } });
    const page = await context.newPage();
    await page.clock.install();
    await page.goto(`${chromium.url}?wrap-up=30`);
    // The page's own clock stands unless it is moved: what starts the phone waits for it.
    await page.clock.runFor(2_000);
    await page.getByRole('switch').waitFor();
    await page.evaluate(() => window.lab.invite({ number: '+14155550101' }));
    await page.getByRole('button', { name: 'Answer' }).click();
    await page.getByRole('button', { name: 'Hang up' }).click();
    const timer = page.getByRole('timer', { name: 'Time left for the wrap-up' });
    await timer.waitFor();
    await page.getByText('30 seconds for the wrap-up').waitFor({ state: 'attached' });
    await page.clock.runFor(11_000);
    const left = async (): Promise<number> => Number(/\d+:(\d+)/.exec((await timer.textContent()) ?? '')?.[1]);
    const before = await left();
    expect(before).toBeLessThan(21);
    await page.getByRole('button', { name: 'Need more time' }).click();
    await page.getByLabel('Note').fill('Calls back on Friday');
    await page.clock.runFor(31_000);
    expect(await left()).toBeLessThan(before);
    const notice = page.getByText('Time is up. What you had was saved.');
    for (let second = 0; second < 30 && !(await notice.isVisible()); second += 1) await page.clock.runFor(1_000);
    expect(await notice.isVisible()).toBe(true);
    const submitted = await page.waitForFunction(
      () => window.lab.relay.received.find(({ type }) => type.includes('wrap-up.submitted'))?.data,
    );
    expect(await submitted.jsonValue()).toEqual({ note: 'Calls back on Friday' });
    await context.close();
  });
});

describe('a page that is loaded anew', () => {
  it.each(['in the call', 'in the wrap-up'])('%s loses nothing that was typed', async (moment) => {
    const panel = await chromium.open();
    const { page } = panel;
    page.on('dialog', (dialog) => void dialog.accept());
    // What an earlier page sent is forgotten here with its relay, so that the next one sends it again.
    await page.evaluate(() => {
      window.lab.relay.acknowledges = false;
    });
    const call = await panel.talk();
    if (moment !== 'in the call') {
      await page.keyboard.press('Alt+x');
      await page.getByLabel('Call back').check();
    }
    await page.getByLabel('Note').focus();
    // As fast as people type: what was chosen before it has gone to the disk by then, and only the note is younger than that.
    await page.keyboard.type('Down to the last letter', { delay: 30 });
    await page.reload();
    if (moment === 'in the call') {
      // It goes on in the next page, and ends there.
      await page.getByRole('button', { name: 'Hang up' }).waitFor();
      await page.evaluate((id) => window.lab.sip.drop(id as never), call);
    }
    const kept = await page.waitForFunction((id) => {
      const events = window.lab.relay.received.filter(({ subject }) => subject === id);
      const notes = events.flatMap(({ data }) => ('note' in data ? [data.note] : []));
      const outcome = events.flatMap(({ data }) => ('disposition' in data ? [data.disposition] : [])).at(-1) ?? null;
      return notes.includes('Down to the last letter') && events.some(({ type }) => type.includes('call.ended'))
        ? { note: notes.at(-1), outcome }
        : null;
    }, call);
    expect(await kept.jsonValue()).toEqual({
      note: 'Down to the last letter',
      outcome: moment === 'in the call' ? null : 'callback',
    });
    await panel.close();
  });
});
