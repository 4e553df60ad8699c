/**
 * One OpenID provider: where to send a person, and who comes back. Owns the checks of the ID token (OpenID Connect Core, section 3.1.3.7):
 * signature by the provider's published keys, issuer, audience, nonce, times, and the algorithms allowed. Its token is read once, here; what
 * follows is a session of our own. Must never keep a provider's token.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import * as client from 'openid-client';

export interface ProviderSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  readonly scopes: readonly string[];
}

/** What belongs to one sign-in, from its beginning to its end. */
export interface SignInChecks {
  readonly state: string;
  readonly nonce: string;
  /** PKCE code verifier. */
  readonly verifier: string;
}

/** Asymmetric only: with a shared secret whoever checks could also sign. */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const clockToleranceSeconds = 30;
/** A sign-in that took longer than this is no fresh one. */
const oldestTokenSeconds = 600;
/** Unknown key ids are looked up at most this often: rotation is seen, and a forger can't make us ask for ever. */
const keysCooldownMs = 5_000;

export class OpenIdProvider {
  readonly #settings: ProviderSettings;
  #known: Promise<{ readonly configuration: client.Configuration; readonly keys: JWTVerifyGetKey }> | null = null;

  constructor(settings: ProviderSettings) {
    this.#settings = settings;
  }

  /** The provider's page. @throws PatchcordError `crm.unavailable` when the provider can't be asked about itself */
  async authorizeUrl(redirectUri: string, checks: SignInChecks): Promise<URL> {
    const { configuration } = await this.#provider();
    return client.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: this.#settings.scopes.join(' '),
      state: checks.state,
      nonce: checks.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(checks.verifier),
      code_challenge_method: 'S256',
    });
  }

  /**
   * Exchanges the code in the address that the person came back to, and reads who they are.
   * @throws PatchcordError `identity.refused` with the reason, `crm.unavailable`
   */
  async claimsOf(address: URL, checks: SignInChecks): Promise<JWTPayload & { readonly sub: string }> {
    const { configuration, keys } = await this.#provider();
    let idToken: string | undefined;
    try {
      const tokens = await client.authorizationCodeGrant(configuration, address, {
        expectedState: checks.state,
        expectedNonce: checks.nonce,
        pkceCodeVerifier: checks.verifier,
        idTokenExpected: true,
      });
      idToken = tokens.id_token;
    } catch (error) {
      throw fromExchange(error);
    }
    try {
      const { payload } = await jwtVerify(idToken ?? '', keys, {
        algorithms,
        issuer: configuration.serverMetadata().issuer,
        audience: this.#settings.clientId,
        clockTolerance: clockToleranceSeconds,
        maxTokenAge: oldestTokenSeconds,
        requiredClaims: ['sub', 'exp', 'iat', 'nonce'],
      });
      const { sub, nonce, azp } = payload;
      if (nonce !== checks.nonce) throw refused('it answers another sign-in');
      // Several audiences: the token must say that it was given to us (section 3.1.3.7, step 5).
      if ((Array.isArray(payload.aud) && payload.aud.length > 1) || azp !== undefined) {
        if (azp !== this.#settings.clientId) throw refused('it was given to another application');
      }
      if (typeof sub !== 'string' || sub === '') throw refused('it names nobody');
      return { ...payload, sub };
    } catch (error) {
      throw error instanceof PatchcordError ? error : fromVerification(error);
    }
  }

  #provider() {
    if (this.#known === null) {
      const asking = this.#discover();
      this.#known = asking;
      // A provider that was away is asked again by the next sign-in.
      asking.catch(() => {
        if (this.#known === asking) this.#known = null;
      });
    }
    return this.#known;
  }

  async #discover(): Promise<{ readonly configuration: client.Configuration; readonly keys: JWTVerifyGetKey }> {
    const { issuer, clientId, clientSecret } = this.#settings;
    const server = new URL(issuer);
    try {
      const configuration = await client.discovery(
        server,
        clientId,
        undefined,
        clientSecret === undefined ? client.None() : client.ClientSecretPost(clientSecret),
        {
          timeout: 10,
          // The configuration lets only loopback go unencrypted.
          ...(server.protocol === 'http:' ? { execute: [client.allowInsecureRequests] } : {}),
        },
      );
      const { jwks_uri: jwks } = configuration.serverMetadata();
      if (jwks === undefined) throw new Error('the provider publishes no keys');
      const keys = createRemoteJWKSet(new URL(jwks), { cooldownDuration: keysCooldownMs, timeoutDuration: 10_000 });
      return { configuration, keys };
    } catch (cause) {
      throw new PatchcordError(
        'crm.unavailable',
        'The sign-in page of your organisation could not be reached. Try again in a moment; if it stays, an administrator should check the issuer in the relay configuration.',
        { retryable: true, cause },
      );
    }
  }
}

function fromExchange(error: unknown): PatchcordError {
  if (error instanceof client.AuthorizationResponseError) {
    return error.error === 'access_denied'
      ? new PatchcordError(
          'identity.refused',
          'You did not allow the sign-in, or your organisation does not allow it to you.',
          {
            cause: error,
          },
        )
      : refused('the provider refused it', error);
  }
  if (error instanceof client.ResponseBodyError) return refused('the provider did not exchange its code', error);
  if (error instanceof client.ClientError)
    return refused('the answer of the provider does not fit this sign-in', error);
  return new PatchcordError(
    'crm.unavailable',
    'The sign-in page of your organisation did not answer. Try again in a moment.',
    {
      retryable: true,
      cause: error,
    },
  );
}

function fromVerification(error: unknown): PatchcordError {
  if (error instanceof errors.JWTExpired) return refused('it has expired', error);
  if (error instanceof errors.JWTClaimValidationFailed)
    return refused(`its claim "${error.claim}" is missing or wrong`, error);
  if (error instanceof errors.JOSEAlgNotAllowed) return refused('it is signed in a way that is not allowed', error);
  return refused('its signature is not from this provider', error);
}

function refused(reason: string, cause?: unknown): PatchcordError {
  return new PatchcordError('identity.refused', `The proof of your identity was refused: ${reason}. Sign in again.`, {
    ...(cause === undefined ? {} : { cause }),
  });
}
