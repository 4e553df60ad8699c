/**
 * Tries a real HubSpot account out and writes a report to hand on: it answers, with HubSpot's own words, what nobody could know without an account.
 * Reads only, unless it is allowed to write; then it deletes whatever it made, also when it is interrupted, and names what it could not delete.
 */
import { writeFileSync } from 'node:fs';
import { type HubSpotApi, HubSpotFailure } from './api.ts';
import { type ApiVersion, settingsPath } from './settings.ts';
import {
  appIsReady,
  callProperties,
  type Finding,
  limitsAreTold,
  numbersAreCalculated,
  ownersHaveUsers,
  providersOfUsers,
  scopesAreGranted,
  searchIsTaken,
  settingsWay,
} from './smoke-portal.ts';
import {
  cleanUp,
  inboundCallTwice,
  ownKeyOfHubSpot,
  ownTextComesBack,
  partOfBatchFails,
  upsertTwice,
  type WriteTrial,
} from './smoke-writes.ts';

export interface SmokeOptions {
  readonly portal: HubSpotApi;
  /** The account's token, to ask what it is good for. */
  readonly portalToken: string;
  /** The developer's way in; undefined: the settings are not looked at. */
  readonly developer: { readonly api: HubSpotApi; readonly kind: string; readonly version: ApiVersion } | undefined;
  readonly appId: string | undefined;
  readonly write: boolean;
  /** Where the report is written. */
  readonly report: string;
  readonly searchPatienceMs: number;
  readonly pause: (ms: number) => Promise<void>;
  /** Aborted: ask nothing more, clean up, report. */
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

export interface SmokeResult {
  readonly findings: readonly Finding[];
  readonly left: readonly string[];
  readonly stopped: boolean;
}

/** What only eyes and ears can answer, with the number of the open question. */
const byEye = [
  '1: Call from HubSpot and into it with the browser’s console open (Verbose), filter "HubSpot": in which order do CREATE_ENGAGEMENT_SUCCEEDED and CALLER_ID_MATCH_SUCCEEDED come, and does a callId come along? Does END_CALL ever come, and when?',
  '2: Developer tools > Elements, the iframe of the phone: copy its allow attribute.',
  '3: (--write answers it)',
  '5: Open the card on a contact, then the relay’s log at level debug: which names are in the query of the card’s request, and in which order?',
  'Settings > Check the set-up in the phone: copy its lines here.',
];

export async function smoke(options: SmokeOptions): Promise<SmokeResult> {
  const { portal, developer, appId, signal, log } = options;
  const trial: WriteTrial = {
    portal: untilAborted(portal, signal),
    made: new Set(),
    pause: options.pause,
    searchPatienceMs: options.searchPatienceMs,
    signal,
  };
  const asks = trial.portal;
  const questions: readonly (readonly [string, () => Promise<Finding>])[] = [
    ['scopes', () => scopesAreGranted(asks, options.portalToken)],
    ...(developer === undefined || appId === undefined
      ? []
      : ([
          ['settings', () => settingsWay(developer.api, appId, developer.kind)],
          ['ready', () => appIsReady(developer.api, settingsPath(developer.version, appId))],
        ] as const)),
    ['providers', () => providersOfUsers(asks, appId)],
    ['limits', () => limitsAreTold(asks)],
    ['properties of calls', () => callProperties(asks)],
    ['owners', () => ownersHaveUsers(asks)],
    ['search', () => searchIsTaken(asks, options.pause)],
    ['calculated numbers', () => numbersAreCalculated(asks)],
    ...(options.write
      ? ([
          ['upsert', () => upsertTwice(trial)],
          ['body', () => ownTextComesBack(trial)],
          ['HubSpot’s own key', () => ownKeyOfHubSpot(trial)],
          ['batch', () => partOfBatchFails(trial)],
          ['inbound-call', () => inboundCallTwice(trial)],
        ] as const)
      : []),
  ];
  const findings: Finding[] = [];
  for (const [topic, ask] of questions) {
    if (signal.aborted) break;
    const finding = await answered(topic, ask);
    findings.push(finding);
    log(`${mark(finding)} ${finding.question}\n    ${finding.seen}`);
  }
  const stopped = signal.aborted;
  if (stopped) log('Interrupted: no more questions; deleting what was made.');
  const left = await cleanUp(portal, trial.made);
  for (const line of left) log(`✘ not deleted: ${line}`);
  const result = { findings, left, stopped };
  handOver(report(result, options), options);
  return result;
}

/** A question that breaks is an answer too, not the end of the trial: open when HubSpot broke it, bad when the script did. */
async function answered(topic: string, ask: () => Promise<Finding>): Promise<Finding> {
  try {
    return await ask();
  } catch (error) {
    const seen = error instanceof Error ? error.message : String(error);
    return { question: topic, verdict: error instanceof HubSpotFailure ? 'open' : 'bad', seen };
  }
}

/** Refuses to ask anything new once the trial is interrupted. */
function untilAborted(api: HubSpotApi, signal: AbortSignal): HubSpotApi {
  return {
    request: (...asked) => (signal.aborted ? Promise.reject(new HubSpotFailure('interrupted')) : api.request(...asked)),
  };
}

function mark({ verdict }: Finding): string {
  return { good: '✔', bad: '✘', open: '?' }[verdict];
}

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

function report({ findings, left, stopped }: SmokeResult, { write, developer }: SmokeOptions): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  return [
    '# Patchcord in a HubSpot account: what the smoke test saw',
    '',
    `${new Date().toISOString().slice(0, 10)} · ${write ? 'with writing' : 'reading only'}`,
    '',
    ...(stopped ? ['**Interrupted**: not every question was asked.', ''] : []),
    '| | Question | Seen | Settles |',
    '| --- | --- | --- | --- |',
    ...findings.map(
      (one) => `| ${mark(one)} | ${cell(one.question)} | ${cell(one.seen)} | ${cell(one.settles ?? '')} |`,
    ),
    ...(developer === undefined
      ? ['| ? | The calling settings | not looked at: give --app-id and a developer key | 4 |']
      : []),
    ...(write ? [] : ['| ? | Upsert, batches, inbound-call | not tried: add --write | 3 |']),
    '',
    '## Left behind',
    '',
    ...(left.length === 0 ? ['Nothing: every call of the trial is deleted.'] : left.map((line) => `- ${line}`)),
    '',
    '## To look at yourself',
    '',
    ...byEye.map((line) => `- [ ] ${line}`),
    '',
  ].join('\n');
}
