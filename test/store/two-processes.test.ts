/** Two relays on one database, in processes of their own: both write, nothing is lost, and neither hears of the other. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CallId } from '@patchcord/call-protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore, type StoreLocation } from '../../server/src/store/open.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { startWriter } from './writer.ts';

let postgres: PostgresServer;
let folder = '';
beforeAll(async () => {
  postgres = await startPostgres();
  folder = await mkdtemp(join(tmpdir(), 'patchcord-two-'));
});
afterAll(async () => {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

const locations: Readonly<Record<string, () => Promise<StoreLocation>>> = {
  SQLite: () => Promise.resolve({ kind: 'sqlite', folder: join(folder, 'data') }),
  PostgreSQL: async () => ({ kind: 'postgres', url: await postgres.createDatabase() }),
};

describe.each(Object.keys(locations))('two processes on one %s', (name) => {
  it('start together on an empty database, write as fast as they can, and lose nothing', async () => {
    const location = await (locations[name] as () => Promise<StoreLocation>)();
    const commits = 600;
    const writers = await Promise.all(
      ['ada', 'bob'].map((agent) => startWriter({ location, agent, writers: 8, commits })),
    );
    expect(await Promise.all(writers.map(({ ended }) => ended))).toEqual([0, 0]);
    expect(writers.flatMap(({ failed }) => failed)).toEqual([]);
    const acknowledged = writers.flatMap(({ kept }) => kept) as CallId[];
    expect(acknowledged).toHaveLength(2 * commits);
    const store = await openStore(location);
    try {
      const found = await store.calls.readCalls(acknowledged);
      expect(found.size).toBe(2 * commits);
      expect([...found.values()].every(({ events }) => events.length === 1)).toBe(true);
      expect(await store.outbox.depth()).toMatchObject([{ kind: 'crm.log', state: 'waiting', count: 2 * commits }]);
    } finally {
      await store.close();
    }
  });
});

it('a process that waits for another one’s long write hears nothing of it', async () => {
  const location: StoreLocation = { kind: 'sqlite', folder: join(folder, 'held') };
  const first = await openStore(location);
  await first.close();
  const { DatabaseSync } = await import('node:sqlite');
  // It gets its turn between the writer's own transactions.
  const holder = new DatabaseSync(join(folder, 'held', 'patchcord.sqlite'), { timeout: 10_000 });
  const writer = await startWriter({ location, agent: 'ada', writers: 4 });
  await writer.until(20);
  holder.exec('begin immediate');
  const before = writer.kept.length;
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  holder.exec('rollback');
  holder.close();
  await writer.until(before + 50);
  expect(await writer.stop(), writer.complaints()).toBe(0);
  expect(writer.failed).toEqual([]);
});
