/**
 * Reads what a test runner wrote down: vitest and jest use the same JSON report. It must never count a skipped test as a passed one.
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import * as v from 'valibot';

const ReportSchema = v.object({
  numPassedTests: v.number(),
  numFailedTests: v.number(),
  numPendingTests: v.optional(v.number(), 0),
  numTodoTests: v.optional(v.number(), 0),
  testResults: v.array(
    v.object({
      name: v.string(),
      status: v.string(),
      message: v.optional(v.string(), ''),
      assertionResults: v.array(
        v.object({ fullName: v.string(), status: v.string(), failureMessages: v.nullish(v.array(v.string())) }),
      ),
    }),
  ),
});

/** The counts of one run, and a line or two about each test that did not pass. */
export type TestReport = { readonly passed: number; readonly failed: number; readonly failures: readonly string[] };

/** What stands in the report; undefined when there is none, or none that can be read: the runner died. */
export function readTestReport(file: string): TestReport | undefined {
  let report: v.InferOutput<typeof ReportSchema>;
  try {
    report = v.parse(ReportSchema, JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
  const failures = report.testResults.flatMap((suite) => {
    const where = relative(process.cwd(), suite.name);
    const tests = suite.assertionResults
      .filter(({ status }) => status !== 'passed')
      .map((test) => `${where} › ${test.fullName} (${test.status})${indented(test.failureMessages?.[0])}`);
    // A file that could not be loaded, or whose preparation failed, has no test that says so.
    return tests.length === 0 && suite.status === 'failed' ? [`${where}${indented(suite.message)}`] : tests;
  });
  // A skipped test is not a passed one: it fails the run, so that nobody gets used to it.
  const failed = report.numFailedTests + report.numPendingTests + report.numTodoTests;
  return { passed: report.numPassedTests, failed, failures };
}

/** The first lines of a message without the runner's own frames: it says where to look, and is no copy of the output. */
function indented(message = ''): string {
  const lines = message.split('\n').filter((line) => line.trim() !== '' && !line.includes('/node_modules/'));
  return lines
    .slice(0, 12)
    .map((line) => `\n    ${line.slice(0, 200)}`)
    .join('');
}
