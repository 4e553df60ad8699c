/**
 * Opens a database and hides what differs between SQLite and PostgreSQL: how a batch runs, row locks, how an error is told.
 * Knows no table.
 */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PatchcordError } from '@patchcord/call-protocol';
import { type Compilable, type CompiledQuery, Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { migrate } from './migrate.ts';
import { SqliteThread, sqliteThreadDialect } from './sqlite-dialect.ts';
import type { Tables } from './tables.ts';

/** One statement of a batch. With `mustChange`, the batch is rolled back when it changes (or returns) no row. */
export interface BatchStatement {
  readonly query: Compilable<unknown>;
  readonly mustChange?: boolean;
}

/** How long one side may be silent before the other gives its connection up, ms. */
export interface Patience {
  /** For an answer: a database that has gone without a word is not waited for until TCP notices, which takes a quarter of an hour. */
  readonly answerMs: number;
  /** For our next word in a transaction: a relay that was stopped within one must not keep its locks from the others. */
  readonly transactionMs: number;
}

/** A relay's. Not for what reads or changes whole tables: migrations, backups, erasures. */
export const relayPatience: Patience = { answerMs: 15_000, transactionMs: 10_000 };

export interface Database {
  readonly db: Kysely<Tables>;
  /** Whether rows can be locked with `for update skip locked`; SQLite has one writer and needs no row locks. */
  readonly locksRows: boolean;
  /** All statements in one transaction, in order. Null when one that must change something did not: nothing was kept. */
  batch(statements: readonly BatchStatement[]): Promise<readonly (readonly unknown[])[] | null>;
  close(): Promise<void>;
}

/**
 * Runs something that talks to the database.
 * @throws PatchcordError `store.unavailable` for whatever the driver throws; the driver's text goes to `cause`, since it may hold values.
 */
export async function asking<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new PatchcordError(
      'store.unavailable',
      'The store did not take or give the data. Nothing was changed; try again, and look at the relay log if it persists.',
      { retryable: true, cause },
    );
  }
}

/** Opens `<folder>/patchcord.sqlite` and brings its tables to this version. */
export async function openSqlite(folder: string): Promise<Database> {
  return migrated(await connectSqlite(folder));
}

/**
 * Opens a PostgreSQL database (15 or newer) by its connection URL and brings its tables to this version, which may take as long as it takes.
 * @param patience For everything after that; none when absent
 */
export async function openPostgres(url: string, patience?: Patience): Promise<Database> {
  const database = await migrated(connectPostgres(url));
  if (patience === undefined) return database;
  await database.close();
  return connectPostgres(url, patience);
}

/** `<folder>/patchcord.sqlite` as it is, making a private folder where none is. */
export async function connectSqlite(folder: string): Promise<Database> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
  } catch (cause) {
    throw new PatchcordError(
      'store.unavailable',
      `The data folder ${folder} cannot be made or is not ours. Set DATA_DIR to a folder that the relay may write.`,
      { cause },
    );
  }
  const thread = new SqliteThread(join(folder, 'patchcord.sqlite'));
  const db = new Kysely<Tables>({ dialect: sqliteThreadDialect(thread) });
  return {
    db,
    locksRows: false,
    batch: async (statements) => {
      const results = await thread.batch(
        statements.map(({ query, mustChange }) => {
          const { sql, parameters } = query.compile();
          return { sql, parameters, ...(mustChange === undefined ? {} : { mustChange }) };
        }),
      );
      return results === null ? null : results.map((result) => result.rows);
    },
    // Both: kysely closes its driver only once it has been used.
    close: async () => {
      await db.destroy();
      await thread.close();
    },
  };
}

/** A PostgreSQL database as it is; connects with the first question. Without `patience` it waits for every answer. */
export function connectPostgres(url: string, patience?: Patience): Database {
  const int8 = 20;
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    // A batch is sent as a whole; see `batchOn`.
    pipeline: true,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    ...(patience === undefined
      ? {}
      : {
          query_timeout: patience.answerMs,
          // Said once connected, not while connecting: poolers in between refuse what they don't know there.
          onConnect: async (client: pg.ClientBase) => {
            await client.query(`set idle_in_transaction_session_timeout = ${patience.transactionMs}`);
          },
        }),
    // int8 arrives as text; our largest numbers are epoch ms
    types: {
      getTypeParser: (id: number, format?: 'text' | 'binary') =>
        id === int8
          ? Number
          : format === undefined
            ? pg.types.getTypeParser(id)
            : pg.types.getTypeParser(id, format as 'text'),
    },
  });
  // A connection that breaks is replaced by the pool, and whoever used it hears of it by their query. Without listeners it would end the
  // process: the pool's own covers idle connections only, so each gets one for the time it is lent out.
  pool.on('error', () => {});
  pool.on('connect', (client) => {
    client.on('error', () => {});
  });
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return {
    db,
    locksRows: true,
    batch: async (statements) => {
      for (let attempt = 1; ; attempt += 1) {
        const client = await pool.connect();
        try {
          const results = await batchOn(client, statements);
          client.release();
          return results;
        } catch (error) {
          // Whatever state the connection is in, nobody else gets it.
          client.release(true);
          if (attempt >= batchAttempts || !lostToAnother(error)) throw error;
        }
      }
    },
    close: () => db.destroy(),
  };
}

const batchAttempts = 3;

/** PostgreSQL rolled back one of two transactions that stood in each other's way, and it was ours: nothing is wrong with it. */
function lostToAnother(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === '40P01' || code === '40001';
}

/**
 * A transaction in two round trips: everything up to the decision is on its way before the first answer is back. One statement is a
 * transaction by itself.
 */
async function batchOn(
  client: pg.PoolClient,
  statements: readonly BatchStatement[],
): Promise<readonly (readonly unknown[])[] | null> {
  const alone = statements.length === 1;
  const send = ({ query }: BatchStatement) => {
    const { sql, parameters }: CompiledQuery<unknown> = query.compile();
    const name = nameOf(sql);
    return client.query({ ...(name === undefined ? {} : { name }), text: sql, values: [...parameters] });
  };
  const begun = alone ? undefined : client.query('begin');
  const sent = statements.map(send);
  const [begin, ...outcomes] = await Promise.allSettled([begun, ...sent]);
  // The first failure is the cause of those behind it.
  const results = [begin, ...outcomes].map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
  const kept = statements.every(({ mustChange }, index) => !mustChange || (results[index + 1]?.rowCount ?? 0) > 0);
  if (!alone) await client.query(kept ? 'commit' : 'rollback');
  return kept ? results.slice(1).map((result) => (result?.rows ?? []) as unknown[]) : null;
}

const names = new Map<string, string>();
const namesLimit = 100;

/**
 * A name makes PostgreSQL plan a statement once per connection. Not for one that returns rows: it would break when a newer relay adds a
 * column. Texts of every length pass through; the first hundred are the ones every call uses.
 */
function nameOf(sql: string): string | undefined {
  const known = names.get(sql);
  if (known !== undefined || names.size >= namesLimit || !/^(?:insert|update|delete)\b(?!.*\breturning\b)/is.test(sql))
    return known;
  const name = `patchcord_${names.size}`;
  names.set(sql, name);
  return name;
}

/** Brings the tables to this version; closes the database when that cannot be. */
async function migrated(database: Database): Promise<Database> {
  try {
    await migrate(database.db);
    return database;
  } catch (error) {
    await database.close().catch(() => {});
    throw error;
  }
}
