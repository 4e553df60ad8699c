/**
 * What no request may do, whatever route it asks for: change something on behalf of another page, use a method nobody serves, carry an address
 * no route has. Owns those refusals; who may use a route is the route's own matter (guards.ts).
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { RequestHandler } from 'express';
import { methodsAt, type RouteAddress } from './routes.ts';

/** Longest address: ids, a number and what a CRM appends fit into a quarter of it. */
const longestUrl = 4_096;

const readOnly = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses requests that another site's page makes (CSRF). A browser says whose page it is in `Origin` with everything but a plain read; a server
 * or a command line sends none. Bearer tokens are no ambient authority; this covers what is: cookies, and a network that only we can reach.
 */
export function ownPagesOnly(origins: () => readonly string[]): RequestHandler {
  return (request, _response, next) => {
    const { origin } = request.headers;
    if (!readOnly.has(request.method) && origin !== undefined && !origins().includes(origin)) {
      throw new PatchcordError(
        'identity.refused',
        'This came from a page of another site. Open the phone in its own page.',
      );
    }
    next();
  };
}

/** 414 for an address longer than `longestUrl`. */
export const shortAddress: RequestHandler = (request, response, next) => {
  if (request.originalUrl.length <= longestUrl) {
    next();
    return;
  }
  const message = `The address is longer than ${longestUrl} characters.`;
  response.status(414).json({ error: { code: 'request.invalid', message, retryable: false } });
};

/** 405 with `Allow` for a method that a path does not have (RFC 9110 section 15.5.6); other paths pass. */
export function methodNotAllowed(routes: readonly RouteAddress[]): RequestHandler {
  return (request, response, next) => {
    const methods = methodsAt(routes, request.path);
    if (methods.length === 0 || methods.includes(request.method)) {
      next();
      return;
    }
    const message = `This address takes ${methods.join(', ')} only.`;
    response
      .status(405)
      .set('allow', methods.join(', '))
      .json({ error: { code: 'request.invalid', message, retryable: false } });
  };
}
