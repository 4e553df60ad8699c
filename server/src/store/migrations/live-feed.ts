/**
 * Numbers for events, given by the database itself so that every writer, the version before included, gets them: `seq` counts the events of one
 * call, `(xact, position)` orders all events so that nothing ever appears before what was already read. And the revocations that relays tell
 * each other, and the name of this deployment.
 */
import { randomUUID } from 'node:crypto';
import { type Kysely, SqliteAdapter, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export const liveFeed: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const column of ['seq', 'xact', 'position'])
      await db.schema.alterTable('events').addColumn(column, 'bigint').execute();
    await sql`
      update events set seq = numbered.n
      from (select source, id, row_number() over (partition by call_id order by received_at, source, id) as n
            from events where call_id is not null) as numbered
      where events.source = numbered.source and events.id = numbered.id`.execute(db);
    await db.schema.createIndex('events_of_call').on('events').columns(['call_id', 'seq']).execute();
    await db.schema.dropIndex('events_by_call').execute();
    await db.schema.createIndex('events_feed').on('events').columns(['tenant', 'xact', 'position']).execute();
    await (db.getExecutor().adapter instanceof SqliteAdapter ? numberInSqlite(db) : numberInPostgres(db));

    await db.schema
      .createTable('revocations')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('device', 'text')
      .addColumn('code', 'integer', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('revocations_by_time').on('revocations').column('at').execute();

    await db.schema
      .createTable('deployment')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .execute();
    await sql`insert into deployment (id) values (${randomUUID()})`.execute(db);
  },
  async down(db: Kysely<unknown>): Promise<void> {
    if (db.getExecutor().adapter instanceof SqliteAdapter) {
      await sql`drop trigger events_number`.execute(db);
      await db.schema.dropTable('event_positions').execute();
    } else {
      await sql`drop trigger events_number on events`.execute(db);
      await sql`drop function events_number()`.execute(db);
      await sql`drop sequence events_position`.execute(db);
    }
    await db.schema.dropTable('deployment').execute();
    await db.schema.dropTable('revocations').execute();
    await db.schema.dropIndex('events_feed').execute();
    await db.schema.createIndex('events_by_call').on('events').column('call_id').execute();
    await db.schema.dropIndex('events_of_call').execute();
    for (const column of ['seq', 'xact', 'position']) await db.schema.alterTable('events').dropColumn(column).execute();
  },
};

/** One writer at a time: the order of a counter is the order of commits. A counter of its own, since a deleted newest row must not give its number away. */
async function numberInSqlite(db: Kysely<unknown>): Promise<void> {
  await sql`create table event_positions (only_row integer primary key check (only_row = 1), value integer not null)`.execute(
    db,
  );
  await sql`insert into event_positions values (1, 0)`.execute(db);
  await sql`
    create trigger events_number after insert on events begin
      update event_positions set value = value + 1;
      update events set
        xact = 0,
        position = (select value from event_positions),
        seq = case when new.call_id is null then null
          else (select coalesce(max(seq), 0) + 1 from events where call_id = new.call_id) end
      where rowid = new.rowid;
    end`.execute(db);
}

/**
 * Many writers: a number alone is given before its commit. With the transaction's own number a reader can leave out what transactions that are
 * still open may yet write (`kysely-feed.ts`). The row of a call is locked by whoever writes its events, so `seq` has no two writers.
 */
async function numberInPostgres(db: Kysely<unknown>): Promise<void> {
  await sql`create sequence events_position`.execute(db);
  await sql`
    create function events_number() returns trigger language plpgsql as $$
    begin
      new.xact := pg_current_xact_id()::text::bigint;
      new.position := nextval('events_position');
      if new.call_id is not null then
        select coalesce(max(seq), 0) + 1 into new.seq from events where call_id = new.call_id;
      end if;
      return new;
    end $$`.execute(db);
  await sql`create trigger events_number before insert on events for each row execute function events_number()`.execute(
    db,
  );
}
