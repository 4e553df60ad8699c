/**
 * Owns the meaning of Salesforce's refusals: which of them the outbox may try again, when, and what a person can do. Works on error codes
 * because jsforce's errors carry no status (Salesforce contract, section 3.1). Must never let Salesforce's message through unmasked: it
 * repeats the values that were sent.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { masked } from '../log-words.ts';
import {
  again,
  gone,
  isSignInCode,
  longestLockMs,
  type Meaning,
  meanings,
  minute,
  second,
  signInAdvice,
} from './refusal-meanings.ts';

/** One refusal: Salesforce's code and text, the HTTP status where it is known, and the fields it blames. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly status?: number;
  readonly fields?: readonly string[];
}

const behind = new WeakMap<PatchcordError, Refusal>();

/** Salesforce's own words behind one of our errors, for code that can mend what was refused; never for a text. */
export function refusalBehind(error: unknown): Refusal | null {
  return error instanceof PatchcordError ? (behind.get(error) ?? null) : null;
}

/**
 * Salesforce's refusal as our error.
 * @param ageMs how long the call is over: what ends by itself is waited for only so long
 */
export function fromRefusal(refusal: Refusal, doing: string, ageMs = 0): PatchcordError {
  const meaning = meaningOf(refusal, ageMs);
  const { error, retryAfterMs } = meaning;
  const advice = meaning.thenAsk === true ? meaning.advice.replace(/\.?$/, `, ${askingAgain(doing)}`) : meaning.advice;
  const said = looksLikeAPage(refusal.message) ? 'a web page instead of data' : masked(refusal.message);
  const what = `Salesforce refused ${doing} (${refusal.code}${said === '' || said === refusal.code ? '' : `: ${said}`}).`;
  const failure = new PatchcordError(
    error,
    `${what} ${advice}`,
    retryAfterMs === undefined ? {} : { retryable: true, retryAfterMs },
  );
  behind.set(failure, refusal);
  return failure;
}

function meaningOf(refusal: Refusal, ageMs: number): Meaning {
  const { code, message } = refusal;
  const status = refusal.status ?? statusIn(code);
  if (code === 'REQUEST_LIMIT_EXCEEDED' || status === 429) {
    return /concurrent/i.test(message)
      ? {
          error: 'crm.rate-limited',
          retryAfterMs: 5 * second,
          advice: 'Too many requests run at once; it is tried again later.',
        }
      : {
          error: 'crm.rate-limited',
          retryAfterMs: 15 * minute,
          advice: 'The org has used up its API calls for the day; it is tried again later.',
        };
  }
  if (isSignInCode(code) || status === 401) return { error: 'crm.not-authentic', advice: signInAdvice(code, message) };
  // The platform wraps what stopped a trigger: a lock goes away by itself, whoever met it.
  if (code.startsWith('CANNOT_') && message.includes('UNABLE_TO_LOCK_ROW')) return known('UNABLE_TO_LOCK_ROW');
  if (code === 'ENTITY_IS_LOCKED' || /locked.*approval|entity is locked/i.test(message)) {
    if (ageMs < longestLockMs) return known('ENTITY_IS_LOCKED');
    return {
      error: 'crm.invalid',
      advice:
        'A record of this call is still locked after three days, usually by an approval. Approve, recall or unlock it',
      thenAsk: true,
    };
  }
  // The same code says that a trigger failed and that the user may not create such a record at all.
  if (lacksObject(refusal)) return known('INSUFFICIENT_ACCESS_OR_READONLY');
  const meaning = meanings[code];
  if (meaning !== undefined) return meaning;
  if ((status !== undefined && status >= 500) || status === 420)
    return { error: 'crm.unavailable', retryAfterMs: status === 503 ? 5 * second : second, advice: again };
  if (gone.has(code) || status === 404)
    return {
      error: 'crm.not-found',
      advice: 'Check that the record exists and that Patchcord’s package is deployed.',
    };
  return {
    error: 'crm.invalid',
    advice: "Check the rights of the user in whose name it was done and the org's own rules",
    thenAsk: true,
  };
}

/** What a person does once it is mended: a log is asked for in the relay, everything else is simply done once more. */
function askingAgain(doing: string): string {
  return /\b(?:log|logged|task statuses|person accounts)\b/.test(doing)
    ? 'then ask for this log again.'
    : /\b(?:search|look|list|read)\b/.test(doing)
      ? 'then look again.'
      : 'then try again.';
}

function known(code: string): Meaning {
  return meanings[code] ?? { error: 'crm.unavailable', retryAfterMs: second, advice: again };
}

/** Anything thrown on the way to Salesforce as our error; no answer at all means "try again". */
export function fromThrown(error: unknown, doing: string): PatchcordError {
  if (error instanceof PatchcordError) return error;
  const thrown = error as { errorCode?: unknown; name?: unknown; message?: unknown; data?: unknown };
  const code = typeof thrown?.errorCode === 'string' ? thrown.errorCode : '';
  const name = typeof thrown?.name === 'string' ? thrown.name : '';
  const message = typeof thrown?.message === 'string' ? thrown.message : '';
  if (code === 'MULTIPLE_API_ERRORS' && Array.isArray(thrown.data)) return fromRefusal(refusalOf(thrown.data), doing);
  if (code !== '') return fromRefusal({ code, message, fields: fieldsIn(thrown.data) }, doing);
  // The token endpoint's errors carry OAuth's code as their name: RFC 6749 section 5.2.
  if (isSignInCode(name) || name.startsWith('ERROR_HTTP_')) return fromRefusal({ code: name, message }, doing);
  return new PatchcordError('crm.unavailable', `Salesforce did not answer ${doing}. ${again}`, {
    retryable: true,
    retryAfterMs: second,
    cause: error,
  });
}

/** The answer was no data: a page of a proxy or of the org's maintenance, or broken JSON. */
export function notData(doing: string): PatchcordError {
  return new PatchcordError(
    'crm.unavailable',
    `Salesforce answered ${doing} with something that is not data: a page of a proxy, or the org is in maintenance. ${again}`,
    { retryable: true, retryAfterMs: 30 * second },
  );
}

/** The first refusal of an error body: Salesforce lists one object or several. */
export function refusalOf(body: unknown, status?: number): Refusal {
  const one: unknown = Array.isArray(body) ? body[0] : body;
  const first = (typeof one === 'object' && one !== null ? one : {}) as Record<string, unknown>;
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return {
    code: text(first.errorCode) || text(first.statusCode) || (status === 300 ? 'MULTIPLE_CHOICES' : ''),
    message: text(first.message),
    fields: fieldsIn(first),
    ...(status === undefined ? {} : { status }),
  };
}

function fieldsIn(body: unknown): readonly string[] {
  const fields = (body as { fields?: unknown } | null | undefined)?.fields;
  return Array.isArray(fields) ? fields.filter((one): one is string => typeof one === 'string') : [];
}

/** The fields a refusal blames: those it lists, else those its text names in the platform's known phrases. */
export function blamedFields(refusal: Refusal): readonly string[] {
  if (refusal.fields !== undefined && refusal.fields.length > 0) return refusal.fields;
  const { message } = refusal;
  const found =
    /No such column '([\w.]+)'/.exec(message)?.[1] ??
    /(?:create\/update|access(?: to| on)?) fields?:? ([\w, ]+?)(?:\.|$)/i.exec(message)?.[1] ??
    /^([A-Za-z]\w*): /.exec(message)?.[1] ??
    '';
  return found
    .split(',')
    .map((name) => name.trim())
    .filter((name) => /^[A-Za-z][\w.]*$/.test(name));
}

/** Whether this refusal says that the access token is no longer good. */
export function isExpiredSession(error: unknown): boolean {
  const code = (error as { errorCode?: unknown } | null)?.errorCode;
  return code === 'INVALID_SESSION_ID' || code === 'INVALID_AUTH_HEADER' || code === 'ERROR_HTTP_401';
}

/** Whether this refusal says that a limit is reached: Salesforce answers 403 and no Retry-After (Salesforce contract, section 3.1). */
export function isOverLimit(error: unknown): boolean {
  const code = (error as { errorCode?: unknown } | null)?.errorCode;
  return code === 'REQUEST_LIMIT_EXCEEDED' || code === 'ERROR_HTTP_429';
}

/** Our own code beside Salesforce's: a user who may not see a record is told the same as when it is gone. */
export const unseen = 'PATCHCORD_UNSEEN';

const rights = new Set([
  'API_DISABLED_FOR_ORG',
  'API_CURRENTLY_DISABLED',
  'INSUFFICIENT_ACCESS',
  'INSUFFICIENT_ACCESS_OR_READONLY',
  'INVALID_TYPE',
  'INVALID_FIELD',
  'INVALID_FIELD_FOR_INSERT_UPDATE',
  'NOT_FOUND',
  unseen,
]);

/** Whether another user may be allowed what this one was refused. */
export function isAboutRights(error: unknown): boolean {
  if (!(error instanceof PatchcordError)) return false;
  const refusal = refusalBehind(error);
  return error.code === 'crm.not-authentic' || (refusal !== null && (rights.has(refusal.code) || lacksObject(refusal)));
}

function lacksObject({ code, message }: Refusal): boolean {
  return (
    code === 'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY' && /^entity type (?:\S+ )?(?:cannot be|does not)/i.test(message)
  );
}

function looksLikeAPage(message: string): boolean {
  return /<\/?(?:html|head|body|!doctype)\b|^\s*<!doctype/i.test(message) || message.includes('html content');
}

function statusIn(code: string): number | undefined {
  const match = /^ERROR_HTTP_(\d{3})$/.exec(code);
  return match === null ? undefined : Number(match[1]);
}
