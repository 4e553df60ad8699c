/** Who may pass: the bearer of a session, the administrator. Owns reading the `Authorization` header; a token in a URL is never looked at. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { PatchcordError } from '@patchcord/call-protocol';
import type { Request, RequestHandler, Response } from 'express';
import * as v from 'valibot';
import type { SessionOwner } from '../identity/sessions.ts';
import type { RelayParts } from './parts.ts';

/** A route for signed-in agents. */
export function withSession(
  parts: RelayParts,
  handle: (session: SessionOwner, request: Request, response: Response) => Promise<void>,
): RequestHandler {
  return async (request, response) => {
    const session = await parts.sessions.check(bearer(request));
    await handle(session, request, response);
  };
}

/** Lets the administrator through; without an admin token in the configuration the routes do not exist. */
export function adminOnly(parts: RelayParts): RequestHandler {
  return (request, _response, next) => {
    const { adminToken } = parts.config;
    if (adminToken === undefined) {
      next('router');
      return;
    }
    if (!sameSecret(bearer(request) ?? '', adminToken)) {
      parts.metrics.refused.inc({ why: 'admin' });
      throw new PatchcordError('identity.required', 'This needs the admin token of the relay as a bearer token.');
    }
    next();
  };
}

export function bearer(request: Request): string | undefined {
  return /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** Compares in constant time, whatever the lengths. */
export function sameSecret(given: string, wanted: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(wanted));
}

/**
 * Reads a body or query by its schema.
 * @throws PatchcordError `request.invalid`, naming the first field that does not fit
 */
export function read<const S extends v.GenericSchema>(schema: S, input: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, input);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue) ?? '';
  const what = issue.received === 'undefined' ? 'is missing' : `must be ${issue.expected ?? 'as the contract says'}`;
  const whole = 'The request must be a JSON object, sent with "content-type: application/json".';
  throw new PatchcordError('request.invalid', path === '' ? whole : `"${path}" ${what}.`);
}
