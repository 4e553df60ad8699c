/**
 * The agent at the real panel in a CRM page: what they see, what they click, and what happens to their page. Owns the selectors and the breaking of
 * pages; must judge nothing.
 */
import type { Frame, Page } from 'playwright-core';
import type { Stage } from '../../scripts/stage.ts';
import { listen, type TestBrowser } from '../browser/chromium.ts';
import { type CrmPage, salesforcePage } from '../e2e/crm-pages.ts';
import { until } from '../e2e/telephony.ts';
import { killAll, renderersOf } from './renderers.ts';

/** What the panel shows now. */
export interface Sight {
  /** Names of the buttons that can be pressed. */
  readonly buttons: readonly string[];
  readonly text: string;
}

/** Longest wait for a phone that is usable again after whatever happened to it, ms. */
export const restMs = 20_000;
const actMs = 15_000;
const useHere = 'Use the phone here';

/** A browser whose renderers can be found by its mark, see `renderers.ts`; all of them are this agent's. */
export interface Device {
  readonly browser: TestBrowser;
  readonly mark: string;
}

export class Agent {
  readonly crm: CrmPage;
  /** Starts another browser: another storage, as on another computer. */
  readonly #startDevice: () => Promise<Device>;
  /** The one in use first. */
  #devices: readonly Device[] = [];
  #page: Page | null = null;
  #panel: Frame | null = null;

  constructor(stage: Stage, startDevice: () => Promise<Device>) {
    this.#startDevice = startDevice;
    this.crm = salesforcePage(stage);
  }

  /** Opens the page and waits until the phone can be used. */
  async open(): Promise<void> {
    this.#devices = [await this.#startDevice()];
    const page = await this.#newPage();
    this.#page = page;
    this.#panel = await this.crm.open(page);
  }

  async close(): Promise<void> {
    if (this.#page !== null) await closed(this.#page);
    this.#page = null;
    this.#panel = null;
  }

  /** What the panel shows; nothing while there is none. */
  async sees(): Promise<Sight> {
    const nothing: Sight = { buttons: [], text: '' };
    if (this.#panel === null) return nothing;
    return (await Promise.race([this.#panel.evaluate(look).catch(() => nothing), later(2_000)])) ?? nothing;
  }

  /** Waits until nothing is on its way any more: the line is up, and no call is coming up, ending, changing its hold or being taken up. */
  async rests(withinMs = restMs): Promise<Sight> {
    let last: Sight = { buttons: [], text: '' };
    try {
      return await until(
        'a phone at rest',
        async () => {
          const before = last;
          last = await this.sees();
          const usable =
            last.text.includes('PatchcordAvailable') &&
            last.buttons.some((it) => atHome.test(it)) &&
            !unrest.test(last.text);
          // Seen twice: what was just clicked has not shown anything yet.
          return usable && before.buttons.join() === last.buttons.join() ? last : undefined;
        },
        withinMs,
      );
    } catch {
      throw new Error(`the phone does not come to rest; it shows: ${words(last)}`);
    }
  }

  /** Presses the button with this name. False when it is not there in time. */
  async presses(name: string | RegExp, withinMs = actMs): Promise<boolean> {
    try {
      const exact = typeof name === 'string';
      await this.#frame().getByRole('button', { name, exact }).first().click({ timeout: withinMs });
      return true;
    } catch {
      return false;
    }
  }

  async fills(label: string, text: string): Promise<boolean> {
    try {
      await this.#frame().getByRole('textbox', { name: label }).first().fill(text, { timeout: actMs });
      return true;
    } catch {
      return false;
    }
  }

  async submits(form: string, button: string): Promise<boolean> {
    try {
      const place = this.#frame().getByRole('form', { name: form });
      await place.getByRole('button', { name: button, exact: true }).click({ timeout: actMs });
      return true;
    } catch {
      return false;
    }
  }

  async hears(hz: number): Promise<boolean> {
    try {
      return (await listen(this.#frame())).amplitude(hz) > 0.02;
    } catch {
      return false;
    }
  }

  async reload(): Promise<void> {
    this.#panel = await this.crm.visit(this.#here());
  }

  /** The renderers of the tab die; the agent closes it and opens another. */
  async killed(): Promise<void> {
    const before = this.#here();
    killAll(renderersOf(this.#device().mark));
    this.#panel = null;
    this.#page = await this.#newPage();
    this.#panel = await this.crm.visit(this.#page);
    await closed(before);
  }

  /** Another tab is there when this one goes, and the agent goes on in it. */
  async otherTab(kill: boolean): Promise<void> {
    const before = this.#here();
    const doomed = renderersOf(this.#device().mark);
    let other = await this.#newPage();
    this.#panel = null;
    let panel = await this.crm.visit(other);
    await panel.getByRole('button').first().waitFor({ timeout: restMs });
    if (kill) {
      killAll(doomed);
      // Chromium gives frames of one site a process in common: this tab may have died with the other, and a dead one is not gone on with.
      if (!(await isAlive(panel))) {
        const dead = other;
        other = await this.#newPage();
        panel = await this.crm.visit(other);
        await closed(dead);
      }
    }
    this.#page = other;
    this.#panel = panel;
    await closed(before);
    await other.bringToFront();
  }

  /** The agent goes on at another computer, and closes the page here. */
  async otherDevice(): Promise<void> {
    const before = this.#here();
    const [here, there = await this.#startDevice()] = this.#devices;
    if (here === undefined) throw new Error('The agent has no browser open.');
    this.#devices = [there, here];
    this.#panel = null;
    this.#page = await this.#newPage();
    this.#panel = await this.crm.visit(this.#page);
    // Where nobody holds the phone just now it is here already.
    const shown = async (): Promise<Sight | undefined> => {
      const sight = await this.sees();
      return sight.buttons.includes(useHere) || sight.text.includes('PatchcordAvailable') ? sight : undefined;
    };
    const sight = await until('the phone in the other browser', shown, restMs).catch(() => null);
    if (sight?.buttons.includes(useHere)) await this.presses(useHere);
    await this.rests().catch(() => undefined);
    await closed(before);
  }

  async offline(ms: number): Promise<void> {
    const { context } = this.#device().browser;
    // A tab that died earlier and would not close has no network to take away; the others are without it all the same.
    const set = (offline: boolean) =>
      context.setOffline(offline).catch((error: unknown) => {
        if (!String(error).includes('Target crashed')) throw error;
      });
    await set(true);
    await new Promise((resolve) => setTimeout(resolve, ms));
    await set(false);
  }

  async #newPage(): Promise<Page> {
    const page = await this.#device().browser.newPage();
    // The browser asks whether to leave in a call; this agent leaves.
    page.on('dialog', (dialog) => void dialog.accept().catch(() => undefined));
    return page;
  }

  #device(): Device {
    const [device] = this.#devices;
    if (device === undefined) throw new Error('The agent has no browser open.');
    return device;
  }

  #here(): Page {
    if (this.#page === null) throw new Error('The agent has no page open.');
    return this.#page;
  }

  #frame(): Frame {
    if (this.#panel === null) throw new Error('The agent has no panel.');
    return this.#panel;
  }
}

/** One of these is there whenever the phone can be used. */
const atHome = /^(Call|Hang up|Answer|Save and finish)/;
/** What the panel says while something is on its way. */
const unrest =
  /Calling…|Ringing…|Connecting…|Ending…|Taking the call up|Fetching the call back|Putting on hold…|Taking off hold…|Holding the other call|Transferring to|The line is away/;

export const words = ({ text, buttons }: Sight): string =>
  `${text.replace(/\s+/g, ' ').slice(0, 300)} [${buttons.join(', ')}]`;

const later = (ms: number): Promise<null> => new Promise((resolve) => setTimeout(() => resolve(null), ms));

/** A page whose renderer is dead may not even close. */
const closed = async (page: Page): Promise<void> =>
  void (await Promise.race([page.close().catch(() => null), later(2_000)]));

const isAlive = async (frame: Frame): Promise<boolean> =>
  (await Promise.race([frame.evaluate(() => true).catch(() => false), later(1_000)])) === true;

/** Runs in the panel's frame. */
function look(): { buttons: string[]; text: string } {
  const shown = [...document.querySelectorAll<HTMLButtonElement>('button')].filter(
    (it) => !it.disabled && it.getAttribute('aria-disabled') !== 'true' && it.getClientRects().length > 0,
  );
  const buttons = shown.map((it) => (it.getAttribute('aria-label') ?? it.textContent ?? '').trim());
  return { buttons, text: document.body.textContent ?? '' };
}
