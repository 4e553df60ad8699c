/**
 * Provisional answers that want a PRACK (RFC 3262): numbered, repeated until acknowledged, one at a time.
 * Owns the numbering and the repeating; must never decide what is said.
 */
import type { ServerTransaction } from './sip-endpoint.ts';
import { hasToken, header, type SipHeader, type SipRequest, sequence } from './sip-message.ts';

const FIRST_REPEAT_MS = 500;

export class ReliableRinging {
  readonly #invite: ServerTransaction;
  readonly #deadlineMs: number;
  #number = 1 + Math.floor(Math.random() * 1000);
  #waiting: { number: number; acknowledged: () => void } | undefined;
  #last: Promise<boolean> = Promise.resolve(true);
  #timers: NodeJS.Timeout[] = [];
  #stopped = false;

  constructor(invite: ServerTransaction, deadlineMs: number) {
    this.#invite = invite;
    this.#deadlineMs = deadlineMs;
  }

  /** True when the caller can acknowledge a provisional answer. */
  static possible(invite: SipRequest): boolean {
    return hasToken(invite, 'Supported', '100rel') || hasToken(invite, 'Require', '100rel');
  }

  /** True when the caller takes no other. */
  static demanded(invite: SipRequest): boolean {
    return hasToken(invite, 'Require', '100rel');
  }

  /** Everything said so far is acknowledged; false: it never was. */
  get settled(): Promise<boolean> {
    return this.#last;
  }

  /** Says it once everything before it is acknowledged, and again until it is too. */
  say(status: number, reason: string, headers: readonly SipHeader[], body: string): Promise<boolean> {
    this.#last = this.#last.then((fine) =>
      fine && !this.#stopped ? this.#send(status, reason, headers, body) : false,
    );
    return this.#last;
  }

  /** A PRACK of the caller. False: it acknowledges nothing that was said (answer 481). */
  acknowledge(prack: SipRequest): boolean {
    const [number, invite] = (header(prack, 'RAck') ?? '').split(/\s+/).map(Number);
    const waiting = this.#waiting;
    if (!waiting || waiting.number !== number || invite !== sequence(this.#invite.request).number) return false;
    this.#waiting = undefined;
    waiting.acknowledged();
    return true;
  }

  stop(): void {
    this.#stopped = true;
    this.#clear();
  }

  #send(status: number, reason: string, headers: readonly SipHeader[], body: string): Promise<boolean> {
    const number = this.#number++;
    this.#invite.respond(status, reason, {
      headers: [...headers, { name: 'Require', value: '100rel' }, { name: 'RSeq', value: String(number) }],
      body,
    });
    return new Promise((resolve) => {
      let wait = FIRST_REPEAT_MS;
      const repeat = (): void => {
        if (this.#waiting?.number !== number) return;
        this.#invite.repeat();
        wait *= 2;
        this.#later(wait, repeat);
      };
      this.#later(wait, repeat);
      this.#later(this.#deadlineMs, () => resolve(false));
      this.#waiting = {
        number,
        acknowledged: () => {
          this.#clear();
          resolve(true);
        },
      };
    });
  }

  #later(delayMs: number, act: () => void): void {
    const timer = setTimeout(act, delayMs);
    timer.unref();
    this.#timers.push(timer);
  }

  #clear(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
  }
}
