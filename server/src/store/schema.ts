/**
 * The tables, as kysely sees them, and the migrations that make them. One schema for both databases: text ids, JSON as text, times as
 * integer epoch ms. A migration that has been released is never edited; a change is a new one.
 */
import { type Kysely, sql } from 'kysely';
import type { Migration, MigrationProvider } from 'kysely/migration';

export interface Tables {
  events: {
    source: string;
    id: string;
    tenant: string;
    agent: string;
    call_id: string | null;
    envelope: string;
    received_at: number;
  };
  calls: {
    call_id: string;
    tenant: string;
    agent: string;
    version: number;
    log: string | null;
    /** 1 while the call lives. */
    open: number;
    started_at: number;
    touched_at: number;
    log_state: string;
    log_id: string | null;
    log_reason: string | null;
  };
  outbox: {
    id: string;
    kind: string;
    tenant: string;
    call_id: string | null;
    payload: string;
    version: number;
    attempts: number;
    state: string;
    due_at: number;
    created_at: number;
    lease: string | null;
    lease_until: number;
    reason: string | null;
  };
  sessions: {
    token_hash: string;
    tenant: string;
    agent: string;
    device: string;
    created_at: number;
    expires_at: number;
    revoked_at: number | null;
  };
  pairing_codes: { code_hash: string; tenant: string; agent: string; expires_at: number; used_at: number | null };
  used_proofs: { key: string; expires_at: number };
  issued_credentials: {
    id: string;
    tenant: string;
    agent: string;
    device: string;
    username: string;
    issued_at: number;
    expires_at: number;
  };
  denied_agents: { tenant: string; agent: string; extension: string | null; until: number; denied_at: number };
}

const first: Migration = {
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

/** What the edge denies is an extension; who has it may leave the configuration while the denial still matters. */
const deniedExtension: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('denied_agents').addColumn('extension', 'text').execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('denied_agents').dropColumn('extension').execute();
  },
};

/** Imported objects, not files found at run time: they survive bundling. Names sort in the order they run. */
export const migrations: MigrationProvider = {
  getMigrations: () =>
    Promise.resolve({ '2026-11-01-calls-outbox-identity': first, '2026-11-21-denied-extension': deniedExtension }),
};
