/**
 * Owns the check that a request really comes from HubSpot: X-HubSpot-Signature-v3 (HubSpot contract, section 2.8), and whom it names. Only the
 * signed query names the person; a body is written by the sender. Must never compare signatures in a time that depends on them.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { PatchcordError } from '@patchcord/call-protocol';

export interface HubSpotSignatureCheck {
  readonly method: string;
  /** The full public URL with its query in the original order: configured public origin + the request's own path and query. */
  readonly url: string;
  /** The bytes as received; empty for a GET. */
  readonly body: Uint8Array;
  /** Lower-case names, as Node gives them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The app's client secret. */
  readonly clientSecret: string;
  /** Epoch ms; the clock when absent. */
  readonly now?: number;
}

export interface HubSpotIdentity {
  readonly userId: string;
  readonly portalId: string;
  readonly userEmail: string;
  readonly appId: string;
}

/** HubSpot's own limit for an old request; we hold a future one to the same. */
const freshForMs = 300_000;

/**
 * Checks the signature of a notification: HubSpot itself speaks, for no person.
 * @throws PatchcordError `identity.refused`
 */
export function verifyHubSpotWebhook(check: HubSpotSignatureCheck): void {
  const signature = one(check.headers['x-hubspot-signature-v3']);
  const timestamp = one(check.headers['x-hubspot-request-timestamp']);
  if (signature === null || timestamp === null || check.clientSecret === '')
    throw refused('it carries no signature of HubSpot');
  const at = /^\d{10,16}$/.test(timestamp) ? Number(timestamp) : Number.NaN;
  if (!(Math.abs((check.now ?? Date.now()) - at) <= freshForMs))
    throw refused('its time is more than five minutes off (check this server’s clock)');
  const expected = createHmac('sha256', check.clientSecret)
    .update(check.method.toUpperCase() + signedUrl(check.url), 'utf8')
    .update(check.body)
    .update(timestamp, 'utf8')
    .digest();
  const given = Buffer.from(signature, 'base64');
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw refused('its signature is wrong (check the client secret and the public URL of the relay)');
}

/**
 * Checks the signature and says who is behind the request.
 * @throws PatchcordError `identity.refused`
 */
export function verifyHubSpotSignature(check: HubSpotSignatureCheck): HubSpotIdentity {
  verifyHubSpotWebhook(check);
  const query = queryOf(check.url);
  const named = (name: string): string => {
    const values = query.getAll(name);
    if (values.length > 1) throw refused(`it names ${name} twice`);
    return values[0] ?? '';
  };
  const identity = {
    userId: named('userId'),
    portalId: named('portalId'),
    userEmail: named('userEmail'),
    appId: named('appId'),
  };
  if (!/^\d{1,20}$/.test(identity.userId) || !/^\d{1,20}$/.test(identity.portalId))
    throw refused('it does not name a user and an account');
  return identity;
}

/** Undoes exactly the escapes HubSpot undoes before it signs; `%20`, `%26`, `%2B`, `%3D` and all others stay as they are. */
export function signedUrl(url: string): string {
  return url.replace(/%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/gi, (escaped) => decodeURIComponent(escaped));
}

function queryOf(url: string): URLSearchParams {
  const start = url.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : (url.slice(start + 1).split('#')[0] ?? ''));
}

function one(value: string | readonly string[] | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function refused(reason: string): PatchcordError {
  return new PatchcordError('identity.refused', `A request in HubSpot's name was refused: ${reason}.`);
}
