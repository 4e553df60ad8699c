/** Housekeeping finds what has to go without reading what stays: events of no call, proofs, credentials and claims that have lapsed. */
import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

const lapsing = { used_proofs_by_age: 'used_proofs', issued_by_age: 'issued_credentials' };

export const forgettingIndexes: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    // The index over all events served the same question alone, and every event paid for it.
    await db.schema
      .createIndex('events_loose')
      .on('events')
      // The first column is null throughout; without it SQLite takes the index over the events of a call, and sorts.
      .columns(['call_id', 'received_at'])
      .where('call_id' as never, 'is', null)
      .execute();
    await db.schema.dropIndex('events_by_age').execute();
    for (const [index, table] of Object.entries(lapsing)) {
      await db.schema.createIndex(index).on(table).column('expires_at').execute();
    }
  },
  async down(db: Kysely<unknown>): Promise<void> {
    for (const index of Object.keys(lapsing)) await db.schema.dropIndex(index).execute();
    await db.schema.createIndex('events_by_age').on('events').column('received_at').execute();
    await db.schema.dropIndex('events_loose').execute();
  },
};
