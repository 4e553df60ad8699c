/** Owns compact RS256 JWTs as the emulated org writes and reads them. Must never trust a claim: that is the reader's matter. */
import { type KeyObject, sign } from 'node:crypto';
import { isObject } from '../http.ts';

export interface ReadJwt {
  readonly header: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
  /** The part that the signature is over. */
  readonly signed: string;
  readonly signature: Buffer;
}

export function signJwt(key: KeyObject, claims: Record<string, unknown>): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), key).toString('base64url')}`;
}

/** The parts of a JWT, unchecked; undefined when it is none. */
export function readJwt(compact: string): ReadJwt | undefined {
  const [header, claims, signature, extra] = compact.split('.');
  if (header === undefined || claims === undefined || signature === undefined || extra !== undefined) return undefined;
  try {
    const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as unknown;
    const [head, body] = [read(header), read(claims)];
    if (!isObject(head) || !isObject(body)) return undefined;
    return {
      header: head,
      claims: body,
      signed: `${header}.${claims}`,
      signature: Buffer.from(signature, 'base64url'),
    };
  } catch {
    return undefined;
  }
}
