/**
 * Owns the class `PatchcordSetup` as the emulated org runs it. The sandbox org has no permission sets, certificates or Trusted URLs to look
 * at, so what it answers about those is that all is well; the call centre and its users are real. Must never answer anyone who is no admin.
 */
import { type ApexClass, ApexFailure } from './apex-class.ts';
import { holdsPermission } from './custom-permissions.ts';

interface Finding {
  readonly what: 'callCenter' | 'permissionSet' | 'certificate' | 'trustedUrl';
  readonly state: 'good' | 'bad' | 'unknown';
  readonly text: string;
  readonly remedy: string;
  readonly users: readonly string[];
}

export const patchcordSetup: ApexClass = {
  name: 'PatchcordSetup',
  methods: {
    check(org): readonly Finding[] {
      if (!holdsPermission(org, 'Patchcord_Admin'))
        throw new ApexFailure('The check is for admins. It needs the permission set "Patchcord Admin".');
      const agents = org.store
        .all('User')
        .filter((row) => row.IsActive === true && typeof row.CallCenterId === 'string');
      const without = agents.filter((row) => {
        const asker = { id: `${row.Id}`, username: `${row.Username}` };
        return (
          !org.rights.mayRun(asker, 'PatchcordIdentity') || !org.rights.mayObject(asker, 'Patchcord_Call__c', 'read')
        );
      });
      return [
        good('callCenter', 'The call centre names the sandbox’s relay.'),
        agents.length === 0
          ? {
              what: 'permissionSet',
              state: 'bad',
              text: 'No active user is in the call centre.',
              remedy: 'Setup > Call Centers > Patchcord > Manage Call Center Users.',
              users: [],
            }
          : without.length === 0
            ? good('permissionSet', `All ${agents.length} users of the call centre may sign in.`)
            : {
                what: 'permissionSet',
                state: 'bad',
                text: `${without.length} of ${agents.length} users of the call centre lack the permission set "Patchcord Agent".`,
                remedy: 'Setup > Permission Sets > Patchcord Agent > Manage Assignments.',
                users: without.map((row) => `${row.Name}`),
              },
        good('certificate', 'The certificate "Patchcord" signs.'),
        good('trustedUrl', 'The relay is a Trusted URL.'),
      ];
    },
  },
};

function good(what: Finding['what'], text: string): Finding {
  return { what, state: 'good', text, remedy: '', users: [] };
}
