/** Events and calls over kysely, one text of SQL for both databases. Must never fold: it stores the fold it is given. */
import type { CallId, WireEvent } from '@patchcord/call-protocol';
import type { CallStore, CallWithEvents, Change } from './contract.ts';
import { asking, type BatchStatement, type Database } from './database.ts';
import { enqueue, insertEvent, toCall, toEvent } from './statements.ts';

/** More legs than any ring group has; a conversation that claims more is not read to its end. */
const mostLegs = 500;

export function createCallStore(database: Database): CallStore {
  const { db } = database;

  const callStatements = (change: Change): BatchStatement[] =>
    change.calls.map((call) => {
      const columns = {
        version: call.fromVersion + 1,
        log: call.log === null ? null : JSON.stringify(call.log),
        open: call.log === null || call.log.stage !== 'live' ? 0 : 1,
        started_at: call.log?.startedAt ?? call.touchedAt,
        touched_at: call.touchedAt,
        sip_call_id: call.log?.sipCallId ?? call.sipCallId ?? null,
        conversation: call.log?.conversation ?? null,
      };
      if (call.fromVersion === 0) {
        return {
          mustChange: true,
          query: db
            .insertInto('calls')
            .values({
              call_id: call.callId,
              tenant: call.tenant,
              agent: call.agent,
              ...columns,
              log_state: call.logWaiting ? 'waiting' : 'none',
              log_id: null,
              log_reason: null,
            })
            .onConflict((conflict) => conflict.column('call_id').doNothing()),
        };
      }
      return {
        mustChange: true,
        query: db
          .updateTable('calls')
          .set({ ...columns, ...(call.logWaiting ? { log_state: 'waiting', log_reason: null } : {}) })
          .where('call_id', '=', call.callId)
          .where('version', '=', call.fromVersion),
      };
    });

  return {
    readCalls: (callIds) =>
      asking(async () => {
        const found = new Map<CallId, CallWithEvents & { readonly events: WireEvent[] }>();
        if (callIds.length === 0) return found;
        const calls = await db.selectFrom('calls').selectAll().where('call_id', 'in', callIds).execute();
        if (calls.length === 0) return found;
        for (const row of calls) found.set(row.call_id as CallId, { call: toCall(row), events: [] });
        const events = await db
          .selectFrom('events')
          .select(['call_id', 'envelope'])
          .where('call_id', 'in', callIds)
          .execute();
        for (const row of events) found.get(row.call_id as CallId)?.events.push(toEvent(row));
        return found;
      }),

    knownEvents: (source, ids) =>
      asking(async () => {
        if (ids.length === 0) return new Set<string>();
        const rows = await db
          .selectFrom('events')
          .select('id')
          .where('source', '=', source)
          .where('id', 'in', ids)
          .execute();
        return new Set(rows.map((row) => row.id));
      }),

    commit: (change) =>
      asking(async () => {
        // The calls first: a writer that lost the race is stopped before it has written anything.
        const results = await database.batch([
          ...callStatements(change),
          ...change.events.map((event) => insertEvent(db, event, true)),
          ...(change.ownEvents ?? []).map((event) => insertEvent(db, event, false)),
          ...change.effects.map((effect) => enqueue(db, effect)),
        ]);
        return results !== null;
      }),

    history: (tenant, agent, limit) =>
      asking(async () => {
        const rows = await db
          .selectFrom('calls')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .where('log', 'is not', null)
          .orderBy('started_at', 'desc')
          .orderBy('call_id')
          .limit(limit)
          .execute();
        return rows.map(toCall);
      }),

    callsOnLeg: (tenant, agent, sipCallId) =>
      asking(async () => {
        const rows = await db
          .selectFrom('calls')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('sip_call_id', '=', sipCallId)
          .where('agent', '=', agent)
          .orderBy('started_at')
          .orderBy('call_id')
          .execute();
        return rows.map(toCall);
      }),

    callsInConversation: (tenant, conversation) =>
      asking(async () => {
        const rows = await db
          .selectFrom('calls')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('conversation', '=', conversation)
          .orderBy('started_at')
          .orderBy('call_id')
          .limit(mostLegs)
          .execute();
        return rows.map(toCall);
      }),

    callsOfLog: (tenant, logId) =>
      asking(async () => {
        const rows = await db
          .selectFrom('calls')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('log_id', '=', logId)
          .orderBy('call_id')
          .execute();
        return rows.map(toCall);
      }),

    unlogged: ({ tenant, agent, waitingSince, limit }) =>
      asking(async () => {
        let calls = db
          .selectFrom('calls')
          .selectAll()
          .where('tenant', '=', tenant)
          .where((row) =>
            row.or([
              row('log_state', '=', 'failed'),
              row.and([row('log_state', '=', 'waiting'), row('touched_at', '<', waitingSince)]),
            ]),
          );
        if (agent !== null) calls = calls.where('agent', '=', agent);
        const rows = await calls.orderBy('touched_at').orderBy('call_id').limit(limit).execute();
        return rows.map(toCall);
      }),

    leaveLog: (callId, reason) =>
      asking(async () => {
        await db
          .updateTable('calls')
          .set({ log_state: 'none', log_reason: reason })
          .where('call_id', '=', callId)
          .execute();
      }),

    isSignedIn: (tenant, agent, now) =>
      asking(async () => {
        const row = await db
          .selectFrom('sessions')
          .select('token_hash')
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .where('revoked_at', 'is', null)
          .where('expires_at', '>', now)
          .limit(1)
          .executeTakeFirst();
        return row !== undefined;
      }),

    silentCalls: ({ now, silentBefore, unattendedBefore, limit }) =>
      asking(async () => {
        const rows = await db
          .selectFrom('calls')
          .select('call_id')
          .where('open', '=', 1)
          .where((row) =>
            row.or([
              row('touched_at', '<', silentBefore),
              row.and([
                row('touched_at', '<', unattendedBefore),
                row.not(
                  row.exists(
                    row
                      .selectFrom('sessions')
                      .select('token_hash')
                      .whereRef('sessions.tenant', '=', 'calls.tenant')
                      .whereRef('sessions.agent', '=', 'calls.agent')
                      .where('sessions.revoked_at', 'is', null)
                      .where('sessions.expires_at', '>', now),
                  ),
                ),
              ]),
            ]),
          )
          .orderBy('touched_at')
          .limit(limit)
          .execute();
        return rows.map((row) => row.call_id as CallId);
      }),
  };
}
