/** What every store must keep of the order of events and of revocations: part of the store contract. */
import { randomUUID } from 'node:crypto';
import {
  type AgentId,
  type CallId,
  type DeviceId,
  newCallId,
  type PhoneEvent,
  type TenantId,
  toEnvelope,
} from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import type { Change, FeedCursor, Store, StoredEvent } from '../../server/src/store/contract.ts';

const agent = 'ada' as AgentId;
const source = '/tenants/acme/agents/ada/devices/one';
const at = 1_790_000_000_500;

function eventOf(tenant: TenantId, callId: CallId, n: number, who = agent): StoredEvent {
  const id = `${callId}:${n}`;
  const envelope = toEnvelope({ name: 'call.ringing', at, call: callId, data: {} } as PhoneEvent, id, source);
  return { source, id, tenant, agent: who, callId, envelope, receivedAt: at };
}

function changeOf(tenant: TenantId, callId: CallId, fromVersion: number, ids: readonly number[], who = agent): Change {
  return {
    events: ids.map((n) => eventOf(tenant, callId, n, who)),
    calls: [{ callId, tenant, agent: who, fromVersion, log: null, touchedAt: at, logWaiting: false }],
    effects: [],
  };
}

export function feedContract(store: () => Store): void {
  const newTenant = (): TenantId => `tenant-${randomUUID()}` as TenantId;

  describe('the order of events', () => {
    it('numbers the events of a call from 1, without a hole, whoever wrote them', async () => {
      const tenant = newTenant();
      const callId = newCallId();
      expect(await store().calls.commit(changeOf(tenant, callId, 0, [1, 2]))).toBe(true);
      const own = eventOf(tenant, callId, 90);
      await store().calls.commit({ ...changeOf(tenant, callId, 1, [3]), ownEvents: [own, eventOf(tenant, callId, 2)] });
      await store().calls.commit(changeOf(tenant, callId, 2, [4]));
      const found = await store().feed.ofCall(callId, 0, 100);
      expect(found?.events.map(({ seq, envelope }) => [seq, envelope.id])).toEqual(
        [1, 2, 3, 90, 4].map((n, index) => [index + 1, `${callId}:${n}`]),
      );
      expect(found).toMatchObject({ tenant, agent });
      expect((await store().feed.ofCall(callId, 3, 100))?.events.map(({ seq }) => seq)).toEqual([4, 5]);
      expect((await store().feed.ofCall(callId, 0, 2))?.events.map(({ seq }) => seq)).toEqual([1, 2]);
      expect(await store().feed.seqOf(own.source, own.id)).toBe(4);
      expect(await store().feed.seqOf(own.source, 'nothing')).toBeNull();
      expect(await store().feed.ofCall(newCallId(), 0, 1)).toBeNull();
    });

    it('gives a follower every event once and in order, while many write at once', async () => {
      const tenant = newTenant();
      let cursor: FeedCursor = await store().feed.end();
      const seen: string[] = [];
      const follow = async (): Promise<void> => {
        for (const event of await store().feed.after(cursor, { tenant, since: 0, limit: 7 })) {
          cursor = event.cursor;
          seen.push(event.envelope.id);
        }
      };
      let writing = true;
      const following = (async () => {
        while (writing) await follow();
      })();
      const calls = Array.from({ length: 12 }, () => newCallId());
      const written = await Promise.all(
        calls.map(async (callId) => {
          const results: boolean[] = [];
          for (let version = 0; version < 10; version += 1)
            results.push(await store().calls.commit(changeOf(tenant, callId, version, [version * 2, version * 2 + 1])));
          return results;
        }),
      ).finally(() => {
        writing = false;
      });
      expect(written.flat()).toEqual(Array.from({ length: 120 }, () => true));
      await following;
      for (let before = -1; seen.length > before; ) {
        before = seen.length;
        await follow();
      }
      expect(seen).toHaveLength(240);
      expect(new Set(seen).size).toBe(240);
      for (const callId of calls) {
        const numbers = seen.filter((id) => id.startsWith(callId)).map((id) => Number(id.split(':')[1]));
        expect(numbers).toEqual(Array.from({ length: 20 }, (_, n) => n));
      }
    });

    it('keeps tenants and agents apart, starts at the end, and leaves out what is too old', async () => {
      const [tenant, other] = [newTenant(), newTenant()];
      const [callId, bobs] = [newCallId(), newCallId()];
      const start = await store().feed.end();
      await store().calls.commit(changeOf(other, newCallId(), 0, [1]));
      await store().calls.commit(changeOf(tenant, callId, 0, [1]));
      await store().calls.commit(changeOf(tenant, bobs, 0, [1], 'bob' as AgentId));
      const idsOf = async (of: Partial<Parameters<Store['feed']['after']>[1]>, from = start): Promise<string[]> =>
        (await store().feed.after(from, { tenant, since: 0, limit: 10, ...of })).map(({ envelope }) => envelope.id);
      expect(await idsOf({})).toEqual([`${callId}:1`, `${bobs}:1`]);
      expect(await idsOf({ agent: 'bob' as AgentId })).toEqual([`${bobs}:1`]);
      expect(await idsOf({ since: at + 1 })).toEqual([]);
      expect(await idsOf({}, await store().feed.end())).toEqual([]);
    });
  });

  it('keeps revocations for the other relays, each once', async () => {
    const tenant = newTenant();
    const one = { id: randomUUID(), tenant, agent, device: null, code: 4403, reason: 'revoked', at: 1_000 };
    const two = { ...one, id: randomUUID(), device: 'd1' as DeviceId, at: 2_000 };
    await store().revocations.add(one);
    await store().revocations.add(two);
    await store().revocations.add(two);
    const mine = async (since: number) =>
      (await store().revocations.since(since)).filter((found) => found.tenant === tenant);
    expect(await mine(0)).toEqual([one, two]);
    expect(await mine(2_000)).toEqual([two]);
  });

  it('knows the name of its deployment', async () => {
    expect(await store().feed.deployment()).toMatch(/^[0-9a-f-]{36}$/);
    expect(await store().feed.deployment()).toBe(await store().feed.deployment());
  });
}
