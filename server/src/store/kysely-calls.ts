/** Events and calls over kysely, one text of SQL for both databases. Must never fold: it stores the fold it is given. */
import type { CallId, RecordRef, WireEvent } from '@patchcord/call-protocol';
import { type Expression, type ExpressionBuilder, type ExpressionWrapper, type SqlBool, sql } from 'kysely';
import type { CallStore, CallWithEvents, Change } from './contract.ts';
import { asking, type BatchStatement, type Database } from './database.ts';
import { createRecordKeys } from './kysely-record-keys.ts';
import { prepared } from './prepared.ts';
import { enqueue, insertEvent, toCall, toEvent } from './statements.ts';
import type { Tables } from './tables.ts';

/** More legs than any ring group has; a conversation that claims more is not read to its end. */
const mostLegs = 500;

const byCallId = (a: Change['calls'][number], b: Change['calls'][number]): number => (a.callId < b.callId ? -1 : 1);

export function createCallStore(database: Database): CallStore {
  const { db } = database;

  const insertCall = prepared(db, (row: CallRow & Pick<Tables['calls'], 'tenant' | 'agent' | 'log_state'>) =>
    db
      .insertInto('calls')
      .values({
        call_id: row.call_id,
        tenant: row.tenant,
        agent: row.agent,
        ...columnsOf(row),
        log_state: row.log_state,
        log_id: null,
        log_reason: null,
      })
      .onConflict((conflict) => conflict.column('call_id').doNothing()),
  );
  const updateOf = (logWaits: boolean) =>
    prepared(db, (row: CallRow & { fromVersion: number }) =>
      db
        .updateTable('calls')
        .set({ ...columnsOf(row), ...(logWaits ? { log_state: 'waiting', log_reason: null } : {}) })
        .where('call_id', '=', row.call_id)
        .where('version', '=', row.fromVersion),
    );
  const updateCall = updateOf(false);
  const updateWaitingCall = updateOf(true);

  /** In the order of their ids: two that change the same calls don't wait for each other. */
  const callStatements = (change: Change): BatchStatement[] =>
    [...change.calls].sort(byCallId).map((call) => {
      const row: CallRow = {
        call_id: call.callId,
        version: call.fromVersion + 1,
        log: call.log === null ? null : JSON.stringify(call.log),
        open: call.log === null || call.log.stage !== 'live' ? 0 : 1,
        started_at: call.log?.startedAt ?? call.touchedAt,
        touched_at: call.touchedAt,
        sip_call_id: call.log?.sipCallId ?? call.sipCallId ?? null,
        conversation: call.log?.conversation ?? null,
        record_key: recordKey(call.log?.record),
        about_key: recordKey(call.log?.about),
      };
      if (call.fromVersion > 0) {
        const update = call.logWaiting ? updateWaitingCall : updateCall;
        return update.with({ ...row, fromVersion: call.fromVersion }, { mustChange: true });
      }
      const { tenant, agent } = call;
      return insertCall.with(
        { ...row, tenant, agent, log_state: call.logWaiting ? 'waiting' : 'none' },
        { mustChange: true },
      );
    });

  // Most of the time it is one call, and one event: then the statement is always the same.
  const oneCall = prepared(db, (is: { callId: string }) =>
    db.selectFrom('calls').selectAll().where('call_id', '=', is.callId),
  );
  const eventsOfOne = prepared(db, (is: { callId: string }) =>
    db.selectFrom('events').select(['call_id', 'envelope']).where('call_id', '=', is.callId),
  );
  const oneEvent = prepared(db, (is: { source: string; id: string }) =>
    db.selectFrom('events').select('id').where('source', '=', is.source).where('id', '=', is.id),
  );

  return {
    readCalls: (callIds) =>
      asking(async () => {
        const found = new Map<CallId, CallWithEvents & { readonly events: WireEvent[] }>();
        if (callIds.length === 0) return found;
        const [callId] = callIds;
        const alone = callIds.length === 1 && callId !== undefined;
        const readsCalls = alone
          ? oneCall.rows({ callId })
          : db.selectFrom('calls').selectAll().where('call_id', 'in', callIds).execute();
        // The calls first: events that come in between are then too many for the version, which the commit notices. SQLite keeps the order.
        if (database.locksRows) await readsCalls;
        const readsEvents = alone
          ? eventsOfOne.rows({ callId })
          : db.selectFrom('events').select(['call_id', 'envelope']).where('call_id', 'in', callIds).execute();
        const [calls, events] = await Promise.all([readsCalls, readsEvents]);
        for (const row of calls) found.set(row.call_id as CallId, { call: toCall(row), events: [] });
        for (const row of events) found.get(row.call_id as CallId)?.events.push(toEvent(row));
        return found;
      }),

    knownEvents: (source, ids) =>
      asking(async () => {
        const [id] = ids;
        if (id === undefined) return new Set<string>();
        const rows = await (ids.length === 1
          ? oneEvent.rows({ source, id })
          : db.selectFrom('events').select('id').where('source', '=', source).where('id', 'in', ids).execute());
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

    callsOfRecord: ({ tenant, agent, record, before, limit }) =>
      asking(async () => {
        const key = recordKey(record);
        let calls = db
          .selectFrom('calls')
          .selectAll()
          .where('tenant', '=', tenant)
          .where((row) => row.or([row('record_key', '=', key), row('about_key', '=', key)]))
          .where('log', 'is not', null)
          .orderBy('started_at', 'desc')
          .orderBy('call_id')
          .limit(limit);
        if (agent !== null) calls = calls.where('agent', '=', agent);
        if (before !== null) {
          const { at, call } = before;
          calls = calls.where((row) =>
            call === null
              ? row('started_at', '<', at)
              : row.or([row('started_at', '<', at), row.and([row('started_at', '=', at), row('call_id', '>', call)])]),
          );
        }
        return (await calls.execute()).map(toCall);
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
          )
          // Literals, not parameters: only then SQLite knows that the partial index holds them.
          .where('log_state', 'in', [sql.lit('waiting'), sql.lit('failed')]);
        if (agent !== null) calls = calls.where('agent', '=', agent);
        const rows = await calls.orderBy('touched_at').orderBy('call_id').limit(limit).execute();
        return rows.map(toCall);
      }),

    keyRecords: createRecordKeys(database),

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

    openCallsOf: (source) =>
      asking(async () => {
        const [, tenant = '', agent = ''] = /^\/tenants\/([^/]+)\/agents\/([^/]+)\//.exec(source) ?? [];
        const rows = await db
          .selectFrom('calls')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .where('open', '=', 1)
          .where((row) => row(toldLastBy(row), '=', source))
          .orderBy('started_at')
          .execute();
        return rows.map(toCall);
      }),

    silentCalls: ({ now, silentBefore, unattendedBefore, goneBefore, limit }) =>
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
              ...(goneBefore === null
                ? []
                : [row.and([row('touched_at', '<', goneBefore), phonesAreGone(row, goneBefore)])]),
            ]),
          )
          .orderBy('touched_at')
          .limit(limit)
          .execute();
        return rows.map((row) => row.call_id as CallId);
      }),
  };
}

/** What the calls of a record are found by. */
function recordKey(record: Pick<RecordRef, 'object' | 'id'> | null | undefined): string | null {
  return record === null || record === undefined ? null : `${record.object} ${record.id}`;
}

/** The source of the device that holds a line, as its events carry it. */
function deviceSource(lease: ExpressionBuilder<Tables, 'line_leases'>): Expression<string> {
  return sql<string>`'/tenants/' || ${lease.ref('line_leases.tenant')} || '/agents/' || ${lease.ref('line_leases.agent')} || '/devices/' || ${lease.ref('line_leases.device')}`;
}

/** What a device's events carry as their source; a relay's own and a phone system's look different. */
const anyDevice = '/tenants/%/agents/%/devices/%';

/** The device that told of a call last. */
function toldLastBy(row: ExpressionBuilder<Tables, 'calls'>) {
  return row
    .selectFrom('events')
    .select('events.source')
    .whereRef('events.call_id', '=', 'calls.call_id')
    .where('events.source', 'like', anyDevice)
    .orderBy('events.received_at', 'desc')
    .orderBy('events.seq', 'desc')
    .limit(1);
}

/**
 * Whether the device that told of a call last was known to hold a live socket and holds none since. A device is still there when the relay that
 * saw it last has not spoken again, whatever the clocks say: that relay may be cut off from this database, its phones on it. A device that took the
 * call up may say nothing for long, while words of the one before it still arrive: it is there while it holds the line.
 */
function phonesAreGone(
  row: ExpressionBuilder<Tables, 'calls'>,
  goneBefore: number,
): ExpressionWrapper<Tables, 'calls', SqlBool> {
  const told = row.selectFrom('events').whereRef('events.call_id', '=', 'calls.call_id');
  return row.and([
    row.not(
      row.exists(
        row
          .selectFrom('relay_heartbeats')
          .select('relay_heartbeats.relay')
          .where('relay_heartbeats.phones_at', 'is', null)
          .where('relay_heartbeats.seen_at', '>', goneBefore),
      ),
    ),
    row.exists(
      row
        .selectFrom('open_phones')
        .select('open_phones.source')
        .where('open_phones.source', '=', toldLastBy(row))
        .where('open_phones.seen_at', '<', goneBefore)
        .where((phone) =>
          phone.not(
            phone.exists(
              phone
                .selectFrom('relay_heartbeats')
                .select('relay_heartbeats.relay')
                .whereRef('relay_heartbeats.relay', '=', 'open_phones.relay')
                .whereRef('relay_heartbeats.phones_at', '<=', 'open_phones.seen_at'),
            ),
          ),
        ),
    ),
    row.not(
      row.exists(
        row
          .selectFrom('line_leases')
          .select('line_leases.epoch')
          .whereRef('line_leases.tenant', '=', 'calls.tenant')
          .whereRef('line_leases.agent', '=', 'calls.agent')
          .where('line_leases.held_until', '>', goneBefore)
          .where('line_leases.has_left', '=', 0)
          .where((lease) => lease.exists(told.select('events.id').where('events.source', '=', deviceSource(lease)))),
      ),
    ),
  ]);
}

/** What every change of a call writes. */
type CallRow = Omit<Tables['calls'], 'tenant' | 'agent' | 'log_state' | 'log_id' | 'log_reason'>;

/** The columns by name: what stands in for a row while a statement is prepared can't be listed. */
function columnsOf(row: CallRow): Omit<CallRow, 'call_id'> {
  return {
    version: row.version,
    log: row.log,
    open: row.open,
    started_at: row.started_at,
    touched_at: row.touched_at,
    sip_call_id: row.sip_call_id,
    conversation: row.conversation,
    record_key: row.record_key,
    about_key: row.about_key,
  };
}
