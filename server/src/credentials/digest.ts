/**
 * HTTP Digest as SIP uses it (RFC 2617, RFC 7616 with MD5, which is all that browsers' SIP stacks speak), and the secrets for it. What makes
 * MD5 enough: 256 random bits for some minutes, over TLS.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 random bits, base64url. */
export function randomPassword(): string {
  return randomBytes(32).toString('base64url');
}

const letters = 'abcdefghijklmnopqrstuvwxyz234567';

/** `length` random letters and digits, 5 bits each: part of a name that must be unique but is no secret. */
export function randomName(length: number): string {
  return [...randomBytes(length)].map((byte) => letters[byte % 32]).join('');
}

/** The same for the same text, `length` letters and digits: a name for something that has only a long one. */
export function shortName(text: string, length: number): string {
  return [...createHash('sha256').update(text).digest().subarray(0, length)].map((byte) => letters[byte % 32]).join('');
}

/** MD5(username:realm:password): enough to check a digest, not enough to sign in anywhere else. */
export function ha1(username: string, realm: string, password: string): string {
  return md5(`${username}:${realm}:${password}`);
}

/** What an `Authorization` header says. */
export interface DigestAnswer {
  readonly method: string;
  readonly uri: string;
  readonly nonce: string;
  readonly response: string;
  readonly qop?: string | undefined;
  readonly nc?: string | undefined;
  readonly cnonce?: string | undefined;
}

/** Whether this answer was made with that HA1 (RFC 2617 section 3.2.2). The nonce is whose who challenged. */
export function digestFits(secret: string, answer: DigestAnswer): boolean {
  const { method, uri, nonce, response, qop, nc, cnonce } = answer;
  if (qop !== undefined && qop !== '' && qop !== 'auth') return false;
  const middle = qop === 'auth' ? `${nonce}:${nc ?? ''}:${cnonce ?? ''}:auth` : nonce;
  const wanted = md5(`${secret}:${middle}:${md5(`${method}:${uri}`)}`);
  const given = response.toLowerCase();
  return given.length === wanted.length && timingSafeEqual(Buffer.from(given), Buffer.from(wanted));
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
