/** What is made of the words of a call, in a real browser: phrases of rules while it lasts; in the wrap-up what was missed, a summary, and an outcome to take. */
import type { EventData } from '@patchcord/call-protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { keepPicture, type PanelBrowser, type PanelPage, startPanelBrowser, violationsOf } from './panel-in-browser.ts';

let chromium: PanelBrowser;
beforeAll(async () => {
  chromium = await startPanelBrowser();
}, 60_000);
afterAll(() => chromium.close());

const small = { viewport: { width: 320, height: 560 } };
const dark = { ...small, colorScheme: 'dark' as const };

const leaves: EventData<'phrase.spotted'> = {
  rule: 'leaves',
  label: 'Wants to leave',
  severity: 'critical',
  speaker: 'far-side',
  phrase: 'close * account',
  line: 0,
  startMs: 3_000,
};
const notice: EventData<'phrase.spotted'> = {
  rule: 'notice',
  label: 'Recording notice',
  severity: 'warning',
  speaker: 'agent',
  phrase: 'recorded',
  line: 0,
  startMs: 1_000,
  awaited: true,
};
const thanks: EventData<'phrase.missed'> = {
  rule: 'thanks',
  label: 'Thanks at the end',
  severity: 'warning',
  by: 'agent',
  unheardMs: 4_200,
};
const summary: EventData<'call.summarised'> = {
  summary: 'Ada asked where her pallets are. They arrived wet, and she wants new ones by Friday.',
  actionItems: ['Send three new pallets', 'Call Ada back on Friday'],
  sentiment: 'negative',
  disposition: { value: 'callback', label: 'Call back' },
  model: 'some-model',
  promptVersion: 1,
};

interface Findings {
  'phrase.spotted': EventData<'phrase.spotted'>;
  'phrase.missed': EventData<'phrase.missed'>;
  'call.summarised': EventData<'call.summarised'>;
}

function tell<N extends keyof Findings>({ page }: PanelPage, call: string, name: N, data: Findings[N]): Promise<void> {
  return page.evaluate(
    ([event, id, found]) =>
      window.lab.relay.tell({ name: event, at: Date.now(), call: id, data: found } as Parameters<
        typeof window.lab.relay.tell
      >[0]),
    [name, call, data] as const,
  );
}

async function say({ page }: PanelPage, call: string, speaker: 'agent' | 'far-side', text: string): Promise<void> {
  await page.evaluate(
    ([id, who, words]) => {
      const data = {
        line: 0,
        speaker: who,
        text: words,
        startMs: who === 'agent' ? 1_000 : 3_000,
        endMs: 4_000,
        final: true,
      };
      window.lab.relay.tell({ name: 'transcript.final', at: Date.now(), call: id, data });
    },
    [call, speaker, text] as const,
  );
}

async function talking(look = small) {
  const panel = await chromium.open('?transcript', look);
  const call = await panel.talk();
  const region = panel.page.getByRole('region', { name: 'Transcript' });
  await region.waitFor();
  return { panel, call, region, page: panel.page };
}

const disposed = ({ page }: PanelPage) =>
  page.evaluate(
    () =>
      window.lab.relay.received.flatMap(({ data }) => ('disposition' in data ? [data.disposition] : [])).at(-1) ?? null,
  );

it.each([
  ['light', small],
  ['dark', dark],
])(
  'shows phrases while the call lasts, where they were said and in a list, and says them aloud (%s)',
  async (name, look) => {
    const { panel, call, region, page } = await talking(look);
    await say(panel, call, 'agent', 'This call is recorded.');
    await say(panel, call, 'far-side', 'Please close my account.');
    await tell(panel, call, 'phrase.spotted', notice);
    await tell(panel, call, 'phrase.spotted', leaves);
    await tell(panel, call, 'phrase.spotted', leaves);
    const phrases = region.getByRole('list', { name: 'Phrases' });
    await phrases.getByText('Wants to leave').waitFor();
    expect(await phrases.getByRole('listitem').allTextContents()).toEqual([
      'Wants to leave Ada Lindqvist, 0:03',
      'Recording notice You, 0:01',
    ]);
    expect(await region.getByRole('list', { name: 'What was said' }).getByText('Wants to leave').count()).toBe(1);
    await region.getByRole('status').getByText('Heard: Wants to leave (Ada Lindqvist)').waitFor({ state: 'attached' });
    expect(await violationsOf(page)).toEqual([]);
    await keepPicture(page, `phrases-${name}`);
    expect(panel.complaints).toEqual([]);
    await panel.close();
  },
);

it.each([
  ['light', small],
  ['dark', dark],
])(
  'has summary, what was missed and the transcript in the wrap-up, and chooses nothing by itself (%s)',
  async (name, look) => {
    const { panel, call, page } = await talking(look);
    await say(panel, call, 'far-side', 'Please close my account.');
    await page.keyboard.press('Alt+x');
    const form = page.locator('form.wrap-up');
    await form.getByText('Transcript').waitFor();
    await tell(panel, call, 'phrase.missed', thanks);
    await tell(panel, call, 'call.summarised', summary);
    const made = page.getByRole('region', { name: 'Summary by a machine' });
    await made.getByText('They arrived wet').waitFor();
    await made.getByText('some-model').waitFor();
    expect(await made.getByRole('listitem').allTextContents()).toEqual(summary.actionItems);
    await form.getByText('Not heard: Thanks at the end').waitFor();
    await form.getByText('5 s were not listened to').waitFor();
    const outcomes = page.getByRole('group', { name: 'Outcome' });
    expect(await outcomes.getByRole('radio', { checked: true }).count()).toBe(0);
    expect(await disposed(panel)).toBeNull();
    expect(await violationsOf(page)).toEqual([]);
    await keepPicture(page, `summary-${name}`);
    await form.getByText('Transcript').click();
    await form.getByText('Please close my account.').waitFor();
    expect(await violationsOf(page)).toEqual([]);
    await keepPicture(page, `summary-words-${name}`);
    const isWide = await page.evaluate(
      () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
    );
    expect(isWide).toBe(false);
    expect(panel.complaints).toEqual([]);
    await panel.close();
  },
);

it('takes the suggested outcome at one press, and the agent may still choose another', async () => {
  const { panel, call, page } = await talking();
  await page.keyboard.press('Alt+x');
  await page.getByRole('textbox', { name: 'Note' }).waitFor();
  await tell(panel, call, 'call.summarised', summary);
  await page.getByRole('button', { name: 'Choose Call back' }).press('Enter');
  await page.waitForFunction(() => document.querySelector<HTMLInputElement>('input[value=callback]')?.checked);
  await page.getByRole('button', { name: 'Chosen: Call back' }).waitFor();
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Chosen');
  await page.getByLabel('Reached').check();
  await page.getByRole('button', { name: 'Choose Call back' }).waitFor();
  await page.getByRole('button', { name: 'Save and finish' }).click();
  await page.waitForFunction(() => window.lab.relay.names.includes('wrap-up.submitted'));
  expect(await disposed(panel)).toBe('reached');
  await panel.close();
});

it('offers no outcome that the tenant does not have', async () => {
  const { panel, call, page } = await talking();
  await page.keyboard.press('Alt+x');
  await page.getByRole('textbox', { name: 'Note' }).waitFor();
  await tell(panel, call, 'call.summarised', { ...summary, disposition: { value: 'gone', label: 'No more there' } });
  await page.getByRole('region', { name: 'Summary by a machine' }).waitFor();
  expect(await page.getByText('Suggested outcome').count()).toBe(0);
  await panel.close();
});

it('hears of a summary that was made while the relay could not be reached', async () => {
  const { panel, call, page } = await talking();
  await page.keyboard.press('Alt+x');
  await page.getByRole('textbox', { name: 'Note' }).waitFor();
  await page.evaluate(
    ([id, data]) => {
      const { relay } = window.lab;
      relay.goAway();
      relay.learned = { [id]: [{ name: 'call.summarised', at: Date.now(), call: id, data }] };
      relay.comeBack();
    },
    [call, summary] as const,
  );
  await page.getByRole('region', { name: 'Summary by a machine' }).waitFor();
  await panel.close();
});

it('leaves the wrap-up as it is where nothing was made of the words', async () => {
  const { panel, page } = await talking();
  await page.keyboard.press('Alt+x');
  await page.getByRole('textbox', { name: 'Note' }).waitFor();
  expect(await page.getByText('Transcript').count()).toBe(0);
  expect(await page.getByText('Summary by a machine').count()).toBe(0);
  await panel.close();
});
