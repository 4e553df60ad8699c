/**
 * Who may pass: the holder of a session's token and key, a role, the administrator. Owns reading the `Authorization` and `DPoP` headers; a token
 * in a URL is never looked at.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type AgentRole, PatchcordError } from '@patchcord/call-protocol';
import type { Request, RequestHandler, Response } from 'express';
import * as v from 'valibot';
import type { Presented, SessionOwner } from '../identity/sessions.ts';
import type { RelayParts } from './parts.ts';

/** A route for signed-in agents. */
export function withSession(
  parts: RelayParts,
  handle: (session: SessionOwner, request: Request, response: Response) => Promise<void>,
): RequestHandler {
  return async (request, response) => {
    await handle(await sessionOf(parts, request), request, response);
  };
}

/** A route for signed-in agents of this role or a higher one; each use of it is noted in the audit. */
export function withRole(
  parts: RelayParts,
  role: Exclude<AgentRole, 'agent'>,
  handle: (session: SessionOwner, request: Request, response: Response) => Promise<void>,
): RequestHandler {
  return withSession(parts, async (session, request, response) => {
    mustHave(parts, session, role, request);
    await handle(session, request, response);
  });
}

/**
 * Lets the administrator through: the admin token, which reaches every tenant, or a session with the role admin, which reaches its own tenant
 * alone. That tenant must be named where the route reads it: as `:tenant` of the path, as `?tenant=` of a GET, or where `tenantOf` finds it.
 * So a route behind this that takes its tenant from elsewhere is closed to sessions, and one that takes it from the query must keep to it.
 * Without an admin token in the configuration the routes do not exist for a token.
 */
export function adminOnly(parts: RelayParts, tenantOf?: (request: Request) => unknown): RequestHandler {
  return async (request, response, next) => {
    if (/^DPoP /i.test(request.headers.authorization ?? '')) {
      const session = await sessionOf(parts, request);
      mustHave(parts, session, 'admin', request);
      const named =
        tenantOf?.(request) ?? request.params.tenant ?? (request.method === 'GET' ? request.query.tenant : undefined);
      if (named !== session.tenant) {
        parts.metrics.refused.inc({ why: 'admin' });
        throw new PatchcordError(
          'identity.refused',
          'An administrator of one customer reaches that customer only, and names it in the request.',
        );
      }
      response.locals.actor = `agent:${session.agent}`;
      next();
      return;
    }
    const { adminToken } = parts.config;
    if (adminToken === undefined) {
      next('router');
      return;
    }
    if (!sameSecret(bearer(request) ?? '', adminToken)) {
      parts.metrics.refused.inc({ why: 'admin' });
      throw new PatchcordError('identity.required', 'This needs the admin token of the relay as a bearer token.');
    }
    response.locals.actor = 'admin';
    next();
  };
}

/** Who acts behind `adminOnly`, for the audit. */
export function actorOf(response: Response): string {
  return typeof response.locals.actor === 'string' ? response.locals.actor : 'admin';
}

function sessionOf(parts: RelayParts, request: Request): Promise<SessionOwner> {
  return parts.sessions.check(presented(request));
}

/** What a request shows of its session. */
export function presented(request: Request): Presented {
  return { token: /^DPoP ([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1], ...proofOf(request) };
}

/** What of a request a proof of possession must fit. */
export function proofOf(request: Request): {
  readonly proof: unknown;
  readonly method: string;
  readonly path: string;
} {
  return { proof: request.headers.dpop, method: request.method, path: request.originalUrl.split('?')[0] ?? '' };
}

const ranks: Readonly<Record<AgentRole, number>> = { agent: 0, supervisor: 1, admin: 2 };

function mustHave(parts: RelayParts, session: SessionOwner, role: AgentRole, request: Request): void {
  const route = (request.route as { path?: unknown } | undefined)?.path;
  const allowed = ranks[session.role] >= ranks[role];
  void parts.audit.note({
    tenant: session.tenant,
    actor: `agent:${session.agent}`,
    act: allowed ? 'role.used' : 'role.refused',
    data: { role, route: `${request.method} ${typeof route === 'string' ? route : ''}` },
    at: parts.now(),
  });
  if (allowed) return;
  parts.metrics.refused.inc({ why: 'role' });
  throw new PatchcordError('identity.refused', `This is for the role "${role}". Ask your administrator for it.`);
}

/** The token of a machine or an administrator; sessions of panels are never told by a bearer token alone. */
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
