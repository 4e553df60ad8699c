/**
 * Owns the web-server flow with PKCE (RFC 6749, RFC 7636) by which an administrator connects an org: the address of the org's page, the code
 * that comes back, and a refreshed token. Who keeps the refresh token is the relay's matter. Must never log a token, and must never believe
 * an address that is no Salesforce host.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { withDeadline } from '../waiting.ts';
import { fromThrown, refusalBehind } from './refusals.ts';

/** The External Client App, as the org knows it. */
export interface SalesforceApp {
  /** `https://login.salesforce.com`, `https://test.salesforce.com` or the org's My Domain. */
  readonly loginUrl: string;
  /** Consumer key. */
  readonly clientId: string;
  /** Consumer secret, where the app requires one for this flow. */
  readonly clientSecret?: string;
  /** The configured address of the org, which is taken besides Salesforce's own hosts. */
  readonly instanceUrl?: string;
  /** Deadline, ms. Default 10,000. */
  readonly timeoutMs?: number;
}

/** What an org gives for a code: a refresh token for the relay's vault, and who said yes. */
export interface SalesforceGrant {
  readonly refreshToken: string;
  readonly accessToken: string;
  readonly instanceUrl: string;
  /** 18 or 15 characters, `00D…` */
  readonly orgId: string;
  /** The user who connected the org, `005…`. */
  readonly userId: string;
}

/** What the relay asks for: REST, and to keep going without the person. */
const scope = 'api refresh_token';

/** Where an administrator says yes. `codeChallenge` is the S256 challenge of a verifier that the relay keeps until the code comes back. */
export function salesforceAuthorizeUrl(options: {
  readonly loginUrl: string;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly state: string;
  readonly codeChallenge: string;
}): URL {
  const url = new URL('/services/oauth2/authorize', options.loginUrl);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: options.clientId,
    redirect_uri: options.redirectUri,
    scope,
    state: options.state,
    code_challenge: options.codeChallenge,
    code_challenge_method: 'S256',
  }).toString();
  return url;
}

/**
 * Exchanges the code that came back.
 * @throws PatchcordError `crm.not-authentic`, `crm.unavailable` (retryable)
 */
export async function exchangeSalesforceCode(
  app: SalesforceApp & { readonly code: string; readonly codeVerifier: string; readonly redirectUri: string },
): Promise<SalesforceGrant> {
  const answer = await grant(app, 'to connect the org', {
    grant_type: 'authorization_code',
    code: app.code,
    code_verifier: app.codeVerifier,
    redirect_uri: app.redirectUri,
  });
  const { refresh_token: refreshToken } = answer;
  const [, orgId = '', userId = ''] =
    /\/id\/(00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?)\/(005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?)$/.exec(textOf(answer.id)) ??
    [];
  if (typeof refreshToken !== 'string' || refreshToken === '')
    throw notAuthentic(
      'The org gave no refresh token. Give the External Client App the scope "Perform requests at any time (refresh_token)" and connect again.',
    );
  if (orgId === '') throw notAuthentic('The org did not say which org it is. Connect it again.');
  return { refreshToken, ...accessIn(app, answer), orgId, userId };
}

/**
 * A new access token; the refresh token stays good, unless the app rotates it: then the new one is in the answer.
 * @throws PatchcordError `crm.not-authentic` when the connection was revoked, `crm.unavailable` (retryable)
 */
export async function refreshSalesforceToken(
  app: SalesforceApp & { readonly refreshToken: string },
): Promise<{ readonly accessToken: string; readonly instanceUrl: string; readonly refreshToken: string }> {
  const answer = await grant(app, 'to renew the connection to the org', {
    grant_type: 'refresh_token',
    refresh_token: app.refreshToken,
  });
  return { ...accessIn(app, answer), refreshToken: textOf(answer.refresh_token) || app.refreshToken };
}

/**
 * Whether an access token may be sent to this address: encrypted (plain only to this machine), and one of Salesforce's own hosts or an
 * origin that the configuration names.
 */
export function isOrgAddress(address: string, configured: readonly string[]): boolean {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || url.username !== '' || url.password !== '') return false;
  const isLoopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\]|[a-z0-9-]+\.localhost)$/.test(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) return false;
  if (/(?:^|\.)(?:salesforce\.com|force\.com|salesforce\.mil|cloudforce\.com|database\.com)$/.test(url.hostname))
    return true;
  return configured.some((one) => URL.canParse(one) && new URL(one).origin === url.origin);
}

type Answer = Readonly<Record<string, unknown>>;

async function grant(app: SalesforceApp, doing: string, form: Readonly<Record<string, string>>): Promise<Answer> {
  // Only now: a relay that talks to no Salesforce org never loads it.
  const { OAuth2 } = await import('jsforce');
  const door = new OAuth2({
    loginUrl: app.loginUrl,
    clientId: app.clientId,
    ...(app.clientSecret === undefined ? {} : { clientSecret: app.clientSecret }),
  });
  const timeoutMs = app.timeoutMs ?? 10_000;
  try {
    const answer: unknown = await withDeadline(
      door.requestToken({ ...form } as Parameters<typeof door.requestToken>[0]),
      timeoutMs,
      () =>
        new PatchcordError(
          'crm.unavailable',
          `Salesforce did not answer ${doing} within ${Math.round(timeoutMs / 1000)} s. Try again.`,
          { retryable: true },
        ),
    );
    if (typeof answer !== 'object' || answer === null)
      throw new PatchcordError(
        'crm.unavailable',
        `Salesforce answered ${doing} with something unreadable. Try again.`,
        {
          retryable: true,
        },
      );
    return answer as Answer;
  } catch (error) {
    const known = fromThrown(error, doing);
    if (known.retryable || known.code === 'crm.not-authentic') throw known;
    const name = (error as { name?: unknown }).name;
    throw refusalBehind(known) !== null || typeof name === 'string'
      ? notAuthentic(`Salesforce refused ${doing}. An administrator connects the org again.`)
      : known;
  }
}

function accessIn(app: SalesforceApp, answer: Answer): { readonly accessToken: string; readonly instanceUrl: string } {
  const accessToken = textOf(answer.access_token);
  const instanceUrl = textOf(answer.instance_url);
  if (accessToken === '') throw notAuthentic('The org gave no access token. Connect it again.');
  if (!isOrgAddress(instanceUrl, [app.loginUrl, app.instanceUrl ?? '']))
    throw notAuthentic(
      'The org named an address that is not one of Salesforce. Check the login URL, or set the address of the org in the relay.',
    );
  return { accessToken, instanceUrl };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function notAuthentic(message: string): PatchcordError {
  return new PatchcordError('crm.not-authentic', message);
}
