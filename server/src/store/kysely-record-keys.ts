/**
 * By what the calls of a record are found, for calls that were written without it: before there was such a thing, or by a relay of the version
 * before that runs beside this one. Reads the log as it stands; must never make anybody wait: a row that somebody writes is left to them.
 */
import type { CallId } from '@patchcord/call-protocol';
import { sql } from 'kysely';
import type { CallStore } from './contract.ts';
import { asking, type Database } from './database.ts';

export function createRecordKeys({ db, locksRows }: Database): CallStore['keyRecords'] {
  const part = (name: 'record' | 'about', field: 'object' | 'id') =>
    locksRows
      ? sql`(log::json #>> ${sql.lit(`{${name},${field}}`)})`
      : sql`json_extract(log, ${sql.lit(`$.${name}.${field}`)})`;
  const key = (name: 'record' | 'about') => sql`(${part(name, 'object')} || ' ' || ${part(name, 'id')})`;
  const isOther = sql`(record_key is distinct from ${key('record')} or about_key is distinct from ${key('about')})`;
  const free = locksRows ? sql`for update skip locked` : sql``;
  return (after, limit) =>
    asking(async () => {
      const page = await db
        .selectFrom('calls')
        .select('call_id')
        .where('call_id', '>', after ?? '')
        .orderBy('call_id')
        .limit(limit)
        .execute();
      const last = page.at(-1);
      if (last === undefined) return null;
      await sql`
        update calls set record_key = ${key('record')}, about_key = ${key('about')}
        where call_id in (
          select call_id from calls
          where call_id > ${after ?? ''} and call_id <= ${last.call_id} and log is not null and ${isOther}
          order by call_id ${free})`.execute(db);
      return last.call_id as CallId;
    });
}
