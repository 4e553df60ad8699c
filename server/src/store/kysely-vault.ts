/** Sealed secrets over kysely. Knows no key. */
import type { Selectable } from 'kysely';
import type { SealedSecret, VaultStore } from './contract.ts';
import { asking, type Database } from './database.ts';
import type { Tables } from './tables.ts';

export function createVaultStore({ db }: Database): VaultStore {
  return {
    find: (tenant, kind) =>
      asking(async () => {
        const row = await db
          .selectFrom('vault')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('kind', '=', kind)
          .executeTakeFirst();
        return row === undefined ? null : toSecret(row);
      }),

    put: (secret, from) =>
      asking(async () => {
        const columns = { key_id: secret.keyId, sealed: secret.sealed, changed_at: secret.changedAt };
        if (from === 0) {
          const rows = await db
            .insertInto('vault')
            .values({ tenant: secret.tenant, kind: secret.kind, version: 1, ...columns })
            .onConflict((conflict) => conflict.columns(['tenant', 'kind']).doNothing())
            .returning('version')
            .execute();
          return rows.length > 0;
        }
        const rows = await db
          .updateTable('vault')
          .set({ ...columns, version: from + 1 })
          .where('tenant', '=', secret.tenant)
          .where('kind', '=', secret.kind)
          .where('version', '=', from)
          .returning('version')
          .execute();
        return rows.length > 0;
      }),

    sealedOtherwise: (keyId, limit) =>
      asking(async () => {
        const rows = await db
          .selectFrom('vault')
          .selectAll()
          .where('key_id', '!=', keyId)
          .orderBy('tenant')
          .orderBy('kind')
          .limit(limit)
          .execute();
        return rows.map(toSecret);
      }),

    countByKey: () =>
      asking(async () => {
        const rows = await db
          .selectFrom('vault')
          .select((row) => ['key_id', row.fn.countAll<number>().as('secrets')])
          .groupBy('key_id')
          .execute();
        return new Map(rows.map((row) => [row.key_id, Number(row.secrets)]));
      }),

    remove: (tenant, kind) =>
      asking(async () => {
        const rows = await db
          .deleteFrom('vault')
          .where('tenant', '=', tenant)
          .where('kind', '=', kind)
          .returning('kind')
          .execute();
        return rows.length > 0;
      }),
  };
}

function toSecret(row: Selectable<Tables['vault']>): SealedSecret {
  return {
    tenant: row.tenant as SealedSecret['tenant'],
    kind: row.kind,
    keyId: row.key_id,
    sealed: row.sealed,
    version: row.version,
    changedAt: row.changed_at,
  };
}
