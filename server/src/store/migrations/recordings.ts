import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Recordings and kept words of calls. What names its call goes with it when it is forgotten. */
export const recordings: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('recordings')
      .addColumn('call_id', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('file', 'text', (column) => column.notNull())
      .addColumn('salt', 'text', (column) => column.notNull())
      .addColumn('digest', 'text', (column) => column.notNull())
      .addColumn('codec', 'text', (column) => column.notNull())
      .addColumn('rate', 'integer', (column) => column.notNull())
      .addColumn('channels', 'integer', (column) => column.notNull())
      .addColumn('bytes', 'bigint', (column) => column.notNull())
      .addColumn('duration_ms', 'bigint', (column) => column.notNull())
      .addColumn('stored_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('recordings_by_age').on('recordings').columns(['stored_at', 'call_id']).execute();
    await db.schema.createIndex('recordings_by_file').on('recordings').column('file').execute();
    await db.schema
      .createTable('transcript_lines')
      .addColumn('call_id', 'text', (column) => column.notNull())
      .addColumn('speaker', 'text', (column) => column.notNull())
      .addColumn('line', 'integer', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('said', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('transcript_lines_key', ['call_id', 'speaker', 'line'])
      .execute();
    await db.schema.createIndex('transcript_lines_by_age').on('transcript_lines').column('at').execute();
    await db.schema
      .createTable('transcripts_written')
      .addColumn('call_id', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('crm_id', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropTable('transcripts_written').execute();
    await db.schema.dropTable('transcript_lines').execute();
    await db.schema.dropTable('recordings').execute();
  },
};
