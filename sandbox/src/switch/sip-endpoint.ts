/**
 * The switch's end of every WebSocket (RFC 7118) and the SIP transactions on it (RFC 3261 section 17, reliable
 * transport). Matches responses to requests, absorbs duplicates, answers broken messages with 400.
 * Must never decide what a request means: that is the business of whoever gave `onRequest`.
 */
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { FaultPanel } from './faults.ts';
import {
  header,
  headerList,
  parseNameAddress,
  parseParams,
  parseSip,
  type SipHeader,
  type SipMessage,
  type SipRequest,
  type SipResponse,
  SipSyntaxError,
  sequence,
  serialiseSip,
  splitOutside,
} from './sip-message.ts';

/** One agent's WebSocket. */
export type Flow = { readonly id: string; readonly open: boolean; send(message: SipMessage): void; close(): void };

/** 64 × T1 (RFC 3261 section 17): how long a transaction is remembered and an answer waited for. */
export const TRANSACTION_MS = 32_000;

const token = (): string => randomBytes(9).toString('base64url');
/** A fresh tag for From or To. */
export const newTag = (): string => token();

type Answer = {
  headers?: readonly SipHeader[];
  body?: string;
  /** Another To tag than this side's own: a branch of a fork. */
  tag?: string;
};

/** A request from an agent that wants an answer. ACK comes as one too, and is never answered. */
export class ServerTransaction {
  readonly request: SipRequest;
  readonly flow: Flow;
  /** The tag this side puts into To when the request has none. */
  readonly localTag = newTag();
  /** Set by whoever rings: called when the agent cancels, with the CANCEL's Reason header. */
  onCancel: ((reason: string | undefined) => void) | undefined;
  #last: SipResponse | undefined;

  constructor(request: SipRequest, flow: Flow) {
    this.request = request;
    this.flow = flow;
  }

  /** The status of the last answer given, or undefined. */
  get status(): number | undefined {
    return this.#last?.status;
  }

  /** The tag of the last answer; until there is one, that of the next. */
  get dialogTag(): string {
    const to = this.#last?.headers.find(({ name }) => name === 'To')?.value ?? '';
    return /;\s*tag=([^;>\s]+)/i.exec(to)?.[1] ?? this.localTag;
  }

  /** Answers; after a final answer further ones are ignored. Give `again` to repeat the 200 of an INVITE. */
  respond(status: number, reason: string, answer: Answer = {}): void {
    if (this.request.method === 'ACK' || (this.#last && this.#last.status >= 200)) return;
    const copied = this.request.headers.filter((entry) =>
      ['Via', 'From', 'To', 'Call-ID', 'CSeq'].includes(entry.name),
    );
    const headers = copied.map((entry) => {
      if (entry.name !== 'To' || status === 100 || /;\s*tag=/i.test(entry.value)) return { ...entry };
      return { name: entry.name, value: `${entry.value};tag=${answer.tag ?? this.localTag}` };
    });
    if (this.request.method === 'INVITE' && status > 100 && status < 300) {
      headers.push(...this.request.headers.filter((entry) => entry.name === 'Record-Route'));
    }
    headers.push(...(answer.headers ?? []));
    this.#last = { kind: 'response', status, reason, headers, body: answer.body ?? '' };
    this.flow.send(this.#last);
  }

  /** Sends the last answer once more: for duplicates, and for a 200 that nobody acknowledged. */
  repeat(): void {
    if (this.#last) this.flow.send(this.#last);
  }
}

/** A request of ours on its way. */
export type ClientTransaction = {
  readonly request: SipRequest;
  /** INVITE only: gives up, now or as soon as the other side has said anything (RFC 3261 section 9.1). */
  cancel(reasonHeader?: string): void;
  /** The other side has moved to another connection: a CANCEL goes there. */
  moveTo(flow: Flow): void;
};

export type EndpointOptions = {
  host: string;
  port: number;
  faults: FaultPanel;
  /** Stands in every message of ours. */
  product?: SipHeader | undefined;
  onRequest(transaction: ServerTransaction): void;
  onFlowClosed(flow: Flow): void;
};

type Waiting = {
  readonly uri: string;
  readonly onResponse: (response: SipResponse) => void;
  done: boolean;
  provisional: boolean;
  cancel: (() => void) | undefined;
};

export class SipEndpoint {
  readonly #options: EndpointOptions;
  readonly #server: WebSocketServer;
  readonly #flows = new Map<Flow, WebSocket>();
  readonly #served = new Map<string, ServerTransaction>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  private constructor(options: EndpointOptions) {
    this.#options = options;
    this.#server = new WebSocketServer({
      host: options.host,
      port: options.port,
      maxPayload: 128 * 1024,
      perMessageDeflate: false,
      handleProtocols: (protocols) => (protocols.has('sip') ? 'sip' : false),
      verifyClient: ({ req }, decide) => {
        if (options.faults.current.refuseSockets) return decide(false, 503, 'Refused on command');
        const offered = String(req.headers['sec-websocket-protocol'] ?? '').split(',');
        if (offered.some((name) => name.trim() === 'sip')) return decide(true);
        return decide(false, 400, 'WebSocket subprotocol "sip" is required');
      },
    });
    this.#server.on('connection', (socket) => this.#adopt(socket));
  }

  /** Listens. Rejects with the system's error when the port is taken. */
  static async start(options: EndpointOptions): Promise<SipEndpoint> {
    const endpoint = new SipEndpoint(options);
    await new Promise<void>((resolve, reject) => {
      endpoint.#server.once('listening', resolve);
      endpoint.#server.once('error', reject);
    });
    return endpoint;
  }

  /** host:port that clients reach and that our Via carries. */
  get address(): string {
    return `${this.#options.host}:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Sends a request in a new transaction. A silent or lost other side answers 408 by itself. */
  send(flow: Flow, request: SipRequest, onResponse: (response: SipResponse) => void): ClientTransaction {
    const branch = `z9hG4bK${token()}`;
    const via = { name: 'Via', value: `SIP/2.0/WS ${this.address};branch=${branch}` };
    const sent: SipRequest = { ...request, headers: [via, { name: 'Max-Forwards', value: '70' }, ...request.headers] };
    const key = `${branch} ${request.method}`;
    const waiting: Waiting = { uri: request.uri, onResponse, done: false, provisional: false, cancel: undefined };
    const transmit = (): void => {
      flow.send(sent);
      if (this.#options.faults.current.duplicateRequests) flow.send(sent);
    };
    if (request.method === 'ACK') {
      transmit();
      return { request: sent, cancel: () => undefined, moveTo: () => undefined };
    }
    this.#waiting.set(key, waiting);
    transmit();
    this.#later(TRANSACTION_MS, () => {
      if (waiting.provisional || waiting.done) return;
      waiting.done = true;
      this.#waiting.delete(key);
      onResponse({ kind: 'response', status: 408, reason: 'Request Timeout', headers: [], body: '' });
    });
    let place = flow;
    return {
      request: sent,
      cancel: (reason) => this.#cancel(place, sent, via, waiting, reason),
      moveTo: (moved) => {
        place = moved;
      },
    };
  }

  #cancel(flow: Flow, invite: SipRequest, via: SipHeader, waiting: Waiting, reason: string | undefined): void {
    if (waiting.done || waiting.cancel) return;
    const cancel: SipRequest = {
      ...invite,
      method: 'CANCEL',
      body: '',
      headers: [
        via,
        { name: 'Max-Forwards', value: '70' },
        ...invite.headers.filter((entry) => ['From', 'To', 'Call-ID', 'Route'].includes(entry.name)),
        { name: 'CSeq', value: `${sequence(invite).number} CANCEL` },
        ...(reason === undefined ? [] : [{ name: 'Reason', value: reason }]),
      ],
    };
    waiting.cancel = () => flow.send(cancel);
    if (waiting.provisional) waiting.cancel();
  }

  /** Cuts every WebSocket without a closing handshake, as a broken network does. */
  dropSockets(): void {
    for (const socket of this.#flows.values()) socket.terminate();
  }

  /** Stops listening and forgets everything. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const socket of this.#flows.values()) socket.terminate();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #adopt(socket: WebSocket): void {
    const flow: Flow = {
      id: token(),
      get open() {
        return socket.readyState === socket.OPEN;
      },
      send: (message) => {
        if (socket.readyState !== socket.OPEN || this.#options.faults.current.deaf) return;
        const { product } = this.#options;
        socket.send(serialiseSip(product ? { ...message, headers: [...message.headers, product] } : message));
      },
      close: () => socket.terminate(),
    };
    this.#flows.set(flow, socket);
    socket.on('message', (data, isBinary) => {
      if (this.#closed || this.#options.faults.current.deaf) return;
      const text = Buffer.isBuffer(data) ? data.toString('utf8') : String(data);
      // Keep-alive: an empty message or a double line break is answered by one (RFC 5626 section 3.5.1).
      if (/^(\r?\n)*$/.test(text)) {
        if (!isBinary && text !== '\r\n') socket.send('\r\n');
        return;
      }
      this.#receive(text, flow);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#flows.delete(flow);
      if (!this.#closed) this.#options.onFlowClosed(flow);
    });
  }

  #receive(text: string, flow: Flow): void {
    let message: SipMessage;
    try {
      message = parseSip(text);
    } catch (error) {
      this.#answerBroken(error, flow);
      return;
    }
    if (message.kind === 'response') {
      try {
        this.#onResponse(message, flow);
      } catch (error) {
        // A response with, say, an unreadable Contact is as good as none; its transaction times out.
        if (!(error instanceof SipSyntaxError)) throw error;
      }
      return;
    }
    const transaction = this.#serve(message, flow);
    if (!transaction) return;
    try {
      this.#options.onRequest(transaction);
    } catch (error) {
      // Whatever a message makes the code above stumble over is the message's problem, not the process's.
      const syntax = error instanceof SipSyntaxError;
      transaction.respond(syntax ? 400 : 500, syntax ? `Bad Request (${error.message})` : 'Server Internal Error');
    }
  }

  #answerBroken(error: unknown, flow: Flow): void {
    if (!(error instanceof SipSyntaxError)) throw error;
    // A broken response is dropped: answering a response would start a ping-pong. So is a broken ACK.
    if (error.method === 'ACK' || (error.method === undefined && error.received.length > 0)) return;
    const headers = error.received.filter((entry) => ['Via', 'From', 'To', 'Call-ID', 'CSeq'].includes(entry.name));
    flow.send({ kind: 'response', status: 400, reason: `Bad Request (${error.message})`, headers, body: '' });
  }

  #serve(request: SipRequest, flow: Flow): ServerTransaction | undefined {
    const via = parseParams(splitOutside(headerList(request, 'Via')[0] ?? '', ';').slice(1));
    const branch = via.get('branch') ?? `${header(request, 'Call-ID')}|${sequence(request).number}`;
    // The tag keeps two clients apart that both chose a bad branch.
    const from = parseNameAddress(header(request, 'From') ?? '').params.get('tag') ?? '';
    const keyOf = (method: string): string => `${branch} ${from} ${method}`;
    if (request.method === 'CANCEL') {
      const cancelled = this.#served.get(keyOf('INVITE'));
      const answer = new ServerTransaction(request, flow);
      // Both answers bear the tag of the dialog that the INVITE began (RFC 3261 section 9.2).
      answer.respond(
        cancelled ? 200 : 481,
        cancelled ? 'OK' : 'Call/Transaction Does Not Exist',
        cancelled ? { tag: cancelled.dialogTag } : {},
      );
      if (cancelled && (cancelled.status ?? 0) < 200) cancelled.onCancel?.(header(request, 'Reason'));
      return undefined;
    }
    if (request.method === 'ACK') {
      const invite = this.#served.get(keyOf('INVITE'));
      // The ACK of a refusal belongs to the transaction and stops here; the ACK of a 200 is a request of its own.
      if (invite && (invite.status ?? 0) >= 300) return undefined;
      return new ServerTransaction(request, flow);
    }
    const key = keyOf(request.method);
    const known = this.#served.get(key);
    if (known) {
      known.repeat();
      return undefined;
    }
    const transaction = new ServerTransaction(request, flow);
    this.#served.set(key, transaction);
    this.#forgetLater(key, transaction);
    return transaction;
  }

  #forgetLater(key: string, transaction: ServerTransaction): void {
    this.#later(TRANSACTION_MS, () => {
      // A ringing INVITE is remembered until it is answered, however long that takes: CANCEL must find it.
      if ((transaction.status ?? 0) < 200 && transaction.request.method === 'INVITE')
        this.#forgetLater(key, transaction);
      else this.#served.delete(key);
    });
  }

  #onResponse(response: SipResponse, flow: Flow): void {
    const via = parseParams(splitOutside(headerList(response, 'Via')[0] ?? '', ';').slice(1));
    const method = sequence(response).method;
    const key = `${via.get('branch') ?? ''} ${method}`;
    const waiting = this.#waiting.get(key);
    if (!waiting) return;
    if (response.status < 200) {
      waiting.provisional = true;
      if (waiting.cancel && !waiting.done) waiting.cancel();
      waiting.onResponse(response);
      return;
    }
    if (method === 'INVITE' && response.status >= 300) {
      this.#acknowledgeRefusal(waiting.uri, response, flow);
      if (waiting.done) return;
    }
    if (waiting.done && method !== 'INVITE') return;
    if (!waiting.done) this.#later(TRANSACTION_MS, () => this.#waiting.delete(key));
    waiting.done = true;
    // Repeated 200s of an INVITE pass: each wants its ACK again (RFC 3261 section 13.2.2.4).
    waiting.onResponse(response);
  }

  #acknowledgeRefusal(uri: string, response: SipResponse, flow: Flow): void {
    const copied = response.headers.filter((entry) => ['From', 'To', 'Call-ID'].includes(entry.name));
    flow.send({
      kind: 'request',
      method: 'ACK',
      uri,
      headers: [
        { name: 'Via', value: headerList(response, 'Via')[0] ?? '' },
        { name: 'Max-Forwards', value: '70' },
        ...copied,
        { name: 'CSeq', value: `${sequence(response).number} ACK` },
      ],
      body: '',
    });
  }

  #later(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    timer.unref();
    this.#timers.add(timer);
  }
}
