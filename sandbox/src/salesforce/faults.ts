/**
 * Owns how the emulated org refuses whole requests on command: the named faults over REST and their answers in Salesforce's shape.
 * Refusals of single records are in `row-faults.ts`. Must never touch a record.
 */
import { connectionFaults, type FaultOrder, type FaultWhen, type HttpReply, json, text } from '../http.ts';
import { rowFaults } from './row-faults.ts';

/** A refusal before anything is done: status, code, text. A lasting one is an order with a large `times`. */
const refusals: Readonly<Record<string, readonly [status: number, code: string, message: string]>> = {
  'server-error': [
    500,
    'UNKNOWN_EXCEPTION',
    'An unexpected error occurred. Please include this ErrorId if you contact support',
  ],
  unavailable: [503, 'SERVER_UNAVAILABLE', 'Server Unavailable'],
  'request-limit': [403, 'REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.'],
  'concurrent-limit': [403, 'REQUEST_LIMIT_EXCEEDED', 'ConcurrentRequests (Concurrent API Requests) Limit exceeded.'],
  'expired-session': [401, 'INVALID_SESSION_ID', 'Session expired or invalid'],
  'api-disabled': [403, 'API_DISABLED_FOR_ORG', 'The REST API is not enabled for this Organization.'],
  forbidden: [403, 'INSUFFICIENT_ACCESS', 'insufficient access rights on object id'],
  'query-timeout': [400, 'QUERY_TIMEOUT', 'Your query request was running for too long.'],
};

const errorPage =
  '<!DOCTYPE html><html><head><title>Error Page</title></head><body><h1>An internal server error has occurred</h1>' +
  '<p>An error has occurred while processing your request.</p></body></html>';
const signInPage =
  '<!DOCTYPE html><html><head><title>Login | Salesforce</title></head><body><form></form></body></html>';

/** Refusals that are no JSON list of errors. */
const strange: Readonly<Record<string, () => HttpReply>> = {
  'html-error': () => text(500, 'text/html', errorPage),
  // A proxy or an org that sends browsers to its login answers 200.
  'html-ok': () => text(200, 'text/html', signInPage),
  maintenance: () => ({ status: 302, headers: { location: 'https://status.salesforce.invalid/maintenance' } }),
  edge: () => text(420, 'text/plain', 'Edge cannot route this request'),
};

/** The answer is cut in the middle of its JSON, after the work was done. */
export const cutAnswer = 'malformed-json';

export const requestFaults: readonly string[] = [
  ...connectionFaults,
  ...Object.keys(refusals),
  ...Object.keys(strange),
  cutAnswer,
];
export const restFaults: readonly string[] = [...requestFaults, ...rowFaults];

/** The answer of a refusing fault; `on` the token endpoint it has OAuth's shape instead. */
export function refusal(fault: FaultOrder, path: string): HttpReply {
  const odd = strange[fault.fault];
  if (odd) return odd();
  const [status, errorCode, message] = refusals[fault.fault] ?? [500, 'UNKNOWN_EXCEPTION', fault.fault];
  if (path.startsWith('/services/oauth2/'))
    return json(status, { error: 'unknown_error', error_description: fault.message ?? 'retry your request' });
  return json(status, [{ message: fault.message ?? message, errorCode }]);
}

/** A reply whose JSON ends in the middle. */
export function cut(reply: HttpReply): HttpReply {
  if (!('status' in reply) || reply.body === undefined) return reply;
  const whole = reply.body.toString();
  return { ...reply, body: whole.slice(0, Math.max(1, Math.floor(whole.length / 2))) };
}

/** Whether a whole request is one that a narrowed fault means: by its user, and by what its path and body name. */
export function requestFits(
  request: { readonly path: string; readonly search: string; readonly body: string },
  user: { readonly id: string; readonly username: string } | undefined,
): (when: FaultWhen) => boolean {
  const said = `${request.path}\n${request.search}\n${request.body}`.toLowerCase();
  const names = (word: string | undefined): boolean => word === undefined || said.includes(word.toLowerCase());
  return (when) =>
    (when.user === undefined || when.user === user?.username || when.user === user?.id) &&
    names(when.object) &&
    names(when.field) &&
    names(when.record);
}
