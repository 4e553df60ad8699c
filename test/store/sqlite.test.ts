import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentId, errorCode, newCallId, type TenantId } from '@patchcord/call-protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../server/src/store/contract.ts';
import { openStore } from '../../server/src/store/open.ts';
import { storeContract } from './store-contract.ts';

let folder = '';
let stores: Store[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-store-'));
});
afterEach(async () => {
  await Promise.all(stores.map((store) => store.close()));
  stores = [];
  await rm(folder, { recursive: true, force: true });
});
async function open(): Promise<Store> {
  const store = await openStore({ kind: 'sqlite', folder: join(folder, 'data') });
  stores.push(store);
  return store;
}

describe('the SQLite store', () => {
  describe('keeps the contract:', () => storeContract(open));

  it('keeps its folder to itself', async () => {
    await open();
    expect((await stat(join(folder, 'data'))).mode & 0o777).toBe(0o700);
  });

  it('finds everything again after it was closed', async () => {
    const callId = newCallId();
    const first = await open();
    const owner = { tenant: 'acme' as TenantId, agent: 'ada' as AgentId };
    await first.calls.commit({
      events: [],
      calls: [{ callId, ...owner, fromVersion: 0, log: null, touchedAt: 7, logWaiting: false }],
      effects: [],
    });
    await first.close();
    expect((await (await open()).calls.readCalls([callId])).get(callId)?.call).toMatchObject({
      touchedAt: 7,
      version: 1,
    });
  });

  it('can be open in two processes: what one writes the other sees, and neither loses anything', async () => {
    const [one, two] = [await open(), await open()];
    const enqueue = (store: Store, prefix: string) =>
      Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          store.outbox.enqueue([
            {
              id: `${prefix}-${index}`,
              kind: 'webhook',
              tenant: 'acme' as TenantId,
              callId: null,
              payload: {},
              dueAt: 1,
              orderKey: null,
            },
          ]),
        ),
      );
    await Promise.all([enqueue(one, 'a'), enqueue(two, 'b')]);
    expect(await one.outbox.depth()).toEqual(await two.outbox.depth());
    expect(await one.outbox.depth()).toMatchObject([{ count: 100 }]);
  });

  it('says what to check when the folder cannot be had', async () => {
    await writeFile(join(folder, 'file'), '');
    const inFile = await openStore({ kind: 'sqlite', folder: join(folder, 'file') }).catch((error: unknown) => error);
    expect(errorCode(inFile)).toBe('store.unavailable');
    expect((inFile as Error).message).toContain('DATA_DIR');
  });

  it('says what to check when the file is no database', async () => {
    await mkdir(join(folder, 'data'));
    await writeFile(
      join(folder, 'data', 'patchcord.sqlite'),
      'this is no database, whatever its name says'.repeat(100),
    );
    expect(errorCode(await open().catch((error: unknown) => error))).toBe('store.unavailable');
  });

  it('answers store.unavailable once it is closed, and never hangs', async () => {
    const store = await open();
    await store.close();
    expect(errorCode(await store.check().catch((error: unknown) => error))).toBe('store.unavailable');
    expect(
      errorCode(
        await store.outbox
          .enqueue([
            {
              id: 'x',
              kind: 'webhook',
              tenant: 'acme' as TenantId,
              callId: null,
              payload: {},
              dueAt: 1,
              orderKey: null,
            },
          ])
          .catch((error: unknown) => error),
      ),
    ).toBe('store.unavailable');
    await store.close();
  });
});
