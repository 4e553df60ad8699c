/**
 * Owns how a connected call takes its leave: the BYE, now or when the line is back, and the ones that follow by themselves after a transfer.
 * Must never tell the agent anything, and never send a second BYE.
 */
import type { Session } from 'sip.js/lib/api/session.js';
import { SessionState } from 'sip.js/lib/api/session-state.js';
import type { IncomingResponse } from 'sip.js/lib/core/messages/incoming-response.js';
import type { CallSurroundings } from './call-surroundings.ts';

/** After a transfer the far side normally hangs up by itself; if not, we do. */
const patienceMs = 2_000;

export class Farewell {
  readonly #around: CallSurroundings;
  #later: unknown;

  constructor(around: CallSurroundings) {
    this.#around = around;
  }

  /**
   * Hangs up. While the line is down the far side is told as soon as it is back.
   * @param heard runs when the far side has answered it, or is gone
   */
  say(session: Session | undefined, heard: () => void, ...extraHeaders: string[]): void {
    if (session?.state !== SessionState.Established) {
      heard();
      return;
    }
    // What sip.js made up itself, because the connection was lost or nobody answered, has no Via.
    const answered = ({ message }: IncomingResponse) => {
      if (message.getHeader('via') !== undefined) heard();
    };
    const requestDelegate = { onAccept: answered, onReject: answered, onRedirect: answered };
    const bye = () => {
      if (session.state !== SessionState.Established) heard();
      else void session.bye({ requestDelegate, requestOptions: { extraHeaders } }).catch(() => {});
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
