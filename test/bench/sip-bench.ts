/**
 * What both SIP benchmarks need: the lab's edge, a far end, a page with the subjects in a fresh browser context per round, and the ICE
 * situations. Owns set-up and the order of rounds (cases and subjects take turns, so that a noisy minute hits all of them).
 */
import { createHmac, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build } from 'esbuild';
import { startBrowser } from '../browser/chromium.ts';
import { startBaresip } from '../sip-lab/baresip.ts';
import { startEdge } from '../sip-lab/edge.ts';
import type { FarPhone } from '../sip-lab/far-phone.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import type { Account, Marks, SubjectName } from './subjects.ts';

export const subjectNames: readonly SubjectName[] = ['Patchcord', 'sip.js SimpleUser', 'JsSIP'];

export type IceCase = 'no STUN' | 'dead STUN' | 'dead TURN' | 'coturn';

export interface Round {
  readonly subject: SubjectName;
  readonly iceCase: IceCase;
  readonly marks: Marks;
}

/** The page's face, see subjects.ts. */
interface Bench {
  register(name: SubjectName, account: Account): Promise<void>;
  dial(target: string): void;
  answerNext(delayMs: number): void;
  hangUp(): void;
  marks(): Marks;
}

export interface SipBenchOptions {
  readonly iceCases: readonly IceCase[];
  /** How many fresh pages this subject gets in this case. */
  readonly rounds: (subject: SubjectName, iceCase: IceCase) => number;
  /** Lets the call happen; `farPhone` is registered and answers by itself. */
  readonly act: (
    page: { dial(target: string): Promise<void>; answerNext(): Promise<void> },
    farPhone: FarPhone,
    extension: string,
  ) => Promise<void>;
  /** True as soon as everything this benchmark looks for has been marked. */
  readonly done: (marks: Marks) => boolean;
}

const secret = randomBytes(32).toString('hex');
const turnSecret = randomBytes(32).toString('hex');
const farUser = 'far1';
/** JsSIP needs 40 s behind a dead server. */
const patienceMs = 50_000;

/** Runs all rounds and returns their marks. */
export async function runSipBench(options: SipBenchOptions): Promise<readonly Round[]> {
  const lab = labFromEnvironment();
  const edge = await startEdge(lab, { credentialSecret: secret, turnSecret });
  const farPhone = await startBaresip(lab, {
    user: farUser,
    address: lab.far.addresses[0] ?? '',
    toneHz: 600,
    autoAnswer: true,
  });
  const page = await servePage();
  const browser = await startBrowser({ loopbackMedia: false });
  const iceServers: Record<IceCase, () => Account['iceServers']> = {
    'no STUN': () => [],
    'dead STUN': () => [{ urls: [`stun:${lab.blackHole.address}`] }],
    'dead TURN': () => [{ urls: [`turn:${lab.blackHole.address}`], ...credential('sha1', turnSecret, 'bench') }],
    coturn: () => [{ urls: [edge.turnUrl], ...credential('sha1', turnSecret, 'bench') }],
  };
  const rounds: Round[] = [];
  try {
    const most = Math.max(
      ...options.iceCases.flatMap((iceCase) => subjectNames.map((subject) => options.rounds(subject, iceCase))),
    );
    for (let round = 0; round < most; round += 1) {
      for (const iceCase of options.iceCases) {
        for (const subject of subjectNames) {
          if (round >= options.rounds(subject, iceCase)) continue;
          // A line of its own for every round: a closed page's registration would be called as well.
          const extension = String(1_000 + rounds.length);
          const { username, credential: password } = credential('sha256', secret, extension);
          const account: Account = {
            server: edge.wssUrl,
            domain: edge.domain,
            extension,
            username,
            password,
            iceServers: iceServers[iceCase](),
          };
          rounds.push({ subject, iceCase, marks: await oneRound(subject, account) });
        }
      }
    }
  } finally {
    await browser.close();
    page.close();
    await farPhone.stop();
    await edge.stop();
  }
  return rounds;

  async function oneRound(subject: SubjectName, account: Account): Promise<Marks> {
    const tab = await browser.newPage();
    const call = <A extends readonly unknown[]>(method: keyof Bench, ...args: A): Promise<unknown> =>
      tab.evaluate(
        ([name, values]) => {
          const bench = (window as unknown as { bench: Record<string, (...values: readonly unknown[]) => unknown> })
            .bench;
          return bench[name]?.(...values);
        },
        [method, args] as const,
      );
    try {
      await tab.goto(page.url);
      await call('register', subject, account);
      await options.act(
        {
          dial: async (target) => void (await call('dial', target)),
          answerNext: async () => void (await call('answerNext', 300)),
        },
        farPhone,
        account.extension,
      );
      const deadline = Date.now() + patienceMs;
      let marks = (await call('marks')) as Marks;
      while (!options.done(marks) && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        marks = (await call('marks')) as Marks;
      }
      await call('hangUp');
      await farPhone.waitFor('closed', 4_000).catch(() => farPhone.hangUp());
      return marks;
    } finally {
      await tab.close();
    }
  }
}

/** A credential as the edge takes it (sha256) or the TURN server (sha1), good for an hour. */
export function credential(
  hash: 'sha1' | 'sha256',
  key: string,
  name: string,
): { username: string; credential: string } {
  const username = `${Math.floor(Date.now() / 1_000) + 3_600}:${name}`;
  return { username, credential: createHmac(hash, key).update(username).digest('base64') };
}

/** Bundles and serves the page of the subjects. */
export async function servePage(): Promise<{ url: string; close(): void }> {
  const { outputFiles } = await build({
    entryPoints: ['test/bench/subjects.ts'],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    define: { global: 'globalThis' },
    logLevel: 'error',
  });
  const script = outputFiles[0]?.text ?? '';
  const server = createServer((request, response) => {
    const isScript = request.url === '/subjects.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(
      isScript ? script : '<!doctype html><title>bench</title><script type="module" src="/subjects.js"></script>',
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://localhost:${(server.address() as AddressInfo).port}/`, close: () => server.close() };
}
