/**
 * `npm run conformance -- [--write] [FILE…]`: runs the tests that declare what the phone does with each far end, tells what was shown, and writes
 * `docs/conformance.md` from it. Must never write a table with something in it that this run did not show.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeAsteriskRoot } from './asterisk-root.ts';
import {
  type ConformanceEntry,
  conformanceDocument,
  conformanceFile,
  declaredConformance,
} from './conformance-table.ts';
import { installSystemPackages } from './system-packages.ts';

const help = `Usage: npm run conformance -- [--write] [FILE…]
Runs the tests that show what the phone does with baresip, linphone, SIPp, Asterisk, a second Patchcord and the sandbox switch.
  FILE     only these test files (nothing is written then)
  --write  writes ${conformanceFile} when everything that the tests declare was shown`;

process.exit(main());

function main(): number {
  let values: { write: boolean; help: boolean };
  let positionals: string[];
  try {
    ({ values, positionals } = parseArgs({
      allowPositionals: true,
      options: { write: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
    }));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${help}`);
    return 2;
  }
  if (values.help) {
    console.log(help);
    return 0;
  }
  const all = declaredConformance();
  const known = new Set(all.map(({ file }) => file));
  const unknown = positionals.filter((file) => !known.has(file));
  if (unknown.length > 0 || (values.write && positionals.length > 0)) {
    const why = unknown.length > 0 ? `Nothing is declared in ${unknown.join(', ')}.` : '--write takes all files.';
    console.error(`${why}\n\n${help}`);
    return 2;
  }
  const declared = positionals.length === 0 ? all : all.filter(({ file }) => positionals.includes(file));
  installSystemPackages(console.error);
  makeAsteriskRoot(console.error);

  const folder = mkdtempSync(join(tmpdir(), 'patchcord-conformance-'));
  const file = join(folder, 'shown.jsonl');
  writeFileSync(file, '');
  const files = [...new Set(declared.map((it) => it.file))];
  const inLab = files.filter((name) => name.endsWith('.lab.test.ts'));
  const others = files.filter((name) => !inLab.includes(name));
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project'];
  const runs = [
    ...(others.length === 0 ? [] : [[...vitest, 'browser', ...others]]),
    ...(inLab.length === 0 ? [] : [['test/sip-lab/run-in-lab.ts', '--', process.execPath, ...vitest, 'lab', ...inLab]]),
  ];
  let failed = 0;
  for (const command of runs) {
    const env = { ...process.env, PATCHCORD_CONFORMANCE: file };
    if (spawnSync(process.execPath, command, { stdio: 'inherit', env }).status !== 0) failed += 1;
  }
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  rmSync(folder, { recursive: true, force: true });
  const shown = new Set(lines);
  // The source says the same as the run, or it was not shown.
  const missing = declared.filter(({ entry }) => !shown.has(JSON.stringify(entry)));
  for (const { file: where, entry } of missing)
    console.error(`✘ not shown: ${entry.feature}, ${entry.farEnd} (${where})`);
  console.log(`${shown.size} shown, ${missing.length} not shown, ${failed} of ${runs.length} runs failed`);
  if (failed > 0 || missing.length > 0) return 1;
  if (values.write) {
    const entries = [...shown].map((line) => JSON.parse(line) as ConformanceEntry);
    writeFileSync(conformanceFile, conformanceDocument(entries));
    console.log(conformanceFile);
  }
  return 0;
}
