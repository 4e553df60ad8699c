/** Owns which server addresses may carry SIP: encrypted, or inside this machine; and through which proxy requests go first. Pure. */
import { UserAgent } from 'sip.js/lib/api/user-agent.js';

/**
 * True for `wss:` anywhere and `ws:` to this machine itself. Everything else would send the credential's digest and the call's numbers in the clear.
 */
export function mayCarrySip(server: string): boolean {
  let url: URL;
  try {
    url = new URL(server);
  } catch {
    return false;
  }
  if (url.protocol === 'wss:') return true;
  return url.protocol === 'ws:' && isLoopback(url.hostname);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * The Route header values of a request that begins something (RFC 3261 section 8.1.2): the outbound proxy as a loose router, or none. Names, ports and
 * parameters are kept; whatever else stands in the text is not.
 * @throws Error when it is not a SIP URI
 */
export function preloadedRoute(outboundProxy: string | null): string[] {
  if (outboundProxy === null || outboundProxy.trim() === '') return [];
  const uri = UserAgent.makeURI(outboundProxy.trim());
  if (!uri || !/^sips?$/.test(uri.scheme)) throw new Error('The outbound proxy is not a SIP URI.');
  uri.clearHeaders();
  if (!uri.hasParam('lr')) uri.setParam('lr', null);
  return [`<${uri.toString()}>`];
}
