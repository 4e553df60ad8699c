/**
 * A backup as a file: lines of JSON, gzipped. The first says what it is, then each table with its rows, the last counts and signs what stands
 * before it, so that half a file is never taken for a whole one. The same for both databases. Owns the form; must never know a table.
 *
 * ```
 * {"patchcord":"backup","format":1,"madeAt":…,"database":"sqlite","migrations":["2026-11-01-…",…]}
 * {"table":"calls","columns":["call_id",…]}
 * ["5b1c…",…]
 * {"end":true,"rows":{"calls":1,…},"sha256":"…"}
 * ```
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip, createGzip } from 'node:zlib';
import { PatchcordError } from '@patchcord/call-protocol';
import * as v from 'valibot';

const format = 1;

const HeaderSchema = v.object({
  patchcord: v.literal('backup'),
  format: v.number(),
  /** Epoch ms. */
  madeAt: v.number(),
  database: v.picklist(['sqlite', 'postgres']),
  migrations: v.array(v.string()),
});
export type BackupHeader = v.InferOutput<typeof HeaderSchema>;
const TableSchema = v.object({ table: v.string(), columns: v.array(v.string()) });
const EndSchema = v.object({ end: v.literal(true), rows: v.record(v.string(), v.number()), sha256: v.string() });

export interface BackupTable {
  readonly name: string;
  readonly columns: readonly string[];
  readonly pages: AsyncIterable<readonly (readonly unknown[])[]>;
}

/**
 * Writes a backup beside its place, flushes it, and only then gives it its name; nobody else may read it. Never overwrites.
 * @returns rows by table
 * @throws PatchcordError `request.invalid` when the file exists; whatever the disk says
 */
export async function writeBackup(
  path: string,
  header: Omit<BackupHeader, 'patchcord' | 'format'>,
  tables: Iterable<BackupTable>,
): Promise<Readonly<Record<string, number>>> {
  if (existsSync(path)) {
    throw new PatchcordError(
      'request.invalid',
      `${path} exists, and a backup is never overwritten. Give another name.`,
    );
  }
  const partial = `${path}.partial-${process.pid}`;
  const rows: Record<string, number> = {};
  const hash = createHash('sha256');
  const line = (value: unknown): string => {
    const text = `${JSON.stringify(value)}\n`;
    hash.update(text);
    return text;
  };
  async function* lines(): AsyncIterable<string> {
    yield line({ patchcord: 'backup', format, ...header } satisfies BackupHeader);
    for (const { name, columns, pages } of tables) {
      rows[name] = 0;
      yield line({ table: name, columns });
      for await (const page of pages) {
        rows[name] += page.length;
        yield page.map((row) => line(row.map(toJson))).join('');
      }
    }
    yield `${JSON.stringify({ end: true, rows, sha256: hash.digest('hex') })}\n`;
  }
  const file = await open(partial, 'wx', 0o600);
  try {
    try {
      // The stream flushes before it closes the file.
      await pipeline(lines, createGzip(), file.createWriteStream({ flush: true }));
    } finally {
      await file.close();
    }
    await rename(partial, path);
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return rows;
}

/** What a reader hears of a backup, in the order of the file. Each may be waited for. */
export interface BackupListener {
  header?(header: BackupHeader): Promise<void> | void;
  table?(name: string, columns: readonly string[]): Promise<void> | void;
  rows?(rows: readonly (readonly unknown[])[]): Promise<void> | void;
}

/**
 * Reads a backup to its end and checks every line of it.
 * @throws PatchcordError `request.invalid` saying what is wrong with the file: no backup, cut short, changed, of another form
 */
export async function readBackup(
  path: string,
  listener: BackupListener = {},
): Promise<{ readonly header: BackupHeader; readonly rows: Readonly<Record<string, number>> }> {
  const hash = createHash('sha256');
  const rows: Record<string, number> = {};
  let header: BackupHeader | undefined;
  let end: v.InferOutput<typeof EndSchema> | undefined;
  let table: string | undefined;
  let page: (readonly unknown[])[] = [];

  const flush = async (): Promise<void> => {
    if (page.length === 0) return;
    await listener.rows?.(page);
    page = [];
  };
  const take = async (text: string): Promise<void> => {
    if (end !== undefined) throw wrong(path, 'something stands behind its end');
    const value: unknown = parsed(text, path);
    if (header === undefined) {
      const said = v.safeParse(HeaderSchema, value);
      if (!said.success) throw wrong(path, 'it is no backup of Patchcord');
      if (said.output.format !== format)
        throw wrong(path, `its form is ${said.output.format} and this version reads ${format}: use a newer Patchcord`);
      header = said.output;
      await listener.header?.(header);
    } else if (Array.isArray(value)) {
      if (table === undefined) throw wrong(path, 'it has a row before its first table');
      rows[table] = (rows[table] ?? 0) + 1;
      page.push(value.map(fromJson));
      if (page.length >= 500) await flush();
    } else {
      await flush();
      const next = v.safeParse(TableSchema, value);
      if (next.success) {
        table = next.output.table;
        rows[table] = 0;
        await listener.table?.(table, next.output.columns);
      } else {
        const last = v.safeParse(EndSchema, value);
        if (!last.success) throw wrong(path, 'it has a line that cannot be read');
        end = last.output;
        return;
      }
    }
    hash.update(`${text}\n`);
  };

  const decoder = new StringDecoder('utf8');
  let rest = '';
  try {
    await pipeline(createReadStream(path), createGunzip(), async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        const lines = (rest + decoder.write(chunk)).split('\n');
        rest = lines.pop() ?? '';
        for (const text of lines) await take(text);
      }
    });
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENOENT' || code === 'EACCES')
      throw wrong(path, 'there is no such file, or it may not be read', error);
    if (code === 'Z_BUF_ERROR') throw wrong(path, 'it is cut short', error);
    if (code?.startsWith('Z_')) throw wrong(path, 'it is damaged, or no backup of Patchcord', error);
    throw error;
  }
  if (header === undefined || end === undefined || rest !== '') throw wrong(path, 'it is cut short');
  if (end.sha256 !== hash.digest('hex')) throw wrong(path, 'it was changed after it was made');
  const counted = Object.entries(end.rows).every(([name, count]) => rows[name] === count);
  if (!counted || Object.keys(end.rows).length !== Object.keys(rows).length)
    throw wrong(path, 'it does not hold the rows that it counts');
  return { header, rows };
}

function wrong(path: string, why: string, cause?: unknown): PatchcordError {
  return new PatchcordError('request.invalid', `${path} cannot be used: ${why}.`, { cause });
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw wrong(path, 'it has a line that cannot be read', cause);
  }
}

/** Bytes are the one kind of column value that JSON lacks. */
function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') };
  return typeof value === 'bigint' ? Number(value) : value;
}

function fromJson(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Buffer.from((value as { base64: string }).base64, 'base64');
}
