/**
 * Owns the check that a request really comes from HubSpot: X-HubSpot-Signature-v3 (HubSpot contract, section 2.8), and whom it names. Only the
 * signed query names the person; a body is written by the sender. Must never compare signatures in a time that depends on them.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { PatchcordError } from '@patchcord/call-protocol';

export interface HubSpotSignatureCheck {
  readonly method: string;
  /** The full public URL with its query in the original order: configured public origin + the request's own path and query. */
  readonly url: string;
  /** The bytes as received; empty for a GET. */
  readonly body: Uint8Array;
  /** Lower-case names, as Node gives them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The app's client secret. */
  readonly clientSecret: string;
  /** Epoch ms; the clock when absent. */
  readonly now?: number;
}

export interface HubSpotIdentity {
  readonly userId: string;
  readonly portalId: string;
  readonly userEmail: string;
  readonly appId: string;
}

/** HubSpot's own limit for an old request; we hold a future one to the same. */
const freshForMs = 300_000;

/**
 * Checks the signature of a notification: HubSpot itself speaks, for no person.
 * @throws PatchcordError `identity.refused`
 */
export function verifyHubSpotWebhook(check: HubSpotSignatureCheck): void {
  const signature = one(check.headers['x-hubspot-signature-v3']);
  const timestamp = one(check.headers['x-hubspot-request-timestamp']);
  if (signature === null || timestamp === null || check.clientSecret === '')
    throw refused('it carries no signature of HubSpot');
  const at = /^\d{10,16}$/.test(timestamp) ? Number(timestamp) : Number.NaN;
  if (!(Math.abs((check.now ?? Date.now()) - at) <= freshForMs))
    throw refused('its time is more than five minutes off (check this server’s clock)');
  const expected = createHmac('sha256', check.clientSecret)
    .update(check.method.toUpperCase() + signedUrl(check.url), 'utf8')
    .update(check.body)
    .update(timestamp, 'utf8')
    .digest();
  const given = Buffer.from(signature, 'base64');
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw refused('its signature is wrong (check the client secret and the public URL of the relay)');
}

/**
 * Checks the signature and says who is behind the request.
 * @throws PatchcordError `identity.refused`
 */
export function verifyHubSpotSignature(check: HubSpotSignatureCheck): HubSpotIdentity {
  verifyHubSpotWebhook(check);
  const query = queryOf(check.url);
  const named = (name: string): string => {
    const values = query.getAll(name);
    if (values.length > 1) throw refused(`it names ${name} twice`);
    return values[0] ?? '';
  };
  const identity = {
    userId: named('userId'),
    portalId: named('portalId'),
    userEmail: named('userEmail'),
    appId: named('appId'),
  };
  if (!/^\d{1,20}$/.test(identity.userId) || !/^\d{1,20}$/.test(identity.portalId))
    throw refused('it does not name a user and an account');
  return identity;
}

/** Undoes exactly the escapes HubSpot undoes before it signs; `%20`, `%26`, `%2B`, `%3D` and all others stay as they are. */
export function signedUrl(url: string): string {
  return url.replace(/%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/gi, (escaped) => decodeURIComponent(escaped));
}

function queryOf(url: string): URLSearchParams {
  const start = url.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : (url.slice(start + 1).split('#')[0] ?? ''));
}

function one(value: string | readonly string[] | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function refused(reason: string): PatchcordError {
  return new PatchcordError('identity.refused', `A request in HubSpot's name was refused: ${reason}.`);
}

/** What HubSpot's OAuth gives. Times in epoch ms. */
export interface HubSpotTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAt: number;
}

export interface HubSpotApp {
  /** `https://api.hubapi.com` */
  readonly apiUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly timeoutMs?: number;
  /** Epoch ms; the clock when absent. */
  readonly now?: number;
}

/** Where a person says yes. `scopes` is what the app asks for; signing in needs `oauth` alone. */
export function hubSpotAuthorizeUrl(options: {
  /** `https://app.hubspot.com` */
  readonly uiUrl: string;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  readonly state: string;
}): URL {
  const url = new URL('/oauth/authorize', options.uiUrl);
  url.search = new URLSearchParams({
    client_id: options.clientId,
    redirect_uri: options.redirectUri,
    scope: options.scopes.join(' '),
    state: options.state,
  }).toString();
  return url;
}

/**
 * Exchanges the code that came back. Whom it is for HubSpot says by itself (`hubSpotUserOf`); what a frame or a query says counts for nothing.
 * @throws PatchcordError `identity.refused`, `crm.unavailable`
 */
export function exchangeHubSpotCode(
  app: HubSpotApp & { readonly code: string; readonly redirectUri: string },
): Promise<HubSpotTokens> {
  return grant(
    app,
    { grant_type: 'authorization_code', code: app.code, redirect_uri: app.redirectUri },
    'identity.refused',
  );
}

/** @throws PatchcordError `crm.not-authentic`, `crm.unavailable` */
export function refreshHubSpotTokens(app: HubSpotApp & { readonly refreshToken: string }): Promise<HubSpotTokens> {
  return grant(app, { grant_type: 'refresh_token', refresh_token: app.refreshToken }, 'crm.not-authentic');
}

/** The user, account and app an access token was given for. @throws PatchcordError `identity.refused`, `crm.unavailable` */
export async function hubSpotUserOf(
  app: Pick<HubSpotApp, 'apiUrl' | 'timeoutMs'>,
  accessToken: string,
): Promise<{ readonly userId: string; readonly portalId: string; readonly appId: string }> {
  const answer = await ask(app, `/oauth/v1/access-tokens/${encodeURIComponent(accessToken)}`, { method: 'GET' });
  const { user_id: user, hub_id: hub, app_id: appId } = answer.body;
  if (answer.status >= 400 || !isId(user) || !isId(hub) || !isId(appId)) {
    throw new PatchcordError('identity.refused', 'HubSpot did not say whom its answer is for. Sign in again.');
  }
  return { userId: String(user), portalId: String(hub), appId: String(appId) };
}

const isId = (value: unknown): boolean =>
  /^\d{1,20}$/.test(typeof value === 'number' ? String(value) : String(value ?? ''));

async function grant(
  app: HubSpotApp,
  form: Readonly<Record<string, string>>,
  refusal: 'identity.refused' | 'crm.not-authentic',
): Promise<HubSpotTokens> {
  const answer = await ask(app, '/oauth/v1/token', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ client_id: app.clientId, client_secret: app.clientSecret, ...form }),
  });
  const { access_token: access, refresh_token: refresh, expires_in: seconds } = answer.body;
  if (answer.status >= 500 || answer.status === 429) throw unavailable(`it answered ${answer.status}`);
  if (answer.status >= 400 || typeof access !== 'string' || typeof refresh !== 'string') {
    const advice =
      refusal === 'identity.refused'
        ? 'Sign in again; if it stays, an administrator should check client id, client secret and redirect URL of the app.'
        : 'If the app was uninstalled, an administrator connects it again.';
    throw new PatchcordError(refusal, `HubSpot did not give a token (${answer.status}). ${advice}`);
  }
  const now = app.now ?? Date.now();
  return {
    accessToken: access,
    refreshToken: refresh,
    expiresAt: now + (typeof seconds === 'number' ? seconds : 0) * 1_000,
  };
}

async function ask(
  app: Pick<HubSpotApp, 'apiUrl' | 'timeoutMs'>,
  path: string,
  init: RequestInit,
): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }> {
  try {
    const response = await fetch(`${app.apiUrl.replace(/\/$/, '')}${path}`, {
      ...init,
      redirect: 'error',
      signal: AbortSignal.timeout(app.timeoutMs ?? 10_000),
    });
    const body: unknown = await response.json().catch(() => null);
    return {
      status: response.status,
      body: typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {},
    };
  } catch (cause) {
    throw unavailable('it did not answer', cause);
  }
}

function unavailable(why: string, cause?: unknown): PatchcordError {
  return new PatchcordError('crm.unavailable', `HubSpot could not be asked: ${why}. Try again in a moment.`, {
    retryable: true,
    ...(cause === undefined ? {} : { cause }),
  });
}
