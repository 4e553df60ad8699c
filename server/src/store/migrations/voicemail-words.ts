import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';

const columns = ['words_state', 'words', 'call_id'] as const;

/** What was said in a message, and in which call it was left. */
export const voicemailWords: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    // One at a time: SQLite adds no two at once.
    for (const column of columns) await db.schema.alterTable('voicemails').addColumn(column, 'text').execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    for (const column of columns) await db.schema.alterTable('voicemails').dropColumn(column).execute();
  },
};
