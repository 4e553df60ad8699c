/**
 * `npm run check`: format and lint, types, layers, dead code, the Salesforce source, the HubSpot project, size budgets, generated docs. Runs all of them and reports every failure, so
 * that one run is enough to know what to mend.
 */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { conformanceDocument, conformanceFile, declaredConformance } from './conformance-table.ts';
import { generatedDocs } from './docs.ts';
import { hubSpotExtensionChecks } from './hubspot-extension/checks.ts';
import { buildPanel } from './panel-bundle.ts';
import { salesforceChecks } from './salesforce/checks.ts';
import { installSystemPackages, missingSystemPackages } from './system-packages.ts';

/** gzip -9 bytes an agent may load at the start, script and stylesheet, in the CRM where it is most (docs/adr/0015). Never to be raised. */
const panelBudget = 140_000;
/** The same of each part that is loaded on top of it when it is needed. */
const partBudgets: Readonly<Record<string, number>> = {
  'self-test': 7_000,
  screens: 20_500,
  watching: 4_500,
  'taking-up': 4_000,
  'call-extras': 5_500,
  transcription: 13_500,
  'sound-tap-worklet': 1_500,
  'noise-suppression': 1_700,
  'noise-worklet': 12_500,
  rnnoise: 116_500,
};
/** With an unfitting parser the layer checker sees almost nothing and says all is well; below this many modules that has happened. */
const fewestModules = 100;

const failures: string[] = [];

if (missingSystemPackages().some((name) => name.startsWith('openjdk'))) installSystemPackages();

run('format and lint', 'node_modules/@biomejs/biome/bin/biome', ['check', '.', '--error-on-warnings']);
// It takes longest, and goes on beside the others.
const types = started('node_modules/typescript/bin/tsc', ['--noEmit', '-p', 'tsconfig.json']);
checkLayers();
run('dead code', 'node_modules/knip/bin/knip.js', ['--no-progress']);
await checkSalesforce();
await checkHubSpot();
await checkSize();
checkGeneratedDocs();
checkConformance();
const { good, said } = await types;
process.stdout.write(said);
report('types', good);

if (failures.length > 0) {
  console.error(`\ncheck failed: ${failures.join(', ')}`);
  process.exit(1);
}
console.log('\ncheck passed');

function run(name: string, script: string, args: readonly string[]): void {
  const result = spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' });
  report(name, result.status === 0);
}

/** Runs it beside whatever else is done; resolves to what it said, never rejects. */
function started(script: string, args: readonly string[]): Promise<{ readonly good: boolean; readonly said: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], { maxBuffer: 10_000_000 }, (error, stdout, stderr) =>
      resolve({ good: error === null, said: `${stdout}${stderr}` }),
    );
  });
}

function report(name: string, good: boolean, detail = ''): void {
  console.log(`${good ? '✔' : '✘'} ${name}${detail === '' ? '' : `: ${detail}`}`);
  if (!good) failures.push(name);
}

function checkLayers(): void {
  const result = spawnSync(
    process.execPath,
    [
      'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs',
      'packages',
      'server',
      'sandbox',
      'test',
      'scripts',
      '--config',
      '.dependency-cruiser.mjs',
    ],
    { encoding: 'utf8' },
  );
  const output = `${result.stdout}${result.stderr}`;
  const cruised = Number(/\((\d+) modules/.exec(output)?.[1] ?? /, (\d+) modules/.exec(output)?.[1] ?? 0);
  if (result.status !== 0) console.error(output);
  report('layers', result.status === 0 && cruised >= fewestModules, `${cruised} modules`);
}

/** Metadata, Apex and Lightning components, as far as they can be checked without an org. Needs Java 17. */
async function checkSalesforce(): Promise<void> {
  for await (const { name, detail, failures } of salesforceChecks(process.cwd())) {
    for (const failure of failures) console.error(`  ${failure}`);
    report(name, failures.length === 0, detail);
  }
}

/** The HubSpot project, as far as it can be checked without an account. */
async function checkHubSpot(): Promise<void> {
  for await (const { name, detail, failures } of hubSpotExtensionChecks(join(process.cwd(), 'hubspot-extension'))) {
    for (const failure of failures) console.error(`  ${failure}`);
    report(name, failures.length === 0, detail);
  }
}

async function checkSize(): Promise<void> {
  const { agentGzipBytes: total, partGzipBytes, weights } = await buildPanel();
  report('panel size', total <= panelBudget, `${(total / 1000).toFixed(1)} of ${panelBudget / 1000} kB gzip`);
  for (const [name, bytes] of partGzipBytes) {
    const budget = partBudgets[name] ?? 0;
    report(`${name} size`, bytes <= budget, `${(bytes / 1000).toFixed(1)} of ${budget / 1000} kB gzip, loaded later`);
  }
  const all = [...partGzipBytes.values()].reduce((sum, bytes) => sum + bytes, total);
  console.log(`     panel and all its parts: ${(all / 1000).toFixed(1)} kB gzip`);
  if (total > panelBudget)
    for (const [part, bytes] of weights.slice(0, 12)) console.error(`  ${(bytes / 1000).toFixed(1)} kB  ${part}`);
}

function checkGeneratedDocs(): void {
  for (const [file, text] of generatedDocs()) {
    const committed = readFileSync(file, 'utf8');
    report(file, committed === text, committed === text ? '' : 'differs from what the code says: npm run docs');
  }
}

/** The table is written from a run in the laboratory; here only its words are compared with what the tests declare. */
function checkConformance(): void {
  const declared = conformanceDocument(declaredConformance().map(({ entry }) => entry));
  const same = readFileSync(conformanceFile, 'utf8') === declared;
  report(conformanceFile, same, same ? '' : 'differs from what the tests declare: npm run conformance -- --write');
}
