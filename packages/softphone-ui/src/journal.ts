/**
 * The journal: every event is on this computer's disk before it is sent, and stays until the relay has stored it. Survives reload and crash;
 * what earlier pages did not get through is sent by the next one. Events the relay can never take are kept apart, with its reason.
 * Where storage is refused it works in memory and says so (`durable`). Must never drop an event silently, nor hold a secret.
 *
 * One journal belongs to one agent of one tenant, and all frames of a browser share it: numbers are dealt inside the transaction that
 * stores the event, so two frames never give the same id.
 */
import { type Direction, type Envelope, type PhoneEvent, toEnvelope } from '@patchcord/call-protocol';
import { asked, begin, openDatabase } from './database.ts';

export interface RefusedEvent {
  readonly envelope: Envelope;
  /** Why the relay can't take it, in its words. */
  readonly message: string;
}

export interface JournalCounts {
  readonly waiting: number;
  readonly refused: number;
}

/** A call that began and has not ended yet, as far as the journal knows. */
export interface OpenCall {
  readonly id: string;
  readonly direction: Direction;
  readonly answered: boolean;
  /** Epoch ms; a page that held the call was alive then. */
  readonly seenAt: number;
}

export interface Journal {
  /** False when events live in memory only and are lost with the page. */
  readonly durable: boolean;
  /**
   * Resolves when the event is on disk. Appends keep their order.
   * @param again the beginning or the answer of a call that goes on: appended only where an earlier page went before that was on disk
   */
  append(event: PhoneEvent, again?: boolean): Promise<Envelope>;
  /** The oldest events that wait for an acknowledgement. */
  waiting(limit: number): Promise<readonly Envelope[]>;
  acknowledge(ids: readonly string[]): Promise<void>;
  refuse(id: string, message: string): Promise<void>;
  refused(): Promise<readonly RefusedEvent[]>;
  /** The agent has read about a refused event: it goes. */
  forget(id: string): Promise<void>;
  counts(): Promise<JournalCounts>;
  /** The calls without an end after everything that was appended so far, whichever page appended it. */
  openCalls(): Promise<readonly OpenCall[]>;
  /** The page that holds the open calls is alive. */
  sawOpenCalls(): Promise<void>;
  /** Another device goes on with the open calls, and tells their end. */
  dropOpenCalls(): Promise<void>;
  /** Told after every change made through this object. */
  onChanged(listener: () => void): () => void;
  close(): void;
}

export interface JournalOptions {
  /** Names the agent's own database. */
  readonly name: string;
  /** CloudEvents `source` of everything this device says. */
  readonly source: string;
  readonly now: () => number;
}

interface StoredEvent {
  readonly envelope: Envelope;
  readonly state: 'waiting' | 'refused';
  readonly message: string;
}

/** How many events a call has had: `n` of the ids `<callId>:<n>`. */
interface Numbered {
  readonly n: number;
  readonly at: number;
  /** Its beginning was told, here or by another device. Absent in what an earlier version wrote: it was. */
  readonly began?: boolean;
}

const numbersKeptMs = 14 * 24 * 3_600_000;

/** Opens the agent's journal. Whatever storage refuses, now or later, is kept in memory instead, and `durable` turns false. */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const memory = createMemoryJournal(options.source);
  let stored: Journal;
  try {
    stored = await openStoredJournal(options);
  } catch {
    return memory;
  }
  let durable = true;

  /** The disk is full, or another page took the database away: what is asked of it then counts as empty, nothing is thrown away. */
  async function orElse<T>(asked: Promise<T>, fallback: T): Promise<T> {
    try {
      return await asked;
    } catch {
      durable = false;
      return fallback;
    }
  }

  return {
    get durable() {
      return durable;
    },
    async append(event, again) {
      const envelope = await orElse<Envelope | null>(stored.append(event, again), null);
      return envelope ?? (await memory.append(event));
    },
    async waiting(limit) {
      const events = await orElse(stored.waiting(limit), []);
      return [...events, ...(await memory.waiting(limit - events.length))];
    },
    async acknowledge(ids) {
      await orElse(stored.acknowledge(ids), undefined);
      await memory.acknowledge(ids);
    },
    async refuse(id, message) {
      await orElse(stored.refuse(id, message), undefined);
      await memory.refuse(id, message);
    },
    async forget(id) {
      await orElse(stored.forget(id), undefined);
      await memory.forget(id);
    },
    refused: async () => [...(await orElse(stored.refused(), [])), ...(await memory.refused())],
    openCalls: async () => [...(await orElse(stored.openCalls(), [])), ...(await memory.openCalls())],
    sawOpenCalls: () => orElse(stored.sawOpenCalls(), undefined),
    dropOpenCalls: () => orElse(stored.dropOpenCalls(), undefined),
    async counts() {
      const disk = await orElse(stored.counts(), { waiting: 0, refused: 0 });
      const ram = await memory.counts();
      return { waiting: disk.waiting + ram.waiting, refused: disk.refused + ram.refused };
    },
    onChanged(listener) {
      const stop = [stored.onChanged(listener), memory.onChanged(listener)];
      return () => {
        for (const end of stop) end();
      };
    },
    close() {
      stored.close();
      memory.close();
    },
  };
}

async function openStoredJournal(options: JournalOptions): Promise<Journal> {
  const listeners = new Set<() => void>();
  const db = await openJournalDatabase(options.name);
  await forgetOldNumbers(db, options.now() - numbersKeptMs);
  /** Appends run one after the other: the order of events is the order of calls. */
  let last: Promise<unknown> = Promise.resolve();

  function changed(): void {
    for (const listener of listeners) listener();
  }

  /** After everything that was asked for before. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  }

  /** Asks as little as it can, and says when that was all: what was committed is stored, also if the page goes in the next moment. */
  async function store(event: PhoneEvent, again?: boolean): Promise<Envelope> {
    const work = begin(db, ['events', 'numbers', 'open'], 'readwrite', { durability: 'strict' });
    const { call } = event;
    let id = `device:${crypto.randomUUID()}`;
    if (call !== undefined) {
      const [numbers, open] = [work.store('numbers'), work.store('open')];
      const [known, before] = await Promise.all([
        asked<Numbered | undefined>(numbers.get(call)),
        asked<OpenCall | undefined>(open.get(call)),
      ]);
      const n = (known?.n ?? 0) + 1;
      id = `${call}:${n}`;
      const starts = event.name === 'call.started';
      // A call is dialled, or taken up from another device, before it begins here: numbers alone say nothing of that.
      const began = known !== undefined && known.began !== false;
      if (again && (starts ? began : before === undefined || before.answered))
        return toEnvelope(event, id, options.source);
      const begins = starts || event.name === 'call.taken-over';
      numbers.put({ n, at: options.now(), began: began || begins } satisfies Numbered, call);
      const after = followCall(before, event, options.now());
      if (after === undefined) open.delete(call);
      else open.put(after, call);
    }
    const envelope = toEnvelope(event, id, options.source);
    work.store('events').add({ envelope, state: 'waiting', message: '' } satisfies StoredEvent);
    work.commit();
    await work.done;
    return envelope;
  }

  async function change(ids: readonly string[], next: (event: StoredEvent) => StoredEvent | null): Promise<void> {
    const work = begin(db, 'events', 'readwrite', { durability: 'strict' });
    const events = work.store('events');
    for (const id of ids) {
      const key = await asked(events.index('id').getKey(id));
      if (key === undefined) continue;
      const value = next(await asked<StoredEvent>(events.get(key)));
      await (value === null ? asked(events.delete(key)) : asked(events.put(value, key)));
    }
    await work.done;
    changed();
  }

  async function inState(state: StoredEvent['state'], limit?: number): Promise<readonly StoredEvent[]> {
    return await asked<StoredEvent[]>(begin(db, 'events').store('events').index('state').getAll(state, limit));
  }

  return {
    durable: true,
    async append(event, again) {
      const envelope = await inTurn(() => store(event, again));
      changed();
      return envelope;
    },
    async waiting(limit) {
      // Keys grow with time and the index keeps equal states in key order: oldest first.
      const events = await inState('waiting', limit);
      return events.map((event) => event.envelope);
    },
    acknowledge: (ids) => change(ids, () => null),
    refuse: (id, message) => change([id], (event) => ({ ...event, state: 'refused', message })),
    forget: (id) => change([id], (event) => (event.state === 'refused' ? null : event)),
    async refused() {
      const events = await inState('refused');
      return events.map(({ envelope, message }) => ({ envelope, message }));
    },
    openCalls: () => inTurn(() => asked<OpenCall[]>(begin(db, 'open').store('open').getAll())),
    sawOpenCalls: () =>
      inTurn(async () => {
        const work = begin(db, 'open', 'readwrite');
        const open = work.store('open');
        for (const call of await asked<OpenCall[]>(open.getAll()))
          open.put({ ...call, seenAt: options.now() }, call.id);
        await work.done;
      }),
    dropOpenCalls: () =>
      inTurn(async () => {
        const work = begin(db, 'open', 'readwrite');
        work.store('open').clear();
        await work.done;
      }),
    async counts() {
      const states = begin(db, 'events').store('events').index('state');
      const [waiting = 0, refused = 0] = await Promise.all(
        ['waiting', 'refused'].map((state) => asked(states.count(state))),
      );
      return { waiting, refused };
    },
    onChanged(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      listeners.clear();
      db.close();
    },
  };
}

/** Where another frame brings a newer panel, it upgrades the database, and this page works in memory from then on. */
async function openJournalDatabase(name: string): Promise<IDBDatabase> {
  return await openDatabase(name, 2, (db, from) => {
    db.createObjectStore('open');
    if (from === 1) return;
    const events = db.createObjectStore('events', { autoIncrement: true });
    events.createIndex('id', 'envelope.id', { unique: true });
    events.createIndex('state', 'state');
    db.createObjectStore('numbers').createIndex('at', 'at');
  });
}

async function forgetOldNumbers(db: IDBDatabase, before: number): Promise<void> {
  const work = begin(db, ['numbers', 'open'], 'readwrite');
  const old = await asked(work.store('numbers').index('at').getAllKeys(IDBKeyRange.upperBound(before)));
  // An end without its number would take the id of another event; the relay has ended such a call itself by now.
  for (const key of old) for (const store of ['open', 'numbers']) work.store(store).delete(key);
  await work.done;
}

/** What is known of an open call after one more of its events; undefined when it is not open. */
function followCall(call: OpenCall | undefined, event: PhoneEvent, now: number): OpenCall | undefined {
  if (event.name === 'call.started' && event.call !== undefined)
    return { id: event.call, direction: event.data.direction, answered: false, seenAt: now };
  if (event.name === 'call.taken-over' && event.call !== undefined)
    return { id: event.call, ...event.data, seenAt: now };
  if (event.name === 'call.ended' || call === undefined) return undefined;
  return { ...call, answered: call.answered || event.name === 'call.answered', seenAt: now };
}

/** Holds events in memory only. Its ids carry a mark of their own: after a reload the same call would be numbered from 1 again. */
export function createMemoryJournal(source: string): Journal {
  const listeners = new Set<() => void>();
  const mark = crypto.randomUUID().slice(0, 8);
  const numbers = new Map<string, number>();
  let events: readonly StoredEvent[] = [];

  function set(next: readonly StoredEvent[]): void {
    events = next;
    for (const listener of listeners) listener();
  }

  return {
    durable: false,
    append(event) {
      const subject = event.call ?? 'device';
      const n = (numbers.get(subject) ?? 0) + 1;
      numbers.set(subject, n);
      const envelope = toEnvelope(event, `${subject}:${mark}-${n}`, source);
      set([...events, { envelope, state: 'waiting', message: '' }]);
      return Promise.resolve(envelope);
    },
    waiting: (limit) =>
      Promise.resolve(
        events
          .filter((event) => event.state === 'waiting')
          .slice(0, Math.max(0, limit))
          .map((event) => event.envelope),
      ),
    acknowledge(ids) {
      set(events.filter((event) => !ids.includes(event.envelope.id)));
      return Promise.resolve();
    },
    refuse(id, message) {
      set(events.map((event) => (event.envelope.id === id ? { ...event, state: 'refused', message } : event)));
      return Promise.resolve();
    },
    refused: () => Promise.resolve(events.filter((event) => event.state === 'refused')),
    forget(id) {
      set(events.filter((event) => event.envelope.id !== id || event.state === 'waiting'));
      return Promise.resolve();
    },
    // A page that begins has nothing in memory: no call of an earlier page can be open here.
    openCalls: () => Promise.resolve([]),
    sawOpenCalls: () => Promise.resolve(),
    dropOpenCalls: () => Promise.resolve(),
    counts: () => {
      const refused = events.filter((event) => event.state === 'refused').length;
      return Promise.resolve({ waiting: events.length - refused, refused });
    },
    onChanged(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => listeners.clear(),
  };
}
