/** The guessing of S4, in a thread of its own. Owns the wrong answers; counts which of them the edge answered. */
import { randomBytes, randomUUID } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { WssClient } from '../sip-lab/wss-client.ts';

export interface Attack {
  readonly edge: { readonly wssUrl: string; readonly domain: string };
  /** The name of a credential that lives: the attacker knows it. */
  readonly username: string;
  readonly addresses: readonly string[];
  readonly guessesEach: number;
}

export interface Answered {
  readonly all: number;
  /** From the address that got the most. */
  readonly most: number;
  /** Connections that the edge did not take or cut. */
  readonly cut: number;
}

/** So many connections at a time. */
const together = 25;

/** Sends wrong answers as fast as the edge reads them; how many it answered. */
async function flood(client: WssClient, edge: Attack['edge'], username: string, count: number): Promise<number> {
  // Each guess answers a challenge of its own: the edge takes a nonce once.
  const nonces = await challenges(client, edge, count);
  const before = client.received.length;
  for (const [n, nonce] of nonces.entries()) {
    client.send(registration(edge, n, guess(edge, username, nonce, n)));
    if (n % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  // A question without a credential comes back when everything before it was dealt with: the connection is read in order.
  await client.request('REGISTER', `sip:${edge.domain}`, { from: '1001', to: '1001', withinMs: 60_000 });
  return client.received.slice(before).filter((text) => text.startsWith('SIP/2.0 403')).length;
}

async function challenges(client: WssClient, edge: Attack['edge'], count: number): Promise<string[]> {
  const before = client.received.length;
  for (let n = 0; n < count; n += 1) {
    client.send(registration(edge, n, null));
    if (n % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await client.request('REGISTER', `sip:${edge.domain}`, { from: '1001', to: '1001', withinMs: 60_000 });
  const nonces = client.received.slice(before).flatMap((text) => /nonce="([^"]+)"/.exec(text)?.[1] ?? []);
  if (nonces.length < count) throw new Error(`The edge gave ${nonces.length} challenges of ${count}.`);
  return nonces.slice(0, count);
}

function guess(edge: Attack['edge'], username: string, nonce: string, n: number): string {
  return `Authorization: Digest username="${username}", realm="${edge.domain}", nonce="${nonce}", uri="sip:${edge.domain}", response="${randomBytes(16).toString('hex')}", algorithm=MD5, qop=auth, nc=00000001, cnonce="${n}"`;
}

function registration(edge: Attack['edge'], n: number, authorization: string | null): string {
  return [
    `REGISTER sip:${edge.domain} SIP/2.0`,
    `Via: SIP/2.0/WSS attacker.invalid;branch=z9hG4bK${randomBytes(8).toString('hex')}`,
    'Max-Forwards: 70',
    `From: <sip:1001@${edge.domain}>;tag=${n}`,
    `To: <sip:1001@${edge.domain}>`,
    `Call-ID: ${randomUUID()}`,
    `CSeq: ${n + 1} REGISTER`,
    'Contact: <sip:1001@attacker.invalid;transport=ws>;expires=60',
    ...(authorization === null ? [] : [authorization]),
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}

const { edge, username, addresses, guessesEach } = workerData as Attack;
let all = 0;
let most = 0;
let cut = 0;
for (let first = 0; first < addresses.length; first += together) {
  const answered = await Promise.all(
    addresses.slice(first, first + together).map(async (localAddress) => {
      // A connection that the edge cuts is one more that got no answer.
      try {
        const client = await WssClient.connect(edge, { localAddress });
        const count = await flood(client, edge, username, guessesEach);
        await client.close();
        return count;
      } catch {
        cut += 1;
        return 0;
      }
    }),
  );
  for (const count of answered) {
    all += count;
    most = Math.max(most, count);
  }
}
parentPort?.postMessage({ all, most, cut } satisfies Answered);
