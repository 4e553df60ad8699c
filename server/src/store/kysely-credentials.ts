/** Issued and denied credentials over kysely. */
import { randomUUID } from 'node:crypto';
import type { TenantId } from '@patchcord/call-protocol';
import type { CredentialStore, IssuedCredential } from './contract.ts';
import { asking, type Database } from './database.ts';
import type { Tables } from './tables.ts';

export function createCredentialStore({ db }: Database): CredentialStore {
  const live = (tenant: TenantId, now: number) =>
    db
      .selectFrom('issued_credentials')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('expires_at', '>', now)
      .where('revoked_at', 'is', null)
      .orderBy('expires_at')
      .orderBy('username');
  return {
    addIssued: (credential) =>
      asking(async () => {
        const rows = await db
          .insertInto('issued_credentials')
          .values({ id: randomUUID(), ...issuedRow(credential) })
          .onConflict((conflict) => conflict.columns(['tenant', 'username']).doNothing())
          .returning('id')
          .execute();
        return rows.length > 0;
      }),

    renewIssued: (credential) =>
      asking(async () => {
        const { tenant: _tenant, username: _username, ...renewed } = issuedRow(credential);
        const rows = await db
          .insertInto('issued_credentials')
          .values({ id: randomUUID(), ...issuedRow(credential) })
          .onConflict((conflict) =>
            conflict
              .columns(['tenant', 'username'])
              .doUpdateSet(renewed)
              .where('issued_credentials.agent', '=', credential.agent)
              .where('issued_credentials.device', '=', credential.device),
          )
          .returning('id')
          .execute();
        return rows.length > 0;
      }),

    liveCredentials: (tenant, agent, now) =>
      asking(async () => (await live(tenant, now).where('agent', '=', agent).execute()).map(issuedOf)),

    liveOfTenant: (tenant, now) => asking(async () => (await live(tenant, now).execute()).map(issuedOf)),

    liveByUsername: (tenant, username, now) =>
      asking(async () => {
        const row = await live(tenant, now).where('username', '=', username).executeTakeFirst();
        return row === undefined ? null : issuedOf(row);
      }),

    liveOfExtension: (tenant, extension, now) =>
      asking(async () => (await live(tenant, now).where('extension', '=', extension).execute()).map(issuedOf)),

    revokeIssued: (tenant, agent, device, now) =>
      asking(async () => {
        const all = db
          .updateTable('issued_credentials')
          .set({ revoked_at: now })
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .where('expires_at', '>', now)
          .where('revoked_at', 'is', null);
        const rows = await (device === null ? all : all.where('device', '=', device)).returningAll().execute();
        return rows.map(issuedOf);
      }),

    revokedCredentials: (tenant, lapsedAfter) =>
      asking(async () => {
        const rows = await db
          .selectFrom('issued_credentials')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('expires_at', '>', lapsedAfter)
          .where('revoked_at', 'is not', null)
          .execute();
        return rows.map(issuedOf);
      }),

    issuedTo: (tenant, agent, lapsedAfter) =>
      asking(async () => {
        const rows = await db
          .selectFrom('issued_credentials')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .where('expires_at', '>', lapsedAfter)
          .execute();
        return rows.map(issuedOf);
      }),

    lastExtension: (tenant, agent) =>
      asking(async () => {
        const row = await db
          .selectFrom('issued_credentials')
          .select('extension')
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .where('extension', 'is not', null)
          .orderBy('issued_at', 'desc')
          .executeTakeFirst();
        return row?.extension ?? null;
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

/** The columns of a credential, but its own id. */
export function issuedRow(credential: IssuedCredential): Omit<Tables['issued_credentials'], 'id'> {
  return {
    tenant: credential.tenant,
    agent: credential.agent,
    device: credential.device,
    username: credential.username,
    kind: credential.kind,
    extension: credential.extension,
    sip_user: credential.user,
    ha1: credential.ha1,
    issued_at: credential.issuedAt,
    expires_at: credential.expiresAt,
    revoked_at: credential.revokedAt,
  };
}

function issuedOf(row: Tables['issued_credentials']): IssuedCredential {
  return {
    tenant: row.tenant as TenantId,
    agent: row.agent as IssuedCredential['agent'],
    device: row.device as IssuedCredential['device'],
    username: row.username,
    kind: row.kind,
    extension: row.extension,
    user: row.sip_user,
    ha1: row.ha1,
    issuedAt: row.issued_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  };
}
