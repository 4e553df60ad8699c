/** Policies of tenants that were changed outside the configuration, over kysely. */
import type { PolicyStore } from './contract.ts';
import { asking, type Database } from './database.ts';

export function createPolicyStore({ db }: Database): PolicyStore {
  return {
    of: (tenant) =>
      asking(async () => {
        const rows = await db
          .selectFrom('tenant_policies')
          .selectAll()
          .where('tenant', '=', tenant)
          .orderBy('policy')
          .execute();
        return rows.map((row) => ({
          policy: row.policy,
          value: row.value,
          changedBy: row.changed_by,
          changedAt: row.changed_at,
        }));
      }),

    put: (tenant, { policy, value, changedBy, changedAt }) =>
      asking(async () => {
        await db
          .insertInto('tenant_policies')
          .values({ tenant, policy, value, changed_by: changedBy, changed_at: changedAt })
          .onConflict((conflict) =>
            conflict.columns(['tenant', 'policy']).doUpdateSet((row) => ({
              value: row.ref('excluded.value'),
              changed_by: row.ref('excluded.changed_by'),
              changed_at: row.ref('excluded.changed_at'),
            })),
          )
          .execute();
      }),

    reset: (tenant, policy) =>
      asking(async () => {
        await db.deleteFrom('tenant_policies').where('tenant', '=', tenant).where('policy', '=', policy).execute();
      }),
  };
}
