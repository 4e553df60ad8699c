import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** Call-backs and dial lists, policies that an administrator changed, and what finds the calls of one record. */
export const toCall: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('to_call')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('number', 'text', (column) => column.notNull())
      .addColumn('e164', 'text')
      .addColumn('name', 'text')
      .addColumn('record_crm', 'text')
      .addColumn('record_object', 'text')
      .addColumn('record_id', 'text')
      .addColumn('record_name', 'text')
      .addColumn('note', 'text')
      .addColumn('due_at', 'bigint')
      .addColumn('asked_by', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('done_at', 'bigint')
      .addPrimaryKeyConstraint('to_call_key', ['tenant', 'id'])
      .execute();
    await db.schema.createIndex('to_call_of_agent').on('to_call').columns(['tenant', 'agent', 'done_at']).execute();
    await db.schema.createIndex('to_call_of_record').on('to_call').columns(['tenant', 'record_id']).execute();

    await db.schema
      .createTable('tenant_policies')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('policy', 'text', (column) => column.notNull())
      .addColumn('value', 'text', (column) => column.notNull())
      .addColumn('changed_by', 'text', (column) => column.notNull())
      .addColumn('changed_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('tenant_policies_key', ['tenant', 'policy'])
      .execute();

    // Calls that are there are given their keys later, in pages (`record-keys.ts`): here every relay would wait for the last of them.
    for (const part of ['record', 'about'] as const) {
      const column = `${part}_key`;
      await db.schema.alterTable('calls').addColumn(column, 'text').execute();
      // Most calls are about nothing, and many with nobody that is known. While it is made no call has a key, so that nothing is sorted or written.
      await sql`create index ${sql.ref(`calls_by_${part}`)} on calls (tenant, ${sql.ref(column)}, started_at)
        where ${sql.ref(column)} is not null`.execute(db);
    }
  },
  async down(db: Kysely<unknown>): Promise<void> {
    for (const part of ['record', 'about']) {
      await db.schema.dropIndex(`calls_by_${part}`).execute();
      await db.schema.alterTable('calls').dropColumn(`${part}_key`).execute();
    }
    await db.schema.dropTable('tenant_policies').execute();
    await db.schema.dropTable('to_call').execute();
  },
};
