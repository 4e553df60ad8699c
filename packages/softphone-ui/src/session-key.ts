/**
 * The key a session is bound to, and the proofs made with it (DPoP, RFC 9449 section 4.2): a token that leaves this browser is worth nothing
 * without it. Owns the key pair: its private half can't be exported, not even by us, and lies in IndexedDB so that a page can go on after a
 * reload. Must never sign anything but proofs.
 */
import { asked, begin, openDatabase } from './database.ts';

export interface SessionKey {
  /**
   * One proof for one request. @param url Without query and fragment. @param token The access token it goes with, null for none.
   * @param now Epoch ms by the relay's clock.
   */
  proof(method: string, url: string, token: string | null, now: number): Promise<string>;
}

const database = 'patchcord-keys';
const store = 'keys';

/**
 * Opens the key of this name, making it when there is none; frames of one partition that say the same name share it. Without a name, and where
 * storage is refused, the key lives as long as the page.
 */
export async function openSessionKey(name: string | null): Promise<SessionKey> {
  const fresh = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
  const { privateKey, publicKey } = name === null ? fresh : await kept(name, fresh);
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
  const header = part({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } });
  return {
    async proof(method, url, token, now) {
      const ath = token === null ? {} : { ath: base64url(await crypto.subtle.digest('SHA-256', bytes(token))) };
      const claims = { htm: method, htu: url, iat: Math.floor(now / 1_000), jti: crypto.randomUUID(), ...ath };
      const text = `${header}.${part(claims)}`;
      const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, bytes(text));
      return `${text}.${base64url(signature)}`;
    },
  };
}

/** The key that is there, or this one from now on: one transaction, so that two frames that open at once agree. */
async function kept(name: string, fresh: CryptoKeyPair): Promise<CryptoKeyPair> {
  try {
    const db = await openDatabase(database, 1, (opened) => void opened.createObjectStore(store));
    const work = begin(db, store, 'readwrite');
    const known: CryptoKeyPair | undefined = await asked(work.store(store).get(name));
    if (known === undefined) await asked(work.store(store).put(fresh, name));
    await work.done;
    db.close();
    return known ?? fresh;
  } catch {
    return fresh;
  }
}

function part(value: unknown): string {
  return base64url(bytes(JSON.stringify(value)));
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

export function base64url(data: ArrayBuffer | Uint8Array<ArrayBuffer>): string {
  return btoa(String.fromCharCode(...new Uint8Array(data)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}
