/**
 * The one error class and its codes. A message says what happened, why and what to do; it never holds a secret or a full number.
 * Branch on `code`, never on `instanceof`: frames are other realms.
 */
export type ErrorCode =
  | 'config.invalid'
  | 'credential.expired'
  | 'credential.refused'
  | 'credential.revoked'
  | 'crm.invalid'
  | 'crm.not-authentic'
  | 'crm.not-found'
  | 'crm.rate-limited'
  | 'crm.unavailable'
  | 'host.absent'
  | 'host.not-authentic'
  | 'host.refused'
  | 'host.silent'
  | 'identity.refused'
  | 'identity.proof'
  | 'identity.required'
  | 'identity.stale-proof'
  | 'line.not-ready'
  | 'call.not-allowed'
  | 'call.unknown'
  | 'media.denied'
  | 'media.failed'
  | 'media.no-device'
  | 'number.invalid'
  | 'profile.invalid'
  | 'recording.deleted'
  | 'recording.held'
  | 'recording.not-allowed'
  | 'relay.unreachable'
  | 'request.invalid'
  | 'request.too-many'
  | 'sip.refused'
  | 'sip.unreachable'
  | 'store.unavailable'
  | 'internal';

export interface PatchcordErrorOptions {
  /** Whether the same request may succeed later without a change. */
  readonly retryable?: boolean;
  /** Wait at least this long before trying again, in milliseconds. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** Any failure that crosses a module's door. */
export class PatchcordError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  constructor(code: ErrorCode, message: string, options: PatchcordErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'PatchcordError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The code of anything thrown, `internal` when it carries none of ours. */
export function errorCode(error: unknown): ErrorCode {
  return typeof error === 'object' && error !== null && 'code' in error && 'retryable' in error
    ? (error as PatchcordError).code
    : 'internal';
}
