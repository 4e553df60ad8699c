/** Whether a call is recorded, beside the call, in a real browser: what is asked, what can be done about it, and what is told to the relay. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { keepPicture, type PanelBrowser, startPanelBrowser, violationsOf } from './panel-in-browser.ts';

let chromium: PanelBrowser;
beforeAll(async () => {
  chromium = await startPanelBrowser();
}, 60_000);
afterAll(() => chromium.close());

const polled = { timeout: 30_000 };

const looks = {
  light: { viewport: { width: 320, height: 560 } },
  dark: { viewport: { width: 320, height: 560 }, colorScheme: 'dark' },
  forced: { viewport: { width: 320, height: 560 }, forcedColors: 'active' },
} as const;

async function recorded(mode: string, look: keyof typeof looks = 'light', more = '') {
  const panel = await chromium.open(`?recording=${mode}${more}`, looks[look]);
  const call = await panel.talk();
  const { page } = panel;
  const bar = page.getByRole('region', { name: 'Recording of this call' });
  return {
    ...{ panel, page, call, bar },
    press: (name: string) => bar.getByRole('button', { name, exact: true }).press('Enter'),
    said: () =>
      page.evaluate(() =>
        window.lab.relay.sound.said.map(({ type }) => type).filter((type) => /^(?:record|pause)/.test(type)),
      ),
    events: () => page.evaluate(() => window.lab.relay.names.filter((name) => /^(?:recording|consent)\./.test(name))),
  };
}

it.each(['light', 'dark', 'forced'] as const)(
  'asks before anything leaves, and records once the far side agreed (%s)',
  async (look) => {
    const { panel, page, bar, press, said, events } = await recorded('ask', look);
    await bar.getByText('Ask the far side whether it may be recorded').waitFor();
    expect(await page.evaluate(() => window.lab.relay.sound.said.length)).toBe(0);
    expect(await violationsOf(page)).toEqual([]);
    await keepPicture(page, `recording-asks-${look}`);
    await press('Agreed');
    await bar.getByText('Recording', { exact: true }).waitFor();
    await expect.poll(said, polled).toEqual(['record']);
    await page.waitForFunction(() => window.lab.relay.sound.frames.length > 2);
    expect(await violationsOf(page)).toEqual([]);
    await keepPicture(page, `recording-on-${look}`);
    await expect.poll(events, polled).toEqual(['consent.given', 'recording.started']);
    expect(panel.complaints).toEqual([]);
    await panel.close();
  },
);

it('says that the far side refused, and lets it change its mind', async () => {
  const { panel, page, bar, press, events } = await recorded('ask');
  await press('Refused');
  await bar.getByText('Not recorded: refused').waitFor();
  expect(await violationsOf(page)).toEqual([]);
  await keepPicture(page, 'recording-refused');
  await press('Agreed after all');
  await bar.getByText('Recording', { exact: true }).waitFor();
  await expect.poll(events, polled).toEqual(['consent.refused', 'consent.given', 'recording.started']);
  await panel.close();
});

it.each(['light', 'dark', 'forced'] as const)('pauses by keyboard, shows how long, and goes on (%s)', async (look) => {
  const { panel, page, bar, press, said } = await recorded('always', look);
  await expect.poll(said, polled).toEqual(['record']);
  expect(await bar.getByRole('button', { name: 'Stop' }).count()).toBe(0);
  await page.waitForFunction(() => window.lab.relay.sound.frames.length > 2);
  await press('Pause');
  await bar.getByText(/^, goes on in (?:2:00|1:5\d)$/).waitFor();
  await expect.poll(said, polled).toEqual(['record', 'pause']);
  // The same button: the focus stays on it.
  expect(await bar.getByRole('button', { name: 'Go on' }).evaluate((it) => it === document.activeElement)).toBe(true);
  expect(await violationsOf(page)).toEqual([]);
  await keepPicture(page, `recording-paused-${look}`);
  const had = await page.evaluate(() => window.lab.relay.sound.frames.length);
  await press('Go on');
  await bar.getByText('Recording', { exact: true }).waitFor();
  await page.waitForFunction((before) => window.lab.relay.sound.frames.length > before, had);
  await panel.close();
});

it('records when asked, stops when asked, and keeps sending nothing in between', async () => {
  const { panel, page, bar, press, said } = await recorded('on-demand');
  await bar.getByText('Not recorded', { exact: true }).waitFor();
  expect(await violationsOf(page)).toEqual([]);
  await keepPicture(page, 'recording-off');
  await press('Record');
  await bar.getByText('Recording', { exact: true }).waitFor();
  await page.waitForFunction(() => window.lab.relay.sound.frames.length > 2);
  await press('Stop');
  await bar.getByText('Not recorded', { exact: true }).waitFor();
  await expect.poll(said, polled).toEqual(['record', 'record-end']);
  const had = await page.evaluate(() => window.lab.relay.sound.frames.length);
  await page.waitForTimeout(500);
  expect(await page.evaluate(() => window.lab.relay.sound.frames.length)).toBe(had);
  await panel.close();
});

it('says when what is said is not kept, and why', async () => {
  const { panel, page, bar, said } = await recorded('always');
  await expect.poll(said, polled).toEqual(['record']);
  await page.evaluate(() => window.lab.relay.sound.recorder('away', 'The disk of the relay is full.'));
  await bar.getByText('Recording, but not stored yet. The disk of the relay is full.').waitFor();
  expect(await violationsOf(page)).toEqual([]);
  await keepPicture(page, 'recording-away');
  await page.evaluate(() => window.lab.relay.sound.recorder('refused', 'Calls of this agent may not be recorded.'));
  await bar.getByText('Not recorded. Calls of this agent may not be recorded.').waitFor();
  await page.evaluate(() => window.lab.relay.sound.recorder('there'));
  await bar.getByText('Recording', { exact: true }).waitFor();
  await panel.close();
});

it('stands beside the transcript with one pause for both, and stays where a sheet is open', async () => {
  const { panel, page, bar, press } = await recorded('always', 'light', '&transcript');
  await page.getByRole('region', { name: 'Transcript' }).waitFor();
  expect(await page.getByRole('button', { name: 'Pause', exact: true }).count()).toBe(1);
  await press('Pause');
  await page.getByText('no sound leaves for the transcript').waitFor();
  await keepPicture(page, 'recording-with-transcript');
  await page.keyboard.press('Alt+k');
  await bar.getByRole('button', { name: 'Go on' }).waitFor();
  expect(await violationsOf(page)).toEqual([]);
  await panel.close();
});

it('is shown in a mirror, which can pause it too', async () => {
  const { panel, bar } = await recorded('always');
  const mirror = await panel.page.context().newPage();
  await mirror.goto(`${chromium.url}?recording=always`);
  const there = mirror.getByRole('region', { name: 'Recording of this call' });
  await there.getByRole('button', { name: 'Pause', exact: true }).press('Enter');
  await bar.getByText(/goes on in/).waitFor();
  await there.getByRole('button', { name: 'Go on' }).press('Enter');
  await bar.getByText('Recording', { exact: true }).waitFor();
  await panel.close();
});

it('is not there where the profile records nothing', async () => {
  const { panel, bar } = await recorded('never');
  expect(await bar.count()).toBe(0);
  await panel.close();
});
