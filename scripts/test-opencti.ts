/**
 * `npm run test:opencti`: the contract of Open CTI in Chromium, over the sandbox's stand-in or over a script that was saved from an org. Owns the
 * question which script it is; the suite is in test/opencti/. Must never call a run good that proved another script than the one asked for.
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { scriptUnderTest } from '../test/opencti/script-under-test.ts';
import { installSystemPackages } from './system-packages.ts';

const help = `Usage: npm run test:opencti [-- --help]
Runs our panel half against an Open CTI script in Chromium, with every fault of a host page.

  npm run test:opencti
      proves it over the sandbox's stand-in, in several versions
  OPENCTI_SCRIPT=<file> npm run test:opencti
      proves it over the script in that file, e.g. your org's own, saved from
      https://<my domain>.my.salesforce.com/support/api/66.0/lightning/opencti_min.js
  OPENCTI_VERSION=<number>
      its API version, where neither the file's name nor its content says it`;

const unknown = process.argv.slice(2).filter((word) => word !== '--help');
if (process.argv.includes('--help') || unknown.length > 0) {
  if (unknown.length > 0) console.error(`"${unknown.join(' ')}" is not known here.`);
  console.log(help);
  process.exit(unknown.length > 0 ? 2 : 0);
}

const file = process.env.OPENCTI_SCRIPT;
// npm may change the folder before the suite reads the file.
const env = { ...process.env, ...(file ? { OPENCTI_SCRIPT: resolve(process.env.INIT_CWD ?? '.', file) } : {}) };
let label: string;
try {
  label = scriptUnderTest(env).label;
  installSystemPackages();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
console.log(`Open CTI script: ${label}`);
const run = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', '--project', 'browser', 'test/opencti'],
  { stdio: 'inherit', env },
);
console.log(
  run.status === 0 ? `\nProved over ${label}.` : `\nNot proved over ${label}: what is above failed or did not run.`,
);
process.exit(run.status ?? 1);
