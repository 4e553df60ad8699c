/**
 * A frame that opens beside others of the same agent is signed in by them: it asks over a channel of this storage partition, a frame that
 * is signed in answers with its session. So a pairing code is asked for once, not once a tab. The token is in memory on both sides and on
 * the channel only while it is passed; it is never stored. Same origin and same partition are what the channel itself guarantees.
 */
import { type Session, SessionSchema } from '@patchcord/call-protocol';
import type { ClockPort } from '@patchcord/phone-engine';
import * as v from 'valibot';

const MessageSchema = v.variant('type', [
  v.object({ type: v.literal('ask') }),
  v.object({ type: v.literal('session'), session: SessionSchema }),
]);

export interface SessionHandover {
  /** The session another frame holds, or null when none answers in time. */
  ask(): Promise<Session | null>;
  /** Other frames get this session from now on: those that ask, and those that wait for a new one. */
  offer(session: Session | null): void;
  /** Told when another frame signs in. */
  onOffered(listener: (session: Session) => void): () => void;
  close(): void;
}

export interface SessionHandoverOptions {
  readonly openChannel: (name: string) => BroadcastChannel;
  /** Host and whom its page is for: frames of another host, account or user keep their own sessions. */
  readonly name: string;
  readonly clock: ClockPort;
  readonly answerWithinMs?: number;
}

/** For a host that signs each frame in by itself: nobody asks, nobody is told. */
export const noHandover: SessionHandover = {
  ask: () => Promise.resolve(null),
  offer: () => undefined,
  onOffered: () => () => undefined,
  close: () => undefined,
};

/** Life a passed session must still have, ms. */
const leastLifeMs = 60_000;

/** Joins the channel. Where channels are refused, nobody answers and everything else works. */
export function createSessionHandover(options: SessionHandoverOptions): SessionHandover {
  const { clock, answerWithinMs = 250 } = options;
  const listeners = new Set<(session: Session) => void>();
  let held: Session | null = null;
  let channel: BroadcastChannel | null = null;
  try {
    channel = options.openChannel(`patchcord-session:${options.name}`);
  } catch {
    channel = null;
  }

  function usable(session: Session): boolean {
    return session.expiresAt - clock.now() > leastLifeMs;
  }

  function post(message: v.InferOutput<typeof MessageSchema>): void {
    channel?.postMessage(message);
  }

  if (channel !== null) {
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      const message = v.safeParse(MessageSchema, data);
      if (!message.success) return;
      if (message.output.type === 'session') {
        if (usable(message.output.session)) for (const listener of [...listeners]) listener(message.output.session);
      } else if (held !== null && usable(held)) post({ type: 'session', session: held });
    };
  }

  function onOffered(listener: (session: Session) => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  return {
    ask() {
      if (channel === null) return Promise.resolve(null);
      return new Promise((resolve) => {
        const deadline = clock.setTimeout(() => finish(null), answerWithinMs);
        const stop = onOffered((session) => finish(session));
        function finish(session: Session | null): void {
          stop();
          clock.clearTimeout(deadline);
          resolve(session);
        }
        post({ type: 'ask' });
      });
    },
    offer(session) {
      const fresh = session !== null && session.token !== held?.token;
      held = session;
      if (fresh) post({ type: 'session', session });
    },
    onOffered,
    close() {
      listeners.clear();
      channel?.close();
    },
  };
}
