/** Alerts over kysely. */
import type { Selectable } from 'kysely';
import type { AlertStore, StoredAlert } from './contract.ts';
import { asking, type Database } from './database.ts';
import { enqueue, insertEvent } from './statements.ts';
import type { Tables } from './tables.ts';

export function createAlertStore(database: Database): AlertStore {
  const { db } = database;
  return {
    raise: (alert, event, effects) =>
      asking(async () => {
        const kept = await database.batch([
          {
            query: db
              .insertInto('alerts')
              .values({
                id: alert.id,
                tenant: alert.tenant,
                agent: alert.agent,
                kind: alert.kind,
                message: alert.message,
                data: JSON.stringify(alert.data),
                at: alert.at,
                times: 1,
                acknowledged_at: null,
                acknowledged_by: null,
              })
              .onConflict((conflict) => conflict.column('id').doNothing())
              .returning('id'),
            mustChange: true,
          },
          insertEvent(db, event, false),
          ...effects.map((effect) => enqueue(db, effect)),
        ]);
        if (kept !== null) return true;
        await db
          .updateTable('alerts')
          .set((row) => ({ times: row('times', '+', 1) }))
          .where('id', '=', alert.id)
          .execute();
        return false;
      }),

    list: (tenant, { limit, open }) =>
      asking(async () => {
        let query = db.selectFrom('alerts').selectAll().where('tenant', '=', tenant);
        if (open) query = query.where('acknowledged_at', 'is', null);
        return (await query.orderBy('at', 'desc').limit(limit).execute()).map(toAlert);
      }),

    find: (id) =>
      asking(async () => {
        const row = await db.selectFrom('alerts').selectAll().where('id', '=', id).executeTakeFirst();
        return row === undefined ? null : toAlert(row);
      }),

    acknowledge: (id, by, now) =>
      asking(async () => {
        const rows = await db
          .updateTable('alerts')
          .set({ acknowledged_at: now, acknowledged_by: by })
          .where('id', '=', id)
          .where('acknowledged_at', 'is', null)
          .returning('id')
          .execute();
        return rows.length > 0;
      }),

    forgetAlerts: (before) =>
      asking(async () => {
        const result = await db.deleteFrom('alerts').where('at', '<', before).executeTakeFirst();
        return Number(result.numDeletedRows);
      }),
  };
}

function toAlert(row: Selectable<Tables['alerts']>): StoredAlert {
  return {
    id: row.id,
    tenant: row.tenant as StoredAlert['tenant'],
    agent: row.agent as StoredAlert['agent'],
    kind: row.kind,
    message: row.message,
    data: JSON.parse(row.data) as StoredAlert['data'],
    at: row.at,
    times: row.times,
    acknowledgedAt: row.acknowledged_at,
    acknowledgedBy: row.acknowledged_by,
  };
}
