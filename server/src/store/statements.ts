/** The statements that more than one part of the store puts into its transactions, and how rows become our shapes again. */
import { type CallLog, parseEvent, type WireEvent } from '@patchcord/call-protocol';
import type { Kysely, Selectable } from 'kysely';
import type { Effect, LogResult, NewEffect, StoredCall, StoredEvent } from './contract.ts';
import type { BatchStatement } from './database.ts';
import { preparedFor } from './prepared.ts';
import type { Tables } from './tables.ts';

const eventInsert = preparedFor((db, row: Omit<Tables['events'], 'seq' | 'xact' | 'position'>) =>
  db
    .insertInto('events')
    .values({
      source: row.source,
      id: row.id,
      tenant: row.tenant,
      agent: row.agent,
      call_id: row.call_id,
      envelope: row.envelope,
      received_at: row.received_at,
    })
    .onConflict((conflict) => conflict.columns(['source', 'id']).doNothing()),
);

export function insertEvent(db: Kysely<Tables>, event: StoredEvent, mustBeNew: boolean): BatchStatement {
  return eventInsert(db).with(
    {
      source: event.source,
      id: event.id,
      tenant: event.tenant,
      agent: event.agent,
      call_id: event.callId,
      envelope: JSON.stringify(event.envelope),
      received_at: event.receivedAt,
    },
    { mustChange: mustBeNew },
  );
}

type QueuedEffect = Pick<
  Tables['outbox'],
  'id' | 'kind' | 'tenant' | 'call_id' | 'payload' | 'due_at' | 'order_key' | 'position'
>;

const effectInsert = preparedFor((db, row: QueuedEffect) =>
  db
    .insertInto('outbox')
    .values({
      id: row.id,
      kind: row.kind,
      tenant: row.tenant,
      call_id: row.call_id,
      payload: row.payload,
      version: 1,
      attempts: 0,
      state: 'waiting',
      due_at: row.due_at,
      created_at: row.due_at,
      lease: null,
      lease_until: 0,
      reason: null,
      order_key: row.order_key,
      position: row.position,
    })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet((own) => ({
        version: own('outbox.version', '+', 1),
        payload: own.ref('excluded.payload'),
        order_key: own.ref('excluded.order_key'),
        due_at: own
          .case()
          .when(
            own.or([
              own('outbox.state', '=', 'dead'),
              own.and([own('outbox.attempts', '=', 0), own('excluded.due_at', '<', own.ref('outbox.due_at'))]),
            ]),
          )
          .then(own.ref('excluded.due_at'))
          .else(own.ref('outbox.due_at'))
          .end(),
        attempts: own.case().when('outbox.state', '=', 'dead').then(0).else(own.ref('outbox.attempts')).end(),
        // One that lives again is as young as a new one: what it waited before is not its age.
        created_at: own
          .case()
          .when('outbox.state', '=', 'dead')
          .then(own.ref('excluded.created_at'))
          .else(own.ref('outbox.created_at'))
          .end(),
        state: 'waiting',
      })),
    ),
);

/**
 * Enqueues an effect, or joins the one with the same id: its version moves on, so that a delivery under way does not count as done.
 * One that has failed keeps its back-off, one that has not yet been tried takes the earlier time, a dead one lives again.
 */
export function enqueue(db: Kysely<Tables>, effect: NewEffect): BatchStatement {
  return effectInsert(db).with({
    id: effect.id,
    kind: effect.kind,
    tenant: effect.tenant,
    call_id: effect.callId,
    payload: JSON.stringify(effect.payload),
    due_at: effect.dueAt,
    order_key: effect.orderKey,
    position: nextPosition(),
  });
}

let lastPosition = 0;

/** Where an effect stands among those with its order key: µs since the epoch, always rising within a relay. */
function nextPosition(): number {
  lastPosition = Math.max(lastPosition + 1, Date.now() * 1_000);
  return lastPosition;
}

export function setLogResult(db: Kysely<Tables>, result: LogResult, state = result.state): BatchStatement {
  return {
    query: db
      .updateTable('calls')
      .set({ log_state: state, log_reason: result.reason, ...(result.logId === null ? {} : { log_id: result.logId }) })
      .where('call_id', '=', result.callId),
  };
}

// What follows reads what this store wrote after checking; a row is not checked a second time.

export function toCall(row: Selectable<Tables['calls']>): StoredCall {
  return {
    callId: row.call_id as StoredCall['callId'],
    tenant: row.tenant as StoredCall['tenant'],
    agent: row.agent as StoredCall['agent'],
    version: row.version,
    log: row.log === null ? null : (JSON.parse(row.log) as CallLog),
    touchedAt: row.touched_at,
    logState: row.log_state as StoredCall['logState'],
    logId: row.log_id,
    logReason: row.log_reason,
  };
}

export function toEvent(row: { readonly envelope: string }): WireEvent {
  return parseEvent(JSON.parse(row.envelope));
}

export function toEffect(row: Selectable<Tables['outbox']>): Effect {
  return {
    id: row.id,
    kind: row.kind as Effect['kind'],
    tenant: row.tenant as Effect['tenant'],
    callId: row.call_id as Effect['callId'],
    payload: JSON.parse(row.payload) as unknown,
    version: row.version,
    attempts: row.attempts,
    state: row.state as Effect['state'],
    dueAt: row.due_at,
    createdAt: row.created_at,
    reason: row.reason,
    orderKey: row.order_key,
  };
}
