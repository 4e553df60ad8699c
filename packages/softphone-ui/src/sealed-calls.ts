/**
 * The owner's calls with their dialogs, sealed (AES-GCM) in this partition's IndexedDB while they last, so that a crash a moment later finds them:
 * whoever knows a dialog can take its call. Owns the entry of one agent, its key, and that those of others go. The key can't be exported, not even
 * by us. Must never write a word of a call in the clear, nor anything of one to `localStorage`. Where storage is refused nothing is kept.
 */
import { asked, begin, openDatabase } from './database.ts';
import { isYoung, type Kept, nothingKept, readKept, textOfKept } from './kept-calls.ts';

export interface SealedCalls {
  /** False where storage is refused, and what is written is lost with the page. */
  lasts(): boolean;
  /** What the owner before left; empty when that is long ago. */
  read(): Promise<Kept>;
  /** Is under way when the caller's task ends; of several the last one stays. Resolves when it is stored, or never will be. */
  write(kept: Pick<Kept, 'calls' | 'dialogs'>): Promise<void>;
  /** The owner is alive, or says with its last word that its page goes. Sent off before this returns. */
  seen(leaves: boolean): void;
  /** Whoever wrote it, nothing stays: the agent leaves. */
  clear(): Promise<void>;
}

export interface SealedCallsOptions {
  /** Whose calls: one name per tenant and agent. Whoever had this phone before is gone, and so are their calls. */
  readonly name: string;
  readonly now: () => number;
  /** One per lab in tests. */
  readonly database?: string;
}

/** In the clear: who sweeps needs no key. Epoch ms. */
interface Seen {
  readonly at: number;
  readonly leaves?: boolean;
}

interface Sealed extends Seen {
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly sealed: ArrayBuffer;
}

interface Opened {
  readonly db: IDBDatabase;
  readonly key: CryptoKey;
}

const usualDatabase = 'patchcord-calls';
const stores = ['keys', 'calls', 'seen'];

/** Opens at once what it will need: who takes a call up must not wait for that. */
export function createSealedCalls({ name, now, database = usualDatabase }: SealedCallsOptions): SealedCalls {
  const opening = openStore(database).catch(() => null);
  let opened: Opened | null = null;
  let wanted: Pick<Kept, 'calls' | 'dialogs'> | null = null;
  let writing = Promise.resolve();
  let written = '';
  /** Counts writes: one that is overtaken while it is sealed is dropped. */
  let last = 0;
  let stored = 0;

  async function store(): Promise<void> {
    const kept = wanted;
    wanted = null;
    if (kept === null) return;
    const empty = kept.calls.length === 0 && kept.dialogs.length === 0;
    const text = empty ? '' : textOfKept(kept);
    if (text === written) return;
    written = text;
    last += 1;
    const mine = last;
    const at = now();
    const there = opened ?? (await opening);
    if (there === null) return;
    const entry = empty ? null : await seal(there.key, name, at, text);
    if (mine < stored) return;
    stored = mine;
    await put(there.db, 'calls', name, entry);
  }

  void opening
    .then(async (there) => {
      opened = there;
      if (there !== null) await sweep(there.db, now(), name);
    })
    .catch(() => undefined);
  return {
    lasts: () => opened !== null,
    async read() {
      try {
        const there = await opening;
        if (there === null) return nothingKept;
        const work = begin(there.db, ['calls', 'seen']);
        const [entry, seen] = (await Promise.all([
          asked(work.store('calls').get(name)),
          asked(work.store('seen').get(name)),
        ])) as [Sealed | undefined, Seen | undefined];
        if (entry === undefined) return nothingKept;
        // From now on an empty list has something to take away.
        written = '?';
        const last = seen !== undefined && seen.at >= entry.at ? seen : entry;
        return readKept(await unseal(there.key, name, entry), now(), last);
      } catch {
        // Another key, a broken entry: nothing to read is nothing left.
        return nothingKept;
      }
    },
    write(kept) {
      const waits = wanted !== null;
      wanted = kept;
      if (!waits)
        writing = Promise.resolve()
          .then(store)
          .catch(() => undefined);
      return writing;
    },
    seen(leaves) {
      if (opened !== null && written !== '')
        void put(opened.db, 'seen', name, { at: now(), leaves }).catch(() => undefined);
    },
    async clear() {
      wanted = null;
      written = '';
      last += 1;
      stored = last;
      const there = await opening;
      if (there !== null) await put(there.db, 'calls', name, null).catch(() => undefined);
    },
  };
}

/** At the start of the page, whoever signs in: what nobody came back to goes. */
export async function sweepSealedCalls(now: number, database = usualDatabase): Promise<void> {
  try {
    const { db } = await openStore(database);
    await sweep(db, now, null);
    db.close();
  } catch {
    // Storage that is refused keeps nothing either.
  }
}

/** What is old goes, and beside an agent whoever is another one. Takes no lock while there is nothing to take away: a call may wait to be read. */
async function sweep(db: IDBDatabase, now: number, agent: string | null): Promise<void> {
  const marked = (mode?: 'readwrite') => ['calls', 'seen'].map((name) => begin(db, name, mode).store(name));
  const [calls = [], seen = []] = await Promise.all(marked().map((store) => asked(store.getAllKeys())));
  for (const key of new Set([...calls, ...seen])) {
    const [entry, mark]: Partial<Seen>[] = await Promise.all(marked().map((store) => asked(store.get(key))));
    const isMine = agent === null || key === agent;
    if (isMine && entry !== undefined && (isYoung(entry.at, now) || isYoung(mark?.at, now))) continue;
    await Promise.all(marked('readwrite').map((store) => asked(store.delete(key))));
  }
}

async function openStore(database: string): Promise<Opened> {
  const db = await openDatabase(database, 1, (opened) => {
    for (const store of stores) opened.createObjectStore(store);
  });
  return { db, key: (await asked(begin(db, 'keys').store('keys').get('calls'))) ?? (await makeKey(db)) };
}

/** The key that is there, or a new one: one transaction, so that two frames that open at once agree. */
async function makeKey(db: IDBDatabase): Promise<CryptoKey> {
  const fresh = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const work = begin(db, 'keys', 'readwrite');
  const known: CryptoKey | undefined = await asked(work.store('keys').get('calls'));
  if (known === undefined) await asked(work.store('keys').put(fresh, 'calls'));
  await work.done;
  return known ?? fresh;
}

/** null: takes the entry away. Sent off whole in one go: what was sent is stored, whatever becomes of the page. */
async function put(db: IDBDatabase, store: string, name: string, entry: Seen | null): Promise<void> {
  const work = begin(db, store, 'readwrite', { durability: 'relaxed' });
  if (entry === null) work.store(store).delete(name);
  else work.store(store).put(entry, name);
  work.commit();
  await work.done;
}

async function seal(key: CryptoKey, name: string, at: number, text: string): Promise<Sealed> {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  return { at, iv, sealed: await crypto.subtle.encrypt(cipher(iv, name), key, new TextEncoder().encode(text)) };
}

async function unseal(key: CryptoKey, name: string, { iv, sealed }: Sealed): Promise<string> {
  return new TextDecoder().decode(await crypto.subtle.decrypt(cipher(iv, name), key, sealed));
}

/** Bound to its agent: an entry under another name does not open. */
function cipher(iv: Uint8Array<ArrayBuffer>, name: string): AesGcmParams {
  return { name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(name) };
}
