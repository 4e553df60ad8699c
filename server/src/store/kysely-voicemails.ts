/** Voicemails over kysely. Knows no file. */
import type { CallId } from '@patchcord/call-protocol';
import type { Selectable } from 'kysely';
import type { StoredVoicemail, VoicemailStore } from './contract.ts';
import { asking, type Database } from './database.ts';
import { enqueue, insertEvent } from './statements.ts';
import type { Tables } from './tables.ts';

export function createVoicemailStore(database: Database): VoicemailStore {
  const { db } = database;
  return {
    add: (one, event, effects) =>
      asking(async () => {
        const kept = await database.batch([
          {
            query: db
              .insertInto('voicemails')
              .values(toRow(one))
              .onConflict((conflict) => conflict.column('id').doNothing())
              .returning('id'),
            mustChange: true,
          },
          insertEvent(db, event, false),
          ...effects.map((effect) => enqueue(db, effect)),
        ]);
        return kept !== null;
      }),

    find: (tenant, id) =>
      asking(async () => {
        const row = await db
          .selectFrom('voicemails')
          .selectAll()
          .where('id', '=', id)
          .where('tenant', '=', tenant)
          .executeTakeFirst();
        return row === undefined ? null : toVoicemail(row);
      }),

    of: (tenant, mailboxes, { deletedAfter, limit }) =>
      asking(async () => {
        if (mailboxes.length === 0) return [];
        const rows = await db
          .selectFrom('voicemails')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('mailbox', 'in', mailboxes)
          .where((row) => row.or([row('deleted_at', 'is', null), row('deleted_at', '>', deletedAfter)]))
          .orderBy('at', 'desc')
          .orderBy('id')
          .limit(limit)
          .execute();
        return rows.map(toVoicemail);
      }),

    change: (tenant, id, { heardAt, deletedAt }) =>
      asking(async () => {
        const rows = await db
          .updateTable('voicemails')
          .set((row) => ({
            heard_at: heardAt === undefined ? row.ref('heard_at') : heardAt,
            deleted_at: deletedAt === undefined ? row.ref('deleted_at') : deletedAt,
          }))
          .where('id', '=', id)
          .where('tenant', '=', tenant)
          .returning('id')
          .execute();
        return rows.length > 0;
      }),

    keepWords: (tenant, id, state, words) =>
      asking(async () => {
        const rows = await db
          .updateTable('voicemails')
          .set({ words_state: state, words })
          .where('id', '=', id)
          .where('tenant', '=', tenant)
          .returning('id')
          .execute();
        return rows.length > 0;
      }),

    linkTo: (tenant, id, callId) =>
      asking(async () => {
        const row = await db
          .updateTable('voicemails')
          .set((own) => ({ call_id: own.fn.coalesce(own.ref('call_id'), own.val(callId)) }))
          .where('id', '=', id)
          .where('tenant', '=', tenant)
          .returning('call_id')
          .executeTakeFirst();
        return (row?.call_id as CallId | undefined) ?? null;
      }),

    leaving: ({ storedBefore, deletedBefore }, after, limit) =>
      asking(async () => {
        let query = db
          .selectFrom('voicemails')
          .selectAll()
          .where((row) => row.or([row('stored_at', '<', storedBefore), row('deleted_at', '<', deletedBefore)]))
          .orderBy('stored_at')
          .orderBy('id')
          .limit(limit);
        if (after !== null) {
          query = query.where((row) =>
            row.or([
              row('stored_at', '>', after.storedAt),
              row.and([row('stored_at', '=', after.storedAt), row('id', '>', after.id)]),
            ]),
          );
        }
        return (await query.execute()).map(toVoicemail);
      }),

    forget: (ids) =>
      asking(async () => {
        if (ids.length > 0) await db.deleteFrom('voicemails').where('id', 'in', ids).execute();
      }),

    known: (files) =>
      asking(async () => {
        if (files.length === 0) return new Set<string>();
        const rows = await db.selectFrom('voicemails').select('file').where('file', 'in', files).execute();
        return new Set(rows.map(({ file }) => file));
      }),
  };
}

function toRow(one: StoredVoicemail): Tables['voicemails'] {
  return {
    id: one.id,
    tenant: one.tenant,
    mailbox: one.mailbox,
    number: one.number,
    e164: one.e164,
    name: one.name,
    said: one.text,
    words_state: one.wordsState,
    words: one.words,
    call_id: one.callId,
    at: one.at,
    duration_ms: one.durationMs,
    heard_at: one.heardAt,
    deleted_at: one.deletedAt,
    form: one.form,
    file: one.file,
    salt: one.salt,
    bytes: one.bytes,
    stored_at: one.storedAt,
  };
}

/** A row of the table as it is told. */
export function toVoicemail(row: Selectable<Tables['voicemails']>): StoredVoicemail {
  return {
    id: row.id,
    tenant: row.tenant as StoredVoicemail['tenant'],
    mailbox: row.mailbox,
    number: row.number,
    e164: row.e164 as StoredVoicemail['e164'],
    name: row.name,
    text: row.said,
    wordsState: row.words_state as StoredVoicemail['wordsState'],
    words: row.words,
    callId: row.call_id as StoredVoicemail['callId'],
    at: row.at,
    durationMs: row.duration_ms,
    heardAt: row.heard_at,
    deletedAt: row.deleted_at,
    form: row.form as StoredVoicemail['form'],
    file: row.file,
    salt: row.salt,
    bytes: row.bytes,
    storedAt: row.stored_at,
  };
}
