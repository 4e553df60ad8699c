/** What every store must keep about who makes the log of a call. */
import { randomUUID } from 'node:crypto';
import { type AgentId, newCallId, type TenantId } from '@patchcord/call-protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CreatorOf, Store } from '../../server/src/store/contract.ts';

const ada = 'ada' as AgentId;
const bob = 'bob' as AgentId;

/** @param current The store of the test that runs */
export function logCreatorContract(current: () => Store): void {
  let store: Store;
  let call: CreatorOf;
  const kept = async (one = call) => (await store.logCreators.ofCalls([one])).get(one.callId) ?? null;
  beforeEach(() => {
    store = current();
    call = { tenant: `tenant-${randomUUID()}` as TenantId, agent: ada, callId: newCallId() };
  });

  describe('who makes a log', () => {
    it('is decided once, whoever asks again and whatever they would like', async () => {
      expect(await kept()).toBeNull();
      const first = await store.logCreators.decide(call, 'page', 1_790_000_000_000);
      expect(first).toEqual({
        ...call,
        creator: 'page',
        decidedAt: 1_790_000_000_000,
        fate: 'open',
        pageLogId: null,
        others: {},
      });
      expect(await store.logCreators.decide(call, 'relay', 1_790_000_000_999)).toEqual(first);
      expect(await kept()).toEqual(first);
    });

    it('has one answer for many that ask at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          store.logCreators.decide(call, index % 2 === 0 ? 'page' : 'relay', index),
        ),
      );
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      expect(await kept()).toEqual(answers[0]);
    });

    it('is nothing that another agent or tenant can decide for a call', async () => {
      const byBob = { ...call, agent: bob };
      const elsewhere = { ...call, tenant: `${call.tenant}-too` as TenantId };
      await store.logCreators.decide(byBob, 'relay', 1);
      await store.logCreators.decide(elsewhere, 'relay', 1);
      expect(await store.logCreators.decide(call, 'page', 2)).toMatchObject({ creator: 'page', decidedAt: 2 });
      expect(await store.logCreators.takeOver(byBob, 'silent')).toMatchObject({ creator: 'relay', fate: 'open' });
      expect(await kept()).toMatchObject({ creator: 'page', fate: 'open' });
    });

    it('goes over to the relay only while no log of the page is known, and never back', async () => {
      await store.logCreators.decide(call, 'page', 1);
      const both = await Promise.all([
        store.logCreators.made(call, '501'),
        store.logCreators.takeOver(call, 'silent'),
        store.logCreators.made(call, '502'),
      ]);
      const now = await kept();
      expect([
        { creator: 'page', fate: 'made', pageLogId: '501' },
        { creator: 'page', fate: 'made', pageLogId: '502' },
        { creator: 'relay', fate: 'silent', pageLogId: null },
      ]).toContainEqual({ creator: now?.creator, fate: now?.fate, pageLogId: now?.pageLogId });
      expect(both).toHaveLength(3);
      await store.logCreators.made(call, '503');
      await store.logCreators.takeOver(call, 'not-made');
      expect(await kept()).toEqual(now);
      const other = { ...call, callId: newCallId() };
      expect(await store.logCreators.made(other, '1')).toBeNull();
      expect(await store.logCreators.takeOver(other, 'silent')).toBeNull();
    });

    it('remembers what was done with further logs', async () => {
      await store.logCreators.decide(call, 'relay', 1);
      await store.logCreators.noteOther(call, '901', 'removed');
      await store.logCreators.noteOther(call, '902', 'left');
      expect((await kept())?.others).toEqual({ '901': 'removed', '902': 'left' });
    });

    it('answers for many calls at once, and leaves out those without a decision', async () => {
      const others = [newCallId(), newCallId()].map((callId) => ({ ...call, callId }));
      for (const one of others) await store.logCreators.decide(one, 'page', 1);
      const found = await store.logCreators.ofCalls([call, ...others]);
      expect([...found.keys()].sort()).toEqual(others.map(({ callId }) => callId).sort());
      expect(await store.logCreators.ofCalls([])).toEqual(new Map());
    });

    it('is forgotten when nothing was ever told of the call, and else with the call', async () => {
      const told = { ...call, callId: newCallId() };
      await store.logCreators.decide(call, 'page', 10);
      await store.logCreators.decide(told, 'page', 10);
      await store.calls.commit({
        events: [],
        calls: [{ ...told, fromVersion: 0, log: null, touchedAt: 10, logWaiting: false }],
        effects: [],
      });
      await store.logCreators.forgetUntold(10);
      expect(await kept()).not.toBeNull();
      await store.logCreators.forgetUntold(11);
      expect(await kept()).toBeNull();
      expect(await kept(told)).not.toBeNull();
      await store.keeping.forgetCalls([told.callId], { evenUnwritten: true });
      expect(await kept(told)).toBeNull();
    });
  });
}
