/**
 * What a bucket says when it does not do what it is asked, in words for an operator. Owns which of it passes by itself. Must never quote an answer:
 * S3 repeats the access key and what was signed in it.
 */
import { PatchcordError } from '@patchcord/call-protocol';

/** Codes of S3's errors, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and of what speaks like it. */
const texts: Readonly<Record<string, string>> = {
  InvalidAccessKeyId:
    'does not know the access key. Check "recordings.bucket.accessKeyId", and whether the key still exists',
  SignatureDoesNotMatch:
    'refuses the signature. Check "recordings.bucket.secretAccessKey": it does not belong to the access key',
  AccessDenied:
    'refuses this access key. Give it s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload on the objects, s3:ListBucket and s3:ListBucketMultipartUploads on the bucket',
  NoSuchBucket: 'does not have this bucket. Create it, or check "recordings.bucket.bucket"',
  RequestTimeTooSkewed:
    'finds the clock of this machine off by more than fifteen minutes. Set the clock (NTP); until then nothing is kept or given out',
  SlowDown: 'asks for fewer requests at a time',
  PermanentRedirect: 'says that the bucket lies elsewhere. Check "recordings.bucket.endpoint" and "region"',
  AuthorizationHeaderMalformed: 'expects another region. Check "recordings.bucket.region"',
  XMinioStorageFull: 'has no room left. Make room there',
};
const sameAs: Readonly<Record<string, string>> = {
  AllAccessDisabled: 'AccessDenied',
  AccountProblem: 'AccessDenied',
  ExpiredToken: 'InvalidAccessKeyId',
  InvalidToken: 'InvalidAccessKeyId',
  InvalidBucketName: 'NoSuchBucket',
  RequestLimitExceeded: 'SlowDown',
  TooManyRequests: 'SlowDown',
  TemporaryRedirect: 'PermanentRedirect',
  IllegalLocationConstraintException: 'PermanentRedirect',
  QuotaExceeded: 'XMinioStorageFull',
};
/** What passes by itself. */
const passing = new Set(['SlowDown', 'ServiceUnavailable', 'InternalError', 'RequestTimeout', 'OperationAborted']);

/** An answer that is none. */
export interface BucketRefusal {
  readonly status: number;
  /** S3's word for it; empty where it said none. */
  readonly code: string;
}

/** @param body What came with it: XML, or nothing */
export function refusalOf(status: number, body: string): BucketRefusal {
  const said = /<Code>\s*([A-Za-z0-9]{1,64})\s*<\/Code>/.exec(body)?.[1] ?? '';
  const code = Object.hasOwn(sameAs, said) ? (sameAs[said] ?? said) : said;
  if (code !== '') return { status, code };
  if (status === 429) return { status, code: 'SlowDown' };
  if (status >= 300 && status < 400) return { status, code: 'PermanentRedirect' };
  return { status, code: status === 403 ? 'AccessDenied' : status === 507 ? 'XMinioStorageFull' : '' };
}

/** Whether the same request may do a moment later. */
export function passes({ status, code }: BucketRefusal): boolean {
  return passing.has(code) || (status >= 500 && status !== 501 && status !== 507);
}

/** @param where The bucket, as an operator knows it */
export function refused(where: string, refusal: BucketRefusal): PatchcordError {
  const { status, code } = refusal;
  const why = Object.hasOwn(texts, code) ? texts[code] : 'did not do what it was asked';
  const said = code === '' ? `${status}` : `${status} ${code}`;
  return new PatchcordError('store.unavailable', `The storage of ${where} ${why} (${said}).`, {
    retryable: passes(refusal),
  });
}

const unreachable: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there. Is it running, and is "recordings.bucket.endpoint" right?',
  ENOTFOUND:
    'there is no such host. Check "recordings.bucket.endpoint", and "pathStyle": without it the bucket is part of the host name',
  EAI_AGAIN: 'the name of the host can’t be looked up now',
  ETIMEDOUT: 'it does not answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer in time',
};

/** What kept an answer from coming. */
export function unreached(where: string, error: unknown): PatchcordError {
  const code = causeOf(error);
  const why = Object.hasOwn(unreachable, code)
    ? unreachable[code]
    : /CERT|SSL|TLS/.test(code)
      ? 'its certificate is not one that this machine trusts'
      : 'the connection broke';
  return new PatchcordError('store.unavailable', `The storage of ${where} can’t be reached: ${why} (${code}).`, {
    retryable: true,
  });
}

/** The system's word for it; no text of the error itself, which may have an address with a signature in it. */
function causeOf(error: unknown): string {
  for (let one = error, depth = 0; typeof one === 'object' && one !== null && depth < 4; depth += 1) {
    const { code, name, cause } = one as { code?: unknown; name?: unknown; cause?: unknown };
    if (name === 'TimeoutError' || name === 'AbortError') return 'ETIMEDOUT';
    if (typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code)) return code;
    one = cause;
  }
  return 'no answer';
}
