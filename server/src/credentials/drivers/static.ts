/**
 * A PBX that knows nothing but one long-lived password per extension: handed out as it is. Nothing can be taken back here, and everybody who
 * looks is told so; revoking still ends the sessions, so that nobody gets the password again.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { CredentialIssuer, CredentialSettings, IssuerParts } from '../issuer.ts';

/** The page asks again after a day, so that a changed password gets around. */
const askAgainMs = 86_400_000;

export function staticCredentials({ now }: IssuerParts, settings: CredentialSettings<'static'>): CredentialIssuer {
  return {
    kind: 'static',
    revocable: false,
    limits:
      'This PBX has one fixed password per extension, and who has seen it can go on registering. Change the password at the PBX and in sip.credential.agents.',
    issue(device) {
      const found = settings.agents[device.agent];
      if (found === undefined) {
        return Promise.reject(
          new PatchcordError(
            'credential.refused',
            'No SIP password is configured for this agent. Ask your administrator to add one to sip.credential.agents.',
          ),
        );
      }
      const username = found.username ?? device.extension;
      return Promise.resolve({ username, password: found.password, expiresAt: now() + askAgainMs });
    },
    revoke: () => Promise.resolve(),
    revokeAgent: () => Promise.resolve(),
    reconcile: () => Promise.resolve({ removed: 0, restored: 0 }),
  };
}
