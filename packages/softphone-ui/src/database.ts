/** IndexedDB in promises, as little of it as the panel needs. Owns no database. Must never leave a rejection that nobody hears. */

/** A transaction. */
export interface Work {
  store(name: string): IDBObjectStore;
  /** Stores what was asked for now, without waiting for more. */
  commit(): void;
  /** Resolves when all of it is stored; rejects when none of it is. */
  readonly done: Promise<void>;
}

/**
 * Opens a database. One that a newer panel wants to upgrade is closed. @param upgrade makes its stores; gets the version there was, 0 for none
 * @throws where storage is refused
 */
export async function openDatabase(
  name: string,
  version: number,
  upgrade: (db: IDBDatabase, from: number) => void,
): Promise<IDBDatabase> {
  const opening = indexedDB.open(name, version);
  opening.onupgradeneeded = ({ oldVersion }) => upgrade(opening.result, oldVersion);
  const db = await asked(opening);
  db.onversionchange = () => db.close();
  return db;
}

/** What a request brings. */
export function asked<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Begins a transaction. @throws when the database is closed */
export function begin(
  db: IDBDatabase,
  stores: string | string[],
  mode: 'readonly' | 'readwrite' = 'readonly',
  options?: IDBTransactionOptions,
): Work {
  const work = db.transaction(stores, mode, options);
  const done = new Promise<void>((resolve, reject) => {
    work.oncomplete = () => resolve();
    work.onabort = () => reject(work.error);
  });
  // Whoever waits hears it; who has failed before does not wait any more.
  done.catch(() => undefined);
  return { store: (name) => work.objectStore(name), commit: () => work.commit(), done };
}
