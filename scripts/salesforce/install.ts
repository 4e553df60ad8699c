/**
 * Installs into one org: deploys, assigns permission sets and the call centre, says what is left to do by hand. May be run again after a failure:
 * people are looked up first and only who lacks something is changed. A deployment always writes the whole source; it keeps the org's sharing of
 * the object and says what else it overwrites. `peopleOnly` goes without one.
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
import { overwrittenBy } from './overwritten.ts';
import { relayConfiguration } from './relay-configuration.ts';
import { isRow, OrgFailure, quoted, rows, type Sf, text } from './sf-cli.ts';
import { isInOrg, keepSharing, type Sharing, sharingInOrg, sharingInSource } from './sharing.ts';

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
  /** Deploys nothing: only permission sets, call centre and what is told. */
  readonly peopleOnly: boolean;
  /** Where a file for the administrator is left. */
  readonly folder: string;
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

  const refused = await deployment(sf, options);

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
  for (const line of relayConfiguration(org, of(options.agents), options.relayUser).split('\n')) log(`  ${line}`);
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

/** The second step. @returns parts that the org refused */
async function deployment(sf: Sf, options: InstallOptions): Promise<readonly RefusedPart[]> {
  const { log, dryRun } = options;
  log(`2. ${dryRun && !options.peopleOnly ? 'A trial of the deployment, nothing is kept' : 'The deployment'}`);
  if (options.peopleOnly) {
    if (!(await isInOrg(sf)))
      throw new OrgFailure(
        'Patchcord is not in this org yet, so there is nothing to assign. Run it without --people-only.',
      );
    log('  left out (--people-only)');
    return [];
  }
  const sharing = await sharingInOrg(sf);
  const source = prepareSource(options.root, options.relay, options.tenant);
  try {
    if (sharing !== undefined) {
      const brought = sharingInSource(source.folder);
      keepSharing(source.folder, sharing);
      log(`  Patchcord is in this org already. Its sharing of Patchcord Calls stays: ${shown(sharing)}`);
      if (shown(brought) !== shown(sharing)) log(`  (a new org would get ${shown(brought)})`);
      log(
        `  What ${dryRun ? 'a deployment sets' : 'is set'} back to the source's state, also where an administrator changed it:`,
      );
      for (const line of overwrittenBy(source.folder)) log(`    ${line}`);
      log('  Copies under names of your own stay. For people alone: --people-only');
    }
    const { refused } = await deploy(sf, source, options);
    if (refused.length === 0) log('  ✔ everything');
    if (refused.some((part) => part.name === 'call centre') && !dryRun) {
      const kept = join(options.folder, 'patchcord-call-center.xml');
      copyFileSync(source.importFile, kept);
      log(`  the call centre to import lies in ${kept}`);
    }
    for (const part of refused) log(`  by hand, for ${part.name}: ${part.instead}`);
    return refused;
  } finally {
    source.remove();
  }
}

function shown({ internal, external }: Sharing): string {
  return `${internal} inside, ${external || 'no default'} outside`;
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
  const certificates = await looked(
    sf,
    "SELECT DeveloperName, ExpirationDate FROM Certificate WHERE DeveloperName = 'Patchcord'",
  );
  const trusted = await looked(
    sf,
    `SELECT EndpointUrl, IsActive, CanAccessMicrophone FROM CspTrustedSite WHERE EndpointUrl = ${quoted(relay)}`,
  );
  return [
    certificateLine(certificates),
    '[ ] Setup > External Client App Manager: one app with JWT bearer flow; policy "Admin approved users are pre-authorized" with the',
    '    permission sets Patchcord Agent and Patchcord Relay (docs/guides/salesforce.md, step 4)',
    trustedLine(trusted, relay),
    `[ ] ${org.instanceUrl}: Setup > Session Settings > Browser Feature Policies: microphone not "never"`,
  ];
}

/** Ticked only where the org says that it is good today. */
function certificateLine(found: Looked): string {
  const where = 'Setup > Certificate and Key Management';
  const make = `[ ] ${where} > Create Self-Signed Certificate: unique name "Patchcord". Download it for the relay.`;
  if (found === undefined) return `${make} (Whether it is there, this org does not say.)`;
  const [certificate] = found;
  if (certificate === undefined) return make;
  const expires = text(certificate.ExpirationDate);
  const day = expires.slice(0, 10);
  const at = Date.parse(expires);
  if (Number.isNaN(at)) return `[ ] ${where}: "Patchcord" is there; see that it has not expired (the org does not say)`;
  return at > Date.now()
    ? `[x] certificate "Patchcord", good until ${day}; download it for the relay`
    : `[ ] ${where}: "Patchcord" expired on ${day}, nobody can sign in; make a new one (docs/guides/salesforce.md, step 1)`;
}

/** Ticked only for an entry that is switched on and may use the microphone. */
function trustedLine(found: Looked, relay: string): string {
  const where = 'Setup > Trusted URLs';
  const [first] = found ?? [];
  if (first === undefined) return `[ ] ${where}: see that ${relay} is there, with microphone`;
  const active = found?.filter((row) => row.IsActive === true) ?? [];
  if (active.length === 0) return `[ ] ${where}: ${relay} is there, but not active`;
  return active.some((row) => row.CanAccessMicrophone === true)
    ? `[x] Trusted URL ${relay}`
    : `[ ] ${where}: ${relay} is there, without microphone`;
}

type Looked = readonly Readonly<Record<string, unknown>>[] | undefined;

/** Rows of a query that not every org answers; undefined when this one does not. */
async function looked(sf: Sf, soql: string): Promise<Looked> {
  try {
    return await sf.query(soql, { tooling: true });
  } catch (error) {
    if (error instanceof OrgFailure) return undefined;
    throw error;
  }
}
