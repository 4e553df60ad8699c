import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Which device of an agent owns the line, what it left for the next one, and which ways of taking up a call worked with which far side. */
export const lineLeases: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('line_leases')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('epoch', 'bigint', (column) => column.notNull())
      .addColumn('version', 'bigint', (column) => column.notNull())
      .addColumn('device', 'text', (column) => column.notNull())
      .addColumn('place', 'text', (column) => column.notNull())
      .addColumn('via', 'text', (column) => column.notNull())
      .addColumn('granted_at', 'bigint', (column) => column.notNull())
      .addColumn('held_until', 'bigint', (column) => column.notNull())
      .addColumn('has_left', 'integer', (column) => column.notNull())
      .addColumn('lost_at', 'bigint')
      .addColumn('wanted_by', 'text')
      .addColumn('wanted_place', 'text')
      .addColumn('wanted_via', 'text')
      .addColumn('wanted_at', 'bigint')
      .addColumn('kept', 'text')
      .addColumn('kept_at', 'bigint')
      .addColumn('seen_to_epoch', 'bigint')
      .addColumn('claimed_until', 'bigint', (column) => column.notNull())
      .addColumn('changed_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('line_leases_key', ['tenant', 'agent'])
      .execute();
    await db.schema.createIndex('line_leases_by_change').on('line_leases').column('changed_at').execute();
    await db.schema
      .createTable('recoveries')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('peer', 'text', (column) => column.notNull())
      .addColumn('way', 'text', (column) => column.notNull())
      .addColumn('worked', 'integer', (column) => column.notNull())
      .addColumn('failed', 'integer', (column) => column.notNull())
      .addColumn('last_worked', 'integer', (column) => column.notNull())
      .addColumn('last_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('recoveries_key', ['tenant', 'peer', 'way'])
      .execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropTable('recoveries').execute();
    await db.schema.dropIndex('line_leases_by_change').execute();
    await db.schema.dropTable('line_leases').execute();
  },
};
