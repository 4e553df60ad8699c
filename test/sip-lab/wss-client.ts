/**
 * Owns the smallest SIP-over-WebSocket client (RFC 7118) that can prove what the edge does: one connection, Digest (RFC 2617 MD5),
 * requests one at a time, no media and no dialogs. Must never be used where a phone is meant; it exists to say wrong things too.
 */
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import WebSocket from 'ws';

export interface Credential {
  /** "<unix expiry>:<extension>". */
  username: string;
  password: string;
}

export interface SipAnswer {
  status: number;
  reason: string;
  header(name: string): string | undefined;
  headers(name: string): string[];
  body: string;
}

/** A credential as the relay makes it; `lifeSeconds` may be negative for one that has expired. */
export function ephemeralCredential(secret: string, extension: string, lifeSeconds = 300): Credential {
  const username = `${Math.floor(Date.now() / 1000) + lifeSeconds}:${extension}`;
  return { username, password: createHmac('sha256', secret).update(username).digest('base64') };
}

export class WssClient {
  readonly #socket: WebSocket;
  readonly #domain: string;
  readonly #host = `${randomBytes(6).toString('hex')}.invalid`;
  readonly #instance: string;
  /** Every message received, as text, oldest first. */
  readonly received: string[] = [];
  #cseq = 0;

  private constructor(socket: WebSocket, domain: string, instance: string) {
    this.#socket = socket;
    this.#domain = domain;
    this.#instance = `urn:uuid:${instance}`;
    socket.on('message', (data) => this.received.push(String(data)));
    // A connection that is cut shows by the answer that does not come.
    socket.on('error', () => {});
  }

  /** Opens the WebSocket. Throws with the HTTP status when the handshake is refused. */
  static async connect(
    edge: { wssUrl: string; domain: string },
    options: {
      origin?: string;
      /** The UUID of a browser that comes back. */
      instance?: string;
      /** Which of the machine's addresses it comes from. */
      localAddress?: string;
    } = {},
  ): Promise<WssClient> {
    for (let tries = 1; ; tries += 1) {
      const socket = new WebSocket(edge.wssUrl, 'sip', {
        rejectUnauthorized: false,
        origin: options.origin ?? 'http://localhost:4000',
        ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      });
      try {
        await once(socket, 'open');
        return new WssClient(socket, edge.domain, options.instance ?? randomUUID());
      } catch (error) {
        // On a machine that is starved of time the edge drops a connection before it has said anything; a browser, too, connects again.
        if (tries === 3 || !/before secure TLS/.test(String(error))) throw error;
      }
    }
  }

  /** REGISTER, answered for the challenge with `credential`. `extension` is the address of record that is claimed. */
  register(extension: string, credential: Credential, expires = 120): Promise<SipAnswer> {
    const contact = `<sip:${extension}@${this.#host};transport=ws>;reg-id=1;+sip.instance="<${this.#instance}>";expires=${expires}`;
    return this.request('REGISTER', `sip:${this.#domain}`, {
      from: extension,
      to: extension,
      credential,
      headers: [`Contact: ${contact}`, 'Supported: gruu, outbound, path'],
    });
  }

  /** Sends a request, answers one challenge when a credential is given, resolves with the final answer. */
  async request(
    method: string,
    uri: string,
    options: {
      from: string;
      to: string;
      credential?: Credential;
      headers?: string[];
      toTag?: string;
      fromTag?: string;
      callId?: string;
      body?: string;
      withinMs?: number;
    },
  ): Promise<SipAnswer> {
    const fixed = {
      callId: options.callId ?? randomBytes(9).toString('hex'),
      fromTag: options.fromTag ?? randomBytes(5).toString('hex'),
    };
    const first = await this.#send(method, uri, { ...options, ...fixed });
    const byProxy = first.header('proxy-authenticate');
    const challenge = byProxy ?? first.header('www-authenticate');
    if (!options.credential || challenge === undefined) return first;
    const name = byProxy === undefined ? 'Authorization' : 'Proxy-Authorization';
    const authorization = `${name}: ${digest(method, uri, challenge, options.credential)}`;
    return this.#send(method, uri, { ...options, ...fixed, headers: [...(options.headers ?? []), authorization] });
  }

  /** Acknowledges a 2xx to our INVITE (RFC 3261 section 13.2.2.4): along its Record-Route, to its Contact. */
  acknowledge(answer: SipAnswer): void {
    const routes = answer.headers('record-route').flatMap((value) => value.split(/,\s*(?=<)/));
    const target = /<([^>]+)>/.exec(answer.header('contact') ?? '')?.[1] ?? '';
    this.#write(
      [
        `ACK ${target} SIP/2.0`,
        `Via: SIP/2.0/WSS ${this.#host};branch=z9hG4bK${randomBytes(8).toString('hex')}`,
        'Max-Forwards: 70',
        ...routes.reverse().map((route) => `Route: ${route}`),
        `From: ${answer.header('from')}`,
        `To: ${answer.header('to')}`,
        `Call-ID: ${answer.header('call-id')}`,
        `CSeq: ${Number.parseInt(answer.header('cseq') ?? '0', 10)} ACK`,
      ],
      '',
    );
  }

  /** Answers a received request, given as its text. */
  answer(request: string, status: number, reason: string, extra: string[] = [], body = ''): void {
    const copied = request.split('\r\n').filter((line) => /^(Via|From|Call-ID|CSeq|Record-Route):/i.test(line));
    const to = /^To: ?(.*)$/im.exec(request)?.[1]?.trim() ?? '';
    this.#write([`SIP/2.0 ${status} ${reason}`, ...copied, `To: ${to};tag=answered`, ...extra], body);
  }

  /** Resolves with the first received message, old or new, that fits. */
  waitFor(pattern: RegExp, withinMs = 5000): Promise<string> {
    const there = this.received.find((text) => pattern.test(text));
    if (there !== undefined) return Promise.resolve(there);
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#socket.off('message', look);
      };
      const timer = setTimeout(() => {
        finish();
        reject(new Error(`Nothing like ${pattern} was received within ${withinMs} ms.`));
      }, withinMs);
      const look = (data: unknown): void => {
        const text = String(data);
        if (!pattern.test(text)) return;
        finish();
        resolve(text);
      };
      this.#socket.on('message', look);
    });
  }

  /** The host name of its Contact, which nobody can resolve (RFC 7118 appendix B.1). */
  get host(): string {
    return this.#host;
  }

  /** Calls back for every message from now on. Returns the function that ends it. */
  listen(listener: (text: string) => void): () => void {
    const hear = (data: unknown): void => listener(String(data));
    this.#socket.on('message', hear);
    return () => this.#socket.off('message', hear);
  }

  /** Sends text as it is. */
  send(text: string): void {
    this.#socket.send(text);
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.#socket, 'close');
    this.#socket.terminate();
    await closed;
  }

  async #send(
    method: string,
    uri: string,
    options: {
      from: string;
      to: string;
      callId: string;
      fromTag: string;
      toTag?: string;
      headers?: string[];
      body?: string;
      withinMs?: number;
    },
  ): Promise<SipAnswer> {
    this.#cseq += 1;
    const branch = `z9hG4bK${randomBytes(8).toString('hex')}`;
    const tag = options.toTag ? `;tag=${options.toTag}` : '';
    this.#write(
      [
        `${method} ${uri} SIP/2.0`,
        `Via: SIP/2.0/WSS ${this.#host};branch=${branch}`,
        'Max-Forwards: 70',
        `From: <sip:${options.from}@${this.#domain}>;tag=${options.fromTag}`,
        `To: <sip:${options.to}@${this.#domain}>${tag}`,
        `Call-ID: ${options.callId}`,
        `CSeq: ${this.#cseq} ${method}`,
        ...(method === 'INVITE' ? [`Contact: <sip:${options.from}@${this.#host};transport=ws>`] : []),
        ...(options.headers ?? []),
      ],
      options.body ?? '',
    );
    const final = new RegExp(`^SIP/2\\.0 [2-6]\\d\\d .*branch=${branch}`, 's');
    const answer = parseAnswer(await this.waitFor(final, options.withinMs));
    if (method === 'INVITE' && answer.status >= 300) {
      // RFC 3261 section 17.1.1.3: a refusal is acknowledged in the same transaction.
      this.#write(
        [
          `ACK ${uri} SIP/2.0`,
          `Via: SIP/2.0/WSS ${this.#host};branch=${branch}`,
          'Max-Forwards: 70',
          `From: <sip:${options.from}@${this.#domain}>;tag=${options.fromTag}`,
          `To: ${answer.header('to')}`,
          `Call-ID: ${options.callId}`,
          `CSeq: ${this.#cseq} ACK`,
        ],
        '',
      );
    }
    return answer;
  }

  #write(lines: string[], body: string): void {
    const type = body ? ['Content-Type: application/sdp'] : [];
    this.send([...lines, ...type, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'));
  }
}

function parseAnswer(text: string): SipAnswer {
  const [head = '', body = ''] = text.split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const status = /^SIP\/2\.0 (\d{3}) (.*)$/.exec(first);
  const headers = (name: string) =>
    lines
      .filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
      .map((line) => line.slice(name.length + 1).trim());
  return {
    status: Number(status?.[1]),
    reason: status?.[2] ?? '',
    body,
    header: (name) => headers(name)[0],
    headers,
  };
}

/** The answer to a challenge (RFC 2617, MD5 and qop=auth), as value of an Authorization header. */
export function digest(method: string, uri: string, challenge: string, { username, password }: Credential): string {
  const value = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? '';
  const md5 = (text: string) => createHash('md5').update(text).digest('hex');
  const [realm, nonce, cnonce] = [value('realm'), value('nonce'), randomBytes(6).toString('hex')];
  const secret = md5(`${username}:${realm}:${password}`);
  const response = md5(`${secret}:${nonce}:00000001:${cnonce}:auth:${md5(`${method}:${uri}`)}`);
  return (
    `Digest username="${username}", realm="${realm}", nonce="${nonce}", uri="${uri}", ` +
    `response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="${cnonce}"`
  );
}
