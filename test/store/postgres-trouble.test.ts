/** What PostgreSQL and the network before it do to a relay in real life: silence, a relay that stands still, two that want the same rows. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type AgentId, newCallId, type TenantId } from '@patchcord/call-protocol';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { connectPostgres, type Database } from '../../server/src/store/database.ts';
import { openStore } from '../../server/src/store/open.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';

const tenant = 'acme' as TenantId;
const agent = 'ada' as AgentId;
let server: PostgresServer;
let url = '';
let opened: (() => unknown)[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
beforeEach(async () => {
  url = await server.createDatabase();
});
afterEach(async () => {
  for (const close of opened.reverse()) await close();
  opened = [];
});

function database(at = url, patience?: Parameters<typeof connectPostgres>[1]): Database {
  const one = connectPostgres(at, patience);
  opened.push(() => one.close());
  return one;
}
async function session(): Promise<pg.Client> {
  const client = new pg.Client(url);
  await client.connect();
  opened.push(() => client.end());
  return client;
}
/** Resolves when somebody waits for a lock. */
async function somebodyWaits(watcher: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await watcher.query(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    if (rows.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
async function twoRows(): Promise<void> {
  const setup = await session();
  await setup.query(
    "create table things (id text primary key, n integer not null); insert into things values ('a', 0), ('b', 0)",
  );
}

it('gives up a connection that fell silent, and goes on over a new one', async () => {
  const target = new URL(url);
  const port = Number(target.port);
  let silent = false;
  const sockets: Socket[] = [];
  const proxy = createServer((near) => {
    const far = connect(port, target.hostname);
    sockets.push(near, far);
    const working = silent;
    near.on('data', (chunk) => void ((working || !silent) && far.write(chunk)));
    far.on('data', (chunk) => void ((working || !silent) && near.write(chunk)));
    for (const socket of [near, far]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        near.destroy();
        far.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  target.port = String((proxy.address() as AddressInfo).port);
  opened.push(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const { db } = database(target.href, { answerMs: 2_000, transactionMs: 10_000 });
  await sql`select 1`.execute(db);
  // What is open now is dead without a word; new connections work.
  silent = true;
  await expect(sql`select 1`.execute(db)).rejects.toThrow();
  // The pool hears a moment later that the connection is closed.
  await expect.poll(async () => (await sql`select 1`.execute(db)).rows.length, { timeout: 20_000 }).toBe(1);
});

it('a relay that stands still in a transaction loses it, and the others get at the rows', async () => {
  await twoRows();
  const still = database(url, { answerMs: 15_000, transactionMs: 200 });
  const other = await session();
  const ended = still.db.transaction().execute(async (transaction) => {
    await sql`update things set n = 1 where id = 'a'`.execute(transaction);
    // Resolves only once the database has taken the lock back.
    await other.query("update things set n = 2 where id = 'a'");
    await sql`select 1`.execute(transaction);
  });
  await expect(ended).rejects.toThrow();
  expect((await other.query("select n from things where id = 'a'")).rows).toEqual([{ n: 2 }]);
});

it('a batch that PostgreSQL rolled back for another is tried again', async () => {
  await twoRows();
  const { db, batch } = database();
  const [other, watcher] = [await session(), await session()];
  // Only the batch looks for a circle, so it is the one that gives way.
  await other.query("set deadlock_timeout = '1min'; begin; update things set n = n + 1 where id = 'a'");
  const add = (id: string) => {
    const statement = sql`update things set n = n + 10 where id = ${id}`;
    return { query: { compile: () => statement.compile(db) } };
  };
  const both = batch([add('b'), add('a')]);
  await somebodyWaits(watcher);
  await other.query("update things set n = n + 1 where id = 'b'");
  await other.query('commit');
  expect(await both).not.toBeNull();
  expect((await watcher.query('select n from things order by id')).rows).toEqual([{ n: 11 }, { n: 11 }]);
});

it('whoever settles the effect of a call waits for the call before it holds the effect', async () => {
  const store = await openStore({ kind: 'postgres', url });
  opened.push(() => store.close());
  const claim = { now: 10, leaseMs: 60_000, limit: 1, kinds: ['crm.log'] as const, pausedTenants: [] };
  const [holder, watcher] = [await session(), await session()];
  const log = (callId: ReturnType<typeof newCallId>) => ({ callId, state: 'saved', logId: '1', reason: null }) as const;
  for (const settle of ['done', 'failed', 'dead', 'forget'] as const) {
    const callId = newCallId();
    await store.calls.commit({
      events: [],
      calls: [{ callId, tenant, agent, fromVersion: 0, log: null, touchedAt: 1, logWaiting: true }],
      effects: [{ id: `crm.log ${callId}`, kind: 'crm.log', tenant, callId, payload: {}, dueAt: 1, orderKey: null }],
    });
    const [effect] = await store.outbox.claim(claim);
    if (effect === undefined) throw new Error('nothing claimed');
    await holder.query('begin');
    await holder.query('select 1 from calls where call_id = $1 for update', [callId]);
    const outcome = { log: log(callId) };
    const settled =
      settle === 'done'
        ? store.outbox.done(effect, 20, outcome)
        : settle === 'forget'
          ? store.keeping.forgetCalls([callId], { evenUnwritten: true })
          : store.outbox.failed(effect, { dead: settle === 'dead', dueAt: 20_000, reason: 'no' }, outcome);
    await somebodyWaits(watcher);
    const free = await watcher.query('select 1 from outbox where id = $1 for update nowait', [effect.id]);
    expect(free.rows, settle).toHaveLength(1);
    await holder.query('commit');
    await settled;
    await store.keeping.forgetCalls([callId], { evenUnwritten: true });
  }
});
