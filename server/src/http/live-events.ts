/**
 * `GET /v1/live/events`: an event stream (SSE) for boards, and for panels where a WebSocket does not get through. An agent sees their own calls,
 * supervisors the tenant's. Owns the connection: comments that keep it alive, the end of its session, cutting off whoever does not read.
 */
import { Router } from 'express';
import { type StreamReader, toPassingMessage } from '../live/stream.ts';
import { isPassing } from '../live/transcripts.ts';
import { tooMany } from './errors.ts';
import { withSession } from './guards.ts';
import type { RelayParts } from './parts.ts';

/** Proxies cut what is silent for a minute. */
const keepAliveMs = 15_000;
/** What may wait for a reader that does not read. */
const largestBacklog = 1_048_576;
const retryMs = 1_000;
/** For the last word to be read. */
const farewellMs = 1_000;

export function liveEventRoutes(parts: RelayParts): Router {
  return Router().get(
    '/v1/live/events',
    withSession(parts, async (session, request, response) => {
      if (!(await parts.limits.take('sockets', request.ip ?? ''))) throw tooMany(60_000);
      const asked = request.get('last-event-id');
      const watchesTenant = session.role !== 'agent';
      const startAt = await parts.streams.placeOf(asked === undefined || asked === '' ? null : asked);

      response.status(200);
      response.set({
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
      });
      response.flushHeaders();
      request.socket.setNoDelay(true);
      // A place to come back to before the first event.
      response.write(`retry: ${retryMs}\nid: ${parts.streams.idOf(startAt)}\n\n`);

      let ended = false;
      const leaving: (() => void)[] = [];
      const leave = (): void => {
        ended = true;
        for (const one of leaving.splice(0)) one();
      };
      const cutOff = (): void => {
        leave();
        response.destroy();
      };
      const write = (message: Buffer | string): boolean => {
        if (ended) return false;
        if (response.writableLength > largestBacklog) {
          parts.metrics.refused.inc({ why: 'slow-stream' });
          cutOff();
          return false;
        }
        response.write(message);
        return true;
      };
      /** Says why, so that a reader knows whether to come back. */
      const end = (code: number, reason: string): void => {
        if (ended) return;
        leave();
        response.end(`event: end\ndata: ${JSON.stringify({ code, reason })}\n\n`);
        // Whoever does not read it in time comes back by itself, to the place it had.
        setTimeout(() => response.destroy(), farewellMs).unref();
      };
      const reader: StreamReader = {
        tenant: session.tenant,
        agent: watchesTenant ? null : session.agent,
        write: (message) => {
          parts.live.streamEvents.inc();
          return write(message);
        },
        fail: (error) => {
          parts.log.warn({ err: error, tenant: session.tenant }, 'an event stream could not be read');
          cutOff();
        },
      };

      parts.live.streams.inc();
      leaving.push(() => parts.live.streams.dec());
      response.once('close', leave);
      leaving.push(
        parts.hub.add(session.tenant, session.agent, {
          device: session.device,
          watchesTenant,
          // What belongs to a call comes from the store, in order, unless it is told and not kept.
          tell: ({ event }) => {
            if (event.subject === undefined || isPassing(event)) write(toPassingMessage(event));
          },
          close: end,
        }),
        parts.streams.onClose(() => end(1012, 'the relay is restarting')),
      );
      /** A revocation from before we were in the hub, or one whose news was lost, ends the stream all the same. */
      const look = async (): Promise<void> => {
        if (!(await parts.sessions.isOpen(session.sessionId))) end(4401, 'the session has ended');
      };
      const keepAlive = setInterval(() => {
        write(':\n\n');
        // A store that is away for a moment says nothing about the session.
        look().catch(() => {});
      }, keepAliveMs);
      const expiry = setTimeout(
        () => end(4401, 'the session has ended'),
        Math.min(session.expiresAt - parts.now(), 2_147_483_647),
      );
      leaving.push(
        () => clearInterval(keepAlive),
        () => clearTimeout(expiry),
      );
      await look().catch(reader.fail);
      if (ended) return;
      const stop = await parts.streams.open(reader, startAt);
      if (ended) stop();
      else leaving.push(stop);
    }),
  );
}
