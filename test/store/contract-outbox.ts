/** What every store keeps of the outbox beyond leases: order per key, turns between tenants, replay, who is alive. */
import { randomUUID } from 'node:crypto';
import { type AgentId, type CallId, newCallId, type TenantId, toEnvelope } from '@patchcord/call-protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LeasedEffect, NewEffect, Store, StoredEvent } from '../../server/src/store/contract.ts';

export function outboxOrderContract(storeOf: () => Store): void {
  const newTenant = (): TenantId => `tenant-${randomUUID()}` as TenantId;
  const effect = (tenant: TenantId, orderKey: string | null, change: Partial<NewEffect> = {}): NewEffect => ({
    id: randomUUID(),
    kind: 'webhook',
    tenant,
    callId: null,
    payload: {},
    dueAt: 100,
    orderKey,
    ...change,
  });
  /** Everybody else's effects are as good as paused: the file shares one database. */
  const claim = (
    tenants: readonly TenantId[],
    options: { readonly now?: number; readonly limit?: number; readonly most?: number } = {},
  ) =>
    storeOf().outbox.claim({
      now: options.now ?? 1_000,
      leaseMs: 500,
      limit: options.limit ?? 10,
      kinds: ['crm.log', 'webhook'],
      pausedTenants: [],
      mostOf: (tenant) => (tenants.includes(tenant) ? (options.most ?? 1_000) : 0),
    });
  const ids = (effects: readonly { readonly id: string }[]): readonly string[] => effects.map(({ id }) => id);
  const one = (effects: readonly LeasedEffect[]): LeasedEffect => {
    const [first] = effects;
    if (first === undefined) throw new Error('nothing was claimed');
    return first;
  };

  describe('the outbox keeps order', () => {
    it('gives the effects of one key one after the other, and those of many keys at once', async () => {
      const tenant = newTenant();
      const [a1, a2, b1] = [
        effect(tenant, `${tenant} a`),
        effect(tenant, `${tenant} a`),
        effect(tenant, `${tenant} b`),
      ];
      await storeOf().outbox.enqueue([a1, a2, b1]);
      const taken = await claim([tenant]);
      expect([...ids(taken)].sort()).toEqual([a1.id, b1.id].sort());
      expect(await claim([tenant])).toEqual([]);
      await storeOf().outbox.done(one(taken.filter(({ id }) => id === a1.id)), 1_000);
      expect(ids(await claim([tenant]))).toEqual([a2.id]);
    });

    it('lets one that backs off hold back those behind it, and a dead one nobody', async () => {
      const tenant = newTenant();
      const [first, second] = [effect(tenant, `${tenant} k`), effect(tenant, `${tenant} k`)];
      await storeOf().outbox.enqueue([first, second]);
      await storeOf().outbox.failed(one(await claim([tenant])), { dueAt: 5_000, reason: 'away', dead: false });
      expect(await claim([tenant], { now: 4_999 })).toEqual([]);
      const again = await claim([tenant], { now: 5_000 });
      expect(ids(again)).toEqual([first.id]);
      await storeOf().outbox.failed(one(again), { dueAt: 5_000, reason: 'refused', dead: true });
      expect(ids(await claim([tenant], { now: 5_000 }))).toEqual([second.id]);
    });

    it('lets a log that is not due yet and was never tried hold nobody back', async () => {
      const tenant = newTenant();
      const draft = effect(tenant, `${tenant} r`, { kind: 'crm.log', dueAt: 9_000 });
      const finished = effect(tenant, `${tenant} r`, { kind: 'crm.log' });
      await storeOf().outbox.enqueue([draft, finished]);
      expect(ids(await claim([tenant]))).toEqual([finished.id]);
      // and while that one is held, the draft waits although it is due now
      expect(await claim([tenant], { now: 1_400 })).toEqual([]);
    });

    it('never has two of one key under way, whoever claims, fails, settles or loses a lease', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(5), { minLength: 10, maxLength: 40 }), async (acts) => {
          const tenant = newTenant();
          const made = Array.from({ length: 9 }, (_, index) => effect(tenant, `${tenant} ${index % 3}`));
          await storeOf().outbox.enqueue(made);
          const held = new Map<string, LeasedEffect>();
          const done: string[] = [];
          let now = 1_000;
          const take = async (): Promise<void> => {
            for (const [key, { lease: _lease, ...value }] of [...held]) if (value.dueAt < 0) held.delete(key);
            for (const taken of await claim([tenant], { now, limit: 2 })) {
              expect(held.has(taken.orderKey ?? '')).toBe(false);
              held.set(taken.orderKey ?? '', taken);
            }
          };
          for (const act of acts) {
            const [oldest] = [...held.values()];
            if (act <= 2 || oldest === undefined) await take();
            else if (act <= 4) {
              held.delete(oldest.orderKey ?? '');
              await storeOf().outbox.done(oldest, now);
              done.push(oldest.id);
            } else {
              held.delete(oldest.orderKey ?? '');
              now += 10;
              await storeOf().outbox.failed(oldest, { dueAt: now, reason: 'away', dead: false });
            }
          }
          for (let key = 0; key < 3; key += 1) {
            const order = ids(made.filter((_, index) => index % 3 === key));
            expect(done.filter((id) => order.includes(id))).toEqual(
              order.slice(0, done.filter((id) => order.includes(id)).length),
            );
          }
        }),
        { numRuns: 15 },
      );
    });

    it('is the same for several relays that claim at once', async () => {
      const tenant = newTenant();
      const made = Array.from({ length: 30 }, (_, index) => effect(tenant, `${tenant} ${index % 5}`));
      await storeOf().outbox.enqueue(made);
      const done: string[] = [];
      while (done.length < made.length) {
        const taken = (await Promise.all([1, 2, 3, 4].map(() => claim([tenant], { limit: 3 })))).flat();
        expect(new Set(taken.map(({ orderKey }) => orderKey)).size).toBe(taken.length);
        for (const held of taken) {
          await storeOf().outbox.done(held, 1_000);
          done.push(held.id);
        }
      }
      for (let key = 0; key < 5; key += 1) {
        const order = ids(made.filter((_, index) => index % 5 === key));
        expect(done.filter((id) => order.includes(id))).toEqual(order);
      }
    });
  });

  describe('the outbox is fair', () => {
    it('serves a tenant with one effect at once, although another has hundreds that are older', async () => {
      const [busy, calm] = [newTenant(), newTenant()];
      await storeOf().outbox.enqueue(Array.from({ length: 300 }, () => effect(busy, null, { dueAt: 1 })));
      const single = effect(calm, null, { dueAt: 900 });
      await storeOf().outbox.enqueue([single]);
      const taken = await claim([busy, calm], { limit: 10 });
      expect(ids(taken)).toContain(single.id);
      expect(taken).toHaveLength(10);
    });

    it('takes no more of a tenant than it is told', async () => {
      const tenant = newTenant();
      await storeOf().outbox.enqueue(Array.from({ length: 9 }, () => effect(tenant, null)));
      expect(await claim([tenant], { most: 4 })).toHaveLength(4);
      expect(await claim([tenant], { most: 0 })).toHaveLength(0);
    });

    it('lets every tenant be first in turn when there is less room than tenants', async () => {
      const tenants = [newTenant(), newTenant(), newTenant()];
      await storeOf().outbox.enqueue(
        tenants.flatMap((tenant) => Array.from({ length: 5 }, () => effect(tenant, null))),
      );
      const served = new Set<TenantId>();
      for (let time = 0; time < 6; time += 1)
        for (const { tenant } of await claim(tenants, { limit: 1 })) served.add(tenant);
      expect(served.size).toBe(3);
    });
  });

  describe('a dead effect that lives again', () => {
    const buried = async (tenant: TenantId): Promise<LeasedEffect> => {
      await storeOf().outbox.enqueue([effect(tenant, null)]);
      const held = one(await claim([tenant]));
      await storeOf().outbox.failed(held, { dueAt: 1_000, reason: 'gone', dead: true });
      return held;
    };
    const late = 900_000_000;

    it('is as young as a new one, whoever revives it', async () => {
      const ways: ((dead: LeasedEffect, tenant: TenantId) => Promise<unknown>)[] = [
        (dead) => storeOf().outbox.revive(dead.id, late),
        (_dead, tenant) => storeOf().outbox.reviveAll(tenant, late),
        (dead) => storeOf().outbox.enqueue([{ ...dead, dueAt: late }]),
      ];
      for (const revive of ways) {
        const tenant = newTenant();
        await revive(await buried(tenant), tenant);
        expect(await claim([tenant], { now: late })).toMatchObject([{ createdAt: late, attempts: 1 }]);
      }
    });

    it('takes its call along, and is revived by one of those who ask at once', async () => {
      const tenant = newTenant();
      const callId = newCallId() as CallId;
      const log = effect(tenant, null, { kind: 'crm.log', callId });
      const call = {
        callId,
        tenant,
        agent: 'ada' as AgentId,
        fromVersion: 0,
        log: null,
        touchedAt: 1,
        logWaiting: true,
      };
      await storeOf().calls.commit({ events: [], calls: [call], effects: [log] });
      const refused = { callId, state: 'failed', logId: null, reason: 'No.' } as const;
      await storeOf().outbox.failed(
        one(await claim([tenant])),
        { dueAt: 1_000, reason: 'No.', dead: true },
        { log: refused },
      );
      const asked = await Promise.all([1, 2, 3].map(() => storeOf().outbox.revive(log.id, late)));
      expect(asked.filter((revived) => revived)).toHaveLength(1);
      expect((await storeOf().calls.readCalls([callId])).get(callId)?.call).toMatchObject({
        logState: 'waiting',
        logReason: null,
      });
      const saved = { callId, state: 'saved', logId: 'log-1', reason: null } as const;
      await storeOf().outbox.done(one(await claim([tenant], { now: late })), late, { log: saved });
      // too late: it was written, and says so
      expect(await storeOf().outbox.revive(log.id, late)).toBe(false);
      expect((await storeOf().calls.readCalls([callId])).get(callId)?.call).toMatchObject({ logState: 'saved' });
    });
  });

  it('hurries what backs off once the far side is back', async () => {
    const tenant = newTenant();
    const log = effect(tenant, null, { kind: 'crm.log' });
    await storeOf().outbox.enqueue([log]);
    await storeOf().outbox.failed(one(await claim([tenant])), { dueAt: 900_000, reason: 'away', dead: false });
    expect(await claim([tenant], { now: 2_000 })).toEqual([]);
    expect(await storeOf().outbox.hurry(tenant, 'webhook', 2_000)).toBe(0);
    expect(await storeOf().outbox.hurry(tenant, 'crm.log', 2_000, 'another')).toBe(0);
    expect(await storeOf().outbox.hurry(tenant, 'crm.log', 2_000, log.id.slice(0, 20))).toBe(1);
    expect(await storeOf().outbox.hurry(tenant, 'crm.log', 2_000)).toBe(0);
    expect(ids(await claim([tenant], { now: 2_000 }))).toEqual([log.id]);
  });

  it('holds on to several effects at once, and not to one that somebody else has', async () => {
    const tenant = newTenant();
    await storeOf().outbox.enqueue([effect(tenant, null), effect(tenant, null)]);
    const taken = await claim([tenant]);
    await storeOf().outbox.renewAll([...taken, { ...one(taken), lease: 'somebody else' }], 9_000);
    expect(await claim([tenant], { now: 8_999 })).toEqual([]);
    expect(await claim([tenant], { now: 9_001 })).toHaveLength(2);
  });

  it('gives a tenant’s events of a span page by page, each once', async () => {
    const tenant = newTenant();
    const events = Array.from({ length: 7 }, (_, index): StoredEvent => {
      const callId = newCallId() as CallId;
      const id = `${callId}:1`;
      const envelope = toEnvelope({ name: 'call.ringing', at: 1, call: callId, data: {} }, id, '/source');
      return {
        source: '/source',
        id,
        tenant,
        agent: 'ada' as AgentId,
        callId: null,
        envelope,
        receivedAt: 100 + Math.floor(index / 3),
      };
    });
    await storeOf().calls.commit({ events, calls: [], effects: [] });
    const seen: StoredEvent[] = [];
    for (;;) {
      const page = await storeOf().outbox.eventsBetween({
        tenant,
        from: 100,
        to: 101,
        after: seen.at(-1) ?? null,
        limit: 2,
      });
      if (page.length === 0) break;
      seen.push(...page);
    }
    expect(ids(seen)).toHaveLength(6);
    expect(new Set(ids(seen))).toEqual(new Set(ids(events.slice(0, 6))));
  });

  it('counts the relays that are alive', async () => {
    const now = Math.round(Math.random() * 1e6) * 1e6;
    const [one, two] = [randomUUID(), randomUUID()];
    expect(await storeOf().outbox.heartbeat(one, now, now - 6_000)).toBeGreaterThanOrEqual(1);
    const both = await storeOf().outbox.heartbeat(two, now + 1, now - 5_999);
    expect(await storeOf().outbox.heartbeat(two, now + 6_500, now + 500)).toBe(both - 1);
    await storeOf().outbox.lastHeartbeat(two);
    expect(await storeOf().outbox.heartbeat(one, now + 6_500, now + 500)).toBe(both - 1);
  });
}
