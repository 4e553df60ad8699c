/** The kinds of value a setting may have, and how each says what is wrong with it. Must never quote the value: it may be a secret. */
import { isIP } from 'node:net';
import * as v from 'valibot';
import { isTimeZone } from '../brakes/hours.ts';

export const text = (what: string) =>
  v.pipe(v.string(`must be text: ${what}`), v.minLength(1, `must not be empty: ${what}`));

export const timeZone = v.pipe(
  text('an IANA time zone'),
  v.check(isTimeZone, 'must be an IANA time zone, for instance "Europe/Berlin"'),
);

export const url = (what: string, ...protocols: string[]) =>
  v.pipe(
    text(what),
    v.check(
      (value) => {
        const parsed = URL.canParse(value) ? new URL(value) : null;
        return parsed !== null && protocols.includes(parsed.protocol);
      },
      `must be a URL with ${protocols.join(' or ')}: ${what}`,
    ),
    v.check(
      (value) => !URL.canParse(value) || (new URL(value).username === '' && new URL(value).password === ''),
      'must not carry a user name or password',
    ),
  );

/** The one spelling of a URL: what is compared or counted by it must not depend on capitals, a default port or a last slash. */
export const oneSpelling = v.transform<string, string>((value) => {
  const { href } = new URL(value);
  return href.replace(/\/+$/, '');
});

/** An address, a network in CIDR, or one of express's names for private networks. */
export function isNetwork(value: string): boolean {
  const [address = '', bits, ...rest] = value.split('/');
  if (['loopback', 'linklocal', 'uniquelocal'].includes(value)) return true;
  const size = isIP(address) === 6 ? 128 : 32;
  return (
    isIP(address) !== 0 && rest.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= size))
  );
}

export const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]']);
export const encryptedUnlessLoopback = v.check<string, string>((value) => {
  if (!URL.canParse(value)) return true;
  const { protocol, hostname } = new URL(value);
  return protocol === 'https:' || protocol === 'wss:' || loopbackNames.has(hostname) || hostname.endsWith('.localhost');
}, 'must be encrypted (https: or wss:) unless it stays on this machine');

export const secret = (what: string, least = 24) =>
  v.pipe(
    text(`${what}, as text, { "env": "NAME" } or { "file": "path" }`),
    v.minLength(
      least,
      `is too short: ${what} needs at least ${least} characters of randomness, for instance from "openssl rand -base64 36"`,
    ),
  );

export const givenSecret = (what: string) => text(`${what}, as text, { "env": "NAME" } or { "file": "path" }`);

export const unique = <T>(key: (item: T) => string, what: string) =>
  v.check<T[], string>(
    (items) => new Set(items.map(key)).size === items.length,
    `has two entries with the same ${what}`,
  );

export const country = v.pipe(
  v.string(),
  v.regex(/^[A-Z]{2}$/, 'must be two capital letters (ISO 3166-1 alpha-2), for instance "US"'),
);

export const ms = (least: number, most: number) =>
  v.pipe(v.number('must be a number of milliseconds'), v.integer(), v.minValue(least), v.maxValue(most));

/** An exact origin, or `https://*.example.com` where a CRM hands out one host name per customer. */
export const hostOrigin = v.pipe(
  text('the origin of the CRM page, for instance "https://acme.lightning.force.com"'),
  v.check(
    (value) =>
      /^https?:\/\/(?:\*\.)?[a-z0-9.-]+(?::\d+)?$/i.test(value) &&
      (!value.includes('*') || value.startsWith('https://*.')),
    'must be an origin without a path, like "https://acme.lightning.force.com", or "https://*.hubspot.com" for all its subdomains',
  ),
  encryptedUnlessLoopback,
);
