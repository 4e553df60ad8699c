/**
 * Owns the check of who a Salesforce agent is: the short-lived JWT that our Apex class signs inside the agent's session with a certificate of
 * the org (Salesforce contract, section 3.3). Must never trust a claim before the signature, and must never decide whether an assertion was
 * used before: the caller keeps `jti` until `expiresAt`.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { PatchcordError } from '@patchcord/call-protocol';
import { errors, type JWTPayload, jwtVerify } from 'jose';

export interface SalesforceAssertionCheck {
  /** The compact JWT from the panel. */
  readonly assertion: string;
  /** The relay's public origin, as given to `PanelHostOptions.audience`. */
  readonly audience: string;
  /** The org that must have issued it, 15 or 18 characters. */
  readonly orgId: string;
  /** Public key (SPKI) or certificate of the org, PEM. */
  readonly publicKeyPem: string;
  /** Epoch ms; the clock when absent. */
  readonly now?: number;
}

export interface SalesforceIdentity {
  readonly crmUserId: string;
  readonly name: string;
  readonly email: string;
  readonly username: string;
  readonly orgId: string;
  /** Refuse a second use until `expiresAt`. */
  readonly jti: string;
  /** Epoch ms. */
  readonly expiresAt: number;
}

/** Longest life of an assertion, and how far two clocks may disagree. */
const longestLifeSeconds = 300;
const clockSkewSeconds = 10;

/**
 * Checks an assertion and says whose it is.
 * @throws PatchcordError `identity.refused` with the reason; `config.invalid` when the configured key is unreadable
 */
export async function verifySalesforceAssertion(check: SalesforceAssertionCheck): Promise<SalesforceIdentity> {
  const now = check.now ?? Date.now();
  const claims = await verified(check, now);
  const seconds = Math.floor(now / 1000);
  if (!sameOrg(claims.iss, check.orgId)) throw refused('it was issued by another Salesforce org');
  const expires = claims.exp ?? 0;
  if (expires > seconds + longestLifeSeconds + clockSkewSeconds)
    throw refused('it is valid for longer than five minutes');
  if (claims.iat !== undefined && claims.iat > seconds + clockSkewSeconds) throw refused('it comes from the future');
  if (claims.iat !== undefined && claims.iat < seconds - longestLifeSeconds - clockSkewSeconds)
    throw refused('it is older than five minutes');
  const crmUserId = claims.sub ?? '';
  if (!/^005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?$/.test(crmUserId)) throw refused('it does not name a Salesforce user');
  if (typeof claims.jti !== 'string' || claims.jti === '' || claims.jti.length > 128)
    throw refused('it has no identifier of its own');
  const of = (claim: string): string =>
    typeof claims[claim] === 'string' ? (claims[claim] as string).slice(0, 255) : '';
  return {
    crmUserId,
    name: of('name') || of('username') || crmUserId,
    email: of('email'),
    username: of('username'),
    orgId: check.orgId,
    jti: claims.jti,
    expiresAt: expires * 1000,
  };
}

async function verified(check: SalesforceAssertionCheck, now: number): Promise<JWTPayload> {
  const key = readKey(check.publicKeyPem);
  try {
    const { payload } = await jwtVerify(check.assertion, key, {
      algorithms: ['RS256'],
      audience: check.audience,
      clockTolerance: clockSkewSeconds,
      currentDate: new Date(now),
      requiredClaims: ['iss', 'sub', 'aud', 'exp', 'jti'],
    });
    return payload;
  } catch (error) {
    throw refused(reasonOf(error), error);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed)
    return error.claim === 'aud' ? 'it was made for another relay' : `its claim "${error.claim}" is missing or wrong`;
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is not from this Salesforce org';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'it is not signed with RS256';
  return 'it is not a signed assertion';
}

function refused(reason: string, cause?: unknown): PatchcordError {
  return new PatchcordError(
    'identity.refused',
    `Salesforce's assertion was refused: ${reason}. Reload the page; if it stays, an administrator should compare the org's certificate with the relay's configuration.`,
    cause === undefined ? {} : { cause },
  );
}

function sameOrg(issuer: string | undefined, orgId: string): boolean {
  return issuer !== undefined && issuer.length >= 15 && issuer.slice(0, 15) === orgId.slice(0, 15);
}

function readKey(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch (error) {
    throw new PatchcordError(
      'config.invalid',
      "The org's public key cannot be read. Paste the certificate from Setup > Certificate and Key Management, PEM.",
      { cause: error },
    );
  }
}

/**
 * The org and user that Salesforce's ID token is about: its subject is the identity URL `https://…/id/<org>/<user>`.
 * @throws PatchcordError `identity.refused` when the subject is anything else
 */
export function salesforceUserOf(subject: string): { readonly orgId: string; readonly userId: string } {
  const [, orgId = '', userId = ''] =
    /^https?:\/\/[^/]+\/id\/(00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?)\/(005[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?)$/.exec(
      subject,
    ) ?? [];
  if (userId === '') throw refused('it does not name a Salesforce org and user');
  return { orgId, userId };
}
