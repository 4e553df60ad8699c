import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Messages in agents' mailboxes, and numbers that must not be called. */
export const callFeatures: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('voicemails')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('mailbox', 'text', (column) => column.notNull())
      .addColumn('number', 'text', (column) => column.notNull())
      .addColumn('e164', 'text')
      .addColumn('name', 'text')
      .addColumn('said', 'text')
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('duration_ms', 'bigint', (column) => column.notNull())
      .addColumn('heard_at', 'bigint')
      .addColumn('deleted_at', 'bigint')
      .addColumn('form', 'text', (column) => column.notNull())
      .addColumn('file', 'text', (column) => column.notNull())
      .addColumn('salt', 'text', (column) => column.notNull())
      .addColumn('bytes', 'bigint', (column) => column.notNull())
      .addColumn('stored_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex('voicemails_of_mailbox')
      .on('voicemails')
      .columns(['tenant', 'mailbox', 'at'])
      .execute();
    await db.schema.createIndex('voicemails_by_age').on('voicemails').columns(['stored_at', 'id']).execute();
    await db.schema.createIndex('voicemails_by_file').on('voicemails').column('file').execute();

    await db.schema
      .createTable('do_not_call')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('number_hash', 'text', (column) => column.notNull())
      .addColumn('number', 'text', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('added_by', 'text', (column) => column.notNull())
      .addColumn('added_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('do_not_call_key', ['tenant', 'number_hash'])
      .execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropTable('do_not_call').execute();
    await db.schema.dropTable('voicemails').execute();
  },
};
