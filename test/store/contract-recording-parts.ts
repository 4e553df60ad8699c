/** What every store must keep about recordings that are being made: parts, for whoever has the call's stream alone. */
import { randomUUID } from 'node:crypto';
import { type AgentId, type CallId, newCallId, type TenantId } from '@patchcord/call-protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RecordingPart, Store } from '../../server/src/store/contract.ts';

const agent = 'ada' as AgentId;
/** Far from the times of other tests, whose relays may be in the same database. */
const start = 1_880_000_000_000;

/** @param current The store of the test that runs */
export function recordingPartContract(current: () => Store): void {
  let store: Store;
  let tenant: TenantId;
  let callId: CallId;
  beforeEach(async () => {
    store = current();
    tenant = `tenant-${randomUUID()}` as TenantId;
    callId = newCallId();
    await store.sound.claim({ tenant, agent, callId }, 'one', start);
  });

  const part = (change: Partial<RecordingPart> = {}): RecordingPart => ({
    callId,
    tenant,
    agent,
    file: randomUUID().replaceAll('-', ''),
    salt: 'salt',
    startMs: 0,
    bytes: 320_000,
    storedAt: start,
    ...change,
  });
  const mine = async (before: number) =>
    (await store.recordingParts.left(before, null, 10_000)).filter((one) => one.tenant === tenant);

  describe('parts of a recording', () => {
    it('are told again in the order of the call, and known as files', async () => {
      const [first, second] = [part(), part({ startMs: 5_000, bytes: 6_000_000_000 })];
      expect(await store.recordingParts.add(second, 'one')).toBe(true);
      expect(await store.recordingParts.add(first, 'one')).toBe(true);
      expect(await store.recordingParts.ofCalls(tenant, [callId, newCallId()])).toEqual([first, second]);
      expect(await store.recordingParts.ofCalls('another' as TenantId, [callId])).toEqual([]);
      expect(await store.recordings.known([first.file, 'other'])).toEqual(new Set([first.file]));
    });

    it('are kept and changed for whoever has the stream alone', async () => {
      const [first, second] = [part(), part({ startMs: 5_000 })];
      await store.recordingParts.add(first, 'one');
      await store.recordingParts.add(second, 'one');
      await store.sound.claim({ tenant, agent, callId }, 'two', start);
      expect(await store.recordingParts.add(part({ startMs: 10_000 }), 'one')).toBe(false);
      expect(await store.recordingParts.replace(first.file, part({ bytes: 4 }), 'one')).toBe(false);
      expect(await store.recordingParts.replace(second.file, null, 'one')).toBe(false);
      expect(await store.recordingParts.ofCalls(tenant, [callId])).toEqual([first, second]);
      const shorter = part({ bytes: 4 });
      expect(await store.recordingParts.replace(first.file, shorter, 'two')).toBe(true);
      expect(await store.recordingParts.replace(first.file, part(), 'two')).toBe(false);
      expect(await store.recordingParts.replace(second.file, null, 'two')).toBe(true);
      expect(await store.recordingParts.ofCalls(tenant, [callId])).toEqual([shorter]);
      expect(await store.recordingParts.add(part({ callId: newCallId() }), 'two')).toBe(false);
    });

    it('of a relay that lost the stream in the same moment are kept before that, or not at all', async () => {
      for (let round = 0; round < 10; round += 1) {
        const id = newCallId();
        await store.sound.claim({ tenant, agent, callId: id }, 'one', start);
        const late = part({ callId: id });
        const seenAfterClaim = async (): Promise<readonly RecordingPart[]> => {
          await store.sound.claim({ tenant, agent, callId: id }, 'two', start);
          return await store.recordingParts.ofCalls(tenant, [id]);
        };
        const [isKept, seen] = await Promise.all([store.recordingParts.add(late, 'one'), seenAfterClaim()]);
        expect(seen).toEqual(isKept ? [late] : []);
      }
    });

    it('are left by their relay when nothing was heard of the stream, or nobody has it', async () => {
      await store.recordingParts.add(part({ storedAt: 5 }), 'one');
      await store.recordingParts.add(part({ startMs: 5_000, storedAt: 9 }), 'one');
      expect(await mine(start)).toEqual([]);
      expect(await mine(start + 1)).toEqual([{ callId, tenant, storedAt: 9 }]);
      await store.sound.remove(callId, 'one');
      expect(await mine(0)).toEqual([{ callId, tenant, storedAt: 9 }]);
      expect((await store.recordingParts.left(0, callId, 10_000)).some((one) => one.callId === callId)).toBe(false);
    });

    it('go to one of those who take them away, and with their call', async () => {
      const one = part();
      await store.recordingParts.add(one, 'one');
      const taken = await Promise.all([store.recordingParts.forget(callId), store.recordingParts.forget(callId)]);
      expect(taken.flat()).toEqual([one]);
      const log = null;
      const call = { callId, tenant, agent, fromVersion: 0, log, touchedAt: 1, logWaiting: false };
      await store.calls.commit({ events: [], calls: [call], effects: [] });
      await store.recordingParts.add(part(), 'one');
      await store.keeping.forgetCalls([callId], { evenUnwritten: true });
      expect(await store.recordingParts.ofCalls(tenant, [callId])).toEqual([]);
    });
  });
}
