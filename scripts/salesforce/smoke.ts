/**
 * Tries an org out after the installation and writes a report to hand on: it answers, with the org's own words, what nobody could know without an
 * org. Whatever it makes it deletes again, also when it is interrupted; what it could not delete it names. There is always a report.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { said } from './install.ts';
import { connectedOrg, type Org } from './org.ts';
import { OrgFailure, type Sf } from './sf-cli.ts';
import { agentSignsIn, type JwtTrial, scriptHosts } from './smoke-network.ts';
import {
  callCenterIsThere,
  callTaskIsTaken,
  certificateSigns,
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
  readonly jwt: JwtTrial | undefined;
  /** How long a new contact may stay unfound. */
  readonly searchPatienceMs: number;
  readonly searchPauseMs: number;
  readonly fetcher?: typeof fetch;
  /** Aborted: ask nothing more, clean up, report. */
  readonly signal?: AbortSignal;
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

/**
 * @returns whether no answer was bad, nothing is left and it came to its end
 * @throws OrgFailure when the CLI is not signed in: then nothing was made
 */
export async function smoke(sf: Sf, options: SmokeOptions): Promise<boolean> {
  const { log, signal = new AbortController().signal } = options;
  const org = await connectedOrg(sf, options.targetOrg);
  log(`${org.name || 'org'} (${org.id}). The trial makes a few records and deletes them.`);
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-smoke-'));
  const apexFile = join(folder, 'sign.apex');
  writeFileSync(apexFile, signingApex);
  const trial: Trial = {
    sf: untilAborted(sf, signal),
    made: [],
    signal,
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
    ...(jwt === undefined ? [] : [['agent sign-in', () => agentSignsIn(jwt, Date.now(), options.fetcher)] as const]),
  ];
  const findings: Finding[] = [];
  for (const [topic, ask] of questions) {
    if (signal.aborted) break;
    const finding = await answered(topic, ask);
    findings.push(finding);
    log(`${mark(finding)} ${finding.question}\n    ${finding.seen}`);
  }
  const stopped = signal.aborted;
  if (stopped)
    log(
      'Interrupted: no more questions; deleting what was made. Interrupted again, it ends at once and leaves the rest.',
    );
  const left = await cleanUp(sf, trial.made);
  rmSync(folder, { recursive: true, force: true });
  for (const line of left) log(`✘ not deleted: ${line}`);
  handOver(report(org, findings, left, { jwtTried: jwt !== undefined, stopped }), options);
  return !stopped && findings.every((finding) => finding.verdict !== 'bad') && left.length === 0;
}

/**
 * Deletes what the trial made, the last one first; a record that can't be deleted is no reason to leave the others.
 * @param sf not the trial's own, which may be stopped
 * @returns what is left, each with its object, id and why
 */
async function cleanUp(sf: Sf, made: Trial['made']): Promise<readonly string[]> {
  const left: string[] = [];
  for (const { object, id } of made.toReversed()) {
    try {
      const answer = await sf.rest('DELETE', `sobjects/${object}/${id}`);
      if (answer.status >= 300 && answer.status !== 404) left.push(`${object} ${id}: ${said(answer.body)}`);
    } catch (error) {
      left.push(`${object} ${id}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  made.length = 0;
  return left;
}

/** A report that can't be written is shown instead: it may name records that are left in the org. */
function handOver(text: string, { report: path, log }: SmokeOptions): void {
  try {
    writeFileSync(path, text);
    log(`The report is in ${path}. Look through it, then attach it to an issue, also when everything is good.`);
  } catch (error) {
    log(
      `✘ ${path} can't be written (${error instanceof Error ? error.message : String(error)}). The report:\n\n${text}`,
    );
  }
}

/** Refuses to ask anything new once the trial is interrupted; what is under way ends, so that its record is known. */
function untilAborted(sf: Sf, signal: AbortSignal): Sf {
  const stop = () => (signal.aborted ? Promise.reject(new OrgFailure('interrupted')) : undefined);
  return {
    run: (...asked) => stop() ?? sf.run(...asked),
    query: (...asked) => stop() ?? sf.query(...asked),
    rest: (...asked) => stop() ?? sf.rest(...asked),
  };
}

/** A question that breaks is an answer too, not the end of the trial: open when the org or the CLI broke it, bad when the script did. */
async function answered(topic: string, ask: () => Promise<Finding>): Promise<Finding> {
  try {
    return await ask();
  } catch (error) {
    const seen = error instanceof Error ? error.message : String(error);
    const open = error instanceof OrgFailure || (error instanceof Error && error.name === 'AbortError');
    return { question: topic, verdict: open ? 'open' : 'bad', seen };
  }
}

function mark(finding: Finding): string {
  return { good: '✔', bad: '✘', open: '?' }[finding.verdict];
}

function report(
  org: Org,
  findings: readonly Finding[],
  left: readonly string[],
  { jwtTried, stopped }: { readonly jwtTried: boolean; readonly stopped: boolean },
): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  return [
    '# Patchcord in a Salesforce org: what the smoke test saw',
    '',
    `${new Date().toISOString().slice(0, 10)} · organisation ${org.id.slice(0, 15)}${org.sandbox ? ' (sandbox)' : ''} · ${org.instanceUrl}`,
    '',
    ...(stopped ? ['**Interrupted**: not every question was asked.', ''] : []),
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
