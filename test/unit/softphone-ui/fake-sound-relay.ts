/** The relay's door for sound, in memory: sockets that do nothing by themselves, and what was sent over each, read by the wire contract. */
import {
  decodeSoundFrame,
  type SoundAnswer,
  SoundAnswerSchema,
  type SoundFrame,
  type SoundMessage,
  SoundMessageSchema,
} from '@patchcord/call-protocol';
import * as v from 'valibot';
import type { LiveSocket } from '../../../packages/softphone-ui/src/live-link.ts';
import type { RelaySocket } from '../../../packages/softphone-ui/src/relay-client.ts';

export class FakeSoundSocket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { readonly data: string }) => void) | null = null;
  onclose: ((event: { readonly code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  /** Pedal: bytes that do not leave. */
  bufferedAmount = 0;
  /** Pedal: the network takes nothing more. */
  isStuck = false;
  isClosed = false;
  readonly said: SoundMessage[] = [];
  readonly frames: SoundFrame[] = [];

  send(data: string | Uint8Array): void {
    if (this.isStuck) this.bufferedAmount += data.length;
    if (typeof data === 'string') this.said.push(v.parse(SoundMessageSchema, JSON.parse(data)));
    else {
      const frame = decodeSoundFrame(data);
      if (frame === null) throw new Error('This is no frame.');
      this.frames.push(frame);
    }
  }

  close(): void {
    this.isClosed = true;
  }

  get numbers(): readonly number[] {
    return this.frames.map(({ number }) => number);
  }

  /** Pedal: the relay says something. */
  say(answer: SoundAnswer): void {
    this.onmessage?.({ data: JSON.stringify(v.parse(SoundAnswerSchema, answer)) });
  }

  /** Pedal: up to and with the relay's `listening`. */
  async joins(next: number): Promise<void> {
    this.onopen?.();
    this.say({ type: 'authenticated' });
    this.say({ type: 'listening', next });
    await Promise.resolve();
  }

  /** Pedal: the connection is gone. */
  breaks(code = 1006): void {
    this.onclose?.({ code });
  }
}

export class FakeSoundRelay implements RelaySocket {
  readonly url = 'wss://relay.example/v1/sound';
  readonly sockets: FakeSoundSocket[] = [];
  refusedTokens = 0;
  /** Pedal: nobody knows who the agent is just now. */
  signedOut = false;

  get last(): FakeSoundSocket {
    const last = this.sockets.at(-1);
    if (last === undefined) throw new Error('Nobody has connected.');
    return last;
  }

  readonly openSocket = (): LiveSocket => {
    const socket = new FakeSoundSocket();
    this.sockets.push(socket);
    return socket as unknown as LiveSocket;
  };

  readonly authentication = (): Promise<{ readonly token: string; readonly proof: string }> =>
    this.signedOut
      ? Promise.reject(new Error('signed out'))
      : Promise.resolve({ token: `token-${this.sockets.length}`, proof: 'proof' });

  readonly tokenRefused = (): void => {
    this.refusedTokens += 1;
  };
}

/** A frame with a word of the agent in it. */
export function frameOf(number: number, startMs = number * 100): SoundFrame {
  return { number, startMs, samples: 1_600, agent: new Int16Array(1_600).fill(number), farSide: null };
}

/** What waits for a promise has run. */
export async function settled(): Promise<void> {
  for (let n = 0; n < 10; n += 1) await Promise.resolve();
}
