/**
 * When sound is there again, at both ends: the far side's tone in a page, the microphone's tone at the far side. Owns listening to a few ms; must never
 * know why it was away.
 */
import type { Frame, Page } from 'playwright-core';

/** A far side, as far as it listens. */
export interface Listening {
  readonly name: string;
  /** Whether the agent is heard there at this moment. */
  hears(): boolean | Promise<boolean>;
}

interface Survive {
  started: number;
  heard: number;
}

/** Epoch ms, to parts of one, on the clock of the pages too. */
export const now = (): number => performance.timeOrigin + performance.now();
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs in the page: notes when the tone is heard first from now on. */
export function listenFor(hz: number): void {
  const clock = (): number => performance.timeOrigin + performance.now();
  const own = window as unknown as {
    survive: Survive;
    patchcordEar?: { readonly rate: number; read(size: number): Float32Array };
  };
  own.survive = { started: clock(), heard: Number.NaN };
  const timer = setInterval(() => {
    const ear = own.patchcordEar;
    if (ear === undefined) return;
    // The newest 40 ms of what the analyser keeps.
    const samples = ear.read(16_384).slice(-2_048);
    let [before, last] = [0, 0];
    const turn = 2 * Math.cos((2 * Math.PI * hz) / ear.rate);
    for (const sample of samples) [before, last] = [last, sample + turn * last - before];
    const power = before * before + last * last - turn * before * last;
    if ((2 * Math.sqrt(Math.max(power, 0))) / samples.length < 0.01) return;
    own.survive.heard = clock();
    clearInterval(timer);
  }, 10);
}

/** Runs in the page: the amplitude of a tone in the newest 40 ms. */
export function toneNow(hz: number): number {
  const ear = (window as unknown as { patchcordEar?: { readonly rate: number; read(size: number): Float32Array } })
    .patchcordEar;
  if (ear === undefined) return 0;
  const samples = ear.read(16_384).slice(-2_048);
  let [before, last] = [0, 0];
  const turn = 2 * Math.cos((2 * Math.PI * hz) / ear.rate);
  for (const sample of samples) [before, last] = [last, sample + turn * last - before];
  const power = before * before + last * last - turn * before * last;
  return (2 * Math.sqrt(Math.max(power, 0))) / samples.length;
}

/** When the page first heard the far side after `began`; NaN when it did not within `watchMs`. */
export async function heardAt(page: Page | Frame, began: number, watchMs: number): Promise<number> {
  while (now() < began + watchMs) {
    // In the middle of a navigation there is nobody to ask.
    const heard = await page
      .evaluate(() => (window as unknown as { survive?: Survive }).survive?.heard ?? Number.NaN)
      .catch(() => Number.NaN);
    if (heard > began) return heard;
    await wait(20);
  }
  return Number.NaN;
}

/** What a far side may still be playing of the old path, ms. */
const leftOverMs = 1_000;

/**
 * When the far side heard the agent again, after it had not; `began` where it has heard the agent all the time, also when the new path (`here`: since when
 * the page hears) had been there for a second: what was missing was concealed. NaN when neither happened within `watchMs`.
 */
export async function backThere(
  end: Listening,
  began: number,
  watchMs: number,
  here: Promise<number>,
): Promise<number> {
  let gone = false;
  let sureAt = Number.POSITIVE_INFINITY;
  void here.then((at) => {
    if (!Number.isNaN(at)) sureAt = at + leftOverMs;
  });
  while (now() < began + watchMs) {
    const hears = await end.hears();
    if (!hears) gone = true;
    else if (gone) return now();
    else if (now() > sureAt) return began;
    await wait(10);
  }
  return Number.NaN;
}

/** True as soon as both have heard each other; the page was told to listen before. */
export async function both(page: Page | Frame, end: Listening, watchMs: number): Promise<boolean> {
  const deadline = now() + watchMs;
  while (now() < deadline) {
    const heard = await page.evaluate(() => (window as unknown as { survive: Survive }).survive.heard);
    if (!Number.isNaN(heard) && (await end.hears())) return true;
    await wait(50);
  }
  return false;
}
