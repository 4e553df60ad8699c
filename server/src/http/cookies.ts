/**
 * The few cookies of the relay. Owns their attributes: host-only, HttpOnly and Secure without exception; browsers take Secure cookies from
 * loopback addresses too, which is what the sandbox runs on.
 */
import type { Request, Response } from 'express';

/** @param options `partitioned`: seen by frames under this top-level site only (CHIPS). Otherwise for the sign-in window, which is top-level. */
export function setCookie(
  response: Response,
  name: string,
  value: string,
  options: { readonly partitioned: boolean; readonly maxAgeSeconds: number },
): void {
  const site = options.partitioned ? 'SameSite=None; Partitioned' : 'SameSite=Lax';
  response.append(
    'set-cookie',
    `${name}=${value}; Path=/; Max-Age=${options.maxAgeSeconds}; Secure; HttpOnly; ${site}`,
  );
}

/** The value of a cookie; absent and empty are the same. */
export function readCookie(request: Request, name: string): string | undefined {
  for (const pair of (request.headers.cookie ?? '').split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim() || undefined;
  }
  return undefined;
}
