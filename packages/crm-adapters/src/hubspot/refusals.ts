/**
 * Owns the meaning of HubSpot's refusals: which of them the outbox may try again, when, and what a person can do about the others (HubSpot
 * contract, section 2.5). Must never let HubSpot's message through unmasked: it repeats the values that were sent.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { masked } from '../log-words.ts';
import { isObject, listOf, retryAfterMs, text } from './answers.ts';

/** One property that HubSpot blames, and for what: `REQUIRED_PROPERTY_MISSING`, `INVALID_OPTION`, … */
export interface PropertyComplaint {
  readonly property: string;
  readonly code: string;
}

/** HubSpot's refusal as it was: for code that can mend what was refused. */
export interface Refusal {
  readonly status: number;
  readonly category: string;
  readonly subCategory: string;
  readonly complaints: readonly PropertyComplaint[];
  /** The scopes it asks for, with a 403. */
  readonly scopes: readonly string[];
}

const behind = new WeakMap<PatchcordError, Refusal>();

/** HubSpot's own words behind one of our errors; never for a text. */
export function refusalBehind(error: unknown): Refusal | null {
  return error instanceof PatchcordError ? (behind.get(error) ?? null) : null;
}

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

/** How long each limit of a 429 lasts when HubSpot does not say. A day's allowance begins anew at midnight of the account. */
const pauses: Readonly<Record<string, number>> = {
  SECONDLY: second,
  TEN_SECONDLY_ROLLING: 10 * second,
  DAILY: hour,
};

/** Which limit a 429 speaks of, and how long it lasts; null for any other answer. */
export function limitIn(
  status: number,
  body: unknown,
  headers: Headers,
): { readonly policy: string; readonly retryAfterMs: number } | null {
  if (status !== 429) return null;
  const policy = isObject(body) ? text(body.policyName) : '';
  return { policy, retryAfterMs: retryAfterMs(headers) ?? pauses[policy] ?? 10 * second };
}

/** HubSpot's refusal as our error. */
export function fromRefusal(status: number, body: unknown, headers: Headers, doing: string): PatchcordError {
  const fields = isObject(body) ? body : {};
  const refusal: Refusal = {
    status,
    category: text(fields.category) || text(fields.errorType) || text(fields.code),
    subCategory: text(fields.subCategory),
    complaints: complaintsIn(fields),
    scopes: scopesIn(fields),
  };
  const blamed = refusal.complaints.map(({ property, code }) => `${property} ${code}`.trim());
  const message = body === null ? 'a web page instead of data' : text(fields.message);
  const said = masked([message, ...blamed].join(' '));
  const detail = [refusal.category, said].filter((part) => part !== '').join(': ');
  const what = `HubSpot refused ${doing} (${status}${detail === '' ? '' : ` ${detail}`}).`;
  const { code, advice, waitMs } = meaningOf(refusal, limitIn(status, body, headers), retryAfterMs(headers));
  const failure = new PatchcordError(
    code,
    `${what} ${advice}`,
    waitMs === undefined ? {} : { retryable: true, retryAfterMs: waitMs },
  );
  behind.set(failure, refusal);
  return failure;
}

/** An answer of success that is none: a page of a proxy, or nothing where there must be something. */
export function notData(isEmpty: boolean, doing: string): PatchcordError {
  return new PatchcordError(
    'crm.unavailable',
    `HubSpot answered ${doing} with ${isEmpty ? 'nothing' : 'a web page or something else that is no data'}. It is tried again; if it stays, check what stands between this relay and HubSpot.`,
    { retryable: true, retryAfterMs: 30 * second },
  );
}

interface Meaning {
  readonly code: PatchcordError['code'];
  readonly advice: string;
  /** It ends by itself; how long to wait, ms. */
  readonly waitMs?: number;
}

function meaningOf(refusal: Refusal, limit: ReturnType<typeof limitIn>, askedMs: number | undefined): Meaning {
  const { status, category } = refusal;
  if (limit !== null)
    return {
      code: 'crm.rate-limited',
      advice:
        limit.policy === 'DAILY'
          ? 'The account has used up its requests of the day; it is tried again later. If this happens often, raise the API limit of the account.'
          : 'It is tried again later.',
      waitMs: limit.retryAfterMs,
    };
  if (status === 423)
    return {
      code: 'crm.unavailable',
      advice: 'The record is locked; it is tried again.',
      waitMs: Math.max(askedMs ?? 0, 2 * second),
    };
  if (status === 477)
    return {
      code: 'crm.unavailable',
      advice: 'The account moves to another data centre, which may take a day; it is tried again.',
      waitMs: askedMs ?? 10 * minute,
    };
  // Two writes of one record met: the next one finds what the other left.
  if (status === 409) return { code: 'crm.unavailable', advice: 'It is tried again.', waitMs: askedMs ?? 2 * second };
  if (status >= 500 || status === 408 || status === 425)
    return { code: 'crm.unavailable', advice: 'It is tried again.', waitMs: askedMs ?? second };
  if (status === 401)
    return {
      code: 'crm.not-authentic',
      advice:
        'The app was uninstalled from this account, or its access was taken away. An administrator connects HubSpot again.',
    };
  if (status === 403) return { code: 'crm.invalid', advice: scopeAdvice(refusal) };
  if (status === 404) return { code: 'crm.not-found', advice: 'Check that the record still exists.' };
  return {
    code: 'crm.invalid',
    advice: category === '' && refusal.complaints.length === 0 ? asItIs : adviceOn(refusal),
  };
}

const asItIs =
  'HubSpot does not say what is wrong. Check that the properties of calls and contacts were not changed, then ask for this log again.';
const thenAsk = 'then ask for this log again.';

function scopeAdvice({ scopes, category }: Refusal): string {
  if (scopes.length > 0)
    return `The app lacks the ${scopes.length === 1 ? 'scope' : 'scopes'} ${scopes.join(', ')}. Add it to the app, connect HubSpot again, ${thenAsk}`;
  if (category === 'MISSING_SCOPES')
    return `The app lacks a scope; install it again and grant what it asks for, ${thenAsk}`;
  return `The app, or the person who connected it, may not do this: check the scopes of the app and the person’s permissions in HubSpot, ${thenAsk}`;
}

function adviceOn({ complaints, subCategory, category }: Refusal): string {
  const with_ = (part: string): readonly string[] =>
    complaints.filter(({ code }) => code.includes(part)).map(({ property }) => property);
  const missing = [...with_('REQUIRED'), ...with_('MISSING')];
  if (missing.length > 0 || subCategory.includes('REQUIRED'))
    return `An administrator made ${listed(missing, 'a property')} mandatory for calls. Make it optional (HubSpot: Settings > Properties > Call), or give it a default, ${thenAsk}`;
  const gone = with_('DOESNT_EXIST');
  if (gone.length > 0)
    return `${listed(gone, 'A property')} is no longer a property of calls. It is left out from the next log on; ask for this log again.`;
  if (with_('INVALID_OPTION').length > 0)
    return `A value is not among the options of ${listed(with_('INVALID_OPTION'), 'a property')}. Check the options in HubSpot, ${thenAsk}`;
  if (with_('OWNER').length > 0)
    return `The agent is no owner in this account any more. Check their user in HubSpot, ${thenAsk}`;
  if (with_('READ_ONLY').length > 0)
    return `${listed(with_('READ_ONLY'), 'A property')} may not be written. Check its access in HubSpot, ${thenAsk}`;
  if (/association/i.test(`${subCategory} ${category}`))
    return `The call may not be put on its record: the record is gone or merged, or the person who connected the app lacks "Edit associations". Choose another record or grant it, ${thenAsk}`;
  return `Check the properties that an administrator made mandatory for calls and the permissions for their associations, ${thenAsk}`;
}

function listed(names: readonly string[], otherwise: string): string {
  return names.length === 0 ? otherwise : [...new Set(names)].join(', ');
}

/** Names of the properties that were wrong; never their values. */
function complaintsIn(body: Readonly<Record<string, unknown>>): readonly PropertyComplaint[] {
  const found: PropertyComplaint[] = [];
  const errors = listOf(body, 'errors');
  for (const error of (errors.length > 0 ? errors : inMessage(text(body.message))).filter(isObject).slice(0, 20)) {
    const context = isObject(error.context) ? error.context : {};
    const named = [context.propertyName, context.properties, error.name].flatMap((one) =>
      Array.isArray(one) ? one.map(text) : [text(one)],
    );
    const code = wordOf(error.code) || wordOf(error.error) || wordOf(error.subCategory);
    const properties = named.filter((name) => /^[a-z][a-z0-9_]{0,99}$/i.test(name));
    if (properties.length === 0 && code !== '') found.push({ property: '', code });
    for (const property of properties) found.push({ property, code });
  }
  return found;
}

/** Some answers have the list of complaints as JSON inside of their message, and nowhere else. */
function inMessage(message: string): readonly unknown[] {
  const start = message.indexOf('[{');
  if (start < 0 || message.length > 20_000) return [];
  try {
    const list: unknown = JSON.parse(message.slice(start));
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

function wordOf(value: unknown): string {
  const word = text(value);
  return /^[\w.-]{1,80}$/.test(word) ? word : '';
}

/** `errors[].context.requiredScopes`, or `requiredGranularScopes` for those that came later. */
function scopesIn(body: Readonly<Record<string, unknown>>): readonly string[] {
  const contexts = [body.context, ...listOf(body, 'errors').map((error) => (isObject(error) ? error.context : null))];
  const named = contexts
    .filter(isObject)
    .flatMap((context) => [...listOf(context, 'requiredGranularScopes'), ...listOf(context, 'requiredScopes')]);
  return [...new Set(named.map(text))].filter((scope) => /^[\w.-]{2,80}$/.test(scope)).slice(0, 5);
}
