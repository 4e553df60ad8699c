/**
 * Owns how a challenge is read (RFC 3261 section 20.44, several of them RFC 8760 section 2.4). Must never choose between them by what the phone can
 * compute: all that were offered are handed on, in the server's order.
 */
import { at, blank, blanks, quoted, type Scanner, token, unquoted } from './scanner.ts';

const scheme = at(`(${token})${blank}(?=${token}${blanks}=)`);
const pair = at(`(${token})${blanks}=${blanks}(${token}|${quoted})`);

/** A Digest challenge. `realm`, `nonce` and `opaque` without their quotes, escapes left as they came. */
export interface Challenge {
  realm?: string;
  nonce?: string;
  opaque?: string;
  stale?: boolean;
  /** In capitals: `MD5`, `SHA-256`, `MD5-SESS`. Absent: MD5. */
  algorithm?: string;
  /** In small letters. */
  qop?: string[];
  /** The server understands a hashed user name (RFC 7616 section 3.4.4). */
  userhash?: boolean;
  /** The further Digest challenges of the same header field, in their order. */
  others?: Challenge[];
}

/** The first Digest challenge of a header field; an empty one when it holds other schemes only, which the phone does not speak. */
export function challenge(scanner: Scanner): Challenge {
  const all: Challenge[] = [];
  let current: Challenge | undefined;
  scanner.list(() => {
    const next = scanner.take(scheme);
    if (next) {
      current = {};
      if (next[1]?.toLowerCase() === 'digest') all.push(current);
    }
    if (!current) scanner.fail();
    const [, name = '', value] = scanner.need(pair);
    note(current, name.toLowerCase(), unquoted(value));
  });
  const [first = {}, ...others] = all;
  return others.length > 0 ? { ...first, others } : first;
}

function note(into: Challenge, name: string, value: string): void {
  if (name === 'realm' || name === 'nonce' || name === 'opaque') into[name] = value;
  else if (name === 'stale' || name === 'userhash') into[name] = value.toLowerCase() === 'true';
  else if (name === 'algorithm') into.algorithm = value.toUpperCase();
  else if (name === 'qop') into.qop = value.toLowerCase().split(/[\s,]+/);
}
