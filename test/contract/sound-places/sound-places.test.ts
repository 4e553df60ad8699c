/** Where sound lies: what a folder and a bucket both promise, and what a relay makes of it. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TenantId } from '@patchcord/call-protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLog } from '../../../server/src/logging.ts';
import { BucketPlace } from '../../../server/src/recordings/bucket-place.ts';
import { FolderPlace, pathOf } from '../../../server/src/recordings/folder-place.ts';
import { SealedSounds } from '../../../server/src/recordings/sealed-sounds.ts';
import type { SoundPlace } from '../../../server/src/recordings/sound-place.ts';
import { isPlaceOf, sweepFiles } from '../../../server/src/recordings/sweep.ts';
import { startS3Server } from './s3-server.ts';

// Megabytes are signed and hashed on both sides.
vi.setConfig({ testTimeout: 120_000 });

/** One place in the test, and what the test does behind its back. */
interface World {
  readonly place: SoundPlace;
  /** The same place to another relay. */
  readonly again: () => SoundPlace;
  /** Names of what is whole, as the place has it. */
  readonly whole: () => Promise<readonly string[]>;
  /** What is half written. */
  readonly half: () => Promise<number>;
  readonly put: (name: string, body: string) => Promise<void>;
  readonly has: (name: string) => Promise<boolean>;
  /** All bytes of a file as they lie there. */
  readonly bytesOf: (file: string) => Promise<Buffer>;
  /** Makes everything that lies there a day old. */
  readonly age: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const dayMs = 86_400_000;

async function folderWorld(): Promise<World> {
  const base = await mkdtemp(join(tmpdir(), 'patchcord-place-'));
  const folder = join(base, 'recordings');
  const all = async () => (await readdir(folder, { recursive: true }).catch(() => [])).sort();
  return {
    place: new FolderPlace(folder),
    again: () => new FolderPlace(folder),
    whole: async () => (await all()).filter((name) => name.endsWith('.rec')),
    half: async () => (await all()).filter((name) => name.endsWith('.part')).length,
    put: async (name, body) => {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), body);
    },
    has: async (name) => (await all()).includes(name),
    bytesOf: (file) => readFile(pathOf(folder, file)),
    age: async () => {
      const then = new Date(Date.now() - dayMs);
      for (const name of await all())
        if ((await stat(join(folder, name))).isFile()) await utimes(join(folder, name), then, then);
    },
    close: () => rm(base, { recursive: true, force: true }),
  };
}

async function bucketWorld(): Promise<World> {
  const s3 = await startS3Server();
  const { prefix } = s3.settings;
  const own = () =>
    [...s3.objects.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  return {
    place: new BucketPlace(s3.settings, ''),
    again: () => new BucketPlace(s3.settings, ''),
    whole: () =>
      Promise.resolve(
        own()
          .filter((name) => name.endsWith('.rec'))
          .sort(),
      ),
    half: () => Promise.resolve(s3.uploads.size),
    put: (name, body) => {
      s3.objects.set(`${prefix}${name}`, { body: Buffer.from(body), at: Date.now() });
      return Promise.resolve();
    },
    has: (name) => Promise.resolve(own().includes(name)),
    bytesOf: (file) =>
      Promise.resolve(s3.objects.get(`${prefix}${file.slice(0, 2)}/${file}.rec`)?.body ?? Buffer.alloc(0)),
    age: () => {
      for (const one of [...s3.objects.values(), ...s3.uploads.values()]) one.at -= dayMs;
      return Promise.resolve();
    },
    close: () => s3.close(),
  };
}

const nameOf = (): string => randomBytes(16).toString('hex');
async function write(place: SoundPlace, file: string, ...pieces: readonly Buffer[]): Promise<void> {
  const writer = await place.begin(file);
  for (const piece of pieces) await writer.write(piece);
  await writer.finish();
}
async function read(place: SoundPlace, file: string, from: number, to: number): Promise<Buffer> {
  const open = await place.open(file);
  const pieces: Buffer[] = [];
  for await (const piece of open?.read(from, to) ?? []) pieces.push(Buffer.from(piece));
  await open?.close();
  return Buffer.concat(pieces);
}
function soundsIn(place: SoundPlace, keys = new Map<string, string>()): SealedSounds {
  return new SealedSounds({
    ...{ place, what: 'recordings', whose: 'call', log: createLog('silent'), now: Date.now },
    known: () => Promise.resolve(new Set()),
    deployment: () => Promise.resolve('one'),
    vault: {
      read: (tenant) => {
        const text = keys.get(tenant);
        return Promise.resolve(text === undefined ? null : { text, version: 1 });
      },
      put: (tenant, _kind, text) => {
        keys.set(tenant, text);
        return Promise.resolve(true);
      },
    },
  });
}
async function* of(...pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}
async function all(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const heard: Buffer[] = [];
  for await (const piece of pieces) heard.push(Buffer.from(piece));
  return Buffer.concat(heard);
}

for (const [kind, open] of [
  ['folder', folderWorld],
  ['bucket', bucketWorld],
] as const) {
  describe(`a ${kind} of sound`, () => {
    let world: World;
    beforeEach(async () => {
      world = await open();
    });
    afterEach(() => world.close());

    it('has a file from its end on, and gives any stretch of it', async () => {
      const [file, bytes] = [nameOf(), randomBytes(300_000)];
      const writer = await world.place.begin(file);
      // The bytes are the caller's again: they may be written over.
      const lent = Buffer.from(bytes.subarray(0, 100_000));
      await writer.write(lent);
      lent.fill(0);
      await writer.write(bytes.subarray(100_000));
      expect(await world.place.open(file)).toBeNull();
      await writer.finish();
      const opened = await world.again().open(file);
      expect(opened?.size).toBe(300_000);
      await opened?.close();
      expect((await read(world.place, file, 0, 300_000)).equals(bytes)).toBe(true);
      expect((await read(world.place, file, 99_990, 200_010)).equals(bytes.subarray(99_990, 200_010))).toBe(true);
      expect((await read(world.place, file, 299_999, 300_000)).equals(bytes.subarray(299_999))).toBe(true);
      expect(await world.whole()).toEqual([`${file.slice(0, 2)}/${file}.rec`]);
    });

    it('holds a file of many parts whole', async () => {
      const [file, piece] = [nameOf(), randomBytes(1_000_003)];
      await write(world.place, file, ...Array.from({ length: 20 }, () => piece));
      expect((await world.place.open(file))?.size).toBe(20_000_060);
      const end = await read(world.place, file, 19_000_057, 20_000_060);
      expect(end.equals(piece)).toBe(true);
      expect((await read(world.place, file, 8_000_000, 9_000_027)).subarray(24).equals(piece)).toBe(true);
      expect(await world.half()).toBe(0);
    });

    it('keeps nothing of a file that was abandoned', async () => {
      const writer = await world.place.begin(nameOf());
      await writer.write(randomBytes(9_000_000));
      expect(await world.half()).toBe(1);
      await writer.abandon();
      expect(await world.half()).toBe(0);
      expect(await world.whole()).toEqual([]);
    });

    it('takes files away, and does not mind one that is gone', async () => {
      const [kept, gone] = [nameOf(), nameOf()];
      await write(world.place, kept, randomBytes(10));
      await write(world.place, gone, randomBytes(10));
      await world.place.remove([gone, gone, nameOf()]);
      expect(await world.whole()).toEqual([`${kept.slice(0, 2)}/${kept}.rec`]);
      expect(await world.place.open(gone)).toBeNull();
    });

    it('belongs to the database that said so first', async () => {
      const none = () => Promise.resolve(new Set<string>());
      await write(world.place, nameOf(), randomBytes(10));
      // A stranger's file, and nobody's mark.
      expect(await isPlaceOf(world.place, 'one', none)).toBe(false);
      expect(await isPlaceOf(world.place, 'one', (files) => Promise.resolve(new Set(files)))).toBe(true);
      expect(await isPlaceOf(world.again(), 'two', none)).toBe(false);
      expect(await world.again().claim('two')).toBe('one');
      expect(await isPlaceOf(world.again(), 'one', none)).toBe(true);
      expect(await world.has('patchcord-database')).toBe(true);
    });

    it('loses what nobody knows when it is old, never what is not ours, and most of itself only by order', async () => {
      const files = Array.from({ length: 30 }, nameOf);
      for (const file of files) await write(world.place, file, Buffer.from('sound'));
      const crashed = await world.place.begin(nameOf());
      await crashed.write(randomBytes(8_500_000));
      await world.put('notes.txt', 'x');
      await world.put(`voicemails/ab/ab${nameOf().slice(2)}.rec`, 'x');
      await world.age();
      const young = nameOf();
      await write(world.place, young, Buffer.from('sound'));
      const none = () => Promise.resolve(new Set<string>());
      const before = Date.now() - 3_600_000;
      expect(await sweepFiles(world.place, none, before)).toEqual({ gone: 1, left: 30 });
      expect(await world.half()).toBe(0);
      await crashed.abandon();
      expect(await world.whole()).toHaveLength(32);
      const known = new Set(files.slice(0, 28));
      expect(await sweepFiles(world.place, () => Promise.resolve(known), before)).toEqual({ gone: 2, left: 0 });
      expect(await world.whole()).toHaveLength(30);
      await world.put('delete-unknown', '');
      expect(await sweepFiles(world.place, none, before)).toEqual({ gone: 28, left: 0 });
      const left = await world.whole();
      expect(left).toHaveLength(2);
      expect(left).toContain(`${young.slice(0, 2)}/${young}.rec`);
      expect(await world.has('notes.txt')).toBe(true);
      expect(await world.has('delete-unknown')).toBe(false);
    });

    it('tells of more files than a page holds, each once', async () => {
      const files = Array.from({ length: 1_203 }, nameOf);
      for (const file of files) await world.put(`${file.slice(0, 2)}/${file}.rec`, 'sound');
      const told: string[] = [];
      for await (const page of world.place.pages()) {
        expect(page.length).toBeLessThanOrEqual(500);
        told.push(...page.map(({ file }) => file));
      }
      expect(told.sort()).toEqual([...files].sort());
    });

    it('never holds a byte of plain sound, and what was changed there is not given out', async () => {
      const sounds = soundsIn(world.place);
      const plain = Buffer.alloc(200_000, 'the same words again and again ');
      const kept = await sounds.write(
        'acme' as TenantId,
        'call-1',
        of(plain.subarray(0, 70_000), plain.subarray(70_000)),
      );
      const lies = await world.bytesOf(kept.file);
      expect(lies.length).toBeGreaterThan(200_000);
      expect(lies.includes('the same words')).toBe(false);
      const opened = await sounds.open(kept);
      expect((await all(opened.read(0, 200_000))).equals(plain)).toBe(true);
      expect((await all(opened.read(65_530, 131_080))).equals(plain.subarray(65_530, 131_080))).toBe(true);
      expect(await all(opened.read(500, 500))).toHaveLength(0);
      await opened.close();
      lies[100_000] = (lies[100_000] ?? 0) ^ 1;
      await world.put(`${kept.file.slice(0, 2)}/${kept.file}.rec`, '');
      await expect(sounds.open(kept)).rejects.toMatchObject({ code: 'store.unavailable' });
      await world.place.remove([kept.file]);
      await expect(sounds.open(kept)).rejects.toThrow(`is not in the ${kind}`);
    });
  });
}
