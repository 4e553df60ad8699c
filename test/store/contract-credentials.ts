/** What every store promises about issued and denied credentials. Called by store-contract.ts, so that both databases are held to it. */
import { randomUUID } from 'node:crypto';
import type { AgentId, DeviceId, TenantId } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import type { IssuedCredential, Store } from '../../server/src/store/contract.ts';

export function credentialContract(store: () => Store): void {
  const aCredential = (overrides: Partial<IssuedCredential> = {}): IssuedCredential => ({
    tenant: `tenant-${randomUUID()}` as TenantId,
    agent: 'ada' as AgentId,
    device: randomUUID() as DeviceId,
    username: `1790000000:${randomUUID()}`,
    kind: 'kamailio-htable',
    extension: '1001',
    user: null,
    ha1: 'f'.repeat(32),
    issuedAt: 1,
    expiresAt: 1_000,
    revokedAt: null,
    ...overrides,
  });

  describe('issued credentials', () => {
    it('are alive until they lapse, and a user name is given out once', async () => {
      const { credentials } = store();
      const one = aCredential();
      expect(await credentials.addIssued(one)).toBe(true);
      expect(await credentials.addIssued(aCredential({ tenant: one.tenant, username: one.username }))).toBe(false);
      expect(await credentials.liveCredentials(one.tenant, one.agent, 999)).toEqual([one]);
      expect(await credentials.liveOfTenant(one.tenant, 999)).toEqual([one]);
      expect(await credentials.liveOfExtension(one.tenant, '1001', 999)).toEqual([one]);
      expect(await credentials.liveByUsername(one.tenant, one.username, 999)).toEqual(one);
      expect(await credentials.liveCredentials(one.tenant, one.agent, 1_000)).toEqual([]);
      expect(await credentials.liveByUsername(one.tenant, one.username, 1_000)).toBeNull();
      expect(await credentials.liveByUsername('other' as TenantId, one.username, 999)).toBeNull();
    });

    it('are renewed in place for their own device, and for no other', async () => {
      const { credentials } = store();
      const one = aCredential();
      const next = { ...one, ha1: 'e'.repeat(32), issuedAt: 500, expiresAt: 1_500 };
      expect(await credentials.renewIssued(one)).toBe(true);
      expect(await credentials.renewIssued(next)).toBe(true);
      expect(await credentials.renewIssued({ ...next, device: randomUUID() as DeviceId })).toBe(false);
      expect(await credentials.liveOfTenant(one.tenant, 999)).toEqual([next]);
      // Who was revoked and may sign in again gets the name back.
      await credentials.revokeIssued(one.tenant, one.agent, null, 600);
      expect(await credentials.renewIssued({ ...next, expiresAt: 2_000 })).toBe(true);
      expect(await credentials.liveOfTenant(one.tenant, 999)).toHaveLength(1);
    });

    it('of one device are withdrawn without touching the others, and stay known as withdrawn until they lapse', async () => {
      const { credentials } = store();
      const one = aCredential();
      const other = aCredential({ tenant: one.tenant });
      await credentials.addIssued(one);
      await credentials.addIssued(other);
      expect(await credentials.revokeIssued(one.tenant, one.agent, one.device, 500)).toEqual([
        { ...one, revokedAt: 500 },
      ]);
      expect(await credentials.revokeIssued(one.tenant, one.agent, one.device, 501)).toEqual([]);
      expect(await credentials.liveCredentials(one.tenant, one.agent, 999)).toEqual([other]);
      expect(await credentials.revokedCredentials(one.tenant, 999)).toEqual([{ ...one, revokedAt: 500 }]);
      expect(await credentials.revokedCredentials(one.tenant, 1_000)).toEqual([]);
      expect((await credentials.issuedTo(one.tenant, one.agent, 999)).map(({ device }) => device).sort()).toEqual(
        [one.device, other.device].sort(),
      );
      expect(await credentials.revokeIssued(one.tenant, one.agent, null, 502)).toHaveLength(1);
    });

    it('say which extension an agent had last, also when the agent is gone from the configuration', async () => {
      const { credentials } = store();
      const one = aCredential();
      expect(await credentials.lastExtension(one.tenant, one.agent)).toBeNull();
      await credentials.addIssued(one);
      await credentials.addIssued(aCredential({ tenant: one.tenant, extension: '1002', issuedAt: 2 }));
      expect(await credentials.lastExtension(one.tenant, one.agent)).toBe('1002');
    });
  });

  describe('denied agents', () => {
    it('stay denied as far as the furthest denial reaches', async () => {
      const { credentials } = store();
      const who = { tenant: 'acme' as TenantId, agent: `agent-${randomUUID()}` as AgentId };
      expect(await credentials.deniedUntil(who.tenant, who.agent)).toBe(0);
      await credentials.denyUntil(who.tenant, who.agent, '1001', 500, 1);
      await credentials.denyUntil(who.tenant, who.agent, '1001', 400, 2);
      expect(await credentials.deniedUntil(who.tenant, who.agent)).toBe(500);
      expect(await credentials.denials(499)).toContainEqual({ ...who, extension: '1001', until: 500 });
      expect(await credentials.denials(500)).not.toContainEqual({ ...who, extension: '1001', until: 500 });
    });
  });
}
