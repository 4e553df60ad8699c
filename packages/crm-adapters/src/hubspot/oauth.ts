/**
 * Owns HubSpot's OAuth (HubSpot contract, section 2.7): where a person says yes, the code that comes back, fresh tokens, whom a token is for, and
 * giving one back. Who keeps a refresh token is the relay's matter. Must never log a token.
 */
import { PatchcordError } from '@patchcord/call-protocol';

/** Where tokens are given. The older `/oauth/v1` ends on 16 February 2027. */
export const tokenPath = '/oauth/2026-03/token';

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
  /** Granted where the account has them and the person may grant them; nobody is kept from installing for want of one. */
  readonly optionalScopes?: readonly string[];
  readonly state: string;
}): URL {
  const url = new URL('/oauth/authorize', options.uiUrl);
  url.search = new URLSearchParams({
    client_id: options.clientId,
    redirect_uri: options.redirectUri,
    scope: options.scopes.join(' '),
    ...(options.optionalScopes === undefined ? {} : { optional_scope: options.optionalScopes.join(' ') }),
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

/**
 * The user, account and app an access token was given for, and what it may do.
 * @throws PatchcordError `identity.refused`, `crm.unavailable`
 */
export async function hubSpotUserOf(
  app: Pick<HubSpotApp, 'apiUrl' | 'timeoutMs'> & { readonly clientId: string; readonly clientSecret: string },
  accessToken: string,
): Promise<{
  readonly userId: string;
  readonly portalId: string;
  readonly appId: string;
  readonly scopes: readonly string[];
}> {
  const asked = await form(app, `${tokenPath}/introspect`, { token: accessToken, token_type_hint: 'access_token' });
  // Until its end in February 2027 the older API answers where the newer one does not.
  const answer =
    asked.status === 404
      ? await ask(app, `/oauth/v1/access-tokens/${encodeURIComponent(accessToken)}`, { method: 'GET' })
      : asked;
  if (answer.status >= 500 || answer.status === 429) throw unavailable(`it answered ${answer.status}`);
  const { user_id: user, hub_id: hub, app_id: appId, scopes } = answer.body;
  if (answer.status >= 400 || !isId(user) || !isId(hub) || !isId(appId)) {
    throw new PatchcordError('identity.refused', 'HubSpot did not say whom its answer is for. Sign in again.');
  }
  const granted = Array.isArray(scopes) ? scopes.filter((scope): scope is string => typeof scope === 'string') : [];
  return { userId: String(user), portalId: String(hub), appId: String(appId), scopes: granted };
}

/**
 * Gives a refresh token back: HubSpot takes it out of use. The app stays installed in the account, and access tokens that came from it live
 * out their half hour; only a person in HubSpot uninstalls an app.
 * @throws PatchcordError `crm.unavailable` (retryable) when HubSpot did not say that it is done; a token it no longer knows is done
 */
export async function revokeHubSpotToken(app: HubSpotApp & { readonly refreshToken: string }): Promise<void> {
  const asked = await form(app, `${tokenPath}/revoke`, {
    token: app.refreshToken,
    token_type_hint: 'refresh_token',
  });
  const path = `/oauth/v1/refresh-tokens/${encodeURIComponent(app.refreshToken)}`;
  const answer = asked.status === 404 ? await ask(app, path, { method: 'DELETE' }) : asked;
  // 400 and 404 are what it says of a token that is none (any more).
  if (answer.status < 300 || answer.status === 400 || answer.status === 404) return;
  throw new PatchcordError(
    'crm.unavailable',
    `HubSpot was not told that the connection has ended: it answered ${answer.status}. An administrator uninstalls the app in HubSpot, under Settings > Integrations > Connected Apps.`,
    { retryable: true },
  );
}

const isId = (value: unknown): boolean =>
  /^\d{1,20}$/.test(typeof value === 'number' ? String(value) : String(value ?? ''));

async function grant(
  app: HubSpotApp,
  wanted: Readonly<Record<string, string>>,
  refusal: 'identity.refused' | 'crm.not-authentic',
): Promise<HubSpotTokens> {
  const answer = await form(app, tokenPath, wanted);
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

/** Posts a form in the name of the app: nothing that is secret stands in an address. */
function form(
  app: Pick<HubSpotApp, 'apiUrl' | 'timeoutMs' | 'clientId' | 'clientSecret'>,
  path: string,
  fields: Readonly<Record<string, string>>,
): ReturnType<typeof ask> {
  return ask(app, path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ client_id: app.clientId, client_secret: app.clientSecret, ...fields }),
  });
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
