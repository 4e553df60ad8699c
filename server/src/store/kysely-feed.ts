/** Events in the order of their commits, over kysely. The database numbers them (`migrations/live-feed.ts`); this reads. */
import type { Envelope } from '@patchcord/call-protocol';
import { sql } from 'kysely';
import type { FeedCursor, FeedEvent, FeedStore } from './contract.ts';
import { asking, type Database } from './database.ts';

export function createFeedStore({ db, locksRows }: Database): FeedStore {
  // PostgreSQL: a transaction that is still open may write before what is already committed, so reading stops short of the oldest open one.
  const settled = locksRows ? sql`xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint` : sql`1 = 1`;

  return {
    deployment: () =>
      asking(async () => {
        const row = await db.selectFrom('deployment').select('id').executeTakeFirstOrThrow();
        return row.id;
      }),

    end: () =>
      asking(async () => {
        const { rows } = await (locksRows
          ? sql<FeedCursor>`select pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1 as xact, ${Number.MAX_SAFE_INTEGER}::bigint as position`
          : sql<FeedCursor>`select 0 as xact, value as position from event_positions`
        ).execute(db);
        const [row] = rows;
        if (row === undefined) throw new Error('the feed has no end');
        return { xact: Number(row.xact), position: Number(row.position) };
      }),

    after: (cursor, { tenant, agent, since, limit }) =>
      asking(async () => {
        let query = db
          .selectFrom('events')
          .select(['xact', 'position', 'tenant', 'agent', 'call_id', 'seq', 'envelope'])
          .where('tenant', '=', tenant)
          .where(sql<boolean>`(xact, position) > (${cursor.xact}, ${cursor.position})`)
          .where(sql<boolean>`${settled}`)
          .where('received_at', '>=', since);
        if (agent !== undefined) query = query.where('agent', '=', agent);
        const rows = await query.orderBy('xact').orderBy('position').limit(limit).execute();
        return rows.map(
          (row): FeedEvent => ({
            cursor: { xact: row.xact ?? 0, position: row.position ?? 0 },
            tenant: row.tenant as FeedEvent['tenant'],
            agent: row.agent as FeedEvent['agent'],
            callId: row.call_id as FeedEvent['callId'],
            seq: row.seq,
            envelope: JSON.parse(row.envelope) as Envelope,
          }),
        );
      }),

    ofCall: (callId, afterSeq, limit) =>
      asking(async () => {
        const call = await db
          .selectFrom('calls')
          .select(['tenant', 'agent'])
          .where('call_id', '=', callId)
          .executeTakeFirst();
        if (call === undefined) return null;
        const rows = await db
          .selectFrom('events')
          .select(['seq', 'envelope'])
          .where('call_id', '=', callId)
          .where('seq', '>', afterSeq)
          .orderBy('seq')
          .limit(limit)
          .execute();
        return {
          tenant: call.tenant as FeedEvent['tenant'],
          agent: call.agent as FeedEvent['agent'],
          events: rows.map((row) => ({ seq: row.seq ?? 0, envelope: JSON.parse(row.envelope) as Envelope })),
        };
      }),

    seqOf: (source, id) =>
      asking(async () => {
        const row = await db
          .selectFrom('events')
          .select('seq')
          .where('source', '=', source)
          .where('id', '=', id)
          .executeTakeFirst();
        return row?.seq ?? null;
      }),
  };
}
