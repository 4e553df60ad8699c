import type { Kysely } from 'kysely';
import type { Migration } from 'kysely/migration';
import type { Tables } from '../tables.ts';

/** What a phone system reports is found by its SIP Call-ID, the legs of a conversation by its name, a log that a person deleted by its id. */
export const callLegs: Migration = {
  async up(
    db: Kysely<{ calls: Pick<Tables['calls'], 'sip_call_id' | 'conversation' | 'log_id' | 'log_state'> }>,
  ): Promise<void> {
    await db.schema.alterTable('calls').addColumn('sip_call_id', 'text').execute();
    await db.schema.alterTable('calls').addColumn('conversation', 'text').execute();
    await db.schema
      .createIndex('calls_of_leg')
      .on('calls')
      .columns(['tenant', 'sip_call_id'])
      .where('sip_call_id', 'is not', null)
      .execute();
    await db.schema
      .createIndex('calls_in_conversation')
      .on('calls')
      .columns(['tenant', 'conversation'])
      .where('conversation', 'is not', null)
      .execute();
    await db.schema
      .createIndex('calls_of_log')
      .on('calls')
      .columns(['tenant', 'log_id'])
      .where('log_id', 'is not', null)
      .execute();
    await db.schema
      .createIndex('calls_by_log_state')
      .on('calls')
      .columns(['tenant', 'log_state', 'touched_at'])
      .where('log_state', 'in', ['waiting', 'failed'])
      .execute();
  },
  async down(db: Kysely<unknown>): Promise<void> {
    for (const index of ['calls_by_log_state', 'calls_of_log', 'calls_in_conversation', 'calls_of_leg']) {
      await db.schema.dropIndex(index).execute();
    }
    await db.schema.alterTable('calls').dropColumn('conversation').execute();
    await db.schema.alterTable('calls').dropColumn('sip_call_id').execute();
  },
};
