/** What every store promises about noting a minted credential. Called by store-contract.ts, so that both databases are held to it. */
import { randomUUID } from 'node:crypto';
import type { TenantId } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import type { IssuedCredential, MintNote, MintStanding, Store } from '../../server/src/store/contract.ts';
import { storedSession } from './contract-identity.ts';

export function mintingContract(store: () => Store): void {
  const signedIn = async (): Promise<MintStanding> => {
    const session = storedSession({ id: randomUUID(), tenant: `tenant-${randomUUID()}` as TenantId, expiresAt: 1_000 });
    await store().identity.addSession(session);
    const standing = await store().minting.standing(session.id, 0, 100);
    if (standing === null) throw new Error('the session is not there');
    return standing;
  };
  const credentialOf = ({ tenant, agent, device }: MintStanding): IssuedCredential => ({
    tenant,
    agent,
    device,
    username: randomUUID(),
    kind: 'kamailio-ephemeral',
    extension: '1001',
    user: null,
    ha1: null,
    issuedAt: 100,
    expiresAt: 700,
    revokedAt: null,
  });
  const noteOf = (standing: MintStanding, key: string = randomUUID()): MintNote => ({
    standing,
    limit: { since: 0, most: 2 },
    proof: { key, expiresAt: 500 },
    audit: { tenant: standing.tenant, actor: 'agent:ada', act: 'credential.issued', at: 100 },
    now: 100,
  });

  describe('minting', () => {
    it('notes the credential, the proof and the act together, and a proof or a name serves once', async () => {
      const standing = await signedIn();
      const { minting, audit } = store();
      const one = credentialOf(standing);
      expect(await minting.note(one, 'add', noteOf(standing, 'p1'))).toBe('noted');
      expect(await minting.note(credentialOf(standing), 'add', noteOf(standing, 'p1'))).toBe('replayed');
      expect(await minting.note(one, 'add', noteOf(standing, 'p2'))).toBe('taken');
      // What was not noted has used nothing up.
      expect(await minting.note(credentialOf(standing), 'add', noteOf(standing, 'p2'))).toBe('noted');
      expect(await audit.read(standing.tenant, '', 9)).toHaveLength(2);
      expect(await minting.standing(standing.id, 0, 100)).toMatchObject({ issuedLately: 2, newestLapsesAt: 700 });
      // The limit counts in the transaction, whatever was found before it.
      expect(await minting.note(credentialOf(standing), 'add', noteOf(standing))).toBe('stale');
    });

    it('notes nothing by a standing that does not hold any more', async () => {
      const { minting, identity, credentials, brakes } = store();
      const stopped = await signedIn();
      const { tenant, agent } = stopped;
      const state = { tenant, agent, level: 'all', cause: 'x', reason: 'Stop.', since: 1, until: null } as const;
      await brakes.setState(state, 100);
      expect(await minting.standing(stopped.id, 0, 100)).toMatchObject({ brakes: [{ level: 'all', agent }] });
      const denied = await signedIn();
      await credentials.denyUntil(denied.tenant, denied.agent, '1001', 900, 100);
      const ended = await signedIn();
      await identity.endSession(ended.id, 99);
      for (const standing of [stopped, denied, ended]) {
        expect(await minting.note(credentialOf(standing), 'add', noteOf(standing))).toBe('stale');
        expect(await credentials.liveOfTenant(standing.tenant, 100)).toEqual([]);
      }
      expect(await minting.standing(ended.id, 0, 100)).toBeNull();
    });
  });
}
