import 'fake-indexeddb/auto';
import type { PhoneEvent } from '@patchcord/call-protocol';
import { newCallId } from '@patchcord/call-protocol';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Journal, openJournal } from '../../../packages/softphone-ui/src/journal.ts';

const source = '/tenants/t/agents/a/devices/d';
let names = 0;

function open(name: string): Promise<Journal> {
  return openJournal({ name, source, now: () => 1_700_000_000_000 });
}

function freshName(): string {
  names += 1;
  return `journal-test-${names}`;
}

function answered(call: string): PhoneEvent {
  return { name: 'call.answered', at: 1_700_000_000_000, call, data: {} };
}

function started(call: string, direction: 'inbound' | 'outbound'): PhoneEvent {
  return { name: 'call.started', at: 1, call, data: { direction, farSide: { number: '204' } } };
}

function ended(call: string): PhoneEvent {
  return { name: 'call.ended', at: 2, call, data: { outcome: 'answered', reason: 'Done.', by: 'agent' } };
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('the journal', () => {
  it('numbers the events of a call from 1 and keeps their order', async () => {
    const journal = await open(freshName());
    const [one, two] = [newCallId(), newCallId()];
    const envelopes = await Promise.all(
      [answered(one), answered(two), answered(one)].map((event) => journal.append(event)),
    );
    expect(envelopes.map(({ id }) => id)).toEqual([`${one}:1`, `${two}:1`, `${one}:2`]);
    expect(envelopes[0]).toMatchObject({ source, subject: one, type: 'dev.patchcord.call.answered.v1' });
    expect((await journal.waiting(10)).map(({ id }) => id)).toEqual([`${one}:1`, `${two}:1`, `${one}:2`]);
    expect(journal.durable).toBe(true);
  });

  it('leaves the end of its open calls to the device that goes on with them', async () => {
    const journal = await open(freshName());
    const call = newCallId();
    void journal.append(started(call, 'inbound'));
    await journal.dropOpenCalls();
    expect(await journal.openCalls()).toEqual([]);
    await journal.append(answered(call));
    expect(await journal.openCalls()).toEqual([]);
    expect(await journal.waiting(10)).toHaveLength(2);
  });

  it('knows across pages which calls have begun and not ended, and whether they were answered', async () => {
    const name = freshName();
    const [open1, open2, over] = [newCallId(), newCallId(), newCallId()];
    const crashed = await open(name);
    for (const call of [open1, open2, over])
      await crashed.append(started(call, call === open2 ? 'outbound' : 'inbound'));
    await crashed.append(answered(open1));
    await crashed.append(ended(over));
    // A note after the end does not open the call again.
    await crashed.append({ name: 'wrap-up.submitted', at: 1, call: over, data: {} });
    const next = await open(name);
    const known = await next.openCalls();
    expect(known).toHaveLength(2);
    expect(known).toEqual(
      expect.arrayContaining([
        { id: open1, direction: 'inbound', answered: true, seenAt: 1_700_000_000_000 },
        { id: open2, direction: 'outbound', answered: false, seenAt: 1_700_000_000_000 },
      ]),
    );
    const appending = next.append(ended(open1));
    expect((await next.openCalls()).map(({ id }) => id)).toEqual([open2]);
    await appending;
  });

  it('is told again how a call that goes on began, where an earlier page went before that was on disk', async () => {
    const name = freshName();
    const [lost, half, whole, elsewhere, over] = [newCallId(), newCallId(), newCallId(), newCallId(), newCallId()];
    const dialled = newCallId();
    const crashed = await open(name);
    await crashed.append({ name: 'dial.requested', at: 1, call: dialled, data: { number: '+14155550101' } });
    for (const call of [half, whole, over]) await crashed.append(started(call, 'inbound'));
    await crashed.append(answered(whole));
    await crashed.append(ended(over));
    const had = { direction: 'inbound', answered: true } as const;
    await crashed.append({ name: 'call.taken-over', at: 1, call: elsewhere, data: had });
    const before = (await crashed.waiting(20)).length;
    const next = await open(name);
    for (const call of [lost, dialled, half, whole, elsewhere, over])
      for (const event of [started(call, 'inbound'), answered(call)]) await next.append(event, true);
    expect((await next.waiting(20)).slice(before).map(({ id }) => id)).toEqual([
      ...[`${lost}:1`, `${lost}:2`],
      ...[`${dialled}:2`, `${dialled}:3`],
      `${half}:2`,
    ]);
    const known = await next.openCalls();
    expect(known.map(({ id, answered }) => [id, answered])).toEqual(
      expect.arrayContaining([lost, dialled, half, whole, elsewhere].map((id) => [id, true])),
    );
    expect(known).toHaveLength(5);
  });

  it('has an event on disk before append resolves: a page that crashes right after loses nothing', async () => {
    const name = freshName();
    const call = newCallId();
    const crashed = await open(name);
    await crashed.append(answered(call));
    // No close: the page is gone.
    const next = await open(name);
    expect((await next.waiting(10)).map(({ id }) => id)).toEqual([`${call}:1`]);
  });

  it('goes on numbering where an earlier page stopped, also after everything was acknowledged', async () => {
    const name = freshName();
    const call = newCallId();
    const first = await open(name);
    const { id } = await first.append(answered(call));
    await first.acknowledge([id]);
    first.close();
    const second = await open(name);
    expect((await second.append(answered(call))).id).toBe(`${call}:2`);
  });

  it('deals each number once when two frames write at the same time', async () => {
    const name = freshName();
    const call = newCallId();
    const [a, b] = await Promise.all([open(name), open(name)]);
    const ids = await Promise.all([a, b, a, b, a, b].map(async (journal) => (await journal.append(answered(call))).id));
    expect(new Set(ids).size).toBe(6);
    expect((await a.waiting(10)).length).toBe(6);
  });

  it('asks the browser for strict durability', async () => {
    const transaction = vi.spyOn(IDBDatabase.prototype, 'transaction');
    const journal = await open(freshName());
    await journal.append(answered(newCallId()));
    expect(transaction).toHaveBeenCalledWith(['events', 'numbers', 'open'], 'readwrite', { durability: 'strict' });
    transaction.mockRestore();
  });

  it('keeps refused events apart, with the reason, until they are forgotten', async () => {
    const journal = await open(freshName());
    const call = newCallId();
    await journal.append(answered(call));
    await journal.append(answered(call));
    await journal.refuse(`${call}:1`, 'The note is too long.');
    expect(await journal.counts()).toEqual({ waiting: 1, refused: 1 });
    expect(await journal.refused()).toMatchObject([
      { envelope: { id: `${call}:1` }, message: 'The note is too long.' },
    ]);
    await journal.forget(`${call}:2`);
    await journal.forget(`${call}:1`);
    expect(await journal.counts()).toEqual({ waiting: 1, refused: 0 });
  });

  it('tells of every change, and takes an acknowledgement of something unknown calmly', async () => {
    const journal = await open(freshName());
    const told = vi.fn();
    const stop = journal.onChanged(told);
    const { id } = await journal.append(answered(newCallId()));
    await journal.acknowledge([id, 'unknown:9']);
    expect(told.mock.calls.length).toBeGreaterThanOrEqual(2);
    stop();
    const before = told.mock.calls.length;
    await journal.append(answered(newCallId()));
    expect(told.mock.calls.length).toBe(before);
  });

  it('gives events without a call an id of their own', async () => {
    const journal = await open(freshName());
    const ready: PhoneEvent = { name: 'line.ready', at: 1_700_000_000_000, data: {} };
    const [one, two] = [await journal.append(ready), await journal.append(ready)];
    expect(one.id).not.toBe(two.id);
    expect(one.subject).toBeUndefined();
  });
});

describe('without storage', () => {
  it('works in memory and says so, with ids that a reload can’t repeat', async () => {
    vi.stubGlobal('indexedDB', {
      open() {
        throw new DOMException('Storage is switched off.', 'SecurityError');
      },
    });
    const call = newCallId();
    const ids: string[] = [];
    for (let page = 0; page < 2; page += 1) {
      const journal = await open(freshName());
      expect(journal.durable).toBe(false);
      const { id } = await journal.append(answered(call));
      ids.push(id);
      expect(await journal.counts()).toEqual({ waiting: 1, refused: 0 });
      await journal.refuse(id, 'no');
      expect(await journal.refused()).toHaveLength(1);
      await journal.forget(id);
      expect(await journal.counts()).toEqual({ waiting: 0, refused: 0 });
    }
    expect(new Set(ids).size).toBe(2);
  });

  it('keeps in memory what the disk takes no more, beside what it holds', async () => {
    const journal = await open(freshName());
    const call = newCallId();
    await journal.append(answered(call));
    const full = vi.spyOn(IDBObjectStore.prototype, 'add').mockImplementation(() => {
      throw new DOMException('The disk is full.', 'QuotaExceededError');
    });
    const kept = await journal.append(answered(call));
    full.mockRestore();
    expect(journal.durable).toBe(false);
    const waiting = await journal.waiting(10);
    expect(waiting.map(({ id }) => id)).toEqual([`${call}:1`, kept.id]);
    await journal.acknowledge(waiting.map(({ id }) => id));
    expect(await journal.counts()).toEqual({ waiting: 0, refused: 0 });
  });
});
