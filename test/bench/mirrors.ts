/**
 * Fifty tabs of one agent, each with the whole panel in a real browser: memory and processor time of the 49 mirrors against one frame alone, and what
 * goes over the channel between them in one call. SIP and relay are fakes in the page; channel and locks are the browser's own.
 */
import { readFile } from 'node:fs/promises';
import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { type PanelBrowser, startPanelBrowser } from '../panel/panel-in-browser.ts';
import { profile } from '../panel/sample-profile.ts';
import { type Row, toRow } from './measurement.ts';

const mirrors = 49;
const idleMs = 20_000;
const calls = 5;
/** Pages that come up and calls that end leave work behind. */
const settleMs = 3_000;

const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What the frames took: the owner, and on average a mirror; NaN where there is none. */
interface Measured {
  /** All renderers; see {@link memoryMb}. */
  readonly memory: number;
  readonly heap: Shares;
  /** Per minute. */
  readonly idle: Shares;
  readonly call: Shares;
  readonly messages: number;
}

interface Shares {
  readonly owner: number;
  readonly mirror: number;
}

export async function run(rounds: number): Promise<readonly Row[]> {
  const alone: Measured[] = [];
  const together: Measured[] = [];
  for (let round = 0; round < rounds; round += 1) {
    alone.push(await measured(0));
    together.push(await measured(mirrors));
  }
  const single = 'one frame, alone';
  const fifty = `owner of ${mirrors + 1} frames`;
  const mirror = `each of ${mirrors} mirrors`;
  function rows(what: string, unit: string, samples: Readonly<Record<string, readonly number[]>>): readonly Row[] {
    const reference = { name: single, samples: samples[single] ?? [] };
    return Object.entries(samples).map(([subject, of]) =>
      toRow({ bench: 'mirrors', case: what, subject, unit, samples: of }, reference),
    );
  }
  const shares = (of: 'heap' | 'idle' | 'call') => ({
    [single]: alone.map((it) => it[of].owner),
    [fifty]: together.map((it) => it[of].owner),
    [mirror]: together.map((it) => it[of].mirror),
  });
  return [
    ...rows('memory of its renderer', 'MB', {
      [single]: alone.map((it) => it.memory),
      [mirror]: together.map((it, round) => (it.memory - (alone[round]?.memory ?? Number.NaN)) / mirrors),
    }),
    ...rows('memory of its scripts', 'MB', shares('heap')),
    ...rows('idle', 'CPU ms a minute', shares('idle')),
    ...rows('one call', 'CPU ms', shares('call')),
    ...rows('one call', 'messages', {
      [single]: alone.map((it) => it.messages),
      [fifty]: together.map((it) => it.messages),
    }),
  ];
}

async function measured(beside: number): Promise<Measured> {
  const panels: PanelBrowser = await startPanelBrowser();
  try {
    const context = await panels.browser.newContext({ viewport: { width: 360, height: 560 } });
    const ear = await openEar(context, panels.url);
    const devtools = await panels.browser.newBrowserCDPSession();
    const bare = await memoryMb(devtools);
    const owner = await openFrame(context, panels.url);
    const others: Page[] = [];
    for (let n = 0; n < beside; n += 1) others.push(await openFrame(context, panels.url));
    await owner.bringToFront();
    await oneCall(owner);
    await rest(settleMs);
    const memory = (await memoryMb(devtools)) - bare;
    const meters = await Promise.all([owner, ...others].map((page) => metered(context, page)));
    const read = () => Promise.all(meters.map((meter) => meter()));
    const before = await read();
    await rest(idleMs);
    const idle = await read();
    const heardBefore = await heardBy(ear);
    for (let n = 0; n < calls; n += 1) await oneCall(owner);
    await rest(settleMs);
    const after = await read();
    return {
      memory,
      heap: shared(after.map(({ heapMb }) => heapMb)),
      idle: shared(spent(before, idle), 60_000 / idleMs),
      call: shared(spent(idle, after), 1 / calls),
      messages: ((await heardBy(ear)) - heardBefore) / calls,
    };
  } finally {
    await panels.close();
  }
}

function shared([owner = Number.NaN, ...others]: readonly number[], factor = 1): Shares {
  return { owner: owner * factor, mirror: (others.reduce((sum, one) => sum + one, 0) / others.length) * factor };
}

const spent = (before: readonly Meter[], after: readonly Meter[]): readonly number[] =>
  after.map(({ cpuMs }, frame) => cpuMs - (before[frame]?.cpuMs ?? Number.NaN));

async function openFrame(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.getByRole('switch').waitFor({ timeout: 60_000 });
  return page;
}

/** A page of the same origin that counts what goes over every channel of it. */
async function openEar(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(new URL('/message.wav', url).href);
  await page.evaluate((name) => {
    const counting = window as unknown as { heard: number };
    counting.heard = 0;
    new BroadcastChannel(name).onmessage = () => {
      counting.heard += 1;
    };
  }, `patchcord:${profile.tenant.id}:${profile.agent.id}`);
  return page;
}
const heardBy = (ear: Page): Promise<number> => ear.evaluate(() => (window as unknown as { heard: number }).heard);

/** Rings, is answered, held, resumed, muted, ended, and its wrap-up saved. */
function oneCall(owner: Page): Promise<void> {
  return owner.evaluate(async () => {
    const { lab } = window;
    const stage = lab.panel.stage.value;
    if (stage.kind !== 'ready') throw new Error(`the owner's panel is ${stage.kind}`);
    const { model } = stage;
    const call = lab.invite({ number: '+14155550101' });
    const now = () => model.phone.value.calls.find(({ id }) => id === call);
    const until = async (good: () => boolean): Promise<void> => {
      for (let turn = 0; !good(); turn += 1) {
        if (turn > 1_000) throw new Error('a step of the call did not happen');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const toggle = async (act: 'toggleHold' | 'toggleMute'): Promise<void> => {
      const live = now();
      if (live !== undefined) await model[act](live);
    };
    await until(() => now() !== undefined);
    await model.answer(call);
    await until(() => now()?.phase === 'active');
    await toggle('toggleHold');
    await until(() => now()?.hold === 'on');
    await toggle('toggleHold');
    await until(() => now()?.hold === 'off');
    await toggle('toggleMute');
    await toggle('toggleMute');
    await model.hangUp(call);
    await until(() => now()?.phase === 'ended');
    const over = now();
    if (over !== undefined) await model.submitWrapUp(over);
    await until(() => now() === undefined);
  });
}

interface Meter {
  /** Of the page's main thread, since it began. */
  readonly cpuMs: number;
  readonly heapMb: number;
}

/** Reads what a page takes. */
async function metered(context: BrowserContext, page: Page): Promise<() => Promise<Meter>> {
  const devtools = await context.newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  return async () => {
    const { metrics } = await devtools.send('Performance.getMetrics');
    const read = (name: string): number => metrics.find((one) => one.name === name)?.value ?? Number.NaN;
    return { cpuMs: read('TaskDuration') * 1_000, heapMb: read('JSHeapUsedSize') / 2 ** 20 };
  };
}

/** Of all renderers, what they share counted once (PSS). */
async function memoryMb(devtools: CDPSession): Promise<number> {
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo');
  let sum = 0;
  for (const { id, type } of processInfo) {
    if (type !== 'renderer') continue;
    const rollup = await readFile(`/proc/${id}/smaps_rollup`, 'utf8').catch(() => '');
    sum += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) / 1_024;
  }
  return sum;
}
