/**
 * A stretch of network with pedals: a TCP port that passes everything on to a server, until it is told to break in one of the ways networks break.
 * Owns connections only; must never look at what they carry, so that it serves ws and wss alike.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What is swallowed of the connections that are open: everything, or only what the server says. */
export type Silence = 'both ways' | 'from the server';

interface Passage {
  readonly near: Socket;
  readonly far: Socket;
  silence: Silence | undefined;
}

export class Hurdle {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #host: string;
  readonly #passages = new Set<Passage>();
  #server: Server | undefined;
  #port = 0;
  /** Connections that were ever opened. */
  opened = 0;
  /** New connections are accepted by the system and then nothing happens on them. */
  swallowsNew = false;
  /** New connections are accepted by the system and get nowhere before `release`. */
  holdsNew = false;

  private constructor(target: { readonly host: string; readonly port: number }, host: string) {
    this.#target = target;
    this.#host = host;
  }

  /**
   * Opens a port in front of `target`, given as host:port.
   * @param host where to listen; default 127.0.0.1
   */
  static async before(target: string, host = '127.0.0.1'): Promise<Hurdle> {
    const { hostname, port } = new URL(`tcp://${target}`);
    const hurdle = new Hurdle({ host: hostname, port: Number(port) }, host);
    await hurdle.comeBack();
    return hurdle;
  }

  /** host:port of this side. */
  get address(): string {
    return `${this.#host}:${this.#port}`;
  }
  /** Connections that are open. */
  get connections(): number {
    return this.#passages.size;
  }

  /** Resets every connection; new ones work. */
  reset(): void {
    for (const { near, far } of this.#passages) {
      near.resetAndDestroy();
      far.destroy();
    }
  }

  /** From now on nothing (or nothing of the server's) passes over the connections that are open; they stay open, and new ones work. */
  swallow(silence: Silence = 'both ways'): void {
    for (const passage of this.#passages) passage.silence = silence;
  }

  /** What was held goes on, late but whole. */
  release(): void {
    this.holdsNew = false;
    for (const { near } of this.#passages) near.resume();
  }

  /** The server is away: connections are reset, new ones refused. */
  async goAway(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
    this.reset();
    await closed;
  }

  /** Listens again, on the same port. */
  async comeBack(): Promise<void> {
    const server = createServer((near) => this.#pass(near));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, this.#host, () => resolve());
    });
    const address = server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
  }

  async close(): Promise<void> {
    await this.goAway();
  }

  #pass(near: Socket): void {
    const far = connect(this.#target.port, this.#target.host);
    const passage: Passage = { near, far, silence: this.swallowsNew ? 'both ways' : undefined };
    this.#passages.add(passage);
    this.opened += 1;
    if (this.holdsNew) near.pause();
    near.on('data', (data) => {
      if (passage.silence !== 'both ways') far.write(data);
    });
    far.on('data', (data) => {
      if (passage.silence === undefined) near.write(data);
    });
    const over = (one: Socket, other: Socket): void => {
      one.on('error', () => undefined);
      one.on('close', () => {
        // A silent stretch does not even tell that the other side has left.
        if (passage.silence !== undefined && one === far) return;
        this.#passages.delete(passage);
        other.destroy();
      });
    };
    over(near, far);
    over(far, near);
  }
}
