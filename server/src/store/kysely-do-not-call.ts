/** The lists of numbers that must not be called, over kysely. Must never make a hash. */
import type { Selectable } from 'kysely';
import type { DoNotCallStore, StoredDoNotCall } from './contract.ts';
import { asking, type Database } from './database.ts';
import type { Tables } from './tables.ts';

export function createDoNotCallStore({ db }: Database): DoNotCallStore {
  const find = async (tenant: string, numberHash: string): Promise<StoredDoNotCall | null> => {
    const row = await db
      .selectFrom('do_not_call')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('number_hash', '=', numberHash)
      .executeTakeFirst();
    return row === undefined ? null : toEntry(row);
  };
  return {
    put: (entry, most) =>
      asking(async () => {
        if ((await find(entry.tenant, entry.numberHash)) === null) {
          const { there } = await db
            .selectFrom('do_not_call')
            .select((row) => row.fn.countAll<number>().as('there'))
            .where('tenant', '=', entry.tenant)
            .executeTakeFirstOrThrow();
          if (Number(there) >= most) return false;
        }
        const row: Tables['do_not_call'] = {
          tenant: entry.tenant,
          number_hash: entry.numberHash,
          number: entry.number,
          reason: entry.reason,
          added_by: entry.addedBy,
          added_at: entry.addedAt,
        };
        await db
          .insertInto('do_not_call')
          .values(row)
          .onConflict((conflict) =>
            conflict
              .columns(['tenant', 'number_hash'])
              .doUpdateSet({ number: row.number, reason: row.reason, added_by: row.added_by, added_at: row.added_at }),
          )
          .execute();
        return true;
      }),

    find: (tenant, numberHash) => asking(() => find(tenant, numberHash)),

    list: (tenant, after, limit) =>
      asking(async () => {
        let query = db
          .selectFrom('do_not_call')
          .selectAll()
          .where('tenant', '=', tenant)
          .orderBy('added_at', 'desc')
          .orderBy('number_hash')
          .limit(limit);
        if (after !== null) {
          query = query.where((row) =>
            row.or([
              row('added_at', '<', after.addedAt),
              row.and([row('added_at', '=', after.addedAt), row('number_hash', '>', after.numberHash)]),
            ]),
          );
        }
        return (await query.execute()).map(toEntry);
      }),

    remove: (tenant, numberHash) =>
      asking(async () => {
        const rows = await db
          .deleteFrom('do_not_call')
          .where('tenant', '=', tenant)
          .where('number_hash', '=', numberHash)
          .returning('number_hash')
          .execute();
        return rows.length > 0;
      }),
  };
}

function toEntry(row: Selectable<Tables['do_not_call']>): StoredDoNotCall {
  return {
    tenant: row.tenant as StoredDoNotCall['tenant'],
    numberHash: row.number_hash,
    number: row.number,
    reason: row.reason,
    addedBy: row.added_by,
    addedAt: row.added_at,
  };
}
