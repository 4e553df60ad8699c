/**
 * The tab that has the call dies (SIGKILL to its renderer): from there to sound both ways in another tab of the same browser, with the whole product on
 * the sandbox switch. Owns one browser with two tabs, of which the second becomes the first of the next round.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Frame, Page } from 'playwright-core';
import { openStage } from '../../scripts/stage.ts';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type CrmPage, salesforcePage } from '../e2e/crm-pages.ts';
import { startSwitchTelephony } from '../e2e/switch-telephony.ts';
import { type Row, toRow } from './measurement.ts';
import { backThere, both, heardAt, type Listening, listenFor, now } from './survive-sound.ts';

interface Tab {
  readonly page: Page;
  readonly panel: Frame;
}

interface FarSide extends Listening {
  readonly toneHz: number;
  /** Ends what is left of calls. */
  over(): Promise<void>;
}

/** Whoever has no sound by then never will. */
const watchMs = 20_000;

export async function run(rounds: number): Promise<readonly Row[]> {
  const telephony = await startSwitchTelephony();
  const stage = await openStage({ telephony, logLevel: 'silent' });
  // Frames of one site may share a process across tabs: then one crash takes all of them, and nobody is left to take the call up.
  const browser = await startBrowser({ extraArgs: ['--enable-features=DisableProcessReuse'] });
  const crm = salesforcePage(stage);
  const { number, toneHz } = telephony.first;
  const end: FarSide = {
    name: 'the sandbox switch',
    toneHz,
    hears: () => telephony.switchboard.heard(number, 60).levelAt(440) > 0.004,
    over: async () => {
      for (const call of telephony.switchboard.calls())
        if (call.state !== 'ended') telephony.switchboard.hangUp(call.id);
    },
  };
  const samples: number[] = [];
  try {
    let owner: Tab | undefined;
    // A page that did not get as far as a call says nothing about what was measured; it may happen now and then, not always.
    for (let spare = rounds; samples.length < rounds && spare > 0; ) {
      const tabs: [Tab, Tab] = [owner ?? (await openTab(browser, crm)), await openTab(browser, crm)];
      owner = undefined;
      const pid = await talking(...tabs, crm, end).catch((error: unknown) => {
        spare -= 1;
        console.error(`No call to begin with: ${error instanceof Error ? error.message : String(error)}`);
        return undefined;
      });
      const sample = pid === undefined ? undefined : await kill(pid, tabs[1], end);
      if (sample !== undefined) samples.push(sample);
      // Its tab is there no more; closing what is left of it may take long.
      void tabs[0].page.close().catch(() => undefined);
      if (sample !== undefined && !Number.isNaN(sample)) {
        const free = await hangUp(tabs[1]).catch((error: unknown) => {
          console.error(`The tab can’t be used for another round: ${error instanceof Error ? error.message : error}`);
          return false;
        });
        if (free) {
          owner = tabs[1];
          continue;
        }
      }
      await tabs[1].page.close();
      await end.over();
    }
  } finally {
    await browser.close();
    await stage.close();
    await telephony.close();
  }
  const reference = { name: 'Patchcord', samples };
  return [toRow({ bench: 'survive', case: 'owner tab killed', subject: 'Patchcord', unit: 'ms', samples }, reference)];
}

async function openTab(browser: TestBrowser, crm: CrmPage): Promise<Tab> {
  const page = await browser.newPage();
  return { page, panel: await crm.open(page) };
}

/** Brings up a call in the first tab. Resolves to the process of that tab. @throws when there is none, or no sound in it */
async function talking(owner: Tab, other: Tab, crm: CrmPage, end: FarSide): Promise<number> {
  const pid = await rendererOf(owner.panel);
  if (pid === (await rendererOf(other.panel)))
    throw new Error('both tabs share one process, killing one kills the other');
  await owner.page.bringToFront();
  await crm.showRecord(owner.page, 'Mina Sato');
  await owner.panel.getByRole('textbox', { name: 'Number' }).waitFor();
  await crm.clickNumber(owner.page);
  await owner.panel.getByRole('timer').waitFor({ timeout: watchMs });
  await owner.panel.evaluate(listenFor, end.toneHz);
  await other.panel.evaluate(listenFor, end.toneHz);
  if (!(await both(owner.panel, end, watchMs))) throw new Error('no sound');
  return pid;
}

async function kill(pid: number, other: Tab, end: FarSide): Promise<number> {
  const began = now();
  process.kill(pid, 'SIGKILL');
  const heard = heardAt(other.panel, began, watchMs);
  const [there, here] = await Promise.all([backThere(end, began, watchMs, heard), heard]);
  return Math.max(there, here) - began;
}

async function hangUp({ page, panel }: Tab): Promise<true> {
  await page.bringToFront();
  await panel.getByRole('button', { name: 'Hang up', exact: true }).click();
  await panel.getByRole('button', { name: 'Save and finish', exact: true }).click();
  await panel.getByRole('textbox', { name: 'Number' }).waitFor();
  return true;
}

/** The process that runs this frame: the one of ours that works while the frame does. */
async function rendererOf(frame: Frame): Promise<number> {
  const before = renderers();
  await frame.evaluate(() => {
    const until = performance.now() + 600;
    while (performance.now() < until);
  });
  const worked = [...renderers()].map(([pid, ticks]) => ({ pid, ticks: ticks - (before.get(pid) ?? ticks) }));
  const [most] = worked.sort((one, two) => two.ticks - one.ticks);
  if (most === undefined || most.ticks === 0) throw new Error('The process of the tab was not found.');
  return most.pid;
}

/** The renderers among the processes that this one has started, with the time each has worked, in clock ticks. */
function renderers(): Map<number, number> {
  const known = new Map<number, { readonly parent: number; readonly ticks: number }>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      // Behind the name in brackets: state, parent, … and as 12th and 13th the time in user and system mode.
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      known.set(Number(name), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) });
    } catch {
      // It ended while we looked.
    }
  }
  const ours = (pid: number): boolean => {
    const parent = known.get(pid)?.parent;
    return parent !== undefined && (parent === process.pid || ours(parent));
  };
  const found = new Map<number, number>();
  for (const [pid, { ticks }] of known) {
    if (!ours(pid)) continue;
    try {
      // What a zygote made has its words in one.
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--type=renderer')) found.set(pid, ticks);
    } catch {
      // The same.
    }
  }
  return found;
}
