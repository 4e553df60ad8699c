/** Revocations over kysely. */
import type { RevocationStore, StoredRevocation } from './contract.ts';
import { asking, type Database } from './database.ts';

export function createRevocationStore({ db }: Database): RevocationStore {
  return {
    add: (revocation) =>
      asking(async () => {
        await db
          .insertInto('revocations')
          .values(revocation)
          .onConflict((conflict) => conflict.column('id').doNothing())
          .execute();
      }),

    since: (at) =>
      asking(async () => {
        const rows = await db.selectFrom('revocations').selectAll().where('at', '>=', at).orderBy('at').execute();
        return rows as unknown as readonly StoredRevocation[];
      }),
  };
}
