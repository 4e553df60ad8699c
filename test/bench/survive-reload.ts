/**
 * A page is loaded anew with a call up: from the command to sound both ways, with each far end. What a panel keeps sealed is handed to the next page
 * here, so that the engine and the far end are measured alone; the stock clients get the same page and everything they can do by themselves, which
 * is to register again. Owns one round; the far ends are survive-far-ends.ts.
 */
import { PhoneInBrowser, type PhonePageServer, servePhonePage } from '../sip-port/phone-in-browser.ts';
import { type Row, toRow } from './measurement.ts';
import { servePage } from './sip-bench.ts';
import type { Account, SubjectName } from './subjects.ts';
import { type FarEnd, startFarEnds } from './survive-far-ends.ts';
import { backThere, both, heardAt, listenFor, now } from './survive-sound.ts';

/** Whoever has no sound by then never will. */
const watchMs = 10_000;
const stock: readonly SubjectName[] = ['sip.js UserAgent', 'sip.js SimpleUser', 'JsSIP'];

/** Ms from the reload to each step; NaN for what did not happen. */
interface Steps {
  readonly page: number;
  readonly line: number;
  readonly taken: number;
  readonly heardHere: number;
  readonly heardThere: number;
}
const steps: Record<keyof Steps, string> = {
  page: 'the page runs',
  line: 'the line is back',
  taken: 'the call is taken up',
  heardHere: 'heard here',
  heardThere: 'heard there',
};

/** Rows per far end: sound both ways, and beneath it where the time goes; then the stock clients with one of them. */
export async function run(rounds: number, only?: string): Promise<readonly Row[]> {
  const server = await servePhonePage();
  const stockPage = await servePage();
  const ends = await startFarEnds(server);
  const found = new Map<string, Steps[]>();
  const lost = new Map<SubjectName, number[]>();
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const end of ends.all.filter(({ name }) => only === undefined || name === only))
        found.set(end.name, [...(found.get(end.name) ?? []), await reloadOurs(end, server).finally(() => end.idle())]);
      const [end] = ends.all;
      // They never come back: a few rounds show it.
      if (end === undefined || round >= 3 || only !== undefined) continue;
      for (const subject of stock) {
        const sample = await reloadTheirs(end, subject, stockPage.url).finally(() => end.idle());
        lost.set(subject, [...(lost.get(subject) ?? []), sample]);
      }
    }
  } finally {
    await ends.close();
    stockPage.close();
    await server.close();
  }
  const whole = (all: readonly Steps[]): number[] =>
    all.map(({ heardHere, heardThere }) => Math.max(heardHere, heardThere));
  return ends.all.flatMap((end, index) => {
    const all = found.get(end.name) ?? [];
    const name = `reload, ${end.name}`;
    const reference = { name: 'Patchcord', samples: whole(all) };
    const row = (subject: string, samples: readonly number[]): Row =>
      toRow({ bench: 'survive', case: name, subject, unit: 'ms', samples }, reference);
    return [
      row('Patchcord', reference.samples),
      ...Object.entries(steps).map(([step, words]) =>
        row(
          `– ${words}`,
          all.map((one) => one[step as keyof Steps]),
        ),
      ),
      ...(index === 0 ? stock.map((subject) => row(subject, lost.get(subject) ?? [])) : []),
    ];
  });
}

async function reloadOurs(end: FarEnd, server: PhonePageServer): Promise<Steps> {
  const phone = await PhoneInBrowser.open(await end.browser.newPage(), server);
  try {
    await phone.page.addInitScript(listenFor, end.toneHz);
    await phone.page.addInitScript(takeUpAtOnce);
    await phone.start(end.account, end.credential());
    await phone.next('sip.registered');
    const { call } = await phone.dial(end.dial);
    await phone.next('sip.answered', call);
    await phone.page.evaluate(listenFor, end.toneHz);
    if (!(await both(phone.page, end, watchMs))) throw new Error(`No sound with ${end.name} before the reload.`);
    const dialogs = await phone.dialogs();
    await phone.page.evaluate(
      (kept) => sessionStorage.setItem('survive', kept),
      JSON.stringify({
        account: end.account,
        credential: end.credential(),
        dialogs,
      }),
    );
    const began = now();
    const reloaded = phone.page.reload({ waitUntil: 'commit' });
    const here = heardAt(phone.page, began, watchMs);
    const back = backThere(end, began, watchMs, here);
    await reloaded;
    phone.rewind();
    const [heardHere, heardThere] = await Promise.all([here, back]);
    await phone.next('sip.recovered', call, 5_000).catch(() => undefined);
    const signals = await phone.signals();
    const at = (type: string): number => (signals.find(({ signal }) => signal.type === type)?.at ?? Number.NaN) - began;
    const started = await phone.page.evaluate(
      () => (window as unknown as { survive: { started: number } }).survive.started,
    );
    if (Number.isNaN(heardHere) || Number.isNaN(heardThere))
      console.error(
        `${end.name}: no sound both ways. ${signals.map(({ at: when, signal }) => `${Math.round(when - began)} ms ${signal.type}`).join(', ')}`,
      );
    await phone.command('hangUp', call);
    await phone.next('sip.ended', call).catch(() => undefined);
    return {
      page: started - began,
      line: at('sip.registered'),
      taken: at('sip.recovered'),
      heardHere: heardHere - began,
      heardThere: heardThere - began,
    };
  } finally {
    await phone.stop().catch(() => undefined);
    await phone.page.close();
  }
}

interface StockPage {
  register(name: SubjectName, account: Account): Promise<void>;
  dial(target: string): void;
}

/** The same with a stock client: the new page signs in again, which is all that it knows of. */
async function reloadTheirs(end: FarEnd, subject: SubjectName, url: string): Promise<number> {
  const page = await end.browser.newPage();
  const { username, password } = end.credential();
  const [serverUrl = ''] = end.account.servers;
  const account: Account = {
    server: serverUrl,
    domain: end.account.domain,
    extension: end.account.extension,
    username,
    password,
    iceServers: [],
  };
  const signIn = (): Promise<void> =>
    page.evaluate(([name, values]) => (window as unknown as { bench: StockPage }).bench.register(name, values), [
      subject,
      account,
    ] as const);
  try {
    await page.goto(url);
    await signIn();
    await page.evaluate((to) => (window as unknown as { bench: StockPage }).bench.dial(to), end.dial);
    await page.evaluate(listenFor, end.toneHz);
    if (!(await both(page, end, watchMs))) throw new Error(`${subject}: no sound with ${end.name} before the reload.`);
    const began = now();
    const heard = heardAt(page, began, watchMs);
    const back = backThere(end, began, watchMs, heard);
    await page.reload();
    await page.evaluate(listenFor, end.toneHz);
    await signIn();
    const [here, there] = await Promise.all([heard, back]);
    return Math.max(here, there) - began;
  } finally {
    await page.close();
  }
}

/** Runs in every page after its scripts: what was kept is taken up as soon as the page is there. */
function takeUpAtOnce(): void {
  const kept = sessionStorage.getItem('survive');
  if (kept === null) return;
  sessionStorage.removeItem('survive');
  const own = window as unknown as {
    survive: { started: number };
    phonePage: { command(name: string, ...parameters: unknown[]): void; start(...parameters: unknown[]): void };
  };
  addEventListener('DOMContentLoaded', () => {
    own.survive.started = performance.timeOrigin + performance.now();
    const { account, credential, dialogs } = JSON.parse(kept) as Record<string, unknown>;
    own.phonePage.command('takeUp', dialogs);
    own.phonePage.start(account, credential, []);
  });
}
