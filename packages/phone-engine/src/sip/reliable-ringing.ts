/**
 * Owns a 180 that the caller wants acknowledged (RFC 3262): it is repeated until its PRACK comes. It carries no description, since the microphone
 * stays shut until the agent answers. Must never keep a call waiting for its answer.
 */
import type { IncomingRequest } from 'sip.js/lib/core/messages/incoming-request.js';
import type { ClockPort } from '../ports.ts';

export interface ReliableRingingOptions {
  readonly clock: ClockPort;
  /** Sends the 180 with these headers. */
  readonly send: (headers: string[]) => void;
  /** The caller never acknowledged it. */
  readonly onSilence: () => void;
  /** The CSeq number of the INVITE. */
  readonly sequence: number;
  readonly random: () => number;
}

const firstRepeatMs = 500;
/** 64 × T1 (RFC 3262 section 3). */
const giveUpMs = 32_000;

export class ReliableRinging {
  readonly #options: ReliableRingingOptions;
  readonly #number: number;
  #timer: unknown;
  #stopped = false;
  #acknowledged = false;

  constructor(options: ReliableRingingOptions) {
    this.#options = options;
    this.#number = 1 + Math.floor(options.random() * 9_999);
    this.#send(firstRepeatMs, 0);
  }

  /** Answers a PRACK: 200 to the one that is waited for, 481 to any other. */
  take(request: IncomingRequest): void {
    const [, number, sequence, method] =
      /^\s*(\d+)\s+(\d+)\s+(\w+)/.exec(request.message.getHeader('rack') ?? '') ?? [];
    const ours = Number(number) === this.#number && Number(sequence) === this.#options.sequence && method === 'INVITE';
    if (!ours || this.#acknowledged) return void request.reject({ statusCode: 481 });
    this.#acknowledged = true;
    this.stop();
    request.accept({ statusCode: 200 });
  }

  /** No more repeating. A PRACK on its way is still taken. */
  stop(): void {
    this.#stopped = true;
    this.#options.clock.clearTimeout(this.#timer);
  }

  #send(waitMs: number, waitedMs: number): void {
    const { clock, send, onSilence } = this.#options;
    send(['Require: 100rel', `RSeq: ${this.#number}`]);
    this.#timer = clock.setTimeout(() => {
      if (this.#stopped) return;
      if (waitedMs + waitMs < giveUpMs) return this.#send(waitMs * 2, waitedMs + waitMs);
      this.stop();
      onSilence();
    }, waitMs);
  }
}
