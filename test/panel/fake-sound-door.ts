/**
 * The relay's `WS /v1/sound` seen from the panel, in memory: takes frames at once and forgets them. Has pedals for its service and for going away.
 */
import {
  decodeSoundFrame,
  type SoundAnswer,
  type SoundFrame,
  type SoundMessage,
  SoundMessageSchema,
} from '@patchcord/call-protocol';
import * as v from 'valibot';
import type { LiveSocket } from '../../packages/softphone-ui/src/live-link.ts';

export class FakeSoundDoor {
  /** What was said over all connections, in order. */
  readonly said: SoundMessage[] = [];
  readonly frames: SoundFrame[] = [];
  #open: SoundSocket | null = null;

  connect(): LiveSocket {
    this.#open = new SoundSocket(this);
    return this.#open as unknown as LiveSocket;
  }

  take(socket: SoundSocket, data: string | Uint8Array): void {
    if (typeof data !== 'string') {
      const frame = decodeSoundFrame(data);
      if (frame === null) throw new Error('the panel sent what is no frame');
      this.frames.push(frame);
      return;
    }
    const message = v.parse(SoundMessageSchema, JSON.parse(data));
    this.said.push(message);
    if (message.type === 'authenticate') socket.deliver({ type: 'authenticated' });
    if (message.type === 'call') socket.deliver({ type: 'listening', next: (this.frames.at(-1)?.number ?? -1) + 1 });
  }

  /** Pedal: the service that makes words of it. */
  service(state: Extract<SoundAnswer, { type: 'service' }>['state'], message = ''): void {
    this.#open?.deliver({ type: 'service', state, message });
  }

  /** Pedal: what keeps the recording. */
  recorder(state: Extract<SoundAnswer, { type: 'recorder' }>['state'], message = ''): void {
    this.#open?.deliver({ type: 'recorder', state, message });
  }

  /** Pedal: the connection is closed with this code. */
  close(code: number): void {
    this.#open?.onclose?.({ code });
  }
}

class SoundSocket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { readonly data: string }) => void) | null = null;
  onclose: ((event: { readonly code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  readonly bufferedAmount = 0;
  readonly #door: FakeSoundDoor;

  constructor(door: FakeSoundDoor) {
    this.#door = door;
    setTimeout(() => this.onopen?.(), 0);
  }

  send(data: string | Uint8Array): void {
    this.#door.take(this, data);
  }

  close(): void {
    this.onopen = this.onmessage = this.onclose = this.onerror = null;
  }

  deliver(answer: SoundAnswer): void {
    queueMicrotask(() => this.onmessage?.({ data: JSON.stringify(answer) }));
  }
}
