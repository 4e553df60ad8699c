/**
 * A call outlives its page: the CRM page is loaded anew, its frame is made anew, the agent goes to another page, the browser loses the process of the
 * page, all with a call up. Both CRMs, the whole product on the sandbox switch, real sound at both ends.
 */
import type { Frame, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStage, type Stage } from '../../scripts/stage.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type CrmPage, hubspotPage, salesforcePage } from './crm-pages.ts';
import { startSwitchTelephony } from './switch-telephony.ts';
import { until } from './telephony.ts';

const patience = 20_000;
/** Rings and is never answered. */
const nobody = '+14155550105';

let telephony: Awaited<ReturnType<typeof startSwitchTelephony>>;
let browser: TestBrowser;
let stage: Stage;

beforeAll(async () => {
  telephony = await startSwitchTelephony();
  [stage, browser] = await Promise.all([openStage({ telephony, logLevel: 'silent' }), startBrowser()]);
  const calling = stage.hubspot.calling.settings() ?? expect.fail('the app has no calling settings');
  stage.hubspot.calling.set({ ...calling, usesCallingWindow: false });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await stage?.close();
  await telephony?.close();
});

describe.each([
  ['Salesforce', salesforcePage],
  ['HubSpot', hubspotPage],
] as const)('%s', (name, crmPage) => {
  let crm: CrmPage;
  let page: Page;
  let before = { logs: 0, placed: 0, said: 0 };
  const path = name === 'Salesforce' ? '/salesforce/' : '/hubspot/';

  beforeAll(async () => {
    crm = crmPage(stage);
    page = await browser.newPage();
    await crm.open(page);
  });
  afterAll(async () => {
    await page?.close();
  });
  beforeEach(async () => {
    await idle(page);
    before = { logs: crm.calls().length, placed: telephony.switchboard.calls().length, said: said().length };
  });

  const panel = (of: Page) => of.frameLocator(`iframe[src*="${path}"]`);
  const button = (of: Page, label: string) => panel(of).getByRole('button', { name: label, exact: true });
  async function press(of: Page, label: string): Promise<void> {
    await of.bringToFront();
    await button(of, label).click({ timeout: patience });
  }
  const idle = (of: Page) => panel(of).getByRole('textbox', { name: 'Number' }).waitFor({ timeout: patience });
  const inCall = (of: Page) => panel(of).getByRole('timer').waitFor({ timeout: patience });
  const frameOf = (of: Page): Promise<Frame> =>
    until('the panel of a page', () =>
      of.frames().find((one) => !one.isDetached() && new URL(one.url() || 'about:blank').pathname === path),
    );
  /** What the page was told of calls that begin. */
  const said = () =>
    stage.hubspot
      .hostMessages()
      .filter(({ message }) => /^(OUTGOING_CALL_STARTED|INCOMING_CALL)$/.test(`${message.type}`));

  /** Sound both ways, as the two ends get it. */
  async function talks(of: Page): Promise<void> {
    const { toneHz } = telephony.first;
    await until(
      'the far side in the panel',
      async () => {
        try {
          await listenUntil(await frameOf(of), `${toneHz} Hz`, (sound) => sound.amplitude(toneHz) > 0.02, 2_000);
          return true;
        } catch {
          return undefined;
        }
      },
      patience,
    );
    await telephony.first.hears(440);
  }

  /** Goes to Mina's record, which loads a page of HubSpot's anew, and waits until one can call and be called there. */
  async function showMina(): Promise<void> {
    await page.bringToFront();
    if ((await crm.shownRecord(page)) === 'Mina Sato') return;
    const gone = await frameOf(page);
    await crm.showRecord(page, 'Mina Sato');
    if (name === 'HubSpot') {
      await until(
        'the frame of the new page',
        async () => ((await frameOf(page)) === gone ? undefined : true),
        patience,
      );
      await panel(page).getByText('The line is ready.').waitFor({ state: 'attached', timeout: patience });
    }
    await idle(page);
  }

  /** The CRM takes its frame away and puts one there again, the page stays. */
  async function makeFrameAnew(): Promise<void> {
    const gone = await frameOf(page);
    if (name === 'Salesforce') await page.evaluate('sandbox.recreateFrame()');
    else
      await page.evaluate(() => {
        const frame = document.querySelector('#hubspot-calling-extension-iframe');
        if (frame !== null) frame.parentElement?.append(frame);
      });
    await until('the frame made anew', async () => {
      const now = await frameOf(page);
      return gone.isDetached() || now !== gone ? now : undefined;
    });
  }

  async function call(): Promise<void> {
    await page.bringToFront();
    await crm.clickNumber(page);
    await inCall(page);
    await talks(page);
  }

  /** Ends the call here: exactly one log with the note, and the times of one call; nobody is left at the switch. */
  async function oneLog(of: Page, note: string, atLeastMs: number): Promise<void> {
    await press(of, 'Hang up');
    await press(of, 'Save and finish');
    const log = await until(
      'one log with the note',
      () => {
        const fresh = crm.calls().slice(before.logs);
        return fresh.length === 1 && fresh[0]?.text.includes(note) ? fresh[0] : undefined;
      },
      patience,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)} The CRM holds: ${JSON.stringify(crm.calls().slice(before.logs))}`);
    });
    expect(log).toMatchObject({ record: 'Mina Sato', result: crm.words.answered });
    expect(log.seconds).toBeGreaterThanOrEqual(Math.floor(atLeastMs / 1_000));
    expect(log.seconds).toBeLessThan(atLeastMs / 1_000 + 10);
    await until('no call left at the switch', () =>
      telephony.switchboard.calls().every(({ state }) => state === 'ended') ? true : undefined,
    );
    if (name === 'HubSpot') {
      expect(said().length - before.said, 'calls the page was told of').toBe(1);
      expect(stage.hubspot.ghosts()).toEqual([]);
    }
    await idle(of);
  }

  const note = async (of: Page, text: string): Promise<void> => {
    await panel(of).getByLabel('Note').fill(text);
    await panel(of).getByText('Saved', { exact: true }).waitFor({ timeout: patience });
  };
  const noted = (of: Page) => panel(of).getByLabel('Note').inputValue({ timeout: patience });

  test('a page that is loaded anew has its call again, its note and its time, held where it was held, and logs it once', async () => {
    await showMina();
    await call();
    const began = Date.now();
    await note(page, 'Before the reload');
    await page.reload();
    await inCall(page);
    await talks(page);
    expect(await noted(page)).toBe('Before the reload');
    await press(page, 'Hold');
    await telephony.first.hearsNot(440);
    await page.reload();
    await panel(page).getByText('On hold', { exact: true }).waitFor({ timeout: patience });
    await telephony.first.hearsNot(440);
    await press(page, 'Resume');
    await talks(page);
    await oneLog(page, 'Before the reload', Date.now() - began);
  });

  test('a call goes on while the agent goes to another page of the CRM, and when that makes the frame anew', async () => {
    await showMina();
    if (name === 'HubSpot') await call();
    else {
      await telephony.call(telephony.first, crm.extension);
      await press(page, 'Answer');
      await talks(page);
    }
    const began = Date.now();
    await note(page, 'On another page');
    await crm.showRecord(page, 'Theo Okafor');
    await talks(page);
    await makeFrameAnew();
    await talks(page);
    expect(await noted(page)).toBe('On another page');
    await oneLog(page, 'On another page', Date.now() - began);
  });

  test('a tab whose process is killed gives its call to the other tab', async () => {
    await showMina();
    const other = await browser.newPage();
    try {
      await other.goto(name === 'Salesforce' ? stage.salesforce.url : stage.hubspot.url);
      await idle(other);
      await call();
      const began = Date.now();
      await note(page, 'In the other tab');
      await inCall(other);
      const devtools = await browser.context.newCDPSession(page);
      devtools.send('Page.crash').catch(() => undefined);
      await talks(other);
      expect(await noted(other)).toBe('In the other tab');
      await oneLog(other, 'In the other tab', Date.now() - began);
    } finally {
      await page.close();
      page = other;
    }
  });

  test('a call that nobody has answered when its page goes is taken back, and one click calls again', async () => {
    await page.bringToFront();
    await panel(page).getByRole('textbox', { name: 'Number' }).fill(nobody);
    await press(page, 'Call');
    await panel(page).getByText('Ringing…').waitFor({ timeout: patience });
    await page.reload();
    await until('the end of the call at the switch', () =>
      telephony.switchboard
        .calls()
        .slice(before.placed)
        .every(({ state }) => state === 'ended')
        ? true
        : undefined,
    );
    await button(page, 'Call again').waitFor({ timeout: patience });
    await press(page, 'Call again');
    await panel(page).getByText('Ringing…').waitFor({ timeout: patience });
    await press(page, 'Hang up');
    for (let left = 2; left > 0; left -= 1) await press(page, 'Save and finish');
    await idle(page);
  });
});
