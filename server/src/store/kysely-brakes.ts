/** What the brakes remember, over kysely. Sums are kept per day, so that no ceiling is checked by adding up a month of calls. */
import { type Selectable, sql } from 'kysely';
import type { BrakeState, BrakeStore, CallUsage, UsageDay } from './contract.ts';
import { asking, type Database } from './database.ts';
import type { Tables } from './tables.ts';

/** In the column `agent`: every agent of the tenant. No agent has this id: it is not a legal one. */
export const everyAgent = '*';

export function createBrakeStore(database: Database): BrakeStore {
  const { db } = database;
  const callOf = (tenant: string, key: string) =>
    db.selectFrom('call_usage').selectAll().where('tenant', '=', tenant).where('call_key', '=', key);

  return {
    states: (now) =>
      asking(async () => {
        const rows = await db
          .selectFrom('brake_states')
          .selectAll()
          .where((row) => row.or([row('until', 'is', null), row('until', '>', now)]))
          .execute();
        return rows.map(
          (row): BrakeState => ({
            tenant: row.tenant as BrakeState['tenant'],
            agent: row.agent === everyAgent ? null : (row.agent as BrakeState['agent']),
            level: row.level as BrakeState['level'],
            cause: row.cause,
            reason: row.reason,
            since: row.since,
            until: row.until,
          }),
        );
      }),

    setState: (state, now) =>
      asking(async () => {
        // One statement decides who was first, so that two relays that notice the same thing act once.
        const rows = await db
          .insertInto('brake_states')
          .values({
            tenant: state.tenant,
            agent: state.agent ?? everyAgent,
            level: state.level,
            cause: state.cause,
            reason: state.reason,
            since: state.since,
            until: state.until,
          })
          .onConflict((conflict) =>
            conflict
              .columns(['tenant', 'agent', 'cause'])
              .doUpdateSet((row) => ({
                level: row.ref('excluded.level'),
                reason: row.ref('excluded.reason'),
                since: row.ref('excluded.since'),
                until: row.ref('excluded.until'),
              }))
              .where((row) =>
                row.or([
                  row('brake_states.until', '<=', now),
                  row('brake_states.level', '!=', row.ref('excluded.level')),
                ]),
              ),
          )
          .returning('cause')
          .execute();
        return rows.length > 0;
      }),

    clearStates: (tenant, agent) =>
      asking(async () => {
        const result = await db
          .deleteFrom('brake_states')
          .where('tenant', '=', tenant)
          .where('agent', '=', agent ?? everyAgent)
          .executeTakeFirst();
        return Number(result.numDeletedRows);
      }),

    begun: (call, hour, now) =>
      asking(async () => {
        const results = await database.batch([
          {
            query: db
              .insertInto('call_usage')
              .values({
                tenant: call.tenant,
                call_key: call.key,
                agent: call.agent,
                country: call.country,
                per_minute: call.perMinute,
                connection: call.connection,
                day: call.day,
                started_at: call.startedAt,
                answered_at: call.answeredAt,
                ended_at: null,
                heard_at: now,
              })
              .onConflict((conflict) => conflict.columns(['tenant', 'call_key']).doNothing())
              .returning('call_key'),
            mustChange: true,
          },
          {
            query: db
              .insertInto('usage_days')
              .values({
                tenant: call.tenant,
                agent: call.agent,
                day: call.day,
                calls: 1,
                spent: 0,
                hours: 2 ** hour,
              })
              .onConflict((conflict) =>
                conflict.columns(['tenant', 'day', 'agent']).doUpdateSet((row) => ({
                  calls: row('usage_days.calls', '+', 1),
                  hours: sql<number>`${row.ref('usage_days.hours')} | ${row.ref('excluded.hours')}`,
                })),
              ),
          },
          {
            query: db
              .insertInto('usage_countries')
              .values({ tenant: call.tenant, agent: call.agent, country: call.country, first_at: call.startedAt })
              .onConflict((conflict) => conflict.columns(['tenant', 'agent', 'country']).doNothing())
              .returning('country'),
          },
        ]);
        return { isNew: results !== null, newCountry: (results?.[2]?.length ?? 0) > 0 };
      }),

    answered: (tenant, key, at) =>
      asking(async () => {
        await db
          .updateTable('call_usage')
          .set({ answered_at: at })
          .where('tenant', '=', tenant)
          .where('call_key', '=', key)
          .where('answered_at', 'is', null)
          .execute();
      }),

    heard: (tenant, keys, now) =>
      asking(async () => {
        if (keys.length === 0) return;
        await db
          .updateTable('call_usage')
          .set({ heard_at: now })
          .where('tenant', '=', tenant)
          .where('call_key', 'in', keys)
          .where('ended_at', 'is', null)
          .execute();
      }),

    ended: (tenant, key, at, cost) =>
      asking(async () => {
        const call = await callOf(tenant, key).executeTakeFirst();
        if (call === undefined || call.ended_at !== null) return false;
        const results = await database.batch([
          {
            query: db
              .updateTable('call_usage')
              .set({ ended_at: at })
              .where('tenant', '=', tenant)
              .where('call_key', '=', key)
              .where('ended_at', 'is', null)
              .returning('call_key'),
            mustChange: true,
          },
          {
            query: db
              .updateTable('usage_days')
              .set((row) => ({ spent: row('spent', '+', cost) }))
              .where('tenant', '=', tenant)
              .where('day', '=', call.day)
              .where('agent', '=', call.agent),
          },
        ]);
        return results !== null;
      }),

    forgetCall: (tenant, key) =>
      asking(async () => {
        const call = await callOf(tenant, key).executeTakeFirst();
        if (call === undefined || call.ended_at !== null) return;
        await database.batch([
          {
            query: db
              .deleteFrom('call_usage')
              .where('tenant', '=', tenant)
              .where('call_key', '=', key)
              .where('ended_at', 'is', null)
              .returning('call_key'),
            mustChange: true,
          },
          {
            query: db
              .updateTable('usage_days')
              .set((row) => ({ calls: row('calls', '-', 1) }))
              .where('tenant', '=', tenant)
              .where('day', '=', call.day)
              .where('agent', '=', call.agent),
          },
        ]);
      }),

    live: (tenant) =>
      asking(async () => {
        const rows = await db
          .selectFrom('call_usage')
          .selectAll()
          .where('ended_at', 'is', null)
          .where('tenant', '=', tenant)
          .execute();
        return rows.map(toUsage);
      }),

    silent: (before, limit) =>
      asking(async () => {
        const rows = await db
          .selectFrom('call_usage')
          .selectAll()
          .where('ended_at', 'is', null)
          .where('heard_at', '<', before)
          .limit(limit)
          .execute();
        return rows.map((row) => ({ ...toUsage(row), heardAt: row.heard_at }));
      }),

    days: (tenant, fromDay, agent) =>
      asking(async () => {
        let query = db.selectFrom('usage_days').selectAll().where('tenant', '=', tenant).where('day', '>=', fromDay);
        if (agent !== undefined) query = query.where('agent', '=', agent);
        const rows = await query.orderBy('day').execute();
        return rows.map(
          (row): UsageDay => ({
            agent: row.agent as UsageDay['agent'],
            day: row.day,
            calls: row.calls,
            spent: row.spent,
            hours: row.hours,
          }),
        );
      }),

    countries: (tenant, agent) =>
      asking(async () => {
        const rows = await db
          .selectFrom('usage_countries')
          .select('country')
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .execute();
        return rows.map((row) => row.country);
      }),

    begunSince: (tenant, agent, since) =>
      asking(async () => {
        const row = await db
          .selectFrom('call_usage')
          .select((count) => count.fn.countAll().as('calls'))
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .where('started_at', '>=', since)
          .executeTakeFirst();
        return Number(row?.calls ?? 0);
      }),

    forgetUsage: (callsBefore, daysBefore, now) =>
      asking(async () => {
        await db
          .deleteFrom('call_usage')
          .where('started_at', '<', callsBefore)
          .where('ended_at', 'is not', null)
          .execute();
        await db.deleteFrom('usage_days').where('day', '<', daysBefore).execute();
        await db.deleteFrom('brake_states').where('until', '<', now).execute();
      }),
  };
}

function toUsage(row: Selectable<Tables['call_usage']>): CallUsage {
  return {
    tenant: row.tenant as CallUsage['tenant'],
    key: row.call_key,
    agent: row.agent as CallUsage['agent'],
    country: row.country,
    perMinute: row.per_minute,
    connection: row.connection,
    day: row.day,
    startedAt: row.started_at,
    answeredAt: row.answered_at,
  };
}
