/**
 * Shows who uses the phone in an org, and with `--yes` takes it from them: permission sets and call centre. Metadata and records stay: it writes
 * a project that deletes them, says what that erases and how to deploy it, and never runs it.
 */
import { said } from './install.ts';
import { assignments, callCenterId, callCenterUsers, connectedOrg } from './org.ts';
import { writeRemoval } from './removal.ts';
import { OrgFailure, type Sf, text } from './sf-cli.ts';

export interface UninstallOptions {
  readonly root: string;
  readonly targetOrg: string;
  readonly yes: boolean;
  /** Where the project that deletes the metadata is written. */
  readonly folder: string;
  readonly log: (line: string) => void;
}

/**
 * Without `yes` nothing is changed in the org.
 * @returns whether everything was taken back
 */
export async function uninstall(sf: Sf, { root, targetOrg, yes, folder, log }: UninstallOptions): Promise<boolean> {
  const org = await connectedOrg(sf, targetOrg);
  log(`${org.name || 'org'} (${org.id})`);
  let refusals = 0;
  const refused = (who: string, status: number, body: unknown) => {
    if (status < 300) return;
    log(`  ✘ ${who}: ${said(body)}`);
    refusals += 1;
  };
  const center = await callCenterId(sf);
  const members = center === undefined ? [] : await callCenterUsers(sf, center);
  log(`Call centre Patchcord: ${center === undefined ? 'not there' : `${members.length} users`}`);
  for (const user of members) {
    log(`  ${user.username}`);
    if (!yes) continue;
    const answer = await sf.rest('PATCH', `sobjects/User/${user.id}`, { CallCenterId: null });
    refused(user.username, answer.status, answer.body);
  }
  for (const [set, users] of await assignments(sf)) {
    log(`${set}: ${users.size} users`);
    for (const { id, username } of users.values()) {
      log(`  ${username}`);
      if (!yes) continue;
      const answer = await sf.rest('DELETE', `sobjects/PermissionSetAssignment/${id}`);
      refused(username, answer.status, answer.body);
    }
  }
  log('');
  if (!yes) log('Nothing was changed. With --yes these assignments are taken back.');
  else if (refusals === 0) log('The assignments are taken back.');
  else log(`Not all of them: ${refusals} were refused (✘ above), the others are taken back. Mend it and run it again.`);
  const calls = await callCount(sf);
  const removal = writeRemoval(root, folder);
  log('');
  log(
    'The metadata and the calls are still in the org. This would delete them; it is not run by this script, and was never tried in an org:',
  );
  log(`  cd ${removal.folder}`);
  log(
    `  sf project deploy start --manifest package.xml --post-destructive-changes destructiveChanges.xml --ignore-conflicts --dry-run --target-org ${targetOrg}`,
  );
  log('  and the same without --dry-run. It erases:');
  log(
    `  - every Patchcord Call (${calls}) with its note, transcript, history and reports; Tasks stay. Export them first`,
  );
  log(`  - ${removal.components} components, the object among them (list: ${removal.folder}/destructiveChanges.xml)`);
  log(
    '  Before it: take the components off your pages, the phone out of your own apps, and everybody out of the call centre.',
  );
  log('  By hand afterwards: the certificate "Patchcord" and the External Client App.');
  return refusals === 0;
}

/** In words: the number of calls is told for what it erases, and no reason to stop. */
async function callCount(sf: Sf): Promise<string> {
  try {
    const [row] = await sf.query('SELECT COUNT(Id) calls FROM Patchcord_Call__c');
    const count = text(row?.calls);
    return count === '' ? 'how many, the org does not say' : `${count} that you may see`;
  } catch (error) {
    if (error instanceof OrgFailure) return 'how many, the org does not say';
    throw error;
  }
}
