import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Which record agents chose for a number that several have. */
export const recordChoices: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('record_choices')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('number', 'text', (column) => column.notNull())
      .addColumn('crm', 'text', (column) => column.notNull())
      .addColumn('object', 'text', (column) => column.notNull())
      .addColumn('record_id', 'text', (column) => column.notNull())
      .addColumn('times', 'integer', (column) => column.notNull())
      .addColumn('last_at', 'bigint', (column) => column.notNull())
      .addColumn('last_by', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('record_choices_key', ['tenant', 'number', 'crm', 'object', 'record_id'])
      .execute();
    await db.schema.createIndex('record_choices_by_age').on('record_choices').column('last_at').execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropIndex('record_choices_by_age').execute();
    await db.schema.dropTable('record_choices').execute();
  },
};
