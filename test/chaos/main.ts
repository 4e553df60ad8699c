/**
 * `npm run chaos -- [--json] [--seed N] [--sequences N] [--only I] [--agents N] [--on switch|kamailio] [--short]`: random sequences of what agents do and of
 * what breaks under them, judged by what is left at both ends. Owns the command line.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { installSystemPackages } from '../../scripts/system-packages.ts';
import { insideLab } from '../sip-lab/namespaces.ts';
import { chaos } from './chaos.ts';
import { runInLab } from './lab.ts';
import { switchSystem } from './system.ts';

const help = `Usage: npm run chaos -- [--json] [--seed N] [--sequences N] [--only I] [--agents N] [--on switch|kamailio] [--short] [--verbose]
Plays random sequences of calls (dial, answer, hold, mute, swap, conference, transfer with and without asking first, hang up) and faults (page loaded anew, renderer killed, another
tab, socket cut, server away, network away, relay restarted) with the real panel in Chromium. After each sequence: every call ended with exactly one log
that has its times, nobody is left at the other end, one phone was registered, and no call was lost that outlives its page.
  --sequences  how many (default 1000 on the switch, 50 on kamailio)
  --only       the sequence with this index of the seed's run: repeats a failure
  --agents     how many at once, each with a browser (default 2; on kamailio one)
  --on         the sandbox switch, or Kamailio and rtpengine with baresip and linphone
  --short      the form that npm test runs: 10
  --verbose    tells every sequence on standard error, not only those that fail
  --json       one JSON object on standard output, nothing else`;

process.exit(await main());

/** Profiles and stores of this run have one place, which goes with the process, interrupted or not. */
function leaveNothingBehind(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-chaos-'));
  process.env.TMPDIR = folder;
  const clear = (): void => rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  for (const [name, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.once(name, () => {
      // Added last: the browsers are ended before their profiles go.
      process.once('exit', clear);
      process.exit(code);
    });
  }
  return clear;
}

async function main(): Promise<number> {
  let values: {
    json: boolean;
    verbose: boolean;
    short: boolean;
    help: boolean;
    on: string;
    seed?: string;
    sequences?: string;
    only?: string;
    agents?: string;
  };
  try {
    ({ values } = parseArgs({
      options: {
        json: { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        short: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        on: { type: 'string', default: 'switch' },
        seed: { type: 'string' },
        sequences: { type: 'string' },
        only: { type: 'string' },
        agents: { type: 'string' },
      },
    }));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${help}`);
    return 2;
  }
  if (values.help) {
    console.log(help);
    return 0;
  }
  const onLab = values.on === 'kamailio';
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const sequences = Number(values.sequences ?? (values.short ? 10 : onLab ? 50 : 1_000));
  const only = values.only === undefined ? undefined : Number(values.only);
  const agents = onLab ? 1 : Number(values.agents ?? 2);
  const whole = [seed, sequences, agents, ...(only === undefined ? [] : [only])].every(
    (it) => Number.isInteger(it) && it >= 0,
  );
  if (!whole || sequences < 1 || agents < 1 || !['switch', 'kamailio'].includes(values.on)) {
    console.error(
      `--seed, --sequences, --only and --agents must be whole numbers, --on is switch or kamailio.\n\n${help}`,
    );
    return 2;
  }
  installSystemPackages(console.error);
  if (onLab && !insideLab()) return runInLab(process.argv.slice(1));
  const clear = leaveNothingBehind();
  const result = await chaos({
    seed,
    sequences,
    ...(only === undefined ? {} : { only }),
    agents,
    system: onLab ? (await import('./lab.ts')).labSystem : switchSystem,
    ...(onLab ? { loopbackMedia: false } : {}),
    verbose: values.verbose,
    say: (text) => console.error(text),
  }).finally(clear);
  if (values.json) console.log(JSON.stringify({ run: 'chaos', on: values.on, ...result }));
  else {
    for (const { index, rule, steps } of result.failures)
      console.log(`✘ ${rule}\n  ${steps}\n  --seed ${seed} --only ${index}`);
    console.log(
      `${result.sequences} sequences, ${result.failed} failed, ${result.calls} calls, seed ${seed}, ${result.seconds} s`,
    );
  }
  return result.failed === 0 && result.calls > 0 ? 0 : 1;
}
