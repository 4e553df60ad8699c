/**
 * One request to HubSpot in the name of the app's developer or of an account. Owns the secret: it goes to the one address it is for, and stands in
 * no text. Must never repeat a write by itself.
 */

/** Something HubSpot or the network refused, in words for the administrator. */
export class HubSpotFailure extends Error {
  /** 0 when nothing answered. */
  readonly status: number;
  constructor(message: string, status = 0) {
    super(message);
    this.status = status;
  }
}

export type Secret =
  /** The developer API key: goes into the query. */
  | { readonly kind: 'hapikey'; readonly value: string }
  /** A developer's token, or an account's. */
  | { readonly kind: 'bearer'; readonly value: string };

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** undefined when there is none, null when it is no JSON */
  readonly body: unknown;
}

export interface HubSpotApi {
  /**
   * @returns any answer below 500 that is not about the secret or a limit
   * @throws HubSpotFailure when there is none, and for 401, 429 and 5xx
   */
  request(method: string, path: string, body?: unknown): Promise<Answer>;
}

const timeoutMs = 20_000;
/** Longer than any answer there is. */
const longestAnswer = 8_000_000;

export function hubSpotApi(options: {
  /** `https://api.hubapi.com` */
  readonly apiUrl: string;
  readonly secret: Secret;
  readonly fetcher?: typeof fetch;
}): HubSpotApi {
  const { apiUrl, secret, fetcher = fetch } = options;
  return {
    async request(method, path, body) {
      const url = new URL(path, apiUrl);
      if (secret.kind === 'hapikey') url.searchParams.set('hapikey', secret.value);
      const what = `${method} ${path.split('?')[0]}`;
      let answer: Answer;
      try {
        const response = await fetcher(url, {
          method,
          redirect: 'error',
          signal: AbortSignal.timeout(timeoutMs),
          headers: {
            accept: 'application/json',
            ...(secret.kind === 'bearer' ? { authorization: `Bearer ${secret.value}` } : {}),
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        answer = { status: response.status, headers: response.headers, body: parsed(await response.text()) };
      } catch (error) {
        throw new HubSpotFailure(
          `HubSpot did not answer ${what} (${why(error)}). Check the network and, if you gave one, --api-url; then try again.`,
        );
      }
      if (answer.status === 401) throw new HubSpotFailure(refusedSecret(secret), 401);
      if (answer.status === 429 || answer.status >= 500)
        throw new HubSpotFailure(`HubSpot refused ${what}: ${said(answer)}. Try again in a moment.`, answer.status);
      return answer;
    },
  };
}

/** HubSpot's refusal in one line, without what was sent. */
export function said({ status, body }: Answer): string {
  const fields = isObject(body) ? body : {};
  const parts = [fields.subCategory ?? fields.category, fields.message]
    .filter((part): part is string => typeof part === 'string')
    .join(': ');
  const line = parts.replaceAll(/\s+/g, ' ').slice(0, 300).replace(/\.$/, '');
  return `${status}${line === '' ? (body === null ? ', a web page instead of data' : '') : ` ${line}`}`;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function listOf(value: unknown, name = 'results'): readonly Record<string, unknown>[] {
  const list = isObject(value) ? value[name] : undefined;
  return Array.isArray(list) ? list.filter(isObject) : [];
}

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function refusedSecret({ kind }: Secret): string {
  return kind === 'hapikey'
    ? 'HubSpot does not take the developer API key (401). It stands in your developer account under Development > Keys > Developer API key; it is not the app’s client secret.'
    : 'HubSpot does not take the token (401). It may have lapsed: an account’s lives half an hour. Get a new one; for calling settings it must be the developer’s, not an account’s.';
}

function parsed(raw: string): unknown {
  if (raw.trim() === '') return undefined;
  if (raw.length > longestAnswer) return null;
  try {
    return JSON.parse(raw);
  } catch {
    return null;
  }
}

/** The kind of failure only: an error's own text may hold the address, and the address a key. */
function why(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { cause } = error;
  const code = isObject(cause) || cause instanceof Error ? textOf((cause as { code?: unknown }).code) : '';
  return code || error.name;
}
