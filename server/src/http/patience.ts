/**
 * How long the body of a request may take to arrive. Owns the deadline of everything that is small; a recording takes as long as its size does,
 * within the server's own limit for whole requests and for silence.
 */
import type { RequestHandler } from 'express';

/** Of a whole request, ms: an hour of sound over a slow line. */
export const longestRequestMs = 900_000;
const smallBodyMs = 30_000;

/** 408 for a body that is not there in time, except where `mayTakeLong`. */
export function bodyInTime(
  mayTakeLong: (method: string, path: string) => boolean,
  withinMs = smallBodyMs,
): RequestHandler {
  return (request, response, next) => {
    const hasBody =
      request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
    if (!hasBody || request.complete || mayTakeLong(request.method, request.path)) {
      next();
      return;
    }
    const timer = setTimeout(() => {
      if (request.complete) return;
      if (response.headersSent) {
        request.socket.destroy();
        return;
      }
      const message = 'The request did not arrive in time. Send it again.';
      response
        .status(408)
        .set('connection', 'close')
        .json({ error: { code: 'request.invalid', message, retryable: true } });
    }, withinMs);
    timer.unref();
    const stop = (): void => clearTimeout(timer);
    request.once('end', stop);
    response.once('close', stop);
    next();
  };
}
