/**
 * A drill: something is broken or attacked on purpose, and it is counted what came of it. Owns the shape of a drill and the command line that
 * `npm run faults` and `npm run attack` share; what a drill does stands in its own file. Must never call a drill passed that tried nothing.
 */
import { parseArgs } from 'node:util';

export interface DrillOptions {
  /** The same seed gives the same choices; printed with the line. */
  readonly seed: number;
  /** The short form that `npm test` runs: the same steps, fewer of them. */
  readonly short: boolean;
  /** Progress for a person; goes to standard error. */
  readonly say: (text: string) => void;
}

/** What came of it: counts only, and `passed`. */
export interface DrillResult {
  readonly passed: boolean;
  /** Why it does not apply, or what a count means; one sentence. */
  readonly note?: string;
  readonly [count: string]: number | string | boolean | undefined;
}

export interface Drill {
  readonly about: string;
  /** Runs it, starting and ending everything it needs. Rejects only when it could not be carried out. */
  run(options: DrillOptions): Promise<DrillResult>;
}

/**
 * Runs the form that `npm test` runs.
 * @throws Error when it did not pass, with its counts and everything it said: a failure on another machine is told by that alone
 */
export async function runShort(drill: Drill): Promise<DrillResult> {
  const said: string[] = [];
  const result = await drill.run({ seed: 1, short: true, say: (text) => said.push(text) });
  if (!result.passed) throw new Error([JSON.stringify(result), ...said].join('\n'));
  return result;
}

/** Name → the module of the drill, loaded when it is its turn. */
export type Drills = Readonly<Record<string, () => Promise<{ readonly drill: Drill }>>>;

/**
 * Runs the drills that the command line names (all when it names none), one after the other, and prints a line each.
 * @param key Name of the first field of a line: `fault` or `attack`
 * @returns the exit code: 0 all passed, 1 one did not, 2 the command line is wrong
 */
export async function runDrills(key: 'fault' | 'attack', drills: Drills): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      short: { type: 'boolean', default: false },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      help: { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  const unknown = positionals.filter((name) => !Object.hasOwn(drills, name));
  if (values.help || unknown.length > 0 || !Number.isInteger(seed)) {
    const lines: string[] = [];
    for (const [name, load] of Object.entries(drills)) lines.push(`  ${name.padEnd(4)} ${(await load()).drill.about}`);
    const command = key === 'fault' ? 'faults' : 'attack';
    const wrong = unknown.length > 0 ? `There is no ${key} "${unknown.join('", "')}".\n` : '';
    const print = values.help ? console.log : console.error;
    print(
      `${wrong}Usage: npm run ${command} -- [NAME…] [--json] [--short] [--seed N]\n${lines.join('\n')}\n` +
        '  --json   one JSON object a line, nothing else on standard output\n  --short  the form that npm test runs\n  --seed   repeat a run',
    );
    return values.help ? 0 : 2;
  }
  const chosen = positionals.length === 0 ? Object.keys(drills) : positionals;
  let failed = 0;
  for (const name of chosen) {
    const load = drills[name];
    if (load === undefined) continue;
    const begun = Date.now();
    let result: DrillResult;
    try {
      const { drill } = await load();
      console.error(`${name}: ${drill.about}`);
      result = await drill.run({ seed, short: values.short, say: (text) => console.error(`  ${text}`) });
    } catch (error) {
      console.error(error);
      result = { passed: false, note: `could not be carried out: ${error instanceof Error ? error.message : error}` };
    }
    if (!result.passed) failed += 1;
    const line = { [key]: name, ...result, seed, seconds: Math.round((Date.now() - begun) / 1_000) };
    console.log(values.json ? JSON.stringify(line) : readable(line));
  }
  return failed === 0 ? 0 : 1;
}

function readable(line: Readonly<Record<string, unknown>>): string {
  return Object.entries(line)
    .map(([name, value]) => `${name} ${value}`)
    .join('  ');
}
