/**
 * Takes an agent's access away at once, everywhere: pairing codes, sessions, credentials at the edge, registrations, live sockets. Owns the order, so that
 * nothing can be minted between two steps; what the edge could not be told is kept and told again until it hears it.
 */
import type { AgentId, TenantId } from '@patchcord/call-protocol';
import type { Sessions } from '../identity/sessions.ts';
import type { LiveHub } from '../live/hub.ts';
import { relayEvent } from '../live/relay-event.ts';
import type { Log } from '../logging.ts';
import type { Store } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import { denyAtEdge, revokeAtEdge } from './edge.ts';

export interface Revocation {
  readonly sessions: number;
  readonly credentials: number;
  /** `retrying`: the edge did not answer; it is told again until it does. `absent`: no control port is configured. */
  readonly edge: 'done' | 'retrying' | 'absent';
}

/** Payload of the `edge.revoke` effect. */
export interface EdgeRevocation {
  readonly agent: string;
  /** Kept here: the agent may leave the configuration before the edge answers. Absent in what an older relay enqueued. */
  readonly extension?: string;
  readonly until: number;
}

export async function revokeAgent(
  parts: {
    readonly tenants: Tenants;
    readonly store: Store;
    readonly sessions: Sessions;
    readonly hub: LiveHub;
    readonly log: Log;
    readonly now: () => number;
  },
  tenantId: TenantId,
  agentId: AgentId,
  reason: string,
): Promise<Revocation> {
  const { tenant, agent } = parts.tenants.knownAgent(tenantId, agentId);
  const now = parts.now();
  // Codes first: one that is redeemed at this moment opens a session that the next line ends.
  await parts.store.identity.revokePairingCodes(tenantId, agentId, now);
  const sessions = await parts.sessions.revoke(tenantId, agentId);
  const live = await parts.store.credentials.liveCredentials(tenantId, agentId, now);
  // At least as far as a credential minted this very moment reaches.
  const until = Math.max(
    Math.floor(now / 1_000) + tenant.config.sip.credential.ttlSeconds + 2,
    ...live.map((credential) => Math.ceil(credential.expiresAt / 1_000)),
  );
  await parts.store.credentials.denyUntil(tenantId, agentId, agent.extension, until, now);

  let edge: Revocation['edge'] = tenant.config.sip.revocation === undefined ? 'absent' : 'done';
  try {
    await revokeAtEdge(tenant.config, agent.extension, until, now);
  } catch (error) {
    edge = 'retrying';
    parts.log.error(
      { err: error, tenant: tenantId, agent: agentId },
      'the SIP edge could not be told of a revocation yet',
    );
    const payload: EdgeRevocation = { agent: agentId, extension: agent.extension, until };
    await parts.store.outbox.enqueue([
      {
        id: `edge.revoke ${tenantId} ${agentId}`,
        kind: 'edge.revoke',
        tenant: tenantId,
        callId: null,
        payload,
        dueAt: now,
      },
    ]);
  }

  parts.hub.tell(tenantId, agentId, relayEvent(tenantId, { name: 'credential.revoked', at: now, data: { reason } }));
  parts.hub.end(tenantId, agentId, 4403, 'revoked');
  parts.log.info({ tenant: tenantId, agent: agentId, sessions, credentials: live.length, edge }, 'access revoked');
  return { sessions, credentials: live.length, edge };
}

/** Tells the edges again what they may have forgotten in a restart: every denial that still matters. Returns how many could not be told. */
export async function repeatDenials(
  parts: { readonly tenants: Tenants; readonly store: Store; readonly log: Log },
  now: number,
): Promise<number> {
  let untold = 0;
  for (const denial of await parts.store.credentials.denials(Math.floor(now / 1_000))) {
    const tenant = parts.tenants.find(denial.tenant)?.config;
    const extension = denial.extension ?? parts.tenants.agent(denial.tenant, denial.agent)?.agent.extension;
    if (tenant === undefined || extension === undefined) continue;
    try {
      await denyAtEdge(tenant, extension, denial.until, now);
    } catch (error) {
      untold += 1;
      parts.log.warn(
        { err: error, tenant: denial.tenant, agent: denial.agent },
        'the SIP edge could not be reminded of a revocation',
      );
    }
  }
  return untold;
}
