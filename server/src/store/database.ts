/**
 * Opens a database and hides what differs between SQLite and PostgreSQL: how a batch runs, row locks, how an error is told.
 * Knows no table.
 */
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PatchcordError } from '@patchcord/call-protocol';
import { type Compilable, type CompiledQuery, Kysely, PostgresDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import pg from 'pg';
import { migrations } from './migrations.ts';
import { SqliteThread, sqliteThreadDialect } from './sqlite-dialect.ts';
import type { Tables } from './tables.ts';

/** One statement of a batch. With `mustChange`, the batch is rolled back when it changes (or returns) no row. */
export interface BatchStatement {
  readonly query: Compilable<unknown>;
  readonly mustChange?: boolean;
}

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

/** Opens `<folder>/patchcord.sqlite`, making a private folder where none is. */
export async function openSqlite(folder: string): Promise<Database> {
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
  const database: Database = {
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
  return migrated(database);
}

/** Opens a PostgreSQL database (15 or newer) by its connection URL. */
export async function openPostgres(url: string): Promise<Database> {
  const int8 = 20;
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 5_000,
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
  const database: Database = {
    db,
    locksRows: true,
    batch: async (statements) => {
      const client = await pool.connect();
      try {
        await client.query('begin');
        const results: (readonly unknown[])[] = [];
        for (const { query, mustChange } of statements) {
          const { sql, parameters }: CompiledQuery<unknown> = query.compile();
          const result = await client.query({ text: sql, values: [...parameters] });
          if (mustChange && (result.rowCount ?? 0) === 0) {
            await client.query('rollback');
            client.release();
            return null;
          }
          results.push(result.rows as unknown[]);
        }
        await client.query('commit');
        client.release();
        return results;
      } catch (error) {
        // Whatever state the connection is in, nobody else gets it.
        client.release(true);
        throw error;
      }
    },
    close: () => db.destroy(),
  };
  return migrated(database);
}

async function migrated(database: Database): Promise<Database> {
  const migrator = new Migrator({ db: database.db, provider: migrations });
  const { error, results } = await migrator.migrateToLatest();
  if (error === undefined) return database;
  await database.close().catch(() => {});
  const failed = results?.find((result) => result.status === 'Error')?.migrationName;
  throw new PatchcordError(
    'store.unavailable',
    failed === undefined
      ? 'The store could not be opened. Check that the folder or the database exists, can be written and is not of a newer Patchcord.'
      : `The store could not be brought to this version: migration "${failed}" failed and was rolled back.`,
    { cause: error },
  );
}
