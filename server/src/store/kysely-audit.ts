/** The audit over kysely, and the statement with which another transaction carries its own entry. Must never change an entry. */
import { randomBytes } from 'node:crypto';
import type { TenantId } from '@patchcord/call-protocol';
import type { Kysely, Selectable } from 'kysely';
import type { AuditAct, AuditEntry, AuditStore, StoredAuditEntry } from './contract.ts';
import { asking, type BatchStatement, type Database } from './database.ts';
import type { Tables } from './tables.ts';

/** One entry as part of a larger batch: the act and its entry are kept together or not at all. */
export function auditStatement(db: Kysely<Tables>, entry: AuditEntry): BatchStatement {
  return { query: db.insertInto('audit').values(auditRow(entry)) };
}

export function createAuditStore(database: Database): AuditStore {
  const { db } = database;
  return {
    add: (entries) =>
      asking(async () => {
        if (entries.length > 0) await db.insertInto('audit').values(entries.map(auditRow)).execute();
      }),

    read: (tenant, after, limit) =>
      asking(async () => {
        const rows = await db
          .selectFrom('audit')
          .selectAll()
          .where('tenant', '=', tenant ?? '')
          .where('id', '>', after)
          .orderBy('id')
          .limit(limit)
          .execute();
        return rows.map(toEntry);
      }),

    last: (tenant, act) =>
      asking(async () => {
        const row = await db
          .selectFrom('audit')
          .selectAll()
          .where('tenant', '=', tenant ?? '')
          .where('act', '=', act)
          .orderBy('id', 'desc')
          .limit(1)
          .executeTakeFirst();
        return row === undefined ? null : toEntry(row);
      }),

    forgetBefore: (time) =>
      asking(async () => {
        const result = await db.deleteFrom('audit').where('at', '<', time).executeTakeFirst();
        return Number(result.numDeletedRows);
      }),
  };
}

/** Entries of the same millisecond keep the order in which this process made them. */
let counter = 0;

/** An entry as its row, with an id of its own. */
export function auditRow(entry: AuditEntry): Tables['audit'] {
  counter = (counter + 1) % 36 ** 4;
  const id = [
    entry.at.toString(36).padStart(9, '0'),
    counter.toString(36).padStart(4, '0'),
    randomBytes(6).toString('hex'),
  ].join('-');
  return {
    id,
    tenant: entry.tenant ?? '',
    at: entry.at,
    actor: entry.actor,
    act: entry.act,
    subject: entry.subject ?? null,
    data: JSON.stringify(entry.data ?? {}),
  };
}

function toEntry(row: Selectable<Tables['audit']>): StoredAuditEntry {
  return {
    id: row.id,
    tenant: row.tenant === '' ? null : (row.tenant as TenantId),
    at: row.at,
    actor: row.actor,
    act: row.act as AuditAct,
    subject: row.subject,
    data: JSON.parse(row.data) as StoredAuditEntry['data'],
  };
}
