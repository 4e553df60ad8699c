/** Recordings over kysely. Knows no file. */
import type { CallId, TenantId } from '@patchcord/call-protocol';
import { type Selectable, sql } from 'kysely';
import type { RecordingStore, StoredRecording } from './contract.ts';
import { asking, type Database } from './database.ts';
import { auditStatement } from './kysely-audit.ts';
import type { Tables } from './tables.ts';

/** More agents than one leg rings at. */
const mostLegs = 100;

export function createRecordingStore(database: Database): RecordingStore {
  const { db } = database;
  return {
    add: (one) =>
      asking(async () => {
        // Who forgets a call locks it first: a recording that comes in between is kept before that, or not at all.
        const locked = database.locksRows ? sql`for share` : sql``;
        const { rows } = await sql`
          insert into recordings
            (call_id, tenant, agent, file, salt, digest, codec, rate, channels, bytes, duration_ms, stored_at,
              made_by)
          select ${one.callId}, ${one.tenant}, ${one.agent}, ${one.file}, ${one.salt}, ${one.digest}, ${one.codec},
            cast(${one.rate} as integer), cast(${one.channels} as integer), cast(${one.bytes} as bigint),
            cast(${one.durationMs} as bigint), cast(${one.storedAt} as bigint), ${one.madeBy}
          where exists (select 1 from calls where call_id = ${one.callId} and tenant = ${one.tenant} ${locked})
          on conflict (call_id) do nothing returning call_id`.execute(db);
        return rows.length > 0;
      }),

    ofCalls: (tenant, callIds) =>
      asking(async () => {
        if (callIds.length === 0) return [];
        const rows = await db
          .selectFrom('recordings')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('call_id', 'in', callIds)
          .execute();
        return rows.map(toRecording);
      }),

    delete: (one, entry) =>
      asking(async () => {
        const results = await database.batch([
          {
            query: db
              .updateTable('recordings')
              .set({ deleted_at: entry.at, file: '', salt: '' })
              .where('call_id', '=', one.callId)
              .where('file', '=', one.file)
              .where('deleted_at', 'is', null)
              .returning('call_id'),
            mustChange: true,
          },
          auditStatement(db, entry),
        ]);
        return results === null ? null : one.file;
      }),

    callsOfSip: (tenant, sipCallId) =>
      asking(async () => {
        const rows = await db
          .selectFrom('calls')
          .select('call_id')
          .where('tenant', '=', tenant)
          .where('sip_call_id', '=', sipCallId)
          .orderBy('call_id')
          .limit(mostLegs)
          .execute();
        return rows.map((row) => row.call_id as CallId);
      }),

    before: (time, after, limit) =>
      asking(async () => {
        let query = db
          .selectFrom('recordings')
          .selectAll()
          .where('stored_at', '<', time)
          .where('deleted_at', 'is', null)
          .orderBy('stored_at')
          .orderBy('call_id')
          .limit(limit);
        if (after !== null) {
          query = query.where((row) =>
            row.or([
              row('stored_at', '>', after.storedAt),
              row.and([row('stored_at', '=', after.storedAt), row('call_id', '>', after.callId)]),
            ]),
          );
        }
        return (await query.execute()).map(toRecording);
      }),

    forget: (callIds) =>
      asking(async () => {
        if (callIds.length > 0) await db.deleteFrom('recordings').where('call_id', 'in', callIds).execute();
      }),

    known: (files) =>
      asking(async () => {
        if (files.length === 0) return new Set<string>();
        const rows = await db
          .selectFrom('recordings')
          .select('file')
          .where('file', 'in', files)
          .unionAll(db.selectFrom('recording_parts').select('file').where('file', 'in', files))
          .execute();
        return new Set(rows.map(({ file }) => file));
      }),
  };
}

function toRecording(row: Selectable<Tables['recordings']>): StoredRecording {
  return {
    callId: row.call_id as CallId,
    tenant: row.tenant as TenantId,
    agent: row.agent as StoredRecording['agent'],
    file: row.file,
    salt: row.salt,
    digest: row.digest,
    codec: row.codec as StoredRecording['codec'],
    rate: row.rate,
    channels: row.channels as StoredRecording['channels'],
    bytes: row.bytes,
    durationMs: row.duration_ms,
    storedAt: row.stored_at,
    madeBy: row.made_by === 'relay' ? 'relay' : 'phone-system',
    deletedAt: row.deleted_at,
  };
}
