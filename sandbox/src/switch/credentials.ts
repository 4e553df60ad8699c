/**
 * Who may speak: digest challenges (RFC 2617 / RFC 8760) over ephemeral credentials
 * (`<unix expiry>:<extension>` with an HMAC-SHA256 password). Must never keep a password or print one.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { header, parseNameAddress, parseParams, parseUri, type SipRequest, splitOutside } from './sip-message.ts';

export type DigestAlgorithm = 'MD5' | 'SHA-256' | 'SHA-512-256';

const HASHES: Record<DigestAlgorithm, string> = { MD5: 'md5', 'SHA-256': 'sha256', 'SHA-512-256': 'sha512-256' };

/** What became of a request's credential. `challenge` values go out one header line each. */
export type Verdict =
  | { ok: true; extension: string }
  | { ok: false; status: 401 | 407; reason: string; challenges: { name: string; value: string }[] }
  | { ok: false; status: 403; reason: string; challenges: [] };

/** An ephemeral credential as the relay mints it: for tests and for `npm start` without a relay. */
export function mintCredential(
  secret: string,
  extension: string,
  validForSeconds: number,
  now: number = Date.now(),
): { username: string; password: string; expiresAt: number } {
  const expiry = Math.floor(now / 1000) + validForSeconds;
  const username = `${expiry}:${extension}`;
  return { username, password: passwordFor(secret, username), expiresAt: expiry * 1000 };
}

function passwordFor(secret: string, username: string): string {
  return createHmac('sha256', secret).update(username).digest('base64');
}

const NONCE_LIFE_MS = 5 * 60_000;

export class CredentialGate {
  readonly #realm: string;
  readonly #secret: string;
  readonly #algorithms: readonly DigestAlgorithm[];
  readonly #nonceKey = randomBytes(32);
  readonly #revoked = new Set<string>();

  constructor(realm: string, secret: string, algorithms: readonly DigestAlgorithm[]) {
    this.#realm = realm;
    this.#secret = secret;
    this.#algorithms = algorithms;
  }

  /** From now on every credential of this extension is refused with 403. */
  revoke(extension: string): void {
    this.#revoked.add(extension);
  }

  /** Takes a revocation back. */
  allow(extension: string): void {
    this.#revoked.delete(extension);
  }

  /**
   * Checks a request outside a dialog. REGISTER must name its own extension in To, everything else in From, unless
   * `anyFrom` lets it name anybody of the domain.
   */
  check(request: SipRequest, now: number = Date.now(), anyFrom = false): Verdict {
    const proxy = request.method !== 'REGISTER';
    const lines = request.headers.filter((entry) => entry.name === (proxy ? 'Proxy-Authorization' : 'Authorization'));
    const answer = lines
      .map((entry) => parseParams(splitOutside(entry.value.replace(/^Digest\s+/i, ''), ',')))
      .find((params) => params.get('realm') === this.#realm);
    if (!answer) return this.#challenge(proxy, false, now);
    const nonce = answer.get('nonce') ?? '';
    const age = this.#nonceAge(nonce, now);
    if (age === undefined || age > NONCE_LIFE_MS) return this.#challenge(proxy, age !== undefined, now);

    const username = answer.get('username') ?? '';
    const parts = /^(\d{1,12}):([^@]+)(?:@(.+))?$/.exec(username);
    if (!parts) return refused('Bad credential');
    const [, expiry = '0', extension = '', domain] = parts;
    if (domain !== undefined && domain !== this.#realm) return refused('Bad credential');
    if (!this.#digestFits(request.method, answer, username)) return refused('Bad credential');
    if (Number(expiry) * 1000 <= now) return refused('Credential expired');
    if (this.#revoked.has(extension)) return refused('Credential revoked');
    const claimed = parseUri(parseNameAddress(header(request, proxy ? 'From' : 'To') ?? '').uri);
    const own = claimed.user === extension || (anyFrom && proxy);
    if (!own || claimed.host !== this.#realm) return refused('Credential of another extension');
    return { ok: true, extension };
  }

  #challenge(proxy: boolean, stale: boolean, now: number): Verdict {
    const nonce = this.#nonce(now);
    const name = proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate';
    return {
      ok: false,
      status: proxy ? 407 : 401,
      reason: proxy ? 'Proxy Authentication Required' : 'Unauthorized',
      challenges: this.#algorithms.map((algorithm) => ({
        name,
        value: `Digest realm="${this.#realm}", nonce="${nonce}", algorithm=${algorithm}, qop="auth"${stale ? ', stale=true' : ''}`,
      })),
    };
  }

  // Nonces carry their own birth time under a key of this process, so nothing has to be remembered per client.
  #nonce(at: number): string {
    const born = at.toString(36);
    return `${born}.${createHmac('sha256', this.#nonceKey).update(born).digest('base64url').slice(0, 22)}`;
  }

  #nonceAge(nonce: string, now: number): number | undefined {
    const born = Number.parseInt(nonce.split('.')[0] ?? '', 36);
    return Number.isFinite(born) && nonce === this.#nonce(born) ? now - born : undefined;
  }

  #digestFits(method: string, answer: Map<string, string>, username: string): boolean {
    const algorithm = (answer.get('algorithm') ?? 'MD5').toUpperCase();
    const offered = this.#algorithms.find((entry) => entry === algorithm);
    if (!offered) return false;
    const hash = (text: string): string => createHash(HASHES[offered]).update(text).digest('hex');
    const ha1 = hash(`${username}:${this.#realm}:${passwordFor(this.#secret, username)}`);
    const ha2 = hash(`${method}:${answer.get('uri') ?? ''}`);
    const nonce = answer.get('nonce') ?? '';
    const expected =
      answer.get('qop') === 'auth'
        ? hash(`${ha1}:${nonce}:${answer.get('nc') ?? ''}:${answer.get('cnonce') ?? ''}:auth:${ha2}`)
        : hash(`${ha1}:${nonce}:${ha2}`);
    const given = Buffer.from(answer.get('response') ?? '');
    return given.length === expected.length && timingSafeEqual(given, Buffer.from(expected));
  }
}

function refused(reason: string): Verdict {
  return { ok: false, status: 403, reason, challenges: [] };
}
