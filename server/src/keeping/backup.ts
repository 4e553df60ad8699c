/**
 * The whole store into a file, and back out of it. A backup sees one moment while the relays go on; a restore is all or nothing. Owns what may be
 * restored where; the file's form is `backup-file.ts`. Must never start anything, nor touch a store that somebody uses.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { type Kysely, sql } from 'kysely';
import { connectPostgres, connectSqlite, type Database } from '../store/database.ts';
import { migrate, ranMigrations } from '../store/migrate.ts';
import { migrations } from '../store/migrations.ts';
import type { StoreLocation } from '../store/open.ts';
import type { Tables } from '../store/tables.ts';
import { atOneMoment, dataTables, putRows, type TableShape } from '../store/whole-tables.ts';
import { type BackupHeader, readBackup, writeBackup } from './backup-file.ts';

/** Rows here mean that somebody's work would be lost. */
const workTables = ['calls', 'events', 'outbox'];
/** A relay that was seen on the store so recently is taken to be running. */
const aliveMs = 15_000;

export type Rows = Readonly<Record<string, number>>;

/**
 * Writes everything the store holds at this moment into a new file; relays may run meanwhile. The store is not migrated: a backup before an
 * update is one of the version before.
 * @returns rows by table
 * @throws PatchcordError `request.invalid` (the file exists), `store.unavailable`
 */
export async function backUp(location: StoreLocation, path: string, now: number): Promise<Rows> {
  const database = await connect(location);
  try {
    const ran = await ranMigrations(database.db).catch((cause: unknown) => {
      throw new PatchcordError('store.unavailable', 'The store cannot be read. Check DATABASE_URL or DATA_DIR.', {
        cause,
      });
    });
    if (ran.length === 0) {
      throw new PatchcordError(
        'store.unavailable',
        'There is no Patchcord store here. Check DATABASE_URL or DATA_DIR.',
      );
    }
    const tables = await dataTables(database);
    return await atOneMoment(database, (read) =>
      writeBackup(
        path,
        { madeAt: now, database: location.kind, migrations: [...ran] },
        tables.map((table) => ({
          name: table.name,
          columns: table.columns,
          pages: (async function* () {
            for await (const page of read(table)) yield page.map((row) => table.columns.map((column) => row[column]));
          })(),
        })),
      ),
    );
  } finally {
    await database.close();
  }
}

/**
 * Fills an empty store from a backup, of either database, and brings it to this version. The file is read to its end before anything is
 * changed, and all rows come in one transaction: what fails leaves the store as it was. Nobody is signed in afterwards.
 * @param options.force Replace what the store holds
 * @param options.progress Told of each table
 * @returns rows by table, as the backup has them
 * @throws PatchcordError `request.invalid` (the file, or the store, does not fit), `store.unavailable`
 */
export async function restore(
  location: StoreLocation,
  path: string,
  options: { readonly now: number; readonly force?: boolean; readonly progress?: (text: string) => void },
): Promise<Rows> {
  const say = options.progress ?? (() => {});
  say('checking the file');
  const { header, rows } = await readBackup(path);
  const all = await migrations.getMigrations();
  const unknown = header.migrations.find((name) => !Object.hasOwn(all, name));
  if (unknown !== undefined) {
    throw new PatchcordError(
      'request.invalid',
      `The backup was made by a newer Patchcord (migration "${unknown}"). Restore it with that version or a later one.`,
    );
  }
  const database = await connect(location);
  try {
    await makeReady(database, header, options);
    await fill(database, path, rows, options.now, say);
    await migrate(database.db);
    return rows;
  } finally {
    await database.close();
  }
}

function connect(location: StoreLocation): Promise<Database> {
  return location.kind === 'sqlite' ? connectSqlite(location.folder) : Promise.resolve(connectPostgres(location.url));
}

/** Brings the store to exactly the version of the backup, so that later changes of the tables also reach what is restored. */
async function makeReady(
  database: Database,
  header: BackupHeader,
  { now, force }: { readonly now: number; readonly force?: boolean },
): Promise<void> {
  const { db } = database;
  const ran = await ranMigrations(db).catch((cause: unknown) => {
    throw new PatchcordError('store.unavailable', 'The store cannot be opened. Check DATABASE_URL or DATA_DIR.', {
      cause,
    });
  });
  if (ran.length === 0) {
    const all = await migrations.getMigrations();
    await migrate(db, () =>
      Promise.resolve(Object.fromEntries(Object.entries(all).filter(([name]) => header.migrations.includes(name)))),
    );
    return;
  }
  const tables = new Set((await db.introspection.getTables()).map(({ name }) => name));
  if (tables.has('relay_heartbeats')) {
    const { rows } = await sql`select 1 from relay_heartbeats where seen_at > ${now - aliveMs} limit 1`.execute(db);
    if (rows.length > 0) {
      throw new PatchcordError(
        'request.invalid',
        'A relay works on this store. Stop every relay, wait fifteen seconds, and restore then.',
      );
    }
  }
  for (const table of workTables) {
    if (force || !tables.has(table)) continue;
    const { rows } = await sql`select 1 from ${sql.table(table)} limit 1`.execute(db);
    if (rows.length > 0) {
      throw new PatchcordError(
        'request.invalid',
        `The store is not empty: its table "${table}" has rows. Restore into an empty store, or lose what is there with --force.`,
      );
    }
  }
  const wanted = [...header.migrations].sort().join(' ');
  if ([...ran].sort().join(' ') !== wanted) {
    throw new PatchcordError(
      'request.invalid',
      'The backup is of another version than this store. Restore it into a new database (or move patchcord.sqlite and what stands beside it away first); it is brought to this version then.',
    );
  }
}

async function fill(
  database: Database,
  path: string,
  rows: Rows,
  now: number,
  say: (text: string) => void,
): Promise<void> {
  const shapes = new Map((await dataTables(database)).map((shape) => [shape.name, shape]));
  try {
    await database.db.transaction().execute(async (transaction) => {
      // What migrations put there, or what --force gives up.
      for (const name of shapes.keys()) await sql`delete from ${sql.table(name)}`.execute(transaction);
      let current = '';
      let columns: readonly string[] = [];
      await readBackup(path, {
        table: (name, itsColumns) => {
          const shape = shapes.get(name);
          const lacking = itsColumns.find((column) => !shape?.columns.includes(column));
          if (shape === undefined || lacking !== undefined) {
            throw new PatchcordError(
              'request.invalid',
              `The backup has ${shape === undefined ? `a table "${name}"` : `a column "${name}.${lacking}"`} that its version does not have.`,
            );
          }
          say(`${name}: ${rows[name] ?? 0} rows`);
          [current, columns] = [name, itsColumns];
        },
        rows: (page) => putRows(transaction, current, columns, page),
      });
      for (const [name, count] of Object.entries(rows)) {
        const found = await sql<{ n: number }>`select count(*) as n from ${sql.table(name)}`.execute(transaction);
        if (Number(found.rows[0]?.n) !== count) throw new Error(`"${name}" has other rows than the backup`);
      }
      await endAccess(transaction, shapes, now);
    });
  } catch (cause) {
    if (cause instanceof PatchcordError) throw cause;
    throw new PatchcordError('store.unavailable', 'The store did not take the backup, and is as it was before.', {
      cause,
    });
  }
}

/**
 * Ends all access that the backup remembers. What was revoked after it was made would be valid again: a lost laptop, somebody who has left.
 * Credentials count as revoked from now on, so the first reconciliation removes them at the PBX.
 */
async function endAccess(
  transaction: Kysely<Tables>,
  shapes: ReadonlyMap<string, TableShape>,
  now: number,
): Promise<void> {
  for (const table of ['sessions', 'issued_credentials']) {
    // A backup of an older version has no such column yet; what it issued lapses by itself.
    if (!shapes.get(table)?.columns.includes('revoked_at')) continue;
    await sql`update ${sql.table(table)} set revoked_at = ${now} where revoked_at is null`.execute(transaction);
  }
  for (const table of ['pairing_codes', 'sign_ins', 'sign_in_claims']) {
    if (shapes.has(table)) await sql`delete from ${sql.table(table)}`.execute(transaction);
  }
}
