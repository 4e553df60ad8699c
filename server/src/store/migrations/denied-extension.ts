import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

/** What the edge denies is an extension; who has it may leave the configuration while the denial still matters. */
export const deniedExtension: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('denied_agents').addColumn('extension', 'text').execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('denied_agents').dropColumn('extension').execute();
  },
};
