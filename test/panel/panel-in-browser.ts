/**
 * The panel on fakes in a real Chromium: opens pages of given size and look, steps on the pedals, collects what the browser complains about.
 * Owns the browser it starts.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { headlessShell } from '../browser/chromium.ts';
import { type FakesPage, serveFakesPage } from './fakes-page.ts';
import type {} from './panel-on-fakes.tsx';

export interface PanelPage {
  readonly page: Page;
  /** Errors and policy violations the browser reported. */
  readonly complaints: readonly string[];
  /** Rings; the call's id. */
  ring(number?: string): Promise<string>;
  /** Rings and answers by keyboard. */
  talk(number?: string): Promise<string>;
  /** The far side of the newest outbound call answers. */
  farAnswers(): Promise<void>;
  close(): Promise<void>;
}

export interface PanelBrowser {
  open(query?: string, look?: BrowserContextOptions): Promise<PanelPage>;
  readonly url: string;
  readonly browser: Browser;
  close(): Promise<void>;
}

const agentFrame = { width: 360, height: 560 };

/** @param executablePath the whole browser where its own fake microphone is needed */
export async function startPanelBrowser(executablePath = headlessShell): Promise<PanelBrowser> {
  const served: FakesPage = await serveFakesPage();
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--use-fake-device-for-media-stream'],
  });

  async function open(query = '', look: BrowserContextOptions = {}): Promise<PanelPage> {
    const context = await browser.newContext({ viewport: agentFrame, ...look });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    await page.goto(`${served.url}${query}`);
    if (!/^#|[?&](code|outside|halted|away|remote|elsewhere)/.test(query)) await page.getByRole('switch').waitFor();

    async function ring(number = '+14155550101'): Promise<string> {
      return await page.evaluate((from) => window.lab.invite({ number: from }), number);
    }
    return {
      page,
      complaints,
      ring,
      async talk(number) {
        const call = await ring(number);
        await page.getByRole('button', { name: 'Answer' }).waitFor();
        await page.keyboard.press('Alt+a');
        await page.getByRole('button', { name: 'Mute', exact: true }).waitFor();
        return call;
      },
      async farAnswers() {
        await page.waitForFunction(() => window.lab.sip.live.length > 0);
        await page.evaluate(() => {
          const newest = window.lab.sip.live.at(-1);
          if (newest !== undefined) window.lab.sip.answered(newest);
        });
      },
      close: () => context.close(),
    };
  }

  return {
    open,
    url: served.url,
    browser,
    async close() {
      await browser.close();
      await served.close();
    },
  };
}

/** What axe finds wrong, one line each; empty is good. */
export async function violationsOf(page: Page): Promise<readonly string[]> {
  const { violations } = await new AxeBuilder({ page })
    // Of one frame it finds the same, and opens no page of its own for each look.
    .setLegacyMode(true)
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze();
  return violations.map(({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ target }) => target).join(' | ')})`);
}

/** Keeps a picture when `PATCHCORD_SCREENSHOTS` names a folder. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env.PATCHCORD_SCREENSHOTS;
  if (folder === undefined || folder === '') return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
