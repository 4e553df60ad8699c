/** What every store must keep of identity, audit and sealed secrets, whatever database is behind it. */
import { randomUUID } from 'node:crypto';
import type { AgentId, DeviceId, TenantId } from '@patchcord/call-protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Store, StoredSession } from '../../server/src/store/contract.ts';

const tenant = 'acme' as TenantId;
const agent = 'ada' as AgentId;

/** A session that a test overrides where it is about. */
export function storedSession(change: Partial<StoredSession> = {}): StoredSession {
  return {
    id: randomUUID(),
    tenant,
    agent,
    device: randomUUID() as DeviceId,
    keyThumbprint: 'thumbprint',
    salt: 'salt',
    label: 'Chrome on Linux',
    way: 'pairing-code',
    role: null,
    accessHash: 'access-1',
    accessExpiresAt: 500,
    previousAccessHash: null,
    previousAccessExpiresAt: 0,
    refreshHash: 'refresh-1',
    previousRefreshHash: null,
    refreshedAt: 1,
    createdAt: 1,
    expiresAt: 1_000,
    lastSeenAt: 1,
    ...change,
  };
}

export function identityContract(open: () => Store): void {
  let store: Store;
  beforeEach(() => {
    store = open();
  });
  const somebody = () => `agent-${randomUUID()}` as AgentId;

  describe('sessions', () => {
    it('are found until they expire or are ended', async () => {
      const session = storedSession({ agent: somebody() });
      await store.identity.addSession(session);
      expect(await store.identity.findSession(session.id, 999)).toEqual(session);
      expect(await store.identity.findSession(session.id, 1_000)).toBeNull();
      expect(await store.identity.findSession('other', 1)).toBeNull();
      expect(await store.identity.revokeSessions(tenant, somebody(), 10)).toBe(0);
      expect(await store.identity.revokeSessions(tenant, session.agent, 10)).toBe(1);
      expect(await store.identity.revokeSessions(tenant, session.agent, 11)).toBe(0);
      expect(await store.identity.findSession(session.id, 11)).toBeNull();
    });

    it('are listed by agent, and one device of many can be ended', async () => {
      const who = { agent: somebody() };
      const [phone, laptop] = [storedSession(who), storedSession({ ...who, createdAt: 2 })];
      await store.identity.addSession(laptop);
      await store.identity.addSession(phone);
      expect(await store.identity.sessionsOf(tenant, who.agent, 10)).toEqual([phone, laptop]);
      expect(await store.identity.sessionsOf('other' as TenantId, who.agent, 10)).toEqual([]);
      expect(await store.identity.revokeSessions(tenant, who.agent, 10, phone.device)).toBe(1);
      expect(await store.identity.sessionsOf(tenant, who.agent, 10)).toEqual([laptop]);
      await store.identity.endSession(laptop.id, 10);
      expect(await store.identity.sessionsOf(tenant, who.agent, 10)).toEqual([]);
    });

    it('let one of many put new tokens in the place of the old', async () => {
      const session = storedSession();
      await store.identity.addSession(session);
      const next = (n: number) => ({
        accessHash: `access-2-${n}`,
        accessExpiresAt: 700,
        previousAccessHash: 'access-1',
        previousAccessExpiresAt: 500,
        refreshHash: `refresh-2-${n}`,
        previousRefreshHash: 'refresh-1',
        refreshedAt: 20,
      });
      const rotated = await Promise.all(
        [0, 1, 2, 3].map((n) => store.identity.rotateSession(session.id, 'refresh-1', next(n), 20)),
      );
      expect(rotated.filter(Boolean)).toHaveLength(1);
      expect(await store.identity.findSession(session.id, 21)).toEqual({
        ...session,
        ...next(rotated.indexOf(true)),
        lastSeenAt: 20,
      });
      await store.identity.endSession(session.id, 30);
      expect(await store.identity.rotateSession(session.id, next(rotated.indexOf(true)).refreshHash, next(9), 31)).toBe(
        false,
      );
    });
  });

  describe('one-time things', () => {
    it('give a pairing code to exactly one of many', async () => {
      const codeHash = randomUUID();
      await store.identity.addPairingCode({ codeHash, tenant, agent, expiresAt: 1_000 });
      expect(await store.identity.takePairingCode(codeHash, 1_000)).toBeNull();
      const taken = await Promise.all(Array.from({ length: 10 }, () => store.identity.takePairingCode(codeHash, 500)));
      expect(taken.filter((one) => one !== null)).toEqual([{ tenant, agent }]);
    });

    it('are used up for one agent, codes and claims, and for nobody else', async () => {
      const who = { tenant, agent: somebody() };
      const [codeHash, otherHash, claimHash] = [randomUUID(), randomUUID(), randomUUID()];
      await store.identity.addPairingCode({ codeHash, ...who, expiresAt: 1_000 });
      await store.identity.addPairingCode({ codeHash: otherHash, tenant, agent, expiresAt: 1_000 });
      await store.identity.addClaim({ claimHash, ...who, way: 'oidc', role: null, challenge: 'c', expiresAt: 1_000 });
      await store.identity.revokePairingCodes(who.tenant, who.agent, 400);
      expect(await store.identity.takePairingCode(codeHash, 500)).toBeNull();
      expect(await store.identity.takeClaim(claimHash, 500)).toBeNull();
      expect(await store.identity.takePairingCode(otherHash, 500)).toEqual({ tenant, agent });
    });

    it('take a proof once, whoever asks with what else', async () => {
      const [one, two, three] = [randomUUID(), randomUUID(), randomUUID()];
      const use = (...keys: string[]) => store.identity.useProofs(keys.map((key) => ({ key, expiresAt: 100 })));
      const [left, right] = await Promise.all([use(one, two), use(two, one, three)]);
      expect([...left, ...right].sort()).toEqual([one, two, three].sort());
      expect((await use(three)).size).toBe(0);
      expect((await use()).size).toBe(0);
      await store.forgetExpired(101);
      expect([...(await use(three))]).toEqual([three]);
    });

    it('take a sign-in and its claim once, in time', async () => {
      const attempt = {
        stateHash: randomUUID(),
        tenant,
        way: 'oidc',
        challenge: 'challenge',
        sealed: 'sealed',
        expiresAt: 1_000,
      };
      await store.identity.addSignIn(attempt);
      const taken = await Promise.all([1, 2, 3].map(() => store.identity.takeSignIn(attempt.stateHash, 10)));
      expect(taken.filter((one) => one !== null)).toEqual([attempt]);
      const late = { ...attempt, stateHash: randomUUID() };
      await store.identity.addSignIn(late);
      expect(await store.identity.takeSignIn(late.stateHash, 1_000)).toBeNull();
      const claim = {
        claimHash: randomUUID(),
        tenant,
        agent,
        way: 'oidc',
        role: 'admin',
        challenge: 'challenge',
        expiresAt: 1_000,
      } as const;
      await store.identity.addClaim(claim);
      const claims = await Promise.all([1, 2, 3].map(() => store.identity.takeClaim(claim.claimHash, 10)));
      expect(claims.filter((one) => one !== null)).toEqual([claim]);
    });
  });

  describe('the audit', () => {
    it('keeps the order of what it was told, tenant by tenant, and goes on where a reader stopped', async () => {
      const [mine, other] = [`tenant-${randomUUID()}` as TenantId, `tenant-${randomUUID()}` as TenantId];
      const entry = (act: `${string}.${string}`, at: number, of: TenantId = mine) => ({
        tenant: of,
        actor: 'agent:ada',
        act,
        subject: 'device:one',
        data: { n: at },
        at,
      });
      await store.audit.add([entry('one.noted', 5), entry('two.noted', 5), entry('three.noted', 6)]);
      await store.audit.add([entry('four.noted', 7, other)]);
      const all = await store.audit.read(mine, '', 10);
      expect(all.map(({ act, data }) => [act, data])).toEqual([
        ['one.noted', { n: 5 }],
        ['two.noted', { n: 5 }],
        ['three.noted', { n: 6 }],
      ]);
      expect((await store.audit.read(mine, all[1]?.id ?? '', 10)).map(({ act }) => act)).toEqual(['three.noted']);
      expect((await store.audit.read(mine, '', 1)).map(({ act }) => act)).toEqual(['one.noted']);
      expect(await store.audit.last(mine, 'two.noted')).toEqual(all[1]);
      expect(await store.audit.last(mine, 'four.noted')).toBeNull();
    });
  });

  describe('sealed secrets', () => {
    it('are put in each other’s place by exactly one of many', async () => {
      const kind = `kind-${randomUUID()}`;
      const secret = (sealed: string) => ({ tenant, kind, keyId: 'k1', sealed, changedAt: 5 });
      const first = await Promise.all(['a', 'b', 'c'].map((sealed) => store.vault.put(secret(sealed), 0)));
      expect(first.filter(Boolean)).toHaveLength(1);
      const second = await Promise.all(['d', 'e'].map((sealed) => store.vault.put(secret(sealed), 1)));
      expect(second.filter(Boolean)).toHaveLength(1);
      expect(await store.vault.find(tenant, kind)).toMatchObject({ sealed: second[0] ? 'd' : 'e', version: 2 });
      expect(await store.vault.find('other' as TenantId, kind)).toBeNull();
      expect((await store.vault.sealedOtherwise('k2', 1_000)).some((one) => one.kind === kind)).toBe(true);
      expect((await store.vault.countByKey()).get('k1')).toBeGreaterThan(0);
      await store.vault.remove(tenant, kind);
      expect(await store.vault.find(tenant, kind)).toBeNull();
    });
  });
}
