/** What one device needs to phone: a SIP credential of its tenant's issuer, a TURN credential. Must never log or store a password. */
import { type AgentId, type Credentials, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { mintLimit } from '../brakes/brakes.ts';
import type { AgentConfig, TenantConfig } from '../config.ts';
import { type Possession, usedBefore } from '../identity/possession.ts';
import { nobody } from '../identity/sessions.ts';
import type { Log } from '../logging.ts';
import type { AuditEntry, IssuedCredential, MintStanding, Store } from '../store/contract.ts';
import type { IssuerParts } from './issuer.ts';
import { issuerOf } from './issuers.ts';
import { turnCredential } from './turn.ts';

interface MintParts {
  readonly store: Pick<Store, 'credentials' | 'minting' | 'identity' | 'audit'>;
  readonly log: Log;
  readonly now: () => number;
  readonly metrics?: IssuerParts['metrics'];
}

interface Minted {
  readonly credentials: Credentials;
  /** Whether the store took a note, and so looked at everything the standing says. */
  readonly noted: boolean;
}

/**
 * Mints what this agent needs on the device of its session. The transaction that notes the credential spends the proof, sees that the standing
 * still holds and enters the act in the audit. A revocation at the same moment wins: what was made for nobody is withdrawn again.
 * @returns null when the standing does not hold any more: nothing has happened, ask for a new one
 * @throws PatchcordError `store.unavailable`: what is not noted is not given out; `sip.unreachable`, `sip.refused`: the PBX could not be told;
 * `identity.proof`: the proof was used before; `identity.required`: the session has ended
 */
export async function mintCredentials(
  tenant: TenantConfig,
  agent: AgentConfig,
  standing: MintStanding,
  possession: Possession,
  parts: MintParts,
): Promise<Minted | null> {
  const { device } = standing;
  const { log, now, metrics } = parts;
  const actOf = (kind: string, until: number): AuditEntry => ({
    tenant: tenant.id as TenantId,
    actor: `agent:${agent.id}`,
    act: 'credential.issued',
    subject: `device:${device}`,
    data: { kind, until },
    at: now(),
  });
  let state: 'unnoted' | 'noted' | 'stale' = 'unnoted';
  const note = async (credential: IssuedCredential, how: 'add' | 'renew'): Promise<boolean> => {
    const at = now();
    const outcome = await parts.store.minting.note(credential, how, {
      standing,
      limit: { since: at - mintLimit.withinMs, most: mintLimit.most },
      proof: possession.mark,
      audit: actOf(credential.kind ?? '', credential.expiresAt),
      now: at,
    });
    if (outcome === 'replayed') throw usedBefore();
    if (outcome === 'stale') {
      state = 'stale';
      throw new PatchcordError('internal', 'The standing of this session has changed.', { retryable: true });
    }
    if (outcome === 'taken') return false;
    possession.spent();
    state = 'noted';
    return true;
  };
  const issuer = issuerOf(tenant, {
    log,
    now,
    metrics,
    // The store as this mint sees it: what was asked is not asked again, and the note carries what belongs to it.
    store: {
      ...parts.store.credentials,
      deniedUntil: () => Promise.resolve(standing.deniedUntil),
      addIssued: (credential) => note(credential, 'add'),
      renewIssued: (credential) => note(credential, 'renew'),
    },
  });
  const line = { agent: agent.id as AgentId, extension: agent.extension };
  const { name } = agent;
  const { newestLapsesAt } = standing;
  let issued: Awaited<ReturnType<typeof issuer.issue>>;
  try {
    issued = await issuer.issue({ ...line, id: device, name, newestLapsesAt });
  } catch (error) {
    if (stateNow() === 'stale') return null;
    throw error;
  }
  const noted = stateNow() === 'noted';
  if (!noted) {
    // An issuer that keeps nothing: then the proof and the audit go by themselves.
    await possession.spend();
    await parts.store.audit.add([actOf(issuer.kind, issued.expiresAt)]);
  }
  // Sessions end before credentials are looked up, so either this sees the end or that sees the credential.
  if (issuer.notesLast !== true && (await parts.store.identity.findSession(standing.id, now())) === null) {
    await parts.store.credentials.revokeIssued(tenant.id as TenantId, line.agent, device, now());
    await issuer.revoke(line, device);
    throw nobody();
  }
  const { user, ...sip } = issued;
  const { turn } = tenant;
  const credentials: Credentials = {
    sip: { ...sip, ...(user === undefined ? {} : { user }) },
    iceServers:
      turn === undefined
        ? []
        : [
            {
              urls: turn.urls,
              ...turnCredential(turn.secret, agent.extension, Math.floor(now() / 1_000) + turn.ttlSeconds),
            },
          ],
  };
  return { credentials, noted };

  /** Read anew: the compiler does not see that a callback has changed it. */
  function stateNow(): 'unnoted' | 'noted' | 'stale' {
    return state;
  }
}
