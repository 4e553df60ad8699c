/**
 * Owns the relay's way into one HubSpot account: the access token and its renewal, one request with a deadline, and the meaning of HubSpot's
 * refusals (HubSpot contract, sections 2.5 and 2.7). Must never log a token, and must never repeat a request by itself except once after an
 * expired token (the outbox repeats).
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { masked } from '../log-words.ts';
import { type GatedRequest, openGate, type RequestGate, type SaidOfLimits } from '../request-gate.ts';

export interface HubSpotOAuth {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly refreshToken: string;
  /** Default `<apiUrl>/oauth/v1/token`. */
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
}

export interface HubSpotAnswer {
  readonly status: number;
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

  return {
    async request(method, path, body, doing, accept = [], gated = {}) {
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
          said = saidOfLimits(answer);
        } finally {
          leave(said);
        }
        if (answer.status < 400 || accept.includes(answer.status)) return answer;
        // A 401 is answered before anything is done, so that a write may be repeated with a fresh token.
        if (answer.status === 401 && attempt === 1) {
          tokens.drop(token);
          continue;
        }
        throw fromRefusal(answer.status, answer.body, answer.headers, doing);
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
      grant.tokenUrl ?? `${apiUrl}/oauth/v1/token`,
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

/** HubSpot's refusal as our error. */
export function fromRefusal(status: number, body: unknown, headers: Headers, doing: string): PatchcordError {
  const fields = isObject(body) ? body : {};
  const category = text(fields.category) || text(fields.errorType);
  const said = masked([text(fields.message), ...propertyErrors(fields)].filter((part) => part !== '').join(' '));
  const what = `HubSpot refused ${doing} (${status}${category === '' ? '' : ` ${category}`}${said === '' ? '' : `: ${said}`}).`;
  const after = retryAfterMs(headers);
  if (status === 429) {
    const policy = text(fields.policyName);
    const pause = policy === 'DAILY' ? 3_600_000 : policy === 'SECONDLY' ? 1_000 : 10_000;
    return new PatchcordError('crm.rate-limited', `${what} It is tried again later.`, {
      retryable: true,
      retryAfterMs: after ?? pause,
    });
  }
  // 423: the record is locked; 477: the account moves to another data centre, for up to a day.
  if (status === 423 || status === 477 || status >= 500)
    return new PatchcordError('crm.unavailable', `${what} It is tried again.`, {
      retryable: true,
      retryAfterMs: after ?? (status === 423 ? 2_000 : status === 477 ? 600_000 : 1_000),
    });
  if (status === 401)
    return new PatchcordError('crm.not-authentic', `${what} Install the app in this HubSpot account again.`);
  if (status === 403)
    return new PatchcordError(
      'crm.invalid',
      `${what} The app lacks a scope; install it again and grant what it asks for.`,
    );
  if (status === 404) return new PatchcordError('crm.not-found', `${what} Check that the record still exists.`);
  return new PatchcordError(
    'crm.invalid',
    `${what} Check the properties that an administrator made mandatory for calls.`,
  );
}

/** Names of the properties that were wrong; never their values. */
function propertyErrors(body: Readonly<Record<string, unknown>>): readonly string[] {
  const errors = Array.isArray(body.errors) ? body.errors.filter(isObject) : [];
  return errors.map((error) => {
    const context = isObject(error.context) ? error.context.propertyName : undefined;
    const name = Array.isArray(context) ? text(context[0]) : '';
    return `${name} ${text(error.code)}`.trim();
  });
}

/** What an answer says of the account's limits (HubSpot contract, section 2.5). Answers to searches say nothing. */
function saidOfLimits({ status, headers }: HubSpotAnswer & { headers: Headers }): SaidOfLimits {
  const number = (name: string): number => Number(headers.get(`x-hubspot-ratelimit-${name}`) ?? Number.NaN);
  const [limit, remaining, spanMs] = [number('max'), number('remaining'), number('interval-milliseconds')];
  const after = retryAfterMs(headers);
  return {
    ...(status === 429 ? { refused: after === undefined ? {} : { retryAfterMs: after } } : {}),
    ...(limit > 0 && remaining >= 0 && spanMs > 0 ? { window: { limit, remaining, spanMs } } : {}),
  };
}

/** RFC 9110 section 10.2.3: seconds or a date. */
function retryAfterMs(headers: Headers): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 86_400_000) : undefined;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function jsonOf(raw: string): unknown {
  if (raw === '') return undefined;
  try {
    return JSON.parse(raw);
  } catch {
    return undefined;
  }
}
