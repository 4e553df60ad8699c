/**
 * Owns the emulated portal's tokens: the page where a person says yes, the code and refresh grants on `/oauth/v1/token` (and its dated twins),
 * access tokens with a life and a person behind them, and token introspection. Must never accept a client it did not hand its secret to.
 */
import { randomBytes } from 'node:crypto';
import { type HttpReply, type HttpRequest, json, text } from '../http.ts';

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
  users: readonly { readonly email: string; readonly userId: number }[];
}): PortalAuth {
  const clientId = randomBytes(16).toString('hex');
  const refreshToken = `na1-${randomBytes(24).toString('base64url')}`;
  const living = new Map<string, { readonly expiresAt: number; readonly user: (typeof options.users)[number] }>();
  const installer = first(options.users);
  /** Refresh tokens of code grants, good for one use each. */
  const rotating = new Map<string, (typeof options.users)[number]>();
  const codes = new Map<string, { readonly redirectUri: string; readonly user: (typeof options.users)[number] }>();
  const refused = (status: string, message: string): HttpReply =>
    json(400, { status, message, correlationId: randomBytes(8).toString('hex') });

  function token(request: HttpRequest): HttpReply {
    const form = new URLSearchParams(request.raw.toString('utf8'));
    if (form.get('client_id') !== clientId || form.get('client_secret') !== options.clientSecret)
      return refused('BAD_CLIENT_ID', 'missing or unknown client id or secret');
    if (form.get('grant_type') === 'authorization_code') {
      const code = codes.get(form.get('code') ?? '');
      codes.delete(form.get('code') ?? '');
      if (code === undefined || code.redirectUri !== form.get('redirect_uri'))
        return refused('BAD_AUTH_CODE', 'missing or unknown auth code');
      return granted(code.user);
    }
    if (form.get('grant_type') !== 'refresh_token')
      return refused('BAD_GRANT_TYPE', 'the sandbox grants authorization_code and refresh_token only');
    const given = form.get('refresh_token') ?? '';
    if (given === refreshToken) return granted(installer, refreshToken);
    const user = rotating.get(given);
    rotating.delete(given);
    return user === undefined ? refused('BAD_REFRESH_TOKEN', 'missing or unknown refresh token') : granted(user);
  }

  function granted(user: (typeof options.users)[number], refresh?: string): HttpReply {
    const accessToken = `sandbox-${randomBytes(32).toString('base64url')}`;
    const next = refresh ?? `na1-${randomBytes(24).toString('base64url')}`;
    if (refresh === undefined) rotating.set(next, user);
    living.set(accessToken, { expiresAt: Date.now() + lifeSeconds * 1000, user });
    return json(200, {
      token_type: 'bearer',
      access_token: accessToken,
      refresh_token: next,
      expires_in: lifeSeconds,
    });
  }

  /** `login_as` (a user id) answers at once; without it there is a page to choose on. */
  function authorize({ query }: HttpRequest): HttpReply {
    const redirectUri = query.get('redirect_uri') ?? '';
    if (query.get('client_id') !== clientId || !URL.canParse(redirectUri))
      return text(400, 'text/plain', 'Unknown client or redirect address.');
    const user = options.users.find(({ userId }) => String(userId) === query.get('login_as'));
    if (user === undefined && query.get('login_as') !== 'nobody') {
      const link = (id: string): string =>
        `?${new URLSearchParams([...query, ['login_as', id]])}`.replaceAll('&', '&amp;');
      const list = options.users.map(({ email, userId }) => `<li><a href="${link(String(userId))}">${email}</a></li>`);
      return text(
        200,
        'text/html',
        `<!doctype html><html lang="en"><title>Sandbox HubSpot</title><h1>Connect Patchcord as</h1><ul>${list.join('')}<li><a href="${link('nobody')}">Cancel</a></li></ul></html>`,
      );
    }
    const back = new URL(redirectUri);
    back.searchParams.set('state', query.get('state') ?? '');
    if (user === undefined) back.searchParams.set('error', 'access_denied');
    else {
      const code = randomBytes(16).toString('hex');
      codes.set(code, { redirectUri, user });
      back.searchParams.set('code', code);
    }
    return { status: 302, headers: { location: back.href } };
  }

  return {
    clientId,
    refreshToken,
    handle(request) {
      if (request.path === '/oauth/authorize') return authorize(request);
      if (request.method === 'POST' && /^\/oauth\/[^/]+\/token$/.test(request.path)) return token(request);
      const info = /^\/oauth\/v1\/access-tokens\/(.+)$/.exec(request.path);
      const found = info?.[1] === undefined ? undefined : living.get(info[1]);
      if (found === undefined)
        return json(404, { status: 'error', message: 'resource not found', category: 'OBJECT_NOT_FOUND' });
      return json(200, {
        hub_id: options.portalId,
        app_id: options.appId,
        user: found.user.email,
        user_id: found.user.userId,
        scopes,
        token_type: 'access',
        expires_in: Math.max(0, Math.round((found.expiresAt - Date.now()) / 1000)),
      });
    },
    accepts(request) {
      const found = living.get(`${request.headers.authorization ?? ''}`.replace(/^Bearer /i, ''));
      return found !== undefined && found.expiresAt > Date.now();
    },
    expireTokens: () => living.clear(),
  };
}

function first<T>(list: readonly T[]): T {
  const [one] = list;
  if (one === undefined) throw new Error('a portal has at least one user');
  return one;
}
