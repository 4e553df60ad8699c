/**
 * Owns the emulated portal's tokens: the page where a person says yes, the code and refresh grants on `/oauth/v1/token` (and its dated twins),
 * access tokens with a life and a person behind them, introspection and revocation. Must never accept a client it did not hand its secret to.
 */
import { randomBytes } from 'node:crypto';
import { type HttpReply, type HttpRequest, json, text } from '../http.ts';
import { grantable } from './scopes.ts';

export interface PortalAuth {
  readonly clientId: string;
  readonly refreshToken: string;
  /** Every request under `/oauth/`. */
  handle(request: HttpRequest): HttpReply;
  /** The scopes of the token that a request brings; nothing for one that is not alive. */
  accepts(request: HttpRequest): readonly string[] | undefined;
  expireTokens(): void;
  /** What the installed app was granted; tokens that live keep theirs. Everything at the start. */
  grant(scopes: readonly string[]): void;
  /** The app is removed from the account: no token of it works any more. */
  uninstall(): void;
}

const lifeSeconds = 1800;

export function createPortalAuth(options: {
  clientSecret: string;
  appId: number;
  portalId: number;
  users: readonly { readonly email: string; readonly userId: number }[];
}): PortalAuth {
  const clientId = randomBytes(16).toString('hex');
  const refreshToken = `na1-${randomBytes(24).toString('base64url')}`;
  const living = new Map<
    string,
    { readonly expiresAt: number; readonly user: (typeof options.users)[number]; readonly scopes: readonly string[] }
  >();
  let installed = grantable;
  let removed = false;
  const installer = first(options.users);
  /** Refresh tokens of code grants, good for one use each. */
  const rotating = new Map<string, { user: (typeof options.users)[number]; scopes: readonly string[] }>();
  const codes = new Map<
    string,
    { readonly redirectUri: string; readonly user: (typeof options.users)[number]; readonly scopes: readonly string[] }
  >();
  const refused = (status: string, message: string): HttpReply =>
    json(400, { status, message, correlationId: randomBytes(8).toString('hex') });

  function token(request: HttpRequest): HttpReply {
    const form = new URLSearchParams(request.raw.toString('utf8'));
    if (!isOurs(form)) return refused('BAD_CLIENT_ID', 'missing or unknown client id or secret');
    if (form.get('grant_type') === 'authorization_code') {
      const code = codes.get(form.get('code') ?? '');
      codes.delete(form.get('code') ?? '');
      if (code === undefined || code.redirectUri !== form.get('redirect_uri'))
        return refused('BAD_AUTH_CODE', 'missing or unknown auth code');
      return granted(code.user, code.scopes);
    }
    if (form.get('grant_type') !== 'refresh_token')
      return refused('BAD_GRANT_TYPE', 'the sandbox grants authorization_code and refresh_token only');
    const given = form.get('refresh_token') ?? '';
    if (given === refreshToken && !removed) return granted(installer, installed, refreshToken);
    const known = rotating.get(given);
    rotating.delete(given);
    return known === undefined
      ? refused('BAD_REFRESH_TOKEN', 'missing or unknown refresh token')
      : granted(known.user, known.scopes);
  }

  function granted(user: (typeof options.users)[number], scopes: readonly string[], refresh?: string): HttpReply {
    const accessToken = `sandbox-${randomBytes(32).toString('base64url')}`;
    const next = refresh ?? `na1-${randomBytes(24).toString('base64url')}`;
    if (refresh === undefined) rotating.set(next, { user, scopes });
    living.set(accessToken, { expiresAt: Date.now() + lifeSeconds * 1000, user, scopes });
    return json(200, {
      token_type: 'bearer',
      access_token: accessToken,
      refresh_token: next,
      expires_in: lifeSeconds,
    });
  }

  function isOurs(form: URLSearchParams): boolean {
    return form.get('client_id') === clientId && form.get('client_secret') === options.clientSecret;
  }

  /** RFC 7662: of a token that is none (any more) nothing is said but that. */
  function introspect(request: HttpRequest): HttpReply {
    const form = new URLSearchParams(request.raw.toString('utf8'));
    if (!isOurs(form)) return refused('BAD_CLIENT_ID', 'missing or unknown client id or secret');
    const found = about(form.get('token') ?? '');
    return json(
      200,
      found === undefined ? { active: false } : { active: true, token_use: `${found.token_type}_token`, ...found },
    );
  }

  /** RFC 7009: access tokens that came from it live out their time. */
  function revoke(request: HttpRequest): HttpReply {
    const form = new URLSearchParams(request.raw.toString('utf8'));
    if (!isOurs(form)) return refused('BAD_CLIENT_ID', 'missing or unknown client id or secret');
    return forget(form.get('token') ?? '');
  }

  /** `login_as` (a user id) answers at once; without it there is a page to choose on. */
  function authorize({ query, headers }: HttpRequest): HttpReply {
    const redirectUri = query.get('redirect_uri') ?? '';
    if (query.get('client_id') !== clientId || !URL.canParse(redirectUri))
      return text(400, 'text/plain', 'Unknown client or redirect address.');
    const asked = `${query.get('scope') ?? ''} ${query.get('optional_scope') ?? ''}`.split(' ').filter(Boolean);
    const strange = asked.filter((scope) => !grantable.includes(scope));
    if (strange.length > 0) return text(400, 'text/plain', `Unknown scopes: ${strange.join(', ')}.`);
    // Who is signed in to the portal already is not asked again where an app only wants to know who they are.
    const signedIn = /(?:^|;\s*)sandbox-portal-user=(\d+)/.exec(`${headers.cookie ?? ''}`)?.[1];
    const chosen = query.get('login_as') ?? (asked.join(' ') === 'oauth' ? signedIn : undefined);
    const user = options.users.find(({ userId }) => String(userId) === chosen);
    if (user === undefined && chosen !== 'nobody') {
      const link = (id: string): string =>
        `?${new URLSearchParams([...query, ['login_as', id]])}`.replaceAll('&', '&amp;');
      return text(200, 'text/html', consentPage(options.users, asked, link));
    }
    const back = new URL(redirectUri);
    back.searchParams.set('state', query.get('state') ?? '');
    if (user === undefined) back.searchParams.set('error', 'access_denied');
    else {
      const code = randomBytes(16).toString('hex');
      codes.set(code, { redirectUri, user, scopes: asked.length > 0 ? asked : installed });
      back.searchParams.set('code', code);
    }
    return { status: 302, headers: { location: back.href } };
  }

  function about(given: string): Record<string, unknown> | undefined {
    const access = living.get(given);
    if (access !== undefined && access.expiresAt <= Date.now()) return undefined;
    const installation = given === refreshToken && !removed ? { user: installer, scopes: installed } : undefined;
    const known = access ?? installation ?? rotating.get(given);
    if (known === undefined) return undefined;
    return {
      hub_id: options.portalId,
      app_id: options.appId,
      user: known.user.email,
      user_id: known.user.userId,
      scopes: known.scopes,
      token_type: access ? 'access' : 'refresh',
      ...(access ? { expires_in: Math.max(0, Math.round((access.expiresAt - Date.now()) / 1000)) } : {}),
    };
  }

  /** A refresh token goes; what it was exchanged for lives on until its time. */
  function forget(given: string): HttpReply {
    if (given === refreshToken) removed = true;
    rotating.delete(given);
    living.delete(given);
    return { status: 204 };
  }

  return {
    clientId,
    refreshToken,
    handle(request) {
      if (/^\/oauth\/(\d+\/)?authorize$/.test(request.path)) return authorize(request);
      if (request.method === 'POST' && /^\/oauth\/[^/]+\/token$/.test(request.path)) return token(request);
      if (request.method === 'POST' && /^\/oauth\/[^/]+\/(token\/)?introspect$/.test(request.path))
        return introspect(request);
      if (request.method === 'POST' && /^\/oauth\/[^/]+\/(token\/)?revoke$/.test(request.path)) return revoke(request);
      const refresh = /^\/oauth\/v1\/refresh-tokens\/(.+)$/.exec(request.path)?.[1];
      if (refresh !== undefined && request.method === 'DELETE') return forget(decodeURIComponent(refresh));
      const info = /^\/oauth\/v1\/(?:access|refresh)-tokens\/(.+)$/.exec(request.path)?.[1];
      const found = info === undefined ? undefined : about(decodeURIComponent(info));
      return found === undefined
        ? json(404, { status: 'error', message: 'resource not found', category: 'OBJECT_NOT_FOUND' })
        : json(200, found);
    },
    accepts(request) {
      const found = living.get(`${request.headers.authorization ?? ''}`.replace(/^Bearer /i, ''));
      return found !== undefined && found.expiresAt > Date.now() ? found.scopes : undefined;
    },
    expireTokens: () => living.clear(),
    grant(scopes) {
      installed = scopes;
    },
    uninstall() {
      removed = true;
      rotating.clear();
      living.clear();
    },
  };
}

/** Where a person says yes: who they are, and what the app would be allowed. */
function consentPage(
  users: readonly { readonly email: string; readonly userId: number }[],
  scopes: readonly string[],
  link: (id: string) => string,
): string {
  const list = users.map(({ email, userId }) => `<li><a class="go" href="${link(String(userId))}">${email}</a></li>`);
  const what = scopes.filter((scope) => scope !== 'oauth').map((scope) => `<li><code>${scope}</code></li>`);
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Connect Patchcord (sandbox, not HubSpot)</title><style>
body{font:15px/1.5 "Inter","Segoe UI",system-ui,sans-serif;background:#f5f3f0;color:#2b2a33;margin:0;display:grid;place-items:center;min-height:100vh}
main{background:#fff;border:1px solid #e3ddd6;border-radius:12px;padding:26px 30px;width:min(380px,88vw)}
h1{font-size:20px;margin:0 0 4px}p{margin:0 0 14px;color:#67636e}ul{list-style:none;margin:0 0 14px;padding:0;display:grid;gap:8px}
.go{display:block;padding:10px 14px;border:1px solid #eec2b4;background:#fbe9e3;border-radius:8px;color:#8d2f19;font-weight:600;text-decoration:none}
.go:hover{background:#f8dbd1}.no{color:#67636e}code{font-size:12.5px}</style>
<main><h1>Connect Patchcord as</h1><p>Sandbox: not HubSpot. Choose whom you are.</p><ul>${list.join('')}</ul>
${what.length > 0 ? `<p>Patchcord asks for</p><ul>${what.join('')}</ul>` : ''}<a class="no" href="${link('nobody')}">Cancel</a></main></html>`;
}

function first<T>(list: readonly T[]): T {
  const [one] = list;
  if (one === undefined) throw new Error('a portal has at least one user');
  return one;
}
