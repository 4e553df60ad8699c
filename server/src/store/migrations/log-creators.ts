import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Who makes the log of a call. The call id stands first: calls are forgotten by it. */
export const logCreators: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('log_creators')
      .addColumn('call_id', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('creator', 'text', (column) => column.notNull())
      .addColumn('decided_at', 'bigint', (column) => column.notNull())
      .addColumn('fate', 'text', (column) => column.notNull())
      .addColumn('page_log_id', 'text')
      .addColumn('others', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('log_creators_key', ['call_id', 'tenant', 'agent'])
      .execute();
    await db.schema.createIndex('log_creators_by_age').on('log_creators').column('decided_at').execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropIndex('log_creators_by_age').execute();
    await db.schema.dropTable('log_creators').execute();
  },
};
