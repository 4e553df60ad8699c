/**
 * The relay's end of `WS /v1/sound` on a free loopback port: takes frames, keeps each once, says where to go on. Has pedals for going away and coming
 * back. Must never ask for what it has.
 */
import type { AddressInfo } from 'node:net';
import { decodeSoundFrame, type SoundFrame, type SoundMessage, SoundMessageSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { type WebSocket, WebSocketServer } from 'ws';

export class SoundRelay {
  /** By call, each frame once, in the order in which they came. */
  readonly frames = new Map<string, SoundFrame[]>();
  /** What was said besides, in order. */
  readonly said: SoundMessage[] = [];
  /** Frames that came although it had them. */
  repeated = 0;
  #server: WebSocketServer | undefined;
  #port = 0;

  static async start(): Promise<SoundRelay> {
    const relay = new SoundRelay();
    await relay.comeBack();
    return relay;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}/v1/sound`;
  }

  of(call: string): readonly SoundFrame[] {
    return this.frames.get(call) ?? [];
  }

  /** Pedal: listens again, on the same port. */
  async comeBack(): Promise<void> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: this.#port });
    this.#server = server;
    server.on('connection', (socket) => this.#serve(socket));
    await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Pedal: is killed, and every connection with it. */
  async goAway(): Promise<void> {
    const server = this.#server;
    for (const socket of server?.clients ?? []) socket.terminate();
    await new Promise((resolve) => server?.close(resolve));
  }

  #serve(socket: WebSocket): void {
    let call = '';
    socket.on('message', (data: Buffer, binary) => {
      if (binary) {
        this.#take(call, decodeSoundFrame(data));
        return;
      }
      const message = v.parse(SoundMessageSchema, JSON.parse(data.toString()));
      this.said.push(message);
      if (message.type === 'authenticate') socket.send(JSON.stringify({ type: 'authenticated' }));
      if (message.type === 'end') socket.close(1_000);
      if (message.type !== 'call') return;
      call = message.call;
      const next = (this.of(call).at(-1)?.number ?? -1) + 1;
      socket.send(JSON.stringify({ type: 'listening', next }));
    });
  }

  #take(call: string, frame: SoundFrame | null): void {
    if (frame === null) throw new Error('This is no frame.');
    const there = this.frames.get(call) ?? [];
    this.frames.set(call, there);
    if (frame.number <= (there.at(-1)?.number ?? -1)) this.repeated += 1;
    else there.push(frame);
  }
}
