/** What every store must keep about messages in mailboxes, and about numbers that must not be called. */
import { randomUUID } from 'node:crypto';
import { type AgentId, newCallId, type TenantId, toE164, toEnvelope } from '@patchcord/call-protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import type {
  NewEffect,
  Store,
  StoredDoNotCall,
  StoredEvent,
  StoredVoicemail,
} from '../../server/src/store/contract.ts';

/** @param current The store of the test that runs */
export function voicemailContract(current: () => Store): void {
  let store: Store;
  let tenant: TenantId;
  beforeEach(() => {
    store = current();
    tenant = `tenant-${randomUUID()}` as TenantId;
  });

  const voicemail = (change: Partial<StoredVoicemail> = {}): StoredVoicemail => ({
    id: randomUUID(),
    tenant,
    mailbox: '1001',
    number: '(415) 555-0101',
    e164: toE164('+14155550101'),
    name: 'Zoë “Quotes” O’Hara \u{1F4DE}',
    text: null,
    wordsState: null,
    words: null,
    callId: null,
    at: 1_790_000_000_000,
    durationMs: 9_000_000_000,
    heardAt: null,
    deletedAt: null,
    form: 'wav',
    file: randomUUID().replaceAll('-', ''),
    salt: 'salt',
    bytes: 5_000_000_000,
    storedAt: 1_790_000_000_500,
    ...change,
  });
  const eventOf = (one: StoredVoicemail): StoredEvent => {
    const source = `/tenants/${tenant}/relay`;
    const id = `voicemail:${one.id}`;
    const data = { voicemail: one.id, mailbox: one.mailbox, from: { number: one.number }, durationMs: 1 };
    const envelope = toEnvelope({ name: 'voicemail.received', at: one.at, data }, id, source);
    return { source, id, tenant, agent: 'ada' as AgentId, callId: null, envelope, receivedAt: one.storedAt };
  };
  const add = (one: StoredVoicemail, effects: readonly NewEffect[] = []) =>
    store.voicemails.add(one, eventOf(one), effects);
  const listed = async (mailboxes = ['1001'], deletedAfter = 0, limit = 10) =>
    await store.voicemails.of(tenant, mailboxes, { deletedAfter, limit });

  describe('messages in mailboxes', () => {
    it('keep their words and the call they were left in, the first that was said', async () => {
      const one = voicemail({ wordsState: 'waiting' });
      await add(one);
      expect((await store.voicemails.find(tenant, one.id))?.wordsState).toBe('waiting');
      expect(await store.voicemails.keepWords(tenant, one.id, 'ready', 'sealed')).toBe(true);
      const [first, second] = [newCallId(), newCallId()];
      expect(await store.voicemails.linkTo(tenant, one.id, first)).toBe(first);
      expect(await store.voicemails.linkTo(tenant, one.id, second)).toBe(first);
      const kept = { ...one, wordsState: 'ready', words: 'sealed', callId: first };
      expect(await store.voicemails.find(tenant, one.id)).toEqual(kept);
      expect(await store.voicemails.keepWords(tenant, one.id, null, null)).toBe(true);
      expect(await store.voicemails.find(tenant, one.id)).toEqual({ ...kept, wordsState: null, words: null });
      const other = `${tenant}-2` as TenantId;
      expect(await store.voicemails.keepWords(other, one.id, 'none', null)).toBe(false);
      expect(await store.voicemails.linkTo(other, one.id, second)).toBeNull();
    });

    it('are kept once with their event and what follows, and told again as they were', async () => {
      const one = voicemail({ text: 'Please call me.' });
      const effect = {
        ...{ id: `webhook ${one.id}`, kind: 'webhook' as const, tenant, callId: null, orderKey: null },
        ...{ payload: {}, dueAt: 4_000_000_000_000 },
      } as const;
      expect(await add(one, [effect])).toBe(true);
      expect(await add({ ...one, file: 'another' }, [{ ...effect, id: `${effect.id} again` }])).toBe(false);
      expect(await store.voicemails.find(tenant, one.id)).toEqual(one);
      expect(await store.voicemails.find('another' as TenantId, one.id)).toBeNull();
      expect(await store.voicemails.known([one.file, 'another'])).toEqual(new Set([one.file]));
      const events = await store.feed.after({ xact: 0, position: 0 }, { tenant, since: 0, limit: 10 });
      expect(events.map(({ envelope }) => envelope.id)).toEqual([`voicemail:${one.id}`]);
    });

    it('are kept once, however many hand one over at the same time', async () => {
      const one = voicemail();
      const added = await Promise.all(
        Array.from({ length: 6 }, () => add({ ...one, file: randomUUID().replaceAll('-', '') })),
      );
      expect(added.filter(Boolean)).toHaveLength(1);
      expect(await listed()).toHaveLength(1);
    });

    it('are listed by mailbox, newest first, without those deleted too long ago', async () => {
      const [old, young, other, deleted, gone] = [
        voicemail({ at: 10 }),
        voicemail({ at: 20, number: '', e164: null, name: null }),
        voicemail({ at: 30, mailbox: '1002' }),
        voicemail({ at: 5, deletedAt: 200 }),
        voicemail({ at: 6, deletedAt: 100 }),
      ];
      for (const one of [old, young, other, deleted, gone]) await add(one);
      expect(await listed(['1001'], 100)).toEqual([young, old, deleted]);
      expect(await listed(['1001', '1002'], 100, 2)).toEqual([other, young]);
      expect(await listed([])).toEqual([]);
      expect(await store.voicemails.of('another' as TenantId, ['1001'], { deletedAfter: 0, limit: 10 })).toEqual([]);
    });

    it('are marked as heard and deleted apart from each other, and either is taken back', async () => {
      const one = voicemail();
      await add(one);
      const change = (to: Parameters<Store['voicemails']['change']>[2]) => store.voicemails.change(tenant, one.id, to);
      expect(await change({ heardAt: 7 })).toBe(true);
      expect(await change({ deletedAt: 8 })).toBe(true);
      expect(await store.voicemails.find(tenant, one.id)).toMatchObject({ heardAt: 7, deletedAt: 8 });
      expect(await change({ heardAt: null })).toBe(true);
      expect(await store.voicemails.find(tenant, one.id)).toMatchObject({ heardAt: null, deletedAt: 8 });
      expect(await store.voicemails.change('another' as TenantId, one.id, { deletedAt: null })).toBe(false);
      expect(await store.voicemails.find(tenant, one.id)).toMatchObject({ deletedAt: 8 });
    });

    it('leave by age or once deleted, oldest first, page by page', async () => {
      const [older, old, deleted, stays] = [
        voicemail({ storedAt: 10 }),
        voicemail({ storedAt: 20 }),
        voicemail({ storedAt: 90, deletedAt: 15 }),
        voicemail({ storedAt: 91, deletedAt: 55 }),
      ];
      for (const one of [stays, deleted, old, older]) await add(one);
      const mine = async (after: StoredVoicemail | null) =>
        (await store.voicemails.leaving({ storedBefore: 50, deletedBefore: 50 }, after, 1_000)).filter(
          (one) => one.tenant === tenant,
        );
      expect(await mine(null)).toEqual([older, old, deleted]);
      expect(await mine(old)).toEqual([deleted]);
      await store.voicemails.forget([older.id, deleted.id]);
      expect(await mine(null)).toEqual([old]);
      expect((await listed()).map(({ id }) => id)).toEqual(expect.arrayContaining([stays.id, old.id]));
    });
  });

  describe('a list of numbers that must not be called', () => {
    const entry = (change: Partial<StoredDoNotCall> = {}): StoredDoNotCall => ({
      tenant,
      numberHash: randomUUID(),
      number: '+14155550101',
      reason: 'Asked “never again”',
      addedBy: 'admin',
      addedAt: 1_790_000_000_000,
      ...change,
    });

    it('finds a number by its hash, takes it once, and a new reason for it', async () => {
      const one = entry();
      expect(await store.doNotCall.put(one, 10)).toBe(true);
      const again = { ...one, reason: 'By letter', addedBy: 'agent:zoe', addedAt: one.addedAt + 1 };
      expect(await store.doNotCall.put(again, 1)).toBe(true);
      expect(await store.doNotCall.find(tenant, one.numberHash)).toEqual(again);
      expect(await store.doNotCall.find(tenant, 'another')).toBeNull();
      expect(await store.doNotCall.find('another' as TenantId, one.numberHash)).toBeNull();
      expect(await store.doNotCall.remove('another' as TenantId, one.numberHash)).toBe(false);
      expect(await store.doNotCall.remove(tenant, one.numberHash)).toBe(true);
      expect(await store.doNotCall.remove(tenant, one.numberHash)).toBe(false);
    });

    it('is read newest first and page by page, and takes no more than it may', async () => {
      const entries = [3, 3, 2, 1].map((addedAt, index) => entry({ addedAt, numberHash: `h${index}` }));
      for (const one of entries) expect(await store.doNotCall.put(one, 4)).toBe(true);
      expect(await store.doNotCall.put(entry({ numberHash: 'h9' }), 4)).toBe(false);
      const first = await store.doNotCall.list(tenant, null, 3);
      expect(first).toEqual(entries.slice(0, 3));
      expect(await store.doNotCall.list(tenant, first.at(0) ?? null, 2)).toEqual(entries.slice(1, 3));
      expect(await store.doNotCall.list(tenant, first.at(-1) ?? null, 3)).toEqual(entries.slice(3));
    });
  });
}
