/** What every store must keep about keeping: holds, old calls, forgetting calls whole. */
import { randomUUID } from 'node:crypto';
import {
  type AgentId,
  type CallId,
  type CallLog,
  newCallId,
  type TenantId,
  toEnvelope,
} from '@patchcord/call-protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../server/src/store/contract.ts';

const agent = 'ada' as AgentId;

/** @param current The store of the test that runs */
export function keepingContract(current: () => Store): void {
  let store: Store;
  let tenant: TenantId;
  beforeEach(() => {
    store = current();
    tenant = `tenant-${randomUUID()}` as TenantId;
  });

  async function call(
    touchedAt: number,
    options: { stage?: CallLog['stage']; logWaiting?: boolean } = {},
  ): Promise<CallId> {
    const callId = newCallId();
    const source = '/tenants/acme/agents/ada/devices/one';
    const id = `${callId}:1`;
    const envelope = toEnvelope({ name: 'call.ringing', at: 1, call: callId, data: {} }, id, source);
    const log = { stage: options.stage ?? 'final', startedAt: 1 } as CallLog;
    await store.calls.commit({
      events: [{ source, id, tenant, agent, callId, envelope, receivedAt: touchedAt }],
      calls: [{ callId, tenant, agent, fromVersion: 0, log, touchedAt, logWaiting: options.logWaiting ?? false }],
      effects: [{ id: `webhook ${callId}`, kind: 'webhook', tenant, callId, payload: {}, dueAt: 1, orderKey: null }],
    });
    return callId;
  }
  const mine = async (before: number) =>
    (await store.keeping.oldCalls(before, null, 1_000))
      .filter((one) => one.tenant === tenant)
      .map(({ callId }) => callId);

  describe('keeping', () => {
    it('finds old calls by age, but none that lives or whose log is not written', async () => {
      const [second, first] = [await call(20), await call(10)];
      await call(11, { stage: 'live' });
      await call(12, { logWaiting: true });
      await call(30);
      expect(await mine(30)).toEqual([first, second]);
      const [oldest] = (await store.keeping.oldCalls(30, null, 1_000)).filter((one) => one.tenant === tenant);
      if (oldest === undefined) throw new Error('no old call');
      const after = await store.keeping.oldCalls(30, oldest, 1_000);
      expect(after.filter((one) => one.tenant === tenant).map(({ callId }) => callId)).toEqual([second]);
    });

    it('forgets a call with its events and effects, and nothing of another', async () => {
      const [gone, stays] = [await call(1), await call(1)];
      expect(await store.keeping.forgetCalls([gone])).toEqual({ calls: 1, rows: 2 });
      expect([...(await store.calls.readCalls([gone, stays])).keys()]).toEqual([stays]);
      expect((await store.calls.readCalls([stays])).get(stays)?.events).toHaveLength(1);
      const claim = { now: 10, leaseMs: 500, limit: 500, kinds: ['webhook'] as const, pausedTenants: [] };
      const left = (await store.outbox.claim(claim)).filter((effect) => effect.tenant === tenant);
      expect(left.map(({ callId }) => callId)).toEqual([stays]);
      expect(await store.keeping.forgetCalls([gone])).toEqual({ calls: 0, rows: 0 });
      expect(await store.keeping.forgetCalls([])).toEqual({ calls: 0, rows: 0 });
    });

    it('forgets no call whose log waits, unless it is told to, and never one that is held', async () => {
      const [waiting, held] = [await call(1, { logWaiting: true }), await call(1)];
      const hold = { tenant, kind: 'call', subject: held, reason: 'court', at: 5 } as const;
      expect(await store.keeping.addHold(hold)).toBe(true);
      expect(await store.keeping.addHold(hold)).toBe(false);
      expect(await store.keeping.holds(tenant)).toEqual([hold]);
      expect(await store.keeping.holds()).toContainEqual(hold);
      expect(await store.keeping.forgetCalls([waiting, held])).toEqual({ calls: 0, rows: 0 });
      expect(await store.keeping.forgetCalls([waiting, held], { evenUnwritten: true })).toEqual({ calls: 1, rows: 2 });
      expect(await store.keeping.releaseHold(tenant, 'number', held)).toBe(false);
      expect(await store.keeping.releaseHold(tenant, 'call', held)).toBe(true);
      expect(await store.keeping.releaseHold(tenant, 'call', held)).toBe(false);
      expect(await store.keeping.holds(tenant)).toEqual([]);
      expect(await store.keeping.forgetCalls([held])).toEqual({ calls: 1, rows: 2 });
    });

    it('brings forward what a clock dated that has been set back', async () => {
      const enqueue = (id: string, dueAt: number) =>
        store.outbox.enqueue([
          { id: `${tenant} ${id}`, kind: 'webhook', tenant, callId: null, payload: {}, dueAt, orderKey: null },
        ]);
      const claim = async (now: number, leaseMs: number) =>
        (await store.outbox.claim({ now, leaseMs, limit: 500, kinds: ['webhook'], pausedTenants: [] }))
          .filter((effect) => effect.tenant === tenant)
          .map(({ id }) => id.split(' ')[1]);
      // At 100,000 by the wrong clock: one is held, one waits; at 10,000 by the right one, one is due long ago.
      await enqueue('held', 99_000);
      expect(await claim(100_000, 500)).toEqual(['held']);
      await enqueue('waits', 101_000);
      await enqueue('due', 5_000);
      await store.keeping.setBackClock(10_000, 90_000);
      expect(await claim(10_000, 50_000)).toEqual(['due']);
      expect(await claim(11_000, 500)).toEqual(['held', 'waits']);
    });

    it('forgets webhooks that were given up by age; those of a call stay with it', async () => {
      const callId = await call(1);
      const webhook = (id: string, dueAt: number, of: CallId | null = null) => ({
        id: `${tenant} ${id}`,
        kind: 'webhook' as const,
        tenant,
        callId: of,
        payload: {},
        dueAt,
        orderKey: null,
      });
      await store.outbox.enqueue([webhook('old', 1), webhook('new', 9), webhook('of-call', 1, callId)]);
      const claim = { now: 10, leaseMs: 500, limit: 500, kinds: ['webhook'] as const, pausedTenants: [] };
      for (const effect of await store.outbox.claim(claim)) {
        if (effect.tenant === tenant) await store.outbox.failed(effect, { dead: true, dueAt: 0, reason: 'gone' });
      }
      await store.outbox.enqueue([webhook('waiting', 1)]);
      expect(await store.keeping.forgetDeadWebhooks(5)).toBe(1);
      const dead = (await store.outbox.dead(tenant, 10)).map(({ id }) => id);
      expect(new Set(dead)).toEqual(new Set([`${tenant} new`, `${tenant} of-call`, `webhook ${callId}`]));
      expect((await store.outbox.claim({ ...claim, now: 2_000 })).map(({ id }) => id)).toContain(`${tenant} waiting`);
    });

    it('forgets events of no call by age, so many at once', async () => {
      const source = `/tenants/${tenant}/agents/ada/devices/one`;
      const loose = (n: number) => ({
        source,
        id: `${tenant}:${n}`,
        tenant,
        agent,
        callId: null,
        envelope: toEnvelope({ name: 'line.ready', at: n, data: {} }, `${tenant}:${n}`, source),
        receivedAt: n,
      });
      await store.calls.commit({ events: [loose(1), loose(2), loose(3), loose(9)], calls: [], effects: [] });
      const kept = await call(1);
      let gone = 0;
      while (await store.keeping.forgetLooseEvents(5, 2)) gone += 1;
      expect(gone).toBeGreaterThanOrEqual(2);
      const ids = [1, 2, 3, 9].map((n) => `${tenant}:${n}`);
      expect(await store.calls.knownEvents(source, ids)).toEqual(new Set([`${tenant}:9`]));
      expect((await store.calls.readCalls([kept])).get(kept)?.events).toHaveLength(1);
    });
  });
}
