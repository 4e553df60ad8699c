/** Order per record in the outbox, indexes for claiming by tenant, who is alive among the relays, events by time. */
import { type Kysely, sql } from 'kysely';
import type { Migration } from 'kysely/migration';

export const outboxOrder: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    // What the version before enqueues has no key and waits for nobody.
    await db.schema.alterTable('outbox').addColumn('order_key', 'text').execute();
    await db.schema
      .alterTable('outbox')
      .addColumn('position', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await db.schema
      .createIndex('outbox_by_tenant')
      .on('outbox')
      .columns(['state', 'kind', 'tenant', 'due_at', 'position'])
      .execute();
    // Partial, so that it serves the question it is for and no planner takes it for another.
    await db.schema
      .createIndex('outbox_by_kind')
      .on('outbox')
      .columns(['kind', 'due_at'])
      .where(sql<boolean>`state = 'waiting' and lease_until = 0`)
      .execute();
    await db.schema.createIndex('outbox_by_key').on('outbox').columns(['order_key', 'state', 'position']).execute();
    await db.schema
      .createIndex('outbox_leased')
      .on('outbox')
      .columns(['lease_until'])
      .where('lease_until' as never, '>', 0)
      .execute();
    await db.schema.dropIndex('outbox_due').execute();
    await db.schema.createIndex('events_by_time').on('events').columns(['tenant', 'received_at']).execute();
    await db.schema
      .createTable('relay_heartbeats')
      .addColumn('relay', 'text', (column) => column.primaryKey())
      .addColumn('seen_at', 'bigint', (column) => column.notNull())
      .execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropTable('relay_heartbeats').execute();
    await db.schema.dropIndex('events_by_time').execute();
    await db.schema.createIndex('outbox_due').on('outbox').columns(['state', 'due_at']).execute();
    for (const index of ['outbox_by_tenant', 'outbox_by_kind', 'outbox_by_key', 'outbox_leased'])
      await db.schema.dropIndex(index).execute();
    await db.schema.alterTable('outbox').dropColumn('position').execute();
    await db.schema.alterTable('outbox').dropColumn('order_key').execute();
  },
};
