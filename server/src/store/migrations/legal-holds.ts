import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What must not be deleted, whatever its age and whoever asks: one call, or all calls with one number. */
export const legalHolds: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('legal_holds')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('subject', 'text', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('legal_holds_key', ['tenant', 'kind', 'subject'])
      .execute();
    // What is old is looked for by age, whichever tenant's it is.
    await db.schema.createIndex('events_by_age').on('events').column('received_at').execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropIndex('events_by_age').execute();
    await db.schema.dropTable('legal_holds').execute();
  },
};
