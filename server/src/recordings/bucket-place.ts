/**
 * Sound in a bucket of S3, or of what speaks like it: `<prefix><two digits>/<name>.rec`, as a folder has it, so that one can be copied into the
 * other. Owns keys, and that a large file is sent in parts and is there whole or not at all. What comes here is sealed.
 */
import type { BucketSettings } from '../config/recordings.ts';
import { BucketClient } from './bucket-client.ts';
import {
  type FoundFile,
  ownerMark,
  type PlacedFile,
  type PlacedWriter,
  pageSize,
  type SoundPlace,
  soundName,
  sweepOrder,
} from './sound-place.ts';

/** S3 takes parts of 5 MiB and more, 10,000 of a file, and some storages want all but the last of one size. */
const partBytes = 8 * 1_048_576;
const removedAtOnce = 8;
const absent = ['NoSuchKey'];

export class BucketPlace implements SoundPlace {
  readonly kind = 'bucket';
  readonly #client: BucketClient;
  readonly #prefix: string;

  /** @param within Below the prefix of the settings: `voicemails/` */
  constructor(settings: BucketSettings, within: string) {
    this.#client = new BucketClient(settings);
    this.#prefix = `${settings.prefix}${within}`;
  }

  get where(): string {
    return `${this.#client.where}, ${this.#prefix === '' ? 'without a prefix' : `"${this.#prefix}"`}`;
  }

  trouble(): string | null {
    return this.#client.trouble;
  }

  begin(file: string): Promise<PlacedWriter> {
    return Promise.resolve(new BucketWriter(this.#client, this.#keyOf(file)));
  }

  async open(file: string): Promise<PlacedFile | null> {
    const key = this.#keyOf(file);
    // One byte, not HEAD: a refusal of HEAD does not say why.
    const { headers, refusal } = await this.#client.ask({ method: 'GET', key, headers: { range: 'bytes=0-0' } }, [
      'NoSuchKey',
      'InvalidRange',
    ]);
    if (refusal?.code === 'NoSuchKey') return null;
    const size = Number(/\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1] ?? 0);
    return { size, read: (from, to) => this.#client.read(key, from, to), close: () => Promise.resolve() };
  }

  async remove(files: readonly string[]): Promise<void> {
    for (let from = 0; from < files.length; from += removedAtOnce) {
      const some = files.slice(from, from + removedAtOnce);
      await Promise.all(some.map((file) => this.#delete(this.#keyOf(file))));
    }
  }

  async *pages(): AsyncGenerator<readonly FoundFile[]> {
    for (let token: string | null = ''; token !== null; ) {
      const { text } = await this.#client.ask({
        ...{ method: 'GET', key: '' },
        query: {
          ...{ 'list-type': '2', prefix: this.#prefix, 'max-keys': String(pageSize) },
          ...(token === '' ? {} : { 'continuation-token': token }),
        },
      });
      yield elementsOf(text, 'Contents').flatMap((object) => {
        const key = wordOf(object, 'Key');
        const file = this.#nameOf(key);
        const at = Date.parse(wordOf(object, 'LastModified'));
        if (file === null || Number.isNaN(at)) return [];
        return [{ file, whole: true, at: () => Promise.resolve(at), remove: () => this.#delete(key) }];
      });
      const next = wordOf(text, 'NextContinuationToken');
      token = wordOf(text, 'IsTruncated') === 'true' && next !== '' ? next : null;
    }
    yield* this.#halfWritten();
  }

  async owner(): Promise<string | null> {
    const { text, refusal } = await this.#client.ask({ method: 'GET', key: `${this.#prefix}${ownerMark}` }, absent);
    return refusal === null ? text.trim() : null;
  }

  async claim(database: string): Promise<string | null> {
    const put = { method: 'PUT', key: `${this.#prefix}${ownerMark}`, body: Buffer.from(`${database}\n`) } as const;
    const { refusal } = await this.#client.ask({ ...put, headers: { 'if-none-match': '*' } }, [
      'PreconditionFailed',
      'ConditionalRequestConflict',
      'NotImplemented',
    ]);
    // A storage that knows no conditions: of two relays that begin together the last one stays, and both read it.
    if (refusal?.code === 'NotImplemented') await this.#client.ask(put);
    return this.owner();
  }

  async isOrdered(): Promise<boolean> {
    const key = `${this.#prefix}${sweepOrder}`;
    return (await this.#client.ask({ method: 'GET', key }, absent)).refusal === null;
  }

  async forgetOrder(): Promise<void> {
    await this.#delete(`${this.#prefix}${sweepOrder}`);
  }

  /** Large files whose parts nobody put together: each costs what its parts do until it is called off. */
  async *#halfWritten(): AsyncGenerator<readonly FoundFile[]> {
    let marks: Record<string, string> | null = {};
    while (marks !== null) {
      const query = { uploads: '', prefix: this.#prefix, 'max-uploads': String(pageSize), ...marks };
      const { text } = await this.#client.ask({ method: 'GET', key: '', query });
      yield elementsOf(text, 'Upload').flatMap((upload) => {
        const key = wordOf(upload, 'Key');
        const file = this.#nameOf(key);
        const at = Date.parse(wordOf(upload, 'Initiated'));
        if (file === null || Number.isNaN(at)) return [];
        const remove = (): Promise<void> => callOff(this.#client, key, wordOf(upload, 'UploadId'));
        return [{ file, whole: false, at: () => Promise.resolve(at), remove }];
      });
      const key = wordOf(text, 'NextKeyMarker');
      const more = wordOf(text, 'IsTruncated') === 'true' && key !== '';
      marks = more ? { 'key-marker': key, 'upload-id-marker': wordOf(text, 'NextUploadIdMarker') } : null;
    }
  }

  async #delete(key: string): Promise<void> {
    await this.#client.ask({ method: 'DELETE', key }, absent);
  }

  #keyOf(file: string): string {
    return `${this.#prefix}${file.slice(0, 2)}/${file}.rec`;
  }

  /** The name of one of ours; null for whatever else lies there, voicemails below recordings too. */
  #nameOf(key: string): string | null {
    const [shelf, name, ...rest] = key.startsWith(this.#prefix) ? key.slice(this.#prefix.length).split('/') : [];
    const file = soundName.exec(name ?? '')?.[1];
    return file !== undefined && rest.length === 0 && file.slice(0, 2) === shelf ? file : null;
  }
}

/** A small file in one request, a large one in parts that become a file at the end. */
class BucketWriter implements PlacedWriter {
  readonly #client: BucketClient;
  readonly #key: string;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #upload: string | null = null;
  readonly #etags: string[] = [];
  #isPut = false;

  constructor(client: BucketClient, key: string) {
    this.#client = client;
    this.#key = key;
  }

  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const some = bytes.subarray(at, at + partBytes - this.#waitingBytes);
      this.#waiting.push(Buffer.from(some));
      this.#waitingBytes += some.length;
      at += some.length;
      if (this.#waitingBytes === partBytes) await this.#sendPart();
    }
  }

  async finish(): Promise<void> {
    this.#isPut = true;
    if (this.#upload === null) {
      await this.#client.ask({ method: 'PUT', key: this.#key, body: this.#taken() });
      return;
    }
    if (this.#waitingBytes > 0) await this.#sendPart();
    const parts = this.#etags.map(
      (etag, n) => `<Part><PartNumber>${n + 1}</PartNumber><ETag>${escaped(etag)}</ETag></Part>`,
    );
    const { refusal } = await this.#client.ask(
      {
        ...{ method: 'POST', key: this.#key, query: { uploadId: this.#upload } },
        headers: { 'content-type': 'application/xml' },
        body: Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`),
      },
      ['NoSuchUpload'],
    );
    // Asked again after a lost answer: then the file is there, and the upload gone.
    if (refusal !== null) await this.#client.ask({ method: 'GET', key: this.#key, headers: { range: 'bytes=0-0' } });
  }

  async abandon(): Promise<void> {
    this.#taken();
    if (this.#upload !== null) await callOff(this.#client, this.#key, this.#upload).catch(() => undefined);
    // The answer may have been lost, not the request.
    if (this.#isPut) await this.#client.ask({ method: 'DELETE', key: this.#key }).catch(() => undefined);
  }

  async #sendPart(): Promise<void> {
    const { method, key } = { method: 'POST', key: this.#key } as const;
    if (this.#upload === null) {
      const { text } = await this.#client.ask({ method, key, query: { uploads: '' } });
      this.#upload = wordOf(text, 'UploadId');
    }
    const query = { partNumber: String(this.#etags.length + 1), uploadId: this.#upload };
    const { headers } = await this.#client.ask({ method: 'PUT', key, query, body: this.#taken() });
    this.#etags.push(headers.get('etag') ?? '');
  }

  #taken(): Buffer<ArrayBuffer> {
    const all = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    return all;
  }
}

async function callOff(client: BucketClient, key: string, uploadId: string): Promise<void> {
  await client.ask({ method: 'DELETE', key, query: { uploadId } }, ['NoSuchUpload']);
}

/** S3's answers are flat lists of elements without attributes. */
function elementsOf(xml: string, name: string): readonly string[] {
  return xml.match(new RegExp(`<${name}>[^]*?</${name}>`, 'g')) ?? [];
}

/** What stands in the first element of that name; empty where there is none. */
function wordOf(xml: string, name: string): string {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? '';
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&apos;', "'")
    .replace(/&#(\d{1,6});/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replaceAll('&amp;', '&');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
