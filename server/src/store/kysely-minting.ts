/** What minting asks and notes, over kysely: one question, and one transaction with the proof, the credential and the audit entry in it. */
import { randomUUID } from 'node:crypto';
import type { BrakeState, MintStore } from './contract.ts';
import { asking, type Database } from './database.ts';
import { auditRow } from './kysely-audit.ts';
import { everyAgent } from './kysely-brakes.ts';
import { issuedRow } from './kysely-credentials.ts';
import { toSession } from './kysely-identity.ts';
import { prepared } from './prepared.ts';
import type { Tables } from './tables.ts';

export function createMintStore(database: Database): MintStore {
  const { db } = database;

  const standing = prepared(db, (is: { sessionId: string; issuedSince: number; now: number }) =>
    db
      .selectFrom('sessions')
      .leftJoin('brake_states', (join) =>
        join
          .onRef('brake_states.tenant', '=', 'sessions.tenant')
          .on((row) =>
            row.or([
              row('brake_states.agent', '=', row.ref('sessions.agent')),
              row('brake_states.agent', '=', everyAgent),
            ]),
          )
          .on((row) => row.or([row('brake_states.until', 'is', null), row('brake_states.until', '>', is.now)])),
      )
      .selectAll('sessions')
      .select([
        'brake_states.agent as brake_agent',
        'brake_states.level as brake_level',
        'brake_states.cause as brake_cause',
        'brake_states.reason as brake_reason',
        'brake_states.since as brake_since',
        'brake_states.until as brake_until',
      ])
      .select((row) => [
        row
          .selectFrom('denied_agents')
          .select('denied_agents.until')
          .whereRef('denied_agents.tenant', '=', 'sessions.tenant')
          .whereRef('denied_agents.agent', '=', 'sessions.agent')
          .as('denied_until'),
        row
          .selectFrom('issued_credentials')
          .select((count) => count.fn.countAll<number>().as('issued'))
          .whereRef('issued_credentials.tenant', '=', 'sessions.tenant')
          .whereRef('issued_credentials.agent', '=', 'sessions.agent')
          .where('issued_credentials.issued_at', '>=', is.issuedSince)
          .as('issued_lately'),
        row
          .selectFrom('issued_credentials')
          .select((newest) => newest.fn.max('issued_credentials.expires_at').as('lapses'))
          .whereRef('issued_credentials.tenant', '=', 'sessions.tenant')
          .whereRef('issued_credentials.agent', '=', 'sessions.agent')
          .where('issued_credentials.issued_at', '>=', is.issuedSince)
          .as('newest_lapses_at'),
      ])
      .where('sessions.token_hash', '=', is.sessionId)
      .where('sessions.expires_at', '>', is.now)
      .where('sessions.revoked_at', 'is', null)
      .where('sessions.key_thumbprint', 'is not', null),
  );

  const stillStands = prepared(db, (is: Guard) => {
    const guard = db
      .selectFrom('sessions')
      .select('token_hash')
      .where('token_hash', '=', is.sessionId)
      .where('expires_at', '>', is.now)
      .where('revoked_at', 'is', null)
      .where('access_hash', '=', is.accessHash)
      .where((row) =>
        row.not(
          row.exists(
            row
              .selectFrom('brake_states')
              .select('level')
              .where('brake_states.tenant', '=', is.tenant)
              .where((state) => state.or([state('agent', '=', is.agent), state('agent', '=', everyAgent)]))
              .where('level', '=', 'all')
              .where((state) => state.or([state('until', 'is', null), state('until', '>', is.now)])),
          ),
        ),
      )
      .where((row) =>
        row.not(
          row.exists(
            row
              .selectFrom('denied_agents')
              .select('until')
              .where('denied_agents.tenant', '=', is.tenant)
              .where('denied_agents.agent', '=', is.agent)
              .where('until', '>', is.deniedUntil),
          ),
        ),
      )
      .where(
        (row) =>
          row
            .selectFrom('issued_credentials')
            .select((count) => count.fn.countAll<number>().as('issued'))
            .where('issued_credentials.tenant', '=', is.tenant)
            .where('issued_credentials.agent', '=', is.agent)
            .where('issued_at', '>=', is.issuedSince),
        '<',
        is.mostIssued,
      );
    // Whoever ends the session waits for this transaction, and then finds the credential. SQLite has one writer at a time anyway.
    return database.locksRows ? guard.forShare('sessions') : guard;
  });
  const useProof = prepared(db, (proof: Tables['used_proofs']) =>
    db
      .insertInto('used_proofs')
      .values({ key: proof.key, expires_at: proof.expires_at })
      .onConflict((conflict) => conflict.column('key').doNothing()),
  );
  const usedProof = prepared(db, (is: { key: string }) =>
    db.selectFrom('used_proofs').select('key').where('key', '=', is.key),
  );
  const add = prepared(db, (row: Tables['issued_credentials']) =>
    db
      .insertInto('issued_credentials')
      .values(eachOf(row))
      .onConflict((conflict) => conflict.columns(['tenant', 'username']).doNothing()),
  );
  const renew = prepared(db, (row: Tables['issued_credentials']) => {
    const { id: _id, tenant: _tenant, username: _username, ...renewed } = eachOf(row);
    return db
      .insertInto('issued_credentials')
      .values(eachOf(row))
      .onConflict((conflict) =>
        conflict
          .columns(['tenant', 'username'])
          .doUpdateSet(renewed)
          .where('issued_credentials.agent', '=', row.agent)
          .where('issued_credentials.device', '=', row.device),
      );
  });
  const noteAct = prepared(db, (row: Tables['audit']) =>
    db.insertInto('audit').values({
      id: row.id,
      tenant: row.tenant,
      at: row.at,
      actor: row.actor,
      act: row.act,
      subject: row.subject,
      data: row.data,
    }),
  );

  return {
    standing: (sessionId, issuedSince, now) =>
      asking(async () => {
        const rows = await standing.rows({ sessionId, issuedSince, now });
        const [first] = rows;
        if (first === undefined) return null;
        const session = toSession(first);
        const brakes = rows.flatMap((row): BrakeState[] =>
          row.brake_level === null
            ? []
            : [
                {
                  tenant: session.tenant,
                  agent: row.brake_agent === everyAgent ? null : session.agent,
                  level: row.brake_level as BrakeState['level'],
                  cause: row.brake_cause ?? '',
                  reason: row.brake_reason ?? '',
                  since: row.brake_since ?? 0,
                  until: row.brake_until,
                },
              ],
        );
        return {
          ...session,
          deniedUntil: first.denied_until ?? 0,
          issuedLately: first.issued_lately ?? 0,
          newestLapsesAt: first.newest_lapses_at,
          brakes,
        };
      }),

    note: (credential, how, { standing: found, limit, proof, audit, now }) =>
      asking(async () => {
        const guard: Guard = {
          sessionId: found.id,
          tenant: found.tenant,
          agent: found.agent,
          accessHash: found.accessHash,
          deniedUntil: found.deniedUntil,
          issuedSince: limit.since,
          mostIssued: limit.most,
          now,
        };
        // The session first: its lock keeps the order in which everybody waits for everybody.
        const kept = await database.batch([
          stillStands.with(guard, { mustChange: true }),
          useProof.with({ key: proof.key, expires_at: proof.expiresAt }, { mustChange: true }),
          (how === 'add' ? add : renew).with({ id: randomUUID(), ...issuedRow(credential) }, { mustChange: true }),
          noteAct.with(auditRow(audit)),
        ]);
        if (kept !== null) return 'noted';
        // Nothing was kept; now there is time to find out why.
        if ((await usedProof.rows({ key: proof.key })).length > 0) return 'replayed';
        return (await stillStands.rows(guard)).length === 0 ? 'stale' : 'taken';
      }),
  };
}

/** What must still be so when a credential is noted. */
interface Guard {
  readonly sessionId: string;
  readonly tenant: string;
  readonly agent: string;
  readonly accessHash: string;
  readonly deniedUntil: number;
  readonly issuedSince: number;
  readonly mostIssued: number;
  readonly now: number;
}

/** The columns by name: what stands in for a row while a statement is prepared can't be listed. */
function eachOf(row: Tables['issued_credentials']): Tables['issued_credentials'] {
  return {
    id: row.id,
    tenant: row.tenant,
    agent: row.agent,
    device: row.device,
    username: row.username,
    kind: row.kind,
    extension: row.extension,
    sip_user: row.sip_user,
    ha1: row.ha1,
    issued_at: row.issued_at,
    expires_at: row.expires_at,
    revoked_at: row.revoked_at,
  };
}
