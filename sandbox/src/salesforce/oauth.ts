/**
 * Owns the tokens of the emulated org: the JWT bearer grant for the relay, the refresh grant, the sessions behind access
 * tokens, and the assertion that an Apex class of ours signs inside the agent's session. Must never keep a private key of others.
 */
import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
  verify,
} from 'node:crypto';
import { type HttpReply, type HttpRequest, isObject, json } from '../http.ts';

export interface SalesforceUser {
  readonly id: string;
  readonly username: string;
  readonly name: string;
  readonly email: string;
  /** Null: the user is not assigned to a call center, so no softphone is shown. */
  readonly callCenterId: string | null;
  readonly refreshToken: string;
}

export interface Org {
  readonly id: string;
  /** SPKI PEM of the key that signs what the Apex class mints. */
  readonly signingCertificatePem: string;
  readonly loginUrl: string;
}

export interface OrgAuth {
  readonly clientId: string;
  readonly clientSecret: string;
  registerConnectedApp(publicKeyPem: string): void;
  /** `POST /services/oauth2/token`. */
  token(request: HttpRequest): HttpReply;
  /** The user behind `Authorization: Bearer …`, or undefined. */
  userOf(request: HttpRequest): SalesforceUser | undefined;
  /** Ends every access token that was handed out. */
  expireSessions(): void;
  /** What `PatchcordIdentity.mintAssertion` answers: a compact RS256 JWT for `audience`, 120 seconds long. */
  mintAssertion(user: SalesforceUser, audience: string): string;
  readonly signingKeyPem: string;
}

const assertionSeconds = 120;

export function createOrgAuth(options: {
  orgId: string;
  users: readonly SalesforceUser[];
  /** The org's own origin, known once the server listens. */
  origin: () => string;
}): OrgAuth {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const clientId = `3MVG9sandbox${randomBytes(24).toString('hex')}`;
  const clientSecret = randomBytes(24).toString('hex');
  const sessions = new Map<string, SalesforceUser>();
  const spent = new Set<string>();
  let appKey: KeyObject | undefined;

  const refused = (error: string, description: string): HttpReply =>
    json(400, { error, error_description: description });
  const granted = (user: SalesforceUser): HttpReply => {
    const accessToken = `${options.orgId.slice(0, 15)}!${randomBytes(32).toString('base64url')}`;
    sessions.set(accessToken, user);
    return json(200, {
      access_token: accessToken,
      scope: 'api',
      instance_url: options.origin(),
      id: `${options.origin()}/id/${options.orgId}/${user.id}`,
      token_type: 'Bearer',
    });
  };

  function bearerGrant(assertion: string): HttpReply {
    const read = readJwt(assertion);
    if (!read) return refused('invalid_grant', 'invalid assertion: it is not a compact JWT');
    if (!appKey) return refused('invalid_client_id', 'no connected app key is registered in this sandbox org');
    if (read.header.alg !== 'RS256') return refused('invalid_grant', 'invalid assertion: alg must be RS256');
    if (!verify('RSA-SHA256', Buffer.from(read.signed), appKey, read.signature))
      return refused('invalid_grant', 'invalid assertion signature');
    const { iss, sub, aud, exp, jti } = read.claims;
    if (iss !== clientId) return refused('invalid_client_id', 'client identifier invalid');
    if (aud !== options.origin()) return refused('invalid_grant', 'audience is invalid');
    const now = Date.now() / 1000;
    if (typeof exp !== 'number' || exp <= now) return refused('invalid_grant', 'assertion has expired');
    if (exp > now + 305) return refused('invalid_grant', 'assertion must expire within 5 minutes');
    if (typeof jti === 'string') {
      if (spent.has(jti)) return refused('invalid_grant', 'assertion was already used');
      spent.add(jti);
    }
    const user = options.users.find((candidate) => candidate.username === sub);
    if (!user) return refused('invalid_grant', "user hasn't approved this consumer");
    return granted(user);
  }

  return {
    clientId,
    clientSecret,
    signingKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    registerConnectedApp(publicKeyPem) {
      appKey = createPublicKey(publicKeyPem);
    },
    token(request) {
      const form = new URLSearchParams(request.raw.toString('utf8'));
      const grant = form.get('grant_type');
      if (grant === 'urn:ietf:params:oauth:grant-type:jwt-bearer') return bearerGrant(form.get('assertion') ?? '');
      if (grant !== 'refresh_token') return refused('unsupported_grant_type', 'grant type not supported');
      if (form.get('client_id') !== clientId) return refused('invalid_client_id', 'client identifier invalid');
      if (form.has('client_secret') && form.get('client_secret') !== clientSecret)
        return refused('invalid_client', 'invalid client credentials');
      const user = options.users.find((candidate) => candidate.refreshToken === form.get('refresh_token'));
      return user ? granted(user) : refused('invalid_grant', 'expired access/refresh token');
    },
    userOf(request) {
      const header = request.headers.authorization ?? '';
      return /^(Bearer|OAuth) /i.test(header) ? sessions.get(header.slice(header.indexOf(' ') + 1)) : undefined;
    },
    expireSessions: () => sessions.clear(),
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

function signJwt(key: KeyObject, claims: Record<string, unknown>): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), key).toString('base64url')}`;
}

function readJwt(
  compact: string,
): { header: Record<string, unknown>; claims: Record<string, unknown>; signed: string; signature: Buffer } | undefined {
  const [header, claims, signature, extra] = compact.split('.');
  if (header === undefined || claims === undefined || signature === undefined || extra !== undefined) return undefined;
  try {
    const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as unknown;
    const [head, body] = [read(header), read(claims)];
    if (!isObject(head) || !isObject(body)) return undefined;
    return {
      header: head,
      claims: body,
      signed: `${header}.${claims}`,
      signature: Buffer.from(signature, 'base64url'),
    };
  } catch {
    return undefined;
  }
}
