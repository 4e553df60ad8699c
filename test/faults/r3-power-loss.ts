/**
 * R3: the power goes at any moment. No kernel loses power here, so two things are shown instead. That nothing is acknowledged before the disk has
 * it: every system call of a writer is traced, and for each acknowledgement there must be a finished fsync of the write-ahead log that
 * came after the bytes of that very call. And that what lies on the disk is enough: the writer is frozen at random moments, its files are copied and
 * opened as after a crash. PostgreSQL is asked whether it flushes, and crashed while it takes calls.
 */
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import type { CallId } from '@patchcord/call-protocol';
import { sql } from 'kysely';
import { connectPostgres } from '../../server/src/store/database.ts';
import { openStore, type StoreLocation } from '../../server/src/store/open.ts';
import type { Drill } from '../drill.ts';
import { startPostgres } from '../store/postgres-server.ts';
import { startWriter, type Writer } from '../store/writer.ts';
import { seeded } from './office.ts';

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Traced {
  readonly acknowledged: number;
  readonly flushes: number;
  /** Acknowledged before the disk had it. */
  readonly early: number;
}

/** Traces a writer and looks at the order of its system calls. */
async function traced(folder: string, commits: number): Promise<Traced> {
  const trace = join(folder, 'trace');
  const location: StoreLocation = { kind: 'sqlite', folder: join(folder, 'traced') };
  const strace = ['strace', '-f', '-y', '-s', '4096', '-e', 'trace=write,pwrite64,fsync,fdatasync', '-o', trace];
  const writer = await startWriter({ location, agent: 'ada', writers: 16, commits }, strace);
  const code = await writer.ended;
  if (code !== 0) throw new Error(`the traced writer ended with ${code}: ${writer.complaints().slice(-500)}`);
  return orderOf(trace);
}

async function orderOf(trace: string): Promise<Traced> {
  /** Call id → how many flushes had finished when its bytes were written to the log. */
  const writtenAt = new Map<string, number>();
  const flushing = new Set<string>();
  /** Flushes that began; one counts for what was written before it began. */
  const begun = new Map<string, number>();
  let order = 0;
  let flushedUpTo = 0;
  let flushes = 0;
  let acknowledged = 0;
  let early = 0;
  for await (const line of createInterface({ input: createReadStream(trace) })) {
    order += 1;
    const pid = /^\d+/.exec(line)?.[0] ?? '';
    const flushed = (): void => {
      flushes += 1;
      flushing.delete(pid);
      flushedUpTo = Math.max(flushedUpTo, begun.get(pid) ?? 0);
    };
    if (/ (?:fsync|fdatasync)\(\d+<[^>]*-wal>/.test(line)) {
      begun.set(pid, order);
      if (line.includes('unfinished')) flushing.add(pid);
      else if (/= 0$/.test(line)) flushed();
    } else if (/<\.\.\. (?:fsync|fdatasync) resumed>.*= 0$/.test(line) && flushing.has(pid)) {
      flushed();
    } else if (/ pwrite64\(\d+<[^>]*-wal>/.test(line)) {
      for (const [id] of line.matchAll(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g))
        if (!writtenAt.has(id)) writtenAt.set(id, order);
    } else {
      const id = / write\(1<[^>]*>, "kept ([0-9a-f-]{36})/.exec(line)?.[1];
      if (id === undefined) continue;
      acknowledged += 1;
      const at = writtenAt.get(id);
      if (at === undefined || at > flushedUpTo) early += 1;
    }
  }
  return { acknowledged, flushes, early };
}

/** Freezes the writer, copies what it has on the disk, and counts what is missing of what it had acknowledged by then. */
async function snapshot(writer: Writer, from: string, to: string): Promise<number> {
  writer.child.kill('SIGSTOP');
  // What it had said is in the pipe.
  await sleep(2);
  const acknowledged = [...writer.kept];
  for (const name of ['patchcord.sqlite', 'patchcord.sqlite-wal'])
    await copyFile(join(from, name), join(to, name)).catch((error: { code?: string }) => {
      if (error.code !== 'ENOENT') throw error;
    });
  writer.child.kill('SIGCONT');
  const copy = new DatabaseSync(join(to, 'patchcord.sqlite'));
  try {
    const sound = copy.prepare('pragma quick_check').get() as { quick_check: string };
    if (sound.quick_check !== 'ok') throw new Error(`a snapshot is damaged: ${sound.quick_check}`);
    const there = new Set(
      copy
        .prepare(
          'select c.call_id from calls c join events e on e.call_id = c.call_id join outbox o on o.call_id = c.call_id',
        )
        .all()
        .map((row) => row.call_id),
    );
    return acknowledged.filter((id) => !there.has(id)).length;
  } finally {
    copy.close();
    for (const name of ['patchcord.sqlite', 'patchcord.sqlite-wal', 'patchcord.sqlite-shm'])
      await rm(join(to, name), { force: true });
  }
}

async function missingIn(location: StoreLocation, ids: readonly string[]): Promise<number> {
  const store = await openStore(location);
  try {
    let missing = 0;
    for (let from = 0; from < ids.length; from += 500) {
      const page = ids.slice(from, from + 500) as CallId[];
      missing += page.length - (await store.calls.readCalls(page)).size;
    }
    return missing;
  } finally {
    await store.close();
  }
}

export const drill: Drill = {
  about:
    'the power goes: nothing is acknowledged before the disk has it, and every snapshot of the disk holds all that was',
  async run({ seed, short, say }) {
    const random = seeded(seed);
    const folder = await mkdtemp(join(tmpdir(), 'patchcord-r3-'));
    const strace = spawn('strace', ['-V'], { stdio: 'ignore' });
    await new Promise<void>((resolve, reject) => {
      strace.once('exit', () => resolve());
      strace.once('error', () => reject(new Error('strace is not installed (Debian: strace)')));
    });
    const postgres = await startPostgres();
    try {
      const order = await traced(folder, short ? 200 : 2_000);
      say(`${order.acknowledged} acknowledged, ${order.flushes} flushes, ${order.early} too early`);

      const snapshots = short ? 20 : 200;
      const copies = join(folder, 'copy');
      await mkdir(copies);
      let lost = 0;
      let inSnapshots = 0;
      for (let taken = 0; taken < snapshots; ) {
        // A fresh file now and then: beginnings and checkpoints are moments too.
        const data = join(folder, `data-${taken}`);
        const writer = await startWriter({ location: { kind: 'sqlite', folder: data }, agent: 'ada', writers: 8 });
        await writer.until(5);
        for (let n = 0; n < 20 && taken < snapshots; n += 1, taken += 1) {
          await sleep(1 + random() * 40);
          lost += await snapshot(writer, data, copies);
        }
        inSnapshots += writer.kept.length;
        await writer.kill();
        lost += await missingIn({ kind: 'sqlite', folder: data }, writer.kept);
        await rm(data, { recursive: true, force: true });
      }
      say(`${snapshots} snapshots, ${lost} acknowledged calls missing`);

      const url = await postgres.createDatabase();
      const database = connectPostgres(url);
      const settings = [];
      for (const name of ['fsync', 'synchronous_commit', 'full_page_writes'])
        settings.push((await sql<Record<string, string>>`show ${sql.raw(name)}`.execute(database.db)).rows[0]?.[name]);
      await database.close();
      const flushesByDefault = settings.every((value) => value === 'on');
      const crashes = short ? 2 : 10;
      const location: StoreLocation = { kind: 'postgres', url };
      let acknowledgedByPostgres = 0;
      for (let n = 0; n < crashes; n += 1) {
        const writer = await startWriter({ location, agent: 'ada', writers: 8, pauseMs: 20 });
        await writer.until(20 + Math.floor(random() * 100));
        await postgres.crash();
        await writer.until(1, 'failed');
        await writer.kill();
        await postgres.start();
        acknowledgedByPostgres += writer.kept.length;
        lost += await missingIn(location, writer.kept);
      }
      say(`${crashes} crashes of PostgreSQL, ${lost} missing in all`);
      return {
        passed:
          lost === 0 &&
          order.early === 0 &&
          order.acknowledged > 0 &&
          order.flushes > 0 &&
          inSnapshots > 0 &&
          flushesByDefault,
        n: order.acknowledged + inSnapshots + acknowledgedByPostgres,
        lost,
        failed: order.early,
        traced: order.acknowledged,
        flushes: order.flushes,
        snapshots,
        crashes,
        postgresFlushes: flushesByDefault,
      };
    } finally {
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};
