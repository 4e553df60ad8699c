/**
 * Owns where a redirected call goes on (RFC 3261 section 8.1.3.4): which contact of a 3xx is followed, and how often. Pure.
 * Must never leave the account's own domain: a far side could make the agent dial anything otherwise.
 */
import { UserAgent } from 'sip.js/lib/api/user-agent.js';
import type { URI } from 'sip.js/lib/grammar/uri.js';
import { type HeaderSource, parameter, readAddress, valuesOf } from './caller-headers.ts';
import { redirectHeader } from './message-mending.ts';

/** So many times one call follows; then it is over. */
const mostRedirections = 5;

/** The address of what an agent may dial: a user part of the account's domain. Undefined when it cannot be one. */
export function targetUri(target: string, domain: string): URI | undefined {
  const user = target.replace(/[\s()]/g, '');
  if (!/^[A-Za-z0-9+*#._~$&=!,'-]{1,128}$/.test(user)) return undefined;
  return UserAgent.makeURI(`sip:${user.replace(/#/g, '%23')}@${domain}`);
}

/** A foreign address inside the account's domain, as far as it may be dialled. */
export function ownTarget(uri: string, domain: string): URI | undefined {
  const address = readAddress(`<${uri}>`);
  if (!address || (address.host !== '' && address.host.toLowerCase() !== domain.toLowerCase())) return undefined;
  const [user = ''] = (address.user ?? '').split(';');
  return targetUri(safeDecode(user), domain);
}

/** The same, at the one device of it that a `gr` names (RFC 5627): a dialog lives on one. */
export function ownDevice(uri: string, domain: string): URI | undefined {
  const target = ownTarget(uri, domain);
  const device = /;gr=([\w.:~-]{1,200})(?![^;?])/i.exec(uri)?.[1];
  if (target && device !== undefined) target.setParam('gr', device);
  return target;
}

/**
 * Where the call goes on after a 301 or 302, or in plain words why it does not.
 * @param visited addresses this call has been sent to, as text
 */
export function nextTarget(
  response: HeaderSource & { readonly statusCode: number | undefined },
  visited: readonly string[],
  domain: string,
): URI | string {
  if (response.statusCode !== 301 && response.statusCode !== 302)
    return 'The far side answered with something the phone cannot follow.';
  const contacts = valuesOf(response, redirectHeader)
    .flatMap((value) => readAddress(value) ?? [])
    .map((address, order) => ({
      address,
      order,
      q: Number.parseFloat(parameter(address.parameters, 'q') ?? '1') || 0,
    }))
    .sort((a, b) => b.q - a.q || a.order - b.order);
  if (contacts.length === 0) return 'The far side sent the call on, and did not say where to.';
  const own = contacts.flatMap(({ address }) => ownTarget(address.uri, domain) ?? []);
  if (own.length === 0)
    return 'The far side sent the call to an address outside your phone system; such calls are not followed.';
  const fresh = own.find((uri) => !visited.includes(uri.toString()));
  if (!fresh) return 'The call was sent round in a circle.';
  if (visited.length > mostRedirections) return 'The call was sent on too many times.';
  return fresh;
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
