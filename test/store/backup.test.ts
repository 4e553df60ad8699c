/** Backups of either database, put back into either: the same rows, all or none, and no half file is taken for a whole one. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import {
  type AgentId,
  type CallId,
  type DeviceId,
  errorCode,
  type TenantId,
  toEnvelope,
} from '@patchcord/call-protocol';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { backUp, restore } from '../../server/src/keeping/backup.ts';
import { connectPostgres, connectSqlite } from '../../server/src/store/database.ts';
import { migrate } from '../../server/src/store/migrate.ts';
import { migrations } from '../../server/src/store/migrations.ts';
import { openStore, type StoreLocation } from '../../server/src/store/open.ts';
import { dataTables } from '../../server/src/store/whole-tables.ts';
import { storedSession } from './contract-identity.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';
import { startWriter } from './writer.ts';

const tenant = 'acme' as TenantId;
const agent = 'ada' as AgentId;
const now = 1_790_000_000_000;

let postgres: PostgresServer;
let folder = '';
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-backup-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function newLocation(kind: StoreLocation['kind']): Promise<StoreLocation> {
  return kind === 'sqlite'
    ? { kind, folder: join(folder, randomUUID()) }
    : { kind, url: await postgres.createDatabase() };
}

/** A store with something of everything. */
async function filled(kind: StoreLocation['kind'], calls = 3): Promise<{ location: StoreLocation; callIds: CallId[] }> {
  const location = await newLocation(kind);
  const store = await openStore(location);
  const callIds: CallId[] = [];
  for (let index = 0; index < calls; index += 1) {
    const callId = randomUUID() as CallId;
    callIds.push(callId);
    const source = '/tenants/acme/agents/ada/devices/one';
    await store.calls.commit({
      events: [1, 2].map((n) => {
        const data = { note: `Zoë “${n}”\n☎ \u0007` };
        const envelope = toEnvelope(
          { name: 'wrap-up.saved', at: now + n, call: callId, data },
          `${callId}:${n}`,
          source,
        );
        return { source, id: `${callId}:${n}`, tenant, agent, callId, envelope, receivedAt: now };
      }),
      calls: [{ callId, tenant, agent, fromVersion: 0, log: null, touchedAt: now, logWaiting: true }],
      effects: [
        { id: `crm.log ${callId}`, kind: 'crm.log', tenant, callId, payload: { agent }, dueAt: 1, orderKey: null },
      ],
    });
  }
  await store.identity.addPairingCode({ codeHash: randomUUID(), tenant, agent, expiresAt: now * 2 });
  await store.identity.addSession(storedSession({ id: randomUUID(), tenant, agent, expiresAt: now * 2 }));
  await store.credentials.addIssued({
    tenant,
    agent,
    device: randomUUID() as DeviceId,
    username: randomUUID(),
    kind: 'kamailio-htable',
    extension: '1001',
    user: null,
    ha1: null,
    issuedAt: now,
    expiresAt: now * 2,
    revokedAt: null,
  });
  await store.credentials.denyUntil(tenant, agent, '1001', 77, now);
  await store.choices.remember({ tenant, number: 'a hash', crm: 'memory', object: 'Contact', id: 'one' }, agent, now);
  await store.close();
  return { location, callIds };
}

/** Tables that say who may come in: a restore lets nobody in. */
const access = new Set(['sessions', 'issued_credentials', 'pairing_codes', 'sign_ins', 'sign_in_claims']);

/** Where a row stands in the order of all commits: another database counts for itself. */
const numbers = new Set(['xact', 'position']);

/** Every row of every table that holds data, without what a database numbers by itself. */
async function everything(location: StoreLocation): Promise<Record<string, unknown>> {
  const database = location.kind === 'sqlite' ? await connectSqlite(location.folder) : connectPostgres(location.url);
  try {
    const all: Record<string, unknown> = {};
    for (const { name } of await dataTables(database)) {
      if (access.has(name)) continue;
      const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(name)}`.execute(database.db);
      all[name] = rows
        .map((row) => JSON.stringify(row, (column, value) => (numbers.has(column) ? undefined : value)))
        .sort();
    }
    return all;
  } finally {
    await database.close();
  }
}

const kinds = ['sqlite', 'postgres'] as const;
describe.each(kinds.flatMap((from) => kinds.map((to) => ({ from, to }))))(
  'a backup of $from into $to',
  ({ from, to }) => {
    it('brings back every row, and the outbox goes on where it stood', async () => {
      const { location, callIds } = await filled(from);
      const path = join(folder, 'backup');
      const rows = await backUp(location, path, now);
      expect(rows).toMatchObject({ calls: 3, events: 6, outbox: 3 });
      expect((await stat(path)).mode & 0o777).toBe(0o600);

      const target = await newLocation(to);
      expect(await restore(target, path, { now })).toEqual(rows);
      expect(await everything(target)).toEqual(await everything(location));
      const store = await openStore(target);
      try {
        const found = await store.calls.readCalls(callIds);
        expect(callIds.map((callId) => found.get(callId)?.events.length)).toEqual([2, 2, 2]);
        const claim = { now, leaseMs: 500, limit: 10, kinds: ['crm.log'] as const, pausedTenants: [] };
        expect(await store.outbox.claim(claim)).toHaveLength(3);

        expect(await store.calls.isSignedIn(tenant, agent, now)).toBe(false);
        expect(await store.credentials.liveCredentials(tenant, agent, now)).toEqual([]);
        expect(await store.credentials.revokedCredentials(tenant, now)).toMatchObject([{ revokedAt: now }]);
      } finally {
        await store.close();
      }
    });
  },
);

describe.each(kinds)('a backup of %s', (kind) => {
  it('sees one moment while a relay goes on writing', async () => {
    const { location } = await filled(kind);
    const writer = await startWriter({ location, agent: 'bob', writers: 4 });
    await writer.until(50);
    const path = join(folder, 'backup');
    const before = writer.kept.length;
    const rows = await backUp(location, path, now);
    expect(await writer.stop()).toBe(0);
    expect(writer.failed).toEqual([]);
    expect(rows.calls).toBeGreaterThanOrEqual(3 + before);
    // One event and one effect a call, in whatever moment: nothing of a half commit.
    expect(rows.events).toBe((rows.calls ?? 0) + 3);
    expect(rows.outbox).toBe(rows.calls);
    const target = await newLocation('sqlite');
    expect(await restore(target, path, { now })).toEqual(rows);
  });

  it('of the version before is restored and brought to this version', async () => {
    const location = await newLocation(kind);
    const database = location.kind === 'sqlite' ? await connectSqlite(location.folder) : connectPostgres(location.url);
    const all = await migrations.getMigrations();
    await migrate(database.db, () =>
      Promise.resolve(
        Object.fromEntries(Object.entries(all).filter(([name]) => name <= '2026-11-21-denied-extension')),
      ),
    );
    await sql`insert into calls (call_id, tenant, agent, version, log, open, started_at, touched_at, log_state)
      values ('c', ${tenant}, ${agent}, 1, null, 0, 1, 1, 'none')`.execute(database.db);
    await database.close();
    const path = join(folder, 'backup');
    await backUp(location, path, now);
    const target = await newLocation(kind);
    await restore(target, path, { now });
    const store = await openStore(target);
    expect((await store.calls.readCalls(['c' as CallId])).size).toBe(1);
    await expect(store.check()).resolves.toBeUndefined();
    await store.close();
  });

  it('is refused by a store that holds something, unless it is told to give that up', async () => {
    const { location } = await filled(kind, 1);
    const path = join(folder, 'backup');
    await backUp(location, path, now);
    const other = await filled(kind, 2);
    const before = await everything(other.location);
    const refused = await restore(other.location, path, { now }).catch((error: unknown) => error);
    expect((refused as Error).message).toContain('not empty');
    expect(await everything(other.location)).toEqual(before);
    await restore(other.location, path, { now, force: true });
    expect(await everything(other.location)).toEqual(await everything(location));
  });

  it('is refused while a relay works on the store, also with --force', async () => {
    const { location } = await filled(kind, 1);
    const path = join(folder, 'backup');
    await backUp(location, path, now);
    const store = await openStore(location);
    await store.outbox.heartbeat('relay-1', now - 1_000, now - 10_000);
    const refused = await restore(location, path, { now, force: true }).catch((error: unknown) => error);
    expect((refused as Error).message).toContain('Stop every relay');
    await store.close();
  });
});

describe('a backup file', () => {
  async function made(): Promise<{ path: string; location: StoreLocation }> {
    const { location } = await filled('sqlite');
    const path = join(folder, 'backup');
    await backUp(location, path, now);
    return { path, location };
  }
  async function refusal(path: string): Promise<string> {
    const target = await newLocation('sqlite');
    const error: unknown = await restore(target, path, { now }).catch((caught: unknown) => caught);
    expect(errorCode(error)).toBe('request.invalid');
    return (error as Error).message;
  }

  it('holds nothing of what an agent’s line keeps for its next owner', async () => {
    const { location } = await filled('sqlite');
    const store = await openStore(location);
    const line = { tenant, agent, device: 'one' as DeviceId, epoch: 1 };
    await store.lineLeases.grant({ ...line, place: '', via: 'v', heldUntil: now + 17_000 }, 0, now);
    await store.lineLeases.keep(line, 'key.sealed-dialogs', now);
    await store.recoveries.count(tenant, { peer: 'Asterisk', way: 'resume', worked: true, at: now }, 10);
    await store.close();
    const path = join(folder, 'lines.backup');
    expect(await backUp(location, path, now)).toMatchObject({ recoveries: 1 });
    const text = gunzipSync(await readFile(path)).toString();
    expect(text).toContain('Asterisk');
    expect(text).not.toContain('sealed-dialogs');
    expect(text).not.toContain('line_leases');
  });

  it('is never overwritten, and leaves nothing half beside it', async () => {
    const { path, location } = await made();
    expect(errorCode(await backUp(location, path, now).catch((error: unknown) => error))).toBe('request.invalid');
    const away = join(folder, 'no such folder', 'backup');
    await expect(backUp(location, away, now)).rejects.toThrow();
  });

  it('is refused when it is cut short anywhere', async () => {
    const { path } = await made();
    const whole = await readFile(path);
    const lines = gunzipSync(whole).toString().split('\n');
    for (const part of [
      whole.subarray(0, whole.length - 9),
      whole.subarray(0, whole.length / 2),
      gzipSync(`${lines.slice(0, -2).join('\n')}\n`),
      gzipSync(''),
    ]) {
      await writeFile(path, part);
      expect(await refusal(path)).toContain('cut short');
    }
  });

  it('is refused when it was changed, is no backup, or is not there', async () => {
    const { path } = await made();
    const text = gunzipSync(await readFile(path)).toString();
    await writeFile(path, gzipSync(text.replace('"acme"', '"evil"')));
    expect(await refusal(path)).toContain('changed');
    await writeFile(path, gzipSync(text.replace(/\n\[.*\n/, '\n')));
    expect(await refusal(path)).toContain('changed');
    await writeFile(path, gzipSync('{"hello":"world"}\n'));
    expect(await refusal(path)).toContain('no backup');
    await writeFile(path, 'no gzip');
    expect(await refusal(path)).toContain('no backup');
    expect(await refusal(join(folder, 'nothing'))).toContain('no such file');
  });

  it('is refused when a newer version made it, by what it does not know', async () => {
    const { path } = await made();
    const text = gunzipSync(await readFile(path)).toString();
    await writeFile(path, gzipSync(text.replace('"format":1', '"format":2')));
    expect(await refusal(path)).toContain('newer Patchcord');
    const database = await connectSqlite(join(folder, 'newer'));
    await migrate(database.db);
    await sql`insert into kysely_migration values ('2099-01-01-more', '2099-01-01T00:00:00.000Z')`.execute(database.db);
    await database.close();
    const newer = join(folder, 'newer-backup');
    await backUp({ kind: 'sqlite', folder: join(folder, 'newer') }, newer, now);
    expect(await refusal(newer)).toContain('newer Patchcord (migration "2099-01-01-more")');
  });

  it('is not made of what is no store', async () => {
    const error: unknown = await backUp(
      { kind: 'sqlite', folder: join(folder, 'empty') },
      join(folder, 'x'),
      now,
    ).catch((caught: unknown) => caught);
    expect(errorCode(error)).toBe('store.unavailable');
  });
});
