/**
 * jambonz asks us (the account's registration hook) whether a digest is right: the relay is the authenticator, and nothing is kept at jambonz but
 * the registration. Every device of an agent signs as the extension, each with a password of its own. `http/jambonz.ts` answers.
 */
import type { IssuedCredential } from '../../store/contract.ts';
import { type DigestAnswer, digestFits, ha1, randomName, randomPassword } from '../digest.ts';
import type { CredentialIssuer, CredentialSettings, IssuerParts } from '../issuer.ts';

export function jambonzHook(
  { tenant, store, now }: IssuerParts,
  settings: CredentialSettings<'jambonz-hook'>,
): CredentialIssuer {
  return {
    kind: 'jambonz-hook',
    notesLast: true,
    revocable: true,
    limits: `jambonz keeps a registration until it runs out: calls may still reach a revoked browser for ${tenant.sip.registerSeconds} seconds at most, and a running call goes on.`,

    async issue(device) {
      const at = now();
      const password = randomPassword();
      const issued: IssuedCredential = {
        tenant: tenant.id,
        agent: device.agent,
        device: device.id,
        // A name for the store alone: on the wire it is the extension.
        username: `${device.extension}#${randomName(16)}`,
        kind: 'jambonz-hook',
        extension: device.extension,
        user: null,
        ha1: ha1(device.extension, tenant.sip.domain, password),
        issuedAt: at,
        expiresAt: at + settings.ttlSeconds * 1_000,
        revokedAt: null,
      };
      await store.addIssued(issued);
      return { username: device.extension, password, expiresAt: issued.expiresAt };
    },

    // The store says already that it is withdrawn, and the store is what the hook asks.
    revoke: () => Promise.resolve(),
    revokeAgent: () => Promise.resolve(),
    reconcile: () => Promise.resolve({ removed: 0, restored: 0 }),
  };
}

/** The device whose credential made this answer; null when none did. */
export async function deviceOfDigest(
  { tenant, store, now }: Pick<IssuerParts, 'tenant' | 'store' | 'now'>,
  username: string,
  answer: DigestAnswer,
): Promise<IssuedCredential | null> {
  const live = await store.liveOfExtension(tenant.id, username, now());
  return live.find((one) => one.kind === 'jambonz-hook' && one.ha1 !== null && digestFits(one.ha1, answer)) ?? null;
}
