/**
 * Requests to a bucket that speaks S3's protocol: signed (AWS Signature Version 4, the body with it), tried again where that helps, and never waited
 * for without an end. Owns addresses, patience, and whether the bucket does what it is asked. Must never put a secret, a signature or an answer's
 * text into an error or a log.
 */
import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { errorCode, type PatchcordError } from '@patchcord/call-protocol';
import { AwsClient } from 'aws4fetch';
import type { BucketSettings } from '../config/recordings.ts';
import { type BucketRefusal, passes, refusalOf, refused, unreached } from './bucket-errors.ts';

const tries = 4;
const firstPauseMs = 200;
const longestPauseMs = 10_000;
/** Also for the storage to put together the parts of a large file. */
const answerMs = 60_000;
/** Between two pieces of an answer. */
const pieceMs = 30_000;
const longestText = 4_000_000;

export interface BucketRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Empty: of the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer<ArrayBuffer>;
}

/** An answer whose body is read by who asked. */
interface BegunAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Ends the connection where it was not read to its end. */
  drop(): void;
  /** The next piece; null at the end. @throws what broke it */
  next(): Promise<Buffer | null>;
}

export class BucketClient {
  readonly #settings: BucketSettings;
  readonly #aws: AwsClient;
  #trouble: string | null = null;

  constructor(settings: BucketSettings) {
    this.#settings = settings;
    const { accessKeyId, secretAccessKey, region } = settings;
    this.#aws = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: 0 });
  }

  /** The bucket as an operator knows it. */
  get where(): string {
    const { bucket, endpoint } = this.#settings;
    return `the bucket "${bucket}" at ${new URL(endpoint).host}`;
  }

  /** What went wrong last, until something goes right. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /**
   * Asks and reads the whole answer.
   * @param accepts Refusals that are answers to this question, by S3's code
   * @throws PatchcordError `store.unavailable`, in words for an operator
   */
  async ask(
    request: BucketRequest,
    accepts: readonly string[] = [],
  ): Promise<{ readonly text: string; readonly headers: Headers; readonly refusal: BucketRefusal | null }> {
    return this.#patiently(accepts, async () => {
      const answer = await this.#begin(request);
      const text = await textOf(answer);
      // Some questions are answered 200 before the storage knows how it ends.
      const failed = answer.status >= 300 || /<Error>/.test(text.slice(0, 1_000));
      return { text, headers: answer.headers, refusal: failed ? refusalOf(answer.status, text) : null };
    });
  }

  /**
   * Bytes of an object, `from` (included) to `to` (not). A connection that breaks in the middle is gone on with where it broke.
   * @throws PatchcordError `store.unavailable`
   */
  async *read(key: string, from: number, to: number): AsyncGenerator<Buffer> {
    for (let at = from, broken = 0; at < to; ) {
      let answer: BegunAnswer | null = null;
      const begins = at;
      try {
        answer = await this.#beginRange(key, at, to);
        if (answer === null) return;
        for (;;) {
          const piece = await answer.next();
          if (piece === null) break;
          const own = piece.subarray(0, to - at);
          at += own.length;
          yield own;
          if (at >= to) return;
        }
        // The answer was cut off without a word of it, or the object ends here.
        if (at === begins) return;
      } catch (error) {
        if (errorCode(error) !== 'internal') throw error;
        broken = at > begins ? 1 : broken + 1;
        if (broken >= tries) throw this.#failed(unreached(this.where, error));
        await wait(pauseOf(broken));
      } finally {
        answer?.drop();
      }
    }
  }

  /** null: no such object (any more). */
  async #beginRange(key: string, from: number, to: number): Promise<BegunAnswer | null> {
    const headers = { range: `bytes=${from}-${to - 1}` };
    const { begun } = await this.#patiently(['NoSuchKey', 'InvalidRange'], async () => {
      const answer = await this.#begin({ method: 'GET', key, headers });
      if (answer.status === 206) return { begun: answer, refusal: null };
      // 200 would be the whole object, from its beginning.
      return { begun: null, refusal: refusalOf(answer.status, await textOf(answer)) };
    });
    return begun;
  }

  async #patiently<T extends { readonly refusal: BucketRefusal | null }>(
    accepts: readonly string[],
    once: () => Promise<T>,
  ): Promise<T> {
    for (let tried = 1; ; tried += 1) {
      let failure: PatchcordError;
      try {
        const answer = await once();
        const { refusal } = answer;
        if (refusal === null || accepts.includes(refusal.code)) {
          this.#trouble = null;
          return answer;
        }
        failure = refused(this.where, refusal);
        if (!passes(refusal)) throw this.#failed(failure);
      } catch (error) {
        if (errorCode(error) !== 'internal') throw error;
        failure = unreached(this.where, error);
      }
      if (tried >= tries) throw this.#failed(failure);
      await wait(pauseOf(tried));
    }
  }

  /** One request, up to the beginning of its answer. @throws what `fetch` does */
  async #begin({ method, key, query = {}, headers = {}, body }: BucketRequest): Promise<BegunAnswer> {
    const stop = new AbortController();
    const signed = await this.#aws.sign(this.#addressOf(key, query), {
      method,
      headers: {
        ...headers,
        'x-amz-content-sha256': createHash('sha256')
          .update(body ?? '')
          .digest('hex'),
      },
      ...(body === undefined ? {} : { body }),
      // A storage that sends us elsewhere is told of, not followed: what is signed is signed for this address.
      redirect: 'manual',
    });
    const response = await inTime(fetch(signed, { signal: stop.signal }), answerMs, stop);
    const reader = response.body?.getReader();
    let isOver = reader === undefined;
    return {
      status: response.status,
      headers: response.headers,
      drop: () => {
        if (!isOver) stop.abort();
      },
      next: async () => {
        if (reader === undefined) return null;
        const { done, value } = await inTime(reader.read(), pieceMs, stop);
        isOver = done;
        return done ? null : Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      },
    };
  }

  #addressOf(key: string, query: Readonly<Record<string, string>>): string {
    const { endpoint, bucket, pathStyle } = this.#settings;
    const url = new URL(endpoint);
    if (pathStyle) url.pathname = `/${bucket}/${key}`;
    else {
      url.hostname = `${bucket}.${url.hostname}`;
      url.pathname = `/${key}`;
    }
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url.href;
  }

  #failed(error: PatchcordError): PatchcordError {
    this.#trouble = error.message;
    return error;
  }
}

/** Doubles, and is never the same for all who wait. */
function pauseOf(tried: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** (tried - 1)) * (0.5 + Math.random());
}

async function inTime<T>(asked: Promise<T>, withinMs: number, stop: AbortController): Promise<T> {
  const timer = setTimeout(() => stop.abort(new DOMException('no answer in time', 'TimeoutError')), withinMs);
  try {
    return await asked;
  } finally {
    clearTimeout(timer);
  }
}

async function textOf(answer: BegunAnswer): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for (;;) {
      const piece = await answer.next();
      if (piece === null) break;
      pieces.push(piece);
      length += piece.length;
      if (length > longestText) break;
    }
  } finally {
    answer.drop();
  }
  return Buffer.concat(pieces).toString('utf8');
}
