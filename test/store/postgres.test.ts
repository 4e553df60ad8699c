import { errorCode } from '@patchcord/call-protocol';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Store } from '../../server/src/store/contract.ts';
import { openStore } from '../../server/src/store/open.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { storeContract } from './store-contract.ts';

let server: PostgresServer;
let stores: Store[] = [];
/** Databases that are migrated, and empty: most of what a new store costs is to make one. */
const free: string[] = [];
let used: string[] = [];
beforeAll(async () => {
  server = await startPostgres();
});
afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
  stores = [];
  await Promise.all(used.map(empty));
  free.push(...used);
  used = [];
});
afterAll(() => server.stop());
async function open(url?: string): Promise<Store> {
  const store = await openStore({ kind: 'postgres', url: url ?? (await server.createDatabase()) });
  stores.push(store);
  return store;
}

async function openAnEmptyOne(): Promise<Store> {
  const url = free.pop() ?? (await server.createDatabase());
  used.push(url);
  return open(url);
}

/** Leaves nothing but what the migrations put there. */
async function empty(url: string): Promise<void> {
  const client = new Client(url);
  await client.connect();
  try {
    const { rows } = await client.query<{ tables: string }>(
      `select string_agg(format('%I', tablename), ', ') as tables from pg_tables
       where schemaname = 'public' and tablename not like 'kysely%' and tablename <> 'deployment'`,
    );
    await client.query(`truncate ${rows[0]?.tables} restart identity cascade`);
  } finally {
    await client.end();
  }
}

describe('the PostgreSQL store', () => {
  describe('keeps the contract:', () => storeContract(openAnEmptyOne));

  it('is migrated once by two relays that start together', async () => {
    const url = await server.createDatabase();
    const [one, two] = await Promise.all([open(url), open(url)]);
    const proof = { key: 'x', expiresAt: 1 };
    await one.identity.useProofs([proof]);
    expect((await two.identity.useProofs([proof])).size).toBe(0);
  });

  it('says so while the database is away, and goes on when it is back', async () => {
    const store = await open();
    await store.check();
    await server.crash();
    expect(errorCode(await store.check().catch((error: unknown) => error))).toBe('store.unavailable');
    await server.start();
    await expect(store.check()).resolves.toBeUndefined();
  });

  it('says what to check when there is no such database', async () => {
    const failure = await openStore({ kind: 'postgres', url: 'postgres://postgres@127.0.0.1:1/none' }).catch(
      (error: unknown) => error,
    );
    expect(errorCode(failure)).toBe('store.unavailable');
  });
});
