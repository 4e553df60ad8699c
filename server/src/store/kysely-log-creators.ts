/** Who makes a call's log, over kysely. Every change names what it changes from, so that of two at once one wins. */
import type { ExpressionBuilder, Selectable } from 'kysely';
import type { CreatorOf, LogCreatorRow, LogCreatorStore } from './contract.ts';
import { asking, type Database } from './database.ts';
import type { Tables } from './tables.ts';

export function createLogCreatorStore({ db }: Database): LogCreatorStore {
  const rowOf =
    ({ tenant, agent, callId }: CreatorOf) =>
    (row: ExpressionBuilder<Tables, 'log_creators'>) =>
      row.and({ call_id: callId, tenant, agent });
  const kept = async (call: CreatorOf): Promise<LogCreatorRow | null> => {
    const row = await db.selectFrom('log_creators').selectAll().where(rowOf(call)).executeTakeFirst();
    return row === undefined ? null : toRow(row);
  };
  /** Only of a page whose log is not known yet. */
  const undecidedPage = (call: CreatorOf) =>
    db.updateTable('log_creators').where(rowOf(call)).where('creator', '=', 'page').where('page_log_id', 'is', null);

  return {
    decide: (call, creator, at) =>
      asking(async () => {
        const { tenant, agent, callId } = call;
        const fresh = await db
          .insertInto('log_creators')
          .values({
            call_id: callId,
            tenant,
            agent,
            creator,
            decided_at: at,
            fate: 'open',
            page_log_id: null,
            others: '{}',
          })
          .onConflict((conflict) => conflict.columns(['call_id', 'tenant', 'agent']).doNothing())
          .returningAll()
          .executeTakeFirst();
        if (fresh !== undefined) return toRow(fresh);
        const stands = await kept(call);
        return stands ?? { ...call, creator: 'relay', decidedAt: at, fate: 'open', pageLogId: null, others: {} };
      }),

    ofCalls: (calls) =>
      asking(async () => {
        if (calls.length === 0) return new Map();
        const rows = await db
          .selectFrom('log_creators')
          .selectAll()
          .where(
            'call_id',
            'in',
            calls.map(({ callId }) => callId),
          )
          .execute();
        const all = rows.map(toRow);
        return new Map(
          calls.flatMap((call) => {
            const row = all.find(
              ({ callId, tenant, agent }) => callId === call.callId && tenant === call.tenant && agent === call.agent,
            );
            return row === undefined ? [] : [[call.callId, row] as const];
          }),
        );
      }),

    made: (call, pageLogId) =>
      asking(async () => {
        await undecidedPage(call).set({ page_log_id: pageLogId, fate: 'made' }).execute();
        return await kept(call);
      }),

    takeOver: (call, fate) =>
      asking(async () => {
        await undecidedPage(call).set({ creator: 'relay', fate }).execute();
        return await kept(call);
      }),

    noteOther: (call, logId, what) =>
      asking(async () => {
        const row = await kept(call);
        if (row === null) return;
        const others = JSON.stringify({ ...row.others, [logId]: what });
        await db.updateTable('log_creators').set({ others }).where(rowOf(call)).execute();
      }),

    forgetUntold: (before) =>
      asking(async () => {
        const result = await db
          .deleteFrom('log_creators')
          .where('decided_at', '<', before)
          .where((row) =>
            row.not(
              row.exists(
                row.selectFrom('calls').select('calls.call_id').whereRef('calls.call_id', '=', 'log_creators.call_id'),
              ),
            ),
          )
          .executeTakeFirst();
        return Number(result.numDeletedRows);
      }),
  };
}

function toRow(row: Selectable<Tables['log_creators']>): LogCreatorRow {
  return {
    tenant: row.tenant as LogCreatorRow['tenant'],
    agent: row.agent as LogCreatorRow['agent'],
    callId: row.call_id as LogCreatorRow['callId'],
    creator: row.creator as LogCreatorRow['creator'],
    decidedAt: row.decided_at,
    fate: row.fate as LogCreatorRow['fate'],
    pageLogId: row.page_log_id,
    others: JSON.parse(row.others) as LogCreatorRow['others'],
  };
}
