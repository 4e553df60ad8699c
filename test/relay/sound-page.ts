/**
 * A page's end of the sound socket, as a phone has it: keeps frames until they are settled, half a minute of them at most, and sends them again where
 * the relay wants them. Owns no time: a test says what is spoken and when.
 */
import {
  decodeSoundFrame,
  encodeSoundFrame,
  type SoundAnswer,
  soundFrameMs,
  soundKeptMs,
  soundRate,
} from '@patchcord/call-protocol';
import { WebSocket } from 'ws';
import type { DpopKey } from '../dpop-key.ts';
import { phoneKey } from '../unit/server/relay-in-test.ts';

const samples = (soundRate * soundFrameMs) / 1_000;

export interface PageOf {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly token: string;
  readonly key?: DpopKey;
}

export class SoundPage {
  readonly call: string;
  readonly answers: SoundAnswer[] = [];
  /** Number → bytes of frames that may be needed again. */
  readonly kept = new Map<number, Uint8Array>();
  /** The frame that is made next. */
  number = 0;
  ms = 0;
  settled = 0;
  closed: Promise<{ readonly code: number; readonly reason: string }> = Promise.resolve({ code: 0, reason: '' });
  #socket: WebSocket | null = null;
  #listening = false;
  readonly #waiting: {
    readonly fits: (answer: SoundAnswer) => boolean;
    readonly resolve: (answer: SoundAnswer) => void;
  }[] = [];

  readonly #mostKept: number;
  /** From when on the call is to be recorded, ms of it; said again on each connection while it lasts. */
  recordedFrom: number | null = null;

  /** @param keptMs What is kept of its sound: more of a call that is recorded */
  constructor(call: string, keptMs = soundKeptMs) {
    this.call = call;
    this.#mostKept = keptMs / soundFrameMs;
  }

  get socket(): WebSocket {
    if (this.#socket === null) throw new Error('not connected');
    return this.#socket;
  }

  /** Resolves when the relay listens, and has been sent what it wants. */
  async connect({ url, token, key = phoneKey }: PageOf): Promise<void> {
    const ws = `${url.replace('http', 'ws')}/v1/sound`;
    const socket = new WebSocket(ws, { origin: url });
    this.#socket = socket;
    this.#listening = false;
    this.closed = new Promise((resolve) =>
      socket.once('close', (code, reason) => {
        if (this.#socket === socket) this.#listening = false;
        resolve({ code, reason: reason.toString() });
      }),
    );
    socket.on('error', () => {});
    socket.on('message', (raw) => this.#hear(JSON.parse(raw.toString()) as SoundAnswer));
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    this.say({ type: 'authenticate', token, proof: key.proof({ method: 'GET', url: ws, token }) });
    const listens = this.next((answer) => answer.type === 'listening' || answer.type === 'error');
    this.say({ type: 'call', call: this.call, from: this.kept.keys().next().value ?? this.number });
    const answer = await Promise.race([listens, this.closed.then(() => null)]);
    if (answer === null || answer.type !== 'listening') return;
    // A count that was lost goes on with the relay's.
    this.number = Math.max(this.number, answer.next);
    if (this.recordedFrom !== null) this.say({ type: 'record', fromMs: this.recordedFrom });
    for (const [number, bytes] of this.kept) if (number >= answer.next) socket.send(bytes);
    this.#listening = true;
  }

  /** Sound of both sides, from now on in the call; the shorter side is silent at its end. `null`: nothing of it in a frame. */
  speak(agent: Int16Array | null, farSide: Int16Array | null): void {
    const length = Math.max(agent?.length ?? 0, farSide?.length ?? 0);
    const piece = (side: Int16Array | null, at: number): Int16Array | null => {
      if (side === null) return null;
      const cut = new Int16Array(samples);
      cut.set(side.subarray(at, Math.min(at + samples, side.length)));
      return cut;
    };
    for (let at = 0; at < length; at += samples) {
      const frame = {
        number: this.number,
        startMs: this.ms,
        samples,
        agent: piece(agent, at),
        farSide: piece(farSide, at),
      };
      this.#send(encodeSoundFrame(frame));
    }
  }

  /** A second of the call in which both sides are silent, and the page sends that they are. */
  hush(ms: number): void {
    const silence = new Int16Array((soundRate * ms) / 1_000);
    this.speak(silence, silence);
  }

  /** Nothing of what was said from `atMs` on is kept here either. */
  pause(atMs: number): void {
    for (const [number, bytes] of this.kept) {
      const frame = decodeSoundFrame(bytes);
      if (frame !== null && frame.startMs + soundFrameMs > atMs) this.kept.delete(number);
    }
    this.say({ type: 'pause', atMs });
  }

  record(fromMs: number): void {
    this.recordedFrom = fromMs;
    this.say({ type: 'record', fromMs });
  }

  say(message: unknown): void {
    this.socket.send(typeof message === 'string' || message instanceof Uint8Array ? message : JSON.stringify(message));
  }

  /** The first answer that fits and comes from now on. */
  next(fits: (answer: SoundAnswer) => boolean): Promise<SoundAnswer> {
    return new Promise((resolve) => {
      this.#waiting.push({ fits, resolve });
    });
  }

  #send(bytes: Uint8Array): void {
    this.kept.set(this.number, bytes);
    this.number += 1;
    this.ms += soundFrameMs;
    const [oldest] = this.kept.keys();
    if (this.kept.size > this.#mostKept && oldest !== undefined) this.kept.delete(oldest);
    if (this.#listening) this.socket.send(bytes);
  }

  #hear(answer: SoundAnswer): void {
    this.answers.push(answer);
    if (answer.type === 'settled') {
      this.settled = answer.next;
      for (const number of this.kept.keys()) if (number < answer.next) this.kept.delete(number);
    }
    for (const waiting of this.#waiting.filter(({ fits }) => fits(answer))) {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve(answer);
    }
  }
}
