/**
 * Owns how the emulated portal refuses on command: the named faults over REST with HubSpot's statuses, bodies and headers, and
 * the names of the host page's faults. Must never touch a record.
 */
import { randomUUID } from 'node:crypto';
import { connectionFaults, type FaultOrder, type HttpReply, json, text } from '../http.ts';
import { missingScopes } from './scopes.ts';

/**
 * `server-error` 500 · `unavailable` 503 · `bad-gateway` 502 and `gateway-timeout` 504 as HTML · `edge-down` 521 and `edge-timeout` 524 as HTML ·
 * `rate-limited` 429, `search-limited` 429 by the second, `daily-limited` 429 by the day · `locked` 423 · `migrating` 477 · `expired-token` 401 ·
 * `revoked-token` 401 · `missing-scope` 403 · `invalid` 400 · `not-found` 404 · `html` 200 with a page instead of JSON
 */
export const restFaults: readonly string[] = [
  ...connectionFaults,
  'server-error',
  'unavailable',
  'bad-gateway',
  'gateway-timeout',
  'edge-down',
  'edge-timeout',
  'rate-limited',
  'search-limited',
  'daily-limited',
  'locked',
  'migrating',
  'expired-token',
  'revoked-token',
  'missing-scope',
  'invalid',
  'not-found',
  'html',
];

/** What the host page can do to one message of the panel; `on` is the message's `type`, e.g. `OUTGOING_CALL_STARTED`. */
export const hostFaults = [
  'host-late',
  'host-never',
  'host-twice',
  'host-error',
  'host-reversed',
  'host-wrong-origin',
] as const;

/** The body of a 429, which is unlike every other error body. */
export function rateLimited(
  policyName: 'TEN_SECONDLY_ROLLING' | 'SECONDLY' | 'DAILY',
  retryAfterSeconds?: number,
): HttpReply {
  return json(
    429,
    {
      status: 'error',
      message: `You have reached your ${policyName.toLowerCase()} limit.`,
      errorType: 'RATE_LIMIT',
      correlationId: randomUUID(),
      policyName,
      requestId: randomUUID(),
    },
    retryAfterSeconds === undefined ? {} : { 'Retry-After': `${retryAfterSeconds}` },
  );
}

export function refusal(fault: FaultOrder): HttpReply {
  const one = (status: number, category: string, message: string): HttpReply =>
    json(status, { status: 'error', message: fault.message ?? message, correlationId: randomUUID(), category });
  switch (fault.fault) {
    case 'unavailable':
      return one(503, 'SERVICE_UNAVAILABLE', 'Service temporarily unavailable');
    case 'rate-limited':
      return rateLimited('TEN_SECONDLY_ROLLING', fault.retryAfterSeconds ?? 1);
    case 'search-limited':
      return rateLimited('SECONDLY', fault.retryAfterSeconds);
    case 'daily-limited':
      return rateLimited('DAILY', fault.retryAfterSeconds);
    case 'bad-gateway':
      return page(502, 'Bad gateway');
    case 'gateway-timeout':
      return page(504, 'Gateway time-out');
    case 'edge-down':
      return page(521, 'Web server is down');
    case 'edge-timeout':
      return page(524, 'A timeout occurred');
    case 'html':
      return page(200, 'One moment, please');
    case 'migrating':
      return json(
        477,
        { status: 'error', message: 'This account is being moved between data centers.', correlationId: randomUUID() },
        { 'Retry-After': `${fault.retryAfterSeconds ?? 3600}` },
      );
    case 'revoked-token':
      return one(401, 'INVALID_AUTHENTICATION', 'The app was uninstalled from this account.');
    case 'missing-scope':
      return json(403, missingScopes(['crm.objects.contacts.write']).body());
    case 'not-found':
      return one(404, 'OBJECT_NOT_FOUND', 'resource not found');
    case 'locked':
      return one(423, 'LOCKED', 'The resource is locked. Retry after at least 2 seconds.');
    case 'expired-token':
      return one(401, 'EXPIRED_AUTHENTICATION', 'The OAuth token used to make this call expired.');
    case 'invalid':
      return one(400, 'VALIDATION_ERROR', 'A property your administrator requires is missing.');
    default:
      return one(500, 'INTERNAL_ERROR', 'internal error');
  }
}

/** What stands in front of HubSpot answers with a page of its own, whatever was asked for. */
function page(status: number, title: string): HttpReply {
  return text(
    status,
    'text/html',
    `<!doctype html><html><head><title>${title}</title></head><body>${title}</body></html>`,
  );
}
