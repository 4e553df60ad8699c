/**
 * Short-lived SIP and TURN credentials. Owns their form: `<unix expiry s>:<name>` and base64(HMAC(secret, that)), which the edge and the TURN
 * server check without asking us. Must never log or store a password.
 */
import { createHmac } from 'node:crypto';
import type { AgentId, Credentials, DeviceId } from '@patchcord/call-protocol';
import type { AgentConfig, TenantConfig } from '../config.ts';
import type { CredentialStore } from '../store/contract.ts';

/** Kamailio's auth_ephemeral: HMAC-SHA256 over the whole user name. */
export function ephemeralCredential(secret: string, name: string, expiresAtSeconds: number) {
  const username = `${expiresAtSeconds}:${name}`;
  return { username, password: createHmac('sha256', secret).update(username).digest('base64') };
}

/** TURN REST (draft-uberti-behave-turn-rest): SHA-1, because TURN servers know nothing else. */
export function turnCredential(secret: string, name: string, expiresAtSeconds: number) {
  const username = `${expiresAtSeconds}:${name}`;
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') };
}

/**
 * Mints what this agent needs on this device, and notes that it was issued.
 * @throws PatchcordError `store.unavailable`: what is not noted is not given out
 */
export async function mintCredentials(
  tenant: TenantConfig,
  agent: AgentConfig,
  device: DeviceId,
  store: CredentialStore,
  now: number,
): Promise<Credentials> {
  const seconds = Math.floor(now / 1_000);
  const denied = await store.deniedUntil(tenant.id, agent.id);
  // The edge refuses what expires at or before the time of a revocation; who may sign in again gets one that expires later.
  let expires = Math.max(seconds + tenant.sip.credential.ttlSeconds, denied + 1);
  let sip = ephemeralCredential(tenant.sip.credential.secret, agent.extension, expires);
  const issue = () =>
    store.addIssued({
      tenant: tenant.id,
      agent: agent.id as AgentId,
      device,
      username: sip.username,
      issuedAt: now,
      expiresAt: expires * 1_000,
    });
  // Two devices in the same second: the user name is what a denial names, so each gets its own.
  while (!(await issue())) {
    expires += 1;
    sip = ephemeralCredential(tenant.sip.credential.secret, agent.extension, expires);
  }
  const turn = tenant.turn;
  return {
    sip: { ...sip, expiresAt: expires * 1_000 },
    iceServers:
      turn === undefined
        ? []
        : [{ urls: turn.urls, ...turnCredential(turn.secret, agent.extension, seconds + turn.ttlSeconds) }],
  };
}
