import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** The parts of a recording that a relay makes itself, who made each recording, and what is left of one that was deleted on request. */
export const recordingParts: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('recording_parts')
      .addColumn('file', 'text', (column) => column.primaryKey())
      .addColumn('call_id', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('salt', 'text', (column) => column.notNull())
      .addColumn('start_ms', 'bigint', (column) => column.notNull())
      .addColumn('bytes', 'bigint', (column) => column.notNull())
      .addColumn('stored_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex('recording_parts_by_call')
      .on('recording_parts')
      .columns(['call_id', 'start_ms'])
      .execute();
    await db.schema
      .alterTable('recordings')
      .addColumn('made_by', 'text', (column) => column.notNull().defaultTo('phone-system'))
      .execute();
    await db.schema.alterTable('recordings').addColumn('deleted_at', 'bigint').execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('recordings').dropColumn('deleted_at').execute();
    await db.schema.alterTable('recordings').dropColumn('made_by').execute();
    await db.schema.dropTable('recording_parts').execute();
  },
};
