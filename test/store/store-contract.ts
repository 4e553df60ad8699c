/** What every store must keep, whatever database is behind it. Each database's own test file calls this with a way to open an empty one. */
import { randomUUID } from 'node:crypto';
import {
  type AgentId,
  type CallId,
  type CallLog,
  newCallId,
  type PhoneEvent,
  type TenantId,
  toEnvelope,
} from '@patchcord/call-protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Change, NewEffect, Store, StoredEvent } from '../../server/src/store/contract.ts';
import { brakesContract } from './contract-brakes.ts';
import { callLegContract } from './contract-calls.ts';
import { choiceContract } from './contract-choices.ts';
import { credentialContract } from './contract-credentials.ts';
import { feedContract } from './contract-feed.ts';
import { identityContract, storedSession } from './contract-identity.ts';
import { keepingContract } from './contract-keeping.ts';
import { lineLeaseContract, recoveryContract } from './contract-line-leases.ts';
import { logCreatorContract } from './contract-log-creators.ts';
import { mintingContract } from './contract-minting.ts';
import { openPhoneContract } from './contract-open-phones.ts';
import { outboxOrderContract } from './contract-outbox.ts';
import { recordingPartContract } from './contract-recording-parts.ts';
import { recordingContract } from './contract-recordings.ts';
import { soundContract } from './contract-sound.ts';
import { toCallContract } from './contract-to-call.ts';
import { voicemailContract } from './contract-voicemails.ts';

const tenant = 'acme' as TenantId;
const agent = 'ada' as AgentId;
const source = '/tenants/acme/agents/ada/devices/one';

function storedEvent(
  callId: CallId,
  n: number,
  name: PhoneEvent['name'] = 'call.ringing',
  data: unknown = {},
): StoredEvent {
  const id = `${callId}:${n}`;
  const envelope = toEnvelope({ name, at: 1_790_000_000_000 + n, call: callId, data } as PhoneEvent, id, source);
  return { source, id, tenant, agent, callId, envelope, receivedAt: 1_790_000_000_500 };
}

function logOf(callId: CallId, change: Partial<CallLog> = {}): CallLog {
  return {
    callId,
    tenant,
    agent,
    direction: 'inbound',
    farSide: { number: '+14155550101', name: 'Zoë “Quotes” O’Hara \u{1F4DE}' },
    nearNumber: '1001',
    startedAt: 1_790_000_000_000,
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
    ...change,
  };
}

function change(
  callId: CallId,
  fromVersion: number,
  events: readonly StoredEvent[],
  log: CallLog,
  effects: readonly NewEffect[] = [],
): Change {
  return {
    events,
    calls: [{ callId, tenant, agent, fromVersion, log, touchedAt: 1_790_000_000_500, logWaiting: effects.length > 0 }],
    effects,
  };
}

function logEffect(callId: CallId, dueAt = 100): NewEffect {
  return { id: `crm.log ${callId}`, kind: 'crm.log', tenant, callId, payload: { agent }, dueAt, orderKey: null };
}

export function storeContract(open: () => Promise<Store>): void {
  let store: Store;
  beforeEach(async () => {
    // one database per file: every test uses calls, agents and tenants of its own
    store = await open();
  });
  const claim = (options: Partial<Parameters<Store['outbox']['claim']>[0]> = {}) =>
    store.outbox.claim({
      now: 1_000,
      leaseMs: 500,
      limit: 10,
      kinds: ['crm.log', 'webhook', 'edge.revoke'],
      pausedTenants: [],
      ...options,
    });

  describe('calls', () => {
    it('gives back what was committed: events, fold, version', async () => {
      const callId = newCallId();
      const events = [storedEvent(callId, 1), storedEvent(callId, 2)];
      expect(await store.calls.commit(change(callId, 0, events, logOf(callId)))).toBe(true);
      const found = (await store.calls.readCalls([callId, newCallId()])).get(callId);
      expect(found?.call).toEqual({
        callId,
        tenant,
        agent,
        version: 1,
        log: logOf(callId),
        touchedAt: 1_790_000_000_500,
        logState: 'none',
        logId: null,
        logReason: null,
      });
      expect(found?.events.map(({ id, source: from, at }) => [id, from, at]).sort()).toEqual(
        events.map(({ id }, index) => [id, source, 1_790_000_000_001 + index]),
      );
      expect(await store.calls.knownEvents(source, [...events.map(({ id }) => id), 'unknown'])).toEqual(
        new Set(events.map(({ id }) => id)),
      );
      expect(await store.calls.knownEvents('/other', [events[0]?.id ?? ''])).toEqual(new Set());
    });

    it('refuses a fold made from an old version, and keeps nothing of that change', async () => {
      const callId = newCallId();
      await store.calls.commit(change(callId, 0, [storedEvent(callId, 1)], logOf(callId)));
      expect(
        await store.calls.commit(change(callId, 1, [storedEvent(callId, 2)], logOf(callId, { note: 'first' }))),
      ).toBe(true);
      const late = change(callId, 1, [storedEvent(callId, 3)], logOf(callId, { note: 'late' }), [logEffect(callId)]);
      expect(await store.calls.commit(late)).toBe(false);
      const found = (await store.calls.readCalls([callId])).get(callId);
      expect(found?.call).toMatchObject({ version: 2, logState: 'none', log: { note: 'first' } });
      expect(found?.events).toHaveLength(2);
      expect(await claim()).toEqual([]);
    });

    it('lets one of two win that begin the same call at once', async () => {
      const callId = newCallId();
      const results = await Promise.all([
        store.calls.commit(change(callId, 0, [storedEvent(callId, 1)], logOf(callId))),
        store.calls.commit(change(callId, 0, [storedEvent(callId, 2)], logOf(callId))),
      ]);
      expect([...results].sort()).toEqual([false, true]);
      expect((await store.calls.readCalls([callId])).get(callId)?.events).toHaveLength(1);
    });

    it('takes a repeated event for a conflict, so that its effects can never happen twice', async () => {
      const event: StoredEvent = { ...storedEvent(newCallId(), 1), callId: null };
      const effect: NewEffect = {
        id: `webhook ${event.id}`,
        kind: 'webhook',
        tenant,
        callId: null,
        payload: {},
        dueAt: 1,
        orderKey: null,
      };
      expect(await store.calls.commit({ events: [event], calls: [], effects: [effect] })).toBe(true);
      expect(await store.calls.commit({ events: [event], calls: [], effects: [effect] })).toBe(false);
      const [claimed] = await claim();
      expect(claimed).toMatchObject({ id: effect.id, version: 1 });
    });

    it('keeps an event of its own once, however often it is told', async () => {
      const callId = newCallId();
      const own = storedEvent(callId, 7);
      await store.calls.commit({ ...change(callId, 0, [], logOf(callId)), ownEvents: [own] });
      expect(await store.calls.commit({ ...change(callId, 1, [], logOf(callId)), ownEvents: [own] })).toBe(true);
      expect((await store.calls.readCalls([callId])).get(callId)?.events).toHaveLength(1);
    });

    it('lists one agent’s calls, newest first, without those nobody knows enough about', async () => {
      const owner = { tenant: `tenant-${randomUUID()}` as TenantId, agent };
      const ids = [newCallId(), newCallId(), newCallId()];
      for (const [index, callId] of ids.entries()) {
        const log = logOf(callId, { ...owner, startedAt: 1_000 + index });
        await store.calls.commit({
          events: [],
          calls: [{ callId, ...owner, fromVersion: 0, log, touchedAt: 1, logWaiting: false }],
          effects: [],
        });
      }
      const unknown = { callId: newCallId(), ...owner, fromVersion: 0, log: null, touchedAt: 1, logWaiting: false };
      await store.calls.commit({ events: [], calls: [unknown], effects: [] });
      const history = await store.calls.history(owner.tenant, agent, 2);
      expect(history.map(({ callId }) => callId)).toEqual([ids[2], ids[1]]);
      expect(await store.calls.history(owner.tenant, 'bob' as AgentId, 10)).toEqual([]);
    });

    it('finds calls that live and have been silent, sooner when nobody has a session to report them', async () => {
      const who = `agent-${randomUUID()}` as AgentId;
      const quiet = newCallId();
      const over = newCallId();
      const fresh = newCallId();
      for (const [callId, touchedAt, stage] of [
        [quiet, 10, 'live'],
        [over, 10, 'ended'],
        [fresh, 5_000, 'live'],
      ] as const) {
        await store.calls.commit({
          events: [],
          calls: [
            { callId, tenant, agent: who, fromVersion: 0, log: logOf(callId, { stage }), touchedAt, logWaiting: false },
          ],
          effects: [],
        });
      }
      const find = (silentBefore: number, unattendedBefore: number) =>
        store.calls.silentCalls({ now: 6_000, silentBefore, unattendedBefore, goneBefore: null, limit: 1_000 });
      expect(await find(1, 5_000)).toContain(quiet);
      const session = storedSession({ agent: who, expiresAt: 7_000 });
      await store.identity.addSession(session);
      expect(await find(1, 5_000)).not.toContain(quiet);
      const silent = await find(5_000, 1);
      expect(silent).toContain(quiet);
      expect(silent).not.toContain(over);
      expect(silent).not.toContain(fresh);
    });
  });

  describe('the outbox', () => {
    const other = (id: string, dueAt = 100): NewEffect => ({
      id,
      kind: 'webhook',
      tenant,
      callId: null,
      payload: { n: id },
      dueAt,
      orderKey: null,
    });

    it('gives what is due, oldest first, to one taker', async () => {
      await store.outbox.enqueue([other('late', 900), other('early', 100), other('future', 5_000)]);
      expect(await store.outbox.nextDue(['webhook'])).toBe(100);
      const taken = await claim();
      expect(taken.map(({ id }) => id)).toEqual(['early', 'late']);
      expect(taken[0]).toMatchObject({ attempts: 1, version: 1, payload: { n: 'early' }, state: 'waiting' });
      expect(await claim()).toEqual([]);
    });

    it('gives no row twice to many takers at once', async () => {
      await store.outbox.enqueue(Array.from({ length: 40 }, (_, index) => other(`row-${index}`)));
      const taken = await Promise.all(Array.from({ length: 8 }, () => claim({ limit: 7 })));
      const ids = taken.flat().map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      const rest = await claim({ limit: 100 });
      expect(new Set([...ids, ...rest.map(({ id }) => id)]).size).toBe(40);
    });

    it('gives it to somebody else once the lease has run out, and the first can settle nothing any more', async () => {
      await store.outbox.enqueue([other('x')]);
      const [first] = await claim({ now: 1_000 });
      expect(await store.outbox.nextDue(['webhook'])).toBe(1_500);
      const [second] = await claim({ now: 1_501 });
      if (first === undefined || second === undefined) throw new Error('nothing was claimed');
      expect(second.attempts).toBe(2);
      expect(await store.outbox.renew(first, 9_999)).toBe(false);
      expect(await store.outbox.done(first, 2_000)).toBe('lost');
      expect(await store.outbox.failed(first, { dueAt: 1, reason: 'x', dead: true })).toBe(false);
      expect(await store.outbox.renew(second, 9_999)).toBe(true);
      expect(await claim({ now: 5_000 })).toEqual([]);
      expect(await store.outbox.done(second, 2_000)).toBe('done');
      expect(await store.outbox.nextDue(['webhook'])).toBeNull();
    });

    it('tries again when it is told, and counts', async () => {
      await store.outbox.enqueue([other('x')]);
      const [first] = await claim();
      if (first === undefined) throw new Error('nothing was claimed');
      expect(await store.outbox.failed(first, { dueAt: 3_000, reason: 'away', dead: false })).toBe(true);
      expect(await claim({ now: 2_999 })).toEqual([]);
      expect(await claim({ now: 3_000 })).toMatchObject([{ id: 'x', attempts: 2, reason: 'away' }]);
    });

    it('keeps what was given up until it is asked for again', async () => {
      await store.outbox.enqueue([other('x')]);
      const [first] = await claim();
      if (first === undefined) throw new Error('nothing was claimed');
      await store.outbox.failed(first, { dueAt: 1, reason: 'refused', dead: true });
      expect(await claim({ now: 99_999 })).toEqual([]);
      expect(await store.outbox.dead(tenant, 10)).toMatchObject([{ id: 'x', reason: 'refused' }]);
      expect(await store.outbox.depth()).toEqual([{ kind: 'webhook', state: 'dead', count: 1, oldestAt: 100 }]);
      expect(await store.outbox.revive('nothing', 1)).toBe(false);
      expect(await store.outbox.revive('x', 2_000)).toBe(true);
      expect(await store.outbox.revive('x', 2_000)).toBe(false);
      expect(await claim({ now: 2_000 })).toMatchObject([{ id: 'x', attempts: 1 }]);
    });

    it('makes everything of one tenant wait again, and what becomes of the logs', async () => {
      const callId = newCallId();
      const busy = `tenant-${randomUUID()}` as TenantId;
      const effects = [
        { ...logEffect(callId), tenant: busy },
        { ...other('hook'), tenant: busy },
        other('of another tenant'),
      ];
      await store.calls.commit(change(callId, 0, [], logOf(callId, { stage: 'ended' }), effects));
      for (const effect of await claim()) {
        const log = { callId, state: 'failed', logId: null, reason: 'refused' } as const;
        const outcome = effect.kind === 'crm.log' ? { log } : {};
        await store.outbox.failed(effect, { dueAt: 1, reason: 'refused', dead: true }, outcome);
      }
      const state = async () => (await store.calls.readCalls([callId])).get(callId)?.call;
      expect(await state()).toMatchObject({ logState: 'failed', logReason: 'refused' });
      expect(await store.outbox.reviveAll(busy, 2_000)).toBe(2);
      expect(await store.outbox.reviveAll(busy, 2_000)).toBe(0);
      expect(await state()).toMatchObject({ logState: 'waiting', logReason: null });
      const taken = await claim({ now: 2_000 });
      expect(taken.map(({ kind, attempts }) => [kind, attempts]).sort()).toEqual([
        ['crm.log', 1],
        ['webhook', 1],
      ]);
    });

    it('looks again when it is told, and does not count that', async () => {
      await store.outbox.enqueue([other('x')]);
      const [first] = await claim();
      if (first === undefined) throw new Error('nothing was claimed');
      expect(await store.outbox.postpone(first, 3_000)).toBe(true);
      expect(await store.outbox.postpone(first, 3_000)).toBe(false);
      expect(await claim({ now: 2_999 })).toEqual([]);
      expect(await claim({ now: 3_000 })).toMatchObject([{ id: 'x', attempts: 1, reason: null }]);
    });

    it('is looked at at once when it was enqueued again while somebody looked and put it off', async () => {
      await store.outbox.enqueue([other('x')]);
      const [first] = await claim();
      if (first === undefined) throw new Error('nothing was claimed');
      await store.outbox.enqueue([{ ...other('x', 1_000), payload: 'newer' }]);
      expect(await store.outbox.postpone(first, 9_000)).toBe(true);
      expect(await claim({ now: 1_000 })).toMatchObject([{ id: 'x', payload: 'newer', attempts: 1 }]);
    });

    it('joins an effect that waits, and keeps its back-off', async () => {
      await store.outbox.enqueue([other('x')]);
      const [first] = await claim();
      if (first === undefined) throw new Error('nothing was claimed');
      await store.outbox.failed(first, { dueAt: 9_000, reason: 'away', dead: false });
      await store.outbox.enqueue([{ ...other('x', 1_000), payload: 'newer' }]);
      expect(await claim({ now: 8_999 })).toEqual([]);
      expect(await claim({ now: 9_000 })).toMatchObject([{ version: 2, payload: 'newer' }]);
    });

    it('takes the earlier time for an effect that was not tried yet', async () => {
      await store.outbox.enqueue([other('x', 9_000)]);
      await store.outbox.enqueue([other('x', 20_000)]);
      expect(await store.outbox.nextDue(['webhook'])).toBe(9_000);
      await store.outbox.enqueue([other('x', 500)]);
      expect(await claim()).toMatchObject([{ id: 'x', version: 3 }]);
    });

    it('does not count a delivery as done when the effect was enqueued meanwhile', async () => {
      await store.outbox.enqueue([other('x')]);
      const [first] = await claim();
      if (first === undefined) throw new Error('nothing was claimed');
      await store.outbox.enqueue([other('x')]);
      expect(await claim()).toEqual([]);
      expect(await store.outbox.done(first, 1_200)).toBe('again');
      const [second] = await claim({ now: 1_200 });
      if (second === undefined) throw new Error('nothing was claimed');
      expect(second).toMatchObject({ version: 2, attempts: 1 });
      expect(await store.outbox.done(second, 1_300)).toBe('done');
    });

    it('does not bury an effect that was enqueued meanwhile', async () => {
      await store.outbox.enqueue([other('x')]);
      const [first] = await claim();
      if (first === undefined) throw new Error('nothing was claimed');
      await store.outbox.enqueue([other('x')]);
      expect(await store.outbox.failed(first, { dueAt: 1_100, reason: 'refused', dead: true })).toBe(true);
      expect(await store.outbox.dead(tenant, 10)).toEqual([]);
      expect(await claim({ now: 1_100 })).toMatchObject([{ id: 'x', attempts: 1 }]);
    });

    it('revives what was given up when it is enqueued again', async () => {
      await store.outbox.enqueue([other('x')]);
      const [first] = await claim();
      if (first === undefined) throw new Error('nothing was claimed');
      await store.outbox.failed(first, { dueAt: 1, reason: 'refused', dead: true });
      await store.outbox.enqueue([other('x', 4_000)]);
      expect(await claim({ now: 3_999 })).toEqual([]);
      expect(await claim({ now: 4_000 })).toMatchObject([{ id: 'x', attempts: 1 }]);
    });

    it('leaves the logs of a paused tenant where they are, and only those', async () => {
      const paused = newCallId();
      await store.outbox.enqueue([logEffect(paused), other('hook')]);
      expect(await store.outbox.nextDue(['edge.revoke'])).toBeNull();
      expect(await claim({ kinds: ['edge.revoke'] })).toEqual([]);
      const taken = await claim({ pausedTenants: [tenant] });
      expect(taken.map(({ id }) => id)).toEqual(['hook']);
      expect(await claim()).toMatchObject([{ callId: paused }]);
    });

    it('writes down what became of a log together with the effect', async () => {
      const callId = newCallId();
      const state = async () => (await store.calls.readCalls([callId])).get(callId)?.call;
      await store.calls.commit(change(callId, 0, [], logOf(callId, { stage: 'ended' }), [logEffect(callId)]));
      expect(await state()).toMatchObject({ logState: 'waiting', logId: null });

      const [first] = await claim();
      if (first === undefined) throw new Error('nothing was claimed');
      await store.outbox.failed(
        first,
        { dueAt: 2_000, reason: 'busy', dead: false },
        { log: { callId, state: 'waiting', logId: null, reason: 'busy' } },
      );
      expect(await state()).toMatchObject({ logState: 'waiting', logReason: 'busy' });

      const [second] = await claim({ now: 2_000 });
      if (second === undefined) throw new Error('nothing was claimed');
      // A newer fold arrives while the CRM is writing: the id is kept, the log still waits.
      await store.calls.commit(
        change(callId, 1, [], logOf(callId, { stage: 'final', note: 'x' }), [logEffect(callId)]),
      );
      const log = { callId, state: 'saved', logId: '00T1', reason: null } as const;
      const own = storedEvent(callId, 50, 'log.saved', {
        record: { crm: 'salesforce', object: 'Task', id: '00T1' },
        logId: '00T1',
      });
      expect(await store.outbox.done(second, 2_100, { log, ownEvents: [own], effects: [other('after')] })).toBe(
        'again',
      );
      expect(await state()).toMatchObject({ logState: 'waiting', logId: '00T1', version: 2 });

      const third = (await claim({ now: 2_100 })).find(({ kind }) => kind === 'crm.log');
      if (third === undefined) throw new Error('nothing was claimed');
      expect(await store.outbox.done(third, 2_200, { log, ownEvents: [own] })).toBe('done');
      expect(await state()).toMatchObject({ logState: 'saved', logId: '00T1', logReason: null });

      // A lost lease writes nothing, not even a reason.
      expect(
        await store.outbox.failed(
          second,
          { dueAt: 1, reason: 'zombie', dead: true },
          { log: { callId, state: 'failed', logId: null, reason: 'zombie' } },
        ),
      ).toBe(false);
      expect(await state()).toMatchObject({ logState: 'saved', logReason: null });
    });
  });

  brakesContract(() => store);
  callLegContract(() => store);
  openPhoneContract(() => store);
  soundContract(() => store);
  lineLeaseContract(() => store.lineLeases);
  recoveryContract(() => store);
  outboxOrderContract(() => store);
  keepingContract(() => store);
  choiceContract(() => store);
  recordingContract(() => store);
  recordingPartContract(() => store);
  toCallContract(() => store);
  voicemailContract(() => store);
  logCreatorContract(() => store);
  credentialContract(() => store);
  mintingContract(() => store);
  feedContract(() => store);
  identityContract(() => store);

  it('answers a health check', async () => {
    await expect(store.check()).resolves.toBeUndefined();
  });
}
