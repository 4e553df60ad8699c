/**
 * Rolling updates: relays of two versions on one database. What the version before ran is written out here as it ran it, so that a migration it
 * can't live with fails a test and not a night.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentId, type CallId, errorCode, type TenantId } from '@patchcord/call-protocol';
import { type Kysely, sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectPostgres, connectSqlite, type Database } from '../../server/src/store/database.ts';
import { migrate, ranMigrations } from '../../server/src/store/migrate.ts';
import { migrations } from '../../server/src/store/migrations.ts';
import { openStore, type StoreLocation } from '../../server/src/store/open.ts';
import type { Tables } from '../../server/src/store/tables.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';

const lastOfBefore = '2026-11-21-denied-extension';
const tenant = 'acme';
const agent = 'ada';

async function knownBefore() {
  const all = await migrations.getMigrations();
  return Object.fromEntries(Object.entries(all).filter(([name]) => name <= lastOfBefore));
}

/** The statements of the version before, word for word. */
function versionBefore(db: Kysely<Tables>) {
  return {
    insertEvent: (callId: string, n: number) =>
      sql`insert into "events" ("source", "id", "tenant", "agent", "call_id", "envelope", "received_at")
        values ('/tenants/acme/agents/ada/devices/one', ${`${callId}:${n}`}, ${tenant}, ${agent}, ${callId}, ${envelope(callId, n)}, 1000)
        on conflict ("source", "id") do nothing`.execute(db),
    insertCall: (callId: string) =>
      sql`insert into "calls" ("call_id", "tenant", "agent", "version", "log", "open", "started_at", "touched_at", "log_state", "log_id", "log_reason")
        values (${callId}, ${tenant}, ${agent}, 1, null, 0, 1000, 1000, 'waiting', null, null)
        on conflict ("call_id") do nothing`.execute(db),
    insertCallWith: (callId: string, startedAt: number, log: object) =>
      sql`insert into "calls" ("call_id", "tenant", "agent", "version", "log", "open", "started_at", "touched_at", "log_state", "log_id", "log_reason")
        values (${callId}, ${tenant}, ${agent}, 1, ${JSON.stringify(log)}, 0, ${startedAt}, 1000, 'saved', null, null)
        on conflict ("call_id") do nothing`.execute(db),
    changeLog: (callId: string, log: object) =>
      sql`update "calls" set "version" = "version" + 1, "log" = ${JSON.stringify(log)} where "call_id" = ${callId}`.execute(
        db,
      ),
    updateCall: (callId: string, from: number) =>
      sql`update "calls" set "version" = ${from + 1}, "log" = null, "open" = 0, "started_at" = 1000, "touched_at" = 2000, "log_state" = 'waiting',
        "log_reason" = null where "call_id" = ${callId} and "version" = ${from}`.execute(db),
    enqueue: (callId: string) =>
      sql`insert into "outbox" ("id", "kind", "tenant", "call_id", "payload", "version", "attempts", "state", "due_at", "created_at", "lease",
          "lease_until", "reason")
        values (${`crm.log ${callId}`}, 'crm.log', ${tenant}, ${callId}, ${JSON.stringify({ agent })}, 1, 0, 'waiting', 1000, 1000, null, 0, null)
        on conflict ("id") do update set "version" = "outbox"."version" + 1, "payload" = "excluded"."payload",
          "due_at" = case when ("outbox"."state" = 'dead' or ("outbox"."attempts" = 0 and "excluded"."due_at" < "outbox"."due_at"))
            then "excluded"."due_at" else "outbox"."due_at" end,
          "attempts" = case when "outbox"."state" = 'dead' then 0 else "outbox"."attempts" end, "state" = 'waiting'`.execute(
        db,
      ),
    claim: (lease: string, now: number) =>
      sql<{
        id: string;
        attempts: number;
      }>`update "outbox" set "lease" = ${lease}, "lease_until" = ${now + 500}, "attempts" = "attempts" + 1
        where "id" in (select "id" from "outbox" where "state" = 'waiting' and "kind" in ('crm.log') and "due_at" <= ${now} and
          "lease_until" <= ${now} order by "due_at" limit 10) returning *`.execute(db),
    done: (callId: string, lease: string, version: number) =>
      sql`delete from "outbox" where "id" = ${`crm.log ${callId}`} and "lease" = ${lease} and "version" = ${version}`.execute(
        db,
      ),
    addSession: (hash: string) =>
      sql`insert into "sessions" ("token_hash", "tenant", "agent", "device", "created_at", "expires_at", "revoked_at")
        values (${hash}, ${tenant}, ${agent}, 'device-one', 1000, 9000, null)`.execute(db),
    findSession: (hash: string) =>
      sql<{
        device: string;
      }>`select * from "sessions" where "token_hash" = ${hash} and "expires_at" > 2000 and "revoked_at" is null`.execute(
        db,
      ),
    addPairingCode: (hash: string) =>
      sql`insert into "pairing_codes" ("code_hash", "tenant", "agent", "expires_at", "used_at") values (${hash}, ${tenant}, ${agent}, 9000, null)`.execute(
        db,
      ),
    useProof: (key: string) =>
      sql<{
        key: string;
      }>`insert into "used_proofs" ("key", "expires_at") values (${key}, 9000) on conflict ("key") do nothing returning "key"`.execute(
        db,
      ),
    issueCredential: (id: string) =>
      sql<{
        id: string;
      }>`insert into "issued_credentials" ("id", "tenant", "agent", "device", "username", "issued_at", "expires_at")
        values (${id}, ${tenant}, ${agent}, 'device-one', ${`9:${id}`}, 1000, 9000) on conflict ("tenant", "username") do nothing returning "id"`.execute(
        db,
      ),
    deny: (until: number) =>
      sql`insert into "denied_agents" ("tenant", "agent", "extension", "until", "denied_at") values (${tenant}, ${agent}, '1001', ${until}, 1000)
        on conflict ("tenant", "agent") do update set "until" = case when "denied_agents"."until" > "excluded"."until"
          then "denied_agents"."until" else "excluded"."until" end, "extension" = "excluded"."extension", "denied_at" = "excluded"."denied_at"`.execute(
        db,
      ),
    forgetExpired: async (now: number) => {
      await sql`delete from "sessions" where "expires_at" < ${now}`.execute(db);
      await sql`delete from "pairing_codes" where "expires_at" < ${now}`.execute(db);
      await sql`delete from "used_proofs" where "expires_at" < ${now}`.execute(db);
      await sql`delete from "issued_credentials" where "expires_at" < ${now}`.execute(db);
    },
  };
}

function envelope(callId: string, n: number): string {
  return JSON.stringify({
    specversion: '1.0',
    id: `${callId}:${n}`,
    source: '/tenants/acme/agents/ada/devices/one',
    type: 'dev.patchcord.call.ringing.v1',
    subject: callId,
    time: '2026-11-21T10:00:00.000Z',
    datacontenttype: 'application/json',
    data: {},
  });
}

const firstCall = '00000000-0000-4000-8000-000000000001' as CallId;
const secondCall = '00000000-0000-4000-8000-000000000002' as CallId;

let postgres: PostgresServer;
let folder = '';
let opened: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-migrations-'));
});
afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
  await rm(folder, { recursive: true, force: true });
});

function kept<T extends { close(): Promise<void> }>(one: T): T {
  opened.push(one);
  return one;
}
const newLocation: Readonly<Record<string, () => Promise<StoreLocation>>> = {
  SQLite: () => Promise.resolve({ kind: 'sqlite', folder: join(folder, 'data') }),
  PostgreSQL: async () => ({ kind: 'postgres', url: await postgres.createDatabase() }),
};
async function connect(location: StoreLocation): Promise<Database> {
  return kept(location.kind === 'sqlite' ? await connectSqlite(location.folder) : connectPostgres(location.url));
}

describe.each(Object.keys(newLocation))('a %s database of the version before', (name) => {
  const make = newLocation[name] as () => Promise<StoreLocation>;

  it('keeps its rows when it is migrated, and the version before goes on working on it', async () => {
    const location = await make();
    const { db } = await connect(location);
    await migrate(db, knownBefore);
    const before = versionBefore(db);
    await before.insertEvent(firstCall, 1);
    await before.insertCall(firstCall);
    await before.enqueue(firstCall);
    await before.addSession('hash-1');
    await before.addPairingCode('code-1');
    await before.useProof('proof-1');
    await before.issueCredential('credential-1');
    await before.deny(700);

    const store = kept(await openStore(location));
    const found = (await store.calls.readCalls([firstCall])).get(firstCall);
    expect(found).toMatchObject({ call: { version: 1, logState: 'waiting' }, events: [{ id: `${firstCall}:1` }] });
    expect(await store.outbox.depth()).toMatchObject([{ kind: 'crm.log', state: 'waiting', count: 1 }]);
    // A session of the version before is bound to no key: it opens nothing here, and goes on where it was made.
    expect(await store.identity.findSession('hash-1', 2_000)).toBeNull();
    expect((await before.findSession('hash-1')).rows).toMatchObject([{ device: 'device-one' }]);
    expect(await store.identity.takePairingCode('code-1', 2_000)).toMatchObject({ tenant, agent });
    const who = [tenant as TenantId, agent as AgentId] as const;
    expect(await store.credentials.liveCredentials(...who, 2_000)).toMatchObject([{ username: '9:credential-1' }]);
    expect(await store.credentials.deniedUntil(...who)).toBe(700);

    // A relay of the version before is still running.
    await before.insertEvent(secondCall, 1);
    await before.insertCall(secondCall);
    await before.updateCall(secondCall, 1);
    await before.enqueue(secondCall);
    await before.enqueue(secondCall);
    await before.addSession('hash-2');
    await before.addPairingCode('code-2');
    expect((await before.useProof('proof-1')).rows).toEqual([]);
    expect((await before.useProof('proof-2')).rows).toHaveLength(1);
    expect((await before.issueCredential('credential-2')).rows).toHaveLength(1);
    await before.deny(800);
    expect((await before.findSession('hash-2')).rows).toMatchObject([{ device: 'device-one' }]);
    const claimed = await before.claim('lease-of-before', 2_000);
    expect(claimed.rows.map(({ id }) => id).sort()).toEqual([`crm.log ${firstCall}`, `crm.log ${secondCall}`]);
    await before.done(firstCall, 'lease-of-before', 1);
    await before.done(secondCall, 'lease-of-before', 1);

    // And this version reads what that one wrote: the second was enqueued again while it was claimed.
    expect((await store.calls.readCalls([secondCall])).get(secondCall)).toMatchObject({ call: { version: 2 } });
    expect(await store.credentials.deniedUntil(...who)).toBe(800);
    const claim = { now: 9_000, leaseMs: 500, limit: 10, kinds: ['crm.log'] as const, pausedTenants: [] };
    expect(await store.outbox.claim(claim)).toMatchObject([{ id: `crm.log ${secondCall}`, version: 2 }]);
    await before.forgetExpired(20_000);
    expect((await before.findSession('hash-2')).rows).toEqual([]);
  });

  it('has the calls of before found by their records in pages, and those that the version before goes on to write', async () => {
    const location = await make();
    const { db } = await connect(location);
    await migrate(db, knownBefore);
    const before = versionBefore(db);
    const ids = Array.from({ length: 9 }, (_, n) => `00000000-0000-4000-8000-00000000010${n}`);
    const [a, b] = [
      { object: 'Contact', id: '003A' },
      { object: 'Deal', id: '0"6\'' },
    ];
    const withRecord = { record: a, about: null };
    for (const [n, callId] of ids.entries()) {
      const log = n % 3 === 0 ? withRecord : n % 3 === 1 ? { record: null, about: b } : { record: null, about: null };
      await before.insertCallWith(callId, n, log);
    }
    const store = kept(await openStore(location));
    const keyAll = async (): Promise<number> => {
      let pages = 0;
      let last: CallId | null = null;
      do {
        last = await store.calls.keyRecords(last, 4);
        pages += 1;
      } while (last !== null);
      return pages;
    };
    const found = async (record: { readonly object: string; readonly id: string }) =>
      (
        await store.calls.callsOfRecord({ tenant: tenant as TenantId, agent: null, record, before: null, limit: 50 })
      ).map(({ callId }) => ids.indexOf(callId));
    expect(await keyAll()).toBe(4);
    expect(await found(a)).toEqual([6, 3, 0]);
    expect(await found(b)).toEqual([7, 4, 1]);

    // A relay of the version before is still running: a new call, a record that an agent chose late, one that was wrong.
    await before.insertCallWith('00000000-0000-4000-8000-000000000200', 20, withRecord);
    await before.changeLog(ids[2] ?? '', withRecord);
    await before.changeLog(ids[3] ?? '', { record: null, about: null });
    await keyAll();
    expect(await found(a)).toEqual([-1, 6, 2, 0]);
    expect((await store.calls.readCalls([ids[2] as CallId])).get(ids[2] as CallId)?.call.version).toBe(2);
  });

  it('is migrated once by relays that start together', async () => {
    const location = await make();
    const { db } = await connect(location);
    await migrate(db, knownBefore);
    await versionBefore(db).insertCall(firstCall);
    const stores = await Promise.all(Array.from({ length: 3 }, () => openStore(location).then(kept)));
    for (const store of stores) expect((await store.calls.readCalls([firstCall])).size).toBe(1);
    const all = Object.keys(await migrations.getMigrations()).sort();
    expect(await ranMigrations(db)).toEqual(all);
  });
});

describe.each(Object.keys(newLocation))('a %s database of a newer version', (name) => {
  const make = newLocation[name] as () => Promise<StoreLocation>;
  async function madeByNewer(migration: string): Promise<StoreLocation> {
    const location = await make();
    await (await openStore(location)).close();
    const { db } = await connect(location);
    await sql`insert into kysely_migration (name, timestamp) values (${migration}, '2099-01-01T00:00:00.000Z')`.execute(
      db,
    );
    return location;
  }

  it('is opened: what it changed is made so that this version can live with it', async () => {
    const store = kept(await openStore(await madeByNewer('2099-01-01-more')));
    await expect(store.check()).resolves.toBeUndefined();
  });

  it('is refused when the newer version says that this one can’t live with it', async () => {
    const refused = await openStore(await madeByNewer('2099-01-01-less-breaking')).catch((error: unknown) => error);
    expect(errorCode(refused)).toBe('store.unavailable');
    expect((refused as Error).message).toMatch(/newer Patchcord.*"2099-01-01-less-breaking"/);
  });
});
