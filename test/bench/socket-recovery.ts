/**
 * From a broken connection to the 200 of the next REGISTER, on a real edge behind a stretch of network with pedals. Each round is a fresh page that
 * has been registered for a few seconds; the subjects have their default settings. A round that brought no REGISTER within the time it was watched counts as
 * never (n counts the others).
 */
import { randomBytes } from 'node:crypto';
import { startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { startEdge } from '../sip-lab/edge.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { Hurdle } from '../sip-port/hurdle.ts';
import { type Row, toRow } from './measurement.ts';
import { credential, servePage, subjectNames } from './sip-bench.ts';
import type { Account, SubjectName } from './subjects.ts';

interface Case {
  readonly name: string;
  /** How long a subject is watched, ms. */
  readonly watchMs: number;
  /** Breaks the connection; resolves with the moment from which the recovery is counted. */
  readonly breakIt: (hurdle: Hurdle) => Promise<number>;
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const now = (): number => performance.timeOrigin + performance.now();
/** Up to a quarter longer than it says: a step of anybody's back-off must not fit by chance. */
const away = (ms: number) => async (hurdle: Hurdle) => {
  await hurdle.goAway();
  await wait(ms * (1 + Math.random() / 4));
  await hurdle.comeBack();
  return now();
};

const cases: readonly Case[] = [
  {
    name: 'socket reset',
    watchMs: 30_000,
    breakIt: async (hurdle) => {
      hurdle.reset();
      return now();
    },
  },
  { name: 'server away 2 s, after its return', watchMs: 30_000, breakIt: away(2_000) },
  { name: 'server away 15 s, after its return', watchMs: 30_000, breakIt: away(15_000) },
  {
    name: 'silent black hole',
    watchMs: 60_000,
    breakIt: async (hurdle) => {
      hurdle.swallow('both ways');
      return now();
    },
  },
  {
    name: 'receives, but sends no longer',
    watchMs: 60_000,
    breakIt: async (hurdle) => {
      hurdle.swallow('from the server');
      return now();
    },
  },
];

/** Registered for so long before anything breaks: a first keep-alive has been answered. */
const settledMs = 6_000;
/** Whoever never comes back costs the whole watch: once shows it. */
const roundsOf = (subject: SubjectName, { watchMs }: Case, rounds: number): number =>
  subject === 'Patchcord' || watchMs <= 30_000 ? rounds : 1;

/** Rows per case and subject; the ratio is against Patchcord in the same case. */
export async function run(rounds: number): Promise<readonly Row[]> {
  const lab = labFromEnvironment();
  const secret = randomBytes(32).toString('hex');
  const edge = await startEdge(lab, { credentialSecret: secret, turnSecret: randomBytes(16).toString('hex') });
  const page = await servePage();
  const browser = await startBrowser({ loopbackMedia: false });
  const samples = new Map<string, number[]>();
  const samplesOf = (one: Case, subject: SubjectName): number[] => {
    const key = `${one.name}\n${subject}`;
    const known = samples.get(key) ?? [];
    samples.set(key, known);
    return known;
  };
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const one of cases) {
        for (const subject of subjectNames) {
          if (round >= roundsOf(subject, one, rounds)) continue;
          const hurdle = await Hurdle.before(new URL(edge.wssUrl).host);
          const { username, credential: password } = credential('sha256', secret, '1001');
          const account: Account = {
            server: `wss://${hurdle.address}`,
            domain: edge.domain,
            extension: '1001',
            username,
            password,
            iceServers: [],
          };
          try {
            samplesOf(one, subject).push(await recovery(browser, page.url, subject, account, one, hurdle));
          } finally {
            await hurdle.close();
          }
        }
      }
    }
  } finally {
    await browser.close();
    page.close();
    await edge.stop();
  }
  return cases.flatMap((one) => {
    const reference = { name: 'Patchcord', samples: samplesOf(one, 'Patchcord') };
    return subjectNames.map((subject) =>
      toRow(
        { bench: 'socket-recovery', case: one.name, subject, unit: 'ms', samples: samplesOf(one, subject) },
        reference,
      ),
    );
  });
}

/** The page's face, see subjects.ts. */
interface Bench {
  register(name: SubjectName, account: Account): Promise<void>;
  registrations(): readonly number[];
}

async function recovery(
  browser: TestBrowser,
  url: string,
  subject: SubjectName,
  account: Account,
  { breakIt, watchMs }: Case,
  hurdle: Hurdle,
): Promise<number> {
  const tab = await browser.newPage();
  try {
    await tab.goto(url);
    await tab.evaluate(([name, values]) => (window as unknown as { bench: Bench }).bench.register(name, values), [
      subject,
      account,
    ] as const);
    await wait(settledMs);
    const brokenAt = await breakIt(hurdle);
    const deadline = now() + watchMs;
    while (now() < deadline) {
      const all = await tab.evaluate(() => (window as unknown as { bench: Bench }).bench.registrations());
      const back = all.find((at) => at > brokenAt);
      if (back !== undefined) return back - brokenAt;
      await wait(50);
    }
    return Number.NaN;
  } finally {
    await tab.close();
  }
}
