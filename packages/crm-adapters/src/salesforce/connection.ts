/**
 * Owns the relay's way into one Salesforce org: the JWT bearer grant (RFC 7523), its renewal, and one request with a deadline. The only file
 * that knows jsforce. jsforce's own session refresh is not used: it repeats a lasting 401 for ever. Must never log a token, and must never
 * repeat a write by itself (the outbox does).
 */
import { createPrivateKey, randomUUID } from 'node:crypto';
import { PatchcordError } from '@patchcord/call-protocol';
import type { Connection } from 'jsforce';
import { type GatedRequest, openGate, type RequestGate, type SaidOfLimits } from '../request-gate.ts';
import { settledOnce, withDeadline } from '../waiting.ts';
import { fromThrown, isExpiredSession, isOverLimit } from './refusals.ts';

/** REST version: in every org since Spring '26. */
const apiVersion = '66.0';
export const dataPath = `/services/data/v${apiVersion}`;

/** Salesforce takes assertions of up to five minutes; three leave room for a clock that is off. */
const assertionSeconds = 180;
const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

export interface SalesforceLogin {
  /** `https://login.salesforce.com`, `https://test.salesforce.com` or the org's My Domain. */
  readonly loginUrl: string;
  /** Consumer key of the External Client App. */
  readonly clientId: string;
  /** The app's private key, PKCS #8 or PKCS #1 PEM. */
  readonly privateKeyPem: string;
  /** The integration user. */
  readonly username: string;
  readonly timeoutMs: number;
  /** Sent with every request, asked for each time. */
  readonly headers?: () => Readonly<Record<string, string>>;
  /** Asked before every request. */
  readonly gate?: RequestGate;
}

export interface SalesforceConnection {
  /**
   * One REST request. `path` starts behind `/services/data/v66.0`.
   * @param doing what this is for, in words that follow "Salesforce refused …"
   * @throws PatchcordError `crm.*`
   */
  request(
    method: 'GET' | 'POST' | 'PATCH',
    path: string,
    body: unknown,
    doing: string,
    gated?: GatedRequest,
  ): Promise<unknown>;
  /** The org's own address, once known. */
  readonly instanceUrl: string | null;
}

/**
 * Makes the connection; nothing is sent before the first request.
 * @throws PatchcordError `config.invalid` when the private key cannot be read
 */
export function connectToSalesforce(login: SalesforceLogin): SalesforceConnection {
  const key = readKey(login.privateKeyPem);
  const gate = login.gate ?? openGate;
  let session: Promise<Connection> | null = null;

  async function signIn(): Promise<Connection> {
    // Only now: they are a quarter of what a relay loads, and most relays talk to no Salesforce org at their start.
    const [{ SignJWT }, jsforce] = await Promise.all([import('jose'), import('jsforce')]);
    const now = Math.floor(Date.now() / 1000);
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuer(login.clientId)
      .setSubject(login.username)
      .setAudience(login.loginUrl)
      .setIssuedAt(now)
      .setExpirationTime(now + assertionSeconds)
      .setJti(randomUUID())
      .sign(key);
    const door = new jsforce.Connection({
      version: apiVersion,
      oauth2: { loginUrl: login.loginUrl, clientId: login.clientId },
    });
    await bounded(door.authorize({ grant_type: grantType, assertion }), 'to sign in');
    const { instanceUrl, accessToken } = door;
    // A connection that knows OAuth would try to refresh by itself, with a refresh token this grant does not give.
    return new jsforce.Connection({ version: apiVersion, instanceUrl, ...(accessToken ? { accessToken } : {}) });
  }

  /** One sign-in for all requests that need it; a failed one is forgotten, so that the next request tries again. */
  function signedIn(): Promise<Connection> {
    if (session === null) {
      const fresh = settledOnce<Connection>();
      session = fresh.promise;
      signIn().then(fresh.resolve, (error: unknown) => {
        if (session === fresh.promise) session = null;
        fresh.reject(fromThrown(error, 'to sign in'));
      });
    }
    return session;
  }

  function bounded<T>(promise: PromiseLike<T>, doing: string): Promise<T> {
    return withDeadline(
      Promise.resolve(promise),
      login.timeoutMs,
      () =>
        new PatchcordError(
          'crm.unavailable',
          `Salesforce did not answer ${doing} within ${Math.round(login.timeoutMs / 1000)} s. It is tried again.`,
          { retryable: true },
        ),
    );
  }

  let instanceUrl: string | null = null;
  return {
    get instanceUrl() {
      return instanceUrl;
    },
    async request(method, path, body, doing, gated = {}) {
      for (let attempt = 1; ; attempt += 1) {
        const current = signedIn();
        const connection = await current;
        instanceUrl = connection.instanceUrl;
        const leave = await gate.pass(gated);
        let said: SaidOfLimits = {};
        try {
          const answer = await bounded(
            connection.request<unknown>(
              {
                method,
                url: `${connection.instanceUrl}${dataPath}${path}`,
                headers: {
                  ...login.headers?.(),
                  ...(body === undefined ? {} : { 'content-type': 'application/json' }),
                },
                ...(body === undefined ? {} : { body: JSON.stringify(body) }),
              },
              { timeout: login.timeoutMs, retry: { maxRetries: 0 }, followRedirect: false },
            ),
            doing,
          );
          const day = connection.limitInfo.apiUsage;
          if (day !== undefined) said = { day };
          return answer;
        } catch (error) {
          if (isOverLimit(error)) said = { refused: {} };
          // A 401 is answered before anything is done, so that a write may be repeated here.
          if (attempt === 1 && isExpiredSession(error)) {
            if (session === current) session = null;
            continue;
          }
          throw fromThrown(error, doing);
        } finally {
          leave(said);
        }
      }
    },
  };
}

function readKey(pem: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new PatchcordError(
      'config.invalid',
      'The private key for Salesforce cannot be read. It must be a PEM text that starts with "-----BEGIN PRIVATE KEY-----".',
      { cause: error },
    );
  }
}
