/**
 * Owns what HubSpot does for a card's `hubspot.fetch`: it appends who asks, signs, and tries once more after a failed connection or a 5xx (the
 * HubSpot contract, sections 2.8 and 3.4). Must never let the card say who it is.
 */
import type { Owner } from './rest-call.ts';
import { signatureV3 } from './signature.ts';

/** @throws TypeError when nobody answers, twice; TimeoutError */
export type SignedFetch = (request: {
  owner: Owner;
  url: string;
  method: string;
  body: string;
  timeoutMs?: number;
}) => Promise<Response>;

export function createSignedFetch(parts: { portalId: number; appId: number; clientSecret: string }): SignedFetch {
  return async ({ owner, url, method, body, timeoutMs = 15_000 }) => {
    const asked = new URL(url);
    for (const [name, value] of Object.entries({
      userId: `${owner.userId}`,
      portalId: `${parts.portalId}`,
      userEmail: owner.email,
      appId: `${parts.appId}`,
    }))
      asked.searchParams.set(name, value);
    const full = asked.href;
    const once = async (): Promise<Response> => {
      const timestamp = `${Date.now()}`;
      return fetch(full, {
        method,
        ...(method === 'GET' ? {} : { body }),
        headers: {
          ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
          'X-HubSpot-Signature-v3': signatureV3({
            secret: parts.clientSecret,
            method,
            url: full,
            body: method === 'GET' ? '' : body,
            timestamp,
          }),
          'X-HubSpot-Request-Timestamp': timestamp,
        },
        signal: AbortSignal.timeout(timeoutMs),
      });
    };
    const response = await once().catch(once);
    return response.status >= 500 ? once() : response;
  };
}
