/**
 * Owns how the relay gets a session in an org with a key: the JWT bearer grant (RFC 7523), for the integration user or in the name of an
 * agent. Sessions of a person's OAuth consent are in oauth.ts. Must never log a token or an assertion.
 */
import { createPrivateKey, randomUUID } from 'node:crypto';
import { PatchcordError } from '@patchcord/call-protocol';
import { isOrgAddress } from './oauth.ts';

/** One access token and where it is good. */
export interface Session {
  readonly token: string;
  readonly instanceUrl: string;
}

/** REST version: in every org since Spring '26. */
export const apiVersion = '66.0';

/** Salesforce takes assertions of up to five minutes; three leave room for a clock that is off. */
const assertionSeconds = 180;
const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/**
 * A way to sign in as any user who is pre-authorised for the app.
 * @throws PatchcordError `config.invalid` when the private key cannot be read
 */
export function jwtSignIn(app: {
  /** `https://login.salesforce.com`, `https://test.salesforce.com` or the org's My Domain. */
  readonly loginUrl: string;
  /** Consumer key of the External Client App. */
  readonly clientId: string;
  /** The app's private key, PKCS #8 or PKCS #1 PEM. */
  readonly privateKeyPem: string;
  /** The configured address of the org, which is taken besides Salesforce's own hosts. */
  readonly instanceUrl?: string;
}): (username: string) => Promise<Session> {
  const key = readKey(app.privateKeyPem);
  return async (username) => {
    // Only now: they are a quarter of what a relay loads, and most relays talk to no Salesforce org at their start.
    const [{ SignJWT }, jsforce] = await Promise.all([import('jose'), import('jsforce')]);
    const now = Math.floor(Date.now() / 1000);
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuer(app.clientId)
      .setSubject(username)
      .setAudience(app.loginUrl)
      .setIssuedAt(now)
      .setExpirationTime(now + assertionSeconds)
      .setJti(randomUUID())
      .sign(key);
    const door = new jsforce.Connection({
      version: apiVersion,
      oauth2: { loginUrl: app.loginUrl, clientId: app.clientId },
    });
    await door.authorize({ grant_type: grantType, assertion });
    const { instanceUrl, accessToken } = door;
    if (accessToken === null || accessToken === undefined || accessToken === '')
      throw new PatchcordError(
        'crm.unavailable',
        'Salesforce signed the relay in without a token. It is tried again.',
        {
          retryable: true,
        },
      );
    if (!isOrgAddress(instanceUrl, [app.loginUrl, app.instanceUrl ?? '']))
      throw new PatchcordError(
        'crm.not-authentic',
        'Salesforce signed the relay in to an address that is not one of Salesforce. Check the login URL, or set the address of the org in the relay.',
      );
    return { token: accessToken, instanceUrl };
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
