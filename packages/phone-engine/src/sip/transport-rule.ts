/** Owns which server addresses may carry SIP: encrypted, or inside this machine. Pure. */

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
