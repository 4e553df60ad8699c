/**
 * Runs the tests, counts them, and names at the end what failed. `npm test` runs every project, the lab ones inside their own network
 * namespaces; `npm run test:unit` runs what needs only Node. The last line is `N passed, N failed`; a project that dies without a report
 * counts as one failure.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAsteriskRoot } from './asterisk-root.ts';
import { buildPanel, builtPanelFolder, writePanel } from './panel-bundle.ts';
import { installSystemPackages } from './system-packages.ts';
import { readTestReport } from './test-report.ts';

const projects = ['unit', 'lwc', 'store', 'browser', 'panel', 'lab'] as const;
type Project = (typeof projects)[number];
/** A project, or one half of its files. */
type Part = Project | `${Project} ${1 | 2}/2`;
const projectOf = (part: Part): Project => part.split(' ')[0] as Project;
/**
 * Stages follow each other; the lanes of a stage run side by side, the projects of a lane one after the other. The first lane is shown as it runs.
 * Browsers and databases wait more than they work, so that two cores take three lanes of them. Calls on real servers have the machine for themselves,
 * in two laboratories: each half has servers and networks of its own, and waits for sound most of the time.
 */
const stages: readonly (readonly (readonly Part[])[])[] = [
  [['unit']],
  [['browser 1/2'], ['browser 2/2', 'panel', 'lwc'], ['store']],
  [['lab 1/2'], ['lab 2/2']],
];
const help = `Usage: npm test [-- PROJECT…] [-- --help]
Projects: ${projects.join(', ')} (all when none is named). One file: npx vitest run --project unit test/unit/…`;

const asked = process.argv.slice(2);
if (asked.includes('--help')) {
  console.log(help);
  process.exit(0);
}
const unknown = asked.filter((name) => !projects.some((project) => project === name));
if (unknown.length > 0) {
  console.error(`There is no test project "${unknown.join('", "')}".\n${help}`);
  process.exit(2);
}
const chosen = asked.length === 0 ? projects : projects.filter((project) => asked.includes(project));

if (chosen.some((project) => project !== 'unit' && project !== 'lwc')) {
  try {
    installSystemPackages();
    if (chosen.includes('lab')) makeAsteriskRoot();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}

const reports = mkdtempSync(join(tmpdir(), 'patchcord-test-'));
// Relays and test files are processes by the hundred: what Node compiled for one of them need not be compiled for the next.
process.env.NODE_COMPILE_CACHE ??= join(reports, 'compiled');
// A relay that is killed leaves nothing behind for the next: this one ends by itself.
if (chosen.some((project) => project !== 'lwc'))
  await output(['server/src/main.ts', '--help'], join(reports, 'compiled.log'));
if (chosen.some((project) => ['browser', 'panel', 'lab'].includes(project))) {
  process.env[builtPanelFolder] = join(reports, 'panel');
  writePanel(await buildPanel(), join(reports, 'panel'));
}
let passed = 0;
let failed = 0;
const failures: string[] = [];
for (const stage of stages) {
  const lanes = stage
    .map((lane) => lane.filter((part) => chosen.includes(projectOf(part))))
    .filter((lane) => lane.length > 0);
  await Promise.all(
    lanes.map(async (lane, index) => {
      for (const part of lane) await run(part, index === 0 ? undefined : join(reports, `${fileName(part)}.log`));
    }),
  );
}
rmSync(reports, { recursive: true, force: true });
// Once more at the end, where they are found among the output of all that ran side by side.
if (failures.length > 0) console.log(`\n── what failed ──\n${failures.join('\n')}`);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

function fileName(part: Part): string {
  return part.replace(/\W/g, '-');
}

/** Runs one project, or half of it, and adds up its counts. With `log` its output is kept there and shown when it is done. */
async function run(part: Part, log?: string): Promise<void> {
  const [project = part, half] = part.split(' ');
  const report = join(reports, `${fileName(part)}.json`);
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', project, ...(half ? [`--shard=${half}`] : [])];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const command =
    project === 'lwc'
      ? ['scripts/test-lwc.ts', report]
      : project === 'lab'
        ? ['test/sip-lab/run-in-lab.ts', '--', process.execPath, ...vitest, ...reporters]
        : [...vitest, ...reporters];
  console.log(log === undefined ? `\n── ${part} ──` : `\n── ${part} ── runs beside it; what it says follows`);
  const ended = await output(command, log);
  if (log !== undefined) console.log(`\n── ${part} ──\n${readFileSync(log, 'utf8')}`);
  const counts = readTestReport(report) ?? { passed: 0, failed: 0, failures: [] };
  passed += counts.passed;
  failed += counts.failed;
  failures.push(...counts.failures.map((failure) => `${part}: ${failure}`));
  if (ended !== 0 && counts.failed === 0) {
    failures.push(`${part}: ended with ${ended} although no test failed: counted as one failure.`);
    failed += 1;
  }
}

/** The exit code, or the signal that ended it. */
function output(command: readonly string[], log: string | undefined): Promise<number | string> {
  const file = log === undefined ? null : openSync(log, 'w');
  const child = spawn(process.execPath, command, {
    stdio: file === null ? 'inherit' : ['ignore', file, file],
  });
  if (file !== null) closeSync(file);
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code ?? signal ?? 1));
  });
}
