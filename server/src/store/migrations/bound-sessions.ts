/** Sessions that are bound to a key, renewed and named; sign-ins that wait for an identity provider; sealed secrets. */
import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

export const boundSessions: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const texts = [
      'key_thumbprint',
      'salt',
      'label',
      'way',
      'role',
      'access_hash',
      'previous_access_hash',
      'refresh_hash',
      'previous_refresh_hash',
    ];
    const times = ['access_expires_at', 'previous_access_expires_at', 'refreshed_at', 'last_seen_at'];
    // One column a statement: SQLite takes no more.
    for (const name of texts) await db.schema.alterTable('sessions').addColumn(name, 'text').execute();
    for (const name of times) {
      await db.schema
        .alterTable('sessions')
        .addColumn(name, 'bigint', (column) => column.notNull().defaultTo(0))
        .execute();
    }

    await db.schema
      .createTable('sign_ins')
      .addColumn('state_hash', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('way', 'text', (column) => column.notNull())
      .addColumn('challenge', 'text', (column) => column.notNull())
      .addColumn('sealed', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('sign_in_claims')
      .addColumn('claim_hash', 'text', (column) => column.primaryKey())
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('agent', 'text', (column) => column.notNull())
      .addColumn('way', 'text', (column) => column.notNull())
      .addColumn('role', 'text')
      .addColumn('challenge', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .execute();

    await db.schema
      .createTable('vault')
      .addColumn('tenant', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('key_id', 'text', (column) => column.notNull())
      .addColumn('sealed', 'text', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull())
      .addColumn('changed_at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('vault_key', ['tenant', 'kind'])
      .execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    for (const table of ['vault', 'sign_in_claims', 'sign_ins']) await db.schema.dropTable(table).execute();
    for (const name of [
      'key_thumbprint',
      'salt',
      'label',
      'way',
      'role',
      'access_hash',
      'previous_access_hash',
      'refresh_hash',
      'previous_refresh_hash',
      'access_expires_at',
      'previous_access_expires_at',
      'refreshed_at',
      'last_seen_at',
    ]) {
      await db.schema.alterTable('sessions').dropColumn(name).execute();
    }
  },
};
