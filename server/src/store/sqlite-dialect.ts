/**
 * kysely over node:sqlite in one worker thread: the dialect, and the batch that sends a whole transaction as one message (four messages
 * would halve the rate). Knows no table. SQLite has one connection here, so nothing else may be asked while a kysely transaction is open: only
migrations and the commands that have a database to themselves use one.
 */
import { Worker } from 'node:worker_threads';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';

export interface SqliteStatement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  /** In a batch: no row changed or returned means that the whole batch is rolled back. */
  readonly mustChange?: boolean;
}
export type SqliteQuestion =
  | { readonly id: number; readonly kind: 'query'; readonly statement: SqliteStatement }
  | { readonly id: number; readonly kind: 'batch'; readonly statements: readonly SqliteStatement[] }
  | { readonly id: number; readonly kind: 'close' };
export interface SqliteResult {
  readonly rows: readonly unknown[];
  readonly changes: number;
}
/** `results: null`: a statement that must change something did not, and the batch was rolled back. */
export type SqliteAnswer =
  | { readonly id: number; readonly results: readonly SqliteResult[] | null }
  | { readonly id: number; readonly error: string };

interface Waiting {
  resolve(results: readonly SqliteResult[] | null): void;
  reject(error: Error): void;
}

/** A thread that died is begun again by the next question, but not more often than this. */
const restartMs = 1_000;

/**
 * The worker and the questions that wait for its answer. What is asked in one turn of the event loop travels together. A worker that dies
 * takes its unanswered questions with it and is replaced.
 */
export class SqliteThread {
  readonly #path: string;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #startedAt = 0;
  #outgoing: SqliteQuestion[] = [];
  #next = 1;
  #closed = false;
  #lastError = new Error('The SQLite thread has ended.');

  /** @param path File to open or make; the folder must exist. */
  constructor(path: string) {
    this.#path = path;
    this.#start();
  }

  async query(statement: SqliteStatement): Promise<SqliteResult> {
    const results = await this.#ask((id) => ({ id, kind: 'query', statement }));
    return results?.[0] ?? { rows: [], changes: 0 };
  }

  /** Runs all statements in one transaction; null when one that must change something did not, and nothing was kept. */
  batch(statements: readonly SqliteStatement[]): Promise<readonly SqliteResult[] | null> {
    return this.#ask((id) => ({ id, kind: 'batch', statements }));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    const worker = this.#worker;
    const asked = worker === null ? null : this.#ask((id) => ({ id, kind: 'close' }));
    this.#closed = true;
    try {
      await asked;
    } finally {
      await worker?.terminate();
    }
  }

  #start(): void {
    const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: { path: this.#path } });
    this.#worker = worker;
    this.#startedAt = Date.now();
    worker.on('message', (answers: readonly SqliteAnswer[]) => {
      for (const answer of answers) {
        const waiting = this.#waiting.get(answer.id);
        this.#waiting.delete(answer.id);
        if (waiting === undefined) continue;
        if ('error' in answer) waiting.reject(new Error(answer.error));
        else waiting.resolve(answer.results);
      }
    });
    worker.on('error', (error) => this.#end(worker, error instanceof Error ? error : new Error(String(error))));
    worker.on('exit', () => this.#end(worker, this.#lastError));
  }

  #ask(question: (id: number) => SqliteQuestion): Promise<readonly SqliteResult[] | null> {
    if (this.#closed) return Promise.reject(new Error('The SQLite store is closed.'));
    if (this.#worker === null && Date.now() - this.#startedAt < restartMs) return Promise.reject(this.#lastError);
    if (this.#worker === null) this.#start();
    const id = this.#next;
    this.#next += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#outgoing.push(question(id));
      if (this.#outgoing.length > 1) return;
      // Not sooner: what all the requests ask that came in together shares one message, one waking of the thread and one commit.
      setImmediate(() => {
        if (this.#outgoing.length > 0) this.#worker?.postMessage(this.#outgoing);
        this.#outgoing = [];
      });
    });
  }

  #end(worker: Worker, error: Error): void {
    this.#lastError = error;
    if (this.#worker !== worker) return;
    this.#worker = null;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    this.#outgoing = [];
  }
}

class SqliteThreadConnection implements DatabaseConnection {
  readonly #thread: SqliteThread;
  constructor(thread: SqliteThread) {
    this.#thread = thread;
  }
  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes } = await this.#thread.query(query);
    return { rows: rows as R[], numAffectedRows: BigInt(changes) };
  }
  // biome-ignore lint/correctness/useYield: the interface wants a generator; nothing in the relay streams rows.
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('The SQLite store does not stream rows: read them page by page.');
  }
}

class SqliteThreadDriver implements Driver {
  readonly #thread: SqliteThread;
  readonly #connection: SqliteThreadConnection;
  constructor(thread: SqliteThread) {
    this.#thread = thread;
    this.#connection = new SqliteThreadConnection(thread);
  }
  init(): Promise<void> {
    return Promise.resolve();
  }
  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve(this.#connection);
  }
  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }
  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('rollback'));
  }
  releaseConnection(): Promise<void> {
    return Promise.resolve();
  }
  destroy(): Promise<void> {
    return this.#thread.close();
  }
}

class SqliteThreadAdapter extends SqliteAdapter {
  // It has one, but takes any number of questions at once: kysely's queue in front of it would send them one by one, each with its own commit.
  override get supportsMultipleConnections(): boolean {
    return true;
  }
  // SQLite does roll schema changes back; with this two processes that start together migrate one after the other.
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** kysely's dialect over a thread that is already running. */
export function sqliteThreadDialect(thread: SqliteThread): Dialect {
  return {
    createDriver: () => new SqliteThreadDriver(thread),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new SqliteThreadAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}
