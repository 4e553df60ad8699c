/**
 * Owns the relay's way into one Salesforce org as one user: a session, its renewal, and one request with a deadline. Where the session comes
 * from is sign-in.ts or the relay's own vault. jsforce's own session refresh is not used: it repeats a lasting 401 for ever. Must never log a
 * token, and must never repeat a write by itself (the outbox does).
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { Connection } from 'jsforce';
import { type GatedRequest, openGate, type RequestGate, type SaidOfLimits } from '../request-gate.ts';
import { settledOnce, withDeadline } from '../waiting.ts';
import { fromThrown, isExpiredSession, isOverLimit, notData } from './refusals.ts';
import { apiVersion, type Session } from './sign-in.ts';

export const dataPath = `/services/data/v${apiVersion}`;

/** What all connections to one org share. */
export interface OrgDoor {
  readonly timeoutMs: number;
  /** Sent with every request, asked for each time. */
  readonly headers?: () => Readonly<Record<string, string>>;
  /** Asked before every request. */
  readonly gate?: RequestGate;
  /** What the org last said of its day's API calls. */
  readonly usage: { day: { readonly used: number; readonly limit: number } | null };
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
  /** Signs in where that is still to be done. @throws PatchcordError `crm.*` */
  open(): Promise<void>;
  /** The org's own address, once known. */
  readonly instanceUrl: string | null;
}

/**
 * Makes the connection; nothing is sent before the first request.
 * @param signIn gives a session; told the token that the org no longer takes, or null
 * @param everyTime asked before each request, because somebody else holds the session and may end it
 */
export function connectToSalesforce(
  door: OrgDoor,
  signIn: (refused: string | null) => Promise<Session>,
  everyTime = false,
): SalesforceConnection {
  const gate = door.gate ?? openGate;
  let session: Promise<Connection> | null = null;

  async function newSession(refused: string | null): Promise<Connection> {
    const jsforce = import('jsforce');
    const { token, instanceUrl } = await bounded(signIn(refused), 'to sign in');
    // A connection that knows OAuth would try to refresh by itself.
    return new (await jsforce).Connection({ version: apiVersion, instanceUrl, accessToken: token });
  }

  /** One sign-in for all requests that need it; a failed one is forgotten, so that the next request tries again. */
  function signedIn(refused: string | null): Promise<Connection> {
    if (session === null || everyTime) {
      const fresh = settledOnce<Connection>();
      session = fresh.promise;
      newSession(refused).then(fresh.resolve, (error: unknown) => {
        if (session === fresh.promise) session = null;
        fresh.reject(fromThrown(error, 'to sign in'));
      });
    }
    return session;
  }

  function bounded<T>(promise: PromiseLike<T>, doing: string): Promise<T> {
    return withDeadline(
      Promise.resolve(promise),
      door.timeoutMs,
      () =>
        new PatchcordError(
          'crm.unavailable',
          `Salesforce did not answer ${doing} within ${Math.round(door.timeoutMs / 1000)} s. It is tried again.`,
          { retryable: true, retryAfterMs: 1_000 },
        ),
    );
  }

  let instanceUrl: string | null = null;
  return {
    get instanceUrl() {
      return instanceUrl;
    },
    async open() {
      await signedIn(null);
    },
    async request(method, path, body, doing, gated = {}) {
      let refused: string | null = null;
      for (let attempt = 1; ; attempt += 1) {
        const current = signedIn(refused);
        const connection = await current;
        instanceUrl = connection.instanceUrl;
        const leave = await gate.pass(gated);
        let said: SaidOfLimits = {};
        try {
          const answer = await bounded(
            connection.request<unknown>(
              {
                method,
                url: `${connection.instanceUrl.replace(/\/$/, '')}${dataPath}${path}`,
                headers: {
                  ...door.headers?.(),
                  ...(body === undefined ? {} : { 'content-type': 'application/json' }),
                },
                ...(body === undefined ? {} : { body: JSON.stringify(body) }),
              },
              { timeout: door.timeoutMs, retry: { maxRetries: 0 }, followRedirect: false },
            ),
            doing,
          );
          const day = connection.limitInfo.apiUsage;
          if (day !== undefined) {
            said = { day };
            door.usage.day = day;
          }
          // jsforce hands over as text what it cannot parse, a redirect's page too.
          if (typeof answer === 'string') throw notData(doing);
          return answer;
        } catch (error) {
          if (isOverLimit(error)) said = { refused: {} };
          // A 401 is answered before anything is done, so that a write may be repeated here.
          if (attempt === 1 && isExpiredSession(error)) {
            if (session === current) session = null;
            refused = connection.accessToken ?? null;
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
