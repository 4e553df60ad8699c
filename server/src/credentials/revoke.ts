/**
 * Takes access away at once, everywhere: pairing codes, sessions, credentials and registrations at the PBX, running calls where the policy says
 * so, live sockets. Owns the order, so that nothing can be minted between two steps; what the PBX could not be told is kept and told again until
 * it hears it. An agent who has left the configuration can be revoked like any other.
 */
import type { AgentId, DeviceId, TenantId } from '@patchcord/call-protocol';
import type { TenantConfig } from '../config.ts';
import type { Sessions } from '../identity/sessions.ts';
import type { LiveHub } from '../live/hub.ts';
import { relayEvent } from '../live/relay-event.ts';
import type { Log } from '../logging.ts';
import type { Store } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import type { IssuerParts } from './issuer.ts';
import { issuerOf } from './issuers.ts';

export interface Revocation {
  readonly sessions: number;
  readonly credentials: number;
  /** `retrying`: the PBX did not answer; it is told again until it does. `absent`: credentials can't be refused there before they lapse. */
  readonly edge: 'done' | 'retrying' | 'absent';
  /** What revoking can't do with this PBX, in plain words; null when it does everything. */
  readonly limits: string | null;
}

/** Payload of the `edge.revoke` effect. */
export interface EdgeRevocation {
  readonly agent: string;
  /** Kept here: the agent may leave the configuration before the edge answers. Absent in what an older relay enqueued. */
  readonly extension?: string;
  /** Null or absent: every device. */
  readonly device?: string | null;
  /** Epoch seconds: what it would refuse has lapsed by then. */
  readonly until: number;
}

export interface RevocationParts {
  readonly tenants: Tenants;
  readonly store: Store;
  readonly sessions: Sessions;
  readonly hub: LiveHub;
  readonly log: Log;
  readonly now: () => number;
}

/** Every device of an agent. */
export function revokeAgent(
  parts: RevocationParts,
  tenant: TenantId,
  agent: AgentId,
  reason: string,
): Promise<Revocation> {
  return revoke(parts, tenant, agent, null, reason);
}

/** One device of an agent; the others don't notice. */
export function revokeDevice(
  parts: RevocationParts,
  tenant: TenantId,
  agent: AgentId,
  device: DeviceId,
  reason: string,
): Promise<Revocation> {
  return revoke(parts, tenant, agent, device, reason);
}

async function revoke(
  parts: RevocationParts,
  tenantId: TenantId,
  agentId: AgentId,
  device: DeviceId | null,
  reason: string,
): Promise<Revocation> {
  const { store, now: clock } = parts;
  const now = clock();
  // Codes first: one that is redeemed at this moment opens a session that the next line ends. They are the agent's, not a device's.
  if (device === null) await store.identity.revokePairingCodes(tenantId, agentId, now);
  const sessions = await parts.sessions.revoke(tenantId, agentId, device ?? undefined);
  const withdrawn = await store.credentials.revokeIssued(tenantId, agentId, device, now);

  // Sockets need not wait for a PBX that does not answer.
  // The news reaches all of an agent's panels, so it is told only when it is for all of them.
  if (device === null)
    parts.hub.tell(tenantId, agentId, relayEvent(tenantId, { name: 'credential.revoked', at: now, data: { reason } }));
  parts.hub.end(tenantId, agentId, 4403, device === null ? 'revoked' : reason, device);

  const tenant = parts.tenants.find(tenantId)?.config;
  const extension =
    parts.tenants.agent(tenantId, agentId)?.agent.extension ??
    withdrawn.find((one) => one.extension !== null)?.extension ??
    (await store.credentials.lastExtension(tenantId, agentId));
  let edge: Revocation['edge'] = 'absent';
  let limits: string | null = null;
  // Without a tenant there is no PBX of ours, and without an extension there was never a credential.
  if (tenant !== undefined && extension !== null) {
    const issuer = issuerOf(tenant, { store: store.credentials, log: parts.log, now: clock });
    limits = issuer.limits;
    const until = lapsedBy(tenant, withdrawn, now);
    // A device's credentials are denied by their names; what is minted for others stays good.
    if (device === null) await store.credentials.denyUntil(tenantId, agentId, extension, until, now);
    if (issuer.revocable) edge = 'done';
    try {
      await tellPbx(issuerParts(parts, tenant), { agent: agentId, extension, device });
    } catch (error) {
      edge = 'retrying';
      parts.log.error(
        { err: error, tenant: tenantId, agent: agentId },
        'the PBX could not be told of a revocation yet',
      );
      const payload: EdgeRevocation = { agent: agentId, extension, device, until };
      await store.outbox.enqueue([
        {
          id: `edge.revoke ${tenantId} ${agentId}${device === null ? '' : ` ${device}`}`,
          kind: 'edge.revoke',
          tenant: tenantId,
          callId: null,
          payload,
          dueAt: now,
          orderKey: `edge ${tenantId} ${agentId}`,
        },
      ]);
    }
  }
  parts.log.info(
    { tenant: tenantId, agent: agentId, device: device ?? 'all', sessions, credentials: withdrawn.length, edge },
    'access revoked',
  );
  return { sessions, credentials: withdrawn.length, edge, limits };
}

/** Carries an `edge.revoke` effect out: what the PBX could not be told at once. */
export async function repeatRevocation(
  parts: Pick<RevocationParts, 'tenants' | 'store' | 'log' | 'now'>,
  tenantId: TenantId,
  revocation: EdgeRevocation,
): Promise<void> {
  // A tenant that is not configured any more has no PBX of ours.
  const tenant = parts.tenants.find(tenantId)?.config;
  const extension = revocation.extension ?? parts.tenants.agent(tenantId, revocation.agent)?.agent.extension;
  // What it would refuse has lapsed by itself.
  if (tenant === undefined || extension === undefined || revocation.until * 1_000 <= parts.now()) return;
  await tellPbx(issuerParts(parts, tenant), { ...revocation, extension });
}

/**
 * Brings every PBX to what the store says: on start and every minute. One that does not answer must not cost the others their turn.
 * @returns how many could not be told
 */
export async function reconcileIssuers(
  parts: Pick<RevocationParts, 'tenants' | 'store' | 'log' | 'now'> & Pick<IssuerParts, 'metrics'>,
): Promise<number> {
  const outcomes = await Promise.allSettled(
    parts.tenants.all().map(async ({ config }) => {
      try {
        await issuerOf(config, issuerParts(parts, config)).reconcile();
      } catch (error) {
        parts.log.warn({ err: error, tenant: config.id }, 'a PBX could not be brought up to date');
        throw error;
      }
    }),
  );
  return outcomes.filter((outcome) => outcome.status === 'rejected').length;
}

function tellPbx(
  parts: IssuerParts,
  { agent, extension, device }: { readonly agent: string; readonly extension: string; readonly device?: string | null },
): Promise<void> {
  const issuer = issuerOf(parts.tenant, parts);
  const line = { agent: agent as AgentId, extension };
  return device === null || device === undefined ? issuer.revokeAgent(line) : issuer.revoke(line, device as DeviceId);
}

function issuerParts(
  { store, log, now, metrics }: Pick<RevocationParts, 'store' | 'log' | 'now'> & Pick<IssuerParts, 'metrics'>,
  tenant: TenantConfig,
): IssuerParts {
  return { tenant, store: store.credentials, log, now, metrics };
}

/** Epoch seconds at which the last of what was withdrawn has lapsed: at least as far as a credential minted this very moment reaches. */
function lapsedBy(
  { sip: { credential } }: TenantConfig,
  withdrawn: readonly { readonly expiresAt: number }[],
  now: number,
): number {
  const ttlSeconds = 'ttlSeconds' in credential ? credential.ttlSeconds : 0;
  return Math.max(
    Math.floor(now / 1_000) + ttlSeconds + 2,
    ...withdrawn.map(({ expiresAt }) => Math.ceil(expiresAt / 1_000)),
  );
}
