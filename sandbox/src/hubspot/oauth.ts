/**
 * Owns the emulated portal's tokens: the refresh grant on `/oauth/v1/token` (and its dated twins), access tokens with a life,
 * and token introspection. Must never accept a client it did not hand its secret to.
 */
import { randomBytes } from 'node:crypto';
import { type HttpReply, type HttpRequest, json } from '../http.ts';

export interface PortalAuth {
  readonly clientId: string;
  readonly refreshToken: string;
  /** Every request under `/oauth/`. */
  handle(request: HttpRequest): HttpReply;
  accepts(request: HttpRequest): boolean;
  expireTokens(): void;
}

const scopes = [
  'oauth',
  'crm.objects.contacts.read',
  'crm.objects.contacts.write',
  'crm.objects.companies.read',
  'crm.objects.owners.read',
  'crm.schemas.contacts.write',
];
const lifeSeconds = 1800;

export function createPortalAuth(options: {
  clientSecret: string;
  appId: number;
  portalId: number;
  user: { email: string; userId: number };
}): PortalAuth {
  const clientId = randomBytes(16).toString('hex');
  const refreshToken = `na1-${randomBytes(24).toString('base64url')}`;
  const living = new Map<string, number>();
  const refused = (status: string, message: string): HttpReply =>
    json(400, { status, message, correlationId: randomBytes(8).toString('hex') });

  function token(request: HttpRequest): HttpReply {
    const form = new URLSearchParams(request.raw.toString('utf8'));
    if (form.get('client_id') !== clientId || form.get('client_secret') !== options.clientSecret)
      return refused('BAD_CLIENT_ID', 'missing or unknown client id or secret');
    if (form.get('grant_type') !== 'refresh_token')
      return refused('BAD_GRANT_TYPE', 'the sandbox grants refresh_token only');
    if (form.get('refresh_token') !== refreshToken)
      return refused('BAD_REFRESH_TOKEN', 'missing or unknown refresh token');
    const accessToken = `sandbox-${randomBytes(32).toString('base64url')}`;
    living.set(accessToken, Date.now() + lifeSeconds * 1000);
    return json(200, {
      token_type: 'bearer',
      access_token: accessToken,
      refresh_token: refreshToken,
      expires_in: lifeSeconds,
    });
  }

  return {
    clientId,
    refreshToken,
    handle(request) {
      if (request.method === 'POST' && /^\/oauth\/[^/]+\/token$/.test(request.path)) return token(request);
      const info = /^\/oauth\/v1\/access-tokens\/(.+)$/.exec(request.path);
      const expiresAt = info?.[1] === undefined ? undefined : living.get(info[1]);
      if (expiresAt === undefined)
        return json(404, { status: 'error', message: 'resource not found', category: 'OBJECT_NOT_FOUND' });
      return json(200, {
        hub_id: options.portalId,
        app_id: options.appId,
        user: options.user.email,
        user_id: options.user.userId,
        scopes,
        token_type: 'access',
        expires_in: Math.max(0, Math.round((expiresAt - Date.now()) / 1000)),
      });
    },
    accepts(request) {
      const expiresAt = living.get(`${request.headers.authorization ?? ''}`.replace(/^Bearer /i, ''));
      return expiresAt !== undefined && expiresAt > Date.now();
    },
    expireTokens: () => living.clear(),
  };
}
