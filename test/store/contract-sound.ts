/** What every store must keep about the sound of calls: how far it was heard, and by whom. */
import { type AgentId, type CallId, newCallId, type TenantId } from '@patchcord/call-protocol';
import { beforeEach, expect, it } from 'vitest';
import type { SoundPosition, Store } from '../../server/src/store/contract.ts';

const tenant = 'acme' as TenantId;
const agent = 'ada' as AgentId;
/** Far from the times of other tests, whose relays may be in the same database. */
const start = 1_890_000_000_000;

const position = (next: number): SoundPosition => ({
  next,
  ms: next * 100,
  agent: { line: next, ms: next * 100 },
  farSide: { line: 0, ms: next * 100 + 50 },
});

/** @param current The store of the test that runs */
export function soundContract(current: () => Store): void {
  let store: Store;
  let callId: CallId;
  beforeEach(() => {
    store = current();
    callId = newCallId();
  });

  it('goes on where it was, whoever has the stream now', async () => {
    expect(await store.sound.claim({ tenant, agent, callId }, 'one', start)).toBeNull();
    expect(await store.sound.put([{ callId, holder: 'one', position: position(7) }], start)).toEqual([]);
    expect(await store.sound.claim({ tenant, agent, callId }, 'two', start)).toEqual(position(7));
  });

  it('writes for whoever has the stream alone, and says which are lost', async () => {
    const other = newCallId();
    await store.sound.claim({ tenant, agent, callId }, 'one', start);
    await store.sound.claim({ tenant, agent, callId: other }, 'one', start);
    await store.sound.claim({ tenant, agent, callId }, 'two', start);
    const both = [callId, other].map((id) => ({ callId: id, holder: 'one', position: position(3) }));
    expect(
      await store.sound.put([...both, { ...(both[0] as (typeof both)[0]), callId: newCallId() }], start),
    ).toHaveLength(2);
    expect(await store.sound.claim({ tenant, agent, callId }, 'three', start)).toBeNull();
    expect(await store.sound.claim({ tenant, agent, callId: other }, 'three', start)).toEqual(position(3));
    expect(await store.sound.put([], start)).toEqual([]);
  });

  it('gives no agent the call of another, nor of another customer', async () => {
    await store.sound.claim({ tenant, agent, callId }, 'one', start);
    expect(await store.sound.claim({ tenant, agent: 'bob' as AgentId, callId }, 'two', start)).toBe('other');
    expect(await store.sound.claim({ tenant: 'umbra' as TenantId, agent, callId }, 'two', start)).toBe('other');
    expect(await store.sound.put([{ callId, holder: 'one', position: position(1) }], start)).toEqual([]);
  });

  it('forgets what is over, and what nobody spoke of since', async () => {
    const old = newCallId();
    for (const id of [callId, old]) await store.sound.claim({ tenant, agent, callId: id }, 'one', start - 1_000);
    await store.sound.put([{ callId, holder: 'one', position: position(5) }], start);
    await store.sound.put([{ callId: old, holder: 'one', position: position(5) }], start - 1_000);
    await store.sound.forget(start - 500);
    expect(await store.sound.claim({ tenant, agent, callId: old }, 'two', start)).toBeNull();
    await store.sound.remove(callId, 'somebody else');
    expect(await store.sound.claim({ tenant, agent, callId }, 'one', start)).toEqual(position(5));
    await store.sound.remove(callId, 'one');
    expect(await store.sound.claim({ tenant, agent, callId }, 'one', start)).toBeNull();
  });
}
