/** Kept words of calls over kysely. */
import type { TranscriptLine } from '@patchcord/call-protocol';
import { sql } from 'kysely';
import type { TranscriptStore } from './contract.ts';
import { asking, type Database } from './database.ts';

export function createTranscriptStore({ db }: Database): TranscriptStore {
  return {
    keep: ({ tenant, callId, line, at }) =>
      asking(async () => {
        await db
          .insertInto('transcript_lines')
          .values({
            call_id: callId,
            speaker: line.speaker,
            line: line.line,
            tenant,
            said: JSON.stringify(line),
            at,
          })
          .onConflict((conflict) =>
            conflict
              .columns(['call_id', 'speaker', 'line'])
              .doUpdateSet((own) => ({ said: own.ref('excluded.said'), at: own.ref('excluded.at') }))
              // A line for another customer's call takes nobody's place.
              .where('transcript_lines.tenant', '=', tenant),
          )
          .execute();
      }),

    of: (tenant, callId) =>
      asking(async () => {
        const rows = await db
          .selectFrom('transcript_lines')
          .select('said')
          .where('call_id', '=', callId)
          .where('tenant', '=', tenant)
          .execute();
        return rows
          .map(({ said }) => JSON.parse(said) as TranscriptLine)
          .sort((a, b) => a.startMs - b.startMs || a.line - b.line || (a.speaker < b.speaker ? -1 : 1));
      }),

    writtenAs: (callId) =>
      asking(async () => {
        const row = await db
          .selectFrom('transcripts_written')
          .select('crm_id')
          .where('call_id', '=', callId)
          .executeTakeFirst();
        return row?.crm_id ?? null;
      }),

    written: (tenant, callId, crmId, at) =>
      asking(async () => {
        await db
          .insertInto('transcripts_written')
          .values({ tenant, call_id: callId, crm_id: crmId, at })
          .onConflict((conflict) => conflict.column('call_id').doNothing())
          .execute();
      }),

    forgetLoose: (before, limit) =>
      asking(async () => {
        const { rows } = await sql`
          delete from transcript_lines where (call_id, speaker, line) in (
            select call_id, speaker, line from transcript_lines
            where at < ${before} and not exists (select 1 from calls where calls.call_id = transcript_lines.call_id)
            order by at limit ${limit})
          returning line`.execute(db);
        return rows.length;
      }),
  };
}
