/**
 * How many commits a second the store takes: `node test/bench/commit-rate.ts [sqlite|postgres] [ms per step]`. One commit is what one event of
 * a call costs: the call row, the event, the log in the outbox. Owns nothing but the measuring; nobody imports it.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentId, type CallId, type TenantId, toEnvelope } from '@patchcord/call-protocol';
import { openStore } from '../../server/src/store/open.ts';
import { startPostgres } from '../store/postgres-server.ts';

const kind = process.argv[2] ?? 'sqlite';
const stepMs = Number(process.argv[3] ?? 2_000);
const folder = await mkdtemp(join(tmpdir(), 'patchcord-commit-rate-'));
const postgres = kind === 'postgres' ? await startPostgres() : null;
const store = await openStore(
  postgres === null ? { kind: 'sqlite', folder } : { kind: 'postgres', url: await postgres.createDatabase() },
);
const tenant = 'acme' as TenantId;
const agent = 'ada' as AgentId;

async function commitOne(): Promise<void> {
  const callId = randomUUID() as CallId;
  const source = '/tenants/acme/agents/ada/devices/one';
  const id = `${callId}:1`;
  const envelope = toEnvelope({ name: 'call.ringing', at: 1_790_000_000_000, call: callId, data: {} }, id, source);
  const kept = await store.calls.commit({
    events: [{ source, id, tenant, agent, callId, envelope, receivedAt: 1 }],
    calls: [{ callId, tenant, agent, fromVersion: 0, log: null, touchedAt: 1, logWaiting: true }],
    effects: [{ id: `crm.log ${callId}`, kind: 'crm.log', tenant, callId, payload: {}, dueAt: 1, orderKey: null }],
  });
  if (!kept) throw new Error('a commit was refused');
}

for (const writers of [1, 8, 32, 128]) {
  const end = Date.now() + stepMs;
  let commits = 0;
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: writers }, async () => {
      while (Date.now() < end) {
        await commitOne();
        commits += 1;
      }
    }),
  );
  console.log(
    JSON.stringify({ kind, writers, perSecond: Math.round((commits * 1_000) / (performance.now() - begun)) }),
  );
}
await store.close();
await postgres?.stop();
await rm(folder, { recursive: true, force: true });
