/** Whose folder of recordings it is, and which files a relay takes away: a wrong one is somebody's only recording. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentId, newCallId, type TenantId } from '@patchcord/call-protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLog } from '../../../server/src/logging.ts';
import { FolderPlace, pathOf } from '../../../server/src/recordings/folder-place.ts';
import { Recordings } from '../../../server/src/recordings/recordings.ts';
import type { Store } from '../../../server/src/store/contract.ts';
import { openStore } from '../../../server/src/store/open.ts';

const hourMs = 3_600_000;
const tenant = 'acme' as TenantId;
const agent = 'ada' as AgentId;

let base: string;
let folder: string;
let opened: Store[];
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'patchcord-swept-'));
  folder = join(base, 'recordings');
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((store) => store.close()));
  await rm(base, { recursive: true, force: true });
});

async function database(name: string): Promise<Store> {
  const store = await openStore({ kind: 'sqlite', folder: join(base, name) });
  opened.push(store);
  return store;
}
/** Files as recordings have them, a day old. */
async function files(count: number, kind: 'rec' | 'part' = 'rec'): Promise<readonly string[]> {
  const names = Array.from({ length: count }, () => randomBytes(16).toString('hex'));
  const yesterday = new Date(Date.now() - 24 * hourMs);
  for (const name of names) {
    const path = pathOf(folder, name, kind);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, 'sound');
    await utimes(path, yesterday, yesterday);
  }
  return names;
}
/** Recordings with their calls. */
async function recorded(store: Store, names: readonly string[], storedAt = Date.now()): Promise<void> {
  for (const file of names) {
    const callId = newCallId();
    const call = { callId, tenant, agent, fromVersion: 0, log: null, touchedAt: 1, logWaiting: false };
    await store.calls.commit({ events: [], calls: [call], effects: [] });
    const made = { madeBy: 'phone-system', deletedAt: null } as const;
    const sound = { codec: 'pcm16', rate: 8_000, channels: 2, bytes: 5, durationMs: 1, ...made } as const;
    expect(
      await store.recordings.add({ callId, tenant, agent, file, salt: 's', digest: 'd', storedAt, ...sound }),
    ).toBe(true);
  }
}
/** A relay that began at this moment: its housekeeping so many hours later, and what it says to operators. */
function relayOn(store: Store, days = 30) {
  const begun = Date.now();
  const log = createLog('silent');
  const said = vi.spyOn(log, 'error');
  const recordings = new Recordings({
    store,
    tenants: { find: () => undefined },
    recorder: { noteRecording: () => Promise.resolve() },
    vault: { read: () => Promise.resolve(null), put: () => Promise.resolve(true) },
    settings: { largestMb: 12, days, linkMinutes: 5 },
    place: new FolderPlace(folder),
    log,
    now: () => begun,
  });
  return {
    said,
    keepHouse: (hours: number) => recordings.keepHouse(begun + hours * hourMs),
    trouble: () => recordings.troubles().join(' '),
  };
}
async function left(): Promise<ReadonlySet<string>> {
  const names = await readdir(folder, { recursive: true });
  return new Set(names.flatMap((name) => /([0-9a-f]{32})\.(?:rec|part)$/.exec(name)?.[1] ?? []));
}

describe('files that no recording has', () => {
  it('go when the relay has run for an hour, and what is not ours or under way never', async () => {
    const store = await database('one');
    const [kept, crashed, half] = [await files(5), await files(2), await files(1, 'part')];
    await recorded(store, kept);
    const young = randomBytes(16).toString('hex');
    await mkdir(join(folder, young.slice(0, 2)), { recursive: true });
    await writeFile(pathOf(folder, young, 'part'), 'x');
    const soon = new Date(Date.now() + 0.5 * hourMs);
    await utimes(pathOf(folder, young, 'part'), soon, soon);
    await writeFile(join(folder, 'notes.txt'), 'x');
    const relay = relayOn(store);
    await relay.keepHouse(0.01);
    await relay.keepHouse(0.99);
    expect(await left()).toEqual(new Set([...kept, ...crashed, ...half, young]));
    expect(await relay.keepHouse(1)).toBe(3);
    expect(await left()).toEqual(new Set([...kept, young]));
    expect(await readFile(join(folder, 'notes.txt'), 'utf8')).toBe('x');
    expect(relay.trouble()).toBe('');
  });

  it('stay when they are most of what is there, until an operator says that they may go', async () => {
    const store = await database('one');
    const kept = await files(25);
    await recorded(store, kept);
    await relayOn(store).keepHouse(0);
    // As after a restore of yesterday's rows.
    const lost = await files(30);
    const relay = relayOn(store);
    expect(await relay.keepHouse(1)).toBe(0);
    expect(await relay.keepHouse(2)).toBe(0);
    expect(await left()).toEqual(new Set([...kept, ...lost]));
    expect(relay.trouble()).toContain('30 files of recordings');
    expect(relay.said).toHaveBeenCalledTimes(1);
    await writeFile(join(folder, 'delete-unknown'), '');
    expect(await relay.keepHouse(3)).toBe(30);
    expect(await left()).toEqual(new Set(kept));
    expect(await readdir(folder)).not.toContain('delete-unknown');
    expect(relay.trouble()).toBe('');
  });

  it('stay in a folder of another database, whatever is known of them, and an operator is told', async () => {
    const [store, staging] = [await database('one'), await database('staging')];
    const kept = await files(3);
    await recorded(store, kept);
    await relayOn(store).keepHouse(0);
    // Staging was made of a copy, and keeps sound for a day only.
    await recorded(staging, kept.slice(0, 2), Date.now() - 48 * hourMs);
    const relay = relayOn(staging, 1);
    for (const hours of [0, 1, 30]) await relay.keepHouse(hours);
    expect(await left()).toEqual(new Set(kept));
    expect(relay.trouble()).toContain('another database’s');
    expect(relay.said).toHaveBeenCalledTimes(1);
    // Put right while it runs, as after a restore into a new database.
    await rm(join(folder, 'patchcord-database'));
    await recorded(staging, kept);
    await relay.keepHouse(31);
    expect(relay.trouble()).toBe('');
  });

  it('make no folder theirs that says nothing and is full of strangers', async () => {
    const [store, mistyped] = [await database('one'), await database('mistyped')];
    const kept = await files(3);
    await recorded(store, kept);
    const wrong = relayOn(mistyped);
    for (const hours of [0, 1, 2]) await wrong.keepHouse(hours);
    expect(await left()).toEqual(new Set(kept));
    expect(wrong.trouble()).toContain('DATABASE_URL');
    const right = relayOn(store);
    await right.keepHouse(0);
    expect(right.trouble()).toBe('');
  });

  it('and no folder at all are no trouble', async () => {
    const relay = relayOn(await database('one'));
    for (const hours of [0, 1]) expect(await relay.keepHouse(hours)).toBe(0);
    expect(relay.trouble()).toBe('');
  });
});
