/**
 * The outbox over kysely: leases and fencing. A lease is a random token; every statement that settles an effect names it, so a holder whose
 * lease ran out (a paused process, a slow answer) can change nothing any more. Must never deliver.
 */
import { randomUUID } from 'node:crypto';
import type { TenantId } from '@patchcord/call-protocol';
import { type Kysely, type Selectable, sql } from 'kysely';
import type { Effect, EffectKind, LeasedEffect, LogResult, OutboxStore, StoredEvent } from './contract.ts';
import { asking, type BatchStatement, type Database } from './database.ts';
import { enqueue, insertEvent, setLogResult, toEffect } from './statements.ts';
import type { Tables } from './tables.ts';

type Outcome = Parameters<OutboxStore['done']>[2];

export function createOutboxStore(database: Database): OutboxStore {
  const { db } = database;

  /** Counts the claims, so that the tenants take turns in being first. */
  let turn = 0;

  /** Those behind a failed effect wait with it: so they are not looked at again and again in vain. */
  const holdBack = (orderKey: string, until: number): BatchStatement => ({
    query: db
      .updateTable('outbox')
      .set({ due_at: until })
      .where('order_key', '=', orderKey)
      .where('state', '=', 'waiting')
      .where('due_at', '<', until)
      .where('lease_until', '=', 0),
  });

  /** The row of a call is locked before those of its effects, here as in a commit of events: or two that meet wait for each other. */
  const callFirst = (outcome: Outcome, state?: LogResult['state']): BatchStatement[] =>
    outcome?.log === undefined ? [] : [setLogResult(db, outcome.log, state)];

  const consequences = (outcome: Outcome): BatchStatement[] => [
    ...(outcome?.ownEvents ?? []).map((event) => insertEvent(db, event, false)),
    ...(outcome?.effects ?? []).map((effect) => enqueue(db, effect)),
  ];

  const deadLogs = db
    .selectFrom('outbox')
    .select('call_id')
    .where('state', '=', 'dead')
    .where('kind', '=', 'crm.log')
    .where('call_id', 'is not', null);
  /** The calls whose dead logs are about to live again. Before the outbox: calls are locked first everywhere. */
  const logsWaitAgain = (these: (dead: typeof deadLogs) => typeof deadLogs): BatchStatement => ({
    query: db
      .updateTable('calls')
      .set({ log_state: 'waiting', log_reason: null })
      .where('call_id', 'in', these(deadLogs)),
  });

  return {
    enqueue: (effects) =>
      asking(async () => {
        if (effects.length > 0) await database.batch(effects.map((effect) => enqueue(db, effect)));
      }),

    claim: ({ now, leaseMs, limit, kinds, pausedTenants, mostOf = () => limit }) =>
      asking(async () => {
        const paused = new Set(pausedTenants);
        const lanes: Lane[] = [];
        for (const kind of kinds) {
          for (const tenant of await dueTenants(db, kind, now)) {
            // A tenant whose CRM asked for a pause still gets its webhooks and revocations out.
            if (kind === 'crm.log' && paused.has(tenant)) continue;
            const most = Math.min(limit, mostOf(tenant, kind));
            if (most > 0) lanes.push({ kind, tenant, most });
          }
        }
        const taken: LeasedEffect[] = [];
        /** All lanes in one transaction: one commit, however many tenants there are. */
        const take = async (shares: readonly { readonly lane: Lane; readonly share: number }[]): Promise<number[]> => {
          const leases = shares.map(() => randomUUID());
          const results = await database.batch(
            shares.map(({ lane, share }, index) => ({
              query: db
                .updateTable('outbox')
                .set((row) => ({
                  lease: leases[index] ?? '',
                  lease_until: now + leaseMs,
                  attempts: row('attempts', '+', 1),
                }))
                .where('id', 'in', deliverable(database, lane, now, share))
                .returningAll(),
            })),
          );
          return shares.map((_, index) => {
            // RETURNING keeps the order in SQLite and not in PostgreSQL.
            const rows = [...((results?.[index] ?? []) as Selectable<Tables['outbox']>[])];
            rows.sort((a, b) => a.due_at - b.due_at || a.position - b.position);
            for (const row of rows) taken.push({ ...toEffect(row), lease: leases[index] ?? '' });
            return rows.length;
          });
        };
        if (lanes.length === 0) return taken;
        // Who was first last time is last now. A second round hands out what the first left over.
        turn += 1;
        const inTurn = lanes.map((_, index) => lanes[(index + turn) % lanes.length] as Lane).slice(0, limit);
        const shares = inTurn.map((lane, index) => ({
          lane,
          share: Math.min(lane.most, Math.floor(limit / inTurn.length) + (index < limit % inTurn.length ? 1 : 0)),
        }));
        const counts = await take(shares);
        let left = limit - taken.length;
        const more = shares.flatMap(({ lane, share }, index) => {
          const again = Math.min(left, lane.most - share);
          if (counts[index] !== share || again <= 0) return [];
          left -= again;
          return [{ lane, share: again }];
        });
        if (more.length > 0) await take(more);
        return taken.sort((a, b) => a.dueAt - b.dueAt);
      }),

    renew: (effect, until) =>
      asking(async () => {
        const result = await db
          .updateTable('outbox')
          .set({ lease_until: until })
          .where('id', '=', effect.id)
          .where('lease', '=', effect.lease)
          .executeTakeFirst();
        return result.numUpdatedRows > 0n;
      }),

    renewAll: (effects, until) =>
      asking(async () => {
        const byLease = new Map<string, string[]>();
        for (const { id, lease } of effects) byLease.set(lease, [...(byLease.get(lease) ?? []), id]);
        for (const [lease, ids] of byLease) {
          await db
            .updateTable('outbox')
            .set({ lease_until: until })
            .where('id', 'in', ids)
            .where('lease', '=', lease)
            .execute();
        }
      }),

    done: (effect, now, outcome) =>
      asking(async () => {
        const finished = await database.batch([
          ...callFirst(outcome),
          {
            mustChange: true,
            query: db
              .deleteFrom('outbox')
              .where('id', '=', effect.id)
              .where('lease', '=', effect.lease)
              .where('version', '=', effect.version),
          },
          ...consequences(outcome),
        ]);
        if (finished !== null) return 'done';
        const again = await database.batch([
          // The log is there, but a newer fold waits.
          ...callFirst(outcome, 'waiting'),
          {
            mustChange: true,
            query: db
              .updateTable('outbox')
              .set({ lease: null, lease_until: 0, due_at: now, attempts: 0, reason: null })
              .where('id', '=', effect.id)
              .where('lease', '=', effect.lease),
          },
          ...consequences(outcome),
        ]);
        return again === null ? 'lost' : 'again';
      }),

    failed: (effect, failure, outcome) =>
      asking(async () => {
        const released = { lease: null, lease_until: 0, reason: failure.reason };
        if (failure.dead) {
          const buried = await database.batch([
            ...callFirst(outcome),
            {
              mustChange: true,
              query: db
                .updateTable('outbox')
                .set({ ...released, state: 'dead' })
                .where('id', '=', effect.id)
                .where('lease', '=', effect.lease)
                .where('version', '=', effect.version),
            },
            ...consequences(outcome),
          ]);
          if (buried !== null) return true;
          // Enqueued again meanwhile: what was refused may be accepted now.
        }
        const retried = await database.batch([
          ...callFirst(outcome, 'waiting'),
          {
            mustChange: true,
            query: db
              .updateTable('outbox')
              .set({ ...released, due_at: failure.dueAt, ...(failure.dead ? { attempts: 0 } : {}) })
              .where('id', '=', effect.id)
              .where('lease', '=', effect.lease),
          },
          ...(failure.dead ? [] : consequences(outcome)),
          ...(effect.orderKey === null || failure.dead ? [] : [holdBack(effect.orderKey, failure.dueAt)]),
        ]);
        return retried !== null;
      }),

    postpone: (effect, dueAt) =>
      asking(async () => {
        const result = await db
          .updateTable('outbox')
          .set((row) => ({
            lease: null,
            lease_until: 0,
            // Enqueued again while it was held: what is new has not been looked at.
            due_at: row.case().when('version', '=', effect.version).then(dueAt).else(row.ref('due_at')).end(),
            attempts: row('attempts', '-', 1),
          }))
          .where('id', '=', effect.id)
          .where('lease', '=', effect.lease)
          .executeTakeFirst();
        return result.numUpdatedRows > 0n;
      }),

    nextDue: (kinds) =>
      asking(async () => {
        const times: number[] = [];
        for (const kind of kinds) {
          const due = await db
            .selectFrom('outbox')
            .select('due_at')
            // Literals, not parameters: only then SQLite knows that the partial index holds them.
            .where('state', '=', sql.lit('waiting'))
            .where('kind', '=', kind)
            .where('lease_until', '=', sql.lit(0))
            .orderBy('due_at')
            .limit(1)
            .executeTakeFirst();
          if (due !== undefined) times.push(due.due_at);
        }
        const leased = await db
          .selectFrom('outbox')
          .select('lease_until')
          .where('lease_until', '>', 0)
          .where('kind', 'in', kinds)
          .orderBy('lease_until')
          .limit(1)
          .executeTakeFirst();
        if (leased !== undefined) times.push(leased.lease_until);
        return times.length === 0 ? null : Math.min(...times);
      }),

    depth: () =>
      asking(async () => {
        const rows = await db
          .selectFrom('outbox')
          .select((column) => [
            'kind',
            'state',
            column.fn.countAll<number>().as('count'),
            column.fn.min<number>('created_at').as('oldest'),
          ])
          .groupBy(['kind', 'state'])
          .execute();
        return rows.map((row) => ({
          kind: row.kind as Effect['kind'],
          state: row.state as Effect['state'],
          count: Number(row.count),
          oldestAt: row.oldest,
        }));
      }),

    dead: (tenant, limit) =>
      asking(async () => {
        const rows = await db
          .selectFrom('outbox')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('state', '=', 'dead')
          .orderBy('created_at')
          .limit(limit)
          .execute();
        return rows.map(toEffect);
      }),

    revive: (id, dueAt) =>
      asking(async () => {
        const revived = await database.batch([
          logsWaitAgain((dead) => dead.where('id', '=', id)),
          {
            // Somebody else may have been faster, and delivered it: then the call keeps what came of that.
            mustChange: true,
            query: db.updateTable('outbox').set(alive(dueAt)).where('id', '=', id).where('state', '=', 'dead'),
          },
        ]);
        return revived !== null;
      }),

    reviveAll: (tenant, dueAt) =>
      asking(async () => {
        const results = await database.batch([
          logsWaitAgain((dead) => dead.where('tenant', '=', tenant)),
          {
            query: db
              .updateTable('outbox')
              .set(alive(dueAt))
              .where('tenant', '=', tenant)
              .where('state', '=', 'dead')
              .returning('id'),
          },
        ]);
        return results?.[1]?.length ?? 0;
      }),

    hurry: (tenant, kind, now, idStart = '') =>
      asking(async () => {
        const backingOff = db
          .updateTable('outbox')
          .set({ due_at: now })
          .where('state', '=', 'waiting')
          .where('kind', '=', kind)
          .where('tenant', '=', tenant)
          .where('due_at', '>', now)
          .where('lease_until', '<=', now);
        const those = idStart === '' ? backingOff : backingOff.where('id', 'like', `${idStart}%`);
        return Number((await those.executeTakeFirst()).numUpdatedRows);
      }),

    rest: (tenant, kind, idStart, until) =>
      asking(async () => {
        await db
          .updateTable('outbox')
          .set({ due_at: until })
          .where('state', '=', 'waiting')
          .where('kind', '=', kind)
          .where('tenant', '=', tenant)
          .where('due_at', '<', until)
          .where('lease_until', '=', 0)
          .where('id', 'like', `${idStart}%`)
          .execute();
      }),

    eventsBetween: ({ tenant, from, to, after, limit }) =>
      asking(async () => {
        let page = db
          .selectFrom('events')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('received_at', '>=', after?.receivedAt ?? from)
          .where('received_at', '<=', to)
          .orderBy('received_at')
          .orderBy('source')
          .orderBy('id')
          .limit(limit);
        if (after !== null) {
          page = page.where((row) =>
            row.or([
              row('received_at', '>', after.receivedAt),
              row('source', '>', after.source),
              row.and([row('source', '=', after.source), row('id', '>', after.id)]),
            ]),
          );
        }
        return (await page.execute()).map(toStoredRow);
      }),

    heartbeat: (relay, now, aliveSince) =>
      asking(async () => {
        await database.batch([
          {
            query: db
              .insertInto('relay_heartbeats')
              .values({ relay, seen_at: now, phones_at: null })
              .onConflict((conflict) => conflict.column('relay').doUpdateSet({ seen_at: now })),
          },
          // An hour later nobody can still be meant.
          { query: db.deleteFrom('relay_heartbeats').where('seen_at', '<', aliveSince - 3_600_000) },
        ]);
        const { alive } = await db
          .selectFrom('relay_heartbeats')
          .select((column) => column.fn.countAll<number>().as('alive'))
          .where('seen_at', '>=', aliveSince)
          .executeTakeFirstOrThrow();
        return Number(alive);
      }),

    lastHeartbeat: (relay) =>
      asking(async () => {
        await db.deleteFrom('relay_heartbeats').where('relay', '=', relay).execute();
      }),
  };
}

/** What a dead effect is again: as young as a new one, since what is too old is given up. */
function alive(dueAt: number) {
  return { state: 'waiting', due_at: dueAt, created_at: dueAt, attempts: 0, lease: null, lease_until: 0 } as const;
}

/** What one tenant has of one kind, and how many of it may be taken. */
interface Lane {
  readonly kind: EffectKind;
  readonly tenant: TenantId;
  readonly most: number;
}

/**
 * The tenants with something due, found by jumping from one to the next along the index: the cost is that of the tenants, not of what they
 * have waiting.
 */
async function dueTenants(db: Kysely<Tables>, kind: EffectKind, now: number): Promise<readonly TenantId[]> {
  // Each step says "the first one" and not "the least" or "one that is there": so a PostgreSQL that knows nothing of the table yet walks the
  // index as well.
  const { rows } = await sql<{ tenant: TenantId }>`select lane.tenant as tenant from (
    with recursive lanes(tenant) as (
      select (select tenant from outbox where state = 'waiting' and kind = ${kind} order by tenant, due_at limit 1)
      union all
      select (
        select tenant from outbox where state = 'waiting' and kind = ${kind} and tenant > lanes.tenant
        order by tenant, due_at limit 1
      )
      from lanes where lanes.tenant is not null
    ) select tenant from lanes where tenant is not null
  ) as lane where (
    select due.due_at from outbox as due
    where due.state = 'waiting' and due.kind = ${kind} and due.tenant = lane.tenant order by due.due_at limit 1
  ) <= ${now} limit 1000`.execute(db);
  return rows.map(({ tenant }) => tenant);
}

/** Ids of what may be delivered now of one tenant and kind: head of line per order key. */
function deliverable(database: Database, { kind, tenant }: Lane, now: number, limit: number) {
  const query = database.db
    .selectFrom('outbox as one')
    .select('one.id')
    .where('one.state', '=', 'waiting')
    .where('one.kind', '=', kind)
    .where('one.tenant', '=', tenant)
    .where('one.due_at', '<=', now)
    .where('one.lease_until', '<=', now)
    .where((row) =>
      row.or([
        row('one.order_key', 'is', null),
        row.not(
          row.exists(
            row
              .selectFrom('outbox as before')
              .select('before.id')
              .whereRef('before.order_key', '=', 'one.order_key')
              .where('before.state', '=', 'waiting')
              .whereRef('before.id', '!=', 'one.id')
              .where((other) =>
                other.or([
                  other('before.lease_until', '>', now),
                  other.and([
                    other.or([
                      other('before.position', '<', other.ref('one.position')),
                      other.and([
                        other('before.position', '=', other.ref('one.position')),
                        other('before.id', '<', other.ref('one.id')),
                      ]),
                    ]),
                    // A draft of a note waits for more of it and keeps nobody waiting.
                    other.or([
                      other('before.due_at', '<=', now),
                      other('before.attempts', '>', 0),
                      other('before.kind', '!=', 'crm.log'),
                    ]),
                  ]),
                ]),
              ),
          ),
        ),
      ]),
    )
    .orderBy('one.due_at')
    .orderBy('one.position')
    .limit(limit);
  return database.locksRows ? query.forUpdate().skipLocked() : query;
}

function toStoredRow(row: Selectable<Tables['events']>): StoredEvent {
  return {
    source: row.source,
    id: row.id,
    tenant: row.tenant as StoredEvent['tenant'],
    agent: row.agent as StoredEvent['agent'],
    callId: row.call_id as StoredEvent['callId'],
    envelope: JSON.parse(row.envelope) as StoredEvent['envelope'],
    receivedAt: row.received_at,
  };
}
