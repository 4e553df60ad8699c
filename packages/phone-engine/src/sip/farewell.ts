/**
 * Owns how a connected call takes its leave: the BYE, now or when the line is back, and the ones that follow by themselves after a transfer.
 * Must never tell the agent anything, and never send a second BYE.
 */
import type { Session } from 'sip.js/lib/api/session.js';
import { SessionState } from 'sip.js/lib/api/session-state.js';
import type { CallSurroundings } from './call-surroundings.ts';

/** After a transfer the far side normally hangs up by itself; if not, we do. */
const patienceMs = 2_000;

export class Farewell {
  readonly #around: CallSurroundings;
  #later: unknown;

  constructor(around: CallSurroundings) {
    this.#around = around;
  }

  /** Hangs up. While the line is down the far side is told as soon as it is back. */
  say(session: Session | undefined, ...extraHeaders: string[]): void {
    if (session?.state !== SessionState.Established) return;
    const bye = () => {
      if (session.state === SessionState.Established)
        void session.bye({ requestOptions: { extraHeaders } }).catch(() => {});
    };
    if (this.#around.connected()) bye();
    else this.#around.whenReady(bye);
  }

  /** Hangs up; resolves when the far side has confirmed it, at the latest after two seconds. */
  confirmed(session: Session | undefined): Promise<void> {
    if (session?.state !== SessionState.Established) return Promise.resolve();
    const { clock } = this.#around;
    return new Promise((resolve) => {
      const deadline = clock.setTimeout(resolve, patienceMs);
      const done = () => {
        clock.clearTimeout(deadline);
        resolve();
      };
      session.bye({ requestDelegate: { onAccept: done, onReject: done, onRedirect: done } }).catch(done);
    });
  }

  /** Runs when the far side had time to hang up by itself. */
  afterPatience(run: () => void): void {
    this.#later = this.#around.clock.setTimeout(run, patienceMs);
  }

  /** Nothing follows any more. */
  forget(): void {
    this.#around.clock.clearTimeout(this.#later);
  }
}
