/** What a storage does to us, and what becomes of it: nothing is lost by what passes, and an operator reads what does not. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { inspect } from 'node:util';
import { errorCode } from '@patchcord/call-protocol';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { BucketPlace } from '../../../server/src/recordings/bucket-place.ts';
import { type S3Server, startS3Server } from './s3-server.ts';

vi.setConfig({ testTimeout: 120_000 });

const file = 'ab'.padEnd(32, '0');
let s3: S3Server;
let place: BucketPlace;
beforeEach(async () => {
  s3 = await startS3Server();
  place = new BucketPlace(s3.settings, '');
});
afterEach(() => s3.close());

async function write(bytes: Buffer): Promise<void> {
  const writer = await place.begin(file);
  await writer.write(bytes);
  await writer.finish();
}
async function readAll(size: number): Promise<Buffer> {
  const open = await place.open(file);
  const pieces: Buffer[] = [];
  for await (const piece of open?.read(0, size) ?? []) pieces.push(piece);
  return Buffer.concat(pieces);
}
/** Everything that an error would put into a log. */
async function refusalOf(asked: Promise<unknown>): Promise<string> {
  const error = await asked.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(errorCode(error)).toBe('store.unavailable');
  const all = `${inspect(error, { depth: 9, showHidden: true })} ${inspect(place, { depth: 1 })}`;
  for (const secret of [s3.settings.secretAccessKey, s3.settings.accessKeyId, 'Signature=', 'canary'])
    expect(all).not.toContain(secret);
  return (error as Error).message;
}

describe('a bucket that has troubles that pass', () => {
  it('is asked again, whatever was asked', async () => {
    const slow = { answer: 503, code: 'SlowDown' };
    const bytes = randomBytes(20_000_000);
    // One for each kind of request: begin, part, end.
    s3.faults.push(
      { ...slow, on: (method, url) => method === 'POST' && url.searchParams.has('uploads') },
      { ...slow, on: (method) => method === 'PUT' },
      { answer: 500, code: 'InternalError', on: (method) => method === 'PUT' },
      { ...slow, on: (method, url) => method === 'POST' && url.searchParams.has('uploadId') },
      { ...slow, on: (method) => method === 'GET' },
    );
    await write(bytes);
    expect((await readAll(20_000_000)).equals(bytes)).toBe(true);
    expect(s3.faults).toEqual([]);
    expect(place.trouble()).toBeNull();
  });

  it('keeps a file once, also where the answers are lost', async () => {
    const bytes = randomBytes(10_000_000);
    s3.faults.push(
      { loses: 'answer', on: (method) => method === 'PUT' },
      { loses: 'answer', on: (method, url) => method === 'POST' && url.searchParams.has('uploadId') },
    );
    await write(bytes);
    expect(s3.uploads.size).toBe(0);
    expect((await readAll(10_000_000)).equals(bytes)).toBe(true);
  });

  it('is read on from where the connection broke', async () => {
    const bytes = randomBytes(3_000_000);
    await write(bytes);
    const isRead = (method: string, url: URL): boolean => method === 'GET' && url.pathname.endsWith('.rec');
    const open = await place.open(file);
    s3.faults.push({ cutAfter: 700_000, on: isRead }, { cutAfter: 900_000, on: isRead });
    const pieces: Buffer[] = [];
    for await (const piece of open?.read(10, 3_000_000) ?? []) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(bytes.subarray(10))).toBe(true);
    const ranges = s3.asked.map(({ range }) => range).filter((range) => range?.endsWith('-2999999') === true);
    expect(ranges[0]).toBe('bytes=10-2999999');
    expect(ranges.length).toBe(3);
  });

  it('leaves nothing of a large file whose last parts it refused', async () => {
    s3.faults.push({
      answer: 507,
      code: 'XMinioStorageFull',
      on: (_method, url) => url.searchParams.get('partNumber') === '2',
    });
    const writer = await place.begin(file);
    const text = await refusalOf(writer.write(randomBytes(20_000_000)));
    expect(text).toContain('no room left');
    await writer.abandon();
    expect(s3.uploads.size).toBe(0);
    expect(s3.objects.size).toBe(0);
  });
});

describe('a bucket that does not do what it is asked', () => {
  it.each([
    ['a wrong secret', () => new BucketPlace({ ...s3.settings, secretAccessKey: 'another' }, ''), 'secretAccessKey'],
    ['an unknown key', () => new BucketPlace({ ...s3.settings, accessKeyId: 'AKIDOTHER' }, ''), 'accessKeyId'],
    ['another region', () => new BucketPlace({ ...s3.settings, region: 'us-test-9' }, ''), 'region'],
    ['no such bucket', () => new BucketPlace({ ...s3.settings, bucket: 'not-there' }, ''), 'does not have this bucket'],
  ])('says so at once: %s', async (_what, open, words) => {
    place = open();
    const before = s3.asked.length;
    expect(await refusalOf(write(randomBytes(10)))).toContain(words);
    // What does not pass is not asked again.
    expect(s3.asked.length).toBe(before + 1);
    expect(place.trouble()).toContain(words);
    expect(await refusalOf(place.open(file))).toContain(words);
    expect(await refusalOf(place.owner())).toContain(words);
    expect(s3.objects.size).toBe(0);
  });

  it('says that the clock is off, and forgets it when it is right again', async () => {
    s3.clockMs = 20 * 60_000;
    expect(await refusalOf(write(randomBytes(10)))).toContain('Set the clock');
    s3.clockMs = 0;
    await write(randomBytes(10));
    expect(place.trouble()).toBeNull();
  });

  it('gives up on one that is always busy, and says that it may be tried again', async () => {
    for (let n = 0; n < 4; n += 1) s3.faults.push({ answer: 503, code: 'SlowDown' });
    const asked = write(randomBytes(10));
    expect(await refusalOf(asked)).toContain('fewer requests');
    await expect(asked).rejects.toMatchObject({ retryable: true });
    expect(s3.asked).toHaveLength(4);
  });

  it('names who does not listen', async () => {
    const free = createServer().listen(0, '127.0.0.1');
    const { port } = await new Promise<{ readonly port: number }>((resolve) =>
      free.once('listening', () => resolve(free.address() as { port: number })),
    );
    await new Promise((resolve) => free.close(resolve));
    place = new BucketPlace({ ...s3.settings, endpoint: `http://127.0.0.1:${port}` }, '');
    const text = await refusalOf(write(randomBytes(10)));
    expect(text).toContain(`127.0.0.1:${port}`);
    expect(text).toContain('nobody listens there');
  });

  it('does without conditions where the storage has none', async () => {
    s3.knowsConditions = false;
    expect(await place.claim('one')).toBe('one');
    expect(await place.owner()).toBe('one');
  });

  it('puts the bucket into the host name, unless told otherwise', async () => {
    place = new BucketPlace({ ...s3.settings, endpoint: 'http://storage.invalid', pathStyle: false }, '');
    expect(await refusalOf(write(randomBytes(10)))).toContain('storage.invalid');
  });
});
