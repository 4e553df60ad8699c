/**
 * A sign-in as a browser goes through it, without a browser: the window's cookies, the provider's page, the way back, the claim. Owns following
 * redirects by hand, so that an attack can step in anywhere.
 */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Session } from '@patchcord/call-protocol';
import { DpopKey } from '../dpop-key.ts';

let windows = 0;
/** Every step from another address, as behind a proxy that the relay trusts: the limit on refusals must not end an attack early. */
function from(): { readonly 'x-forwarded-for': string } {
  windows += 1;
  return { 'x-forwarded-for': `203.0.${(windows >> 8) % 256}.${windows % 256}` };
}

export interface SignInWindow {
  readonly verifier: string;
  readonly cookie: string;
  /** The provider's address that the relay sent us to. */
  readonly provider: URL;
}

/** Opens the window: the relay sends it to the provider. */
export async function openWindow(relay: string, path: string): Promise<SignInWindow> {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const response = await fetch(`${relay}${path}?challenge=${challenge}`, { redirect: 'manual', headers: from() });
  const location = response.headers.get('location');
  if (response.status !== 303 || location === null)
    throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return {
    verifier,
    cookie: (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '',
    provider: new URL(location),
  };
}

/** Picks a person on the provider's page; the address it sends the browser back to. */
export async function choose(provider: URL, person: string): Promise<URL> {
  const url = new URL(provider);
  url.searchParams.set('login_as', person);
  const response = await fetch(url, { redirect: 'manual' });
  const location = response.headers.get('location');
  if (location === null) throw new Error(`the provider answered ${response.status}: ${await response.text()}`);
  return new URL(location);
}

/** Goes back to the relay: the claim its page holds, or the words with which it refuses. */
export async function comeBack(
  address: URL,
  cookie: string,
): Promise<{ readonly status: number; readonly claim: string | null; readonly html: string }> {
  const response = await fetch(address, { headers: { ...from(), ...(cookie === '' ? {} : { cookie }) } });
  const html = await response.text();
  return { status: response.status, claim: /data-claim="([\w-]+)"/.exec(html)?.[1] ?? null, html };
}

/** Redeems a claim as the phone that opened the window does. */
export function redeem(relay: string, claim: string, verifier: string, key = new DpopKey()): Promise<Response> {
  const url = `${relay}/v1/sessions`;
  return fetch(url, {
    method: 'POST',
    headers: { ...from(), 'content-type': 'application/json', ...key.headers({ method: 'POST', url }) },
    body: JSON.stringify({ device: randomUUID(), proof: { kind: 'sign-in', claim, verifier } }),
  });
}

/** The whole way. */
export async function signInThrough(relay: string, path: string, person: string): Promise<Session> {
  const opened = await openWindow(relay, path);
  const back = await comeBack(await choose(opened.provider, person), opened.cookie);
  if (back.claim === null) throw new Error(`no claim: ${back.status} ${back.html}`);
  const response = await redeem(relay, back.claim, opened.verifier);
  if (response.status !== 201) throw new Error(`the claim was refused: ${response.status} ${await response.text()}`);
  return (await response.json()) as Session;
}
