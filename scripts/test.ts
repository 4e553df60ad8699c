/**
 * Runs the tests and counts them. `npm test` runs every project, the lab ones inside their own network namespaces; `npm run test:unit` runs
 * what needs only Node. The last line is `N passed, N failed`; a project that dies without a report counts as one failure.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAsteriskRoot } from './asterisk-root.ts';
import { installSystemPackages } from './system-packages.ts';

const projects = ['unit', 'lwc', 'store', 'browser', 'lab'] as const;
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
let passed = 0;
let failed = 0;
for (const project of chosen) {
  const report = join(reports, `${project}.json`);
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', project];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const command =
    project === 'lwc'
      ? ['scripts/test-lwc.ts', report]
      : project === 'lab'
        ? ['test/sip-lab/run-in-lab.ts', '--', process.execPath, ...vitest, ...reporters]
        : [...vitest, ...reporters];
  console.log(`\n── ${project} ──`);
  const run = spawnSync(process.execPath, command, { stdio: 'inherit' });
  const counts = readCounts(report);
  passed += counts.passed;
  failed += counts.failed;
  if (run.status !== 0 && counts.failed === 0) {
    console.error(
      `The project "${project}" ended with ${run.status ?? run.signal} although no test failed: counted as one failure.`,
    );
    failed += 1;
  }
}
rmSync(reports, { recursive: true, force: true });
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);

function readCounts(file: string): { passed: number; failed: number } {
  try {
    const report: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const count = (key: string): number => {
      const value = typeof report === 'object' && report !== null ? Reflect.get(report, key) : undefined;
      return typeof value === 'number' ? value : 0;
    };
    // A skipped test is not a passed one: it fails the run, so that nobody gets used to it.
    return {
      passed: count('numPassedTests'),
      failed: count('numFailedTests') + count('numPendingTests') + count('numTodoTests'),
    };
  } catch {
    return { passed: 0, failed: 0 };
  }
}
