/**
 * Owns how a line changes its connection without a gap: a second connection is opened, registered, and only then takes the place of the first.
 * Must never take it while a call is being set up over the first one, unless the first one is lost.
 */
import type { ClockPort } from '../ports.ts';
import type { RegisterOutcome, Registration } from './registration.ts';
import type { SipSocket } from './sip-socket.ts';

export interface LineMoveOptions {
  readonly socket: SipSocket;
  readonly registration: Registration;
  readonly clock: ClockPort;
  /** A call rings or is being placed. */
  readonly settingUp: () => boolean;
}

export interface MoveConditions {
  readonly openMs: number;
  readonly registerMs: number;
  /** Asked when the second connection is open, before it is registered. */
  readonly wanted: () => boolean;
  /** The line that was to be moved is lost or stopped. */
  readonly isOver: () => boolean;
}

export type MoveOutcome =
  | { readonly kind: 'moved'; readonly registered: RegisterOutcome & { kind: 'accepted' } }
  | { readonly kind: 'refused'; readonly retryAfterMs: number }
  /** The binding may be at the second connection, and that one is silent or lost again: the one in use has to be registered once more. */
  | { readonly kind: 'undone' }
  | { readonly kind: 'not now' };

/** How soon a move that had to wait for a call is looked at again. */
export const lookAgainMs = 500;

export class LineMove {
  readonly #options: LineMoveOptions;
  #underWay = false;
  #standby: (() => void) | undefined;

  constructor(options: LineMoveOptions) {
    this.#options = options;
  }

  get underWay(): boolean {
    return this.#underWay;
  }

  /** The connection in use is lost: a second one that is registered takes its place now. False when there is none. */
  hasten(): boolean {
    this.#standby?.();
    return this.#standby !== undefined;
  }

  /** Moves to `server`. Unless it resolves with `moved`, the connection in use is what it was before. Never rejects. */
  async to(server: string, conditions: MoveConditions): Promise<MoveOutcome> {
    if (this.#underWay) return { kind: 'not now' };
    this.#underWay = true;
    try {
      return await this.#move(server, conditions);
    } finally {
      this.#underWay = false;
      this.#options.socket.dropNext();
    }
  }

  async #move(server: string, { openMs, registerMs, wanted, isOver }: MoveConditions): Promise<MoveOutcome> {
    const { socket, registration } = this.#options;
    const failure = await socket.prepare(server, openMs);
    if (isOver() || failure !== '' || !wanted()) return { kind: 'not now' };
    const registered = await registration.register(registerMs);
    if (isOver()) return { kind: 'not now' };
    if (registered.kind === 'refused') return { kind: 'refused', retryAfterMs: registered.retryAfterMs };
    if (registered.kind === 'silent') return { kind: 'undone' };
    await this.#callsAreUp(isOver);
    if (isOver()) return { kind: 'not now' };
    return socket.switchOver() ? { kind: 'moved', registered } : { kind: 'undone' };
  }

  /** Resolves when no call is being set up any more, or the connection that it is set up over is gone. */
  async #callsAreUp(isOver: () => boolean): Promise<void> {
    const { clock, settingUp } = this.#options;
    let hastened = false;
    while (settingUp() && !hastened && !isOver()) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimeout(resolve, lookAgainMs);
        this.#standby = () => {
          hastened = true;
          clock.clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#standby = undefined;
  }
}
