/** What worked with which far side, over kysely. */
import type { RecoveryStore, TriedWay } from './contract.ts';
import { asking, type Database } from './database.ts';

export function createRecoveryStore(database: Database): RecoveryStore {
  const { db } = database;
  return {
    count: (tenant, { peer, way, worked, at }, mostRows) =>
      asking(async () => {
        await database.batch([
          {
            query: db
              .insertInto('recoveries')
              .values({
                tenant,
                peer,
                way,
                worked: worked ? 1 : 0,
                failed: worked ? 0 : 1,
                last_worked: worked ? 1 : 0,
                last_at: at,
              })
              .onConflict((conflict) =>
                conflict.columns(['tenant', 'peer', 'way']).doUpdateSet((own) => ({
                  worked: own('recoveries.worked', '+', worked ? 1 : 0),
                  failed: own('recoveries.failed', '+', worked ? 0 : 1),
                  // A word that comes late is counted, and is not the newest truth.
                  last_worked: own
                    .case()
                    .when(own('excluded.last_at', '>=', own.ref('recoveries.last_at')))
                    .then(own.ref('excluded.last_worked'))
                    .else(own.ref('recoveries.last_worked'))
                    .end(),
                  last_at: own
                    .case()
                    .when(own('excluded.last_at', '>=', own.ref('recoveries.last_at')))
                    .then(own.ref('excluded.last_at'))
                    .else(own.ref('recoveries.last_at'))
                    .end(),
                })),
              ),
          },
          {
            query: db
              .deleteFrom('recoveries')
              .where('tenant', '=', tenant)
              .where((row) =>
                row(
                  row.refTuple('peer', 'way'),
                  'not in',
                  row
                    .selectFrom('recoveries')
                    .select(['peer', 'way'])
                    .where('tenant', '=', tenant)
                    .orderBy('last_at', 'desc')
                    .orderBy('peer')
                    .orderBy('way')
                    .limit(mostRows)
                    .$asTuple('peer', 'way'),
                ),
              ),
          },
        ]);
      }),

    of: (tenant, limit) =>
      asking(async () => {
        const rows = await db
          .selectFrom('recoveries')
          .selectAll()
          .where('tenant', '=', tenant)
          .orderBy('last_at', 'desc')
          .orderBy('peer')
          .orderBy('way')
          .limit(limit)
          .execute();
        return rows.map((row) => ({
          peer: row.peer,
          way: row.way as TriedWay,
          worked: row.worked,
          failed: row.failed,
          lastWorked: row.last_worked === 1,
          lastAt: row.last_at,
        }));
      }),
  };
}
