/** What every store must keep about who has an agent's line, what was left for the next owner, and what worked in taking calls up. */
import { randomUUID } from 'node:crypto';
import {
  type AgentId,
  type CallLog,
  type DeviceId,
  newCallId,
  type PhoneEvent,
  type TenantId,
  toEnvelope,
} from '@patchcord/call-protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import type { LineGrant, LineLease, LineLeaseStore, LineOf, Store } from '../../server/src/store/contract.ts';

/** Far from the times of other tests, which may be in the same database. */
const start = 1_891_000_000_000;
const one = 'device-one' as DeviceId;
const two = 'device-two' as DeviceId;

/** @param current The leases of the test that runs */
export function lineLeaseContract(current: () => LineLeaseStore): void {
  let leases: LineLeaseStore;
  let line: LineOf;
  beforeEach(() => {
    leases = current();
    line = { tenant: 'acme' as TenantId, agent: `agent-${randomUUID()}` as AgentId };
  });
  const grantTo = (device: DeviceId, epoch: number, change: Partial<LineGrant> = {}): LineGrant => ({
    ...{ ...line, device, epoch, place: 'Chrome on Windows', via: `${device}-socket`, heldUntil: start + 17_000 },
    ...change,
  });
  const held = (device: DeviceId, epoch: number) => ({ ...line, device, epoch });
  async function there(): Promise<LineLease> {
    const lease = await leases.find(line);
    if (lease === null) throw new Error('there is no lease');
    return lease;
  }
  async function version(): Promise<number> {
    return (await there()).version;
  }
  const wish = (device: DeviceId, at = start) => ({ device, place: 'Firefox on macOS', via: `${device}-socket`, at });

  describe('an agent’s line', () => {
    it('is nobody’s at first, and then the one’s it was granted to', async () => {
      expect(await leases.find(line)).toBeNull();
      expect(await leases.grant(grantTo(one, 7), 0, start)).toBe(true);
      expect(await there()).toEqual({
        ...{ ...line, epoch: 7, version: 1, device: one, place: 'Chrome on Windows', via: 'device-one-socket' },
        ...{ grantedAt: start, heldUntil: start + 17_000, hasLeft: false, lostAt: null, wish: null },
        ...{ kept: null, keptAt: null },
      });
    });

    it('is granted once of all that ask at the same moment, at first and later', async () => {
      const devices = Array.from({ length: 8 }, (_, n) => `device-${n}` as DeviceId);
      const first = await Promise.all(devices.map((device) => leases.grant(grantTo(device, 1), 0, start)));
      expect(first.filter(Boolean)).toHaveLength(1);
      const from = await version();
      const second = await Promise.all(devices.map((device) => leases.grant(grantTo(device, 2), from, start)));
      expect(second.filter(Boolean)).toHaveLength(1);
      expect((await there()).device).toBe(devices[second.indexOf(true)]);
    });

    it('is renewed by its holder alone, each for itself, and a decision made before the renewal counts no more', async () => {
      await leases.grant(grantTo(one, 1), 0, start);
      const before = await version();
      const other = { ...grantTo(one, 1), agent: `agent-${randomUUID()}` as AgentId };
      await leases.grant(other, 0, start);
      const until = start + 30_000;
      const renewals = [
        grantTo(two, 1, { heldUntil: until }),
        { ...other, heldUntil: until },
        grantTo(one, 2, { heldUntil: until }),
        grantTo(one, 1, { heldUntil: until, via: 'again' }),
      ];
      expect(await leases.renew(renewals, start)).toEqual([false, true, false, true]);
      expect(await leases.renew([], start)).toEqual([]);
      expect(await there()).toMatchObject({ heldUntil: until, via: 'again', epoch: 1 });
      expect(await leases.grant(grantTo(two, 2), before, start)).toBe(false);
      expect(await leases.want(line, wish(two), before, start)).toBe(false);
    });

    it('is not renewed while another device waits for it, and is again when that does not any more', async () => {
      await leases.grant(grantTo(one, 1), 0, start);
      expect(await leases.want(line, wish(two), await version(), start)).toBe(true);
      expect((await there()).wish).toEqual(wish(two));
      expect(await leases.renew([grantTo(one, 1)], start)).toEqual([false]);
      expect(await leases.unwant(line, 'somebody-else', start)).toBe(false);
      expect(await leases.unwant(line, 'device-two-socket', start)).toBe(true);
      expect(await leases.renew([grantTo(one, 1)], start)).toEqual([true]);
      await leases.want(line, wish(two), await version(), start);
      expect(await leases.renew([grantTo(one, 1)], start + 1)).toEqual([true]);
      expect((await there()).wish).toBeNull();
    });

    it('is given back by its holder for good, and lost when the socket is gone until the holder says so again', async () => {
      await leases.grant(grantTo(one, 1), 0, start);
      expect(await leases.release(held(one, 1), 'an-older-socket', start)).toBe(false);
      expect(await leases.release(held(two, 1), 'device-one-socket', start)).toBe(false);
      expect(await leases.release(held(one, 1), 'device-one-socket', start + 5)).toBe(true);
      expect(await leases.release(held(one, 1), 'device-one-socket', start + 6)).toBe(false);
      expect(await there()).toMatchObject({ heldUntil: 0, lostAt: start + 5, hasLeft: false });
      expect(await leases.renew([grantTo(one, 1)], start)).toEqual([true]);
      expect(await there()).toMatchObject({ heldUntil: start + 17_000, lostAt: null });
      expect(await leases.leave(held(one, 2), start)).toBe(false);
      expect(await leases.leave(held(two, 1), start)).toBe(false);
      expect(await leases.leave(held(one, 1), start + 9)).toBe(true);
      expect(await there()).toMatchObject({ heldUntil: 0, lostAt: start + 9, hasLeft: true });
      expect(await leases.renew([grantTo(one, 1)], start)).toEqual([false]);
      expect(await leases.keep(held(one, 1), 'sealed', start)).toBe(false);
    });

    it('keeps what its holder leaves through the next grant, and takes it from nobody else', async () => {
      await leases.grant(grantTo(one, 1), 0, start);
      expect(await leases.keep(held(one, 1), 'key.first', start)).toBe(true);
      expect(await leases.keep(held(two, 1), 'key.other', start)).toBe(false);
      expect(await leases.keep(held(one, 0), 'key.old', start)).toBe(false);
      const long = `key.${'k'.repeat(200_000)}`;
      expect(await leases.keep(held(one, 1), long, start + 3)).toBe(true);
      await leases.leave(held(one, 1), start);
      await leases.grant(grantTo(two, 2), await version(), start);
      expect(await there()).toMatchObject({ kept: long, keptAt: start + 3 });
      expect(await leases.keep(held(two, 2), null, start + 4)).toBe(true);
      expect(await there()).toMatchObject({ kept: null, keptAt: null });
    });

    it('ends with the access of the device that has it, or had it, and not with that of another, nor later', async () => {
      await leases.grant(grantTo(one, 1), 0, start);
      await leases.keep(held(one, 1), 'key.sealed', start);
      await leases.end(line, two, start + 1, start + 1);
      await leases.end(line, one, start - 1, start + 1);
      expect(await there()).toMatchObject({ kept: 'key.sealed', heldUntil: start + 17_000 });
      await leases.end(line, one, start, start + 1);
      expect(await there()).toMatchObject({ kept: null, keptAt: null, heldUntil: 0, hasLeft: true });
      await leases.grant(grantTo(two, 2), await version(), start + 2);
      await leases.keep(held(two, 2), 'key.again', start + 2);
      await leases.end(line, null, start + 2, start + 3);
      expect(await there()).toMatchObject({ kept: null, hasLeft: true });
      // Access was taken away on purpose: what becomes of its calls is that act's business.
      expect((await leases.lostBefore(start + 50_000, start, 1_000)).map(({ agent }) => agent)).not.toContain(
        line.agent,
      );
    });

    it('tells other relays what changed, and not that somebody is still there', async () => {
      const changes = async (since: number) =>
        (await leases.changedSince(since)).filter(({ agent }) => agent === line.agent).map(({ version: at }) => at);
      await leases.grant(grantTo(one, 1), 0, start);
      expect(await changes(start)).toEqual([1]);
      expect(await changes(start + 1)).toEqual([]);
      await leases.renew([grantTo(one, 1)], start);
      expect(await changes(start + 1)).toEqual([]);
      await leases.want(line, wish(two), await version(), start + 2);
      expect(await changes(start + 1)).toEqual([3]);
      await leases.leave(held(one, 1), start + 4);
      expect(await changes(start + 4)).toEqual([4]);
    });

    it('is found when nobody has held it for long enough, for one relay at a time, and once', async () => {
      const lost = async (before: number, now = start) =>
        (await leases.lostBefore(before, now, 1_000)).find(({ agent }) => agent === line.agent);
      await leases.grant(grantTo(one, 1), 0, start);
      expect(await lost(start + 17_000)).toBeUndefined();
      expect(await lost(start + 17_001)).toMatchObject({ device: one });
      await leases.release(held(one, 1), 'device-one-socket', start + 3);
      expect(await lost(start + 3)).toBeUndefined();
      const lease = await lost(start + 4);
      if (lease === undefined) throw new Error('it is not found');
      expect(await Promise.all([1, 2, 3].map(() => leases.claimLost(lease, start, start + 20_000)))).toEqual(
        expect.arrayContaining([true, false, false]),
      );
      expect(await lost(start + 4)).toBeUndefined();
      expect(await lost(start + 4, start + 20_000)).toMatchObject({ device: one });
      await leases.keep(held(one, 1), 'key.sealed', start);
      await leases.seenTo(lease, false);
      expect((await there()).kept).toBe('key.sealed');
      expect(await lost(start + 4, start + 20_000)).toBeUndefined();
      await leases.renew([grantTo(one, 1)], start);
      await leases.release(held(one, 1), 'device-one-socket', start + 30);
      const again = await lost(start + 31, start + 20_000);
      if (again === undefined) throw new Error('it is not found again');
      await leases.seenTo(again, true);
      expect((await there()).kept).toBeNull();
      // What was seen to before somebody came is not what is there now.
      await leases.grant(grantTo(two, 2), await version(), start + 40);
      await leases.seenTo(again, true);
      await leases.leave(held(two, 2), start + 41);
      expect(await lost(start + 42, start + 20_000)).toMatchObject({ device: two });
    });

    it('forgets what is kept when nobody has held it for long', async () => {
      await leases.grant(grantTo(one, 1), 0, start);
      await leases.keep(held(one, 1), 'key.sealed', start + 17_000);
      await leases.forgetKept(start + 17_000, start);
      expect((await there()).kept).toBe('key.sealed');
      await leases.forgetKept(start + 17_001, start);
      expect((await there()).kept).toBeNull();
      await leases.keep(held(one, 1), 'key.sealed', start + 17_000);
      await leases.leave(held(one, 1), start + 18_000);
      await leases.forgetKept(start + 18_000, start);
      expect((await there()).kept).toBe('key.sealed');
      await leases.forgetKept(start + 18_001, start);
      expect((await there()).kept).toBeNull();
    });
  });
}

/** @param current The store of the test that runs */
export function recoveryContract(current: () => Store): void {
  let store: Store;
  let tenant: TenantId;
  beforeEach(() => {
    store = current();
    tenant = `tenant-${randomUUID()}` as TenantId;
  });

  describe('what worked in taking calls up', () => {
    const tried = (peer: string, worked: boolean, at: number, way: 'resume' | 'replaces' = 'resume') =>
      store.recoveries.count(tenant, { peer, way, worked, at }, 3);

    it('is counted by far side and way, with the newest word, whatever came first', async () => {
      await tried('Asterisk', false, 20);
      await tried('Asterisk', true, 10);
      await tried('Asterisk', true, 15, 'replaces');
      expect(await store.recoveries.of(tenant, 10)).toEqual([
        { peer: 'Asterisk', way: 'resume', worked: 1, failed: 1, lastWorked: false, lastAt: 20 },
        { peer: 'Asterisk', way: 'replaces', worked: 1, failed: 0, lastWorked: true, lastAt: 15 },
      ]);
      await tried('Asterisk', true, 30);
      expect((await store.recoveries.of(tenant, 1))[0]).toMatchObject({ worked: 2, failed: 1, lastWorked: true });
      expect(await store.recoveries.of(`tenant-${randomUUID()}` as TenantId, 10)).toEqual([]);
    });

    it('is kept for as many far sides as are wanted, those of last time first', async () => {
      for (const [at, peer] of ['a', 'b', 'c', 'd', 'a'].entries()) await tried(peer, true, at);
      const rows = await store.recoveries.of(tenant, 10);
      expect(rows.map(({ peer, worked }) => [peer, worked])).toEqual([
        ['a', 1],
        ['d', 1],
        ['c', 1],
      ]);
    });
  });

  describe('a call that two devices told of', () => {
    it('is the one’s that told of it last, and what is kept of a line without calls is forgotten sooner', async () => {
      const agent = `agent-${randomUUID()}` as AgentId;
      const sources = [one, two].map((device) => `/tenants/${tenant}/agents/${agent}/devices/${device}`);
      const [first = '', second = ''] = sources;
      const callId = newCallId();
      const log = {
        ...{ callId, tenant, agent, direction: 'inbound', farSide: { number: '1' }, nearNumber: '1001', startedAt: 1 },
        ...{ answeredAt: null, endedAt: null, talkMs: 0, outcome: null, reason: '', record: null, note: '' },
        ...{ disposition: null, transferredTo: null, consultFor: null, joinedWith: null, sipCallId: null },
      } as const;
      const tell = async (fromVersion: number, source: string, n: number, open = true): Promise<void> => {
        const event = { name: 'call.ringing', at: n, call: callId, data: {} } as PhoneEvent;
        const envelope = toEnvelope(event, `${callId}:${n}`, source);
        await store.calls.commit({
          events: [{ source, id: `${callId}:${n}`, tenant, agent, callId, envelope, receivedAt: start }],
          calls: [
            {
              ...{ callId, tenant, agent, fromVersion, touchedAt: start, logWaiting: false },
              log: { ...log, stage: open ? 'live' : 'ended' } as CallLog,
            },
          ],
          effects: [],
        });
      };
      const calls = async (source: string) => (await store.calls.openCallsOf(source)).map((call) => call.callId);
      await tell(0, first, 1);
      expect([await calls(first), await calls(second)]).toEqual([[callId], []]);
      await tell(1, second, 1);
      expect([await calls(first), await calls(second)]).toEqual([[], [callId]]);
      const line = { tenant, agent, device: two, epoch: 1 };
      await store.lineLeases.grant({ ...line, place: '', via: 'v', heldUntil: start + 900_000 }, 0, start);
      await store.lineLeases.keep(line, 'key.sealed', start);
      await store.lineLeases.forgetKept(start, start + 1);
      expect((await store.lineLeases.find(line))?.kept).toBe('key.sealed');
      await tell(2, second, 2, false);
      expect(await calls(second)).toEqual([]);
      await store.lineLeases.forgetKept(start, start);
      expect((await store.lineLeases.find(line))?.kept).toBe('key.sealed');
      await store.lineLeases.forgetKept(start, start + 1);
      expect((await store.lineLeases.find(line))?.kept).toBeNull();
    });
  });
}
