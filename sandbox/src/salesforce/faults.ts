/**
 * Owns how the emulated org refuses on command: the named faults over REST and their answers in Salesforce's shape, and the
 * names of the host page's faults. Must never touch a record.
 */
import { connectionFaults, type FaultOrder, type HttpReply, isObject, json } from '../http.ts';

/** `server-error` 500 · `unavailable` 503 · `request-limit` 403 · `row-lock` 400 or per row · `expired-session` 401 */
const refusals = ['server-error', 'unavailable', 'request-limit', 'row-lock', 'expired-session'] as const;

export const restFaults: readonly string[] = [...connectionFaults, ...refusals];

/** What the host page can do to one method of the wire; `on` is the method's name. */
export const hostFaults = ['host-late', 'host-never', 'host-twice', 'host-error', 'host-wrong-origin'] as const;

const lock = 'unable to obtain exclusive access to this record or 1 records: a00';

/** The answer of a refusing fault; a composite or collection carries a row lock inside a 200, as Salesforce does. */
export function refusal(fault: FaultOrder, path: string, body: unknown): HttpReply {
  const one = (status: number, errorCode: string, message: string): HttpReply =>
    json(status, [{ message: fault.message ?? message, errorCode }]);
  switch (fault.fault) {
    case 'unavailable':
      return one(503, 'SERVER_UNAVAILABLE', 'Server Unavailable');
    case 'request-limit':
      return one(403, 'REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.');
    case 'expired-session':
      return one(401, 'INVALID_SESSION_ID', 'Session expired or invalid');
    case 'row-lock':
      return lockedRow(path, body) ?? one(400, 'UNABLE_TO_LOCK_ROW', lock);
    default:
      return one(
        500,
        'UNKNOWN_EXCEPTION',
        'An unexpected error occurred. Please include this ErrorId if you contact support',
      );
  }
}

function lockedRow(path: string, body: unknown): HttpReply | undefined {
  if (!isObject(body)) return undefined;
  if (/\/composite\/?$/.test(path) && Array.isArray(body.compositeRequest)) {
    return json(200, { compositeResponse: halted(body.compositeRequest) });
  }
  if (/\/composite\/graph\/?$/.test(path) && Array.isArray(body.graphs)) {
    // Every graph is a transaction of its own, and every one of them met the lock.
    const graphs = body.graphs.map((graph: unknown) => {
      const nodes = isObject(graph) && Array.isArray(graph.compositeRequest) ? graph.compositeRequest : [];
      return {
        graphId: isObject(graph) ? graph.graphId : '',
        graphResponse: { compositeResponse: halted(nodes) },
        isSuccessful: false,
      };
    });
    return json(200, { graphs });
  }
  if (!/\/composite\/sobjects/.test(path) || !Array.isArray(body.records)) return undefined;
  return json(
    200,
    body.records.map(() => ({
      success: false,
      errors: [{ statusCode: 'UNABLE_TO_LOCK_ROW', message: lock, fields: [] }],
    })),
  );
}

/** A transaction whose first subrequest met a locked row, and whose others were taken back for it. */
function halted(requests: readonly unknown[]): readonly Record<string, unknown>[] {
  return requests.map((one, index) => ({
    body: [
      index === 0
        ? { message: lock, errorCode: 'UNABLE_TO_LOCK_ROW' }
        : {
            errorCode: 'PROCESSING_HALTED',
            message: 'The transaction was rolled back since another operation in the same transaction failed.',
          },
    ],
    httpHeaders: {},
    httpStatusCode: 400,
    referenceId: isObject(one) ? one.referenceId : '',
  }));
}
