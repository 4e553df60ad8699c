/**
 * A run of chaos: several agents at once, each with a phone system, a relay, a CRM and a browser of their own, share the sequences of a seed. Owns
 * the agents' stands and the counting.
 */
import { openStage, type Stage } from '../../scripts/stage.ts';
import { startBrowser } from '../browser/chromium.ts';
import { until } from '../e2e/telephony.ts';
import { Agent, type Device } from './agent.ts';
import { type Plan, planOf } from './plan.ts';
import { markedArgs } from './renderers.ts';
import { agentTone, Broken, planWords, play } from './sequence.ts';
import type { ChaosSystem, FarEnd } from './system.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly sequences: number;
  /** Only the sequence with this index. */
  readonly only?: number;
  /** How many agents at once. */
  readonly agents: number;
  readonly system: () => Promise<ChaosSystem>;
  /** Offer loopback addresses for sound. Default true. */
  readonly loopbackMedia?: boolean;
  /** Says each sequence, not only those that fail. */
  readonly verbose?: boolean;
  readonly say: (text: string) => void;
}

export interface Failure {
  readonly index: number;
  readonly rule: string;
  readonly steps: string;
}

export interface ChaosResult {
  readonly seed: number;
  readonly sequences: number;
  readonly failed: number;
  /** Steps that were really done, and calls that were begun: a run that did nothing passed nothing. */
  readonly steps: number;
  readonly calls: number;
  readonly seconds: number;
  readonly failures: readonly Failure[];
}

/** Plays them all. Rejects only when it could not be carried out. */
export async function chaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, only, say } = options;
  const begun = Date.now();
  const indices = only === undefined ? Array.from({ length: options.sequences }, (_, index) => index) : [only];
  const queue = [...indices];
  const failures: Failure[] = [];
  let steps = 0;
  let calls = 0;
  let played = 0;

  async function work(): Promise<void> {
    let desk: Desk | null = null;
    try {
      for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
        const plan = planOf(seed, index);
        const at = Date.now();
        try {
          desk ??= await openDesk(options);
          const result = await desk.play(plan);
          steps += result.done.length;
          calls += result.calls;
          if (options.verbose === true) say(`${index}: ${result.done.join(' ')} (${Date.now() - at} ms)`);
        } catch (error) {
          const rule =
            error instanceof Broken
              ? error.message
              : `could not be played: ${error instanceof Error ? error.message : error}`;
          failures.push({ index, rule, steps: planWords(plan.steps) });
          say(`✘ ${index}: ${rule}\n    ${planWords(plan.steps)}`);
          // What one sequence left behind is not to be found by the next.
          await desk?.close();
          desk = null;
        }
        played += 1;
        if (played % 25 === 0)
          say(
            `${played} of ${indices.length}, ${failures.length} failed, ${Math.round((Date.now() - begun) / 1_000)} s`,
          );
      }
    } finally {
      await desk?.close();
    }
  }

  await Promise.all(Array.from({ length: Math.min(options.agents, indices.length) }, work));
  return {
    seed,
    sequences: played,
    failed: failures.length,
    steps,
    calls,
    seconds: Math.round((Date.now() - begun) / 1_000),
    failures: failures.sort((a, b) => a.index - b.index),
  };
}

/** One agent's place: everything a sequence needs, used for one after the other. */
interface Desk {
  play(plan: Plan): ReturnType<typeof play>;
  close(): Promise<void>;
}

async function openDesk(options: ChaosOptions): Promise<Desk> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const it of closers.splice(0).reverse()) await it().catch(() => undefined);
  };
  try {
    const system = await options.system();
    closers.push(() => system.close());
    const stage = await openStage({ telephony: system.telephony, logLevel: 'silent' });
    closers.push(() => stage.close());
    const startDevice = async (): Promise<Device> => {
      const { mark, args } = markedArgs();
      const browser = await startBrowser({
        toneHz: agentTone,
        extraArgs: args,
        ...(options.loopbackMedia === undefined ? {} : { loopbackMedia: options.loopbackMedia }),
      });
      closers.push(() => browser.close());
      return { browser, mark };
    };
    const agent = new Agent(stage, startDevice);
    await agent.open();
    let used = 0;
    const next = (): FarEnd => {
      const far = system.farEnds[used % system.farEnds.length];
      used += 1;
      if (far === undefined) throw new Error('This phone system has no far end.');
      return far;
    };
    return {
      play: (plan) =>
        play(plan, { agent, system, restartRelay: () => stage.restartRelay(), owed: () => owed(stage) }, next),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What the relay still owes to the CRM, from its own metrics. */
async function owed(stage: Stage): Promise<number> {
  const text = await until('the relay’s metrics', async () => {
    const reply = await fetch(`${stage.relayUrl}/metrics`).catch(() => null);
    return reply?.ok === true ? await reply.text() : undefined;
  });
  return [...text.matchAll(/^patchcord_outbox_effects\{[^}]*state="waiting"[^}]*\} (\d+)/gm)].reduce(
    (sum, match) => sum + Number(match[1]),
    0,
  );
}
