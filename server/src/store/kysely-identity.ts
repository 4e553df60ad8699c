/** Sessions, pairing codes, sign-ins and one-time proofs over kysely. Sees hashes of tokens and codes, never themselves. */
import type { AgentRole } from '@patchcord/call-protocol';
import type { Selectable } from 'kysely';
import type { IdentityStore, SessionTokens, SignInAttempt, SignInClaim, StoredSession } from './contract.ts';
import { asking, type Database } from './database.ts';
import type { Tables } from './tables.ts';

export function createIdentityStore({ db }: Database): IdentityStore {
  return {
    addSession: (session) =>
      asking(async () => {
        await db
          .insertInto('sessions')
          .values({
            token_hash: session.id,
            tenant: session.tenant,
            agent: session.agent,
            device: session.device,
            created_at: session.createdAt,
            expires_at: session.expiresAt,
            revoked_at: null,
            key_thumbprint: session.keyThumbprint,
            salt: session.salt,
            label: session.label,
            way: session.way,
            role: session.role,
            ...tokenColumns(session),
            last_seen_at: session.lastSeenAt,
          })
          .execute();
      }),

    findSession: (id, now) =>
      asking(async () => {
        const row = await db
          .selectFrom('sessions')
          .selectAll()
          .where('token_hash', '=', id)
          .where('expires_at', '>', now)
          .where('revoked_at', 'is', null)
          .where('key_thumbprint', 'is not', null)
          .executeTakeFirst();
        return row === undefined ? null : toSession(row);
      }),

    rotateSession: (id, refreshHash, next, now) =>
      asking(async () => {
        const rows = await db
          .updateTable('sessions')
          .set({ ...tokenColumns(next), last_seen_at: now })
          .where('token_hash', '=', id)
          .where('refresh_hash', '=', refreshHash)
          .where('expires_at', '>', now)
          .where('revoked_at', 'is', null)
          .returning('token_hash')
          .execute();
        return rows.length > 0;
      }),

    sessionsOf: (tenant, agent, now) =>
      asking(async () => {
        const rows = await db
          .selectFrom('sessions')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .where('revoked_at', 'is', null)
          .where('expires_at', '>', now)
          .where('key_thumbprint', 'is not', null)
          .orderBy('created_at')
          .orderBy('token_hash')
          .execute();
        return rows.map(toSession);
      }),

    endSession: (id, now) =>
      asking(async () => {
        await db
          .updateTable('sessions')
          .set({ revoked_at: now })
          .where('token_hash', '=', id)
          .where('revoked_at', 'is', null)
          .execute();
      }),

    revokeSessions: (tenant, agent, now, device) =>
      asking(async () => {
        let query = db
          .updateTable('sessions')
          .set({ revoked_at: now })
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .where('revoked_at', 'is', null)
          .where('expires_at', '>', now);
        if (device !== undefined) query = query.where('device', '=', device);
        const result = await query.executeTakeFirst();
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
        await db.deleteFrom('sign_in_claims').where('tenant', '=', tenant).where('agent', '=', agent).execute();
      }),

    useProofs: (proofs) =>
      asking(async () => {
        if (proofs.length === 0) return new Set<string>();
        // In one order, so that two relays that see the same proofs never wait for each other in a circle.
        const sorted = [...proofs].sort((one, other) => (one.key < other.key ? -1 : 1));
        const rows = await db
          .insertInto('used_proofs')
          .values(sorted.map(({ key, expiresAt }) => ({ key, expires_at: expiresAt })))
          .onConflict((conflict) => conflict.column('key').doNothing())
          .returning('key')
          .execute();
        return new Set(rows.map((row) => row.key));
      }),

    addSignIn: (attempt) =>
      asking(async () => {
        await db
          .insertInto('sign_ins')
          .values({
            state_hash: attempt.stateHash,
            tenant: attempt.tenant,
            way: attempt.way,
            challenge: attempt.challenge,
            sealed: attempt.sealed,
            expires_at: attempt.expiresAt,
          })
          .execute();
      }),

    takeSignIn: (stateHash, now) =>
      asking(async () => {
        const rows = await db.deleteFrom('sign_ins').where('state_hash', '=', stateHash).returningAll().execute();
        const row = rows[0];
        if (row === undefined || row.expires_at <= now) return null;
        return {
          stateHash: row.state_hash,
          tenant: row.tenant as SignInAttempt['tenant'],
          way: row.way,
          challenge: row.challenge,
          sealed: row.sealed,
          expiresAt: row.expires_at,
        };
      }),

    addClaim: (claim) =>
      asking(async () => {
        await db
          .insertInto('sign_in_claims')
          .values({
            claim_hash: claim.claimHash,
            tenant: claim.tenant,
            agent: claim.agent,
            way: claim.way,
            role: claim.role,
            challenge: claim.challenge,
            expires_at: claim.expiresAt,
          })
          .execute();
      }),

    takeClaim: (claimHash, now) =>
      asking(async () => {
        const rows = await db.deleteFrom('sign_in_claims').where('claim_hash', '=', claimHash).returningAll().execute();
        const row = rows[0];
        if (row === undefined || row.expires_at <= now) return null;
        return {
          claimHash: row.claim_hash,
          tenant: row.tenant as SignInClaim['tenant'],
          agent: row.agent as SignInClaim['agent'],
          way: row.way,
          role: row.role as AgentRole | null,
          challenge: row.challenge,
          expiresAt: row.expires_at,
        };
      }),
  };
}

function tokenColumns(tokens: SessionTokens) {
  return {
    access_hash: tokens.accessHash,
    access_expires_at: tokens.accessExpiresAt,
    previous_access_hash: tokens.previousAccessHash,
    previous_access_expires_at: tokens.previousAccessExpiresAt,
    refresh_hash: tokens.refreshHash,
    previous_refresh_hash: tokens.previousRefreshHash,
    refreshed_at: tokens.refreshedAt,
  };
}

/** Of a row whose `key_thumbprint` is set: then every other column is. */
export function toSession(row: Selectable<Tables['sessions']>): StoredSession {
  return {
    id: row.token_hash,
    tenant: row.tenant as StoredSession['tenant'],
    agent: row.agent as StoredSession['agent'],
    device: row.device as StoredSession['device'],
    keyThumbprint: row.key_thumbprint ?? '',
    salt: row.salt ?? '',
    label: row.label ?? '',
    way: row.way ?? '',
    role: row.role as AgentRole | null,
    accessHash: row.access_hash ?? '',
    accessExpiresAt: row.access_expires_at,
    previousAccessHash: row.previous_access_hash,
    previousAccessExpiresAt: row.previous_access_expires_at,
    refreshHash: row.refresh_hash ?? '',
    previousRefreshHash: row.previous_refresh_hash,
    refreshedAt: row.refreshed_at,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastSeenAt: row.last_seen_at,
  };
}
