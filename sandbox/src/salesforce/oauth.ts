/**
 * Owns the tokens of the emulated org: the JWT bearer grant for the relay, the exchange of codes, refreshing and revoking, the sessions behind
 * access tokens, and the assertion that an Apex class of ours signs inside the agent's session. Must never keep a private key of others.
 */
import { createHmac, generateKeyPairSync, randomBytes, randomUUID, verify } from 'node:crypto';
import { type HttpReply, type HttpRequest, json } from '../http.ts';
import type { ConnectedApp } from './connected-app.ts';
import { readJwt, signJwt } from './jwt.ts';
import type { SalesforceUser } from './salesforce-user.ts';
import { createWebFlow } from './web-flow.ts';

export interface Org {
  readonly id: string;
  /** SPKI PEM of the key that signs what the Apex class mints. */
  readonly signingCertificatePem: string;
  readonly loginUrl: string;
}

export interface OrgAuth {
  /** `POST /services/oauth2/token`. */
  token(request: HttpRequest): HttpReply;
  /** `/services/oauth2/authorize` of the web-server flow. */
  authorize(request: HttpRequest): HttpReply;
  /** `POST /services/oauth2/revoke`. */
  revoke(request: HttpRequest): HttpReply;
  /** Whether a code came from the web-server flow here. */
  knowsCode(code: string): boolean;
  /** The user behind `Authorization: Bearer …`, or undefined. */
  userOf(request: HttpRequest): SalesforceUser | undefined;
  /** What `/services/oauth2/userinfo` and the identity URL say of a user. */
  identity(user: SalesforceUser): Record<string, unknown>;
  /** Ends every access token that was handed out; without a username, everybody's. */
  expireSessions(username?: string): void;
  /** Takes refresh tokens back, as an administrator does; without a username, everybody's. */
  revokeRefreshTokens(username?: string): void;
  /** What `PatchcordIdentity.mintAssertion` answers: a compact RS256 JWT for `audience`, 120 seconds long. */
  mintAssertion(user: SalesforceUser, audience: string): string;
  readonly signingKeyPem: string;
}

const assertionSeconds = 120;

export function createOrgAuth(options: {
  orgId: string;
  app: ConnectedApp;
  users: readonly SalesforceUser[];
  isActive: (user: SalesforceUser) => boolean;
  /** The org's own origin, known once the server listens. */
  origin: () => string;
  /** Epoch ms. */
  now: () => number;
}): OrgAuth {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { app, users, isActive } = options;
  const web = createWebFlow({ app, users, isActive, now: options.now });
  const sessions = new Map<string, { readonly user: SalesforceUser; readonly grant?: string }>();
  /** Refresh tokens, under each the grant that it belongs to. */
  const refreshTokens = new Map<string, { readonly user: SalesforceUser; readonly grant: string; spent: boolean }>(
    users.map((user) => [user.refreshToken, { user, grant: randomUUID(), spent: false }]),
  );
  const spent = new Set<string>();

  const refused = (error: string, description: string): HttpReply =>
    json(400, { error, error_description: description });

  const granted = (user: SalesforceUser, scope: string, more: Record<string, unknown>, grant?: string): HttpReply => {
    const accessToken = `${options.orgId.slice(0, 15)}!${randomBytes(32).toString('base64url')}`;
    sessions.set(accessToken, { user, ...(grant === undefined ? {} : { grant }) });
    const id = `${options.origin()}/id/${options.orgId}/${user.id}`;
    const issuedAt = String(options.now());
    return json(200, {
      access_token: accessToken,
      ...more,
      signature: createHmac('sha256', app.clientSecret)
        .update(id + issuedAt)
        .digest('base64'),
      scope,
      instance_url: options.origin(),
      id,
      token_type: 'Bearer',
      issued_at: issuedAt,
    });
  };

  /** Why this user gets no token; undefined when they do. */
  function denied(user: SalesforceUser | undefined): HttpReply | undefined {
    if (user === undefined) return refused('invalid_grant', "user hasn't approved this consumer");
    if (!isActive(user)) return refused('inactive_user', 'user is inactive');
    const approval = app.approvalOf(user.username);
    if (approval === 'not-approved') return refused('invalid_grant', "user hasn't approved this consumer");
    if (approval === 'not-admin-approved')
      return refused('invalid_app_access', 'user is not admin approved to access this app');
    return undefined;
  }

  function bearerGrant(assertion: string): HttpReply {
    const read = readJwt(assertion);
    if (!read) return refused('invalid_grant', 'invalid assertion: it is not a compact JWT');
    if (!app.key) return refused('invalid_client_id', 'no connected app key is registered in this sandbox org');
    if (read.header.alg !== 'RS256') return refused('invalid_grant', 'invalid assertion: alg must be RS256');
    const { iss, sub, aud, exp, jti } = read.claims;
    if (iss !== app.clientId) return refused('invalid_client_id', 'client identifier invalid');
    if (!verify('RSA-SHA256', Buffer.from(read.signed), app.key, read.signature))
      return refused('invalid_grant', 'invalid assertion signature');
    if (aud !== options.origin()) return refused('invalid_grant', 'audience is invalid');
    const now = options.now() / 1000;
    if (typeof exp !== 'number' || exp <= now) return refused('invalid_grant', 'assertion has expired');
    if (exp > now + 305) return refused('invalid_grant', 'assertion must expire within 5 minutes');
    if (typeof jti === 'string') {
      if (spent.has(jti)) return refused('invalid_grant', 'assertion was already used');
      spent.add(jti);
    }
    const user = users.find((candidate) => candidate.username === sub);
    return denied(user) ?? (user === undefined ? refused('invalid_grant', 'no user') : granted(user, 'api', {}));
  }

  /** The app's own word on itself: its id, and its secret where one is needed or given. */
  function refusedClient(form: URLSearchParams): HttpReply | undefined {
    if (form.get('client_id') !== app.clientId) return refused('invalid_client_id', 'client identifier invalid');
    const secret = form.get('client_secret');
    if (secret === null ? app.requiresSecret : secret !== app.clientSecret)
      return refused('invalid_client', 'invalid client credentials');
    return undefined;
  }

  function newRefreshToken(user: SalesforceUser, grant: string): string {
    const token = `5Aep861${randomBytes(32).toString('base64url')}`;
    refreshTokens.set(token, { user, grant, spent: false });
    return token;
  }

  function codeGrant(form: URLSearchParams): HttpReply {
    const wrong = refusedClient(form);
    if (wrong) return wrong;
    const user = web.redeem(form);
    if (!('id' in user)) return refused(user[0], user[1]);
    const no = denied(user);
    if (no) return no;
    const grant = randomUUID();
    return granted(user, 'refresh_token api', { refresh_token: newRefreshToken(user, grant) }, grant);
  }

  function endGrant(grant: string): void {
    for (const [token, known] of refreshTokens) if (known.grant === grant) refreshTokens.delete(token);
    for (const [token, session] of sessions) if (session.grant === grant) sessions.delete(token);
  }

  function refreshGrant(form: URLSearchParams): HttpReply {
    const wrong = refusedClient(form);
    if (wrong) return wrong;
    const known = refreshTokens.get(form.get('refresh_token') ?? '');
    if (known === undefined) return refused('invalid_grant', 'expired access/refresh token');
    if (known.spent) {
      // A rotated token that is used again was stolen from somebody: nobody keeps it.
      endGrant(known.grant);
      return refused('invalid_grant', 'expired access/refresh token');
    }
    const no = denied(known.user);
    if (no) return no;
    if (!app.rotatesRefreshTokens) return granted(known.user, 'refresh_token api', {}, known.grant);
    known.spent = true;
    const next = newRefreshToken(known.user, known.grant);
    return granted(known.user, 'refresh_token api', { refresh_token: next }, known.grant);
  }

  return {
    signingKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    knowsCode: web.knows,
    authorize: web.authorize,
    token(request) {
      const form = new URLSearchParams(request.raw.toString('utf8'));
      switch (form.get('grant_type')) {
        case 'urn:ietf:params:oauth:grant-type:jwt-bearer':
          return bearerGrant(form.get('assertion') ?? '');
        case 'authorization_code':
          return codeGrant(form);
        case 'refresh_token':
          return refreshGrant(form);
        default:
          return refused('unsupported_grant_type', 'grant type not supported');
      }
    },
    revoke(request) {
      const token = new URLSearchParams(request.raw.toString('utf8')).get('token') ?? request.query.get('token') ?? '';
      const grant = refreshTokens.get(token)?.grant ?? sessions.get(token)?.grant;
      if (!refreshTokens.has(token) && !sessions.has(token))
        return refused('invalid_token', `invalid token: ${token.slice(0, 4)}…`);
      if (refreshTokens.has(token) && grant !== undefined) endGrant(grant);
      sessions.delete(token);
      return { status: 200 };
    },
    userOf(request) {
      const header = request.headers.authorization ?? '';
      if (!/^(Bearer|OAuth) /i.test(header)) return undefined;
      const user = sessions.get(header.slice(header.indexOf(' ') + 1))?.user;
      return user && isActive(user) ? user : undefined;
    },
    identity: (user) => ({
      id: `${options.origin()}/id/${options.orgId}/${user.id}`,
      sub: `${options.origin()}/id/${options.orgId}/${user.id}`,
      asserted_user: true,
      user_id: user.id,
      organization_id: options.orgId,
      username: user.username,
      preferred_username: user.username,
      display_name: user.name,
      name: user.name,
      email: user.email,
      active: isActive(user),
    }),
    expireSessions(username) {
      for (const [token, { user }] of sessions)
        if (username === undefined || user.username === username) sessions.delete(token);
    },
    revokeRefreshTokens(username) {
      for (const { user, grant } of [...refreshTokens.values()])
        if (username === undefined || user.username === username) endGrant(grant);
    },
    mintAssertion(user, audience) {
      const now = Math.floor(Date.now() / 1000);
      return signJwt(privateKey, {
        iss: options.orgId,
        sub: user.id,
        aud: audience,
        iat: now,
        exp: now + assertionSeconds,
        jti: randomUUID(),
        username: user.username,
        name: user.name,
        email: user.email,
        instanceUrl: options.origin(),
      });
    },
  };
}
