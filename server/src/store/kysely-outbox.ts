/**
 * The outbox over kysely: leases and fencing. A lease is a random token; every statement that settles an effect names it, so a holder whose
 * lease ran out (a paused process, a slow answer) can change nothing any more. Must never deliver.
 */
import { randomUUID } from 'node:crypto';
import type { Effect, LeasedEffect, OutboxStore } from './contract.ts';
import { asking, type BatchStatement, type Database } from './database.ts';
import { enqueue, insertEvent, setLogResult, toEffect } from './statements.ts';

type Outcome = Parameters<OutboxStore['done']>[2];

export function createOutboxStore(database: Database): OutboxStore {
  const { db } = database;

  const consequences = (outcome: Outcome): BatchStatement[] => [
    ...(outcome?.ownEvents ?? []).map((event) => insertEvent(db, event, false)),
    ...(outcome?.effects ?? []).map((effect) => enqueue(db, effect)),
  ];

  return {
    enqueue: (effects) =>
      asking(async () => {
        if (effects.length > 0) await database.batch(effects.map((effect) => enqueue(db, effect)));
      }),

    claim: ({ now, leaseMs, limit, kinds, pausedTenants }) =>
      asking(async () => {
        const lease = randomUUID();
        let due = db
          .selectFrom('outbox')
          .select('id')
          .where('state', '=', 'waiting')
          .where('kind', 'in', kinds)
          .where('due_at', '<=', now)
          .where('lease_until', '<=', now)
          .orderBy('due_at')
          .limit(limit);
        if (pausedTenants.length > 0) {
          // A tenant whose CRM asked for a pause still gets its webhooks and revocations out.
          due = due.where((row) => row.or([row('tenant', 'not in', pausedTenants), row('kind', '!=', 'crm.log')]));
        }
        if (database.locksRows) due = due.forUpdate().skipLocked();
        const rows = await db
          .updateTable('outbox')
          .set((row) => ({ lease, lease_until: now + leaseMs, attempts: row('attempts', '+', 1) }))
          .where('id', 'in', due)
          .returningAll()
          .execute();
        // RETURNING keeps the order in SQLite and not in PostgreSQL.
        return rows.sort((a, b) => a.due_at - b.due_at).map((row): LeasedEffect => ({ ...toEffect(row), lease }));
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

    done: (effect, now, outcome) =>
      asking(async () => {
        const finished = await database.batch([
          {
            mustChange: true,
            query: db
              .deleteFrom('outbox')
              .where('id', '=', effect.id)
              .where('lease', '=', effect.lease)
              .where('version', '=', effect.version),
          },
          ...(outcome?.log === undefined ? [] : [setLogResult(db, outcome.log)]),
          ...consequences(outcome),
        ]);
        if (finished !== null) return 'done';
        const again = await database.batch([
          {
            mustChange: true,
            query: db
              .updateTable('outbox')
              .set({ lease: null, lease_until: 0, due_at: now, attempts: 0, reason: null })
              .where('id', '=', effect.id)
              .where('lease', '=', effect.lease),
          },
          // The log is there, but a newer fold waits.
          ...(outcome?.log === undefined ? [] : [setLogResult(db, outcome.log, 'waiting')]),
          ...consequences(outcome),
        ]);
        return again === null ? 'lost' : 'again';
      }),

    failed: (effect, failure, outcome) =>
      asking(async () => {
        const released = { lease: null, lease_until: 0, reason: failure.reason };
        if (failure.dead) {
          const buried = await database.batch([
            {
              mustChange: true,
              query: db
                .updateTable('outbox')
                .set({ ...released, state: 'dead' })
                .where('id', '=', effect.id)
                .where('lease', '=', effect.lease)
                .where('version', '=', effect.version),
            },
            ...(outcome?.log === undefined ? [] : [setLogResult(db, outcome.log)]),
            ...consequences(outcome),
          ]);
          if (buried !== null) return true;
          // Enqueued again meanwhile: what was refused may be accepted now.
        }
        const retried = await database.batch([
          {
            mustChange: true,
            query: db
              .updateTable('outbox')
              .set({ ...released, due_at: failure.dueAt, ...(failure.dead ? { attempts: 0 } : {}) })
              .where('id', '=', effect.id)
              .where('lease', '=', effect.lease),
          },
          ...(outcome?.log === undefined ? [] : [setLogResult(db, outcome.log, 'waiting')]),
          ...(failure.dead ? [] : consequences(outcome)),
        ]);
        return retried !== null;
      }),

    postpone: (effect, dueAt) =>
      asking(async () => {
        const result = await db
          .updateTable('outbox')
          .set((row) => ({ lease: null, lease_until: 0, due_at: dueAt, attempts: row('attempts', '-', 1) }))
          .where('id', '=', effect.id)
          .where('lease', '=', effect.lease)
          .executeTakeFirst();
        return result.numUpdatedRows > 0n;
      }),

    nextDue: (kinds) =>
      asking(async () => {
        const row = await db
          .selectFrom('outbox')
          .select((column) => [
            column.fn
              .min<number | null>(
                column
                  .case()
                  .when('lease_until', '>', column.ref('due_at'))
                  .then(column.ref('lease_until'))
                  .else(column.ref('due_at'))
                  .end(),
              )
              .as('at'),
          ])
          .where('state', '=', 'waiting')
          .where('kind', 'in', kinds)
          .executeTakeFirst();
        return row?.at ?? null;
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
        const rows = await db
          .updateTable('outbox')
          .set({ state: 'waiting', due_at: dueAt, attempts: 0, lease: null, lease_until: 0 })
          .where('id', '=', id)
          .where('state', '=', 'dead')
          .returning(['kind', 'call_id'])
          .execute();
        const revived = rows[0];
        if (revived?.kind === 'crm.log' && revived.call_id !== null) {
          await db
            .updateTable('calls')
            .set({ log_state: 'waiting', log_reason: null })
            .where('call_id', '=', revived.call_id)
            .execute();
        }
        return revived !== undefined;
      }),

    reviveAll: (tenant, dueAt) =>
      asking(async () => {
        const results = await database.batch([
          {
            query: db
              .updateTable('calls')
              .set({ log_state: 'waiting', log_reason: null })
              .where('call_id', 'in', (from) =>
                from
                  .selectFrom('outbox')
                  .select('call_id')
                  .where('tenant', '=', tenant)
                  .where('state', '=', 'dead')
                  .where('kind', '=', 'crm.log')
                  .where('call_id', 'is not', null),
              ),
          },
          {
            query: db
              .updateTable('outbox')
              .set({ state: 'waiting', due_at: dueAt, attempts: 0, lease: null, lease_until: 0 })
              .where('tenant', '=', tenant)
              .where('state', '=', 'dead')
              .returning('id'),
          },
        ]);
        return results?.[1]?.length ?? 0;
      }),
  };
}
