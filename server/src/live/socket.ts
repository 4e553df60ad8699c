/**
 * The live socket `/v1/live`: upgrade, authentication, publishing with acknowledgement, keep-alive. Owns the life of one connection and its
 * limits; what an event means is the recorder's business. Must never write to a socket that does not drain, nor wait for one.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorCode, PanelMessageSchema, PatchcordError, type RelayMessage } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import type { EventRecorder } from '../call-log/record-events.ts';
import { deviceLabel } from '../http/device-label.ts';
import type { SessionOwner, Sessions } from '../identity/sessions.ts';
import type { Limits } from '../limits.ts';
import type { LineLeases, LineSeat } from '../line-lease/line-leases.ts';
import type { Log } from '../logging.ts';
import type { Metrics } from '../metrics.ts';
import { type Tenants, toAgent } from '../tenants.ts';
import type { LiveHub, LiveReader } from './hub.ts';
import type { OpenPhones } from './open-phones.ts';

export interface LiveSocketParts {
  readonly tenants: Tenants;
  readonly sessions: Sessions;
  readonly recorder: EventRecorder;
  readonly hub: LiveHub;
  readonly openPhones: OpenPhones;
  readonly lines: LineLeases;
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly now: () => number;
  /** Origins whose pages may connect: our own. */
  readonly origins: () => readonly string[];
  readonly addressOf: (request: IncomingMessage) => string;
  readonly timing?: Partial<typeof liveTiming>;
}

export const liveTiming = {
  /** To the first message, which must authenticate. */
  authenticateMs: 5_000,
  pingMs: 25_000,
  /** A session is looked up again for a publish after this long: another relay may have revoked it. */
  recheckMs: 5_000,
};
const largestMessage = 65_536;
/** What a signed-in device keeps for the next one, or says to the others: 48,000 characters in whatever script. */
const largestOfLine = 163_840;
/** What devices say to each other is counted in pieces of this many characters. */
const pieceLength = 4_096;
/** What a timer can hold; a longer session is authenticated again by then. */
const longestTimerMs = 2_147_483_647;
/** What may wait for a browser that does not read. */
const largestBacklog = 1_048_576;
/** Messages of one socket that may wait for the store. */
const longestQueue = 64;
/** For the other end to take our last word. */
const farewellMs = 1_000;

/** What the sockets of one relay share. */
interface Work {
  /** Messages that were begun; they need the store. */
  readonly begun: Set<Promise<void>>;
  stopping: boolean;
}

/**
 * Serves `/v1/live` on this server. `close` takes no message any more, lets those that were begun finish (at most `withinMs`) and tells every
 * panel to come back later; what was not taken is not acknowledged, so a panel sends it again. `terminate` ends those that do not answer.
 * Close codes of ours: 4400 malformed, 4401 not (or no longer) signed in, 4403 revoked, 4429 too many.
 */
export function attachLiveSocket(
  server: Server,
  parts: LiveSocketParts,
): { close(withinMs: number): Promise<void>; terminate(): void } {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: largestOfLine,
    perMessageDeflate: false,
    clientTracking: true,
  });
  const timing = { ...liveTiming, ...parts.timing };
  const work: Work = { begun: new Set(), stopping: false };

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
      const path = (request.url ?? '').split('?')[0];
      if (path !== '/v1/live') return refuse('404 Not Found');
      // A page of another origin may open a socket to us; the browser only tells us whose page it is.
      if (!parts.origins().includes(request.headers.origin ?? '')) return refuse('403 Forbidden');
      if (!(await parts.limits.take('sockets', parts.addressOf(request)))) return refuse('429 Too Many Requests');
      if (work.stopping) return refuse('503 Service Unavailable');
      if (stream.destroyed) return;
      sockets.handleUpgrade(request, stream, head, (socket) =>
        serve(socket, stream, parts, timing, work, deviceLabel(request.headers['user-agent'])),
      );
    };
    upgrade().catch((error: unknown) => {
      parts.log.error({ err: error }, 'a socket could not be opened');
      stream.destroy();
    });
  });

  return {
    close: async (withinMs) => {
      work.stopping = true;
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, withinMs - farewellMs);
      });
      await Promise.race([Promise.allSettled(work.begun), deadline]);
      clearTimeout(timer);
      const open = [...sockets.clients];
      const answered = open.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())));
      for (const socket of open) socket.close(1012, 'the relay is restarting');
      sockets.close();
      // Acknowledgements stand before the farewell; whoever answers it has read them.
      const farewell = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, farewellMs);
      });
      await Promise.race([Promise.all(answered), farewell]);
      clearTimeout(timer);
    },
    terminate: () => {
      for (const socket of sockets.clients) socket.terminate();
    },
  };
}

function serve(
  socket: WebSocket,
  stream: Duplex,
  parts: LiveSocketParts,
  timing: typeof liveTiming,
  work: Work,
  /** Browser and system, for the agent. */
  place: string,
): void {
  let owner: (SessionOwner & { checkedAt: number; reader: LiveReader }) | null = null;
  let alive = true;
  let queued = 0;
  let queue: Promise<void> = Promise.resolve();
  let leave = (): void => {};
  let leavePhones: (() => void) | null = null;
  let line: LineSeat | null = null;
  let expiry: NodeJS.Timeout | undefined;

  const end = (code: number, reason: string): void => {
    if (socket.readyState === WebSocket.OPEN) socket.close(code, reason);
    // A browser that is gone never answers the closing handshake.
    setTimeout(() => socket.terminate(), 5_000).unref();
  };
  const takesMore = (): boolean => {
    if (socket.readyState !== WebSocket.OPEN) return false;
    if (socket.bufferedAmount <= largestBacklog) return true;
    parts.metrics.refused.inc({ why: 'slow-socket' });
    socket.terminate();
    return false;
  };
  const send = (message: RelayMessage): void => {
    if (takesMore()) socket.send(JSON.stringify(message));
  };
  const fail = (code: number, error: PatchcordError): void => {
    send({ type: 'error', code: error.code, message: error.message });
    end(code, error.code);
  };
  /** How the hub reaches this socket. Whole frames go straight to the stream: ws writes its own whole, too, since nothing is compressed. */
  const readerOf = (session: SessionOwner): LiveReader => ({
    device: session.device,
    watchesTenant: session.role !== 'agent',
    tell: (told) => {
      if (takesMore()) stream.write(told.frame);
    },
    close: end,
  });

  const first = setTimeout(
    () => fail(4401, new PatchcordError('identity.required', 'The first message must authenticate, within 5 seconds.')),
    timing.authenticateMs,
  );
  const ping = setInterval(() => {
    if (!alive) {
      socket.terminate();
      return;
    }
    alive = false;
    socket.ping();
    if (!work.stopping) void recheck(0);
  }, timing.pingMs);

  /** Looks the session up again. False when it has ended; the socket is closed then. */
  const recheck = async (afterMs: number): Promise<boolean> => {
    if (owner === null || parts.now() - owner.checkedAt < afterMs) return true;
    try {
      if (await parts.sessions.isOpen(owner.sessionId)) {
        owner.checkedAt = parts.now();
        return true;
      }
    } catch {
      return true;
    }
    fail(4401, new PatchcordError('identity.required', 'The session has ended. Sign in again.'));
    return false;
  };

  /** From now on the calls of this socket's device have somebody who tells of them, and a wish to call somebody who can. */
  const holdsCalls = (session: SessionOwner, reader: LiveReader): void => {
    if (socket.readyState !== WebSocket.OPEN || leavePhones !== null) return;
    const leaves = [parts.openPhones.add(session), parts.hub.addPhone(session.tenant, session.agent, reader)];
    leavePhones = () => {
      for (const gone of leaves) gone();
    };
  };

  const authenticate = async (token: string, proof: unknown, mirror: boolean): Promise<void> => {
    const session = await parts.sessions.check({ token, proof, method: 'GET', path: '/v1/live', scheme: 'ws' });
    const { tenant, agent } = parts.tenants.knownAgent(session.tenant, session.agent);
    clearTimeout(first);
    if (socket.readyState !== WebSocket.OPEN) return;
    const reader = readerOf(session);
    owner = { ...session, checkedAt: parts.now(), reader };
    // A mirror stays open when the window with the calls is gone.
    if (!mirror) holdsCalls(session, reader);
    const gone = parts.hub.add(session.tenant, session.agent, reader);
    parts.metrics.sockets.inc();
    leave = () => {
      gone();
      parts.metrics.sockets.dec();
    };
    expiry = setTimeout(
      () => fail(4401, new PatchcordError('identity.required', 'The session has ended. Sign in again.')),
      Math.min(session.expiresAt - parts.now(), longestTimerMs),
    );
    send({ type: 'authenticated', agent: toAgent(tenant.config, agent) });
    // A revocation between the look above and `hub.add` found nobody to end.
    void recheck(0);
  };

  /** The line of the agent, and what its devices say to each other. */
  const ofLine = async (
    session: SessionOwner,
    message: Exclude<v.InferOutput<typeof PanelMessageSchema>, { readonly type: 'authenticate' | 'publish' }>,
  ): Promise<void> => {
    const says = message.type === 'frames.say';
    // Whoever is granted the line may be given what its calls can be taken with.
    if (!(await recheck(message.type === 'line.ask' && message.epoch === null ? 0 : timing.recheckMs))) return;
    const points = says ? 1 + Math.floor(message.body.length / pieceLength) : 1;
    if (!(await parts.limits.take(says ? 'frames' : 'lines', `${session.tenant} ${session.agent}`, points))) {
      parts.metrics.refused.inc({ why: says ? 'frames' : 'lines' });
      const slower = 'Too much at once about the line. Nothing of this message was taken; try again in a minute.';
      return send({ type: 'error', code: 'request.too-many', message: slower });
    }
    if (socket.readyState !== WebSocket.OPEN) return;
    line ??= parts.lines.join({ tenant: session.tenant, agent: session.agent, device: session.device, place, send });
    try {
      if (message.type === 'line.ask') await line.ask(message);
      else if (message.type === 'line.leave') await line.leave(message.epoch);
      else if (message.type === 'line.keep') await line.keep(message.epoch, message.kept);
      else line.say(message.body);
    } catch (error) {
      // Never what was sent: it may hold what a call can be taken with.
      parts.log.error({ err: error, tenant: session.tenant, agent: session.agent }, 'a line could not be seen to');
      const code = errorCode(error);
      const away = code === 'internal' ? 'The relay failed. Ask again.' : (error as Error).message;
      send({ type: 'error', code, message: away });
    }
  };

  const handle = async (raw: RawData): Promise<void> => {
    const message = readMessage(raw);
    const mayBeLarge = owner !== null && (message?.type === 'line.keep' || message?.type === 'frames.say');
    if (lengthOf(raw) > largestMessage && !mayBeLarge) return end(1009, 'message too large');
    if (message === null) {
      return fail(
        4400,
        new PatchcordError('request.invalid', 'The message is not one of this protocol. Update the phone.'),
      );
    }
    if (owner === null) {
      if (message.type !== 'authenticate') {
        return fail(4401, new PatchcordError('identity.required', 'The first message must authenticate.'));
      }
      try {
        await authenticate(message.token, message.proof, message.mirror === true);
      } catch (error) {
        const known = errorCode(error) === 'internal' ? new PatchcordError('internal', 'The relay failed.') : error;
        // The store being away is no reason to sign in again: the code tells the panel which it is.
        fail(errorCode(error).startsWith('identity.') ? 4401 : 1013, known as PatchcordError);
      }
      return;
    }
    if (message.type === 'authenticate') return;
    if (message.type !== 'publish') return ofLine(owner, message);
    holdsCalls(owner, owner.reader);
    if (!(await recheck(timing.recheckMs))) return;
    if (!(await parts.limits.take('events', `${owner.tenant} ${owner.agent}`, Math.max(1, message.events.length)))) {
      const slower = 'Too many events at once. Nothing of this message was taken; send it again in a minute.';
      return send({ type: 'error', code: 'request.too-many', message: slower });
    }
    try {
      const result = await parts.recorder.publish(owner, message.events);
      if (result.acknowledged.length > 0) send({ type: 'acknowledged', ids: [...result.acknowledged] });
      for (const { id, message: why } of result.refused) send({ type: 'refused', id, message: why });
    } catch (error) {
      parts.log.error({ err: error, tenant: owner.tenant, agent: owner.agent }, 'events could not be stored');
      const code = errorCode(error);
      send({
        type: 'error',
        code,
        message:
          code === 'internal'
            ? 'The relay failed. The events were not taken; send them again.'
            : (error as Error).message,
      });
    }
  };

  const begin = async (raw: RawData): Promise<void> => {
    if (work.stopping) return;
    const handling = handle(raw);
    work.begun.add(handling);
    await handling.finally(() => work.begun.delete(handling));
  };

  socket.on('pong', () => {
    alive = true;
  });
  socket.on('message', (raw: RawData) => {
    alive = true;
    if (queued >= longestQueue) {
      parts.metrics.refused.inc({ why: 'socket-queue' });
      return fail(4429, new PatchcordError('request.too-many', 'Wait for acknowledgements before sending more.'));
    }
    queued += 1;
    // One after the other: an acknowledgement never overtakes the one before it.
    queue = queue
      .then(() => begin(raw))
      .catch((error: unknown) => {
        parts.log.error({ err: error }, 'a socket message failed');
        socket.terminate();
      })
      .then(() => {
        queued -= 1;
      });
  });
  // Oversized and malformed frames: ws closes the socket with the right code by itself.
  socket.on('error', () => {});
  socket.on('close', () => {
    clearTimeout(first);
    clearTimeout(expiry);
    clearInterval(ping);
    leave();
    leave = () => {};
    leavePhones?.();
    line?.close();
  });
}

function lengthOf(raw: RawData): number {
  return Array.isArray(raw) ? raw.reduce((sum, part) => sum + part.byteLength, 0) : raw.byteLength;
}

function readMessage(raw: RawData): v.InferOutput<typeof PanelMessageSchema> | null {
  try {
    const parsed = v.safeParse(PanelMessageSchema, JSON.parse(raw.toString()));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}
