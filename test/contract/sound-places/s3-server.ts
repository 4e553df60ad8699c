/**
 * A storage that speaks S3's protocol, as far as sound needs it: objects, ranges, uploads in parts, lists in pages, conditions, and the faults that
 * a real one has. It checks every signature itself. In memory, on a free port of this machine.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BucketSettings } from '../../../server/src/config/recordings.ts';
import { faultOf } from './signature-v4.ts';

const known = {
  accessKeyId: 'AKIDOFTHETEST',
  secretAccessKey: 'the/secret+of=the-test-0123456789',
  region: 'eu-test-1',
};
const bucket = 'patchcord-sound';
/** All but the last part of an upload are at least this long: S3's own rule. */
const leastPart = 5 * 1_048_576;

interface StoredObject {
  readonly body: Buffer;
  at: number;
}
interface Upload {
  readonly key: string;
  at: number;
  readonly parts: Map<number, { readonly body: Buffer; readonly etag: string }>;
}

/** What becomes of the next requests that fit, one each. */
export type Fault = (
  | { readonly answer: number; readonly code: string }
  /** Does what was asked; the answer never arrives. */
  | { readonly loses: 'answer' }
  /** Cuts the answer off after so many bytes of its body. */
  | { readonly cutAfter: number }
) & { readonly on?: (method: string, url: URL) => boolean };

export interface S3Server {
  readonly settings: BucketSettings;
  readonly objects: Map<string, StoredObject>;
  readonly uploads: Map<string, Upload>;
  readonly asked: { readonly method: string; readonly url: URL; readonly range: string | undefined }[];
  readonly faults: Fault[];
  /** Ahead of this machine, ms. */
  clockMs: number;
  hasBucket: boolean;
  /** Whether `If-None-Match` is understood; storages that are not Amazon's may not. */
  knowsConditions: boolean;
  close(): Promise<void>;
}

export async function startS3Server(prefix = 'patchcord/'): Promise<S3Server> {
  const server = createServer((request, response) => void serve(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let uploadCount = 0;
  const s3: S3Server = {
    settings: { endpoint: `http://127.0.0.1:${port}`, bucket, prefix, pathStyle: true, ...known },
    objects: new Map(),
    uploads: new Map(),
    asked: [],
    faults: [],
    clockMs: 0,
    hasBucket: true,
    knowsConditions: true,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request) pieces.push(piece as Buffer);
    } catch {
      return null;
    }
    const body = Buffer.concat(pieces);
    const url = new URL(request.url ?? '/', 'http://storage');
    const method = request.method ?? '';
    s3.asked.push({ method, url, range: request.headers.range });
    const wrong = faultOf(request, body, known, Date.now() + s3.clockMs);
    if (wrong !== null) return refuse(response, wrong === 'AuthorizationHeaderMalformed' ? 400 : 403, wrong);
    const index = s3.faults.findIndex(({ on }) => on === undefined || on(method, url));
    const fault = index < 0 ? undefined : s3.faults.splice(index, 1)[0];
    if (fault !== undefined && 'answer' in fault) return refuse(response, fault.answer, fault.code);
    const [, asked = '', ...rest] = url.pathname.split('/').map(decodeURIComponent);
    if (asked !== bucket || !s3.hasBucket) return refuse(response, 404, 'NoSuchBucket');
    if (fault !== undefined && 'cutAfter' in fault) cutting(response, fault.cutAfter);
    if (fault !== undefined && 'loses' in fault) {
      request.socket.pause();
      losing(response);
    }
    return answer(request, response, method, rest.join('/'), url.searchParams, body);
  }

  function answer(
    request: IncomingMessage,
    response: ServerResponse,
    method: string,
    key: string,
    query: URLSearchParams,
    body: Buffer,
  ): ServerResponse {
    const uploadId = query.get('uploadId');
    if (key === '' && method === 'GET')
      return query.has('uploads') ? listUploads(response, query) : list(response, query);
    if (method === 'POST' && query.has('uploads')) {
      uploadCount += 1;
      const id = `upload&${uploadCount}`;
      s3.uploads.set(id, { key, at: Date.now(), parts: new Map() });
      return xml(
        response,
        `<InitiateMultipartUploadResult><UploadId>${xmlText(id)}</UploadId></InitiateMultipartUploadResult>`,
      );
    }
    if (uploadId !== null) {
      const upload = s3.uploads.get(uploadId);
      if (upload === undefined || upload.key !== key) return refuse(response, 404, 'NoSuchUpload');
      if (method === 'DELETE') {
        s3.uploads.delete(uploadId);
        return response.writeHead(204).end();
      }
      if (method === 'PUT') {
        const etag = `"${createHash('md5').update(body).digest('hex')}"`;
        upload.parts.set(Number(query.get('partNumber')), { body, etag });
        return response.writeHead(200, { etag }).end();
      }
      return complete(response, uploadId, upload, body.toString());
    }
    if (method === 'PUT') {
      if (request.headers['if-none-match'] !== undefined) {
        if (!s3.knowsConditions) return refuse(response, 501, 'NotImplemented');
        if (s3.objects.has(key)) return refuse(response, 412, 'PreconditionFailed');
      }
      s3.objects.set(key, { body, at: Date.now() });
      return response.writeHead(200, { etag: '"put"' }).end();
    }
    if (method === 'DELETE') {
      s3.objects.delete(key);
      return response.writeHead(204).end();
    }
    const found = s3.objects.get(key);
    if (found === undefined) return refuse(response, 404, 'NoSuchKey');
    return give(request, response, found.body);
  }

  function give(request: IncomingMessage, response: ServerResponse, body: Buffer): ServerResponse {
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (range === null) {
      return response.writeHead(200, { 'content-length': body.length }).end(body);
    }
    const from = Number(range[1]);
    const to = Math.min(Number(range[2]) + 1, body.length);
    if (from >= body.length) return refuse(response, 416, 'InvalidRange');
    return response
      .writeHead(206, { 'content-length': to - from, 'content-range': `bytes ${from}-${to - 1}/${body.length}` })
      .end(body.subarray(from, to));
  }

  function complete(response: ServerResponse, id: string, upload: Upload, said: string): ServerResponse {
    const named = [...said.matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>([^<]*)<\/ETag>/g)];
    const parts = named.map(([, number, etag = '']) => {
      const part = upload.parts.get(Number(number));
      return part?.etag === etag.replaceAll('&quot;', '"') ? part.body : null;
    });
    if (parts.length === 0 || parts.includes(null)) return refuse(response, 400, 'InvalidPart');
    const bodies = parts as readonly Buffer[];
    if (bodies.slice(0, -1).some(({ length }) => length < leastPart)) return refuse(response, 400, 'EntityTooSmall');
    s3.uploads.delete(id);
    s3.objects.set(upload.key, { body: Buffer.concat(bodies), at: Date.now() });
    return xml(response, '<CompleteMultipartUploadResult></CompleteMultipartUploadResult>');
  }

  function list(response: ServerResponse, query: URLSearchParams): ServerResponse {
    const start = query.get('continuation-token') ?? '';
    const keys = [...s3.objects.keys()]
      .filter((key) => key.startsWith(query.get('prefix') ?? '') && key > start)
      .sort();
    const most = Number(query.get('max-keys') ?? 1_000);
    const page = keys.slice(0, most);
    const more = keys.length > most;
    const contents = page.map(
      (key) =>
        `<Contents><Key>${xmlText(key)}</Key><LastModified>${new Date(s3.objects.get(key)?.at ?? 0).toISOString()}</LastModified></Contents>`,
    );
    const token = more ? `<NextContinuationToken>${xmlText(page.at(-1) ?? '')}</NextContinuationToken>` : '';
    return xml(
      response,
      `<ListBucketResult><IsTruncated>${more}</IsTruncated>${token}${contents.join('')}</ListBucketResult>`,
    );
  }

  function listUploads(response: ServerResponse, query: URLSearchParams): ServerResponse {
    const found = [...s3.uploads]
      .filter(([, { key }]) => key.startsWith(query.get('prefix') ?? ''))
      .map(
        ([id, { key, at }]) =>
          `<Upload><Key>${xmlText(key)}</Key><UploadId>${xmlText(id)}</UploadId><Initiated>${new Date(at).toISOString()}</Initiated></Upload>`,
      );
    return xml(
      response,
      `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${found.join('')}</ListMultipartUploadsResult>`,
    );
  }

  return s3;
}

/** As S3 says it: with the access key and what was signed, which nobody may repeat. */
function refuse(response: ServerResponse, status: number, code: string): ServerResponse {
  const { accessKeyId } = known;
  const text = `<Error><Code>${code}</Code><Message>said by the test</Message><AWSAccessKeyId>${accessKeyId}</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256 canary</StringToSign></Error>`;
  return response
    .writeHead(status, { 'content-type': 'application/xml' })
    .end(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`);
}

function xml(response: ServerResponse, text: string): ServerResponse {
  return response
    .writeHead(200, { 'content-type': 'application/xml' })
    .end(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`);
}

/** Everything is done, and nobody hears of it. */
function losing(response: ServerResponse): void {
  response.writeHead = () => response;
  response.end = () => {
    response.socket?.destroy();
    return response;
  };
}

function cutting(response: ServerResponse, after: number): void {
  const end = response.end.bind(response);
  response.end = ((body: unknown) => {
    if (!Buffer.isBuffer(body)) return end(body as string);
    response.write(body.subarray(0, after), () => response.socket?.destroy());
    return response;
  }) as typeof response.end;
}

function xmlText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
