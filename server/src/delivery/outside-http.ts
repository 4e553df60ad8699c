/**
 * The one door to addresses that a tenant's configuration names: webhooks, a number service. Owns that such a request never reaches what only this
 * machine or its network may (SSRF), never follows a redirect, and never waits or reads without a bound. The address is resolved once and
 * that very address is connected to, so that a name cannot point elsewhere between the check and the connection. Must never be given a URL
 * that the relay itself needs inside (an edge's control port).
 */
import { lookup } from 'node:dns/promises';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { BlockList, isIP } from 'node:net';
import { PatchcordError } from '@patchcord/call-protocol';

export interface OutsideRequest {
  /** Default `POST`. With `GET` the body must be empty. */
  readonly method?: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** For all of it: resolving, connecting, sending, reading the answer. */
  readonly timeoutMs: number;
  /** Also lets `http:` and addresses of this machine and its networks pass. */
  readonly allowPrivate?: boolean;
  /** Bytes of the answer's body that are read at most; the rest is cut off. Default 64 KiB. */
  readonly longestAnswer?: number;
  /** For tests: the addresses of a name. */
  readonly resolve?: (hostname: string) => Promise<readonly string[]>;
}

export interface OutsideAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** At most `longestAnswer` bytes of it. */
  readonly body: string;
}

/** What is not the public internet: IANA's special-purpose registries for IPv4 and IPv6 (RFC 6890), multicast, and what embeds an IPv4 address. */
const inside = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  inside.addSubnet(network, bits, 'ipv4');
/** Only global unicast is outside; within it, these are not. */
for (const [network, bits] of [
  ['2001::', 23], // IETF protocol assignments, Teredo among them
  ['2001:db8::', 32],
  ['2002::', 16], // 6to4 carries an IPv4 address
  ['3fff::', 20],
] as const)
  inside.addSubnet(network, bits, 'ipv6');
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');

/** Whether an address is one of the public internet. Every form that embeds an IPv4 address (mapped, NAT64, 6to4, Teredo) is not. */
export function isOutside(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !inside.check(address, 'ipv4');
    case 6:
      return !address.includes('%') && globalUnicast.check(address, 'ipv6') && !inside.check(address, 'ipv6');
    default:
      return false;
  }
}

/**
 * Asks or tells an address that somebody else chose.
 * @throws PatchcordError `config.invalid` when the address is not one we send to; `crm.unavailable` (retryable) when nobody answered in time
 */
export async function sendOutside(url: string, options: OutsideRequest): Promise<OutsideAnswer> {
  const target = readTarget(url, options.allowPrivate === true);
  const method = options.method ?? 'POST';
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const address = await pickAddress(target, options, deadline);
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest;
  const longest = options.longestAnswer ?? 65_536;
  return new Promise<OutsideAnswer>((resolve, reject) => {
    const fail = (cause: unknown): void => {
      const late = deadline.aborted;
      const why = late
        ? `did not answer within ${Math.round(options.timeoutMs / 1_000)} s`
        : `could not be reached: ${reasonOf(cause)}`;
      reject(new PatchcordError('crm.unavailable', `The endpoint ${why}.`, { retryable: true, cause }));
    };
    const request = send(
      target,
      {
        method,
        headers:
          method === 'GET'
            ? options.headers
            : { ...options.headers, 'content-length': String(Buffer.byteLength(options.body)) },
        signal: deadline,
        // a connection of its own: one that is kept might have been made to another address of that name
        agent: false,
        lookup: (_hostname, asked, callback) => {
          const family = isIP(address) === 6 ? 6 : 4;
          if (asked.all === true) callback(null, [{ address, family }]);
          else callback(null, address, family);
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        const answered = (): void => {
          const body = Buffer.concat(chunks).subarray(0, longest).toString('utf8');
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        };
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          size += chunk.length;
          if (size < longest) return;
          answered();
          request.destroy();
        });
        response.on('end', answered);
        response.on('error', fail);
        response.on('aborted', () => fail(new Error('aborted')));
      },
    );
    request.on('error', fail);
    request.end(method === 'GET' ? undefined : options.body);
  });
}

/** Posts to an address that somebody else chose; see `sendOutside`. */
export function postOutside(url: string, options: Omit<OutsideRequest, 'method'>): Promise<OutsideAnswer> {
  return sendOutside(url, options);
}

function readTarget(url: string, allowPrivate: boolean): URL {
  const target = URL.canParse(url) ? new URL(url) : null;
  const encrypted = target?.protocol === 'https:';
  if (target === null || (!encrypted && !(allowPrivate && target.protocol === 'http:'))) {
    throw new PatchcordError('config.invalid', 'The endpoint must be an https: address; nothing was sent.');
  }
  if (target.username !== '' || target.password !== '') {
    throw new PatchcordError(
      'config.invalid',
      'The endpoint must not carry a user name or password; nothing was sent.',
    );
  }
  return target;
}

/** The address to connect to. One address inside spoils a name: who mixes them is up to no good. */
async function pickAddress(target: URL, options: OutsideRequest, deadline: AbortSignal): Promise<string> {
  const hostname = target.hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(hostname) !== 0 ? [hostname] : await resolved(hostname, options, deadline);
  const [first] = addresses;
  if (first === undefined) {
    throw new PatchcordError('crm.unavailable', 'The name of the endpoint has no address.', { retryable: true });
  }
  if (options.allowPrivate !== true && !addresses.every(isOutside)) {
    throw new PatchcordError(
      'config.invalid',
      'The endpoint is not on the public internet, so nothing was sent. If it is meant to be inside, set "allowPrivate": true for this webhook.',
    );
  }
  return first;
}

async function resolved(hostname: string, options: OutsideRequest, deadline: AbortSignal): Promise<readonly string[]> {
  const system = async (name: string): Promise<readonly string[]> =>
    (await lookup(name, { all: true })).map(({ address }) => address);
  try {
    return await Promise.race([
      (options.resolve ?? system)(hostname),
      new Promise<never>((_, reject) => {
        if (deadline.aborted) reject(new Error('late'));
        deadline.addEventListener('abort', () => reject(new Error('late')), { once: true });
      }),
    ]);
  } catch (cause) {
    throw new PatchcordError('crm.unavailable', `The name of the endpoint cannot be resolved: ${reasonOf(cause)}.`, {
      retryable: true,
      cause,
    });
  }
}

/** The system's code for it: its messages may repeat an address. */
function reasonOf(cause: unknown): string {
  const { code } = cause as { code?: unknown };
  return typeof code === 'string' ? code : 'the connection broke';
}
