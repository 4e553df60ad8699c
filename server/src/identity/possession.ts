/**
 * Proof that a request comes from who holds the session's key: DPoP (RFC 9449, section 4.3), ES256 only. Owns every check of a proof, in the
 * order of its cost, and that none works twice on any relay. Verified with node:crypto in this thread: it stands before every request, and a
 * trip through WebCrypto costs about twice as much. Must never look at a private key or at a token beyond its hash.
 */
import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import { PatchcordError } from '@patchcord/call-protocol';
import type { ProofLedger } from './proof-ledger.ts';

export interface PossessionCheck {
  /** Value of the header `DPoP`, or what the socket's first message brought. */
  readonly proof: unknown;
  readonly method: string;
  /** Path that was asked for, without its query. */
  readonly path: string;
  readonly scheme?: 'http' | 'ws';
  /** The token the request carries; its hash must be in the proof. Null: it carries none. */
  readonly token: string | null;
}

/** A proof that fits its request; `spend` says whether it is new. */
export interface Possession {
  /** RFC 7638 thumbprint of the key. */
  readonly thumbprint: string;
  /** What the ledger knows it by, and how long (epoch ms): for a transaction that uses it up by itself. */
  readonly mark: { readonly key: string; readonly expiresAt: number };
  /**
   * Uses it up; once this has succeeded, again does nothing.
   * @throws PatchcordError `identity.proof` when it was used before
   */
  spend(): Promise<void>;
  /** Says that a transaction has kept the mark. */
  spent(): void;
}

export function usedBefore(): PatchcordError {
  return refused('it was used before');
}

/** Age at which a proof is too old, and how far ahead of ours the sender's clock may be. A panel learns our time from a refusal. */
const oldestMs = 60_000;
const newestMs = 10_000;
/** Clocks of relays may differ by this much: so long a proof is remembered beyond its age. */
const relayClocksMs = 60_000;
const longestProof = 2_048;
const mostKeys = 20_000;

export class Possessions {
  readonly #origins: () => readonly string[];
  readonly #ledger: ProofLedger;
  readonly #now: () => number;
  /** Keys in the order of their last use. Reading one costs half as much as a signature. */
  readonly #keys = new Map<string, KeyObject>();

  constructor(options: {
    /** Origins under which browsers reach this relay. */
    readonly origins: () => readonly string[];
    readonly ledger: ProofLedger;
    readonly now: () => number;
  }) {
    this.#origins = options.origins;
    this.#ledger = options.ledger;
    this.#now = options.now;
  }

  /**
   * Checks everything but novelty. Nothing is asked of the store.
   * @throws PatchcordError `identity.proof`; `identity.stale-proof` when only the sender's clock is wrong
   */
  read(check: PossessionCheck): Possession {
    const { proof } = check;
    if (typeof proof !== 'string' || proof === '') throw refused('the request carries none (header "DPoP")');
    const [head = '', body = '', signature = '', ...rest] = proof.length > longestProof ? [] : proof.split('.');
    const header = readPart(head);
    const claims = readPart(body);
    if (header === null || claims === null || rest.length > 0) throw refused('it is not a signed JWT');
    if (header.typ !== 'dpop+jwt' || header.alg !== 'ES256' || 'crit' in header)
      throw refused('it is no DPoP proof with ES256');
    const { jwk } = header;
    if (!isPublicP256(jwk)) throw refused('its key is not a public P-256 key');
    const { htm, htu, iat, jti, ath } = claims;
    if (htm !== check.method) throw refused('it was made for another method');
    if (typeof htu !== 'string' || !this.#fits(htu, check)) {
      throw refused('it was made for another address (is the public URL of the relay what browsers call it?)');
    }
    if (typeof jti !== 'string' || jti.length < 8 || jti.length > 128) throw refused('it has no identifier');
    if (check.token !== null && ath !== sha256(check.token)) throw refused('it was made for another token');
    if (!this.#isSigned(jwk, `${head}.${body}`, signature)) throw refused('its signature is wrong');
    // The clock last, when all else is right: whoever hears of it holds the key and may correct itself.
    const age = typeof iat === 'number' && Number.isFinite(iat) ? this.#now() - iat * 1_000 : Number.NaN;
    if (!(age <= oldestMs && age >= -newestMs)) {
      throw new PatchcordError(
        'identity.stale-proof',
        'The clock of this computer differs from the relay’s by more than a minute, or the request was held up. Set the clock and try again.',
      );
    }
    const thumbprint = thumbprintOf(jwk);
    const key = `dpop ${sha256(`${thumbprint} ${jti}`)}`;
    const forgetAt = (iat as number) * 1_000 + oldestMs + relayClocksMs;
    let isSpent = false;
    return {
      thumbprint,
      mark: { key, expiresAt: forgetAt },
      spend: async () => {
        if (!isSpent && !(await this.#ledger.use(key, forgetAt))) throw usedBefore();
        isSpent = true;
      },
      spent: () => {
        isSpent = true;
      },
    };
  }

  #fits(htu: string, { path, scheme = 'http' }: PossessionCheck): boolean {
    if (!URL.canParse(htu)) return false;
    // RFC 9449, section 4.3: query and fragment are ignored.
    const { origin, protocol, host, pathname } = new URL(htu);
    const asked = scheme === 'ws' ? `${protocol.replace(/^ws/, 'http')}//${host}` : origin;
    if (scheme === 'ws' && !protocol.startsWith('ws')) return false;
    return pathname === path && this.#origins().includes(asked);
  }

  #isSigned(jwk: PublicP256, text: string, signature: string): boolean {
    const name = jwk.x + jwk.y;
    try {
      const key =
        this.#keys.get(name) ??
        createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: jwk.x, y: jwk.y }, format: 'jwk' });
      this.#keys.delete(name);
      this.#keys.set(name, key);
      if (this.#keys.size > mostKeys) this.#keys.delete(this.#keys.keys().next().value as string);
      const bytes = Buffer.from(signature, 'base64url');
      return bytes.length === 64 && verify('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }, bytes);
    } catch {
      // A point that is not on the curve.
      return false;
    }
  }
}

interface PublicP256 {
  readonly x: string;
  readonly y: string;
}

function isPublicP256(jwk: unknown): jwk is PublicP256 {
  if (typeof jwk !== 'object' || jwk === null || 'd' in jwk) return false;
  const { kty, crv, x, y } = jwk as Record<string, unknown>;
  const isCoordinate = (value: unknown): boolean => typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value);
  return kty === 'EC' && crv === 'P-256' && isCoordinate(x) && isCoordinate(y);
}

/** RFC 7638: the members that make the key, in the order of the alphabet. */
function thumbprintOf({ x, y }: PublicP256): string {
  return sha256(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`);
}

function readPart(part: string): Record<string, unknown> | null {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return null;
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function sha256(text: string): string {
  return hash('sha256', text, 'base64url');
}

function refused(reason: string): PatchcordError {
  return new PatchcordError(
    'identity.proof',
    `The proof that this request comes from the signed-in phone was refused: ${reason}.`,
  );
}
