/** Issued and denied credentials over kysely. */
import { randomUUID } from 'node:crypto';
import type { CredentialStore, IssuedCredential } from './contract.ts';
import { asking, type Database } from './database.ts';

export function createCredentialStore({ db }: Database): CredentialStore {
  return {
    addIssued: (credential) =>
      asking(async () => {
        const rows = await db
          .insertInto('issued_credentials')
          .values({
            id: randomUUID(),
            tenant: credential.tenant,
            agent: credential.agent,
            device: credential.device,
            username: credential.username,
            issued_at: credential.issuedAt,
            expires_at: credential.expiresAt,
          })
          .onConflict((conflict) => conflict.columns(['tenant', 'username']).doNothing())
          .returning('id')
          .execute();
        return rows.length > 0;
      }),

    liveCredentials: (tenant, agent, now) =>
      asking(async () => {
        const rows = await db
          .selectFrom('issued_credentials')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .where('expires_at', '>', now)
          .orderBy('expires_at')
          .execute();
        return rows.map((row) => ({
          tenant: row.tenant as IssuedCredential['tenant'],
          agent: row.agent as IssuedCredential['agent'],
          device: row.device as IssuedCredential['device'],
          username: row.username,
          issuedAt: row.issued_at,
          expiresAt: row.expires_at,
        }));
      }),

    denyUntil: (tenant, agent, extension, until, now) =>
      asking(async () => {
        await db
          .insertInto('denied_agents')
          .values({ tenant, agent, extension, until, denied_at: now })
          .onConflict((conflict) =>
            conflict.columns(['tenant', 'agent']).doUpdateSet((row) => ({
              until: row
                .case()
                .when('denied_agents.until', '>', row.ref('excluded.until'))
                .then(row.ref('denied_agents.until'))
                .else(row.ref('excluded.until'))
                .end(),
              extension: row.ref('excluded.extension'),
              denied_at: row.ref('excluded.denied_at'),
            })),
          )
          .execute();
      }),

    deniedUntil: (tenant, agent) =>
      asking(async () => {
        const row = await db
          .selectFrom('denied_agents')
          .select('until')
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .executeTakeFirst();
        return row?.until ?? 0;
      }),

    denials: (after) =>
      asking(async () => {
        const rows = await db.selectFrom('denied_agents').selectAll().where('until', '>', after).execute();
        return rows.map((row) => ({
          tenant: row.tenant as IssuedCredential['tenant'],
          agent: row.agent as IssuedCredential['agent'],
          extension: row.extension,
          until: row.until,
        }));
      }),
  };
}
