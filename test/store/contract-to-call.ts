/** What every store must keep about call-backs and dial lists, policies that were changed, and the calls of a record. */
import { randomUUID } from 'node:crypto';
import { type AgentId, type CallId, type CallLog, type E164, newCallId, type TenantId } from '@patchcord/call-protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Store, StoredToCall } from '../../server/src/store/contract.ts';

const ada = 'ada' as AgentId;
const bob = 'bob' as AgentId;
const contact = { crm: 'hubspot', object: 'contact', id: '501', name: 'Zoë O’Hara' } as const;

/** @param current The store of the test that runs */
export function toCallContract(current: () => Store): void {
  let store: Store;
  let tenant: TenantId;
  beforeEach(() => {
    store = current();
    tenant = `tenant-${randomUUID()}` as TenantId;
  });
  const entryOf = (change: Partial<StoredToCall> = {}): StoredToCall => ({
    tenant,
    agent: ada,
    id: randomUUID(),
    kind: 'call-back',
    number: '(415) 555-0101',
    e164: '+14155550101' as E164,
    name: 'Zoë “Quotes” O’Hara',
    record: contact,
    note: 'about the pallets',
    dueAt: 1_790_000_000_000,
    askedBy: 'Ada Byron',
    createdAt: 1_789_000_000_000,
    doneAt: null,
    ...change,
  });
  const add = async (change: Partial<StoredToCall> = {}) => {
    const entry = entryOf(change);
    await store.toCall.add(entry, 100);
    return entry;
  };
  const open = async (agent = ada) => (await store.toCall.open(tenant, agent)).map(({ id }) => id);

  describe('what there is to call', () => {
    it('comes back as it was added: call-backs by time, then the dial list in its order', async () => {
      const list = await add({ kind: 'dial-list', dueAt: null, createdAt: 10, record: null, name: null, note: null });
      const later = await add({ dueAt: 300, createdAt: 1 });
      const sooner = await add({ dueAt: 200, createdAt: 2 });
      const first = await add({ kind: 'dial-list', dueAt: null, createdAt: 5 });
      expect(await store.toCall.open(tenant, ada)).toEqual([sooner, later, first, list]);
      expect(await store.toCall.open('another' as TenantId, ada)).toEqual([]);
    });

    it('is added once, also by many at once, and no id is two agents’', async () => {
      const entry = entryOf();
      const answers = await Promise.all(Array.from({ length: 5 }, () => store.toCall.add(entry, 100)));
      expect(answers.filter((answer) => answer?.added)).toHaveLength(1);
      expect(await store.toCall.add({ ...entry, agent: bob, number: '2' }, 100)).toEqual({ entry, added: false });
      expect(await open(bob)).toEqual([]);
      const elsewhere = { ...entry, tenant: `${tenant}-too` as TenantId };
      expect(await store.toCall.add(elsewhere, 100)).toMatchObject({ added: true });
    });

    it('is no more than an agent may have open', async () => {
      const [one] = [await add(), await add()];
      expect(await store.toCall.add(entryOf(), 2)).toBeNull();
      expect(await store.toCall.add(one, 2)).toMatchObject({ added: false });
      expect(await store.toCall.add(entryOf({ agent: bob }), 2)).toMatchObject({ added: true });
      await store.toCall.change(tenant, ada, one.id, { doneAt: 5 });
      expect(await store.toCall.add(entryOf(), 2)).toMatchObject({ added: true });
    });

    it('is postponed, done and undone by its agent alone', async () => {
      const { id } = await add({ kind: 'dial-list', dueAt: null });
      expect(await store.toCall.change(tenant, bob, id, { doneAt: 5 })).toBeNull();
      expect(await store.toCall.change('another' as TenantId, ada, id, { doneAt: 5 })).toBeNull();
      expect(await store.toCall.change(tenant, ada, id, { dueAt: 700 })).toMatchObject({
        kind: 'call-back',
        dueAt: 700,
      });
      expect(await store.toCall.change(tenant, ada, id, { doneAt: 5 })).toMatchObject({ doneAt: 5 });
      expect(await open()).toEqual([]);
      expect(await store.toCall.find(tenant, bob, id)).toBeNull();
      expect(await store.toCall.change(tenant, ada, id, { doneAt: null })).toMatchObject({ doneAt: null, dueAt: 700 });
      expect(await open()).toEqual([id]);
    });

    it('says who calls a record next', async () => {
      expect(await store.toCall.nextOnRecord(tenant, contact)).toBeNull();
      await add({ dueAt: 900 });
      await add({ kind: 'dial-list', dueAt: null });
      await add({ dueAt: 100, record: { ...contact, object: 'company' } });
      await add({ dueAt: 100, tenant: `${tenant}-too` as TenantId });
      const next = await add({ dueAt: 800, agent: bob });
      expect(await store.toCall.nextOnRecord(tenant, contact)).toEqual(next);
    });

    it('goes with age when it was done or never called, but not while it is held', async () => {
      const due = await add({ dueAt: 5_000, createdAt: 10 });
      const held = await add({ dueAt: 20, createdAt: 10, e164: '+14155550199' as E164 });
      await add({ dueAt: 20, createdAt: 10 });
      await add({ kind: 'dial-list', dueAt: null, createdAt: 10 });
      await add({ dueAt: 5_000, createdAt: 10, doneAt: 20, e164: null });
      const young = await add({ kind: 'dial-list', dueAt: null, createdAt: 5_000 });
      const number = '+14155550199';
      expect(await store.toCall.forgetBefore(1_000, [{ tenant, number }])).toBeGreaterThanOrEqual(3);
      expect(await open()).toEqual([held.id, due.id, young.id]);
      await store.toCall.forgetBefore(1_000, [{ tenant: 'another' as TenantId, number }]);
      expect(await open()).toEqual([due.id, young.id]);
    });
  });

  describe('policies that were changed', () => {
    it('are kept per tenant, the newest word counts, and a reset forgets', async () => {
      const word = (value: string, changedAt: number) => ({ policy: 'wrap-up', value, changedBy: 'Ada', changedAt });
      await store.policies.put(tenant, word('30', 1));
      await store.policies.put(tenant, word('45', 1_790_000_000_000));
      await store.policies.put(`${tenant}-too` as TenantId, word('9', 3));
      expect(await store.policies.of(tenant)).toEqual([word('45', 1_790_000_000_000)]);
      await store.policies.reset(tenant, 'wrap-up');
      expect(await store.policies.of(tenant)).toEqual([]);
      expect(await store.policies.of(`${tenant}-too` as TenantId)).toHaveLength(1);
    });
  });

  describe('calls of a record', () => {
    async function call(startedAt: number, log: Partial<CallLog>, agent = ada, of = tenant): Promise<CallId> {
      const callId = newCallId();
      await store.calls.commit({
        events: [],
        calls: [
          {
            callId,
            tenant: of,
            agent,
            fromVersion: 0,
            log: { callId, stage: 'final', startedAt, record: null, ...log } as CallLog,
            touchedAt: startedAt,
            logWaiting: false,
          },
        ],
        effects: [],
      });
      return callId;
    }
    const asked = async (options: { agent?: AgentId; before?: number; call?: CallId; limit?: number } = {}) =>
      (
        await store.calls.callsOfRecord({
          tenant,
          agent: options.agent ?? null,
          record: { object: 'contact', id: '501' },
          before: options.before === undefined ? null : { at: options.before, call: options.call ?? null },
          limit: options.limit ?? 20,
        })
      ).map(({ callId }) => callId);

    it('are those with it and those about it, newest first, page by page', async () => {
      const first = await call(10, { record: contact });
      const about = await call(20, { record: { ...contact, id: '9' }, about: contact });
      const bobs = await call(30, { record: contact }, bob);
      await call(40, { record: { ...contact, object: 'company' } });
      await call(50, { record: contact }, ada, `${tenant}-too` as TenantId);
      await call(60, {});
      expect(await asked()).toEqual([bobs, about, first]);
      expect(await asked({ limit: 1 })).toEqual([bobs]);
      expect(await asked({ before: 20 })).toEqual([first]);
      const twins = [await call(20, { record: contact }), about].sort();
      expect(await asked()).toEqual([bobs, ...twins, first]);
      expect(await asked({ before: 20, call: twins[0] as CallId })).toEqual([twins[1], first]);
      expect(await asked({ before: 20, call: twins[1] as CallId })).toEqual([first]);
      expect(await asked({ agent: ada })).toEqual([...twins, first]);
    });

    it('follow the record when it is chosen anew', async () => {
      const callId = await call(10, { record: contact });
      const log = { callId, stage: 'final', startedAt: 10, record: { ...contact, id: '502' } } as CallLog;
      const change = { callId, tenant, agent: ada, fromVersion: 1, log, touchedAt: 11, logWaiting: false };
      expect(await store.calls.commit({ events: [], calls: [change], effects: [] })).toBe(true);
      expect(await asked()).toEqual([]);
    });
  });
}
