/** Parts of recordings over kysely. A part is written only by whoever has its call's stream. Knows no file. */
import type { AgentId, CallId, TenantId } from '@patchcord/call-protocol';
import { type Selectable, sql } from 'kysely';
import type { CallInParts, RecordingPart, RecordingPartStore } from './contract.ts';
import { asking, type Database } from './database.ts';
import type { Tables } from './tables.ts';

export function createRecordingPartStore(database: Database): RecordingPartStore {
  const { db } = database;
  // Whoever takes a stream over locks its row: a part that comes in between is kept before that, or not at all.
  const locked = database.locksRows ? sql`for share` : sql``;
  const isHeld = (callId: CallId, holder: string) =>
    sql`exists (select 1 from sound_streams where call_id = ${callId} and holder = ${holder} ${locked})`;

  return {
    add: (part, holder) =>
      asking(async () => {
        const { rows } = await sql`
          insert into recording_parts (file, call_id, tenant, agent, salt, start_ms, bytes, stored_at)
          select ${part.file}, ${part.callId}, ${part.tenant}, ${part.agent}, ${part.salt},
            cast(${part.startMs} as bigint), cast(${part.bytes} as bigint), cast(${part.storedAt} as bigint)
          where ${isHeld(part.callId, holder)} returning file`.execute(db);
        return rows.length > 0;
      }),

    replace: (file, part, holder) =>
      asking(async () => {
        const statement =
          part === null
            ? sql`delete from recording_parts where file = ${file} and exists (select 1 from sound_streams
                where sound_streams.call_id = recording_parts.call_id and holder = ${holder}) returning file`
            : sql`update recording_parts set file = ${part.file}, salt = ${part.salt},
                start_ms = cast(${part.startMs} as bigint), bytes = cast(${part.bytes} as bigint)
                where file = ${file} and ${isHeld(part.callId, holder)} returning file`;
        return (await statement.execute(db)).rows.length > 0;
      }),

    ofCalls: (tenant, callIds) =>
      asking(async () => {
        if (callIds.length === 0) return [];
        const rows = await db
          .selectFrom('recording_parts')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('call_id', 'in', callIds)
          .orderBy('call_id')
          .orderBy('start_ms')
          .orderBy('bytes')
          .orderBy('file')
          .execute();
        return rows.map(toPart);
      }),

    left: (before, after, limit) =>
      asking(async () => {
        const rows = await db
          .selectFrom('recording_parts')
          .select((row) => ['call_id', 'tenant', row.fn.max('stored_at').as('newest')])
          .where('call_id', '>', after ?? '')
          .where((row) =>
            row.not(
              row.exists(
                row
                  .selectFrom('sound_streams')
                  .select('sound_streams.call_id')
                  .whereRef('sound_streams.call_id', '=', 'recording_parts.call_id')
                  .where('sound_streams.at', '>=', before),
              ),
            ),
          )
          .groupBy(['call_id', 'tenant'])
          .orderBy('call_id')
          .limit(limit)
          .execute();
        return rows.map(
          ({ call_id, tenant, newest }): CallInParts => ({
            callId: call_id as CallId,
            tenant: tenant as TenantId,
            storedAt: Number(newest),
          }),
        );
      }),

    forget: (callId) =>
      asking(async () => {
        const rows = await db.deleteFrom('recording_parts').where('call_id', '=', callId).returningAll().execute();
        return rows.map(toPart);
      }),
  };
}

function toPart(row: Selectable<Tables['recording_parts']>): RecordingPart {
  return {
    callId: row.call_id as CallId,
    tenant: row.tenant as TenantId,
    agent: row.agent as AgentId,
    file: row.file,
    salt: row.salt,
    startMs: row.start_ms,
    bytes: row.bytes,
    storedAt: row.stored_at,
  };
}
