/** Call-backs and dial lists over kysely. */
import type { CrmName } from '@patchcord/call-protocol';
import type { Selectable } from 'kysely';
import type { StoredToCall, ToCallStore } from './contract.ts';
import { asking, type Database } from './database.ts';
import type { Tables } from './tables.ts';

export function createToCallStore({ db }: Database): ToCallStore {
  const read = async (tenant: string, id: string): Promise<StoredToCall | null> => {
    const row = await db
      .selectFrom('to_call')
      .selectAll()
      .where('tenant', '=', tenant)
      .where('id', '=', id)
      .executeTakeFirst();
    return row === undefined ? null : toEntry(row);
  };
  const mine = async (tenant: string, agent: string, id: string): Promise<StoredToCall | null> => {
    const entry = await read(tenant, id);
    return entry?.agent === agent ? entry : null;
  };

  return {
    add: (entry, most) =>
      asking(async () => {
        const there = await read(entry.tenant, entry.id);
        if (there !== null) return { entry: there, added: false };
        const { open } = await db
          .selectFrom('to_call')
          .select((row) => row.fn.countAll<number>().as('open'))
          .where('tenant', '=', entry.tenant)
          .where('agent', '=', entry.agent)
          .where('done_at', 'is', null)
          .executeTakeFirstOrThrow();
        if (Number(open) >= most) return null;
        const rows = await db
          .insertInto('to_call')
          .values(toRow(entry))
          .onConflict((conflict) => conflict.columns(['tenant', 'id']).doNothing())
          .returning('id')
          .execute();
        // Another relay may have been asked the same a moment before.
        return { entry: (await read(entry.tenant, entry.id)) ?? entry, added: rows.length > 0 };
      }),

    open: (tenant, agent) =>
      asking(async () => {
        const rows = await db
          .selectFrom('to_call')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('agent', '=', agent)
          .where('done_at', 'is', null)
          .orderBy('kind')
          .orderBy('due_at')
          .orderBy('created_at')
          .orderBy('id')
          .execute();
        return rows.map(toEntry);
      }),

    change: (tenant, agent, id, { dueAt, doneAt }) =>
      asking(async () => {
        if (dueAt !== undefined || doneAt !== undefined)
          await db
            .updateTable('to_call')
            .set({
              ...(dueAt === undefined ? {} : { due_at: dueAt, kind: 'call-back' }),
              ...(doneAt === undefined ? {} : { done_at: doneAt }),
            })
            .where('tenant', '=', tenant)
            .where('agent', '=', agent)
            .where('id', '=', id)
            .execute();
        return await mine(tenant, agent, id);
      }),

    find: (tenant, agent, id) => asking(() => (agent === null ? read(tenant, id) : mine(tenant, agent, id))),

    nextOnRecord: (tenant, { object, id }) =>
      asking(async () => {
        const row = await db
          .selectFrom('to_call')
          .selectAll()
          .where('tenant', '=', tenant)
          .where('record_id', '=', id)
          .where('record_object', '=', object)
          .where('kind', '=', 'call-back')
          .where('done_at', 'is', null)
          .orderBy('due_at')
          .orderBy('id')
          .limit(1)
          .executeTakeFirst();
        return row === undefined ? null : toEntry(row);
      }),

    forgetBefore: (at, held) =>
      asking(async () => {
        const result = await db
          .deleteFrom('to_call')
          .where((row) =>
            row.or([
              row('done_at', '<', at),
              row.and([row('created_at', '<', at), row.or([row('due_at', 'is', null), row('due_at', '<', at)])]),
            ]),
          )
          .where((row) =>
            row.or([
              row('e164', 'is', null),
              row.not(row.or(held.map(({ tenant, number }) => row.and({ tenant, e164: number })))),
            ]),
          )
          .executeTakeFirst();
        return Number(result.numDeletedRows);
      }),
  };
}

function toRow(entry: StoredToCall): Tables['to_call'] {
  const { record } = entry;
  return {
    tenant: entry.tenant,
    id: entry.id,
    agent: entry.agent,
    kind: entry.kind,
    number: entry.number,
    e164: entry.e164,
    name: entry.name,
    record_crm: record?.crm ?? null,
    record_object: record?.object ?? null,
    record_id: record?.id ?? null,
    record_name: record?.name ?? null,
    note: entry.note,
    due_at: entry.dueAt,
    asked_by: entry.askedBy,
    created_at: entry.createdAt,
    done_at: entry.doneAt,
  };
}

function toEntry(row: Selectable<Tables['to_call']>): StoredToCall {
  const { record_crm: crm, record_object: object, record_id: id, record_name: name } = row;
  return {
    tenant: row.tenant as StoredToCall['tenant'],
    agent: row.agent as StoredToCall['agent'],
    id: row.id,
    kind: row.kind as StoredToCall['kind'],
    number: row.number,
    e164: row.e164 as StoredToCall['e164'],
    name: row.name,
    record:
      crm === null || object === null || id === null
        ? null
        : { crm: crm as CrmName, object, id, ...(name === null ? {} : { name }) },
    note: row.note,
    dueAt: row.due_at,
    askedBy: row.asked_by,
    createdAt: row.created_at,
    doneAt: row.done_at,
  };
}
