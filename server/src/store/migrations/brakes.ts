/** What the brakes against toll fraud remember: who is stopped, what calls cost, what is usual; and the alerts. */
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export const brakes: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('brake_states')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('level', 'text', (column) => column.notNull())
      .addColumn('cause', 'text', (column) => column.notNull())
      .addColumn('reason', 'text', (column) => column.notNull())
      .addColumn('since', 'bigint', (column) => column.notNull())
      .addColumn('until', 'bigint')
      .addPrimaryKeyConstraint('brake_states_key', ['tenant', 'agent', 'cause'])
      .execute();

    await db.schema
      .createTable('call_usage')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('call_key', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('country', 'text', (column) => column.notNull())
      .addColumn('per_minute', 'bigint', (column) => column.notNull())
      .addColumn('connection', 'bigint', (column) => column.notNull())
      .addColumn('day', 'text', (column) => column.notNull())
      .addColumn('started_at', 'bigint', (column) => column.notNull())
      .addColumn('answered_at', 'bigint')
      .addColumn('ended_at', 'bigint')
      .addColumn('heard_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('call_usage_key', ['tenant', 'call_key'])
      .execute();
    await db.schema.createIndex('call_usage_live').on('call_usage').columns(['ended_at', 'heard_at']).execute();
    await db.schema
      .createIndex('call_usage_recent')
      .on('call_usage')
      .columns(['tenant', 'agent', 'started_at'])
      .execute();

    await db.schema
      .createTable('usage_days')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('day', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('calls', 'integer', (column) => column.notNull())
      .addColumn('spent', 'bigint', (column) => column.notNull())
      .addColumn('hours', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('usage_days_key', ['tenant', 'day', 'agent'])
      .execute();

    await db.schema
      .createTable('usage_countries')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('country', 'text', (column) => column.notNull())
      .addColumn('first_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('usage_countries_key', ['tenant', 'agent', 'country'])
      .execute();

    await db.schema
      .createTable('alerts')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text')
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('message', 'text', (column) => column.notNull())
      .addColumn('data', 'text', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addColumn('times', 'integer', (column) => column.notNull())
      .addColumn('acknowledged_at', 'bigint')
      .addColumn('acknowledged_by', 'text')
      .execute();
    await db.schema.createIndex('alerts_by_tenant').on('alerts').columns(['tenant', 'at']).execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    for (const table of ['alerts', 'usage_countries', 'usage_days', 'call_usage', 'brake_states']) {
      await sql`drop table ${sql.table(table)}`.execute(db);
    }
  },
};
