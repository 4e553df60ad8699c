/** Legal holds and forgetting over kysely. Must never know how old is old. */
import { sql } from 'kysely';
import type { KeepingStore, LegalHold } from './contract.ts';
import { asking, type BatchStatement, type Database } from './database.ts';
import { toCall } from './statements.ts';
import { dataTables } from './whole-tables.ts';

export function createKeepingStore(database: Database): KeepingStore {
  const { db } = database;
  /** Tables that name a call; a relay's tables don't change while it runs. */
  let hanging: Promise<readonly string[]> | undefined;
  const tablesOfACall = (): Promise<readonly string[]> => {
    hanging ??= dataTables(database)
      .then((tables) =>
        tables.filter(({ name, columns }) => name !== 'calls' && columns.includes('call_id')).map(({ name }) => name),
      )
      .catch((error: unknown) => {
        hanging = undefined;
        throw error;
      });
    return hanging;
  };

  return {
    holds: (tenant) =>
      asking(async () => {
        let query = db.selectFrom('legal_holds').selectAll().orderBy('tenant').orderBy('at');
        if (tenant !== undefined) query = query.where('tenant', '=', tenant);
        return (await query.execute()).map((row) => row as LegalHold);
      }),

    addHold: (hold) =>
      asking(async () => {
        const rows = await db
          .insertInto('legal_holds')
          .values(hold)
          .onConflict((conflict) => conflict.columns(['tenant', 'kind', 'subject']).doNothing())
          .returning('subject')
          .execute();
        return rows.length > 0;
      }),

    releaseHold: (tenant, kind, subject) =>
      asking(async () => {
        const rows = await db
          .deleteFrom('legal_holds')
          .where('tenant', '=', tenant)
          .where('kind', '=', kind)
          .where('subject', '=', subject)
          .returning('subject')
          .execute();
        return rows.length > 0;
      }),

    oldCalls: (before, place, limit) =>
      asking(async () => {
        let query = db
          .selectFrom('calls')
          .selectAll()
          .where('open', '=', 0)
          .where('touched_at', '<', before)
          .where('log_state', 'not in', ['waiting', 'failed'])
          .orderBy('touched_at')
          .orderBy('call_id')
          .limit(limit);
        if (place !== null) {
          query = query.where((row) =>
            row.or([
              row('touched_at', '>', place.touchedAt),
              row.and([row('touched_at', '=', place.touchedAt), row('call_id', '>', place.callId)]),
            ]),
          );
        }
        return (await query.execute()).map(toCall);
      }),

    forgetCalls: (callIds, options) =>
      asking(async () => {
        if (callIds.length === 0) return { calls: 0, rows: 0 };
        const tables = await tablesOfACall();
        const ids = sql.join([...callIds]);
        const written = options?.evenUnwritten
          ? sql``
          : sql`and calls.log_state not in ('waiting', 'failed') and calls.open = 0`;
        // The calls go last: what hangs on them is found by their still being there.
        const going = sql`select calls.call_id from calls where calls.call_id in (${ids}) ${written} and not exists
          (select 1 from legal_holds where legal_holds.tenant = calls.tenant and legal_holds.kind = 'call'
            and legal_holds.subject = calls.call_id)`;
        const forget = (table: string): BatchStatement => {
          const statement = sql`delete from ${sql.table(table)} where call_id in (${going}) returning call_id`;
          return { query: { compile: () => statement.compile(db) } };
        };
        const lockCalls = sql`select call_id from calls where call_id in (${ids}) order by call_id for update`;
        const results = await database.batch([
          // Before anything of theirs: the order in which everybody locks.
          ...(database.locksRows ? [{ query: { compile: () => lockCalls.compile(db) } }] : []),
          ...[...tables, 'calls'].map(forget),
        ]);
        const counts = (results ?? []).slice(database.locksRows ? 1 : 0).map((rows) => rows.length);
        const calls = counts.pop() ?? 0;
        return { calls, rows: counts.reduce((sum, count) => sum + count, 0) };
      }),

    setBackClock: (now, byMs) =>
      asking(async () => {
        await database.batch([
          {
            query: db
              .updateTable('outbox')
              .set((row) => ({ due_at: row('due_at', '-', byMs) }))
              .where('due_at', '>', now),
          },
          {
            query: db
              .updateTable('outbox')
              .set((row) => ({ lease_until: row('lease_until', '-', byMs) }))
              .where('lease_until', '>', now),
          },
        ]);
      }),

    forgetLooseEvents: (before, limit) =>
      asking(async () => {
        const rows = await db
          .deleteFrom('events')
          .where((row) =>
            row(
              row.refTuple('source', 'id'),
              'in',
              row
                .selectFrom('events')
                .select(['source', 'id'])
                .where('received_at', '<', before)
                .where('call_id', 'is', null)
                .orderBy('received_at')
                .limit(limit)
                .$asTuple('source', 'id'),
            ),
          )
          .returning('id')
          .execute();
        return rows.length;
      }),

    forgetDeadWebhooks: (before) =>
      asking(async () => {
        const result = await db
          .deleteFrom('outbox')
          .where('state', '=', 'dead')
          .where('kind', '=', 'webhook')
          .where('call_id', 'is', null)
          .where('created_at', '<', before)
          .executeTakeFirst();
        return Number(result.numDeletedRows);
      }),
  };
}
