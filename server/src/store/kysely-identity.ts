/** Sessions, pairing codes and one-time proofs over kysely. Sees hashes of tokens and codes, never themselves. */
import type { IdentityStore, StoredSession } from './contract.ts';
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
