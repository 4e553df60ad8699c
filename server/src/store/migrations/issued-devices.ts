import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What an issuer needs to put a credential back where a PBX forgot it, to answer for it, and to know it as withdrawn. */
export const issuedDevices: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const column of ['kind', 'extension', 'sip_user', 'ha1']) {
      await db.schema.alterTable('issued_credentials').addColumn(column, 'text').execute();
    }
    await db.schema.alterTable('issued_credentials').addColumn('revoked_at', 'bigint').execute();
    await db.schema
      .createIndex('issued_by_extension')
      .on('issued_credentials')
      .columns(['tenant', 'extension', 'expires_at'])
      .execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.dropIndex('issued_by_extension').execute();
    for (const column of ['kind', 'extension', 'sip_user', 'ha1', 'revoked_at']) {
      await db.schema.alterTable('issued_credentials').dropColumn(column).execute();
    }
  },
};
