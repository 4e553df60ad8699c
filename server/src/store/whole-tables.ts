/**
 * Tables as wholes, whatever is in them: their shapes, all rows of one moment, rows put back. For backups and erasures, which must not forget a
 * table that somebody adds. Knows no column by name, but for the order of events.
 */
import { type Kysely, sql } from 'kysely';
import type { Database } from './database.ts';
import type { Tables } from './tables.ts';

export interface TableShape {
  readonly name: string;
  readonly columns: readonly string[];
  /** Columns of the primary key. */
  readonly key: readonly string[];
  /** Whether the database numbers its rows as they come: they must come in that order again. */
  readonly numbered: boolean;
}

export type Row = Readonly<Record<string, unknown>>;

/** Of this database and of this moment, not of the data: a copy of the data makes its own. What a line keeps is a secret of minutes besides. */
const ofTheDatabase = new Set([
  'deployment',
  'event_positions',
  'line_leases',
  'open_phones',
  'relay_heartbeats',
  'sound_streams',
  'write_probe',
]);
/** Columns that a trigger fills wherever a row is put. */
const numbers: Readonly<Record<string, readonly string[]>> = { events: ['seq', 'xact', 'position'] };
const pageRows = 500;
/** SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535. */
const parametersAtOnce = 10_000;

/** The tables that hold data, by name. */
export async function dataTables(database: Database): Promise<readonly TableShape[]> {
  const { db } = database;
  const tables = (await db.introspection.getTables()).filter(
    ({ name, isView }) =>
      !isView && !ofTheDatabase.has(name) && !name.startsWith('kysely_') && !name.startsWith('sqlite_'),
  );
  const shapes: TableShape[] = [];
  for (const { name, columns } of tables) {
    const all = columns.map((column) => column.name);
    const given = numbers[name] ?? [];
    shapes.push({
      name,
      columns: all.filter((column) => !given.includes(column)),
      key: await keyOf(database, name),
      numbered: given.length > 0 && given.every((column) => all.includes(column)),
    });
  }
  return shapes.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function keyOf({ db, locksRows }: Database, table: string): Promise<readonly string[]> {
  const { rows } = locksRows
    ? await sql<{ name: string }>`
        select a.attname as name from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
        where i.indrelid = ${`"${table}"`}::regclass and i.indisprimary order by array_position(i.indkey::int[], a.attnum::int)`.execute(
        db,
      )
    : await sql<{ name: string }>`select name from pragma_table_info(${table}) where pk > 0 order by pk`.execute(db);
  return rows.map(({ name }) => name);
}

/** Gives pages of a table's rows, as they were at one moment. */
export type ReadTable = (table: TableShape) => AsyncIterable<readonly Row[]>;

/**
 * Reads while others write, and sees nothing of what they write: one read transaction. It holds nobody up. Must be the only user of this
 * `Database`: SQLite has one connection in it.
 */
export async function atOneMoment<T>(database: Database, work: (read: ReadTable) => Promise<T>): Promise<T> {
  if (database.locksRows) {
    return database.db
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute((transaction) => work((table) => pagesInPostgres(transaction, table)));
  }
  await sql`begin`.execute(database.db);
  try {
    return await work((table) => pagesInSqlite(database.db, table));
  } finally {
    await sql`rollback`.execute(database.db);
  }
}

async function* pagesInPostgres(db: Kysely<Tables>, { name, numbered }: TableShape): AsyncIterable<readonly Row[]> {
  const order = numbered ? sql`order by xact nulls first, position` : sql``;
  await sql`declare whole_table no scroll cursor for select * from ${sql.table(name)} ${order}`.execute(db);
  for (;;) {
    const { rows } = await sql<Row>`fetch ${sql.raw(String(pageRows))} from whole_table`.execute(db);
    if (rows.length === 0) break;
    yield rows;
  }
  await sql`close whole_table`.execute(db);
}

async function* pagesInSqlite(db: Kysely<Tables>, { name }: TableShape): AsyncIterable<readonly Row[]> {
  let after = 0;
  for (;;) {
    const { rows } = await sql<Row>`
      select rowid as "row number", * from ${sql.table(name)} where rowid > ${after} order by rowid limit ${pageRows}`.execute(
      db,
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    after = Number(last['row number']);
    yield rows;
  }
}

/** All rows of a table, page by page, each page of its own moment: for what repeats itself until nothing is left to do. */
export async function* pagesOf(database: Database, table: TableShape): AsyncIterable<readonly Row[]> {
  if (!database.locksRows) {
    yield* pagesInSqlite(database.db, table);
    return;
  }
  const key = sql.join(table.key.map((column) => sql.ref(column)));
  let after: Row | undefined;
  for (;;) {
    const from =
      after === undefined ? sql`` : sql`where (${key}) > (${sql.join(table.key.map((column) => after?.[column]))})`;
    const { rows } = await sql<Row>`
      select * from ${sql.table(table.name)} ${from} order by ${key} limit ${sql.raw(String(pageRows))}`.execute(
      database.db,
    );
    after = rows.at(-1);
    if (after === undefined) return;
    yield rows;
  }
}

/** Puts rows into a table; values in the order of `columns`. */
export async function putRows(
  db: Kysely<Tables>,
  table: string,
  columns: readonly string[],
  rows: readonly (readonly unknown[])[],
): Promise<void> {
  const atOnce = Math.max(1, Math.floor(parametersAtOnce / Math.max(1, columns.length)));
  const names = sql.join(columns.map((column) => sql.ref(column)));
  for (let from = 0; from < rows.length; from += atOnce) {
    const values = sql.join(rows.slice(from, from + atOnce).map((row) => sql`(${sql.join([...row])})`));
    await sql`insert into ${sql.table(table)} (${names}) values ${values}`.execute(db);
  }
}
