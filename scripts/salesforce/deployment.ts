/**
 * Brings the source into the org: a copy with the relay's own address, all of it in one deployment with its Apex tests; when the org refuses
 * that, part by part, so that a utility bar or a report it does not take costs no more than itself. What is in the org already is overwritten
 * (`--ignore-conflicts`): the copy is a new project each time, which knows nothing of earlier deployments, so that an org with source tracking
 * would call its own state a conflict. Touches nothing in the checkout.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { exampleAddress } from './address-check.ts';
import { filesBelow } from './metadata-xml.ts';
import { isRow, OrgFailure, type Row, rows, type Sf, text } from './sf-cli.ts';

export interface Deployed {
  /** Parts that the org refused, with what to do instead; empty when everything is there. */
  readonly refused: readonly RefusedPart[];
}

export interface RefusedPart {
  readonly name: string;
  readonly problems: readonly string[];
  readonly instead: string;
}

interface Part {
  readonly name: string;
  /** Names of earlier parts without which the org can't take this one. */
  readonly buildsOn: readonly string[];
  /** Folders below `main/default`; pages are divided between "flexipages" and "utility bars". */
  readonly paths: readonly string[];
  readonly tests: boolean;
  /** Without it the phone does not work at all. */
  readonly needed: boolean;
  readonly instead: string;
}

const firstPart = 'object, classes, components and permission sets';

/** In the order in which they build on each other. The first is without apps: permission sets get them with the third. */
const parts: readonly Part[] = [
  {
    name: firstPart,
    buildsOn: [],
    paths: [
      ...['objects', 'layouts', 'classes', 'lwc', 'customPermissions', 'messageChannels', 'permissionsets', 'tabs'],
      'flexipages',
    ],
    tests: true,
    needed: true,
    instead: 'Mend what the org says and run the script again: without this part there is no phone.',
  },
  {
    name: 'call centre',
    buildsOn: [],
    paths: ['callCenters'],
    tests: false,
    needed: false,
    instead: 'Setup > Call Centers > Import: the file named below. Then run the script again: it assigns the agents.',
  },
  {
    name: 'apps and utility bars',
    buildsOn: [firstPart],
    paths: ['utility bars', 'applications', 'permissionsets'],
    tests: false,
    needed: false,
    instead: 'Setup > App Manager > your Lightning app > Edit > Utility Items > Add > Open CTI Softphone.',
  },
  {
    name: 'Trusted URL',
    buildsOn: [],
    paths: ['cspTrustedSites'],
    tests: false,
    needed: false,
    instead: "Setup > Trusted URLs > New: the relay's address; connect-src, frame-src, img-src, media-src; microphone.",
  },
  {
    name: 'reports',
    buildsOn: [firstPart],
    paths: ['reportTypes', 'reports'],
    tests: false,
    needed: false,
    instead: 'Setup > Report Types > New on "Patchcord Calls"; then build the reports by hand.',
  },
];

const hourMs = 3_600_000;

/** A copy of the source that names the relay. Whoever made it calls `remove`. */
export interface PreparedSource {
  readonly folder: string;
  /** The call centre to import by hand. */
  readonly importFile: string;
  remove(): void;
}

/**
 * Copies the source and writes the relay's address into it.
 * @param relay public origin of the relay
 * @param tenant its organisation there, when it has several; undefined otherwise
 */
export function prepareSource(root: string, relay: string, tenant: string | undefined): PreparedSource {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-org-'));
  for (const part of ['force-app/main', 'force-app/import', 'sfdx-project.json', '.forceignore'])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  const panel = `${relay}${tenant === undefined ? '' : `/t/${tenant}`}/salesforce/`;
  for (const path of filesBelow(join(folder, 'force-app')).filter((file) => file.endsWith('.xml'))) {
    const before = readFileSync(path, 'utf8');
    const after = before.replaceAll(`${exampleAddress}/salesforce/`, panel).replaceAll(exampleAddress, relay);
    if (after !== before) writeFileSync(path, after);
  }
  return {
    folder,
    importFile: join(folder, 'force-app/import/patchcord-call-center.xml'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/**
 * Deploys a prepared copy.
 * @throws OrgFailure when a part without which nothing works was refused
 */
export async function deploy(
  sf: Sf,
  source: PreparedSource,
  { dryRun, log }: { readonly dryRun: boolean; readonly log: (line: string) => void },
): Promise<Deployed> {
  const main = join(source.folder, 'force-app/main');
  const tests = filesBelow(main)
    .filter((path) => path.endsWith('Test.cls'))
    .map((path) => basename(path, '.cls'));
  log(`  everything at once, with the tests of ${tests.length} Apex classes; some minutes …`);
  const whole = await deployed(sf, source.folder, [main], tests, dryRun);
  if (whole.length === 0) return { refused: [] };
  for (const problem of whole) log(`  ✘ ${problem}`);
  log(
    dryRun
      ? '  the org would not take all of it; now each part with those it builds on, as a trial too'
      : '  the org did not take all of it; now part by part, so that the rest gets there',
  );
  const refused: RefusedPart[] = [];
  for (const part of parts) {
    // A trial keeps nothing: what a part builds on is not in the org unless it is sent along.
    const sent = dryRun ? [...parts.filter(({ name }) => part.buildsOn.includes(name)), part] : [part];
    const paths = pathsOf(main, sent);
    const undo = sent.some(({ paths }) => paths.includes('applications'))
      ? () => {}
      : withoutApps(join(main, 'default/permissionsets'));
    const problems = await deployed(sf, source.folder, paths, sent.some((one) => one.tests) ? tests : [], dryRun);
    undo();
    log(problems.length === 0 ? `  ✔ ${part.name}` : `  ✘ ${part.name}`);
    if (problems.length === 0) continue;
    if (part.needed) throw new OrgFailure([`The org refused ${part.name}:`, ...problems, part.instead].join('\n  '));
    refused.push({ name: part.name, problems, instead: part.instead });
  }
  return { refused };
}

/** Files and folders of some parts, each once. Utility bars go with the apps, every other page with the first part. */
function pathsOf(main: string, some: readonly Part[]): readonly string[] {
  const pages = filesBelow(join(main, 'default/flexipages'));
  const isBar = (path: string) => path.endsWith('UtilityBar.flexipage-meta.xml');
  const paths = some
    .flatMap((part) => part.paths)
    .flatMap((path) => {
      if (path === 'flexipages') return pages.filter((page) => !isBar(page));
      if (path === 'utility bars') return pages.filter(isBar);
      return [join(main, 'default', path)].filter((folder) => filesBelow(folder).length > 0);
    });
  return [...new Set(paths)];
}

/** Problems of one deployment; none when it succeeded. */
async function deployed(
  sf: Sf,
  cwd: string,
  paths: readonly string[],
  tests: readonly string[],
  dryRun: boolean,
): Promise<readonly string[]> {
  const answer = await sf.run(
    [
      ...['project', 'deploy', 'start', '--wait', '60', '--ignore-conflicts'],
      ...paths.flatMap((path) => ['--source-dir', path]),
      ...(tests.length === 0
        ? []
        : ['--test-level', 'RunSpecifiedTests', ...tests.flatMap((test) => ['--tests', test])]),
      ...(dryRun ? ['--dry-run'] : []),
    ],
    { timeoutMs: hourMs + 60_000, cwd },
  );
  const result = isRow(answer.result) ? answer.result : {};
  if (answer.ok && result.success !== false) return [];
  const details = isRow(result.details) ? result.details : {};
  const run = isRow(details.runTestResult) ? details.runTestResult : {};
  const problems = [
    ...rows(details.componentFailures).map(componentProblem),
    ...rows(run.failures).map((row) => `test ${text(row.name)}.${text(row.methodName)}: ${text(row.message)}`),
    ...rows(run.codeCoverageWarnings).map((row) => `coverage: ${text(row.message)}`),
  ];
  return problems.length > 0 ? problems : [answer.message || text(result.errorMessage) || 'refused without a reason'];
}

function componentProblem(row: Row): string {
  const line = text(row.lineNumber);
  return `${text(row.componentType)} ${text(row.fullName)}${line === '' ? '' : `:${line}`}: ${text(row.problem)}`;
}

/** Takes the apps out of the copied permission sets; the function that comes back puts them in again. */
function withoutApps(folder: string): () => void {
  const before = filesBelow(folder).map((path) => [path, readFileSync(path, 'utf8')] as const);
  for (const [path, xml] of before)
    writeFileSync(path, xml.replace(/\s*<applicationVisibilities>[\s\S]*?<\/applicationVisibilities>/g, ''));
  return () => {
    for (const [path, xml] of before) writeFileSync(path, xml);
  };
}
