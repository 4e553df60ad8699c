/**
 * Owns the WebSocket that carries SIP (RFC 7118), as a transport for sip.js. Opens where it is told, drops a dead connection without waiting for
 * its close handshake, and shields everything above from malformed messages. Must never reconnect by itself: the line decides when and where.
 */
import { EmitterImpl } from 'sip.js/lib/api/emitter.js';
import type { Transport } from 'sip.js/lib/api/transport.js';
import { TransportState } from 'sip.js/lib/api/transport-state.js';
import type { ClockPort } from '../ports.ts';
import { mendIncoming } from './message-mending.ts';
import type { SipLog } from './sip-log.ts';

export interface SipSocketOptions {
  readonly clock: ClockPort;
  readonly log: SipLog;
  /** Anything arrived, a keep-alive answer (RFC 5626 section 4.4.1: one CRLF) or a message. */
  readonly onHeard: (what: 'pong' | 'message') => void;
  /** The open connection is gone; not called after `abandon`. */
  readonly onGone: (reason: string) => void;
}

const doubleCrlf = '\r\n\r\n';

export class SipSocket implements Transport {
  onConnect: (() => void) | undefined;
  onDisconnect: ((error?: Error) => void) | undefined;
  onMessage: ((message: string) => void) | undefined;
  readonly #options: SipSocketOptions;
  readonly #stateChange = new EmitterImpl<TransportState>();
  #state = TransportState.Disconnected;
  #socket: WebSocket | undefined;
  #secure = true;

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

  /** Opens a connection to `url`. Resolves with an empty text when it is open, otherwise with the reason why not. Never rejects. */
  open(url: string, deadlineMs: number): Promise<string> {
    this.abandon();
    return new Promise((resolve) => {
      let socket: WebSocket;
      try {
        socket = new WebSocket(url, 'sip');
      } catch (error) {
        resolve(error instanceof Error ? error.message : 'the address is not a WebSocket address');
        return;
      }
      this.#secure = url.startsWith('wss:');
      this.#socket = socket;
      this.#become(TransportState.Connecting);
      const { clock } = this.#options;
      let opened = false;
      const deadline = clock.setTimeout(() => fail('no answer'), deadlineMs);
      const fail = (reason: string) => {
        clock.clearTimeout(deadline);
        if (this.#socket === socket) this.abandon();
        resolve(reason);
      };
      socket.onopen = () => {
        if (this.#socket !== socket) return;
        opened = true;
        clock.clearTimeout(deadline);
        this.#become(TransportState.Connected);
        this.onConnect?.();
        resolve('');
      };
      socket.onmessage = (event) => {
        if (this.#socket === socket) this.#receive(event.data);
      };
      socket.onclose = (event) => {
        if (this.#socket !== socket) return fail('given up');
        if (!opened) return fail(`connection refused (close code ${event.code})`);
        this.#socket = undefined;
        this.#become(TransportState.Disconnected);
        this.onDisconnect?.(new Error('closed'));
        this.#options.onGone(`the server closed the connection (code ${event.code})`);
      };
    });
  }

  /**
   * Lets go of the connection now. Shortcoming 8: a dead socket can take a second and more to report its own close, so nobody waits for it.
   */
  abandon(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close(1000);
    }
    if (this.#state === TransportState.Disconnected) return;
    this.#become(TransportState.Disconnected);
    this.onDisconnect?.();
  }

  /** Sends the keep-alive of RFC 5626 section 3.5.1. */
  ping(): void {
    if (this.isConnected()) this.#socket?.send(doubleCrlf);
  }

  async send(message: string): Promise<void> {
    if (!this.#socket || !this.isConnected()) throw new Error('The SIP connection is down.');
    this.#socket.send(message);
  }

  // The line opens and closes; what sip.js asks for here has already happened.
  async connect(): Promise<void> {}
  async disconnect(): Promise<void> {
    this.abandon();
  }
  async dispose(): Promise<void> {
    this.abandon();
  }

  #receive(data: unknown): void {
    const text = typeof data === 'string' ? data : data instanceof ArrayBuffer ? new TextDecoder().decode(data) : '';
    if (text === '') return;
    if (/^(\r\n)+$/.test(text)) {
      this.#options.onHeard('pong');
      return;
    }
    this.#options.onHeard('message');
    try {
      this.onMessage?.(mendIncoming(text));
    } catch {
      // What sip.js throws quotes the message, and the message holds secrets: only the fact is told.
      this.#options.log('warn', 'sip.message-unreadable', { length: text.length });
    }
  }

  #become(state: TransportState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#stateChange.emit(state);
  }
}
