/**
 * Owns the table of Salesforce's refusals: what each means for a log or a look-up, and the words that tell a person what to do. README.md has
 * it in words. Pure. Must never quote what Salesforce said: that is masked in refusals.ts.
 */
import type { ErrorCode } from '@patchcord/call-protocol';

export interface Meaning {
  readonly error: ErrorCode;
  /** Present: the same request may succeed after this long, ms. */
  readonly retryAfterMs?: number;
  /** Why, and what to do, in sentences that follow what happened. */
  readonly advice: string;
  /** A person mends it and then asks again: how, depends on what was being done. */
  readonly thenAsk?: true;
}

export const second = 1_000;
export const minute = 60 * second;
const hour = 60 * minute;
/** How long a record that is locked by an approval is waited for, counted from the call. */
export const longestLockMs = 72 * hour;

export const again = 'It is tried again.';

export const meanings: Readonly<Record<string, Meaning>> = {
  UNABLE_TO_LOCK_ROW: {
    error: 'crm.unavailable',
    retryAfterMs: second,
    advice: `Somebody else was writing the same record. ${again}`,
  },
  ENTITY_IS_LOCKED: {
    error: 'crm.unavailable',
    retryAfterMs: 10 * minute,
    advice: `A record of this call is locked, usually by an approval. It is tried again for three days; approve, recall or unlock it.`,
  },
  STORAGE_LIMIT_EXCEEDED: {
    error: 'crm.unavailable',
    retryAfterMs: hour,
    advice: `The org's data storage is full (Setup > Storage Usage). Free or buy storage; it is tried again every hour.`,
  },
  SERVER_UNAVAILABLE: { error: 'crm.unavailable', retryAfterMs: 5 * second, advice: again },
  SERVICE_UNAVAILABLE: { error: 'crm.unavailable', retryAfterMs: 5 * second, advice: again },
  UNKNOWN_EXCEPTION: { error: 'crm.unavailable', retryAfterMs: second, advice: again },
  QUERY_TIMEOUT: { error: 'crm.unavailable', retryAfterMs: 5 * second, advice: again },
  TXN_SECURITY_METERING_ERROR: { error: 'crm.unavailable', retryAfterMs: second, advice: again },
  PROCESSING_HALTED: { error: 'crm.unavailable', retryAfterMs: second, advice: again },
  MULTIPLE_CHOICES: {
    error: 'crm.invalid',
    advice: `Several records carry the same key, so nothing was written. Delete the extra Patchcord Call, see that the field Call Key is unique (deploy Patchcord's metadata again)`,
    thenAsk: true,
  },
  FIELD_CUSTOM_VALIDATION_EXCEPTION: {
    error: 'crm.invalid',
    advice: `A validation rule of the org stopped it; its own text stands in the brackets. Let the rule pass calls (a Task with TaskSubtype "Call") or change what it asks for`,
    thenAsk: true,
  },
  REQUIRED_FIELD_MISSING: {
    error: 'crm.invalid',
    advice: `The org requires a field that a call has no value for. Give the field a default value, or require it on the page layout instead of on the field`,
    thenAsk: true,
  },
  INSUFFICIENT_ACCESS_OR_READONLY: {
    error: 'crm.invalid',
    advice: `The user in whose name it was done may not read or write this object or record. Assign Patchcord's permission sets`,
    thenAsk: true,
  },
  INSUFFICIENT_ACCESS: {
    error: 'crm.invalid',
    advice: `The user in whose name it was done lacks a right. Assign Patchcord's permission sets`,
    thenAsk: true,
  },
  INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY: {
    error: 'crm.invalid',
    advice: `The user in whose name it was done may not see a record that it is linked to. Share the record with them`,
    thenAsk: true,
  },
  INVALID_CROSS_REFERENCE_KEY: {
    error: 'crm.invalid',
    advice: `A record it refers to does not exist in this org or is of the wrong kind. Choose another record for the call`,
    thenAsk: true,
  },
  MALFORMED_ID: {
    error: 'crm.invalid',
    advice: `A record it refers to does not exist in this org or is of the wrong kind. Choose another record for the call`,
    thenAsk: true,
  },
  INVALID_FIELD: {
    error: 'crm.invalid',
    advice: `The field does not exist in this org, or field-level security hides it. Assign Patchcord's permission sets or deploy its metadata again`,
    thenAsk: true,
  },
  INVALID_FIELD_FOR_INSERT_UPDATE: {
    error: 'crm.invalid',
    advice: `Field-level security or the kind of field forbids writing it. Give Patchcord's permission set the right to edit the field`,
    thenAsk: true,
  },
  INVALID_TYPE: {
    error: 'crm.invalid',
    advice: `The object does not exist in this org, or the user may not see it. Deploy Patchcord's metadata and assign its permission sets`,
    thenAsk: true,
  },
  CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY: {
    error: 'crm.invalid',
    advice: `An Apex trigger of the org failed on this call. Whoever maintains the trigger named in the brackets repairs it`,
    thenAsk: true,
  },
  CANNOT_EXECUTE_FLOW_TRIGGER: {
    error: 'crm.invalid',
    advice: `A flow of the org failed on this call. Whoever maintains the flow named in the brackets repairs it`,
    thenAsk: true,
  },
  ENTITY_IS_DELETED: {
    error: 'crm.not-found',
    advice: `The record is in the org's recycle bin. Restore it or choose another record`,
    thenAsk: true,
  },
  STRING_TOO_LONG: {
    error: 'crm.invalid',
    advice: `The org's field is shorter than the text. Make the field as long as Patchcord's metadata says`,
    thenAsk: true,
  },
  INACTIVE_OWNER_OR_USER: {
    error: 'crm.invalid',
    advice: `The owner of the log is not an active user. Activate the user or correct the agent's Salesforce user`,
    thenAsk: true,
  },
  DUPLICATES_DETECTED: {
    error: 'crm.invalid',
    advice: `A duplicate rule of the org stopped it. Two calls are never duplicates: deactivate the rule on Patchcord Call, or let it allow saving`,
    thenAsk: true,
  },
  API_DISABLED_FOR_ORG: {
    error: 'crm.not-authentic',
    advice: `The user or the org's edition has no API access. Give the user "API Enabled".`,
  },
  API_CURRENTLY_DISABLED: {
    error: 'crm.not-authentic',
    advice: `The user or the org has no API access. Give the user "API Enabled".`,
  },
};

const signInCodes = new Set([
  'INVALID_SESSION_ID',
  'INVALID_AUTH_HEADER',
  'INVALID_LOGIN',
  'invalid_grant',
  'invalid_client',
  'invalid_client_id',
  'unauthorized_client',
  'inactive_user',
  'inactive_org',
  'invalid_assertion_type',
  'invalid_app_access',
  'invalid_scope',
  'redirect_uri_mismatch',
]);

/**
 * Whether the token endpoint says with this code that it will not sign in, now or later: every OAuth code does (RFC 6749, section 5.2, and
 * Salesforce's own) but those that speak of its own trouble or of too many requests.
 */
export function isSignInCode(code: string): boolean {
  if (signInCodes.has(code)) return true;
  const passes =
    /^(?:server_error|temporarily_unavailable|unknown_error|slow_down)$|rate|limit|too_many|retry|timeout/i;
  return /^(?:[a-z]+(?:_[a-z]+)+|OAUTH_\w+)$/.test(code) && !passes.test(code);
}

export const gone = new Set(['NOT_FOUND', 'ERROR_HTTP_404']);

/** What a refused sign-in asks for: Salesforce tells its cases apart in the description only. */
export function signInAdvice(code: string, description: string): string {
  const app = 'the External Client App';
  if (/hasn.t approved this consumer|not (?:been )?approved|invalid_app_access/i.test(`${code} ${description}`))
    return `The user is not pre-authorised for ${app}: set its policy to "Admin approved users are pre-authorized" and give it a permission set the user has.`;
  if (/audience/i.test(description))
    return 'The login URL in the relay is not the one this org signs in at: use its My Domain, or login/test.salesforce.com.';
  if (/signature|invalid assertion|assertion is invalid/i.test(description))
    return `The private key in the relay does not belong to the certificate of ${app}: upload the certificate again.`;
  if (/refresh token|token (?:is )?expired|revoked/i.test(description))
    return 'The connection to the org was revoked or has expired: an administrator connects it again.';
  if (/expired|not yet valid/i.test(description)) return "Check this server's clock: it is minutes off.";
  if (/ip restricted|ip range|login hours/i.test(description))
    return "The org does not let this user in from the relay's address or at this hour: relax the IP restrictions of the app, or the user's login hours.";
  if (/inactive|locked out|frozen|user is locked/i.test(`${code} ${description}`))
    return 'The user (or the whole org) is inactive, frozen or locked: activate it in Setup.';
  if (code === 'invalid_client_id' || code === 'invalid_client' || code === 'unauthorized_client')
    return `Check consumer key and secret of ${app}; a new app takes up to ten minutes to be known.`;
  if (code === 'OAUTH_APP_BLOCKED')
    return `The org blocks ${app}: unblock it in Setup (Connected Apps OAuth Usage, or the app's policies).`;
  if (code === 'OAUTH_EC_APP_NOT_FOUND' || code === 'app_not_found')
    return `The org has no such app: compare the consumer key in the relay with ${app}, and see that the app is in this very org.`;
  if (code === 'unsupported_grant_type' || code === 'invalid_request')
    return `${app.replace('the', 'The')} does not take this kind of sign-in: enable the JWT Bearer Flow (or, for an org connected on its page, the Authorization Code Flow) in it.`;
  if (code === 'access_denied' || code.endsWith('ACCESS_DENIED'))
    return `The org does not let this user use ${app}: give it a permission set the user has.`;
  if (code === 'redirect_uri_mismatch') return `Add the relay's callback address to ${app}, exactly as it stands here.`;
  if (code.startsWith('INVALID_SESSION') || code === 'ERROR_HTTP_401')
    return 'Salesforce ends this session as soon as it is given: check that the user may use the API and that no session policy forbids it.';
  return `Check ${app}: consumer key, certificate, and that the user is pre-authorised.`;
}
