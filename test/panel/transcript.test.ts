/** The transcript beside a call, in a real browser: lines as they come, what is missing, the pause, and that it stays where the agent reads. */
import type { TranscriptLine } from '@patchcord/call-protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { keepPicture, type PanelBrowser, type PanelPage, startPanelBrowser, violationsOf } from './panel-in-browser.ts';

let chromium: PanelBrowser;
beforeAll(async () => {
  chromium = await startPanelBrowser();
}, 60_000);
afterAll(() => chromium.close());

const small = { viewport: { width: 320, height: 560 } };

function say({ page }: PanelPage, call: string, part: Partial<TranscriptLine>): Promise<void> {
  return page.evaluate(
    ([id, more]) => {
      const line = { line: 0, speaker: 'far-side' as const, text: '', startMs: 0, endMs: 900, final: true, ...more };
      const name = line.final ? 'transcript.final' : 'transcript.partial';
      window.lab.relay.tell({ name, at: Date.now(), call: id, data: line });
    },
    [call, part] as const,
  );
}

async function transcribed(query = '?transcript', look: Parameters<PanelBrowser['open']>[1] = small) {
  const panel = await chromium.open(query, look);
  const call = await panel.talk();
  const region = panel.page.getByRole('region', { name: 'Transcript' });
  return { ...panel, panel, call, region, lines: region.getByRole('listitem') };
}

it('shows both sides as they speak: words that may change, words that stay, and what was not heard', async () => {
  const { panel, page, call, region, lines, complaints } = await transcribed();
  await region.getByText('Nothing said yet').waitFor();
  expect(await violationsOf(page)).toEqual([]);
  await say(panel, call, { text: 'Helo', final: false });
  await region.getByText('Helo').waitFor();
  await say(panel, call, { text: 'Hello, this is Ada.' });
  await region.getByText('Hello, this is Ada.').waitFor();
  await say(panel, call, { speaker: 'agent', text: 'Good morning!', startMs: 2_000 });
  await say(panel, call, { line: 1, startMs: 9_000, endMs: 14_000, gap: 'lost' });
  await region.getByText('Not heard for 0:05').waitFor();
  expect(await lines.allTextContents()).toEqual([
    'Ada Lindqvist0:00Hello, this is Ada.',
    'You0:02Good morning!',
    'Not heard for 0:05',
  ]);
  await keepPicture(page, 'transcript');
  expect(await violationsOf(page)).toEqual([]);
  expect(complaints).toEqual([]);
  await panel.close();
});

it('stays where the agent reads, and goes to the newest when asked', async () => {
  const { panel, page, call, region } = await transcribed();
  const fill = async (from: number, to: number) => {
    for (let line = from; line < to; line += 1)
      await say(panel, call, { line, text: `Line number ${line}`, startMs: line * 1_000 });
    await region.getByText(`Line number ${to - 1}`).waitFor({ state: 'attached' });
  };
  const list = region.getByRole('list', { name: 'What was said' });
  const top = () => list.evaluate(({ scrollTop }) => scrollTop);
  const isAtEnd = () => list.evaluate((it) => it.scrollHeight - it.scrollTop - it.clientHeight < 2);
  await fill(0, 12);
  await expect.poll(isAtEnd).toBe(true);
  await list.focus();
  await page.keyboard.press('Home');
  await expect.poll(top).toBe(0);
  await fill(12, 16);
  expect(await top()).toBe(0);
  await region.getByRole('button', { name: 'Newest' }).press('Enter');
  await expect.poll(isAtEnd).toBe(true);
  await region.getByRole('button', { name: 'Newest' }).waitFor({ state: 'detached' });
  await fill(16, 18);
  await expect.poll(isAtEnd).toBe(true);
  await panel.close();
});

it('is read aloud together, not word by word', async () => {
  const { panel, page, call } = await transcribed();
  for (let line = 0; line < 4; line += 1) await say(panel, call, { line, text: `Word ${line}.`, startMs: line * 500 });
  await say(panel, call, { speaker: 'agent', text: 'I say.', startMs: 4_000 });
  await say(panel, call, { line: 5, text: 'Not yet sure', startMs: 5_000, final: false });
  const aloud = page.locator('.transcript-view [aria-live=polite]').last();
  await expect
    .poll(() => aloud.textContent(), { timeout: 10_000 })
    .toBe('Ada Lindqvist: Word 0. Word 1. Word 2. Word 3.');
  await panel.close();
});

it('is paused by keyboard, says so, lets nothing out, and goes on', async () => {
  const { panel, page, region } = await transcribed();
  const said = (type: string) =>
    page.waitForFunction((wanted) => window.lab.relay.sound.said.some((message) => message.type === wanted), type);
  await said('call');
  await page.waitForFunction(() => window.lab.relay.sound.frames.length > 2);
  await region.getByRole('button', { name: 'Pause' }).press('Enter');
  await region.getByText('no sound leaves').waitFor();
  await said('pause');
  const had = await page.evaluate(() => window.lab.relay.sound.frames.length);
  await page.waitForTimeout(500);
  expect(await page.evaluate(() => window.lab.relay.sound.frames.length)).toBe(had);
  expect(await violationsOf(page)).toEqual([]);
  await keepPicture(page, 'transcript-paused');
  await region.getByRole('button', { name: 'Go on' }).press('Enter');
  await region.getByText('no sound leaves').waitFor({ state: 'detached' });
  await page.waitForFunction((before) => window.lab.relay.sound.frames.length > before, had);
  await panel.close();
});

it('says when no words can come, and why', async () => {
  const { panel, page, region } = await transcribed();
  await page.waitForFunction(() => window.lab.relay.sound.said.some(({ type }) => type === 'call'));
  await page.evaluate(() => window.lab.relay.sound.service('away', 'The speech service does not answer.'));
  await region.getByText('No words come just now. The speech service does not answer.').waitFor();
  expect(await violationsOf(page)).toEqual([]);
  await keepPicture(page, 'transcript-away');
  await page.evaluate(() => window.lab.relay.sound.service('there'));
  await region.getByText('No words come').waitFor({ state: 'detached' });
  await page.evaluate(() => window.lab.relay.sound.close(4404));
  await region.getByText('not transcribed here any more').waitFor();
  expect(await region.getByText('Nothing said yet').count()).toBe(0);
  expect(await region.getByRole('button').count()).toBe(0);
  expect(await violationsOf(page)).toEqual([]);
  await keepPicture(page, 'transcript-over');
  await panel.close();
});

it.each([
  ['light', small],
  ['dark', { ...small, colorScheme: 'dark' as const }],
])('promises no words where the service refuses, and offers no pause (%s)', async (name, look) => {
  const { panel, page, region } = await transcribed('?transcript', look);
  await page.waitForFunction(() => window.lab.relay.sound.said.some(({ type }) => type === 'call'));
  await page.evaluate(() => window.lab.relay.sound.service('refused', 'The key of the service is not taken.'));
  await region.getByText('This call is not transcribed. The key of the service is not taken.').waitFor();
  expect(await region.getByText('Nothing said yet').count()).toBe(0);
  expect(await region.getByRole('button').count()).toBe(0);
  expect(await violationsOf(page)).toEqual([]);
  await keepPicture(page, `transcript-refused-${name}`);
  await panel.close();
});

it.each([
  ['dark', { ...small, colorScheme: 'dark' as const }],
  ['forced-colours', { ...small, forcedColors: 'active' as const }],
])('looks right in %s, and from right to left', async (name, look) => {
  const { panel, page, call, region } = await transcribed('?transcript', look);
  await say(panel, call, { text: 'שלום, מדברת עדה.' });
  await say(panel, call, { speaker: 'agent', text: 'Averyverylongwordwithoutanyspaces'.repeat(4), startMs: 1_000 });
  await region.getByText('שלום').waitFor();
  await page.evaluate(() => {
    document.documentElement.dir = 'rtl';
  });
  const isWide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  expect(isWide).toBe(false);
  expect(await violationsOf(page)).toEqual([]);
  await keepPicture(page, `transcript-${name}`);
  await panel.close();
});

it('is not there, and nothing is loaded for it, where the profile does not want it', async () => {
  const { panel, page, region } = await transcribed('', small);
  await page.getByRole('textbox', { name: 'Note' }).waitFor();
  expect(await region.count()).toBe(0);
  expect(await page.evaluate(() => window.lab.relay.sound.said.length)).toBe(0);
  await panel.close();
});
