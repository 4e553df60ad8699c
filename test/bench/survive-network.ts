/**
 * A call while what is beneath it goes: the connection to the server, the media relay, the agent's network, the agent's machine asleep. A real edge, a plain
 * phone behind it whose sound is measured on the wire, a fresh page per round; the stock clients have their default settings. A round in which what was
 * waited for did not come counts as never (n counts the others). Owns the events and what is measured of each.
 */
import { randomBytes } from 'node:crypto';
import type { Page } from 'playwright-core';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type Baresip, startBaresip } from '../sip-lab/baresip.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import { labFromEnvironment, useUplink } from '../sip-lab/namespaces.ts';
import { Hurdle } from '../sip-port/hurdle.ts';
import { type Row, toRow } from './measurement.ts';
import { credential, servePage } from './sip-bench.ts';
import type { Account, SubjectName } from './subjects.ts';

const subjects: readonly SubjectName[] = ['Patchcord', 'sip.js UserAgent', 'sip.js SimpleUser', 'JsSIP'];
const lab = () => labFromEnvironment();
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const now = (): number => performance.timeOrigin + performance.now();
/** A call stands for so long before anything happens to it. */
const settledMs = 3_000;
/** A stock client that does not come back costs the whole watch: a few rounds show it. */
const stockRounds = 3;

interface Scene {
  readonly page: Page;
  readonly far: Baresip;
  readonly edge: Edge;
  readonly hurdle: Hurdle;
}

interface Event {
  readonly name: string;
  /** The line alone is looked at. */
  readonly withoutCall?: true;
  /** How long a subject is watched, ms. */
  readonly watchMs: number;
  /** Makes it happen; resolves to the result in ms, NaN for never. */
  readonly measure: (scene: Scene, watchMs: number) => Promise<number>;
  readonly after?: (scene: Scene) => Promise<void>;
}

const events: readonly Event[] = [
  { name: 'socket reset: sound interrupted', watchMs: 6_000, measure: interrupted },
  {
    name: 'media relay killed and started: sound both ways',
    watchMs: 12_000,
    measure: async (scene, watchMs) => {
      const began = now();
      await scene.edge.crashRtpengine();
      await scene.edge.startRtpengine();
      return soundIsBack(scene, began, watchMs);
    },
  },
  {
    name: 'network changed: sound both ways',
    watchMs: 12_000,
    measure: async (scene, watchMs) => {
      const began = now();
      await useUplink(lab(), 'second');
      return soundIsBack(scene, began, watchMs);
    },
    after: async ({ far }) => {
      await useUplink(lab(), 'first');
      await far.reconnect();
    },
  },
  { name: 'awake after ten minutes: registered', withoutCall: true, watchMs: 20_000, measure: awake },
];

/** Rows per event and subject; the ratio is against Patchcord with the same event. @param only the events whose name begins so */
export async function run(rounds: number, only = ''): Promise<readonly Row[]> {
  const chosen = events.filter(({ name }) => name.startsWith(only));
  const secret = randomBytes(32).toString('hex');
  const edge = await startEdge(lab(), { credentialSecret: secret, turnSecret: randomBytes(16).toString('hex') });
  const far = await startBaresip(lab(), {
    ...{ user: 'far1', address: lab().far.addresses[0] ?? '', toneHz: 600, autoAnswer: true },
  });
  const server = await servePage();
  const browser = await startBrowser({ loopbackMedia: false });
  const samples = new Map<string, number[]>();
  const samplesOf = (event: Event, subject: SubjectName): number[] => {
    const key = `${event.name}\n${subject}`;
    const known = samples.get(key) ?? [];
    samples.set(key, known);
    return known;
  };
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const event of chosen) {
        for (const subject of subjects) {
          if (subject !== 'Patchcord' && round >= stockRounds) continue;
          // A line of its own each time: whoever is gone may still be registered.
          const extension = String(1_000 + [...samples.values()].flat().length);
          const { username, credential: password } = credential('sha256', secret, extension);
          const hurdle = await Hurdle.before(new URL(edge.wssUrl).host);
          // Only what happens to the connection itself needs the stretch that can break; the network's change has to meet the real one.
          const over = event.name.startsWith('network') ? edge.wssUrl : `wss://${hurdle.address}`;
          const account: Account = {
            ...{ server: over, domain: edge.domain, extension, username, password },
            iceServers: [],
          };
          try {
            samplesOf(event, subject).push(await once(browser, server.url, event, subject, account, far, edge, hurdle));
          } finally {
            await hurdle.close();
          }
        }
      }
    }
  } finally {
    await browser.close();
    server.close();
    await far.stop();
    await edge.stop();
  }
  return chosen.flatMap((event) => {
    const reference = { name: 'Patchcord', samples: samplesOf(event, 'Patchcord') };
    return subjects.map((subject) =>
      toRow({ bench: 'survive', case: event.name, subject, unit: 'ms', samples: samplesOf(event, subject) }, reference),
    );
  });
}

/** The page's faces, see subjects.ts and chromium.ts. */
interface BenchWindow {
  readonly bench: {
    register(name: SubjectName, account: Account): Promise<void>;
    dial(target: string): void;
    registrations(): readonly number[];
  };
  readonly patchcordEar: { packets(): Promise<{ readonly packetsReceived: number }> };
  cameAt: number[];
}

async function once(
  browser: TestBrowser,
  url: string,
  event: Event,
  subject: SubjectName,
  account: Account,
  far: Baresip,
  edge: Edge,
  hurdle: Hurdle,
): Promise<number> {
  const page = await browser.newPage();
  const scene: Scene = { page, far, edge, hurdle };
  try {
    await page.goto(url);
    await page.evaluate(([name, values]) => (window as unknown as BenchWindow).bench.register(name, values), [
      subject,
      account,
    ] as const);
    if (!event.withoutCall) await call(scene);
    await wait(settledMs);
    return await event.measure(scene, event.watchMs);
  } finally {
    await page.close();
    await event.after?.(scene);
    if (!event.withoutCall) {
      // A client that lost its call leaves a zombie there.
      await far.hangUp();
      await far.waitFor('closed');
    }
  }
}

async function call({ page, far }: Scene): Promise<void> {
  await page.evaluate(noteSound);
  await page.evaluate((target) => (window as unknown as BenchWindow).bench.dial(target), far.user);
  await far.waitFor('established');
  const deadline = now() + 10_000;
  while ((await cameAt(page)).length === 0 || far.heard(200).packets < 5) {
    if (now() > deadline) throw new Error('There was no sound to begin with.');
    await wait(50);
  }
}

/** Runs in the page: notes every look, 20 ms apart, that found new packets. */
function noteSound(): void {
  const own = window as unknown as BenchWindow;
  own.cameAt = [];
  let known = 0;
  setInterval(async () => {
    const { packetsReceived } = await own.patchcordEar.packets();
    if (packetsReceived > known) own.cameAt.push(performance.timeOrigin + performance.now());
    known = packetsReceived;
  }, 20);
}

function cameAt(page: Page): Promise<number[]> {
  return page.evaluate(() => (window as unknown as BenchWindow).cameAt);
}

/** The sound that is missing at the far end, by the clock of its sender; never again counts as never. */
async function interrupted({ page, far, hurdle }: Scene, watchMs: number): Promise<number> {
  const began = now();
  hurdle.reset();
  await wait(watchMs);
  const stillHere = (await cameAt(page)).some((at) => at > began + watchMs - 1_000);
  const missing = far.longestGap(watchMs);
  return stillHere && missing < watchMs / 2 ? missing : Number.NaN;
}

/** From `began` to the first packet after the longest pause, at the end where it comes later. */
async function soundIsBack({ page, far }: Scene, began: number, watchMs: number): Promise<number> {
  await wait(began + watchMs - now());
  const here = backAfterPause(
    (await cameAt(page)).filter((at) => at > began),
    began,
  );
  const there = far.backSince(began) ?? Number.NaN;
  return Math.max(here, there) - began;
}

function backAfterPause(times: readonly number[], began: number): number {
  const all = [began, ...times, now()];
  const gaps = all.slice(1).map((at, index) => at - (all[index] ?? at));
  const longest = gaps.indexOf(Math.max(...gaps));
  return longest < gaps.length - 1 ? (all[longest + 1] ?? Number.NaN) : Number.NaN;
}

/** The page is frozen, its connection dies without a word, ten minutes pass on its clock, it wakes. */
async function awake({ page, hurdle }: Scene, watchMs: number): Promise<number> {
  const tools = await page.context().newCDPSession(page);
  await tools.send('Page.setWebLifecycleState', { state: 'frozen' });
  hurdle.swallow();
  await wait(1_000);
  await tools.send('Page.setWebLifecycleState', { state: 'active' });
  const began = now();
  await page.evaluate((ms) => {
    const real = Date.now;
    Date.now = () => real() + ms;
  }, 600_000);
  const deadline = began + watchMs;
  while (now() < deadline) {
    const all = await page.evaluate(() => (window as unknown as BenchWindow).bench.registrations());
    const back = all.find((at) => at > began);
    if (back !== undefined) return back - began;
    await wait(50);
  }
  return Number.NaN;
}
