/**
 * A run of the torture: messages in batches, a look at the phone after each, and the smallest message for what goes wrong. Owns the order of things
 * and the count. Must never call a phone well that was not looked at.
 */

import { Mutations } from '../attack/mutations.ts';
import type { TestBrowser } from '../browser/chromium.ts';
import type { PhonePageServer } from '../sip-port/phone-in-browser.ts';
import { type CaseNumber, tortureCase } from './messages.ts';
import { type Measured, Rig } from './rig.ts';

export interface TortureOptions {
  readonly seed: number;
  /** How many messages. */
  readonly count: number;
  /** The first case; what came before is left out. Default 0. */
  readonly from?: number;
  /** Progress for a person. */
  readonly say: (text: string) => void;
}

export interface Failure {
  readonly what: string;
  /** What it takes to show it, each cut at 4,000 letters; empty when it takes many. */
  readonly messages: readonly { readonly kind: string; readonly text: string }[];
  /** The cases of the smallest batch that showed it; the same seed makes them again. */
  readonly cases: readonly CaseNumber[];
}

export interface TortureResult {
  readonly seed: number;
  readonly cases: number;
  readonly failed: number;
  readonly kinds: Readonly<Record<string, number>>;
  /** How the phone answered, by status. */
  readonly answers: Readonly<Record<string, number>>;
  /** After the first batches, and at the end. */
  readonly memory: { readonly before: Measured | undefined; readonly after: Measured | undefined };
  readonly failures: readonly Failure[];
  readonly seconds: number;
}

const perBatch = 100;
/** The page has done everything once by then. */
const warmUpBatches = { short: 5, long: 20 };
const registerEvery = 10;
const mostFailures = 5;
const longRun = 5_000;
/** What a SIP transaction holds is let go half a minute after its end (64 × T1, RFC 3261 section 17). */
const transactionMs = 35_000;
/** So many messages are told in full. */
const few = 8;
/** What the heap may have grown by in a long run, measured when all transactions are over. */
const growthShare = 0.1;
/** In the short form they are not: each message may still hold so much. */
const heldBytes = 3_000;
const moreListeners = 20;
/** Closed connections that Chromium has not let go of yet. Each call that the phone does not let go of keeps one for good. */
const moreConnections = 5;

export async function torture(
  browser: TestBrowser,
  server: PhonePageServer,
  options: TortureOptions,
): Promise<TortureResult> {
  const { seed, count, from = 0, say } = options;
  const startedAt = Date.now();
  const kinds: Record<string, number> = {};
  const answers: Record<string, number> = {};
  const failures: Failure[] = [];
  const fail = (what: string) => failures.push({ what, messages: [], cases: [] });
  const long = count >= longRun;
  const measured = async () => {
    if (long) await new Promise((resolve) => setTimeout(resolve, transactionMs));
    return rig.measure();
  };
  let gone = false;
  const onGone = () => {
    gone = true;
  };
  browser.context.on('close', onGone);
  let before: Measured | undefined;
  let after: Measured | undefined;
  let rig = await Rig.start(browser, server);
  const finish = async () => {
    for (const [status, times] of rig.tap.answers) answers[status] = (answers[status] ?? 0) + times;
    await rig.close();
  };
  let done = 0;
  try {
    for (let batch = 0, warm = 0; done < count && failures.length < mostFailures; batch += 1) {
      const cases = Array.from({ length: Math.min(perBatch, count - done) }, (_, index) => from + done + index);
      const fault = await attempt(rig, seed, cases, kinds, batch % registerEvery === registerEvery - 1);
      done += cases.length;
      if (gone) break;
      if (fault !== undefined) {
        say(`case ${from + done}: ${fault}`);
        failures.push(await smallest(browser, server, seed, cases, fault, say));
        await finish();
        rig = await Rig.start(browser, server);
        before = undefined;
        warm = 0;
        continue;
      }
      if (batch % 10 === 9 || done >= count)
        say(`${done} of ${count} messages, ${Math.round((Date.now() - startedAt) / 1_000)} s`);
      warm += 1;
      if (before === undefined && warm >= warmUpBatches[long ? 'long' : 'short']) before = await measured();
    }
    if (!gone) {
      after = await measured();
      judgeMemory(before ?? after, after, long ? undefined : done).forEach(fail);
      const later = await rig.afterwards();
      if (later !== undefined) fail(later);
    }
  } catch (error) {
    // Whatever was tried when the browser went failed with it; all else is the rig's own trouble, and told.
    if (!gone) fail(`The rig gave up: ${error instanceof Error ? error.message : String(error)}`);
  }
  // A crash of its own, or somebody stopped the run (the driver closes the browser then): either way what comes after was not looked at.
  if (gone) fail(`The browser has gone, after ${done} of ${count} messages.`);
  browser.context.off('close', onGone);
  await finish();
  return {
    seed,
    cases: done,
    failed: failures.length,
    kinds,
    answers,
    memory: { before, after },
    failures,
    seconds: Math.round((Date.now() - startedAt) / 1_000),
  };
}

/** What is wrong with the memory. `held`: so many messages may still be held; a long run has waited until none is. */
function judgeMemory(before: Measured, after: Measured, held: number | undefined): string[] {
  const allowed = held === undefined ? before.heapBytes * growthShare : held * heldBytes;
  const grown = after.heapBytes - before.heapBytes;
  const more = after.listeners - before.listeners;
  const kept = after.connectionsInMemory - before.connectionsInMemory;
  return [
    ...(grown > allowed ? [`The heap grew by ${grown} bytes, from ${before.heapBytes}.`] : []),
    ...(after.peerConnections > 0 ? [`${after.peerConnections} peer connections are left over.`] : []),
    ...(kept > moreConnections ? [`${kept} closed peer connections are still in memory.`] : []),
    ...(more > moreListeners ? [`${more} listeners are left over.`] : []),
  ];
}

/** Sends a batch and looks at the phone. What is wrong with it, or nothing. */
async function attempt(
  rig: Rig,
  seed: number,
  cases: readonly CaseNumber[],
  kinds: Record<string, number>,
  registers: boolean,
): Promise<string | undefined> {
  try {
    for (let from = 0; from < cases.length; from += perBatch / 2) {
      await rig.prepare();
      for (const number of cases.slice(from, from + perBatch / 2)) {
        const { kind, message } = tortureCase(rig.scene, seed, number);
        kinds[kind] = (kinds[kind] ?? 0) + 1;
        rig.tap.slip(message);
      }
    }
    if (registers) {
      const mutations = new Mutations(seed + (cases[0] ?? 0));
      await rig.registerAmid((right) => {
        kinds['response to REGISTER'] = (kinds['response to REGISTER'] ?? 0) + 5;
        return Array.from({ length: 5 }, () => mutations.string(right));
      });
    }
    await rig.settle();
  } catch (error) {
    // Whatever the rig waited for in vain: a look tells whether the phone is to blame.
    const fault = await rig.fault().catch(() => undefined);
    return fault ?? `The phone no longer does its work: ${error instanceof Error ? error.message : String(error)}`;
  }
  return rig.fault().catch((error: unknown) => `The page can't be asked any more: ${String(error)}`);
}

/** Halves a batch for as long as one half alone shows the fault; of a few, leaves out one after the other. */
async function smallest(
  browser: TestBrowser,
  server: PhonePageServer,
  seed: number,
  cases: readonly CaseNumber[],
  fault: string,
  say: (text: string) => void,
): Promise<Failure> {
  let suspects = cases;
  let failure: Failure = { what: fault, messages: [], cases };
  const shows = async (some: readonly CaseNumber[]): Promise<boolean> => {
    let rig: Rig | undefined;
    try {
      rig = await Rig.start(browser, server);
      await rig.prepare();
      const { scene } = rig;
      const texts = some.length > few ? [] : some.map((number) => tortureCase(scene, seed, number));
      const what = await attempt(rig, seed, some, {}, false);
      if (what === undefined) return false;
      const messages = texts.map(({ kind, message }) => ({ kind, text: readable(message) }));
      failure = { what, messages, cases: some };
      say(`shrunk to ${some.length}`);
      return true;
    } catch (error) {
      say(`could not be tried: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    } finally {
      await rig?.close();
    }
  };
  for (let smaller: readonly CaseNumber[] | undefined = suspects; smaller; ) {
    suspects = smaller;
    smaller = undefined;
    for (const some of smallerOnes(suspects)) {
      if (await shows(some)) {
        smaller = some;
        break;
      }
    }
  }
  return failure;
}

function smallerOnes(cases: readonly CaseNumber[]): readonly (readonly CaseNumber[])[] {
  if (cases.length < 2) return [];
  const middle = Math.ceil(cases.length / 2);
  const halves = [cases.slice(0, middle), cases.slice(middle)];
  return cases.length > few
    ? halves
    : [...halves, ...cases.map((_, left) => cases.filter((__, index) => index !== left))];
}

function readable(message: string | Uint8Array): string {
  return (typeof message === 'string' ? message : `hex ${Buffer.from(message).toString('hex')}`).slice(0, 4_000);
}
