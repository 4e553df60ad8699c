/**
 * The one place where a connection becomes a WebSocket: routes an upgrade to its door by the path, after origin and rate, and takes all sockets
 * down together. Owns upgrades and farewells; what is said over a socket is its door's business. Must never let in a page of another origin.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Limits } from '../limits.ts';
import type { Log } from '../logging.ts';
import type { Metrics } from '../metrics.ts';

/** For the other end to take our last word. */
const farewellMs = 1_000;

/** What is served at one path. */
export interface SocketDoor {
  readonly path: string;
  /** In bytes; ws closes a socket that sends a larger one with 1009. */
  readonly largestMessage: number;
  serve(socket: WebSocket, stream: Duplex, request: IncomingMessage): void;
  /** Takes no message any more; resolves when those that were begun are done, after `withinMs` at the latest. */
  finish(withinMs: number): Promise<void>;
}

export interface SocketDoorsParts {
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Origins whose pages may connect: our own. */
  readonly origins: () => readonly string[];
  readonly addressOf: (request: IncomingMessage) => string;
}

/**
 * Serves these doors on this server. `close` lets every door finish (at most `withinMs`) and tells every page to come back later; `terminate`
 * ends sockets that do not answer.
 */
export function openSocketDoors(
  server: Server,
  parts: SocketDoorsParts,
  doors: readonly SocketDoor[],
): { close(withinMs: number): Promise<void>; terminate(): void } {
  const byPath = new Map(
    doors.map((door) => [
      door.path,
      {
        door,
        sockets: new WebSocketServer({
          noServer: true,
          maxPayload: door.largestMessage,
          perMessageDeflate: false,
          clientTracking: true,
        }),
      },
    ]),
  );
  const all = [...byPath.values()];
  let stopping = false;

  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => stream.destroy());
    const upgrade = async (): Promise<void> => {
      const refuse = (status: string): void => {
        parts.metrics.refused.inc({ why: 'socket' });
        // The other end need not close its half: what is refused is gone once it has been told, or soon, and holds up no stop.
        stream.once('finish', () => stream.destroy());
        setTimeout(() => stream.destroy(), farewellMs).unref();
        stream.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      };
      const at = byPath.get((request.url ?? '').split('?')[0] ?? '');
      if (at === undefined) return refuse('404 Not Found');
      // A page of another origin may open a socket to us; the browser only tells us whose page it is.
      if (!parts.origins().includes(request.headers.origin ?? '')) return refuse('403 Forbidden');
      if (!(await parts.limits.take('sockets', parts.addressOf(request)))) return refuse('429 Too Many Requests');
      if (stopping) return refuse('503 Service Unavailable');
      if (stream.destroyed) return;
      at.sockets.handleUpgrade(request, stream, head, (socket) => at.door.serve(socket, stream, request));
    };
    upgrade().catch((error: unknown) => {
      parts.log.error({ err: error }, 'a socket could not be opened');
      stream.destroy();
    });
  });

  return {
    close: async (withinMs) => {
      stopping = true;
      await Promise.all(all.map(({ door }) => door.finish(withinMs - farewellMs)));
      const open = all.flatMap(({ sockets }) => [...sockets.clients]);
      const answered = open.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
      for (const socket of open) socket.close(1012, 'the relay is restarting');
      for (const { sockets } of all) sockets.close();
      // Acknowledgements stand before the farewell; whoever answers it has read them.
      let timer: NodeJS.Timeout | undefined;
      const farewell = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, farewellMs);
      });
      await Promise.race([Promise.all(answered), farewell]);
      clearTimeout(timer);
    },
    terminate: () => {
      for (const { sockets } of all) for (const socket of sockets.clients) socket.terminate();
    },
  };
}
