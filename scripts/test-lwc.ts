/**
 * Runs the tests of the Lightning Web Components and writes jest's counts where `scripts/test.ts` reads them.
 * `node scripts/test-lwc.ts [report.json] [test file…]`. Ends with 0 only when at least one test ran and none failed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTestReport } from './test-report.ts';

const [first, ...rest] = process.argv.slice(2);
const given = first?.endsWith('.json') === true;
const folder = mkdtempSync(join(tmpdir(), 'patchcord-lwc-'));
const report = given ? first : join(folder, 'lwc.json');
const files = given ? rest : first === undefined ? [] : [first, ...rest];

const run = spawnSync(
  process.execPath,
  ['node_modules/jest/bin/jest.js', '--config', 'jest.config.cjs', '--json', `--outputFile=${report}`, ...files],
  // Jest prints the whole report on its output as well; its error output is what a person reads.
  { stdio: ['ignore', 'ignore', 'inherit'] },
);
const { passed, failed, failures } = readTestReport(report) ?? { passed: 0, failed: 1, failures: [] };
rmSync(folder, { recursive: true, force: true });
console.log(`lwc: ${passed} passed, ${failed} failed`);
// A file that could not be loaded is a failure without a test that failed.
process.exit(run.status === 0 && passed > 0 && failed === 0 && failures.length === 0 ? 0 : 1);
