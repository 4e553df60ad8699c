/**
 * From an error to an HTTP answer: the one place where a status is decided. Must never send what is not written for the person who reads it:
 * anything that is not ours becomes a plain "the relay failed".
 */
import { type ErrorBody, type ErrorCode, errorCode, PatchcordError } from '@patchcord/call-protocol';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Limits } from '../limits.ts';
import type { Log } from '../logging.ts';

const statuses: Partial<Record<ErrorCode, number>> = {
  'identity.required': 401,
  'identity.proof': 401,
  'identity.stale-proof': 401,
  'identity.refused': 403,
  'credential.refused': 403,
  'credential.revoked': 403,
  'request.invalid': 400,
  'number.invalid': 400,
  'crm.not-found': 404,
  'call.unknown': 404,
  'recording.deleted': 410,
  'recording.held': 409,
  'recording.not-allowed': 403,
  'request.too-many': 429,
  'crm.rate-limited': 503,
  'crm.unavailable': 502,
  'crm.not-authentic': 502,
  'crm.invalid': 502,
  'sip.unreachable': 502,
  'sip.refused': 502,
  'store.unavailable': 503,
};

export function errorHandler(log: Log): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    const { status, known } = readable(error);
    if (status >= 500) log.error({ err: error, status }, 'a request failed');
    if (known.retryAfterMs !== undefined) response.set('retry-after', String(Math.ceil(known.retryAfterMs / 1_000)));
    if (status === 401) response.set('www-authenticate', challengeOf(known.code));
    const body: ErrorBody = { error: { code: known.code, message: known.message, retryable: known.retryable } };
    response.status(status).json(body);
  };
}

/** RFC 9449, section 7.1: what a client should do about a 401. */
function challengeOf(code: ErrorCode): string {
  return code === 'identity.required' ? 'DPoP algs="ES256", Bearer' : 'DPoP algs="ES256", error="invalid_dpop_proof"';
}

/** 404, limited by address: a scanner's requests must not cost as much as an agent's. */
export function notFound(limits: Limits): RequestHandler {
  return async (request, response) => {
    if (!(await limits.take('not-found', request.ip ?? ''))) throw tooMany(60_000);
    const body: ErrorBody = {
      error: { code: 'request.invalid', message: 'There is nothing here. Check the address.', retryable: false },
    };
    response.status(404).json(body);
  };
}

export function tooMany(retryAfterMs: number): PatchcordError {
  return new PatchcordError('request.too-many', 'Too many requests. Wait a moment and try again.', {
    retryable: true,
    retryAfterMs,
  });
}

function readable(error: unknown): { readonly status: number; readonly known: PatchcordError } {
  const code = errorCode(error);
  if (code !== 'internal') return { status: statuses[code] ?? 500, known: error as PatchcordError };
  // What express and its body parsers throw: http-errors with a status of the client's making.
  const status = typeof error === 'object' && error !== null && 'status' in error ? Number(error.status) : 500;
  if (status >= 400 && status < 500) {
    const message =
      status === 413
        ? 'The request is too large.'
        : 'The request cannot be read: it must be JSON as the contract says.';
    return { status, known: new PatchcordError('request.invalid', message) };
  }
  return {
    status: 500,
    known: new PatchcordError('internal', 'The relay failed. Try again; the relay log says more.', { retryable: true }),
  };
}
