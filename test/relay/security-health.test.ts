/** Health that tells the truth: what `/readyz` says while something is broken, and that nobody gets in meanwhile. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type RelayInTest, startRelayInTest, testConfig } from '../unit/server/relay-in-test.ts';

let one: RelayInTest;
let clock = 0;
beforeEach(async () => {
  clock = 0;
  one = await startRelayInTest(testConfig(), { now: () => Date.now() + clock });
});
afterEach(() => one.closed());

interface Readiness {
  readonly ready: boolean;
  readonly state: string;
  readonly reasons: readonly string[];
  readonly storeMs: number | null;
}
async function readiness(): Promise<Readiness & { readonly status: number }> {
  const response = await one.fetch('/readyz');
  return { status: response.status, ...((await response.json()) as Readiness) };
}
function behindItsBack(statement: string): void {
  const database = new DatabaseSync(join(one.folder, 'patchcord.sqlite'));
  database.exec(statement);
  database.close();
}

it('says that it is ready after a write that was really made', async () => {
  expect(await readiness()).toMatchObject({ status: 200, ready: true, state: 'ok', reasons: [] });
  const database = new DatabaseSync(join(one.folder, 'patchcord.sqlite'));
  const row = database.prepare('select at from write_probe').get() as { at: number };
  database.close();
  expect(Math.abs(Date.now() - row.at)).toBeLessThan(60_000);
});

it('readiness says no while the store takes no write, and yes again when it does', async () => {
  behindItsBack('alter table write_probe rename to away');
  expect(await readiness()).toMatchObject({ status: 503, ready: false, state: 'unready', storeMs: null });
  expect((await one.fetch('/healthz')).status).toBe(200);
  behindItsBack('alter table away rename to write_probe');
  await expect.poll(async () => (await readiness()).status, { timeout: 5_000 }).toBe(200);
});

it('says no when the store in its place lacks a migration', async () => {
  behindItsBack("delete from kysely_migration where name = '2026-11-22-write-probe'");
  expect((await readiness()).status).toBe(503);
});

it('says no when the worker that delivers has fallen silent', async () => {
  clock = 31_000;
  const answer = await readiness();
  // The worker may have looked just now; what counts is that silence is told, not how long this machine takes.
  if (answer.status === 503) expect(answer.reasons.join()).toContain('the outbox worker has not looked');
  else expect(answer.reasons).toEqual([]);
});

it('is degraded, not out, while something was given up', async () => {
  behindItsBack(
    "insert into outbox (id, kind, tenant, payload, version, attempts, state, due_at, created_at, lease_until, reason) values ('x', 'webhook', 'acme', '{}', 1, 60, 'dead', 0, 0, 0, 'gone')",
  );
  expect(await readiness()).toMatchObject({ status: 200, ready: true, state: 'degraded' });
});

it('nobody gets anywhere while the store is away', async () => {
  const { token } = await one.signIn();
  behindItsBack('alter table sessions rename to away');
  for (const path of ['/v1/profile', '/v1/calls', '/v1/devices'])
    expect((await one.fetch(path, { token })).status).toBe(503);
  expect((await one.fetch('/v1/credentials', { token, method: 'POST' })).status).toBe(503);
});
