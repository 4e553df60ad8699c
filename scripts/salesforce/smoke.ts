/**
 * Tries an org out after the installation and writes a report to hand on: it answers, with the org's own words, what nobody could know without an
 * org. Whatever it makes it deletes again; what it could not delete it names.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectedOrg, type Org } from './org.ts';
import { OrgFailure, type Sf } from './sf-cli.ts';
import { agentSignsIn, type JwtTrial, scriptHosts } from './smoke-network.ts';
import {
  callCenterIsThere,
  callTaskIsTaken,
  certificateSigns,
  cleanUp,
  compositeIsTaken,
  type Finding,
  graphIsTaken,
  leadWithAccount,
  objectIsThere,
  searchFindsSpellings,
  setsAreAssigned,
  signingApex,
  type Trial,
  upsertIsIdempotent,
  usageIsTold,
} from './smoke-org.ts';

export interface SmokeOptions {
  readonly targetOrg: string;
  /** Where the report is written. */
  readonly report: string;
  /** The relay's own way in; undefined: not tried. */
  readonly jwt: (Omit<JwtTrial, 'privateKeyPem'> & { readonly keyFile: string }) | undefined;
  /** How long a new contact may stay unfound. */
  readonly searchPatienceMs: number;
  readonly searchPauseMs: number;
  readonly fetcher?: typeof fetch;
  readonly log: (line: string) => void;
}

/** What only eyes and ears can answer; the panel helps with some of it. */
const byEye = [
  'Settings > Check the set-up in the phone: copy its lines here. They answer `runApex` (its parameters decoded), the microphone of the frame, the call centre settings and the message channel.',
  'Open the phone in the utility bar, then pop it out: does it reload? Does a call survive?',
  'Developer tools > Network, filter `opencti`: which host answered, with which version?',
  'The address of the frame (developer tools > Elements, `iframe`): which parameters did Salesforce add, and what does its `allow` say?',
  'Change the note of a logged call in Salesforce, then finish the wrap-up: is your change still there?',
  'Call between two browser tabs of the org: do both show the call, and does one sound?',
  'Reports: open the four reports of the folder Patchcord. Which one shows an error, and which?',
];

/** @returns whether no answer was bad */
export async function smoke(sf: Sf, options: SmokeOptions): Promise<boolean> {
  const { log } = options;
  const org = await connectedOrg(sf, options.targetOrg);
  log(`${org.name || 'org'} (${org.id}). The trial makes a few records and deletes them.`);
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-smoke-'));
  const apexFile = join(folder, 'sign.apex');
  writeFileSync(apexFile, signingApex);
  const trial: Trial = {
    sf,
    made: [],
    searchPatienceMs: options.searchPatienceMs,
    searchPauseMs: options.searchPauseMs,
  };
  const origins = [org.instanceUrl, org.lightningOrigin].filter((origin) => origin !== '');
  const { jwt } = options;
  const questions: readonly (readonly [string, () => Promise<Finding>])[] = [
    ['object', () => objectIsThere(trial)],
    ['permission sets', () => setsAreAssigned(trial)],
    ['call centre', () => callCenterIsThere(trial)],
    ['certificate', () => certificateSigns(trial, apexFile)],
    ['one record for a key', () => upsertIsIdempotent(trial)],
    ['call task', () => callTaskIsTaken(trial)],
    ['lead and account', () => leadWithAccount(trial)],
    ['composite', () => compositeIsTaken(trial)],
    ['composite graph', () => graphIsTaken(trial)],
    ['api usage', () => usageIsTold(trial)],
    ['search', () => searchFindsSpellings(trial)],
    ['Open CTI script', () => scriptHosts(origins, options.fetcher)],
    ...(jwt === undefined
      ? []
      : [
          [
            'agent sign-in',
            () =>
              agentSignsIn({ ...jwt, privateKeyPem: readFileSync(jwt.keyFile, 'utf8') }, Date.now(), options.fetcher),
          ] as const,
        ]),
  ];
  const findings: Finding[] = [];
  let left: readonly string[] = [];
  try {
    for (const [topic, ask] of questions) {
      const finding = await answered(topic, ask);
      findings.push(finding);
      log(`${mark(finding)} ${finding.question}\n    ${finding.seen}`);
    }
  } finally {
    left = await cleanUp(trial);
    rmSync(folder, { recursive: true, force: true });
  }
  for (const line of left) log(`✘ not deleted: ${line}`);
  writeFileSync(options.report, report(org, findings, left, jwt !== undefined));
  log(`The report is in ${options.report}. Look through it, then attach it to an issue, also when everything is good.`);
  return findings.every((finding) => finding.verdict !== 'bad') && left.length === 0;
}

/** A question that breaks is an open answer, not the end of the trial. */
async function answered(topic: string, ask: () => Promise<Finding>): Promise<Finding> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof OrgFailure)) throw error;
    return { question: topic, verdict: 'open', seen: error.message };
  }
}

function mark(finding: Finding): string {
  return { good: '✔', bad: '✘', open: '?' }[finding.verdict];
}

function report(org: Org, findings: readonly Finding[], left: readonly string[], jwtTried: boolean): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  return [
    '# Patchcord in a Salesforce org: what the smoke test saw',
    '',
    `${new Date().toISOString().slice(0, 10)} · organisation ${org.id.slice(0, 15)}${org.sandbox ? ' (sandbox)' : ''} · ${org.instanceUrl}`,
    '',
    '| | Question | Seen |',
    '| --- | --- | --- |',
    ...findings.map((finding) => `| ${mark(finding)} | ${cell(finding.question)} | ${cell(finding.seen)} |`),
    ...(jwtTried
      ? []
      : ['| ? | The relay may sign in as an agent | not tried: give --client-id, --key-file and --agent |']),
    '',
    '## Left behind',
    '',
    ...(left.length === 0 ? ['Nothing: every record of the trial is deleted.'] : left.map((line) => `- ${line}`)),
    '',
    '## To look at yourself',
    '',
    ...byEye.map((line) => `- [ ] ${line}`),
    '',
  ].join('\n');
}
