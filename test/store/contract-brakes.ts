/** What every store must keep of the brakes and the alerts. Called with a way to the store, on each database. */
import { randomUUID } from 'node:crypto';
import { type AgentId, type TenantId, toEnvelope } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import type { BrakeState, CallUsage, Store } from '../../server/src/store/contract.ts';

const agent = 'ada' as AgentId;

export function brakesContract(store: () => Store): void {
  const fresh = () => `tenant-${randomUUID().slice(0, 8)}` as TenantId;
  const state = (tenant: TenantId, change: Partial<BrakeState> = {}): BrakeState => ({
    tenant,
    agent,
    level: 'slow',
    cause: 'spike',
    reason: 'Fewer calls.',
    since: 1_000,
    until: 5_000,
    ...change,
  });
  const usage = (tenant: TenantId, key: string, change: Partial<CallUsage> = {}): CallUsage => ({
    tenant,
    key,
    agent,
    country: 'US',
    perMinute: 20_000,
    connection: 0,
    day: '2026-11-21',
    startedAt: 1_000,
    answeredAt: null,
    ...change,
  });

  describe('brakes', () => {
    it('lets one of many relays be the first to set a state, and forgets it when it has run out', async () => {
      const tenant = fresh();
      const { brakes } = store();
      const firsts = await Promise.all([1, 2, 3, 4].map(() => brakes.setState(state(tenant), 2_000)));
      expect(firsts.filter(Boolean)).toHaveLength(1);
      expect((await brakes.states(4_999)).filter((one) => one.tenant === tenant)).toEqual([state(tenant)]);
      expect((await brakes.states(5_000)).filter((one) => one.tenant === tenant)).toEqual([]);
      expect(await brakes.setState(state(tenant, { until: 9_000 }), 5_000)).toBe(true);
      expect(await brakes.setState(state(tenant, { level: 'all', until: null }), 5_500)).toBe(true);
      expect(await brakes.setState(state(tenant, { agent: null, cause: 'spend-day', level: 'outbound' }), 3_000)).toBe(
        true,
      );
      expect(await brakes.clearStates(tenant, agent)).toBe(1);
      expect((await brakes.states(4_000)).filter((one) => one.tenant === tenant).map((one) => one.agent)).toEqual([
        null,
      ]);
      expect(await brakes.clearStates(tenant, null)).toBe(1);
    });

    it('counts a call once, however many tell it, and adds what it cost once', async () => {
      const tenant = fresh();
      const { brakes } = store();
      const told = await Promise.all([1, 2, 3].map(() => brakes.begun(usage(tenant, 'one'), 9, 1_000)));
      expect(told.filter(({ isNew }) => isNew)).toHaveLength(1);
      expect(told.filter(({ newCountry }) => newCountry)).toHaveLength(1);
      expect(await brakes.begun(usage(tenant, 'two', { startedAt: 2_000 }), 14, 1_000)).toEqual({
        isNew: true,
        newCountry: false,
      });
      await brakes.answered(tenant, 'one', 1_500);
      await brakes.answered(tenant, 'one', 1_900);
      expect((await brakes.live(tenant)).map(({ key, answeredAt }) => [key, answeredAt]).sort()).toEqual([
        ['one', 1_500],
        ['two', null],
      ]);
      const ended = await Promise.all([1, 2, 3].map(() => brakes.ended(tenant, 'one', 9_000, 700)));
      expect(ended.filter(Boolean)).toHaveLength(1);
      expect(await brakes.days(tenant, '2026-11-01')).toEqual([
        { agent, day: '2026-11-21', calls: 2, spent: 700, hours: (1 << 9) | (1 << 14) },
      ]);
      expect(await brakes.days(tenant, '2026-11-22')).toEqual([]);
      expect(await brakes.days(tenant, '2026-11-01', 'bob' as AgentId)).toEqual([]);
      expect(await brakes.countries(tenant, agent)).toEqual(['US']);
      expect(await brakes.begunSince(tenant, agent, 1_500)).toBe(1);
      await brakes.forgetCall(tenant, 'two');
      expect((await brakes.days(tenant, '2026-11-01'))[0]?.calls).toBe(1);
      expect(await brakes.live(tenant)).toEqual([]);
    });

    it('finds calls nobody speaks of any more, and forgets what is old', async () => {
      const tenant = fresh();
      const { brakes } = store();
      await brakes.begun(usage(tenant, 'silent'), 9, 1_000);
      await brakes.begun(usage(tenant, 'alive'), 9, 1_000);
      await brakes.heard(tenant, ['alive'], 8_000);
      const silent = (await brakes.silent(5_000, 1_000)).filter((one) => one.tenant === tenant);
      expect(silent.map(({ key, heardAt }) => [key, heardAt])).toEqual([['silent', 1_000]]);
      await brakes.ended(tenant, 'silent', 2_000, 0);
      await brakes.forgetUsage(5_000, '2026-11-22', 0);
      expect(await brakes.days(tenant, '2026-11-01')).toEqual([]);
      expect((await brakes.live(tenant)).map(({ key }) => key)).toEqual(['alive']);
    });
  });

  describe('alerts', () => {
    it('keeps an alert with its event once, counts repeats, and lets one person acknowledge it', async () => {
      const tenant = fresh();
      const id = `alert_${randomUUID()}`;
      const { alerts } = store();
      const envelope = toEnvelope(
        { name: 'alert.raised', at: 1_000, data: { alert: id, kind: 'spike', message: 'Many calls.' } },
        id,
        `/tenants/${tenant}`,
      );
      const alert = { id, tenant, agent, kind: 'spike', message: 'Many calls.', data: { calls: 40 }, at: 1_000 };
      const event = { source: envelope.source, id, tenant, agent, callId: null, envelope, receivedAt: 1_000 };
      const firsts = await Promise.all([1, 2, 3].map(() => alerts.raise(alert, event, [])));
      expect(firsts.filter(Boolean)).toHaveLength(1);
      expect(await alerts.list(tenant, { limit: 10, open: true })).toEqual([
        { ...alert, times: 3, acknowledgedAt: null, acknowledgedBy: null },
      ]);
      expect(await alerts.acknowledge(id, 'admin', 2_000)).toBe(true);
      expect(await alerts.acknowledge(id, 'agent:bob', 3_000)).toBe(false);
      expect(await alerts.list(tenant, { limit: 10, open: true })).toEqual([]);
      expect(await alerts.find(id)).toMatchObject({ acknowledgedAt: 2_000, acknowledgedBy: 'admin' });
      expect(await alerts.forgetAlerts(1_001)).toBeGreaterThan(0);
      expect(await alerts.find(id)).toBeNull();
    });
  });
}
