/**
 * Every screen of the panel, in light, dark and forced colours: nothing axe can find, no policy violation,
 * no sideways scrolling from 320 to 400 px.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { keepPicture, type PanelBrowser, type PanelPage, startPanelBrowser, violationsOf } from './panel-in-browser.ts';

interface Walk {
  readonly screen: string;
  readonly query?: string;
  readonly go: (panel: PanelPage) => Promise<void>;
}

const walks: readonly Walk[] = [
  {
    screen: 'opening, relay away',
    query: '?away',
    go: ({ page }) => page.getByText('Trying again by itself').waitFor(),
  },
  { screen: 'outside its host', query: '?outside', go: ({ page }) => page.getByText('can’t work here').waitFor() },
  { screen: 'halted', query: '?halted', go: ({ page }) => page.getByText('did not start').waitFor() },
  {
    screen: 'pairing code, refused',
    query: '?code',
    async go({ page }) {
      await page.getByLabel('Pairing code').fill('WRONG');
      await page.keyboard.press('Enter');
      await page.getByText('not known').waitFor();
    },
  },
  {
    screen: 'ready, a number typed',
    async go({ page }) {
      await page.getByLabel('Number', { exact: true }).fill('4155550101');
      await page.getByText('Calls (415) 555-0101').waitFor();
    },
  },
  {
    screen: 'ready, a number that can’t be dialled',
    async go({ page }) {
      await page.getByLabel('Number', { exact: true }).fill('41555');
      await page.getByLabel('Number', { exact: true }).fill('1-800-FLOWERS');
      await page.keyboard.press('Enter');
      await page.getByText('Letters can’t be dialled').waitFor();
    },
  },
  {
    screen: 'recent calls',
    async go({ page }) {
      await page.getByRole('tab', { name: /Recent/ }).click();
      await page.getByText('Not logged: ').waitFor();
    },
  },
  {
    screen: 'recent calls that are not logged, to be tried again',
    async go({ page }) {
      await page.getByRole('tab', { name: /Recent/ }).click();
      await page.getByRole('button', { name: 'Not logged (1)' }).click();
      await page.getByRole('button', { name: /^Try again: / }).waitFor();
    },
  },
  {
    screen: 'settings',
    async go({ page }) {
      await page.getByRole('tab', { name: 'Settings' }).click();
      await page.getByLabel('Microphone', { exact: true }).waitFor();
    },
  },
  {
    screen: 'settings, the agent’s own voice',
    query: '?strong-noise',
    async go({ page }) {
      await page.getByRole('tab', { name: 'Settings' }).click();
      await page.getByLabel('Noise suppression').selectOption('Off');
      await page.getByLabel('Echo cancellation').uncheck();
    },
  },
  {
    screen: 'in a call, more: strong noise suppression',
    query: '?strong-noise',
    async go({ page, talk }) {
      await talk();
      await page.getByRole('button', { name: 'More' }).click();
      await page.getByRole('button', { name: 'Turn on strong noise suppression' }).waitFor();
    },
  },
  {
    screen: 'help',
    async go({ page }) {
      await page.getByRole('button', { name: /Help/ }).click();
      await page.getByRole('dialog').getByText('while the phone has the focus').waitFor();
    },
  },
  {
    screen: 'incoming, one match',
    async go({ page, ring }) {
      await ring();
      await page.getByText('Head of Purchasing').waitFor();
    },
  },
  {
    screen: 'incoming, several matches',
    async go({ page, ring }) {
      await ring('+14155550102');
      await page.getByText('Which one is it').waitFor();
    },
  },
  {
    screen: 'incoming, withheld',
    async go({ page, ring }) {
      await ring('anonymous');
      await page.getByRole('heading', { name: 'Withheld number' }).waitFor();
    },
  },
  {
    screen: 'ringing out',
    async go({ page }) {
      await page.getByLabel('Number', { exact: true }).fill('4155550101');
      await page.keyboard.press('Enter');
      await page.getByText('Calling…').waitFor();
    },
  },
  {
    screen: 'in a call, with a note',
    async go({ page, talk }) {
      await talk();
      await page.getByLabel('Note').fill('Wants 40 more pallets by Friday.');
      await page.getByText('Saved').waitFor();
    },
  },
  {
    screen: 'a call that is being taken up again',
    query: '?recovers=wait',
    async go({ page, talk }) {
      await talk();
      await page.getByLabel('Note').fill('Wants 40 more pallets by Friday.');
      await page.getByText('Saved').waitFor();
      await page.reload();
      await page.getByText('Taking the call up again…').waitFor();
    },
  },
  {
    screen: 'a call that was taken up again',
    async go({ page, talk }) {
      await talk();
      await page.reload();
      await page.getByText('The other side heard a gap').waitFor();
    },
  },
  {
    screen: 'a call that could not be taken up again',
    query: '?recovers=refuse',
    async go({ page, talk }) {
      await talk();
      await page.reload();
      await page.getByRole('button', { name: 'Call again' }).waitFor();
    },
  },
  {
    screen: 'on hold and muted',
    async go({ page, talk }) {
      await talk();
      await page.keyboard.press('Alt+h');
      await page.keyboard.press('Alt+m');
      await page.getByText('On hold').waitFor();
    },
  },
  {
    screen: 'keypad of the call',
    async go({ page, talk }) {
      await talk();
      await page.keyboard.press('Alt+k');
      await page.keyboard.type('12#');
      await page.getByText('12#').waitFor();
    },
  },
  {
    screen: 'transfer',
    async go({ page, talk }) {
      await talk();
      await page.getByRole('button', { name: 'Transfer' }).click();
      await page.getByLabel('Transfer to').fill('204');
    },
  },
  {
    screen: 'consultation',
    async go({ page, talk, farAnswers }) {
      await talk();
      await page.getByRole('button', { name: 'Transfer' }).click();
      await page.getByLabel('Transfer to').fill('204');
      await page.keyboard.press('Enter');
      await page.getByText('Asking before the transfer').waitFor();
      await farAnswers();
    },
  },
  {
    screen: 'a second caller',
    async go({ page, talk, ring }) {
      await talk();
      await ring('+4930901820');
      await page.getByText('answering holds the other one').waitFor();
    },
  },
  {
    screen: 'two calls',
    async go({ page, talk, ring }) {
      await talk();
      await ring('+4930901820');
      await page.getByText('answering holds the other one').waitFor();
      await page.keyboard.press('Alt+a');
      await page.getByRole('button', { name: /Swap/ }).waitFor();
    },
  },
  {
    screen: 'wrap-up',
    async go({ page, talk }) {
      await talk();
      await page.keyboard.press('Alt+x');
      await page.getByLabel('Call back').check();
    },
  },
  {
    screen: 'wrap-up, an outcome is needed',
    query: '?required',
    async go({ page, talk }) {
      await talk('+14155550102');
      await page.keyboard.press('Alt+x');
      await page.getByRole('button', { name: 'Save and finish' }).click();
      await page.getByText('Choose an outcome first').waitFor();
    },
  },
  {
    screen: 'in a call, what it is about',
    async go({ page, talk }) {
      await talk();
      await page.evaluate(() =>
        window.lab.host.show({ crm: 'salesforce', object: 'Case', id: '500000000000009AAA', name: '00001044 Invoice' }),
      );
      await page.getByRole('button', { name: 'It is about 00001044 Invoice' }).click();
      await page.getByRole('button', { name: /Change/ }).click();
      await page.getByRole('radio', { name: /Pallets arrived wet/ }).waitFor();
    },
  },
  {
    screen: 'wrap-up, against the clock, nothing to be about',
    query: '?wrap-up=60',
    async go({ page, talk }) {
      await page.evaluate(() => {
        window.lab.relay.related = {};
      });
      await talk();
      await page.keyboard.press('Alt+x');
      await page.getByText('Nothing is open for Ada Lindqvist').waitFor();
      await page.getByRole('button', { name: 'Need more time' }).click();
      await page.getByRole('timer').waitFor();
    },
  },
  {
    screen: 'wrap-up, open cases could not be loaded',
    async go({ page, talk }) {
      await page.evaluate(() => {
        window.lab.relay.failures.set('/v1/records/related', {
          status: 502,
          code: 'crm.unavailable',
          message: 'Salesforce does not answer.',
          retryable: true,
        });
      });
      await talk();
      await page.keyboard.press('Alt+x');
      await page.getByText('could not be loaded').waitFor();
      await page.getByRole('button', { name: 'Try again' }).focus();
    },
  },
  {
    screen: 'self-test, all well',
    async go({ page }) {
      await page.getByRole('tab', { name: 'Settings' }).click();
      await page.getByRole('button', { name: 'Check the set-up' }).click();
      await page.getByText('Everything works.').waitFor();
    },
  },
  {
    screen: 'self-test, where the phone did not start',
    query: '?halted',
    async go({ page }) {
      await page.getByRole('button', { name: 'Check the set-up' }).click();
      await page.getByText(/wrong, \d are unclear/).waitFor();
    },
  },
  {
    screen: 'trouble',
    async go({ page }) {
      await page.evaluate(() => {
        window.lab.setMicrophone('refused');
        window.lab.sip.lose();
        window.lab.relay.goAway();
      });
      await page.getByText('The relay can’t be reached').waitFor();
    },
  },
];

/** Parts that would have to be scrolled sideways (WCAG 2.2, 1.4.10 asks for 320 px). */
async function tooWide({ page }: PanelPage): Promise<readonly string[]> {
  return await page.evaluate(() =>
    [document.documentElement, ...document.querySelectorAll('.main, .tab-panel, .sheet, .call-card')]
      .filter((element) => element.scrollWidth > element.clientWidth + 1)
      .map((element) => element.className || element.tagName),
  );
}

/** Parts that scroll inside of one that scrolls too, and feet that are not in reach. The text of a note scrolls by itself. */
async function scrolledTwice({ page }: PanelPage): Promise<readonly string[]> {
  return await page.evaluate(() => {
    const scrolls = (element: Element): boolean =>
      element.scrollHeight > element.clientHeight + 1 &&
      (element === document.documentElement || /auto|scroll/.test(getComputedStyle(element).overflowY));
    const within = (element: Element | null): boolean =>
      element !== null && (scrolls(element) || within(element.parentElement));
    const nameOf = (element: Element) => element.className || element.tagName;
    const feet = [...document.querySelectorAll('.foot')].filter(
      (foot) => foot.getBoundingClientRect().bottom > innerHeight + 1,
    );
    const inner = [...document.querySelectorAll('body *:not(textarea)')].filter(
      (element) => scrolls(element) && within(element.parentElement),
    );
    return [...feet, ...inner].map(nameOf);
  });
}

let chromium: PanelBrowser;

beforeAll(async () => {
  chromium = await startPanelBrowser();
});
afterAll(() => chromium.close());

/** The same screen as it looks to somebody else: whoever changes the look of the computer sees it at once. */
const looks = [
  { name: 'light', colorScheme: 'light', forcedColors: 'none' },
  { name: 'dark', colorScheme: 'dark', forcedColors: 'none' },
] as const;
/** With colours of the system, what is told by more than text: of text on a background of ours axe reads a colour that is not shown then. */
const forced = { name: 'forced', colorScheme: 'light', forcedColors: 'active' } as const;
const alsoForced = /ready, a number typed|on hold|wrap-up$|several|what it is about|self-test, all/;
const sizes = [
  [400, 560],
  [360, 560],
  [320, 560],
  [320, 480],
] as const;

it.each(walks)('$screen', async ({ screen, query, go }) => {
  const panel = await chromium.open(query, { colorScheme: 'light', reducedMotion: 'reduce' });
  await go(panel);
  for (const { name, ...look } of alsoForced.test(screen) ? [...looks, forced] : looks) {
    await panel.page.emulateMedia(look);
    await panel.page.setViewportSize({ width: 360, height: 560 });
    await keepPicture(panel.page, `${screen.replaceAll(/[^a-z]+/g, '-')}-${name}`);
    expect(await violationsOf(panel.page), name).toEqual([]);
    expect(panel.complaints).toEqual([]);
    for (const [width, height] of sizes) {
      await panel.page.setViewportSize({ width, height });
      expect(await tooWide(panel), `${name}, ${width} x ${height}`).toEqual([]);
      expect(await scrolledTwice(panel), `${name}, ${width} x ${height}`).toEqual([]);
      await keepPicture(panel.page, `${screen.replaceAll(/[^a-z]+/g, '-')}-${name}-${width}-${height}`);
    }
  }
  await panel.close();
});
