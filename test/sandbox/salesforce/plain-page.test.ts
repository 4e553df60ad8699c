import type { Browser, Frame } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PlainPageSandbox, startPlainPageSandbox } from '../../../sandbox/src/page/index.ts';
import { launchChromium, type OpenPage, openPage, servePanel } from './browser-page.ts';

/** A panel that keeps what it hears and answers the third hello. */
const panelHtml = `<!doctype html><body>Panel of the test<script>
  heard = [];
  say = (message) => parent.postMessage({ patchcord: 1, ...message }, origin);
  addEventListener('message', (event) => {
    if (event.source !== parent || event.data?.patchcord !== 1) return;
    origin = event.origin;
    heard.push(event.data);
    if (event.data.type === 'hello' && heard.length === 3) say({ type: 'ready' });
  });
</script>`;
declare const heard: Record<string, unknown>[];
declare const say: (message: unknown) => void;

let browser: Browser;
let panel: { origin: string; close(): Promise<void> };
let sandbox: PlainPageSandbox;
let open: OpenPage;
let frame: Frame;

beforeAll(async () => {
  browser = await launchChromium();
  panel = await servePanel(panelHtml);
  sandbox = await startPlainPageSandbox({ panelUrl: `${panel.origin}/page/` });
  open = await openPage(browser, sandbox.url);
  frame = await open.panel('heard.some((one) => one.type === "record-shown")');
});
afterAll(async () => {
  await browser.close();
  await sandbox.close();
  await panel.close();
});

const last = (type: string) => frame.evaluate((wanted) => heard.filter((one) => one.type === wanted).at(-1), type);

describe('the plain page', () => {
  it('says hello until the panel is ready, then which record is shown', async () => {
    const hellos = await frame.evaluate(() => heard.filter((one) => one.type === 'hello'));
    expect(hellos).toHaveLength(3);
    expect(hellos[0]).toMatchObject({ hostOrigin: new URL(sandbox.url).origin });
    expect(await last('record-shown')).toEqual({
      patchcord: 1,
      type: 'record-shown',
      record: { id: 'elena', object: 'contact', name: 'Elena Marchetti' },
    });
  });

  it('passes a clicked number on with its country and record', async () => {
    await open.page.click('button.dial[data-number="020 7946 0958"]');
    await frame.waitForFunction(() => heard.some((one) => one.type === 'dial'));
    expect(await last('dial')).toEqual({
      patchcord: 1,
      type: 'dial',
      number: '020 7946 0958',
      country: 'GB',
      record: { id: 'oliver', object: 'contact', name: 'Oliver Whitcombe' },
    });
  });

  it('opens the record the panel names and shows its state', async () => {
    await frame.evaluate(() => say({ type: 'open-record', record: { id: 'mina', object: 'contact' } }));
    await open.page.waitForSelector('[data-shown="mina"]');
    await frame.evaluate(() => say({ type: 'state', state: 'in-call', label: 'On a call with Mina' }));
    await open.page.waitForSelector('.state.in-call:has-text("On a call with Mina")');
  });

  it('hears nobody but the panel', async () => {
    await open.page.evaluate(() =>
      postMessage({ patchcord: 1, type: 'open-record', record: { id: 'theo', object: 'contact' } }, '*'),
    );
    await frame.evaluate(() => say({ type: 'height', height: 700 }));
    await expect.poll(async () => (await open.page.locator('iframe').boundingBox())?.height).toBe(700);
    expect(await open.page.locator('[data-shown="mina"]').count()).toBe(1);
  });
});
