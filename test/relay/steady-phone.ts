/**
 * A phone that keeps its word as a panel does: it numbers its events, keeps each until it is acknowledged, and goes to another relay when one
 * sends it away. Owns its journal and its connection.
 */
import { randomUUID } from 'node:crypto';
import type { Envelope, RelayMessage } from '@patchcord/call-protocol';
import type { WebSocket } from 'ws';
import { DpopKey } from '../dpop-key.ts';
import { answeredCall, envelopes } from '../unit/server/relay-in-test.ts';
import type { ClusterRelay } from './cluster-relay.ts';

export class SteadyPhone {
  readonly key = new DpopKey();
  /** Ids of events on disk, by the relay's word. */
  readonly acknowledged = new Set<string>();
  readonly calls: string[] = [];
  /** What came down: name, call, number. */
  readonly heard: { readonly type: string; readonly call: string; readonly seq: number | null }[] = [];
  readonly closes: number[] = [];
  slowestMs = 0;
  readonly #relays: readonly ClusterRelay[];
  readonly #agent: string;
  readonly #waiting = new Map<string, { readonly envelope: Envelope; readonly at: number }>();
  #token = '';
  #socket: WebSocket | null = null;
  #at: number;
  #closed = false;
  #listeners: (() => void)[] = [];

  /** @param at Which of the relays it goes to first */
  constructor(relays: readonly ClusterRelay[], agent: string, at: number) {
    this.#relays = relays;
    this.#agent = agent;
    this.#at = at;
  }

  async signIn(): Promise<void> {
    const relay = this.#relays[this.#at % this.#relays.length];
    if (relay === undefined) throw new Error('no relay');
    this.#token = (await relay.signIn(this.#agent, this.key, randomUUID())).token;
  }

  get token(): string {
    return this.#token;
  }

  async connect(): Promise<void> {
    while (!this.#closed) {
      const relay = this.#relays[this.#at % this.#relays.length];
      try {
        if (relay !== undefined) return await this.#join(relay);
      } catch {
        this.#at += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** Reports one whole call; it is sent until it is acknowledged. */
  reportCall(): string {
    const call = randomUUID();
    this.calls.push(call);
    const events = envelopes(call, answeredCall);
    for (const envelope of events) this.#waiting.set(envelope.id, { envelope, at: performance.now() });
    this.#send(events);
    return call;
  }

  /** Reports one whole call, each event when the one before is acknowledged. */
  async reportCallStepwise(): Promise<string> {
    const call = randomUUID();
    this.calls.push(call);
    for (const envelope of envelopes(call, answeredCall)) {
      this.#waiting.set(envelope.id, { envelope, at: performance.now() });
      this.#send([envelope]);
      await this.until(() => !this.#waiting.has(envelope.id));
    }
    return call;
  }

  /** Reports a call; ms from sending its end to hearing that its log is saved. */
  async logLatency(): Promise<number> {
    const from = performance.now();
    const call = this.reportCall();
    await this.until(() => this.heard.some((one) => one.call === call && one.type.includes('log.saved')));
    return performance.now() - from;
  }

  get unacknowledged(): number {
    return this.#waiting.size;
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#listeners.push(resolve));
  }

  close(): void {
    this.#closed = true;
    this.#socket?.terminate();
  }

  async #join(relay: ClusterRelay): Promise<void> {
    const socket = await relay.socket();
    this.#socket = socket;
    socket.on('error', () => {});
    await new Promise<void>((resolve, reject) => {
      socket.on('message', (raw) => {
        const message = JSON.parse(raw.toString()) as RelayMessage;
        if (message.type === 'authenticated') resolve();
        this.#hear(message);
      });
      socket.once('close', (code) => {
        reject(new Error(`closed with ${code}`));
        if (this.#socket !== socket || this.#closed) return;
        this.#socket = null;
        this.closes.push(code);
        this.#at += 1;
        void this.connect();
      });
      socket.send(relay.authentication(this.#token, this.key));
    });
    this.#send([...this.#waiting.values()].map(({ envelope }) => envelope));
  }

  #send(events: readonly Envelope[]): void {
    for (let from = 0; from < events.length; from += 40)
      this.#socket?.send(JSON.stringify({ type: 'publish', events: events.slice(from, from + 40) }));
  }

  #hear(message: RelayMessage): void {
    if (message.type === 'acknowledged') {
      for (const id of message.ids) {
        this.acknowledged.add(id);
        const waited = this.#waiting.get(id);
        if (waited !== undefined) this.slowestMs = Math.max(this.slowestMs, performance.now() - waited.at);
        this.#waiting.delete(id);
      }
    } else if (message.type === 'event') {
      const { event, seq } = message;
      this.heard.push({ type: event.type, call: event.subject ?? '', seq: seq ?? null });
    } else if (message.type === 'error' && this.#waiting.size > 0) {
      // Nothing of that message was taken.
      setTimeout(() => this.#send([...this.#waiting.values()].map(({ envelope }) => envelope)), 200);
    }
    for (const listener of this.#listeners.splice(0)) listener();
  }
}
