import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readTestReport } from '../../../scripts/test-report.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'patchcord-report-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function written(report: unknown): string {
  const file = join(folder, 'report.json');
  writeFileSync(file, typeof report === 'string' ? report : JSON.stringify(report));
  return file;
}

it('names each test that did not pass, with the first lines of what it said; a skipped one has failed', () => {
  const report = readTestReport(
    written({
      numPassedTests: 7,
      numFailedTests: 1,
      numPendingTests: 1,
      testResults: [
        {
          name: resolve('test/unit/one.test.ts'),
          status: 'failed',
          assertionResults: [
            { fullName: 'one goes well', status: 'passed', failureMessages: [] },
            {
              fullName: 'one falls',
              status: 'failed',
              failureMessages: ['Error: it fell\n    at here\n    at /x/node_modules/y.js'],
            },
            { fullName: 'one is left out', status: 'skipped' },
          ],
        },
      ],
    }),
  );
  expect(report).toEqual({
    passed: 7,
    failed: 2,
    failures: [
      'test/unit/one.test.ts › one falls (failed)\n    Error: it fell\n        at here',
      'test/unit/one.test.ts › one is left out (skipped)',
    ],
  });
});

it('names a file that could not be loaded', () => {
  const file = written({
    numPassedTests: 0,
    numFailedTests: 0,
    testResults: [
      { name: resolve('test/unit/two.test.ts'), status: 'failed', message: 'No such module', assertionResults: [] },
    ],
  });
  expect(readTestReport(file)).toEqual({
    passed: 0,
    failed: 0,
    failures: ['test/unit/two.test.ts\n    No such module'],
  });
});

it('has nothing to say of a runner that died', () => {
  expect(readTestReport(written('{"numPassed'))).toBeUndefined();
  expect(readTestReport(join(folder, 'never-written.json'))).toBeUndefined();
});
