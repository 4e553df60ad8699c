import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Who did what, when. The id sorts by time, so the key alone serves a reader that goes on where it stopped. */
export const audit: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('audit')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('actor', 'text', (column) => column.notNull())
      .addColumn('act', 'text', (column) => column.notNull())
      .addColumn('subject', 'text')
      .addColumn('data', 'text', (column) => column.notNull().defaultTo('{}'))
      .execute();
    await db.schema.createIndex('audit_by_tenant').on('audit').columns(['tenant', 'id']).execute();
    await db.schema.createIndex('audit_by_time').on('audit').column('at').execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropTable('audit').execute();
  },
};
