/**
 * Owns the meaning of Salesforce's refusals: which of them the outbox may try again, when, and what a person can do. Works on error codes
 * because jsforce's errors carry no status (Salesforce contract, section 3.1). Must never let Salesforce's message through unmasked: it
 * repeats the values that were sent.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { masked } from '../log-words.ts';

/** One refusal: Salesforce's code and text, and the HTTP status where it is known. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly status?: number;
}

const signIn = new Set([
  'INVALID_SESSION_ID',
  'INVALID_AUTH_HEADER',
  'INVALID_LOGIN',
  'invalid_grant',
  'invalid_client',
  'invalid_client_id',
  'unauthorized_client',
  'inactive_user',
  'inactive_org',
  'invalid_assertion_type',
  'invalid_app_access',
]);
const busy = new Set([
  'UNABLE_TO_LOCK_ROW',
  'SERVER_UNAVAILABLE',
  'SERVICE_UNAVAILABLE',
  'UNKNOWN_EXCEPTION',
  'QUERY_TIMEOUT',
  'TXN_SECURITY_METERING_ERROR',
  'PROCESSING_HALTED',
]);
const gone = new Set(['NOT_FOUND', 'ENTITY_IS_DELETED', 'ERROR_HTTP_404']);

/** Salesforce's refusal as our error. */
export function fromRefusal(refusal: Refusal, doing: string): PatchcordError {
  const { code } = refusal;
  const status = refusal.status ?? statusIn(code);
  const said = masked(refusal.message);
  const what = `Salesforce refused ${doing} (${code}${said === '' || said === code ? '' : `: ${said}`}).`;
  if (code === 'REQUEST_LIMIT_EXCEEDED' || status === 429) {
    const daily = !/concurrent/i.test(refusal.message);
    return new PatchcordError(
      'crm.rate-limited',
      `${what} ${daily ? 'The org has used up its API calls for the day' : 'Too many requests run at once'}; it is tried again later.`,
      { retryable: true, retryAfterMs: daily ? 900_000 : 5_000 },
    );
  }
  if (signIn.has(code) || status === 401)
    return new PatchcordError(
      'crm.not-authentic',
      `${what} Check the External Client App: consumer key, certificate, and that the integration user is pre-authorised.`,
    );
  if (busy.has(code) || (status !== undefined && status >= 500) || status === 420)
    return new PatchcordError('crm.unavailable', `${what} It is tried again.`, {
      retryable: true,
      retryAfterMs: 1_000,
    });
  if (gone.has(code) || status === 404)
    return new PatchcordError(
      'crm.not-found',
      `${what} Check that the record exists and that Patchcord's package is deployed.`,
    );
  return new PatchcordError(
    'crm.invalid',
    `${what} Check the field permissions of the integration user and the org's own validation rules.`,
  );
}

/** Anything thrown on the way to Salesforce as our error; no answer at all means "try again". */
export function fromThrown(error: unknown, doing: string): PatchcordError {
  if (error instanceof PatchcordError) return error;
  const thrown = error as { errorCode?: unknown; name?: unknown; message?: unknown };
  const code = typeof thrown?.errorCode === 'string' ? thrown.errorCode : '';
  const name = typeof thrown?.name === 'string' ? thrown.name : '';
  const message = typeof thrown?.message === 'string' ? thrown.message : '';
  if (code !== '') return fromRefusal({ code, message }, doing);
  // The token endpoint's errors carry OAuth's code as their name: RFC 6749 section 5.2.
  if (signIn.has(name) || name.startsWith('ERROR_HTTP_')) return fromRefusal({ code: name, message }, doing);
  return new PatchcordError('crm.unavailable', `Salesforce did not answer ${doing}. It is tried again.`, {
    retryable: true,
    cause: error,
  });
}

/** Whether this refusal says that the access token is no longer good. */
export function isExpiredSession(error: unknown): boolean {
  const code = (error as { errorCode?: unknown } | null)?.errorCode;
  return code === 'INVALID_SESSION_ID' || code === 'INVALID_AUTH_HEADER' || code === 'ERROR_HTTP_401';
}

/** Whether this refusal says that a limit is reached: Salesforce answers 403 and no Retry-After (Salesforce contract, section 3.1). */
export function isOverLimit(error: unknown): boolean {
  const code = (error as { errorCode?: unknown } | null)?.errorCode;
  return code === 'REQUEST_LIMIT_EXCEEDED' || code === 'ERROR_HTTP_429';
}

function statusIn(code: string): number | undefined {
  const match = /^ERROR_HTTP_(\d{3})$/.exec(code);
  return match === null ? undefined : Number(match[1]);
}
