/** The first tables: events, calls, outbox, sessions, pairing codes, proofs, credentials. */
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export const callsOutboxIdentity: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('events')
      .addColumn('source', 'text', (column) => column.notNull())
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('call_id', 'text')
      .addColumn('envelope', 'text', (column) => column.notNull())
      .addColumn('received_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('events_key', ['source', 'id'])
      .execute();
    await db.schema.createIndex('events_by_call').on('events').column('call_id').execute();

    await db.schema
      .createTable('calls')
      .addColumn('call_id', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('log', 'text')
      .addColumn('open', 'integer', (column) => column.notNull())
      .addColumn('started_at', 'bigint', (column) => column.notNull())
      .addColumn('touched_at', 'bigint', (column) => column.notNull())
      .addColumn('log_state', 'text', (column) => column.notNull())
      .addColumn('log_id', 'text')
      .addColumn('log_reason', 'text')
      .execute();
    await db.schema.createIndex('calls_by_agent').on('calls').columns(['tenant', 'agent', 'started_at']).execute();
    await db.schema.createIndex('calls_open').on('calls').columns(['open', 'touched_at']).execute();

    await db.schema
      .createTable('outbox')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('call_id', 'text')
      .addColumn('payload', 'text', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('attempts', 'integer', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('due_at', 'bigint', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('lease', 'text')
      .addColumn('lease_until', 'bigint', (column) => column.notNull().defaultTo(0))
      .addColumn('reason', 'text')
      .execute();
    await db.schema.createIndex('outbox_due').on('outbox').columns(['state', 'due_at']).execute();

    await db.schema
      .createTable('sessions')
      .addColumn('token_hash', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('device', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .addColumn('revoked_at', 'bigint')
      .execute();
    await db.schema.createIndex('sessions_by_agent').on('sessions').columns(['tenant', 'agent']).execute();

    await db.schema
      .createTable('pairing_codes')
      .addColumn('code_hash', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .addColumn('used_at', 'bigint')
      .execute();

    await db.schema
      .createTable('used_proofs')
      .addColumn('key', 'text', (column) => column.primaryKey())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .execute();

    await db.schema
      .createTable('issued_credentials')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('device', 'text', (column) => column.notNull())
      .addColumn('username', 'text', (column) => column.notNull())
      .addColumn('issued_at', 'bigint', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createIndex('issued_by_agent')
      .on('issued_credentials')
      .columns(['tenant', 'agent', 'expires_at'])
      .execute();

    await db.schema
      .createIndex('issued_username')
      .on('issued_credentials')
      .columns(['tenant', 'username'])
      .unique()
      .execute();

    await db.schema
      .createTable('denied_agents')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('until', 'bigint', (column) => column.notNull())
      .addColumn('denied_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('denied_agents_key', ['tenant', 'agent'])
      .execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    for (const table of [
      'denied_agents',
      'issued_credentials',
      'used_proofs',
      'pairing_codes',
      'sessions',
      'outbox',
      'calls',
      'events',
    ]) {
      await sql`drop table ${sql.table(table)}`.execute(db);
    }
  },
};
