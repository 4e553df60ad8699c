/** The whole phone without a mouse, and a focus that nobody steals. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PanelBrowser, type PanelPage, startPanelBrowser } from './panel-in-browser.ts';

let chromium: PanelBrowser;

beforeAll(async () => {
  chromium = await startPanelBrowser();
});
afterAll(() => chromium.close());

/** Presses Tab until the control with this name has the focus; the way there must be visible. */
async function tabTo({ page }: PanelPage, name: RegExp): Promise<void> {
  for (let press = 0; press < 60; press += 1) {
    await page.keyboard.press('Tab');
    const found = await page.evaluate((source) => {
      const element = document.activeElement as HTMLElement | null;
      if (element === null || element === document.body) return false;
      const labels = (element as Partial<HTMLInputElement>).labels;
      const label = [...(labels ?? [])].map((it) => it.textContent).join(' ');
      const words = [element.getAttribute('aria-label'), label, element.textContent].join(' ');
      return new RegExp(source, 'i').test(words);
    }, name.source);
    if (found) return;
  }
  throw new Error(`no control named ${name} is reached with Tab`);
}

describe('by keyboard alone', () => {
  it('dial, talk, mute, hold, digits, ask, transfer, wrap up', async () => {
    const panel = await chromium.open('?required');
    const { page } = panel;
    await tabTo(panel, /^ ?Number/);
    await page.keyboard.type('4155550101');
    await page.keyboard.press('Enter');
    await panel.farAnswers();
    await page.getByRole('timer').waitFor();

    await tabTo(panel, /Mute/);
    await page.keyboard.press('Space');
    await page.getByText('You are muted', { exact: true }).first().waitFor();
    await page.keyboard.press('Space');
    await tabTo(panel, /Hold/);
    await page.keyboard.press('Enter');
    await page.getByText('On hold', { exact: true }).waitFor();
    // The control kept the focus although it changed its name.
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Hold', exact: true }).waitFor();

    await tabTo(panel, /Keypad/);
    await page.keyboard.press('Enter');
    await page.keyboard.type('7*');
    await page.getByText('7*').waitFor();
    await page.keyboard.press('Escape');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Keypad');

    await tabTo(panel, /Transfer/);
    await page.keyboard.press('Enter');
    await page.keyboard.type('204');
    await page.keyboard.press('Enter');
    await page.getByText('Asking before the transfer').waitFor();
    await panel.farAnswers();
    await tabTo(panel, /Complete transfer/);
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => window.lab.sip.sent('transfer-attended').length === 1);
    await page.evaluate(() => {
      const sent = window.lab.sip.sent('transfer-attended')[0];
      if (sent !== undefined) window.lab.sip.acceptTransfer(sent.call);
    });

    await page.getByRole('button', { name: 'Save and finish' }).waitFor();
    await tabTo(panel, /Note/);
    await page.keyboard.type('Handed to support.');
    await tabTo(panel, /Reached/);
    await page.keyboard.press('Space');
    await tabTo(panel, /Save and finish/);
    await page.keyboard.press('Enter');
    await page.getByRole('tab', { name: 'Keypad' }).waitFor();
    // The consultation was closed without a question; this is the call's own wrap-up.
    const submitted = await page.waitForFunction(
      () =>
        window.lab.relay.received.find(({ type, data }) => type.includes('wrap-up.submitted') && 'note' in data)?.data,
    );
    expect(await submitted.jsonValue()).toMatchObject({ note: 'Handed to support.', disposition: 'reached' });
    expect(panel.complaints).toEqual([]);
    await panel.close();
  });

  it('choose among several records, answer and decline', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await panel.ring('+14155550102');
    await page.getByText('Which one is it').waitFor();
    await tabTo(panel, /Chiara/);
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => window.lab.host.told('opened').length === 1);
    await page.getByRole('heading', { name: 'Chiara Conti' }).waitFor();
    await tabTo(panel, /Decline/);
    await page.keyboard.press('Enter');
    await page.getByRole('tab', { name: 'Keypad' }).waitFor();
    expect(await page.evaluate(() => window.lab.sip.sent('decline').length)).toBe(1);
    await panel.close();
  });

  it('tabs by arrows, one stop for Tab', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await page.getByRole('tab', { name: 'Keypad' }).focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('patchcord-tab-recent');
    await page.getByRole('button', { name: 'Call Ada Lindqvist' }).first().waitFor();
    await page.keyboard.press('End');
    await page.getByText('Northwind Traders').waitFor();
    await page.keyboard.press('ArrowRight');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('patchcord-tab-keypad');
    await panel.close();
  });

  it('digits go to the number where nobody types into a field', async () => {
    const panel = await chromium.open();
    await panel.page.keyboard.type('+1415');
    expect(await panel.page.getByLabel('Number', { exact: true }).inputValue()).toBe('+1415');
    await panel.close();
  });
});

describe('the focus', () => {
  it('stays with who types a number when a call comes in, letter for letter', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await page.getByLabel('Number', { exact: true }).focus();
    await page.keyboard.type('415');
    await panel.ring();
    await page.getByRole('button', { name: 'Answer' }).waitFor();
    await page.keyboard.type('555');
    expect(await page.getByLabel('Number', { exact: true }).inputValue()).toBe('415555');
    await panel.close();
  });

  it('stays in the note when a second call comes in', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await panel.talk();
    await page.getByLabel('Note').focus();
    await page.keyboard.type('First');
    await panel.ring('+4930901820');
    await page.getByText('answering holds the other one').waitFor();
    await page.keyboard.type(' second');
    expect(await page.getByLabel('Note').inputValue()).toBe('First second');
    await panel.close();
  });

  it('stays in the note when the call ends in the middle of a word, letter for letter', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    const call = await panel.talk();
    await page.getByLabel('Note').focus();
    await page.keyboard.type('He wants an ofer');
    for (const key of ['ArrowLeft', 'ArrowLeft']) await page.keyboard.press(key);
    await page.evaluate((id) => window.lab.sip.end(id as never), call);
    await page.getByRole('button', { name: 'Save and finish' }).waitFor();
    await page.keyboard.type('f');
    await page.keyboard.press('End');
    await page.keyboard.type(' for 20');
    expect(await page.getByLabel('Note').inputValue()).toBe('He wants an offer for 20');
    await panel.close();
  });

  it('stays in the CRM page around the panel through a whole call', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await page.evaluate(() => {
      // The panel's page has the focus on nothing: as when the agent works in the page around it.
      (document.activeElement as HTMLElement | null)?.blur();
    });
    const call = await panel.ring();
    await page.getByText('Head of Purchasing').waitFor();
    await page.evaluate(() => window.lab.panel.stage.value.kind);
    await page.evaluate((id) => window.lab.sip.end(id as never), call);
    await page.getByRole('tab', { name: 'Keypad' }).waitFor();
    expect(await page.evaluate(() => document.activeElement === document.body)).toBe(true);
    await panel.close();
  });

  it('is not lost when the control that had it goes: it moves to the main part', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await panel.ring();
    await page.getByRole('button', { name: 'Answer' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Hang up' }).waitFor();
    await page.waitForFunction(() => document.activeElement?.tagName === 'MAIN');
    await panel.close();
  });

  it('is always visible', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    for (let press = 0; press < 25; press += 1) {
      await page.keyboard.press('Tab');
      const shown = await page.evaluate(() => {
        const element = document.activeElement;
        if (element === null || element === document.body) return true;
        const ring = (it: Element | null) => it !== null && getComputedStyle(it).outlineStyle !== 'none';
        return ring(element) || ring(element.closest('.number-box')) || ring(element.nextElementSibling);
      });
      expect(shown).toBe(true);
    }
    await panel.close();
  });
});

describe('the page', () => {
  it('has controls of a call that a finger can hit', async () => {
    const panel = await chromium.open('', { viewport: { width: 320, height: 560 } });
    const { page } = panel;
    await panel.talk();
    const small = await page.evaluate(() =>
      [...document.querySelectorAll('.control, .button')]
        .map((element) => ({ words: element.textContent, box: element.getBoundingClientRect() }))
        .filter(({ box }) => box.height < 44 || box.width < 44)
        .map(({ words }) => words),
    );
    expect(small).toEqual([]);
    await panel.close();
  });

  it('asks before it is left while a call is not answered yet, which no next page could take up, and only then', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await page.getByRole('tab', { name: /Recent/ }).click();
    const asked: string[] = [];
    page.on('dialog', (dialog) => {
      asked.push(dialog.type());
      void dialog.accept();
    });
    await page.reload();
    expect(asked).toEqual([]);
    await page.getByRole('switch').waitFor();
    await page.getByRole('tab', { name: /Recent/ }).click();
    await panel.talk();
    await page.reload();
    expect(asked).toEqual([]);
    await page.getByRole('button', { name: 'Hang up' }).click();
    await page.getByRole('button', { name: 'Save and finish' }).click();
    await page.getByLabel('Number').fill('+4930901820');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.waitForFunction(() => window.lab.sip.sent('dial').length > 0);
    await page.reload();
    expect(asked).toEqual(['beforeunload']);
    await panel.close();
  });

  it('loses no event to a reload: the next page sends what this one could not', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    page.on('dialog', (dialog) => void dialog.accept());
    await page.waitForFunction(() => window.lab.relay.names.includes('line.ready'));
    await page.evaluate(() => window.lab.relay.goAway());
    const call = await panel.talk();
    await page.getByLabel('Note').fill('Before the reload.');
    await page.getByText('Saved').waitFor();
    await page.reload();
    await page.waitForFunction(
      (id) => window.lab.relay.received.filter(({ subject }) => subject === id).length > 3,
      call,
    );
    const names = await page.evaluate(
      (id) => window.lab.relay.received.filter(({ subject }) => subject === id).map(({ type }) => type),
      call,
    );
    expect(names).toEqual(expect.arrayContaining(['dev.patchcord.call.answered.v1', 'dev.patchcord.wrap-up.saved.v1']));
    await panel.close();
  });

  it('moves its timer only while it is seen', async () => {
    const panel = await chromium.open();
    const { page } = panel;
    await panel.talk();
    const timer = page.getByRole('timer');
    await page.waitForFunction(() => document.querySelector('.timer')?.textContent === '0:02');
    await page.evaluate(() => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.waitForFunction((start) => Date.now() - start > 2_500, Date.now());
    expect(['0:02', '0:03']).toContain(await timer.textContent());
    await page.evaluate(() => {
      Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'visible' });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await page.waitForFunction(() => /0:0[4-9]/.test(document.querySelector('.timer')?.textContent ?? ''));
    await panel.close();
  });
});
