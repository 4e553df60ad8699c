/**
 * Erases one person, known by a telephone number: the calls with them go, with all that hangs on them; where else the number stands it is
 * blanked, in every table there is. Owns what is erased and the count of it; legal holds go before. Must never keep, print or log the number.
 */
import { randomUUID } from 'node:crypto';
import type { CallId, E164, TenantId } from '@patchcord/call-protocol';
import { type ExpressionBuilder, sql } from 'kysely';
import type { AuditEntry, LegalHold, StoredCall, StoredVoicemail } from '../store/contract.ts';
import { asking, type Database } from '../store/database.ts';
import { auditStatement } from '../store/kysely-audit.ts';
import { createKeepingStore } from '../store/kysely-keeping.ts';
import { createRecordingPartStore } from '../store/kysely-recording-parts.ts';
import { createRecordingStore } from '../store/kysely-recordings.ts';
import { createVoicemailStore, toVoicemail } from '../store/kysely-voicemails.ts';
import { toCall } from '../store/statements.ts';
import type { Tables } from '../store/tables.ts';
import { dataTables, pagesOf, type Row, type TableShape } from '../store/whole-tables.ts';
import { isPerson, isReadable, isWith, holds as mentionedIn, mentionsOf, withoutPerson } from './person.ts';
import { isHeld } from './retention.ts';

export interface ErasureOptions {
  readonly tenant: TenantId;
  readonly number: E164;
  /** Home country of the tenant: how a number without a country code is read. */
  readonly country: string;
  /** Goes into the audit; the number is taken out of it. */
  readonly reason: string;
  readonly actor: string;
  readonly dryRun: boolean;
  /** Under which hash choices for the number are kept; `unreadable`: its key is lost, and then all of the tenant's go. */
  readonly rememberedAs: { readonly hash: string } | 'nothing' | 'unreadable';
  /** Takes the files of recordings away whose calls are gone. */
  readonly removeFiles: (files: readonly string[]) => Promise<void>;
  /** The same of voicemails. */
  readonly removeVoicemailFiles: (files: readonly string[]) => Promise<void>;
  /** Epoch ms. */
  readonly now: number;
}

export interface Erasure {
  /** Stands in the audit; the only name of the person that is kept. */
  readonly id: string;
  readonly calls: number;
  /** Rows that went with the calls: events, effects. */
  readonly rows: number;
  /** Recordings that went with the calls, rows and files. */
  readonly recordings: number;
  /** Messages that the person left, rows and files. */
  readonly voicemails: number;
  /** Rows in which the number was blanked. */
  readonly blanked: number;
  /** Of the calls, those whose log was not in the CRM yet: it will not be written. */
  readonly unwritten: number;
  /** Records that agents chose for the number, as far as the relay remembered it. */
  readonly choices: number;
  /** What stays because of a legal hold. */
  readonly held: number;
  /** Calls that are under way: erase again when they are over. */
  readonly live: number;
}

const atOnce = 100;
/** A relay may write what it had read before: looked at again until nothing is found. */
const passes = 5;
/** A hold is what keeps the number; deleting it would lift it. */
const notSearched = new Set(['legal_holds']);

/** @throws PatchcordError `store.unavailable`; what was erased by then is gone, and asking again goes on */
export async function erasePerson(database: Database, options: ErasureOptions): Promise<Erasure> {
  const keeping = createKeepingStore(database);
  const stored = createRecordingStore(database);
  const unfinished = createRecordingPartStore(database);
  const { tenant, number, dryRun } = options;
  const id = `erasure-${randomUUID()}`;
  const mentions = mentionsOf(number);
  const holds = await keeping.holds(tenant);
  const numberIsHeld = holds.some(({ kind, subject }) => kind === 'number' && subject === number);
  const tables = await asking(() => dataTables(database));
  const found = await asking(() => findCalls(database, tables, options, holds));
  let calls = numberIsHeld ? 0 : found.free.length;
  let rows = 0;
  let recordings = 0;
  let voicemails = 0;
  let blanked = 0;
  let held = found.held + (numberIsHeld ? found.free.length : 0);

  if (!numberIsHeld) {
    if (dryRun) {
      const ids = found.free.map(({ callId }) => callId);
      for (let from = 0; from < ids.length; from += atOnce)
        recordings += (await stored.ofCalls(tenant, ids.slice(from, from + atOnce))).length;
    } else {
      calls = 0;
      for (let from = 0; from < found.free.length; from += atOnce) {
        const ids = found.free.slice(from, from + atOnce).map(({ callId }) => callId);
        const sound = await stored.ofCalls(tenant, ids);
        const inParts = await unfinished.ofCalls(tenant, ids);
        const gone = await keeping.forgetCalls(ids, { evenUnwritten: true });
        calls += gone.calls;
        rows += gone.rows;
        // One that a hold kept keeps its sound too.
        const kept = await stored.known([...sound, ...inParts].map(({ file }) => file));
        const gonePart = inParts.flatMap(({ file }) => (kept.has(file) ? [] : [file]));
        const goneWhole = sound.flatMap(({ file }) => (file === '' || kept.has(file) ? [] : [file]));
        await options.removeFiles([...goneWhole, ...gonePart]);
        recordings += goneWhole.length;
      }
    }
    const messages = await asking(() => findVoicemails(database, tables, options));
    voicemails = messages.length;
    if (!dryRun) {
      const left = createVoicemailStore(database);
      for (let from = 0; from < messages.length; from += atOnce) {
        const some = messages.slice(from, from + atOnce);
        await left.forget(some.map(({ id: message }) => message));
        await options.removeVoicemailFiles(some.map(({ file }) => file));
      }
    }
    const going = new Set<unknown>(found.free.map(({ callId }) => callId));
    const heldCalls = new Set<unknown>(holds.filter(({ kind }) => kind === 'call').map(({ subject }) => subject));
    const staying = new Set<unknown>(found.live);
    for (let pass = 0; pass < passes; pass += 1) {
      let seen = 0;
      let kept = 0;
      for (const table of tables) {
        if (notSearched.has(table.name)) continue;
        for await (const page of pagesOf(database, table)) {
          for (const row of page) {
            if (dryRun && table.name === 'voicemails' && messages.some(({ id: message }) => message === row.id))
              continue;
            if (dryRun && going.has(row.call_id)) {
              rows += table.name === 'calls' ? 0 : 1;
              continue;
            }
            const changes = changesOf(table, row, tenant, mentions);
            if (changes === null || staying.has(row.call_id)) continue;
            if (heldCalls.has(row.call_id)) kept += 1;
            else {
              seen += 1;
              if (!dryRun) await asking(() => blankRow(database, table, row, changes));
            }
          }
        }
      }
      blanked += seen;
      if (pass === 0) held += kept;
      if (seen === 0 || dryRun) break;
    }
  }

  const choices = numberIsHeld ? 0 : await asking(() => forgetChoices(database, options));
  const erasure: Erasure = {
    id,
    calls,
    rows,
    recordings,
    voicemails,
    blanked,
    choices,
    unwritten: numberIsHeld
      ? 0
      : found.free.filter(({ logState }) => logState === 'waiting' || logState === 'failed').length,
    held,
    live: found.live.length,
  };
  if (dryRun) return erasure;
  await note(database, options, erasure, mentions);
  await asking(() => sweepFiles(database));
  return erasure;
}

/** The number itself stands nowhere in that table: only its hash finds it. */
async function forgetChoices({ db }: Database, { tenant, rememberedAs, dryRun }: ErasureOptions): Promise<number> {
  if (rememberedAs === 'nothing') return 0;
  const of = (row: ExpressionBuilder<Tables, 'record_choices'>) =>
    row.and({ tenant, ...(rememberedAs === 'unreadable' ? {} : { number: rememberedAs.hash }) });
  const found = await db.selectFrom('record_choices').select('record_id').where(of).execute();
  if (!dryRun) await db.deleteFrom('record_choices').where(of).execute();
  return found.length;
}

async function findCalls(
  database: Database,
  tables: readonly TableShape[],
  { tenant, number, country }: ErasureOptions,
  holds: readonly LegalHold[],
): Promise<{ readonly free: readonly StoredCall[]; readonly held: number; readonly live: readonly CallId[] }> {
  const table = tables.find(({ name }) => name === 'calls');
  const free: StoredCall[] = [];
  const live: CallId[] = [];
  let held = 0;
  if (table === undefined) return { free, held, live };
  for await (const page of pagesOf(database, table)) {
    for (const row of page) {
      if (row.tenant !== tenant) continue;
      const call = toCall(row as unknown as Parameters<typeof toCall>[0]);
      if (call.log === null || !isWith(call.log, number, country)) continue;
      if (
        isHeld(
          call,
          holds.filter(({ kind }) => kind === 'call'),
          country,
        )
      )
        held += 1;
      else if (call.log.stage === 'live') live.push(call.callId);
      else free.push(call);
    }
  }
  return { free, held, live };
}

/** Messages that the person left: by the number as it was understood, or as it was given. */
async function findVoicemails(
  database: Database,
  tables: readonly TableShape[],
  { tenant, number, country }: ErasureOptions,
): Promise<readonly StoredVoicemail[]> {
  const table = tables.find(({ name }) => name === 'voicemails');
  const found: StoredVoicemail[] = [];
  if (table === undefined) return found;
  for await (const page of pagesOf(database, table)) {
    for (const row of page) {
      if (row.tenant !== tenant) continue;
      const message = toVoicemail(row as unknown as Parameters<typeof toVoicemail>[0]);
      if (isPerson(message, number, country)) found.push(message);
    }
  }
  return found;
}

/** What to write into a row so that it no longer names the person: null for nothing, 'delete' where the key itself does. */
function changesOf(table: TableShape, row: Row, tenant: TenantId, mentions: RegExp): Row | 'delete' | null {
  if (table.columns.includes('tenant') && row.tenant !== tenant && row.tenant !== '') return null;
  const changes: Record<string, unknown> = {};
  for (const column of table.columns) {
    const value = row[column];
    if (typeof value !== 'string' || !mentionedIn(value, mentions)) continue;
    // Whom nobody may call any more nobody has to call.
    if (table.key.includes(column) || (table.name === 'to_call' && column.endsWith('e164'))) return 'delete';
    const without = withoutPerson(value, mentions);
    if (table.name === 'events' && column === 'envelope' && !isReadable(without)) return 'delete';
    changes[column] = without;
  }
  return Object.keys(changes).length === 0 ? null : changes;
}

/** Only as long as the row is what was read: a relay that wrote it meanwhile is met in the next pass. */
async function blankRow({ db }: Database, table: TableShape, row: Row, changes: Row | 'delete'): Promise<void> {
  const key = sql.join(
    table.key.map((column) => sql`${sql.ref(column)} = ${row[column]}`),
    sql` and `,
  );
  if (changes === 'delete') {
    await sql`delete from ${sql.table(table.name)} where ${key}`.execute(db);
    return;
  }
  const columns = Object.entries(changes);
  const set = sql.join(columns.map(([column, value]) => sql`${sql.ref(column)} = ${value}`));
  const same = sql.join(
    columns.map(([column]) => sql`${sql.ref(column)} = ${row[column]}`),
    sql` and `,
  );
  await sql`update ${sql.table(table.name)} set ${set} where ${key} and ${same}`.execute(db);
}

async function note(database: Database, options: ErasureOptions, erasure: Erasure, mentions: RegExp): Promise<void> {
  const { id, ...counts } = erasure;
  const entry: AuditEntry = {
    tenant: options.tenant,
    actor: options.actor,
    act: 'person.erased',
    subject: id,
    data: { reason: withoutPerson(options.reason, mentions), ...counts },
    at: options.now,
  };
  await asking(() => database.batch([auditStatement(database.db, entry)]));
}

/** A deleted row still stands in the file until its page is used again: SQLite's file is written anew, PostgreSQL's tables are swept. */
async function sweepFiles(database: Database): Promise<void> {
  const { db } = database;
  if (database.locksRows) {
    for (const { name } of await dataTables(database)) await sql`vacuum ${sql.table(name)}`.execute(db);
    return;
  }
  await sql`vacuum`.execute(db);
  for (let look = 0; look < 50; look += 1) {
    const { rows } = await sql<{ busy: number }>`pragma wal_checkpoint(truncate)`.execute(db);
    if (rows[0]?.busy === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the write-ahead log could not be emptied: something reads the database all the time');
}
