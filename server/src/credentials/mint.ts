/** What one device needs to phone: a SIP credential of its tenant's issuer, a TURN credential. Must never log or store a password. */
import type { AgentId, Credentials, DeviceId, TenantId } from '@patchcord/call-protocol';
import type { AgentConfig, TenantConfig } from '../config.ts';
import type { Log } from '../logging.ts';
import type { CredentialStore } from '../store/contract.ts';
import type { IssuerParts } from './issuer.ts';
import { issuerOf } from './issuers.ts';
import { turnCredential } from './turn.ts';

interface MintParts {
  readonly store: CredentialStore;
  readonly log: Log;
  readonly now: () => number;
  readonly metrics?: IssuerParts['metrics'];
  /** Asked once more when everything is made: rejects when the session has ended meanwhile. */
  readonly stillAllowed: () => Promise<void>;
}

/**
 * Mints what this agent needs on this device. A revocation at the same moment wins: what was made for nobody is withdrawn again.
 * @throws PatchcordError `store.unavailable`: what is not noted is not given out; `sip.unreachable`, `sip.refused`: the PBX could not be told;
 * whatever `stillAllowed` rejects with
 */
export async function mintCredentials(
  tenant: TenantConfig,
  agent: AgentConfig,
  device: DeviceId,
  parts: MintParts,
): Promise<Credentials> {
  const issuer = issuerOf(tenant, parts);
  const line = { agent: agent.id as AgentId, extension: agent.extension };
  const { user, ...sip } = await issuer.issue({ ...line, id: device, name: agent.name });
  try {
    // Sessions end before credentials are looked up, so either this sees the end or that sees the credential.
    await parts.stillAllowed();
  } catch (error) {
    await parts.store.revokeIssued(tenant.id as TenantId, line.agent, device, parts.now());
    await issuer.revoke(line, device);
    throw error;
  }
  const { turn } = tenant;
  return {
    sip: { ...sip, ...(user === undefined ? {} : { user }) },
    iceServers:
      turn === undefined
        ? []
        : [
            {
              urls: turn.urls,
              ...turnCredential(turn.secret, agent.extension, Math.floor(parts.now() / 1_000) + turn.ttlSeconds),
            },
          ],
  };
}
