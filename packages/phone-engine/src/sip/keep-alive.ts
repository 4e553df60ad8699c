/**
 * Owns the proof that the connection still lives (RFC 5626 section 4.4.1): asks at intervals and calls a silent connection dead.
 * sip.js shortcoming 8: its own keep-alive is off by default and closes nothing when the answer is missing.
 * Must never call a server dead only because it ignores CRLF: such a server is asked by OPTIONS instead, and that is remembered.
 */
import type { ClockPort } from '../ports.ts';

export interface KeepAliveOptions {
  readonly clock: ClockPort;
  readonly sendPing: () => void;
  /** Sends OPTIONS; its answer is noticed like any other message. */
  readonly sendOptions: () => void;
  readonly onDead: () => void;
}

/** RFC 5626 section 4.4.1 gives a server 10 s for its pong. */
const answerMs = 10_000;
/** When there is reason to doubt (network change, waking from sleep), nobody should wait that long. */
const doubtMs = 3_000;

export class KeepAlive {
  readonly #options: KeepAliveOptions;
  /** Servers that answered a ping once, and servers that only answer OPTIONS. Lives as long as the page. */
  readonly #answersPing = new Set<string>();
  readonly #answersOptionsOnly = new Set<string>();
  #server = '';
  #everyMs = 0;
  #timer: unknown;
  #deadline: unknown;
  #dueAt = 0;
  #asking: 'nothing' | 'ping' | 'options' = 'nothing';

  constructor(options: KeepAliveOptions) {
    this.#options = options;
  }

  /** Starts asking `server` every `everyMs`. */
  start(server: string, everyMs: number): void {
    this.stop();
    this.#server = server;
    this.#everyMs = everyMs;
    this.#schedule();
    // What kind of server this is is best known before the first time it matters.
    if (!this.#answersPing.has(server) && !this.#answersOptionsOnly.has(server)) this.#ask(answerMs);
  }

  stop(): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    clock.clearTimeout(this.#deadline);
    this.#timer = this.#deadline = undefined;
    this.#everyMs = 0;
    this.#asking = 'nothing';
  }

  /** Asks now, with a short deadline. */
  doubt(): void {
    if (this.#everyMs > 0) this.#ask(doubtMs);
  }

  heard(what: 'pong' | 'message'): void {
    if (what === 'pong') this.#answersPing.add(this.#server);
    if (what === 'message' && this.#asking === 'options') this.#answersOptionsOnly.add(this.#server);
    this.#asking = 'nothing';
    this.#options.clock.clearTimeout(this.#deadline);
    this.#deadline = undefined;
  }

  #schedule(): void {
    const { clock } = this.#options;
    this.#dueAt = clock.now() + this.#everyMs;
    this.#timer = clock.setTimeout(() => {
      // A timer that fires much too late means the machine slept: the connection is then more likely dead than not.
      const slept = clock.now() - this.#dueAt > this.#everyMs;
      this.#schedule();
      if (this.#asking === 'nothing') this.#ask(slept ? doubtMs : answerMs);
    }, this.#everyMs);
  }

  #ask(withinMs: number): void {
    if (this.#answersOptionsOnly.has(this.#server)) {
      this.#askByOptions(withinMs);
      return;
    }
    this.#options.sendPing();
    this.#expect('ping', withinMs, () => {
      if (this.#answersPing.has(this.#server)) this.#dead();
      else this.#askByOptions(withinMs);
    });
  }

  #askByOptions(withinMs: number): void {
    this.#options.sendOptions();
    this.#expect('options', withinMs, () => this.#dead());
  }

  #expect(what: 'ping' | 'options', withinMs: number, otherwise: () => void): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#deadline);
    this.#asking = what;
    this.#deadline = clock.setTimeout(otherwise, withinMs);
  }

  #dead(): void {
    this.stop();
    this.#options.onDead();
  }
}
