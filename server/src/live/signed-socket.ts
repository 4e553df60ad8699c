/**
 * One WebSocket of a page that has to say first who it is: authentication in time, keep-alive, the end of its session, and a bound on what waits
 * for a page that does not read. Owns the life of the connection, not what is said over it. Must never wait for a socket that does not drain.
 * Close codes of ours: 4400 malformed, 4401 not (or no longer) signed in, 4403 revoked, 4429 too many.
 */
import { errorCode, PatchcordError, type RelayMessage, type SoundAnswer } from '@patchcord/call-protocol';
import { WebSocket } from 'ws';
import type { SessionOwner, Sessions } from '../identity/sessions.ts';
import type { Metrics } from '../metrics.ts';
import type { Tenants } from '../tenants.ts';

export const socketTiming = {
  /** To the first message, which must authenticate. */
  authenticateMs: 5_000,
  pingMs: 25_000,
  /** A session is looked up again for a message after this long: another relay may have revoked it. */
  recheckMs: 5_000,
};
/** What a timer can hold; a longer session is authenticated again by then. */
const longestTimerMs = 2_147_483_647;

export interface SignedSocketParts {
  readonly tenants: Tenants;
  readonly sessions: Sessions;
  readonly metrics: Metrics;
  readonly now: () => number;
}

interface SignedSocketOptions {
  /** What the proof is made for. */
  readonly path: string;
  readonly timing: typeof socketTiming;
  /** What may wait for a page that does not read, bytes. */
  readonly largestBacklog: number;
  readonly isStopping: () => boolean;
}

export class SignedSocket {
  readonly #socket: WebSocket;
  readonly #parts: SignedSocketParts;
  readonly #options: SignedSocketOptions;
  readonly #first: NodeJS.Timeout;
  readonly #ping: NodeJS.Timeout;
  #expiry: NodeJS.Timeout | undefined;
  #owner: (SessionOwner & { checkedAt: number }) | null = null;
  #alive = true;

  constructor(socket: WebSocket, parts: SignedSocketParts, options: SignedSocketOptions) {
    this.#socket = socket;
    this.#parts = parts;
    this.#options = options;
    this.#first = setTimeout(
      () =>
        this.fail(
          4401,
          new PatchcordError('identity.required', 'The first message must authenticate, within 5 seconds.'),
        ),
      options.timing.authenticateMs,
    );
    this.#ping = setInterval(() => this.#look(), options.timing.pingMs);
    socket.on('pong', () => this.heard());
    // Oversized and malformed frames: ws closes the socket with the right code by itself.
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(this.#first);
      clearTimeout(this.#expiry);
      clearInterval(this.#ping);
    });
  }

  /** Null until it has said who it is. */
  get owner(): SessionOwner | null {
    return this.#owner;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** The other end gave a sign of life. */
  heard(): void {
    this.#alive = true;
  }

  /** Whether something may be written; a socket that is too far behind is cut off. */
  takesMore(): boolean {
    if (!this.isOpen) return false;
    if (this.#socket.bufferedAmount <= this.#options.largestBacklog) return true;
    this.#parts.metrics.refused.inc({ why: 'slow-socket' });
    this.#socket.terminate();
    return false;
  }

  send(message: RelayMessage | SoundAnswer): void {
    if (this.takesMore()) this.#socket.send(JSON.stringify(message));
  }

  end(code: number, reason: string): void {
    if (this.isOpen) this.#socket.close(code, reason);
    // A browser that is gone never answers the closing handshake.
    setTimeout(() => this.#socket.terminate(), 5_000).unref();
  }

  fail(code: number, error: PatchcordError): void {
    this.send({ type: 'error', code: error.code, message: error.message });
    this.end(code, error.code);
  }

  /**
   * Checks who it is. `admitted` is called once, while the socket is open, with the session and the agent it is of; a refusal ends the socket.
   * Never rejects.
   */
  async signIn(
    presented: { readonly token: string; readonly proof?: unknown },
    admitted: (owner: SessionOwner, known: ReturnType<Tenants['knownAgent']>) => void,
  ): Promise<void> {
    const { sessions, tenants, now } = this.#parts;
    try {
      const { token, proof } = presented;
      const session = await sessions.check({ token, proof, method: 'GET', path: this.#options.path, scheme: 'ws' });
      const known = tenants.knownAgent(session.tenant, session.agent);
      clearTimeout(this.#first);
      if (!this.isOpen) return;
      this.#owner = { ...session, checkedAt: now() };
      this.#expiry = setTimeout(() => this.#over(), Math.min(session.expiresAt - now(), longestTimerMs));
      admitted(session, known);
      // A revocation between the look above and whatever ends this socket when it is told found nobody to end.
      void this.recheck(0);
    } catch (error) {
      const told = errorCode(error) === 'internal' ? new PatchcordError('internal', 'The relay failed.') : error;
      // The store being away is no reason to sign in again: the code tells the panel which it is.
      this.fail(errorCode(error).startsWith('identity.') ? 4401 : 1013, told as PatchcordError);
    }
  }

  /** Looks the session up again. False when it has ended; the socket is closed then. */
  async recheck(afterMs: number): Promise<boolean> {
    const owner = this.#owner;
    if (owner === null || this.#parts.now() - owner.checkedAt < afterMs) return true;
    try {
      if (await this.#parts.sessions.isOpen(owner.sessionId)) {
        owner.checkedAt = this.#parts.now();
        return true;
      }
    } catch {
      return true;
    }
    this.#over();
    return false;
  }

  #look(): void {
    if (!this.#alive) {
      this.#socket.terminate();
      return;
    }
    this.#alive = false;
    this.#socket.ping();
    if (!this.#options.isStopping()) void this.recheck(0);
  }

  #over(): void {
    this.fail(4401, new PatchcordError('identity.required', 'The session has ended. Sign in again.'));
  }
}
