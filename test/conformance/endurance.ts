/**
 * Endurance: hundreds of calls in one page, every feature in turn, and then a look at what is left of them. Owns the order of things and the verdict.
 * Must never compare a page that is still tidying up: a finished SIP transaction is remembered for half a minute (RFC 3261 section 17).
 */
import { startSwitch } from '../../sandbox/src/switch/index.ts';
import { Mutations } from '../attack/mutations.ts';
import type { TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer } from '../sip-port/phone-in-browser.ts';
import type { PhonePage } from '../sip-port/phone-page.ts';
import { type Counted, installCounters, PageCounters } from './counters.ts';
import { type SceneName, type Stage, scenes } from './scenes.ts';

export interface EnduranceOptions {
  readonly seed: number;
  /** At least so many calls. */
  readonly calls: number;
  /** Progress for a person. */
  readonly say: (text: string) => void;
  /** The form that `npm test` runs: finished transactions are forgotten at once, memory is not judged. */
  readonly short?: boolean;
}

export interface EnduranceResult {
  readonly seed: number;
  readonly calls: number;
  readonly failed: number;
  /** How often each scene was played. */
  readonly scenes: Readonly<Record<string, number>>;
  /** Registered, after one call, for what a page makes once and keeps; after the first calls; after the last. */
  readonly start: Counted;
  readonly early: Counted;
  readonly end: Counted;
  /** From `early` to `end`, part of `early`. */
  readonly heapGrowth: number;
  readonly failures: readonly string[];
  readonly seconds: number;
}

/** Where the heap is looked at first: the page has done everything several times by then. */
const earlyCalls = 50;
const mostGrowth = 0.1;
const mostFailures = 5;
/**
 * A connection that is closed between a change of its state and the event that tells of it stays in Chromium's memory (its own
 * ChangePeerConnectionState holds on to it, as a heap snapshot shows). Part of all calls for which that is let pass; listeners and heap show that nothing
 * else stays with it.
 */
const keptByChromium = 0.02;
/** Everything that counts down to where it began. */
const kinds = [
  ...(['connections', 'tracks', 'audioContexts', 'players', 'timers', 'workerTimers'] as const),
  ...(['connectionsInMemory', 'audioNodes', 'documentNodes', 'listeners'] as const),
];

/** Of a phone that was never called: its line keeps itself up, and that is all. */
const atRest: Partial<Counted> = {
  connections: 0,
  connectionsInMemory: 0,
  tracks: 0,
  audioContexts: 0,
  players: 0,
  audioNodes: 0,
};
/** Between two looks: each forces a garbage collection. */
const lookMs = 500;
const settleMs = 45_000;

/** Plays the day. Rejects only when it could not begin. */
export async function endure(
  browser: TestBrowser,
  server: PhonePageServer,
  options: EnduranceOptions,
): Promise<EnduranceResult> {
  const { seed, say, short = false } = options;
  const startedAt = Date.now();
  const pbx = await startSwitch({
    domain: 'sandbox.example',
    credentialSecret: 'endurance',
    iceAddresses: ['127.0.0.1'],
    sound: 'tones',
    parkReturnMs: Number.POSITIVE_INFINITY,
  });
  const page = await browser.newPage();
  try {
    await installCounters(page, short ? { transactionMs: 500 } : {});
    const phone = await PhoneInBrowser.open(page, server);
    const counters = await PageCounters.of(page);
    await phone.start(accountFor(pbx, '1001', { registerSeconds: 600 }), pbx.credential('1001', 86_400));
    await phone.next('sip.registered');
    await forgetSignals(phone);
    const stage: Stage = { phone, pbx, counters };
    const failures: string[] = [];
    const played: Record<string, number> = {};
    const order = new Mutations(seed);
    // The first of a kind sets up what stays for the life of the page.
    for (const scene of Object.values(scenes)) await scene.run(stage);
    await forgetSignals(phone);
    const start = await settled(counters, atRest);
    let early: Counted | undefined;
    let calls = 0;
    let bag: SceneName[] = [];
    while (calls < options.calls && failures.length < mostFailures) {
      // Every scene once, in another order each time.
      if (bag.length === 0) bag = shuffled(Object.keys(scenes) as SceneName[], order);
      const name = bag.pop() ?? 'outbound';
      const scene = scenes[name];
      try {
        await scene.run(stage);
      } catch (error) {
        failures.push(`${name}, call ${calls + 1}: ${error instanceof Error ? error.message : String(error)}`);
        say(failures.at(-1) ?? '');
        await endEverything(stage);
      }
      await forgetSignals(phone);
      played[name] = (played[name] ?? 0) + 1;
      const before = calls;
      calls += scene.calls;
      if (early === undefined && calls >= Math.min(earlyCalls, options.calls)) early = await settled(counters, start);
      if (Math.floor(before / 50) < Math.floor(calls / 50))
        say(`${calls} of ${options.calls} calls, ${Math.round((Date.now() - startedAt) / 1_000)} s`);
    }
    const end = await settled(counters, start);
    early ??= end;
    for (const kind of kinds)
      if (end[kind] > start[kind] + (kind === 'connectionsInMemory' ? calls * keptByChromium : 0))
        failures.push(`${kind}: ${start[kind]} at the start, ${end[kind]} at the end.`);
    if (end.timers > start.timers) for (const timer of await counters.timersSet()) say(`timer ${timer}`);
    const heapGrowth = (end.heapBytes - early.heapBytes) / early.heapBytes;
    if (!short && heapGrowth > mostGrowth)
      failures.push(
        `The heap grew by ${Math.round(heapGrowth * 100)} %, from ${early.heapBytes} to ${end.heapBytes} bytes.`,
      );
    for (const error of await phone.errors()) failures.push(`Nobody handled: ${error}`);
    await phone.stop();
    const seconds = Math.round((Date.now() - startedAt) / 1_000);
    return { seed, calls, failed: failures.length, scenes: played, start, early, end, heapGrowth, failures, seconds };
  } finally {
    await page.close();
    await pbx.close();
  }
}

function shuffled<T>(all: readonly T[], order: Mutations): T[] {
  const left = [...all];
  return all.flatMap(() => left.splice(order.below(left.length), 1));
}

/** The page of the tests keeps everything that was signalled and sent. */
async function forgetSignals(phone: PhoneInBrowser): Promise<void> {
  await phone.page.evaluate(() => {
    const page = (window as unknown as { phonePage: PhonePage }).phonePage;
    for (const kept of [page.signals, page.sent, page.logs]) (kept as unknown[]).length = 0;
  });
  phone.rewind();
}

/** After a scene that went wrong: the next one begins without calls. */
async function endEverything({ phone, pbx }: Stage): Promise<void> {
  for (const call of pbx.calls())
    if (call.state !== 'ended') {
      try {
        pbx.hangUp(call.id);
      } catch {
        // It ended meanwhile.
      }
    }
  const calls = new Set((await phone.signals()).flatMap(({ signal }) => ('call' in signal ? [signal.call] : [])));
  for (const call of calls) await phone.command('hangUp', call);
}

/** What is left once everything has had the time to be forgotten: 64·T1 and some. */
async function settled(counters: PageCounters, goal: Partial<Counted>): Promise<Counted> {
  const deadline = Date.now() + settleMs;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, lookMs));
    const seen = await counters.read();
    const quiet = kinds.every((kind) => kind === 'connectionsInMemory' || seen[kind] <= (goal[kind] ?? seen[kind]));
    if (quiet || Date.now() > deadline) return seen;
  }
}
