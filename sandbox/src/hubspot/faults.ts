/**
 * Owns how the emulated portal refuses on command: the named faults over REST with HubSpot's statuses, bodies and headers, and
 * the names of the host page's faults. Must never touch a record.
 */
import { randomUUID } from 'node:crypto';
import { connectionFaults, type FaultOrder, type HttpReply, json } from '../http.ts';

/** `server-error` 500 · `unavailable` 503 · `rate-limited` 429 · `locked` 423 · `expired-token` 401 · `invalid` 400 */
export const restFaults: readonly string[] = [
  ...connectionFaults,
  'server-error',
  'unavailable',
  'rate-limited',
  'locked',
  'expired-token',
  'invalid',
];

/** What the host page can do to one message of the panel; `on` is the message's `type`, e.g. `OUTGOING_CALL_STARTED`. */
export const hostFaults = ['host-late', 'host-never', 'host-twice', 'host-error', 'host-wrong-origin'] as const;

/** The body of a 429, which is unlike every other error body. */
export function rateLimited(
  policyName: 'TEN_SECONDLY_ROLLING' | 'SECONDLY' | 'DAILY',
  retryAfterSeconds?: number,
): HttpReply {
  return json(
    429,
    {
      status: 'error',
      message:
        policyName === 'SECONDLY'
          ? 'You have reached your secondly limit.'
          : 'You have reached your ten_secondly_rolling limit.',
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
