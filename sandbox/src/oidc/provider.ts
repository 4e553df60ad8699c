/**
 * An OpenID provider for trying out and testing: discovery, keys, a page on which one picks who one is, the code exchange with PKCE. Owns its
 * signing keys and codes. Has pedals for what a provider may do (change its keys) and for what only a forger would send.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { type HttpReply, type HttpRequest, json, startHttpServer, text } from '../http.ts';

/** One who can sign in; `claims` go into the ID token. */
export interface OpenIdPerson {
  readonly id: string;
  readonly name: string;
  readonly claims: Readonly<Record<string, unknown>> | (() => Readonly<Record<string, unknown>>);
}

export interface OpenIdPaths {
  readonly authorize: string;
  readonly token: string;
  readonly keys: string;
}

export interface OpenIdEndpoints {
  /** The answer to a request that is for these endpoints; null for any other. */
  handle(request: HttpRequest): HttpReply | null;
  /** New signing keys from now on; the old ones are no longer published. */
  rotateKeys(): void;
  /** Writes the next ID tokens instead: what a forger, or a provider that is wrong, would send. Null: as it should be. */
  forge: ((honest: HonestToken) => string) | null;
}

/** What an honest token would say, and the means to say something else. */
export interface HonestToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly key: KeyObject;
}

interface Granted {
  readonly person: OpenIdPerson;
  readonly redirectUri: string;
  readonly challenge: string;
  readonly nonce: string | null;
  readonly expiresAt: number;
}

const codeMs = 60_000;
const tokenSeconds = 300;

/** The endpoints alone, for a server that has others too. */
export function createOpenIdEndpoints(options: {
  readonly issuer: () => string;
  readonly clientId: string;
  /** Null: a public client, PKCE alone. */
  readonly clientSecret: string | null;
  readonly people: readonly OpenIdPerson[];
  readonly paths: OpenIdPaths;
}): OpenIdEndpoints {
  const { paths } = options;
  const codes = new Map<string, Granted>();
  let keys = newKeys();

  function discovery(): HttpReply {
    const issuer = options.issuer();
    return json(200, {
      issuer,
      authorization_endpoint: `${issuer}${paths.authorize}`,
      token_endpoint: `${issuer}${paths.token}`,
      jwks_uri: `${issuer}${paths.keys}`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
      code_challenge_methods_supported: ['S256'],
    });
  }

  /** With `login_as` the answer is given at once; without, the person picks who they are, or refuses. */
  function authorize({ query }: HttpRequest): HttpReply {
    const redirectUri = query.get('redirect_uri') ?? '';
    if (query.get('client_id') !== options.clientId || !URL.canParse(redirectUri)) {
      return text(400, 'text/plain', 'Unknown client or redirect address.');
    }
    const back = (answer: Readonly<Record<string, string>>): HttpReply => {
      const url = new URL(redirectUri);
      for (const [name, value] of Object.entries(answer)) url.searchParams.set(name, value);
      const state = query.get('state');
      if (state !== null) url.searchParams.set('state', state);
      return { status: 302, headers: { location: url.href } };
    };
    const chosen = query.get('login_as');
    if (chosen === 'nobody') return back({ error: 'access_denied' });
    const person = options.people.find(({ id }) => id === chosen);
    if (person === undefined) return text(200, 'text/html', choicePage(query, options.people));
    if (query.get('code_challenge_method') !== 'S256') return back({ error: 'invalid_request' });
    const code = randomBytes(24).toString('base64url');
    codes.set(code, {
      person,
      redirectUri,
      challenge: query.get('code_challenge') ?? '',
      nonce: query.get('nonce'),
      expiresAt: Date.now() + codeMs,
    });
    return back({ code });
  }

  function token(request: HttpRequest): HttpReply {
    const form = new URLSearchParams(request.raw.toString('utf8'));
    const code = form.get('code') ?? '';
    const granted = codes.get(code);
    codes.delete(code);
    const verifier = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (form.get('client_id') !== options.clientId || form.get('client_secret') !== options.clientSecret) {
      return json(401, { error: 'invalid_client' });
    }
    if (
      granted === undefined ||
      granted.expiresAt < Date.now() ||
      granted.redirectUri !== form.get('redirect_uri') ||
      granted.challenge !== verifier
    ) {
      return json(400, { error: 'invalid_grant' });
    }
    const now = Math.floor(Date.now() / 1_000);
    const honest: HonestToken = {
      header: { alg: 'RS256', kid: keys.id, typ: 'JWT' },
      claims: {
        iss: options.issuer(),
        sub: granted.person.id,
        aud: options.clientId,
        iat: now,
        exp: now + tokenSeconds,
        ...(granted.nonce === null ? {} : { nonce: granted.nonce }),
        ...(typeof granted.person.claims === 'function' ? granted.person.claims() : granted.person.claims),
      },
      key: keys.privateKey,
    };
    return json(200, {
      access_token: randomBytes(24).toString('base64url'),
      token_type: 'Bearer',
      expires_in: tokenSeconds,
      id_token: self.forge?.(honest) ?? signIdToken(honest.header, honest.claims, honest.key),
    });
  }

  const self: OpenIdEndpoints = {
    forge: null,
    handle(request) {
      if (request.path === '/.well-known/openid-configuration') return discovery();
      if (request.path === paths.keys) return json(200, { keys: [keys.jwk] });
      if (request.path === paths.authorize && request.method === 'GET') return authorize(request);
      if (request.path === paths.token && request.method === 'POST') return token(request);
      return null;
    },
    rotateKeys() {
      keys = newKeys();
    },
  };
  return self;
}

export interface OpenIdSandbox extends Pick<OpenIdEndpoints, 'rotateKeys'> {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  forge: OpenIdEndpoints['forge'];
  close(): Promise<void>;
}

/** A provider with a server of its own. */
export async function startOpenIdSandbox(options: {
  readonly people: readonly OpenIdPerson[];
  readonly port?: number;
  readonly host?: string;
}): Promise<OpenIdSandbox> {
  let issuer = '';
  const clientId = 'patchcord';
  const clientSecret = randomBytes(24).toString('base64url');
  const endpoints = createOpenIdEndpoints({
    issuer: () => issuer,
    clientId,
    clientSecret,
    people: options.people,
    paths: { authorize: '/authorize', token: '/token', keys: '/keys' },
  });
  const server = await startHttpServer({
    port: options.port ?? 0,
    host: options.host ?? '127.0.0.1',
    handle: (request) => endpoints.handle(request) ?? text(404, 'text/plain', 'Not here.'),
  });
  issuer = server.origin;
  return {
    issuer,
    clientId,
    clientSecret,
    get forge() {
      return endpoints.forge;
    },
    set forge(forge) {
      endpoints.forge = forge;
    },
    rotateKeys: () => endpoints.rotateKeys(),
    close: server.close,
  };
}

/** A compact JWT, signed with RS256 whatever its header says. */
export function signIdToken(
  header: Readonly<Record<string, unknown>>,
  claims: Readonly<Record<string, unknown>>,
  key: KeyObject,
): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), key).toString('base64url')}`;
}

function newKeys() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const id = randomBytes(8).toString('hex');
  return { id, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid: id, use: 'sig', alg: 'RS256' } };
}

function choicePage(query: URLSearchParams, people: readonly OpenIdPerson[]): string {
  const link = (id: string): string => {
    const next = new URLSearchParams(query);
    next.set('login_as', id);
    return `?${next.toString().replaceAll('&', '&amp;')}`;
  };
  const escaped = (name: string): string => name.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const list = people.map(({ id, name }) => `<li><a href="${link(id)}">${escaped(name)}</a></li>`).join('');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox sign-in</title>
<style>body{font:16px/1.6 system-ui,sans-serif;margin:2rem}</style>
<h1>Who are you?</h1><ul>${list}<li><a href="${link('nobody')}">Do not sign me in</a></li></ul></html>`;
}
