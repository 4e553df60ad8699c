/**
 * Installs into one org: deploys, assigns permission sets and the call centre, says what is left to do by hand. Every step looks first and
 * changes only what differs, so that the same command can be run again after a failure.
 */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { deploy, prepareSource, type RefusedPart } from './deployment.ts';
import {
  assignments,
  callCenterId,
  connectedOrg,
  type Org,
  type OrgUser,
  type PermissionSetName,
  usersNamed,
} from './org.ts';
import { isRow, OrgFailure, quoted, rows, type Sf, text } from './sf-cli.ts';

export interface InstallOptions {
  readonly root: string;
  readonly targetOrg: string;
  /** Public origin of the relay. */
  readonly relay: string;
  readonly tenant: string | undefined;
  readonly agents: readonly string[];
  readonly managers: readonly string[];
  readonly admins: readonly string[];
  readonly relayUser: string | undefined;
  readonly dryRun: boolean;
  /** Takes agents out of another call centre. */
  readonly replaceCallCenter: boolean;
  readonly log: (line: string) => void;
}

/**
 * @returns whether everything was done; what was not is said
 * @throws OrgFailure when it can't go on
 */
export async function install(sf: Sf, options: InstallOptions): Promise<boolean> {
  const { log, dryRun } = options;
  log('1. The org');
  const org = await connectedOrg(sf, options.targetOrg);
  log(`  ${org.name || 'org'} (${org.id})${org.sandbox ? ', a sandbox' : ''}, as ${org.username}`);
  const wanted: readonly (readonly [PermissionSetName, readonly string[]])[] = [
    ['Patchcord_Agent', options.agents],
    ['Patchcord_Manager', options.managers],
    ['Patchcord_Admin', options.admins],
    ['Patchcord_Relay', options.relayUser === undefined ? [] : [options.relayUser]],
  ];
  const users = await usersNamed(sf, [...new Set(wanted.flatMap(([, names]) => names))]);

  log(`2. ${dryRun ? 'A trial of the deployment, nothing is kept' : 'The deployment'}`);
  const source = prepareSource(options.root, options.relay, options.tenant);
  let refused: readonly RefusedPart[];
  try {
    ({ refused } = await deploy(sf, source, options));
    if (refused.length === 0) log('  ✔ everything');
    if (refused.some((part) => part.name === 'call centre') && !dryRun) {
      const kept = join(process.cwd(), 'patchcord-call-center.xml');
      copyFileSync(source.importFile, kept);
      log(`  the call centre to import lies in ${kept}`);
    }
  } finally {
    source.remove();
  }
  for (const part of refused) log(`  by hand, for ${part.name}: ${part.instead}`);

  log('3. Permission sets');
  let done = refused.length === 0;
  const of = (names: readonly string[]) => names.flatMap((name) => users.get(name.toLowerCase()) ?? []);
  const have = await assignments(sf);
  for (const [set, names] of wanted) {
    const lacking = of(names).filter((user) => have.get(set)?.has(user.id) !== true);
    const already = names.length - lacking.length;
    if (names.length > 0) log(`  ${set}: ${lacking.length} to assign, ${already} have it`);
    if (!dryRun && !(await assign(sf, set, lacking, log))) done = false;
  }

  log('4. Call centre');
  if (!(await joinCallCenter(sf, of(options.agents), options))) done = false;

  log('5. By hand');
  for (const line of await byHand(sf, org, options)) log(`  ${line}`);
  log("6. For the relay's configuration");
  for (const line of configuration(org, of(options.agents), options).split('\n')) log(`  ${line}`);
  log('');
  if (dryRun) log('A trial: nothing was changed.');
  else
    log(
      done
        ? 'Done. Now: npm run salesforce -- smoke'
        : 'Not all of it was done (✘ above). Mend it and run the same command again.',
    );
  return done;
}

async function assign(
  sf: Sf,
  set: PermissionSetName,
  users: readonly OrgUser[],
  log: (line: string) => void,
): Promise<boolean> {
  let good = true;
  for (let from = 0; from < users.length; from += 50) {
    const some = users.slice(from, from + 50);
    const behalf = some.flatMap((user) => ['--on-behalf-of', user.username]);
    const answer = await sf.run(['org', 'assign', 'permset', '--name', set, ...behalf]);
    const failures = rows(isRow(answer.result) ? answer.result.failures : undefined)
      // Somebody else was quicker: the user has it.
      .filter((failure) => !/duplicate/i.test(text(failure.message)));
    for (const failure of failures) log(`  ✘ ${text(failure.name)}: ${text(failure.message)}${remedy(failure)}`);
    if (!answer.ok && rows(isRow(answer.result) ? answer.result.failures : undefined).length === 0) {
      log(`  ✘ ${set}: ${answer.message}`);
      good = false;
    }
    if (failures.length > 0) good = false;
  }
  return good;
}

/** A licence that does not allow a right is the usual refusal. */
function remedy(failure: Readonly<Record<string, unknown>>): string {
  return /licen[cs]e/i.test(text(failure.message))
    ? ' — give the user another licence, or the permission set licence "Salesforce API Integration", and run again'
    : '';
}

async function joinCallCenter(
  sf: Sf,
  agents: readonly OrgUser[],
  { dryRun, replaceCallCenter, log }: InstallOptions,
): Promise<boolean> {
  const id = await callCenterId(sf);
  if (id === undefined) {
    log(dryRun ? '  it comes with the deployment' : '  ✘ the org has no call centre "Patchcord" yet');
    return dryRun;
  }
  const others = agents.filter((user) => user.callCenterId !== '' && user.callCenterId !== id);
  const joining = agents.filter((user) => user.callCenterId !== id && (replaceCallCenter || !others.includes(user)));
  log(
    `  ${joining.length} agents to add, ${agents.length - joining.length - (replaceCallCenter ? 0 : others.length)} are in it`,
  );
  let good = true;
  if (!replaceCallCenter)
    for (const user of others) {
      log(`  ✘ ${user.username} is in another call centre; --replace-call-center takes them out of it`);
      good = false;
    }
  if (dryRun) return good;
  for (const user of joining) {
    const answer = await sf.rest('PATCH', `sobjects/User/${user.id}`, { CallCenterId: id });
    if (answer.status >= 300) {
      log(`  ✘ ${user.username}: ${said(answer.body)}`);
      good = false;
    }
  }
  return good;
}

/** What the org said about a refused request. */
export function said(body: unknown): string {
  const [first] = rows(body);
  return first === undefined ? 'no reason given' : `${text(first.errorCode)} ${text(first.message)}`.trim();
}

async function byHand(sf: Sf, org: Org, { relay }: InstallOptions): Promise<readonly string[]> {
  const certificate = await looked(
    sf,
    "SELECT DeveloperName, ExpirationDate FROM Certificate WHERE DeveloperName = 'Patchcord'",
  );
  const trusted = await looked(
    sf,
    `SELECT EndpointUrl, IsActive FROM CspTrustedSite WHERE EndpointUrl = ${quoted(relay)}`,
  );
  const expires = text(certificate?.[0]?.ExpirationDate).slice(0, 10);
  return [
    certificate === undefined || certificate.length === 0
      ? '[ ] Setup > Certificate and Key Management > Create Self-Signed Certificate: unique name "Patchcord". Download it for the relay.' +
        (certificate === undefined ? ' (Whether it is there, this org does not say.)' : '')
      : `[x] certificate "Patchcord"${expires === '' ? '' : `, good until ${expires}`}; download it for the relay`,
    '[ ] Setup > External Client App Manager: one app with JWT bearer flow; policy "Admin approved users are pre-authorized" with the',
    '    permission sets Patchcord Agent and Patchcord Relay (docs/guides/salesforce.md, step 4)',
    trusted === undefined || trusted.length === 0
      ? `[ ] Setup > Trusted URLs: see that ${relay} is there, with microphone`
      : `[x] Trusted URL ${relay}`,
    `[ ] ${org.instanceUrl}: Setup > Session Settings > Browser Feature Policies: microphone not "never"`,
  ];
}

/** Rows of a query that not every org answers; undefined when this one does not. */
async function looked(sf: Sf, soql: string): Promise<readonly Readonly<Record<string, unknown>>[] | undefined> {
  try {
    return await sf.query(soql, { tooling: true });
  } catch (error) {
    if (error instanceof OrgFailure) return undefined;
    throw error;
  }
}

function configuration(org: Org, agents: readonly OrgUser[], { relayUser }: InstallOptions): string {
  return JSON.stringify(
    {
      hostOrigins: [org.lightningOrigin || 'https://YOUR-DOMAIN.lightning.force.com'],
      crm: {
        kind: 'salesforce',
        loginUrl: org.sandbox ? 'https://test.salesforce.com' : 'https://login.salesforce.com',
        clientId: 'the consumer key of the External Client App',
        privateKey: { file: '/etc/patchcord/secrets/salesforce.key' },
        username: relayUser ?? 'the integration user',
        orgId: org.id,
        assertionPublicKeys: [{ file: '/etc/patchcord/secrets/salesforce-org.crt' }],
      },
      agents: agents.map((user) => ({
        id: (user.username.split('@')[0] ?? '').toLowerCase(),
        name: user.name,
        extension: 'their extension',
        crmUserId: user.id,
      })),
    },
    null,
    2,
  );
}
