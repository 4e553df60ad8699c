/** The address of a client whose request express does not see (a socket upgrade), by the same trust in proxies. */
import type { IncomingMessage } from 'node:http';

/** @param trusts Whether the address at this many hops from us may say who stands behind it */
export function clientAddress(request: IncomingMessage, trusts: (address: string, hops: number) => boolean): string {
  const forwarded = String(request.headers['x-forwarded-for'] ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .reverse();
  let address = request.socket.remoteAddress ?? '';
  for (const [hops, before] of forwarded.entries()) {
    if (!trusts(address, hops)) break;
    address = before;
  }
  return address;
}
