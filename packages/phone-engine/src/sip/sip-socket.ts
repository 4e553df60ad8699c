/**
 * Owns the WebSocket that carries SIP (RFC 7118), as a transport for sip.js. Opens where it is told, drops a dead connection without waiting for
 * its close handshake, and shields everything above from malformed messages. For a move to a better server it holds a second connection beside the
 * one in use, and the old one for a while after. Must never reconnect or move by itself: the line decides when and where.
 *
 *   open ──→ in use ──(abandon, gone)──→ closed          prepare ──→ next ──(switchOver)──→ in use, and what was in use lingers
 */
import { EmitterImpl } from 'sip.js/lib/api/emitter.js';
import type { Transport } from 'sip.js/lib/api/transport.js';
import { TransportState } from 'sip.js/lib/api/transport-state.js';
import type { ClockPort } from '../ports.ts';
import { mendIncoming } from './message-mending.ts';
import type { SipLog } from './sip-log.ts';

/**
 * What arrived: a keep-alive answer (RFC 5626 section 4.4.1: one CRLF), a response to a request of ours, or what the server sent by itself: a request,
 * or a keep-alive of its own (two CRLF, as Asterisk's `keep_alive_interval` sends them). The first two prove both ways of the connection, the last
 * only one.
 */
export type Heard = 'pong' | 'response' | 'request';

export interface SipSocketOptions {
  readonly clock: ClockPort;
  readonly log: SipLog;
  /** Something arrived on the connection in use. */
  readonly onHeard: (what: Heard) => void;
  /** A message came or went: what is known of the calls may have changed. */
  readonly onTraffic: () => void;
  /** The connection in use is gone; not called after `abandon`. */
  readonly onGone: (reason: string) => void;
}

const crlf = '\r\n';
/** How long a connection that was moved away from still takes what was on its way: a BYE, the answer to an INVITE. */
const lingerMs = 32_000;
/** Requests that are remembered with their connection; more unanswered at once are an attack. */
const mostAnswers = 64;

export class SipSocket implements Transport {
  onConnect: (() => void) | undefined;
  onDisconnect: ((error?: Error) => void) | undefined;
  onMessage: ((message: string) => void) | undefined;
  readonly #options: SipSocketOptions;
  readonly #stateChange = new EmitterImpl<TransportState>();
  #state = TransportState.Disconnected;
  #socket: WebSocket | undefined;
  /** Open beside the one in use; REGISTER goes over it. */
  #next: WebSocket | undefined;
  #old: WebSocket | undefined;
  #lingering: unknown;
  /** Branch of a request → the connection it came over, where its answer goes (RFC 3261 section 18.2.2). */
  readonly #cameOver = new Map<string, WebSocket>();
  #secure = true;
  /** Ends the waits for connections that are being opened. */
  readonly #openings = new Set<() => void>();

  // The signature is sip.js's: it constructs its transport itself.
  constructor(_logger: unknown, options: SipSocketOptions) {
    this.#options = options;
  }

  /** For the Via header (RFC 7118 section 4). */
  get protocol(): string {
    return this.#secure ? 'WSS' : 'WS';
  }
  get state(): TransportState {
    return this.#state;
  }
  get stateChange(): EmitterImpl<TransportState> {
    return this.#stateChange;
  }
  isConnected(): boolean {
    return this.#state === TransportState.Connected;
  }

  /** Opens a connection to `url`, in place of all others. Resolves with an empty text when it is open, otherwise with the reason why not. Never rejects. */
  async open(url: string, deadlineMs: number): Promise<string> {
    this.abandon();
    const opening = this.#dial(url);
    if (typeof opening === 'string') return opening;
    this.#socket = opening;
    this.#secure = url.startsWith('wss:');
    this.#become(TransportState.Connecting);
    const failure = await this.#opened(opening, deadlineMs);
    if (this.#socket !== opening) return 'given up';
    if (failure !== '') {
      this.abandon();
      return failure;
    }
    this.#become(TransportState.Connected);
    this.onConnect?.();
    return '';
  }

  /**
   * Opens a second connection beside the one in use, which stays as it is. From then on REGISTER goes over the second one, until `switchOver` or
   * `dropNext`. Resolves as `open` does.
   */
  async prepare(url: string, deadlineMs: number): Promise<string> {
    this.dropNext();
    const opening = this.#dial(url);
    if (typeof opening === 'string') return opening;
    const failure = await this.#opened(opening, deadlineMs);
    if (failure !== '') {
      discard(opening);
      return failure;
    }
    this.dropNext();
    this.#next = opening;
    return '';
  }

  /** True while a second connection is open. */
  get hasNext(): boolean {
    return this.#next !== undefined;
  }

  dropNext(): void {
    discard(this.#next);
    this.#next = undefined;
  }

  /** The second connection takes the place of the one in use, which lingers. Returns false when there is none (any more). */
  switchOver(): boolean {
    const next = this.#next;
    if (!next) return false;
    this.#endLingering();
    this.#old = this.#socket;
    this.#next = undefined;
    this.#socket = next;
    this.#secure = next.url.startsWith('wss:');
    this.#lingering = this.#options.clock.setTimeout(() => this.#endLingering(), lingerMs);
    this.#become(TransportState.Connected);
    return true;
  }

  /**
   * Lets go of everything now. Shortcoming 8: a dead socket can take a second and more to report its own close, so nobody waits for it.
   */
  abandon(): void {
    for (const giveUp of [...this.#openings]) giveUp();
    discard(this.#socket);
    this.#socket = undefined;
    this.dropNext();
    this.#endLingering();
    this.#cameOver.clear();
    if (this.#state === TransportState.Disconnected) return;
    this.#become(TransportState.Disconnected);
    this.onDisconnect?.();
  }

  /** Sends the keep-alive of RFC 5626 section 3.5.1. */
  ping(): void {
    if (this.isConnected()) this.#socket?.send(crlf + crlf);
  }

  async send(message: string): Promise<void> {
    const socket = this.#wayOf(message);
    if (!socket || !this.isConnected()) throw new Error('The SIP connection is down.');
    socket.send(message);
    this.#options.onTraffic();
  }

  // The line opens and closes; what sip.js asks for here has already happened.
  async connect(): Promise<void> {}
  async disconnect(): Promise<void> {
    this.abandon();
  }
  async dispose(): Promise<void> {
    this.abandon();
  }

  #wayOf(message: string): WebSocket | undefined {
    if (message.startsWith('REGISTER ')) return this.#next ?? this.#socket;
    if (!(this.#next || this.#old) || !message.startsWith('SIP/2.0 ')) return this.#socket;
    const way = this.#cameOver.get(branchOf(message));
    return way?.readyState === WebSocket.OPEN ? way : this.#socket;
  }

  #dial(url: string): WebSocket | string {
    try {
      const socket = new WebSocket(url, 'sip');
      socket.binaryType = 'arraybuffer';
      return socket;
    } catch (error) {
      return error instanceof Error ? error.message : 'the address is not a WebSocket address';
    }
  }

  #opened(socket: WebSocket, deadlineMs: number): Promise<string> {
    return new Promise((resolve) => {
      const { clock } = this.#options;
      const giveUp = () => settle('given up');
      const settle = (failure: string) => {
        clock.clearTimeout(deadline);
        this.#openings.delete(giveUp);
        resolve(failure);
      };
      this.#openings.add(giveUp);
      const deadline = clock.setTimeout(() => settle('no answer'), deadlineMs);
      socket.onopen = () => settle('');
      socket.onmessage = ({ data }) => this.#receive(socket, data);
      socket.onclose = ({ code }) => {
        settle(`connection refused (close code ${code})`);
        this.#closed(socket, code);
      };
    });
  }

  #closed(socket: WebSocket, code: number): void {
    if (this.#next === socket) this.#next = undefined;
    if (this.#old === socket) this.#endLingering();
    if (this.#socket !== socket || this.#state !== TransportState.Connected) return;
    this.#socket = undefined;
    const reason = `the server closed the connection (code ${code})`;
    // With a second connection up there is no moment without one: the line moves to it.
    if (!this.#next) {
      this.#become(TransportState.Disconnected);
      this.onDisconnect?.(new Error('closed'));
    }
    this.#options.onGone(reason);
  }

  #receive(socket: WebSocket, data: unknown): void {
    if (socket !== this.#socket && socket !== this.#next && socket !== this.#old) return;
    const text = typeof data === 'string' ? data : data instanceof ArrayBuffer ? new TextDecoder().decode(data) : '';
    if (text === '') return;
    const response = text.startsWith('SIP/2.0 ');
    if (socket === this.#socket) this.#options.onHeard(text === crlf ? 'pong' : response ? 'response' : 'request');
    if (/^[\r\n]+$/.test(text)) return;
    if (!response) this.#remember(text, socket);
    try {
      this.onMessage?.(mendIncoming(text));
    } catch {
      // What sip.js throws quotes the message, and the message holds secrets: only the fact is told.
      this.#options.log('warn', 'sip.message-unreadable', { length: text.length });
    }
    this.#options.onTraffic();
  }

  #remember(request: string, socket: WebSocket): void {
    const branch = branchOf(request);
    if (branch === '') return;
    this.#cameOver.set(branch, socket);
    for (const oldest of this.#cameOver.keys()) {
      if (this.#cameOver.size <= mostAnswers) break;
      this.#cameOver.delete(oldest);
    }
  }

  #endLingering(): void {
    this.#options.clock.clearTimeout(this.#lingering);
    discard(this.#old);
    this.#old = undefined;
  }

  #become(state: TransportState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#stateChange.emit(state);
  }
}

function discard(socket: WebSocket | undefined): void {
  if (!socket) return;
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close(1000);
}

/** Of the topmost Via; the empty text when there is none. */
function branchOf(message: string): string {
  return /^(?:via|v)\s*:[^\r\n,]*?;\s*branch\s*=\s*([^\s;,]+)/im.exec(message)?.[1] ?? '';
}
