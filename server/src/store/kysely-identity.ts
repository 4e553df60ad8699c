/** Sessions, pairing codes, one-time proofs and issued credentials over kysely. Sees hashes of tokens and codes, never themselves. */
import { randomUUID } from 'node:crypto';
import type { CredentialStore, IdentityStore, IssuedCredential, StoredSession } from './contract.ts';
import { asking, type Database } from './database.ts';

export function createIdentityStore({ db }: Database): IdentityStore {
  return {
    addSession: (session) =>
      asking(async () => {
        await db
          .insertInto('sessions')
          .values({
            token_hash: session.tokenHash,
            tenant: session.tenant,
            agent: session.agent,
            device: session.device,
            created_at: session.createdAt,
            expires_at: session.expiresAt,
            revoked_at: null,
          })
          .execute();
      }),

    findSession: (tokenHash, now) =>
      asking(async () => {
        const row = await db
          .selectFrom('sessions')
          .selectAll()
          .where('token_hash', '=', tokenHash)
          .where('expires_at', '>', now)
          .where('revoked_at', 'is', null)
          .executeTakeFirst();
        if (row === undefined) return null;
        return {
          tokenHash: row.token_hash,
          tenant: row.tenant as StoredSession['tenant'],
          agent: row.agent as StoredSession['agent'],
          device: row.device as StoredSession['device'],
          createdAt: row.created_at,
          expiresAt: row.expires_at,
        };
      }),

    revokeSessions: (tenant, agent, now) =>
      asking(async () => {
        const result = await db
          .updateTable('sessions')
          .set({ revoked_at: now })
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .where('revoked_at', 'is', null)
          .where('expires_at', '>', now)
          .executeTakeFirst();
        return Number(result.numUpdatedRows);
      }),

    addPairingCode: (code) =>
      asking(async () => {
        await db
          .insertInto('pairing_codes')
          .values({
            code_hash: code.codeHash,
            tenant: code.tenant,
            agent: code.agent,
            expires_at: code.expiresAt,
            used_at: null,
          })
          .execute();
      }),

    takePairingCode: (codeHash, now) =>
      asking(async () => {
        const rows = await db
          .updateTable('pairing_codes')
          .set({ used_at: now })
          .where('code_hash', '=', codeHash)
          .where('used_at', 'is', null)
          .where('expires_at', '>', now)
          .returning(['tenant', 'agent'])
          .execute();
        const row = rows[0];
        return row === undefined
          ? null
          : { tenant: row.tenant as StoredSession['tenant'], agent: row.agent as StoredSession['agent'] };
      }),

    revokePairingCodes: (tenant, agent, now) =>
      asking(async () => {
        await db
          .updateTable('pairing_codes')
          .set({ used_at: now })
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .where('used_at', 'is', null)
          .execute();
      }),

    useProof: (key, expiresAt) =>
      asking(async () => {
        const rows = await db
          .insertInto('used_proofs')
          .values({ key, expires_at: expiresAt })
          .onConflict((conflict) => conflict.column('key').doNothing())
          .returning('key')
          .execute();
        return rows.length > 0;
      }),
  };
}

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
