/**
 * Owns X-HubSpot-Signature-v3 as HubSpot computes it (the HubSpot contract, section 2.8): the sandbox signs what it sends to
 * the relay in a card's name. Must never verify: that is the relay's business, with code of its own.
 */
import { createHmac } from 'node:crypto';

/** The twelve escapes that are undone before signing, and no others: `%20`, `%26`, `%2B` and `%3D` stay. */
const undone: Readonly<Record<string, string>> = {
  '%3A': ':',
  '%2F': '/',
  '%3F': '?',
  '%40': '@',
  '%21': '!',
  '%24': '$',
  '%27': "'",
  '%28': '(',
  '%29': ')',
  '%2A': '*',
  '%2C': ',',
  '%3B': ';',
};

/** The signature of a request, base64. `timestamp` in epoch milliseconds, as sent in X-HubSpot-Request-Timestamp. */
export function signatureV3(request: {
  secret: string;
  method: string;
  url: string;
  body: string;
  timestamp: string;
}): string {
  const url = request.url.replace(
    /%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/gi,
    (written) => undone[written.toUpperCase()] ?? written,
  );
  return createHmac('sha256', request.secret)
    .update(request.method + url + request.body + request.timestamp, 'utf8')
    .digest('base64');
}
