/** The recording of a call in a real browser: seen, heard side by side, sought in, read along, and what is said where there is none. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { keepPicture, type PanelBrowser, type PanelPage, startPanelBrowser, violationsOf } from './panel-in-browser.ts';
import { recordedMs, recordedPeaks, tones } from './recorded-sound.ts';

let chromium: PanelBrowser;
beforeAll(async () => {
  chromium = await startPanelBrowser();
}, 120_000);
afterAll(() => chromium.close());

/** A busy machine is no failure. */
const patient = { timeout: 60_000 };
const small = { viewport: { width: 360, height: 640 } };
const spoken = [
  { speaker: 'far-side' as const, text: 'Hello, this is Ada Lindqvist.', startMs: 200, endMs: 1_900 },
  { speaker: 'agent' as const, text: 'Good morning! What can I do?', startMs: 2_000, endMs: 2_900 },
  { speaker: 'agent' as const, text: 'I have found it: the pallets leave today.', startMs: 8_200, endMs: 11_800 },
];

/** The relay of the page has a recording of its first call; the link to it, and what there is to hear. */
async function recorded({ page }: PanelPage, url = '/recording-fresh.wav'): Promise<string> {
  return page.evaluate(
    ([path, durationMs, peaks, lines]) => {
      const { relay } = window.lab;
      const [first, ...rest] = relay.calls;
      if (first === undefined) throw new Error('no calls in the lab');
      relay.calls = [{ ...first, recording: 'ready' }, ...rest];
      relay.spoken = { lines };
      relay.listening = {
        state: 'ready',
        url: new URL(path, location.href).href,
        ...{ durationMs, peaks, channels: 2, speakers: ['far-side', 'agent'] },
        expiresAt: Date.now() + 600_000,
        pauses: [{ startMs: 4_000, endMs: 6_000 }],
        call: { agent: 'Sam Taylor', farSide: 'Ada Lindqvist', startedAt: Date.now() - 240_000 },
      };
      return first.callId;
    },
    [url, recordedMs, recordedPeaks(), spoken] as const,
  );
}
async function opened(panel: PanelPage): Promise<void> {
  await panel.page.getByRole('tab', { name: /Recent/ }).click();
  await panel.page.getByRole('button', { name: /^Listen to the recording/ }).press('Enter');
}
const at = (page: Page): Promise<number> => page.evaluate(() => document.querySelector('audio')?.currentTime ?? -1);
/** Lets the test hear what comes out of the page: how loud each tone is. */
async function listenIn(page: Page): Promise<() => Promise<readonly boolean[]>> {
  await page.evaluate(() => {
    const connect = AudioNode.prototype.connect as (this: AudioNode, to: AudioNode, ...rest: number[]) => AudioNode;
    let ear: AnalyserNode | null = null;
    Object.assign(AudioNode.prototype, {
      connect(this: AudioNode, to: AudioNode, ...rest: number[]) {
        if (to instanceof AudioDestinationNode) {
          ear ??= new AnalyserNode(this.context, { fftSize: 4_096, smoothingTimeConstant: 0 });
          connect.call(this, ear);
          Object.assign(window, { ear });
        }
        return connect.call(this, to, ...rest);
      },
    });
  });
  return () =>
    page.evaluate((frequencies) => {
      const { ear } = window as unknown as { readonly ear: AnalyserNode };
      const bins = new Float32Array(ear.frequencyBinCount);
      ear.getFloatFrequencyData(bins);
      return frequencies.map((hertz) => {
        const bin = Math.round((hertz * ear.fftSize) / ear.context.sampleRate);
        return Math.max(...bins.slice(bin - 1, bin + 2)) > -50;
      });
    }, tones);
}
/** Drawn points in a part of the picture, as shares of its width and height. */
function inkIn(page: Page, from: number, to: number, top: number, bottom: number): Promise<number> {
  return page.evaluate(
    ([left, right, above, below]) => {
      const canvas = document.querySelector('canvas');
      const pen = canvas?.getContext('2d');
      if (canvas == null || pen == null) return 0;
      const [x, y] = [Math.round(canvas.width * left), Math.round(canvas.height * above)];
      const { data } = pen.getImageData(
        x,
        y,
        Math.round(canvas.width * right) - x,
        Math.round(canvas.height * below) - y,
      );
      let ink = 0;
      for (let n = 3; n < data.length; n += 4) ink += (data[n] ?? 0) > 60 ? 1 : 0;
      return ink / (data.length / 4);
    },
    [from, to, top, bottom] as const,
  );
}

it('shows both sides, plays when asked, and goes where keyboard, picture and words say', async () => {
  const panel = await chromium.open('', small);
  const { page } = panel;
  await recorded(panel);
  await opened(panel);
  const position = page.getByRole('slider', { name: 'Position' });
  await position.waitFor();
  // The agent above: silent in the middle, alone at the end.
  await expect.poll(() => inkIn(page, 0.02, 0.22, 0.05, 0.45), patient).toBeGreaterThan(0.2);
  expect(await inkIn(page, 0.7, 0.98, 0.05, 0.45)).toBeGreaterThan(0.2);
  expect(await inkIn(page, 0.7, 0.98, 0.55, 0.95)).toBeLessThan(0.1);
  expect(await inkIn(page, 0.53, 0.64, 0.05, 0.45)).toBeLessThan(0.1);
  await page.getByText('Not recorded: 0:04 – 0:06').waitFor();
  expect(await at(page)).toBe(0);
  await keepPicture(page, 'player');
  expect(await violationsOf(page)).toEqual([]);
  await page.emulateMedia({ colorScheme: 'dark' });
  await keepPicture(page, 'player-dark');
  expect(await violationsOf(page)).toEqual([]);

  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await expect.poll(() => at(page), patient).toBeGreaterThan(0.1);
  await position.focus();
  await page.keyboard.press(' ');
  await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  await expect.poll(() => at(page), patient).toBe(5);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowLeft');
  await expect.poll(() => at(page), patient).toBe(5);
  expect(await position.getAttribute('aria-valuetext')).toBe('0:05 of 0:12');
  const box = await position.boundingBox();
  await page.mouse.click((box?.x ?? 0) + (box?.width ?? 0) * 0.75, (box?.y ?? 0) + 20);
  await expect.poll(() => at(page), patient).toBeCloseTo(9, 0);
  const line = page.getByRole('button', { name: /I have found it/ });
  await expect.poll(() => line.getAttribute('aria-current'), patient).toBe('true');
  await page.getByRole('button', { name: /Good morning/ }).press('Enter');
  await expect.poll(() => at(page), patient).toBe(2);
  await expect.poll(() => line.getAttribute('aria-current'), patient).toBeNull();
  await page.getByRole('button', { name: '1.5 times as fast' }).press('Enter');
  expect(await page.evaluate(() => document.querySelector('audio')?.playbackRate)).toBe(1.5);
  await page.getByRole('button', { name: 'Close the recording' }).press('Enter');
  await page.getByRole('button', { name: /^Listen to the recording/ }).waitFor();
  expect(await page.locator('audio').count()).toBe(0);
  expect(panel.complaints).toEqual([]);
  await panel.close();
});

it('lets each side be heard alone', async () => {
  const panel = await chromium.open('', small);
  const { page } = panel;
  await recorded(panel, '/recording-tones.wav');
  await opened(panel);
  const heard = await listenIn(page);
  await page.getByRole('slider').waitFor();
  await page.evaluate(() => {
    const audio = document.querySelector('audio');
    if (audio !== null) audio.loop = true;
  });
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  const soon = (both: readonly boolean[]): Promise<void> => expect.poll(heard, patient).toEqual(both);
  await soon([true, true]);
  await page.getByRole('button', { name: 'Mute: Far side' }).press('Enter');
  await soon([false, true]);
  await page.getByRole('button', { name: 'Hear only: Far side' }).press('Enter');
  await soon([true, false]);
  await keepPicture(page, 'player-only');
  expect(await violationsOf(page)).toEqual([]);
  await page.getByRole('button', { name: 'Hear only: Far side' }).press('Enter');
  await soon([true, true]);
  expect(panel.complaints).toEqual([]);
  await panel.close();
});

it('skips silence, and only when asked', async () => {
  const panel = await chromium.open('', small);
  const { page } = panel;
  await recorded(panel);
  await opened(panel);
  await page.getByRole('checkbox', { name: 'Skip silence' }).check();
  await page.evaluate(() => {
    const audio = document.querySelector('audio');
    if (audio === null) return;
    audio.currentTime = 2.6;
    Object.assign(window, { positions: [] as number[] });
    const { positions } = window as unknown as { readonly positions: number[] };
    setInterval(() => positions.push(audio.currentTime), 20);
  });
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await expect.poll(() => at(page), patient).toBeGreaterThan(8.2);
  const positions = await page.evaluate(() => (window as unknown as { readonly positions: number[] }).positions);
  expect(positions.some((second) => second < 3.3)).toBe(true);
  expect(positions.filter((second) => second > 6 && second < 7.6)).toEqual([]);
  await panel.close();
});

it('gets another link where the old one has ended', async () => {
  const panel = await chromium.open('', small);
  const { page } = panel;
  await recorded(panel, '/recording-ended.wav');
  await opened(panel);
  await page.getByRole('slider').waitFor();
  await recorded(panel);
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await expect.poll(() => at(page), patient).toBeGreaterThan(0.1);
  await panel.close();
});

it('says why there is nothing to hear, and tries again where that may help', async () => {
  const panel = await chromium.open('', small);
  const { page } = panel;
  const call = await recorded(panel);
  const fail = (status: number, code: string, message: string): Promise<void> =>
    page.evaluate(
      ([id, failure]) => {
        window.lab.relay.failures.set(`/v1/calls/${id}/recording`, failure);
      },
      [call, { status, code, message }] as const,
    );
  await fail(410, 'recording.deleted', 'This recording was deleted on request.');
  await opened(panel);
  await page.getByRole('alert').filter({ hasText: 'deleted on request' }).waitFor();
  expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0);
  await page.getByRole('button', { name: 'Close the recording' }).click();
  await fail(404, 'call.unknown', 'There is no recording of such a call that you may hear.');
  await page.getByRole('button', { name: /^Listen to the recording/ }).click();
  await page.getByRole('alert').filter({ hasText: 'that you may hear' }).waitFor();
  await page.getByRole('button', { name: 'Close the recording' }).click();
  await fail(503, 'store.unavailable', 'The file of this recording is not in the folder for recordings.');
  await page.getByRole('button', { name: /^Listen to the recording/ }).click();
  await page.getByRole('alert').filter({ hasText: 'not in the folder' }).waitFor();
  await keepPicture(page, 'player-broken');
  expect(await violationsOf(page)).toEqual([]);
  await page.evaluate(() => {
    window.lab.relay.failures.clear();
    window.lab.relay.listening = { state: 'making' };
  });
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('is being put together').waitFor();
  await recorded(panel);
  await page.getByRole('slider').waitFor(patient);
  await panel.close();
});

it('opens by the address that a link in the CRM has', async () => {
  const panel = await chromium.open('', small);
  const { page } = panel;
  const call = await recorded(panel);
  await page.evaluate((id) => {
    location.hash = `#recording=${id}`;
  }, call);
  await page.getByRole('slider', { name: 'Position' }).waitFor();
  // Loaded anew this page is a phone again, whatever it showed.
  expect(new URL(page.url()).hash).toBe('');
  await page.getByRole('button', { name: 'Close the recording' }).click();
  await page.getByRole('list', { name: /calls/i }).waitFor();
  await panel.close();
});

it.each(['light', 'dark'] as const)('only plays, and is no phone, in a page of its own (%s)', async (colorScheme) => {
  const look = { viewport: { width: 320, height: 560 }, colorScheme };
  const panel = await chromium.open(`#recording=${crypto.randomUUID()}`, look);
  const { page } = panel;
  await page.getByRole('alert').filter({ hasText: 'that you may hear' }).waitFor();
  const call = await recorded(panel);
  await page.evaluate((id) => {
    location.hash = `#recording=${id}`;
  }, call);
  await page.getByRole('slider', { name: 'Position' }).waitFor();
  expect(await page.getByRole('button', { name: 'Close the recording' }).count()).toBe(0);
  expect(await page.getByRole('switch').count()).toBe(0);
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await expect.poll(() => at(page), patient).toBeGreaterThan(0.1);
  // Neither line nor lease, nor a journal that another frame is writing.
  const { asked, ...rest } = await page.evaluate(async () => ({
    asked: [...new Set(window.lab.relay.requests)],
    sockets: window.lab.relay.joined,
    locks: (await navigator.locks.query()).held?.length,
    databases: (await indexedDB.databases()).map(({ name }) => name),
  }));
  expect(rest).toEqual({ sockets: 0, locks: 0, databases: [] });
  expect(asked.filter((one) => !/\/(?:recording|transcript)$/.test(one))).toEqual([
    'POST /v1/sessions/resume',
    'POST /v1/sessions',
  ]);
  expect(await violationsOf(page)).toEqual([]);
  await keepPicture(page, `player-page-${colorScheme}`);
  expect(panel.complaints).toEqual([]);
  await page.evaluate(() => {
    location.hash = '#recording=it';
    location.reload();
  });
  await page.getByRole('alert').filter({ hasText: 'names no recording' }).waitFor();
  await panel.close();
});
