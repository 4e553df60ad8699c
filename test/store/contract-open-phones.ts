/** What every store must keep about which phones are open, and about the calls whose phone is gone. */
import { randomUUID } from 'node:crypto';
import {
  type AgentId,
  type CallId,
  newCallId,
  type PhoneEvent,
  type TenantId,
  toEnvelope,
} from '@patchcord/call-protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../server/src/store/contract.ts';
import { storedSession } from './contract-identity.ts';

const tenant = 'acme' as TenantId;
const minute = 60_000;
/** Far from the times of other tests, whose relays may be in the same database. */
const start = 1_890_000_000_000;

/** @param current The store of the test that runs */
export function openPhoneContract(current: () => Store): void {
  let store: Store;
  let agent: AgentId;
  let relay: string;
  let source: string;
  let callId: CallId;
  beforeEach(async () => {
    store = current();
    agent = `agent-${randomUUID()}` as AgentId;
    relay = `relay-${randomUUID()}`;
    source = deviceOf('one');
    callId = newCallId();
    // Somebody who could report: only the phone's absence can end the call before twelve hours.
    await store.identity.addSession(storedSession({ agent, expiresAt: start + 1_000 * minute }));
  });
  const deviceOf = (device: string) => `/tenants/${tenant}/agents/${agent}/devices/${device}`;
  const beat = (at: number, of = relay) => store.outbox.heartbeat(of, at, at - 6_000);
  async function tell(at: number, sources: readonly string[], of = relay): Promise<void> {
    await beat(at, of);
    await store.openPhones.tell(of, sources, at);
  }
  async function live(at: number, sources: readonly string[] = [source]): Promise<void> {
    const event = { name: 'call.ringing', at, call: callId, data: {} } as PhoneEvent;
    const events = sources.map((one, index) => ({
      source: one,
      id: `${callId}:${index + 1}`,
      tenant,
      agent,
      callId,
      envelope: toEnvelope(event, `${callId}:${index + 1}`, one),
      receivedAt: at,
    }));
    const log = {
      callId,
      tenant,
      agent,
      direction: 'inbound',
      farSide: { number: '+14155550101' },
      nearNumber: '1001',
      startedAt: at,
      answeredAt: null,
      endedAt: null,
      talkMs: 0,
      outcome: null,
      reason: '',
      record: null,
      note: '',
      disposition: null,
      transferredTo: null,
      consultFor: null,
      joinedWith: null,
      sipCallId: null,
      stage: 'live',
    } as const;
    const call = { callId, tenant, agent, fromVersion: 0, log, touchedAt: at, logWaiting: false };
    await store.calls.commit({ events, calls: [call], effects: [] });
  }
  /** Whether the call's phone counts as gone for five minutes at this moment. */
  async function gone(at: number, goneBefore: number | null = at - 5 * minute): Promise<boolean> {
    const silent = await store.calls.silentCalls({
      now: at,
      silentBefore: 1,
      unattendedBefore: at - 10 * minute,
      goneBefore,
      limit: 10_000,
    });
    return silent.includes(callId);
  }

  describe('a call whose phone is gone', () => {
    it('is found when its relay has named its phones without it for long enough, and not before', async () => {
      await live(start);
      await tell(start, [source]);
      for (let m = 1; m <= 5; m += 1) await tell(start + m * minute, []);
      expect(await gone(start + 5 * minute)).toBe(false);
      expect(await gone(start + 6 * minute)).toBe(true);
      expect(await gone(start + 6 * minute, null)).toBe(false);
    });

    it('is not found while its phone is named, however long it says nothing', async () => {
      await live(start);
      for (const hours of [0, 1, 11]) {
        await tell(start + hours * 60 * minute, [source]);
        expect(await gone(start + hours * 60 * minute)).toBe(false);
      }
      // Seen long ago by the asker's clock, and yet named by its relay's last word: that relay's clock is wrong, or the store left it.
      expect(await gone(start + 12 * 60 * minute)).toBe(false);
    });

    it('is not found while the call itself says something, or its phone came back', async () => {
      await tell(start, [source]);
      await tell(start + 9 * minute, []);
      await live(start + 6 * minute);
      expect(await gone(start + 10 * minute)).toBe(false);
      expect(await gone(start + 12 * minute)).toBe(true);
      await store.openPhones.join(relay, [source], start + 12 * minute);
      expect(await gone(start + 12 * minute)).toBe(false);
      await tell(start + 13 * minute, [source]);
      expect(await gone(start + 13 * minute)).toBe(false);
    });

    it('is not found when the phone went over to another relay, whichever spoke last', async () => {
      const other = `relay-${randomUUID()}`;
      await live(start);
      await tell(start, [source]);
      await tell(start, [], other);
      await store.openPhones.join(other, [source], start + minute);
      await tell(start + 20 * minute, []);
      expect(await gone(start + 20 * minute)).toBe(false);
      await tell(start + 20 * minute, [source], other);
      await tell(start + 21 * minute, []);
      expect(await gone(start + 21 * minute)).toBe(false);
    });

    it('is left alone when its relay fell silent with it, and found when that relay had said goodbye', async () => {
      const cutOff = `relay-${randomUUID()}`;
      await live(start);
      await tell(start, [source], cutOff);
      await tell(start + 20 * minute, []);
      expect(await gone(start + 20 * minute)).toBe(false);
      await store.outbox.lastHeartbeat(cutOff);
      expect(await gone(start + 20 * minute)).toBe(true);
    });

    it('is left alone while a relay is there that does not name its phones', async () => {
      const old = `relay-${randomUUID()}`;
      await live(start);
      await tell(start, [source]);
      await tell(start + 20 * minute, []);
      await beat(start + 20 * minute, old);
      expect(await gone(start + 20 * minute)).toBe(false);
      await store.outbox.lastHeartbeat(old);
      expect(await gone(start + 20 * minute)).toBe(true);
    });

    it('is left alone when nobody ever saw its phone open, or one of two phones that told of it is', async () => {
      await live(start);
      await tell(start + 20 * minute, []);
      expect(await gone(start + 20 * minute)).toBe(false);
      const two = deviceOf('two');
      callId = newCallId();
      await live(start, [source, two]);
      await tell(start, [source, two]);
      await tell(start + 20 * minute, [two]);
      expect(await gone(start + 20 * minute)).toBe(false);
      await tell(start + 40 * minute, []);
      expect(await gone(start + 40 * minute)).toBe(true);
    });

    it('is named with thousands of others, by two relays at once, and forgotten when it is old', async () => {
      const other = `relay-${randomUUID()}`;
      const many = Array.from({ length: 2_500 }, (_, n) => deviceOf(`of-${n}`));
      await live(start);
      await Promise.all([
        tell(start, [source, ...many]),
        tell(start, [...many].reverse(), other),
        tell(start, [source, ...many]),
      ]);
      await tell(start + 20 * minute, []);
      expect(await gone(start + 20 * minute)).toBe(true);
      await store.openPhones.forget(start);
      expect(await gone(start + 20 * minute)).toBe(true);
      await store.openPhones.forget(start + 1);
      expect(await gone(start + 20 * minute)).toBe(false);
    });
  });
}
