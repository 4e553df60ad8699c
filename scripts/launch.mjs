#!/usr/bin/env node
/**
 * The front door of every npm script: makes sure the dependencies are there, then runs the command on the pinned Node.
 * Plain JavaScript without imports from npm, because it runs first, on whatever Node the machine has (20 or newer).
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bin = join(root, 'node_modules', '.bin');
const stamp = join(root, 'node_modules', '.patchcord-installed');

/** Command → script that carries it out on the pinned Node, with its fixed arguments. */
const commands = {
  start: ['scripts/start.ts'],
  dev: ['--watch', '--watch-preserve-output', 'scripts/start.ts', '--no-open'],
  relay: ['server/src/main.ts'],
  test: ['scripts/test.ts'],
  'test:unit': ['scripts/test.ts', 'unit'],
  'test:opencti': ['scripts/test-opencti.ts'],
  check: ['scripts/check.ts'],
  bench: ['test/bench/main.ts'],
  faults: ['test/faults/main.ts'],
  attack: ['test/attack/main.ts'],
  build: ['scripts/build.ts'],
  docs: ['scripts/docs.ts'],
  format: ['scripts/format.ts'],
  salesforce: ['scripts/salesforce.ts'],
  hubspot: ['scripts/hubspot.ts'],
  pictures: ['test/e2e/pictures.ts'],
  torture: ['test/torture/main.ts'],
  conformance: ['scripts/conformance.ts'],
  endurance: ['test/conformance/main.ts'],
  chaos: ['test/chaos/main.ts'],
};

const [name, ...rest] = process.argv.slice(2);
if (name === undefined || !Object.hasOwn(commands, name)) {
  console.error(`Usage: node scripts/launch.mjs ${Object.keys(commands).join(' | ')} [options]`);
  process.exit(2);
}
installDependencies();
const result = spawnSync(pinnedNode(), [...commands[name], ...rest], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${bin}:${process.env.PATH ?? ''}` },
});
if (result.error !== undefined) console.error(`Could not run ${name}: ${result.error.message}`);
process.exit(result.status ?? 1);

/** Runs `npm ci` when the lock file is not the one that was installed last. */
function installDependencies() {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock && existsSync(pinnedNode())) return;
  console.error('Installing dependencies (npm ci) …');
  const npm = spawnSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (npm.status !== 0 || !existsSync(pinnedNode())) {
    console.error(
      `Could not install the dependencies: ${npm.error?.message ?? `npm ci ended with ${npm.status}`}.\n` +
        'Patchcord needs the npm registry once, and the install script of the package "node", which brings the pinned Node 24.\n' +
        'Check the network and that npm may run install scripts, then try again.',
    );
    process.exit(1);
  }
  writeFileSync(stamp, lock);
}

/** The pinned Node: the binary of the npm package `node`. */
function pinnedNode() {
  return join(root, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}
