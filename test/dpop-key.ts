/**
 * A key as a phone holds one, and the proofs made with it (RFC 9449): for tests that speak to the relay over HTTP or its socket. Written beside
 * the panel's own, so that neither can hide the other's mistake. Owns nothing but the key.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';

export interface ProofOptions {
  readonly method: string;
  /** Without query and fragment. */
  readonly url: string;
  readonly token?: string | null;
  /** Epoch ms. */
  readonly now?: number;
  /** Instead of, or beside, what a good proof says. */
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
}

export class DpopKey {
  readonly #privateKey: KeyObject;
  readonly jwk: { readonly kty: string; readonly crv: string; readonly x: string; readonly y: string };

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#privateKey = privateKey;
    const { kty = '', crv = '', x = '', y = '' } = publicKey.export({ format: 'jwk' });
    this.jwk = { kty, crv, x, y };
  }

  get thumbprint(): string {
    const { crv, kty, x, y } = this.jwk;
    return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  }

  proof({ method, url, token = null, now = Date.now(), claims = {}, header = {} }: ProofOptions): string {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const text = `${part({ typ: 'dpop+jwt', alg: 'ES256', jwk: this.jwk, ...header })}.${part({
      htm: method,
      htu: url,
      iat: Math.floor(now / 1_000),
      jti: randomUUID(),
      ...(token === null ? {} : { ath: createHash('sha256').update(token).digest('base64url') }),
      ...claims,
    })}`;
    const signature = sign('sha256', Buffer.from(text), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' });
    return `${text}.${signature.toString('base64url')}`;
  }

  /** Headers of a request as the phone sends it. */
  headers(options: ProofOptions): Record<string, string> {
    return {
      dpop: this.proof(options),
      ...(options.token === undefined || options.token === null ? {} : { authorization: `DPoP ${options.token}` }),
    };
  }
}
