/** What every store must keep about recordings and the words of calls. */
import { randomUUID } from 'node:crypto';
import { type AgentId, type CallId, type CallLog, newCallId, type TenantId } from '@patchcord/call-protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Store, StoredRecording } from '../../server/src/store/contract.ts';

const agent = 'ada' as AgentId;

/** @param current The store of the test that runs */
export function recordingContract(current: () => Store): void {
  let store: Store;
  let tenant: TenantId;
  beforeEach(() => {
    store = current();
    tenant = `tenant-${randomUUID()}` as TenantId;
  });

  async function call(sipCallId: string | null = null, touchedAt = 1): Promise<CallId> {
    const callId = newCallId();
    const log = { stage: 'final', startedAt: 1, sipCallId } as CallLog;
    await store.calls.commit({
      events: [],
      calls: [{ callId, tenant, agent, fromVersion: 0, log, touchedAt, logWaiting: false }],
      effects: [],
    });
    return callId;
  }
  const recordingOf = (callId: CallId, change: Partial<StoredRecording> = {}): StoredRecording => ({
    callId,
    tenant,
    agent,
    file: randomUUID().replaceAll('-', ''),
    salt: 'salt',
    digest: 'digest',
    codec: 'ulaw',
    rate: 8_000,
    channels: 2,
    bytes: 5_000_000_000,
    durationMs: 312_500_000,
    storedAt: 1_790_000_000_000,
    madeBy: 'phone-system',
    deletedAt: null,
    ...change,
  });

  describe('recordings', () => {
    it('keeps one for a call, and tells it again as it was', async () => {
      const callId = await call();
      const first = recordingOf(callId);
      expect(await store.recordings.add(first)).toBe(true);
      expect(await store.recordings.add(recordingOf(callId))).toBe(false);
      expect(await store.recordings.ofCalls(tenant, [callId, newCallId()])).toEqual([first]);
      expect(await store.recordings.ofCalls('another' as TenantId, [callId])).toEqual([]);
      expect(await store.recordings.known([first.file, 'other'])).toEqual(new Set([first.file]));
    });

    it('keeps none for a call that is not there, or is another customer’s', async () => {
      expect(await store.recordings.add(recordingOf(newCallId()))).toBe(false);
      expect(await store.recordings.add(recordingOf(await call(), { tenant: 'another' as TenantId }))).toBe(false);
    });

    it('takes one of several that arrive at once', async () => {
      const callId = await call();
      const taken = await Promise.all(Array.from({ length: 8 }, () => store.recordings.add(recordingOf(callId))));
      expect(taken.filter(Boolean)).toHaveLength(1);
    });

    it('forgets them with their call, and by age, oldest first', async () => {
      const [gone, old, older] = [await call(), await call(), await call()];
      await store.recordings.add(recordingOf(gone));
      const oldOne = recordingOf(old, { storedAt: 20 });
      const olderOne = recordingOf(older, { storedAt: 10 });
      await store.recordings.add(oldOne);
      await store.recordings.add(olderOne);
      const mine = async (after: StoredRecording | null) =>
        (await store.recordings.before(21, after, 1_000)).filter((one) => one.tenant === tenant);
      expect(await mine(null)).toEqual([olderOne, oldOne]);
      expect(await mine(olderOne)).toEqual([oldOne]);
      await store.recordings.forget([older]);
      expect(await mine(null)).toEqual([oldOne]);
      await store.keeping.forgetCalls([gone]);
      expect(await store.recordings.ofCalls(tenant, [gone, old, older])).toEqual([oldOne]);
    });

    it('are deleted with their key and an entry in the audit, once, and leave a word that there was one', async () => {
      const callId = await call();
      const one = recordingOf(callId, { madeBy: 'relay', storedAt: 15 });
      await store.recordings.add(one);
      const data = { digest: 'digest' };
      const entry = { tenant, actor: 'agent:sue', act: 'recording.deleted', at: 77, data } as const;
      const deleted = await Promise.all([store.recordings.delete(one, entry), store.recordings.delete(one, entry)]);
      expect(deleted.filter((file) => file !== null)).toEqual([one.file]);
      expect(await store.recordings.ofCalls(tenant, [callId])).toEqual([{ ...one, file: '', salt: '', deletedAt: 77 }]);
      expect(await store.recordings.known([one.file])).toEqual(new Set());
      expect((await store.recordings.before(16, null, 1_000)).filter((other) => other.tenant === tenant)).toEqual([]);
      expect(await store.audit.read(tenant, '', 10)).toMatchObject([{ act: 'recording.deleted', at: 77 }]);
      expect(await store.recordings.add(recordingOf(callId))).toBe(false);
      await store.keeping.forgetCalls([callId]);
      expect(await store.recordings.ofCalls(tenant, [callId])).toEqual([]);
    });

    it('are found by the SIP Call-ID of their leg, in one customer', async () => {
      const sipCallId = `${randomUUID()}@pbx`;
      const calls = [await call(sipCallId), await call(sipCallId)];
      await call('another leg');
      expect(await store.recordings.callsOfSip(tenant, sipCallId)).toEqual([...calls].sort());
      expect(await store.recordings.callsOfSip('another' as TenantId, sipCallId)).toEqual([]);
    });
  });

  describe('words of a call', () => {
    const line = (change: object = {}) =>
      ({ line: 1, speaker: 'agent', text: 'Hello', startMs: 0, endMs: 1, final: true, ...change }) as const;

    it('are told again by time, a line once, and go with their call', async () => {
      const callId = await call();
      const keep = (one: ReturnType<typeof line>) => store.transcripts.keep({ tenant, callId, line: one, at: 1 });
      await keep(line({ text: 'Hallo', startMs: 50 }));
      await keep(line({ speaker: 'far-side', startMs: 20, text: 'Zoë “here”' }));
      await keep(line({ line: 2, startMs: 10 }));
      await keep(line({ startMs: 50 }));
      expect((await store.transcripts.of(tenant, callId)).map(({ text }) => text)).toEqual([
        'Hello',
        'Zoë “here”',
        'Hello',
      ]);
      expect(await store.transcripts.of('another' as TenantId, callId)).toEqual([]);
      expect(await store.transcripts.writtenAs(callId)).toBeNull();
      await store.transcripts.written(tenant, callId, '77', 1);
      await store.transcripts.written(tenant, callId, '78', 2);
      expect(await store.transcripts.writtenAs(callId)).toBe('77');
      await store.keeping.forgetCalls([callId]);
      expect(await store.transcripts.of(tenant, callId)).toEqual([]);
      expect(await store.transcripts.writtenAs(callId)).toBeNull();
    });

    it('are never put into the place of another customer’s', async () => {
      const callId = await call();
      await store.transcripts.keep({ tenant, callId, line: line({ text: 'Ours' }), at: 1 });
      await store.transcripts.keep({ tenant: 'another' as TenantId, callId, line: line({ text: 'Theirs' }), at: 2 });
      expect((await store.transcripts.of(tenant, callId)).map(({ text }) => text)).toEqual(['Ours']);
      expect(await store.transcripts.of('another' as TenantId, callId)).toEqual([]);
    });

    it('of no call are forgotten by age alone', async () => {
      const [known, nobodys] = [await call(), newCallId()];
      for (const callId of [known, nobodys]) {
        await store.transcripts.keep({ tenant, callId, line: line(), at: 10 });
        await store.transcripts.keep({ tenant, callId, line: line({ line: 2 }), at: 30 });
      }
      expect(await store.transcripts.forgetLoose(20, 1_000)).toBe(1);
      expect(await store.transcripts.of(tenant, known)).toHaveLength(2);
      expect((await store.transcripts.of(tenant, nobodys)).map((one) => one.line)).toEqual([2]);
    });
  });
}
