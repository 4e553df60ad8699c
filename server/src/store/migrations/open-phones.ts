import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Which phones hold a live socket, and when each relay last said so; a relay of a version before never does, and its null says that. */
export const openPhones: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('open_phones')
      .addColumn('source', 'text', (column) => column.primaryKey())
      .addColumn('relay', 'text', (column) => column.notNull())
      .addColumn('seen_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.alterTable('relay_heartbeats').addColumn('phones_at', 'bigint').execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('relay_heartbeats').dropColumn('phones_at').execute();
    await db.schema.dropTable('open_phones').execute();
  },
};
