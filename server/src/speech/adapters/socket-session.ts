/**
 * The life of a session that runs over a WebSocket: opening in time, sound kept until the service takes it, signs of life, one end. Owns the socket;
 * an adapter says in its messages what is sent, and what an answer means. Must never reconnect, never keep more than a second of sound before
 * the service answers, and never put a header into an error.
 */
import { type ClientOptions, type RawData, WebSocket } from 'ws';
import type { Heard, SpeechEnd, SpeechListener, SpeechSession } from '../speech-to-text.ts';
import { end, endOfClose, endOfStatus } from './ends.ts';

export const bytesPerMs = 32;

export const sessionTiming = {
  /** Until the service takes sound. */
  openMs: 10_000,
  pingMs: 10_000,
  /** Without a message or a pong. */
  silentMs: 25_000,
  farewellMs: 1_000,
};
const mostKept = 1_000 * bytesPerMs;
const mostWaiting = 20_000 * bytesPerMs;
const largestMessage = 1_048_576;
const mostUnreadable = 20;
const mostTold = 64;

/** What an adapter may do with its connection. */
export interface Wire {
  /** Sends a text message; what is no string as JSON. */
  text(message: unknown): void;
  binary(bytes: Uint8Array): void;
  /** The service takes sound from now on. */
  ready(): void;
  heard(words: Heard): void;
  end(end: SpeechEnd): void;
  /** ms of sound given to the adapter: the clock of services that tell no times. */
  readonly soundMs: number;
}

/** One protocol, for one session. */
export interface Protocol {
  /** The socket is open. Calls `ready` at once, or when the service has answered. */
  opened(): void;
  sound(pcm: Uint8Array): void;
  /** Returns false for a message it cannot read. */
  message(text: string): boolean;
  /** No more sound: asks for the last words. */
  finish(): void;
  /** What a close means; absent, or undefined: as by RFC 6455. */
  closed?(code: number, reason: string): SpeechEnd | undefined;
  /** Called every second. */
  tick?(): void;
  /** Sound that the adapter itself holds back, bytes. */
  readonly waitingBytes?: number;
}

export interface SocketAddress {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timing?: Partial<typeof sessionTiming>;
}

/** Opens a session. Never throws: what goes wrong is told by `ended`, later. */
export function openSocketSession(
  address: SocketAddress,
  listener: SpeechListener,
  speak: (wire: Wire) => Protocol,
): SpeechSession {
  const timing = { ...sessionTiming, ...address.timing };
  let kept: Uint8Array[] = [];
  let keptBytes = 0;
  /** Sound that nobody took in time; the service's times begin after it. */
  let lostMs = 0;
  let soundBytes = 0;
  let isReady = false;
  let isOver = false;
  let finishing = false;
  let unreadable = 0;
  let lastSignAt = Date.now();
  const timers: NodeJS.Timeout[] = [];
  /** Utterances that are final: nothing is told of them any more. */
  const told: string[] = [];

  const over = (): void => {
    isOver = true;
    kept = [];
    keptBytes = 0;
    for (const timer of timers) clearTimeout(timer);
  };
  const wire: Wire = {
    text: (message) => {
      if (socket?.readyState === WebSocket.OPEN)
        socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    },
    binary: (bytes) => {
      if (socket?.readyState === WebSocket.OPEN) socket.send(bytes, { binary: true });
    },
    ready: () => {
      if (isReady || isOver) return;
      isReady = true;
      clearTimeout(opening);
      listener.opened?.();
      const waiting = kept;
      kept = [];
      keptBytes = 0;
      for (const pcm of waiting) give(pcm);
      if (finishing && !isOver) protocol.finish();
    },
    heard: (words) => {
      if (isOver || told.includes(words.utterance)) return;
      if (words.final) told.push(words.utterance);
      if (told.length > mostTold) told.shift();
      listener.heard(lostMs === 0 ? words : { ...words, startMs: words.startMs + lostMs, endMs: words.endMs + lostMs });
    },
    end: (why) => {
      if (isOver) return;
      over();
      if (socket?.readyState === WebSocket.OPEN) socket.close(1000);
      setTimeout(() => socket?.terminate(), timing.farewellMs).unref();
      listener.ended(why);
    },
    get soundMs() {
      return soundBytes / bytesPerMs;
    },
  };
  const give = (pcm: Uint8Array): void => {
    if (isOver) return;
    soundBytes += pcm.byteLength;
    protocol.sound(pcm);
  };
  const protocol = speak(wire);
  const socket = connect(address, timing.openMs);
  const opening = setTimeout(() => wire.end(end('away', 'did not answer in time')), timing.openMs);
  timers.push(opening);
  if (socket === null) {
    queueMicrotask(() => wire.end(end('refused', 'cannot be asked: its address or key is malformed')));
  } else {
    socket.on('open', () => {
      if (isOver) return;
      lastSignAt = Date.now();
      timers.push(
        setInterval(() => {
          if (Date.now() - lastSignAt > timing.silentMs)
            wire.end(end('away', 'gives no sign of life on an open connection'));
          else socket.ping();
        }, timing.pingMs),
        setInterval(() => protocol.tick?.(), 1_000),
      );
      protocol.opened();
    });
    socket.on('pong', () => {
      lastSignAt = Date.now();
    });
    socket.on('message', (data: RawData, isBinary) => {
      lastSignAt = Date.now();
      if (isOver || (!isBinary && protocol.message(String(data)))) return;
      unreadable++;
      if (unreadable > mostUnreadable) wire.end(end('away', 'sends what is not of its protocol'));
    });
    socket.on('unexpected-response', (request, response) => {
      request.destroy();
      wire.end(endOfStatus(response.statusCode ?? 0, response.headers['retry-after']));
    });
    // The text of an error may repeat an address; its code does not.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const code = /^[A-Z_]{3,50}$/.test(error.code ?? '') ? ` (${error.code})` : '';
      wire.end(end('away', `cannot be reached, or the connection broke${code}`));
    });
    socket.on('close', (code, reason) => {
      if (isOver) return;
      const told = protocol.closed?.(code, reason.toString().slice(0, 123));
      wire.end(told ?? (finishing && code === 1000 ? end('finished', 'has told everything') : endOfClose(code)));
    });
  }

  return {
    send(pcm) {
      if (isOver || finishing || pcm.byteLength === 0) return;
      if (isReady) {
        give(pcm);
        if (this.waitingBytes > mostWaiting) wire.end(end('away', 'does not take sound as fast as it comes'));
        return;
      }
      kept.push(pcm);
      keptBytes += pcm.byteLength;
      while (keptBytes > mostKept && kept.length > 1) {
        const first = kept.shift()?.byteLength ?? 0;
        keptBytes -= first;
        lostMs += first / bytesPerMs;
      }
    },
    get waitingBytes() {
      return isOver ? 0 : keptBytes + (socket?.bufferedAmount ?? 0) + (protocol.waitingBytes ?? 0);
    },
    finish(withinMs) {
      if (isOver || finishing) return;
      finishing = true;
      timers.push(setTimeout(() => wire.end(end('away', 'did not tell its last words in time')), withinMs));
      if (isReady) protocol.finish();
      else if (keptBytes === 0) queueMicrotask(() => wire.end(end('finished', 'was sent nothing')));
    },
    drop() {
      over();
      socket?.terminate();
    },
  };
}

function connect(address: SocketAddress, openMs: number): WebSocket | null {
  const options: ClientOptions = {
    headers: address.headers,
    perMessageDeflate: false,
    handshakeTimeout: openMs,
    maxPayload: largestMessage,
  };
  try {
    return new WebSocket(address.url, options);
  } catch {
    return null;
  }
}
