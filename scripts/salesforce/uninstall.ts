/**
 * Shows who uses the phone in an org, and with `--yes` takes it from them: permission sets and call centre. Metadata and records stay; which
 * commands delete them is said, never run.
 */
import { said } from './install.ts';
import { assignments, callCenterId, callCenterUsers, connectedOrg } from './org.ts';
import type { Sf } from './sf-cli.ts';

/**
 * @param yes without it nothing is changed
 * @returns whether everything was taken back
 */
export async function uninstall(
  sf: Sf,
  { targetOrg, yes, log }: { readonly targetOrg: string; readonly yes: boolean; readonly log: (line: string) => void },
): Promise<boolean> {
  const org = await connectedOrg(sf, targetOrg);
  log(`${org.name || 'org'} (${org.id})`);
  let good = true;
  const refused = (who: string, status: number, body: unknown) => {
    if (status < 300) return;
    log(`  ✘ ${who}: ${said(body)}`);
    good = false;
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
  log(yes ? 'The assignments are taken back.' : 'Nothing was changed. With --yes these assignments are taken back.');
  log(
    'The metadata and every Patchcord Call are still there. To remove the metadata, after exporting the calls you must keep:',
  );
  log(`  sf project delete source --source-dir force-app/main --target-org ${targetOrg}`);
  return good;
}
