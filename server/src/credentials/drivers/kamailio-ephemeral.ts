/**
 * Kamailio's auth_ephemeral: the edge checks `<unix expiry s>:<extension>` and base64(HMAC-SHA256(secret, that)) without asking us or being
 * told. Nothing has to be pushed; what is withdrawn has to be denied by name until it lapses, and again after a restart of the edge.
 */

import { createHmac } from 'node:crypto';
import type { DeviceId } from '@patchcord/call-protocol';
import { endCallsNamed, endCallsOf } from '../../brakes/edge-rules.ts';
import type { AgentLine, CredentialIssuer, CredentialSettings, IssuerParts } from '../issuer.ts';
import { callEdge, edgeControl, forgetDevice, forgetExtension, hasDevice, limitsOfEdge } from '../kamailio.ts';

/** A denial only has to outlast the credentials; the rest is for clocks that disagree. */
const keepSeconds = 300;

/** HMAC-SHA256 over the whole user name. */
function ephemeralCredential(secret: string, name: string, expiresAtSeconds: number) {
  const username = `${expiresAtSeconds}:${name}`;
  return { username, password: createHmac('sha256', secret).update(username).digest('base64') };
}

export function kamailioEphemeral(
  { tenant, store, now }: IssuerParts,
  settings: CredentialSettings<'kamailio-ephemeral'>,
): CredentialIssuer {
  const edge = edgeControl(tenant);
  const secondsFrom = (until: number): number => Math.max(1, until - Math.floor(now() / 1_000)) + keepSeconds;
  const denyExtension = async (extension: string, until: number): Promise<void> => {
    if (edge !== null) await callEdge(edge, 'htable.setxi', ['denied_until', extension, until, secondsFrom(until)]);
  };
  const denyOne = async (username: string, expiresAt: number): Promise<void> => {
    if (edge !== null)
      await callEdge(edge, 'htable.setxs', ['denied', username, '1', secondsFrom(Math.ceil(expiresAt / 1_000))]);
  };
  return {
    kind: 'kamailio-ephemeral',
    notesLast: true,
    revocable: edge !== null,
    limits:
      edge === null
        ? `Without sip.revocation.kamailioRpcUrl the edge can't be told: a credential works until it lapses, ${settings.ttlSeconds} seconds at most.`
        : limitsOfEdge(tenant),

    async issue(device) {
      const at = now();
      const denied = await store.deniedUntil(tenant.id, device.agent);
      // The edge refuses what expires at or before the time of a revocation; who may sign in again gets one that expires later.
      let expires = Math.max(Math.floor(at / 1_000) + settings.ttlSeconds, denied + 1);
      // Several tabs in one second have taken the next ones; anything further was given out by another configuration.
      const newest = Math.floor((device.newestLapsesAt ?? 0) / 1_000);
      if (newest >= expires && newest < expires + 60) expires = newest + 1;
      for (;;) {
        const sip = ephemeralCredential(settings.secret, device.extension, expires);
        const issued = await store.addIssued({
          tenant: tenant.id,
          agent: device.agent,
          device: device.id,
          username: sip.username,
          kind: 'kamailio-ephemeral',
          extension: device.extension,
          user: null,
          ha1: null,
          issuedAt: at,
          expiresAt: expires * 1_000,
          revokedAt: null,
        });
        if (issued) return { ...sip, expiresAt: expires * 1_000 };
        // Two devices in the same second: the user name is what a denial names, so each gets its own.
        expires += 1;
      }
    },

    async revoke(line, device) {
      const withdrawn = await store.issuedTo(tenant.id, line.agent, now());
      for (const one of withdrawn) {
        if (one.device === device && one.revokedAt !== null) await denyOne(one.username, one.expiresAt);
      }
      if (edge !== null) await forgetDevice(edge, line.extension, device);
    },

    async revokeAgent(line) {
      const until = await store.deniedUntil(tenant.id, line.agent);
      if (until * 1_000 > now()) await denyExtension(line.extension, until);
      if (edge === null) return;
      await forgetExtension(edge, line.extension);
      if (tenant.sip.revocation.calls === 'end') await endCallsOf(edge, line.extension);
    },

    ...(edge === null
      ? {}
      : {
          endCalls: (_line, _device, sipCallIds: readonly string[]) => endCallsNamed(edge, sipCallIds),
          isRegistered: ({ extension }: AgentLine, device: DeviceId) => hasDevice(edge, extension, device),
        }),

    async reconcile() {
      const at = now();
      const denied = new Map<string, number>();
      for (const denial of await store.denials(Math.floor(at / 1_000))) {
        if (denial.tenant !== tenant.id) continue;
        denied.set(denial.agent, denial.until * 1_000);
        const extension = denial.extension ?? tenant.agents.find((agent) => agent.id === denial.agent)?.extension;
        if (extension !== undefined) await denyExtension(extension, denial.until);
      }
      for (const one of await store.revokedCredentials(tenant.id, at)) {
        const covered = (denied.get(one.agent) ?? 0) >= one.expiresAt;
        if (one.kind === 'kamailio-ephemeral' && !covered) await denyOne(one.username, one.expiresAt);
      }
      return { removed: 0, restored: 0 };
    },
  };
}
