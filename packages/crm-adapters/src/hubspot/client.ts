/**
 * Owns the relay's way into one HubSpot account: the access token and its renewal, one request with a deadline, and the meaning of HubSpot's
 * refusals (HubSpot contract, sections 2.5 and 2.7). Must never log a token, and must never repeat a request by itself except once after an
 * expired token (the outbox repeats).
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { type GatedRequest, openGate, type RequestGate, type SaidOfLimits } from '../request-gate.ts';
import { isObject } from './answers.ts';
import { tokenPath } from './oauth.ts';
import { fromRefusal, limitIn, notData } from './refusals.ts';

export { isObject, text } from './answers.ts';
export { fromRefusal } from './refusals.ts';

export interface HubSpotOAuth {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly refreshToken: string;
  /** Default `<apiUrl>/oauth/2026-03/token`. */
  readonly tokenUrl?: string;
}

export interface HubSpotClientOptions {
  /** `https://api.hubapi.com` */
  readonly apiUrl: string;
  /** A token for every request, or what is needed to get one. */
  readonly accessToken: ((refused?: string) => Promise<string>) | HubSpotOAuth;
  readonly timeoutMs: number;
  readonly fetch?: typeof fetch;
  /** Asked before every request. */
  readonly gate?: RequestGate;
  /** Hears when the account lets nobody in any more: the app was uninstalled, or its grant taken away. */
  readonly shutOut?: (text: string) => void;
}

export interface HubSpotAnswer {
  readonly status: number;
  /** What the JSON says; undefined when there is nothing, null when it is no JSON. */
  readonly body: unknown;
}

export interface HubSpotClient {
  /**
   * One request; a status of 400 and above throws, except those in `accept`.
   * @param doing what this is for, in words that follow "HubSpot refused …"
   * @throws PatchcordError `crm.*`
   */
  request(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body: unknown,
    doing: string,
    accept?: readonly number[],
    gated?: GatedRequest,
  ): Promise<HubSpotAnswer>;
}

/** A token is renewed this long before it lapses. */
const renewBeforeMs = 60_000;

export function createHubSpotClient(options: HubSpotClientOptions): HubSpotClient {
  const send = options.fetch ?? fetch;
  const gate = options.gate ?? openGate;
  const apiUrl = options.apiUrl.replace(/\/$/, '');
  const tokens = tokenSource(options, apiUrl, exchange);

  /** One exchange, read to its end under one deadline. */
  async function exchange(
    url: string,
    init: RequestInit,
    doing: string,
  ): Promise<HubSpotAnswer & { headers: Headers }> {
    try {
      const response = await send(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(options.timeoutMs) });
      const raw = await response.text();
      return { status: response.status, headers: response.headers, body: jsonOf(raw) };
    } catch (error) {
      throw new PatchcordError('crm.unavailable', `HubSpot did not answer ${doing}. It is tried again.`, {
        retryable: true,
        cause: error,
      });
    }
  }

  const ask: HubSpotClient['request'] = async (method, path, body, doing, accept = [], gated = {}) => {
    for (let attempt = 1; ; attempt += 1) {
      const token = await tokens.current();
      const init: RequestInit = {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      };
      const leave = await gate.pass(gated);
      let said: SaidOfLimits = {};
      let answer: HubSpotAnswer & { headers: Headers };
      try {
        answer = await exchange(`${apiUrl}${path}`, init, doing);
        said = saidOfLimits(answer, gated.search === true);
      } finally {
        leave(said);
      }
      if (answer.status < 400) {
        const mayBeEmpty = answer.status === 204 || method === 'PUT' || method === 'PATCH' || method === 'DELETE';
        if (answer.body === null || (answer.body === undefined && !mayBeEmpty))
          throw notData(answer.body === undefined, doing);
        return answer;
      }
      if (accept.includes(answer.status)) return answer;
      // A 401 is answered before anything is done, so that a write may be repeated with a fresh token.
      if (answer.status === 401 && attempt === 1) {
        tokens.drop(token);
        continue;
      }
      throw fromRefusal(answer.status, answer.body, answer.headers, doing);
    }
  };

  return {
    async request(...asked) {
      try {
        return await ask(...asked);
      } catch (error) {
        if (error instanceof PatchcordError && error.code === 'crm.not-authentic')
          options.shutOut?.(`Nothing goes into HubSpot or comes from there: ${error.message} Logs wait until then.`);
        throw error;
      }
    },
  };
}

interface TokenSource {
  current(): Promise<string>;
  drop(token: string): void;
}

function tokenSource(
  options: HubSpotClientOptions,
  apiUrl: string,
  exchange: (url: string, init: RequestInit, doing: string) => Promise<HubSpotAnswer & { headers: Headers }>,
): TokenSource {
  const source = options.accessToken;
  if (typeof source === 'function') {
    let refused: string | undefined;
    return {
      current: () => source(refused),
      drop: (token) => {
        refused = token;
      },
    };
  }
  let held: { readonly token: string; readonly renewAt: number } | null = null;
  let asking: Promise<string> | null = null;

  async function renew(grant: HubSpotOAuth): Promise<string> {
    const doing = 'to renew the access token';
    const answer = await exchange(
      grant.tokenUrl ?? `${apiUrl}${tokenPath}`,
      {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          client_id: grant.clientId,
          client_secret: grant.clientSecret,
          refresh_token: grant.refreshToken,
        }),
      },
      doing,
    );
    if (answer.status === 400 || answer.status === 401 || answer.status === 403)
      throw new PatchcordError(
        'crm.not-authentic',
        `HubSpot refused ${doing}. Check client id, client secret and refresh token; if the app was uninstalled, install it again.`,
      );
    if (answer.status >= 400) throw fromRefusal(answer.status, answer.body, answer.headers, doing);
    const body = isObject(answer.body) ? answer.body : {};
    const token = typeof body.access_token === 'string' ? body.access_token : '';
    const lifeMs = (typeof body.expires_in === 'number' ? body.expires_in : 0) * 1000;
    if (token === '')
      throw new PatchcordError('crm.unavailable', `HubSpot answered ${doing} without a token. It is tried again.`, {
        retryable: true,
      });
    held = { token, renewAt: Date.now() + Math.max(lifeMs - renewBeforeMs, lifeMs / 2) };
    return token;
  }

  return {
    async current() {
      if (held !== null && held.renewAt > Date.now()) return held.token;
      asking ??= renew(source).finally(() => {
        asking = null;
      });
      return await asking;
    },
    drop(token) {
      if (held?.token === token) held = null;
    },
  };
}

/** What an answer says of the account's limits (HubSpot contract, section 2.5). Answers to searches say nothing. */
function saidOfLimits(
  { status, headers, body }: HubSpotAnswer & { headers: Headers },
  isSearch: boolean,
): SaidOfLimits {
  const number = (name: string): number => Number(headers.get(`x-hubspot-ratelimit-${name}`) ?? Number.NaN);
  const [limit, remaining, spanMs] = [number('max'), number('remaining'), number('interval-milliseconds')];
  // Only an account's own app has a day's allowance; an OAuth app's answers are silent on it.
  const [daily, dailyLeft] = [number('daily'), number('daily-remaining')];
  const refused = limitIn(status, body, headers);
  // A search has a limit of its own: what else is asked need not wait for it.
  const onlySearches = isSearch && refused?.policy === 'SECONDLY' ? { searchesOnly: true } : {};
  return {
    ...(refused === null ? {} : { refused: { retryAfterMs: refused.retryAfterMs, ...onlySearches } }),
    ...(limit > 0 && remaining >= 0 && spanMs > 0 ? { window: { limit, remaining, spanMs } } : {}),
    ...(daily > 0 && dailyLeft >= 0 ? { day: { used: daily - dailyLeft, limit: daily } } : {}),
  };
}

/** Undefined for nothing, null for what is no JSON. */
function jsonOf(raw: string): unknown {
  if (raw.trim() === '') return undefined;
  try {
    return JSON.parse(raw);
  } catch {
    return null;
  }
}
