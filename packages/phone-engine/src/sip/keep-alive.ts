/**
 * Owns the proof that the connection still lives (RFC 5626 section 4.4.1): asks at intervals and calls a silent connection dead.
 * sip.js shortcoming 8: its own keep-alive is off by default and closes nothing when the answer is missing.
 * Must never call a server dead only because it ignores or is slow with one kind of question. How a server is asked is learned, and remembered for as
 * long as the page lives:
 *
 *   ping (double CRLF) ──(2 s without a pong)──→ OPTIONS ──(4 s without an answer)──→ REGISTER, which it has answered before
 *
 * Only the answer to a ping that is still open counts as one: what a server sends by itself says nothing of what it answers.
 * A server that has answered one of them is dead when it no longer does. The deadline follows its slowest answer lately, so that a far server
 * or a thin line is given time.
 *
 * What it costs: noticed within 5 s means asking every 2.5 s with a deadline of 2 s. A ping and its pong are some 230 bytes on the wire with TLS, TCP
 * and their acknowledgements: 92 bytes a second and agent, 92 kB and 400 pings a second for a server with 1,000 agents, which is below one percent
 * of one processor core as no SIP is parsed. OPTIONS is about 1 kB and a tenth of a millisecond, so 333 a second are 3 % of a core. REGISTER with
 * its digest is the dearest and asked every 25 s only. The radio of a laptop on battery wakes more often; an agent on a call sends 50 packets a second.
 */
import type { ClockPort } from '../ports.ts';
import type { Heard } from './sip-socket.ts';

export interface KeepAliveOptions {
  readonly clock: ClockPort;
  readonly sendPing: () => void;
  /** Sends OPTIONS; its answer is noticed like any other response. */
  readonly sendOptions: () => void;
  /** Registers once more; a missing answer is noticed by whoever registers. */
  readonly register: () => void;
  readonly onDead: () => void;
}

type Question = 'ping' | 'options' | 'register';

/** What is known of one server. */
interface Habit {
  /** What it answers; undefined until it has answered something. */
  answers: Question | undefined;
  /** The slowest answer lately, ms; sinks with every quicker one. */
  slowestMs: number;
  /** Grows when the server was called dead, sinks with every answer: a line that breaks again and again may only be slow. */
  allowanceMs: number;
}

const everyMs: Record<Question, number> = { ping: 2_500, options: 3_000, register: 25_000 };
const probeMs: Record<Question, number> = { ping: 2_000, options: 4_000, register: 0 };
const shortestDeadlineMs = 2_000;
/** RFC 5626 section 4.4.1 gives a server 10 s for its pong. */
const longestDeadlineMs = 10_000;
/** A timer that is this late has slept: its page was frozen or its machine suspended. */
export const sleptMs = 1_500;

export class KeepAlive {
  readonly #options: KeepAliveOptions;
  readonly #habits = new Map<string, Habit>();
  #habit: Habit = { answers: undefined, slowestMs: 0, allowanceMs: shortestDeadlineMs };
  #running = false;
  #longestMs = Number.POSITIVE_INFINITY;
  #timer: unknown;
  #deadline: unknown;
  #asking: Question | undefined;
  #askedAt = 0;
  /** When the last ping left that has no pong yet, epoch ms. */
  #pingedAt: number | undefined;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
  }

  /**
   * Starts asking `server`; does nothing when it is being asked already.
   * @param longestMs the longest interval that the server allows (Flow-Timer)
   */
  start(server: string, longestMs = Number.POSITIVE_INFINITY): void {
    const known = this.#habits.get(server);
    if (this.#running && known === this.#habit && longestMs === this.#longestMs) return;
    this.stop();
    this.#habit = known ?? { answers: undefined, slowestMs: 0, allowanceMs: shortestDeadlineMs };
    this.#habits.set(server, this.#habit);
    this.#running = true;
    this.#longestMs = longestMs;
    // What kind of server this is is best known before the first time it matters.
    if (this.#habit.answers === undefined) this.#ask('ping');
    this.#schedule();
  }

  stop(): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    clock.clearTimeout(this.#deadline);
    this.#timer = this.#deadline = this.#asking = undefined;
    this.#running = false;
    this.#pingedAt = undefined;
  }

  /** There is reason to doubt: asks now. */
  doubt(): void {
    if (this.#running && this.#asking === undefined) this.#ask(this.#habit.answers ?? 'ping');
  }

  heard(what: Heard): void {
    const habit = this.#habit;
    // What comes by itself shows that the server sends, not that it receives.
    if (!this.#running || what === 'request') return;
    if (what === 'pong') {
      const askedAt = this.#pingedAt;
      this.#pingedAt = undefined;
      if (askedAt === undefined || this.#options.clock.now() - askedAt > longestDeadlineMs) return;
      this.#answered('ping', askedAt);
    } else if (this.#asking === 'options') this.#answered('options', this.#askedAt);
    habit.allowanceMs = Math.max(shortestDeadlineMs, habit.allowanceMs * 0.9);
    this.#settle();
  }

  #answered(question: Question, askedAt: number): void {
    const habit = this.#habit;
    const known = habit.answers !== undefined;
    habit.answers = question;
    habit.slowestMs = Math.max(this.#options.clock.now() - askedAt, habit.slowestMs * 0.9);
    if (!known) this.#schedule();
  }

  get #intervalMs(): number {
    return Math.min(this.#longestMs, everyMs[this.#habit.answers ?? 'ping']);
  }

  #schedule(): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#timer);
    const due = clock.now() + this.#intervalMs;
    this.#timer = clock.setTimeout(() => {
      this.#schedule();
      // After a sleep the line is doubted as a whole; a REGISTER of ours would only hang on a dead connection.
      if (this.#habit.answers === 'register' && clock.now() - due > sleptMs) return;
      if (this.#asking === undefined) this.#ask(this.#habit.answers ?? 'ping');
    }, this.#intervalMs);
  }

  #ask(question: Question): void {
    const { clock, sendPing, sendOptions, register } = this.#options;
    const habit = this.#habit;
    this.#settle();
    this.#askedAt = clock.now();
    if (question === 'register') {
      register();
      return;
    }
    this.#asking = question;
    const known = habit.answers === question;
    const withinMs = known
      ? Math.min(longestDeadlineMs, Math.max(habit.allowanceMs, habit.slowestMs * 4))
      : probeMs[question];
    this.#deadline = clock.setTimeout(() => this.#unanswered(question, known, withinMs), withinMs);
    if (question === 'options') {
      sendOptions();
      return;
    }
    this.#pingedAt = clock.now();
    sendPing();
  }

  #unanswered(question: Question, known: boolean, withinMs: number): void {
    const habit = this.#habit;
    const lateMs = this.#options.clock.now() - this.#askedAt - withinMs;
    this.#settle();
    // The answer may lie behind this very timer: asked once more, now awake.
    if (lateMs > sleptMs) this.#ask(question);
    else if (known) {
      habit.allowanceMs = Math.min(longestDeadlineMs, habit.allowanceMs * 1.5);
      this.stop();
      this.#options.onDead();
    } else if (question === 'ping') this.#ask('options');
    else {
      habit.answers = 'register';
      this.#schedule();
      this.#ask('register');
    }
  }

  #settle(): void {
    this.#options.clock.clearTimeout(this.#deadline);
    this.#deadline = this.#asking = undefined;
  }
}
